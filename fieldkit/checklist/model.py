"""What a visit asks, as values: a checklist and its sections. Its items are in `kinds`."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Literal

import msgspec

from fieldkit.checklist.kinds import KINDS, ROLES, Choice, Item, Role
from fieldkit.checklist.layout import Layout
from fieldkit.text import Words

Finish = Literal["handover", "record"]
"""How a form is finished: an officer signs off and signs the record with the token, or the record is made."""
Paper = Literal["handover", "form"]
"""How it is printed: as the record of a handover between two parties, or as the form itself, filled in."""

BUREAU_LIST = "bureau"
BUREAU = ("name", "label", "code", "address", "phone", "email", "officer", "officer_title")
"""What instance('bureau')/root/item has, of the bureau that a form is about; "name" is its code."""


class Section(msgspec.Struct, frozen=True, omit_defaults=True):
    """Items that belong together; `relevant` holds for all of them."""

    id: str
    title: Words
    items: tuple[Item, ...]
    relevant: str = ""


class Entity(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a form creates or updates in a list of things (ODK's entities).

    list: the list's name. label, id, create_if, update_if: expressions.
    """

    list: str
    label: str = ""
    id: str = ""
    create_if: str = ""
    update_if: str = ""


class Checklist(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """What one kind of visit asks.

    id: its name, that of its file. version: raised with every change that an old record would notice.
    form: the name and number of the paper form it stands for, where there is one.
    finish, paper: how it is finished and printed; None in those made before it could be said.
    number: what follows the visit's id in the number on the paper.
    lists: choices that several items share, or whose columns a filter looks at, by name.
    """

    id: str
    version: str
    title: Words
    sections: tuple[Section, ...]
    form: Words | None = None
    finish: Finish | None = None
    paper: Paper | None = None
    number: str = ""
    lists: dict[str, tuple[Choice, ...]] = {}
    entity: Entity | None = None

    def items(self) -> Iterator[Item]:
        """Every item that is no group, in order."""
        return (item for item in self.layout.items.values() if not KINDS[item.kind].holds)

    def item(self, key: str) -> Item:
        """The item of an id, or of the key of one of its answers ("devices/2/serial"), or KeyError.

        The key of a row ("devices/2") has its repeat.
        """
        return self.layout.items[item_id(key)]

    def with_role(self, role: Role) -> tuple[Item, ...]:
        """The items that say they have it, in order; where none does, the one of the id that means it."""
        having = tuple(item for item in self.items() if item.role == role)
        id, kinds = ROLES[role]
        meant = self.layout.items.get(id)
        return having or ((meant,) if meant is not None and meant.kind in kinds else ())

    def choices(self, item: Item) -> tuple[Choice, ...]:
        """What an item is answered with, before any filter; nothing where anything may be entered."""
        return self.lists.get(item.list, ()) if item.list else KINDS[item.kind].choices(item)

    @functools.cached_property
    def tables(self) -> dict[str, tuple[dict[str, str], ...]]:
        """The lists as rows of columns, for instance() and pulldata()."""
        return {name: tuple(choice.row for choice in choices) for name, choices in self.lists.items()}

    @functools.cached_property
    def layout(self) -> Layout:
        """What is in what, and what depends on what.

        :raises ExpressionInvalid: one of a checklist that was never checked cannot be understood.
        """
        sections = [
            Item(id=f"@{section.id}", kind="group", label=section.title, relevant=section.relevant,
                 items=section.items)
            for section in self.sections
        ]  # fmt: skip
        return Layout(sections)


def item_id(key: str) -> str:
    """The id of the item a key is about: "serial" of "devices/2/serial", "devices" of "devices/2"."""
    if "/" not in key:
        return key
    return next((part for part in reversed(key.split("/")) if not part.isdigit()), key)

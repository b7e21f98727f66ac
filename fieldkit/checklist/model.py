"""What a visit asks, as values: a checklist and its sections. Its items are in `kinds`."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Literal

import msgspec

from fieldkit.checklist.expression import Node, parse, references
from fieldkit.checklist.kinds import ROLES, Item, Role
from fieldkit.checklist.order import ordered
from fieldkit.text import Words

Finish = Literal["handover", "record"]
"""How a form is finished: an officer signs off and signs the record with the token, or the record is made."""
Paper = Literal["handover", "form"]
"""How it is printed: as the record of a handover between two parties, or as the form itself, filled in."""


class Section(msgspec.Struct, frozen=True, omit_defaults=True):
    """Items that belong together; `relevant` holds for all of them."""

    id: str
    title: Words
    items: tuple[Item, ...]
    relevant: str = ""


class Checklist(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """What one kind of visit asks.

    id: its name, that of its file. version: raised with every change that an old record would notice.
    form: the name and number of the paper form it stands for, where there is one.
    finish, paper: how it is finished and printed; None in those made before it could be said.
    number: what follows the visit's id in the number on the paper.
    """

    id: str
    version: str
    title: Words
    sections: tuple[Section, ...]
    form: Words | None = None
    finish: Finish | None = None
    paper: Paper | None = None
    number: str = ""

    def items(self) -> Iterator[Item]:
        """Every item, in order."""
        for section in self.sections:
            yield from section.items

    def item(self, id: str) -> Item:
        """The item of that id, or KeyError."""
        return self._by_id[id]

    def section_of(self, id: str) -> Section:
        """The section the item of that id is in, or KeyError."""
        return self._sections[id]

    def with_role(self, role: Role) -> tuple[Item, ...]:
        """The items that say they have it, in order; where none does, the one of the id that means it."""
        saying = tuple(item for item in self.items() if item.role == role)
        id, kinds = ROLES[role]
        meant = self._by_id.get(id)
        return saying or ((meant,) if meant is not None and meant.kind in kinds else ())

    @functools.cached_property
    def relevance(self) -> dict[str, tuple[Node, ...]]:
        """The conditions under which each item is in force, its section's first; ids in an order in which
        each comes after those that its conditions look at.

        :raises ExpressionInvalid: one of a checklist that was never checked cannot be understood.
        """
        conditions = {
            item.id: tuple(parse(text) for text in (section.relevant, item.relevant) if text)
            for section in self.sections
            for item in section.items
        }
        needs = {
            id: dict.fromkeys(reference.name for node in nodes for reference in references(node))
            for id, nodes in conditions.items()
        }
        return {id: conditions[id] for group in ordered(needs) for id in group}

    @functools.cached_property
    def _by_id(self) -> dict[str, Item]:
        return {item.id: item for item in self.items()}

    @functools.cached_property
    def _sections(self) -> dict[str, Section]:
        return {item.id: section for section in self.sections for item in section.items}

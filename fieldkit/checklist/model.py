"""What a visit asks, as values: a checklist, its sections and items. How they are read is in `load`."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Literal

import msgspec

from fieldkit.checklist.expression import Node, parse, references
from fieldkit.checklist.order import ordered
from fieldkit.text import Words

Kind = Literal["yesno", "text", "choice", "choices", "number", "date", "file", "note", "procedure"]
Value = str | list[str] | dict[str, str | int]
YES_NO = ("yes", "no", "n/a")
Finish = Literal["handover", "record"]
"""How a form is finished: an officer signs off and signs the record with the token, or the record is made."""
Paper = Literal["handover", "form"]
"""How it is printed: as the record of a handover between two parties, or as the form itself, filled in."""
Role = Literal["officer-name", "officer-title", "test-document", "condition"]
ROLES: dict[Role, tuple[str, tuple[Kind, ...]]] = {
    "officer-name": ("officer_name", ("text",)),
    "officer-title": ("officer_title", ("text",)),
    "test-document": ("own_document", ("file",)),
    "condition": ("condition", ("choice", "choices", "text")),
}
"""What fieldkit itself does with an answer: the id that means it where no item says so, its kinds."""


class Choice(msgspec.Struct, frozen=True):
    """One of the answers of a "choice" or "choices" item; `value` is what is stored."""

    value: str
    label: Words


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a checklist.

    kind: what answers it. "yesno" is answered "yes", "no" or "n/a"; "number" by a decimal as text;
    "date" by an ISO date; "file" by an attachment's {"sha256", "size", "name"}; "choices" by a list;
    "procedure" by the evidence of the procedure named; "note" is only read.
    relevant: an expression; while it is not true the item is not asked and its answer does not count.
    constraint: an expression over `.`, the answer; constraint_message says it in words.
    accept: endings of the file names that a "file" item takes, without the dot; all when empty.
    multiline: a "text" item may take several lines.
    options: what a procedure is told, under the key `with`.
    role: what fieldkit itself does with the answer. Several items may have one, for different cases.
    """

    id: str
    kind: Kind
    label: Words
    hint: Words | None = None
    required: bool = False
    choices: tuple[Choice, ...] = ()
    relevant: str = ""
    constraint: str = ""
    constraint_message: Words | None = None
    default: str = ""
    accept: tuple[str, ...] = ()
    multiline: bool = False
    procedure: str = ""
    options: dict[str, str | int | bool] = msgspec.field(name="with", default_factory=dict)
    role: Role | None = None


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

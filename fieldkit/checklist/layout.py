"""The items of a checklist as a tree: what is in what, in which rows, and what depends on what.

An item outside all repeats has one answer, under its id; in a repeat it has one for each row, under a key
such as "devices/2/serial". A section is a group whose id begins with "@".
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import msgspec

from fieldkit.checklist.expression import Node, parse, references
from fieldkit.checklist.kinds import Item
from fieldkit.checklist.order import ordered

RULES = ("relevant", "count", "calculate")
"""Expressions that say what there is to answer, and what is answered by itself."""
CHECKS = ("required", "constraint", "choice_filter", "read_only")
"""Those that say what an answer has to be."""


class ItemPlace(msgspec.Struct, frozen=True):
    """Where an item stands.

    group: the group around it, "" for a section. repeats: those it is in, the outermost first. position: its
    number in the form, groups counted.
    """

    item: Item
    group: str
    repeats: tuple[str, ...]
    position: int


class Layout:
    """What is in what, and what depends on what, by the ids of items and groups."""

    def __init__(self, sections: Sequence[Item]) -> None:
        self.sections = tuple(sections)
        self.places: dict[str, ItemPlace] = {}
        for section in sections:
            self._put(section, "", ())
        self.items = {id: place.item for id, place in self.places.items() if not id.startswith("@")}

    def _put(self, item: Item, group: str, repeats: tuple[str, ...]) -> None:
        # the first of a name that is here twice, which is no checklist, but is looked at before it is refused
        self.places.setdefault(item.id, ItemPlace(item, group, repeats, len(self.places)))
        inside = (*repeats, item.id) if item.kind == "repeat" else repeats
        for below in item.items:
            self._put(below, item.id, inside)

    def tree(self, id: str, rule: str) -> Node | None:
        """The expression of an item that says something of it, such as "relevant"; None where it has none."""
        text = getattr(self.places[id].item, rule)
        return parse(text) if text and isinstance(text, str) else None

    def inside(self, repeat: str) -> Sequence[str]:
        """The ids of what is in each row of a repeat, in order of their evaluation."""
        return self._inside.get(repeat, ())

    def looks_at(self, id: str, rules: Sequence[str]) -> Iterator[str]:
        """The ids of what the expressions of an item look at."""
        for rule in rules:
            tree = self.tree(id, rule)
            if tree is not None:
                for reference in references(tree):
                    yield self.named(reference.name, id)

    def named(self, name: str, seen_from: str) -> str:
        """The id that `${name}` means to an item: "" is itself, ".." the repeat around it."""
        if name.startswith(".."):
            at = seen_from
            for _ in name.split("/"):
                at = self.places[at].group or at
            while self.places[at].item.kind != "repeat" and self.places[at].group:
                at = self.places[at].group
            return at
        if not name:
            return seen_from
        return name if name in self.places else f"@{name}"

    @functools.cached_property
    def needs(self) -> dict[str, set[str]]:
        """By id, what has to be settled before it: the group around it, and all that it looks at."""
        return {
            id: {*self.looks_at(id, RULES), *([place.group] if place.group else ())}
            for id, place in self.places.items()
        }

    @functools.cached_property
    def order(self) -> dict[str, int]:
        """Each id with its turn: what is in force and what it comes to is known after all that it needs."""
        turns = [id for group in ordered(self.needs) for id in group]
        return {id: turn for turn, id in enumerate(turns)}

    @functools.cached_property
    def dependents(self) -> dict[str, tuple[str, ...]]:
        """By id, what has to be settled anew when it changes: what looks at it, and what a group holds.

        What a repeat holds comes and goes with its rows.
        """
        of: dict[str, dict[str, None]] = {}
        for id, place in self.places.items():
            group = place.group if place.group and self.places[place.group].item.kind == "group" else id
            for need in (group, *self.looks_at(id, RULES)):
                if need != id:
                    of.setdefault(need, {})[id] = None
        return {id: tuple(ids) for id, ids in of.items()}

    @functools.cached_property
    def checked_with(self) -> dict[str, tuple[str, ...]]:
        """By id, the items whose answers have to be checked anew when it changes, itself left out."""
        of: dict[str, dict[str, None]] = {}
        for id in self.places:
            for need in self.looks_at(id, CHECKS):
                if need != id:
                    of.setdefault(need, {})[id] = None
        return {id: tuple(ids) for id, ids in of.items()}

    @functools.cached_property
    def _inside(self) -> dict[str, tuple[str, ...]]:
        of: dict[str, list[str]] = {}
        for id in self.order:
            for repeat in self.places[id].repeats:
                of.setdefault(repeat, []).append(id)
        return {repeat: tuple(ids) for repeat, ids in of.items()}

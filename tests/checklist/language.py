"""A form and its answers for expressions: items, some of them in a repeat, and lists."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence

from fieldkit.checklist.kinds import KINDS, Item
from fieldkit.checklist.value import Nodes, Term, Type

NOW = datetime.datetime(2026, 11, 24, 8, 30)


class Form:
    """What there is; repeats: by the name of each, the items in it, as seen from outside."""

    def __init__(
        self,
        items: Mapping[str, Item],
        repeats: Mapping[str, Collection[str]] | None = None,
        lists: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._items = items
        self._repeats = repeats or {}
        self._lists = lists or {}

    def item(self, name: str) -> Item | None:
        return self._items.get(name)

    def type(self, name: str) -> Type | None:
        return KINDS[self._items[name].kind].type

    def group(self, name: str) -> bool:
        return name in self._repeats

    def repeated(self, name: str) -> bool:
        return any(name in items for items in self._repeats.values())

    def columns(self, list: str) -> Collection[str] | None:
        return self._lists.get(list)

    def ids(self) -> Collection[str]:
        return [*self._items, *self._repeats]


class Answered:
    """Answers outside of repeats, rows of repeats and lists as expressions ask for them."""

    def __init__(
        self,
        answers: Mapping[str, Term],
        rows: Mapping[str, Sequence[Mapping[str, Term]]] | None = None,
        lists: Mapping[str, Sequence[Mapping[str, str]]] | None = None,
        at: Mapping[str, int] | None = None,
    ) -> None:
        self.now = NOW
        self.seed = "visit item"
        self._answers = answers
        self._rows = rows or {}
        self._lists = lists or {}
        self._at = at or {}

    def value(self, name: str) -> Term:
        if name in self._rows:
            return Nodes(tuple("" for _ in self._rows[name]))
        for rows in self._rows.values():
            if any(name in row for row in rows):
                return Nodes(tuple(row.get(name) for row in rows))
        return self._answers[name or "this"]

    def position(self, of: str = "..") -> int:
        return self._at[of]

    def row(self, name: str, *at: tuple[str, int]) -> Term:
        ((repeat, position),) = at
        rows = self._rows[repeat]
        return rows[position - 1].get(name) if 1 <= position <= len(rows) else None

    def label(self, name: str, value: str) -> str:
        return f"{name}: {value}"

    def listed(self, list: str) -> Sequence[Mapping[str, str]]:
        return self._lists[list]

    def column(self, name: str) -> Term:
        return self._answers[name]

"""Where every entry stands in the segments and what it is about: sixteen bytes each, values stay on disk."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator

import msgspec

from fieldkit.journal.entry import TABLE
from fieldkit.journal.line import ChainLink

NUMBER = "I"
"""The array type of all columns: four bytes, segments are far smaller than that can count."""


class Segment(msgspec.Struct):
    """A file of the log.

    first: the number of its first entry. prev: the hash of the one before. size: bytes of good lines.
    changed: when the file last changed, where that was asked.
    """

    name: str
    first: int
    prev: str = ""
    size: int = 0
    changed: int = 0


class EntryPlace(msgspec.Struct, frozen=True):
    """Where the JSON of an entry is; a length of 0 means that it is lost."""

    segment: int
    start: int
    length: int


class Columns(msgspec.Struct, frozen=True):
    """The index as it is kept in a checkpoint."""

    segments: list[Segment]
    starts: bytes
    lengths: bytes
    kinds: bytes
    visits: bytes
    kind_names: list[str]
    visit_names: list[str]


class Index:
    """Entries are numbered from 1; a lost one keeps its number and has no bytes."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self._starts = array(NUMBER)
        self._lengths = array(NUMBER)
        self._kinds = array(NUMBER)
        self._visits = array(NUMBER)
        self._kind_numbers: dict[str, int] = {}
        self._visit_numbers: dict[str, int] = {"": 0}
        self._by_visit: dict[int, array[int]] | None = None
        self._moved: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._lengths)

    def add(self, link: ChainLink, start: int, length: int) -> tuple[int, int]:
        """The next entry, in the last segment; the numbers its kind and its visit have here."""
        kind = self._kind_numbers.setdefault(link.kind, len(self._kind_numbers))
        visit = self._visit_numbers.setdefault(link.visit, len(self._visit_numbers))
        self.add_place(start, length, kind, visit)
        return kind, visit

    def lose(self, count: int) -> None:
        """The next `count` entries are lost."""
        for _ in range(count):
            self.add_place(0, 0, self._kind_numbers.setdefault("", len(self._kind_numbers)), 0)

    def forget(self, seq: int) -> None:
        """The entry `seq` is lost after all: what stands in its place is not what was said."""
        self._lengths[seq - 1] = 0

    def restore(self, link: ChainLink, place: EntryPlace) -> None:
        """A lost entry is there after all, at a place that is not its own."""
        at = link.seq - 1
        self._starts[at], self._lengths[at] = place.start, place.length
        self._kinds[at] = self._kind_numbers.setdefault(link.kind, len(self._kind_numbers))
        self._visits[at] = self._visit_numbers.setdefault(link.visit, len(self._visit_numbers))
        self._moved[link.seq] = place.segment
        self._by_visit = None

    def cut(self, segment: Segment) -> None:
        """Forget the last segment and what is in it, to have it read again."""
        self.segments.remove(segment)
        for column in (self._starts, self._lengths, self._kinds, self._visits):
            del column[segment.first - 1 :]

    @property
    def readable(self) -> int:
        """How many entries are not lost."""
        return sum(map(bool, self._lengths))

    def place(self, seq: int) -> EntryPlace:
        """Where the entry `seq` is."""
        segment = self._moved.get(
            seq, bisect_right(self.segments, seq, key=lambda segment: segment.first) - 1
        )
        return EntryPlace(segment, self._starts[seq - 1], self._lengths[seq - 1])

    def of_visit(self, visit: str, after: int) -> list[int]:
        """The numbers of the entries about `visit` that come after the number `after`."""
        if self._by_visit is None:
            self._by_visit = {}
            for seq, number in enumerate(self._visits, 1):
                if number:
                    self._by_visit.setdefault(number, array(NUMBER)).append(seq)
        numbers = self._by_visit.get(self._visit_numbers.get(visit, -1), ())
        return [seq for seq in numbers if seq > after and self._lengths[seq - 1] and not self._is_table(seq)]

    def last_of_visits(self, last: int) -> dict[str, int]:
        """The number of the last entry about each visit, of those up to the number `last`."""
        by_number: dict[int, int] = {}
        for seq, number in enumerate(self._visits, 1):
            if number and seq <= last and self._lengths[seq - 1] and not self._is_table(seq):
                by_number[number] = seq
        return {
            visit: by_number[number] for visit, number in self._visit_numbers.items() if number in by_number
        }

    def of_tables(self, after: int = 0) -> Iterator[int]:
        """The numbers of the entries that TinyDB's tables are made of."""
        table = self._kind_numbers.get(TABLE, -1)
        kinds, lengths = self._kinds, self._lengths
        return (
            seq for seq in range(after + 1, len(self) + 1) if kinds[seq - 1] == table and lengths[seq - 1]
        )

    def of_the_rest(self, after: int, last: int) -> Iterator[int]:
        """The numbers of all other entries up to `last`."""
        table = self._kind_numbers.get(TABLE, -1)
        kinds, lengths = self._kinds, self._lengths
        return (seq for seq in range(after + 1, last + 1) if kinds[seq - 1] != table and lengths[seq - 1])

    def columns(self) -> Columns:
        """All of it, to be kept."""
        return Columns(
            self.segments,
            self._starts.tobytes(),
            self._lengths.tobytes(),
            self._kinds.tobytes(),
            self._visits.tobytes(),
            list(self._kind_numbers),
            list(self._visit_numbers),
        )

    @classmethod
    def of(cls, columns: Columns) -> Index:
        """The index that was kept."""
        index = cls()
        index.segments = columns.segments
        index._starts.frombytes(columns.starts)
        index._lengths.frombytes(columns.lengths)
        index._kinds.frombytes(columns.kinds)
        index._visits.frombytes(columns.visits)
        index._kind_numbers = {name: number for number, name in enumerate(columns.kind_names)}
        index._visit_numbers = {name: number for number, name in enumerate(columns.visit_names)}
        return index

    def _is_table(self, seq: int) -> bool:
        return self._kinds[seq - 1] == self._kind_numbers.get(TABLE, -1)

    def add_place(self, start: int, length: int, kind: int, visit: int) -> None:
        """The next entry, whose kind and visit are known by their numbers."""
        self._starts.append(start)
        self._lengths.append(length)
        self._kinds.append(kind)
        self._visits.append(visit)
        if visit and self._by_visit is not None:
            self._by_visit.setdefault(visit, array(NUMBER)).append(len(self._lengths))

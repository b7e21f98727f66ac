"""Reading segments from the first byte to the last: which lines are good, and what is wrong with the others.

It only looks. What follows from it (cutting a torn tail, refusing to write) is the log's to decide.
"""

from __future__ import annotations

from binascii import crc32
from collections import Counter
from hashlib import sha256

import msgspec

from fieldkit.journal import entry
from fieldkit.journal.entry import REPAIR
from fieldkit.journal.index import EntryPlace, Index, Segment
from fieldkit.journal.line import (
    KIND,
    PREFIX,
    PREV,
    VISIT,
    WALL,
    ChainLink,
    hlc_of,
    link,
    next_line,
    visit_of,
)
from fieldkit.text import M, Message

TIME = len('2026-11-24T08:00:00.000+07:00"}')
LONGEST_VISIT = 120
"""What stands behind the visit at the end of nearly every entry, and how far before that it is sought."""
WIDEST_HOLE = 1_000_000


class LostEntries(msgspec.Struct, frozen=True):
    """Entries that are lost, `first` to `last` (none if last < first: only foreign bytes lie there).

    prev: the hash by which the next entry names the last of them. segment, offset: where it was seen.
    strays: what lies there are whole lines that do not belong there.
    """

    first: int
    last: int
    prev: str
    segment: str
    offset: int
    strays: bool = False

    @property
    def key(self) -> tuple[int, int, str]:
        """What an acceptance names it by."""
        return self.first, self.last, self.prev

    def message(self) -> Message:
        """What is lost, in words."""
        if self.last > self.first:
            return M(
                "Entries {first} to {last} of the journal are damaged ({file}, byte {at}).",
                first=self.first,
                last=self.last,
                file=self.segment,
                at=self.offset,
            )
        if self.last == self.first:
            return M(
                "Entry {seq} of the journal is damaged ({file}, byte {at}).",
                seq=self.first,
                file=self.segment,
                at=self.offset,
            )
        if self.strays:
            return M(
                "Lines of the journal stand where they do not belong ({file}, byte {at}).",
                file=self.segment,
                at=self.offset,
            )
        return M("Foreign bytes stand in the journal ({file}, byte {at}).", file=self.segment, at=self.offset)

    def accepted(self) -> Message:
        """The same after a person accepted it, said ever after."""
        if self.last < self.first and self.strays:
            return M(
                "Lines that do not belong before entry {seq} are passed over; that was accepted.",
                seq=self.first,
            )
        if self.last < self.first:
            return M("Foreign bytes before entry {seq} are passed over; that was accepted.", seq=self.first)
        if self.last == self.first:
            return M("Entry {seq} is lost; that was accepted.", seq=self.first)
        return M("Entries {first} to {last} are lost; that was accepted.", first=self.first, last=self.last)


class Scan:
    """What was read so far: feed it every segment's bytes, in order.

    device: whose lines are taken in; of the first line, unless known. seq, hash, hlc: of the last good entry.
    newer: the first entry of a later format, and that format. holes: what is wrong. strays: whole lines
    that do not follow the ones before them. others: how many lines other devices have.
    repairs: numbers of acceptances. rest: what follows the last good line.
    """

    def __init__(self, index: Index | None = None, device: str = "", hash: str = entry.GENESIS) -> None:
        self.index = index or Index()
        self.device = device
        self.hash = hash
        self.hlc = ""
        self.newer: tuple[int, int] | None = None
        self.holes: list[LostEntries] = []
        self.strays: list[EntryPlace] = []
        self.others: Counter[str] = Counter()
        self.repairs: list[int] = []
        self.rest = b""
        self._gap: tuple[str, int, bool] | None = None
        self._own = b"\n"
        self._kinds: dict[bytes, int] = {}
        self._visits: dict[bytes, int] = {}

    @property
    def seq(self) -> int:
        return len(self.index)

    @property
    def pending(self) -> LostEntries | None:
        """What stands behind the last entry and is more than a torn end."""
        return LostEntries(self.seq + 1, self.seq, self.hash, *self._gap) if self._gap else None

    def segment(self, name: str, data: bytes) -> None:
        """Take in the next segment."""
        if self.rest.strip(b"\0"):
            last = self.index.segments[-1]
            self._pass_over(last.name, last.size)
        here = Segment(name, self.seq + 1, self.hash)
        self.index.segments.append(here)
        find, put, kinds, visits = data.find, self.index.put, self._kinds, self._visits
        known, count, version, own = self.hash, self.seq + 1, entry.FORMAT, self._own
        at = good = 0
        while (end := find(b"\n", at)) >= 0:
            body = data[at + PREFIX : end]
            if not body or data[at : at + PREFIX] != b"%08x " % crc32(body):
                start = next_line(data, at + 1)
                if start < 0:
                    break
                self._pass_over(name, at)
                at = start
                continue
            # Nearly every entry follows the last one and is about what was met before: nothing of such a one
            # is decoded, only compared; opening a large store takes its time for nothing else.
            kind = visit = None
            middle = find(PREV, at) - at - PREFIX
            if body.startswith(f',"prev":"{known}","seq":{count},"v":{version},'.encode(), middle):
                until = end - at - PREFIX - TIME
                kind = kinds.get(body[body.rfind(KIND, 0, middle) : middle])
                visit = visits.get(body[body.rfind(VISIT, until - LONGEST_VISIT, until) : until])
                if visit is None and visit_of(body) == b"":
                    visit = 0
            if kind is not None and visit is not None and body.startswith(own) and self._gap is None:
                put(at + PREFIX, end - at - PREFIX, kind, visit)
                known = sha256(body).hexdigest()
                count += 1
            else:
                self.hash = known
                self._examine(body, name, at)
                known, count, own = self.hash, self.seq + 1, self._own
            at = good = end + 1
        self.hash = known
        here.size = good
        if good:
            self.hlc = hlc_of(data[data.rfind(b"\n", 0, good - 1) + 1 + PREFIX : good - 1])
        self.rest = data[good:]

    def _pass_over(self, name: str, at: int, *, stray: bool = False) -> None:
        """What stands at `at` is no line, or not the next one."""
        self._gap = self._gap or (name, at, True)
        self._gap = (*self._gap[:2], self._gap[2] and stray)

    def _examine(self, body: bytes, name: str, at: int) -> None:
        """Take in an entry by what it says; one that does not follow is passed over and remembered."""
        chain_link = link(body)
        if chain_link is None or not self._follows(chain_link, name, at):
            self._pass_over(name, at, stray=True)
            if chain_link is not None:
                self.strays.append(EntryPlace(len(self.index.segments) - 1, at + PREFIX, len(body)))
                if chain_link.dev != self.device:
                    self.others[chain_link.dev] += 1
            return
        self.hash = sha256(body).hexdigest()
        if chain_link.v > entry.FORMAT and self.newer is None:
            self.newer = chain_link.seq, chain_link.v
        if chain_link.kind == REPAIR:
            self.repairs.append(chain_link.seq)
        kind, visit = self.index.add(chain_link, at + PREFIX, len(body))
        middle, until = body.find(PREV), len(body) - TIME
        own = b'{"dev":"%b",' % chain_link.dev.encode()
        if chain_link.kind != REPAIR and chain_link.v == entry.FORMAT and body.startswith(own):
            self._own = own
            self._kinds[body[body.rfind(KIND, 0, middle) : middle]] = kind
            about = body[body.rfind(VISIT, until - LONGEST_VISIT, until) : until]
            if about.endswith(WALL):
                self._visits[about] = visit

    def _follows(self, chain_link: ChainLink, name: str, at: int) -> bool:
        """Whether the entry comes behind the last one; what lies between the two is then lost."""
        self.device = self.device or chain_link.dev
        expected = self.seq + 1
        fits = chain_link.prev == self.hash
        if chain_link.dev != self.device or not 0 <= chain_link.seq - expected <= WIDEST_HOLE:
            return False
        if chain_link.seq == expected == 1 and not fits:
            return False
        if chain_link.seq == expected and fits and self._gap is None:
            return True
        where = self._gap or (name, at, True)
        self._gap = None
        first = expected
        if chain_link.seq == expected and not fits:
            # the entry before is whole, but is not the one this one was written after
            first = expected - 1
            if self.index.place(first).length:
                self.strays.append(self.index.place(first))
            self.index.forget(first)
        self.index.lose(chain_link.seq - expected)
        self.holes.append(LostEntries(first, chain_link.seq - 1, chain_link.prev, *where))
        return True


def unaccepted(holes: list[LostEntries], acceptances: list[entry.Entry]) -> list[LostEntries]:
    """Those holes that nobody has accepted yet."""
    known = {tuple(key) for accepted in acceptances for key in accepted.value["holes"]}
    return [hole for hole in holes if hole.key not in known and not _accepted_in_parts(hole, known)]


def _accepted_in_parts(hole: LostEntries, known: set[tuple[int, int, str]]) -> bool:
    """Whether repairs one after the other accepted what is one hole by now."""
    last = hole.last
    for part in sorted(known, key=lambda key: (-key[1], key[0])):
        if part[1] == last >= part[0] >= hole.first and (last < hole.last or part[2] == hole.prev):
            last = part[0] - 1
    return last < hole.first <= hole.last

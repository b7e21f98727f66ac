"""Reading segments from the first byte to the last: which lines are good, and what is wrong with the others.

It only looks. What follows from it (cutting a torn tail, refusing to write) is the log's to decide.
"""

from __future__ import annotations

from binascii import crc32
from hashlib import sha256

import msgspec

from fieldkit.journal import entry
from fieldkit.journal.index import Index, Segment
from fieldkit.journal.line import KIND, PREFIX, PREV, VISIT, WALL, Link, hlc_of, link, next_line, visit_of
from fieldkit.text import M, Message

REPAIR = "repair"
"""The kind of entry by which a person accepted that entries are lost."""

TIME = len('2026-11-24T08:00:00.000+07:00"}')
LONGEST_VISIT = 120
"""What stands behind the visit at the end of nearly every entry, and how far before that it is sought."""
WIDEST_HOLE = 1_000_000


class Hole(msgspec.Struct, frozen=True):
    """Entries that are lost, `first` to `last` (none if last < first: only foreign bytes lie there).

    prev: the hash by which the next entry names the last of them. segment, offset: where it was seen.
    """

    first: int
    last: int
    prev: str
    segment: str
    offset: int

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
        return M("Foreign bytes stand in the journal ({file}, byte {at}).", file=self.segment, at=self.offset)

    def accepted(self) -> Message:
        """The same after a person accepted it, said ever after."""
        if self.last < self.first:
            return M("Foreign bytes before entry {seq} are passed over; that was accepted.", seq=self.first)
        if self.last == self.first:
            return M("Entry {seq} is lost; that was accepted.", seq=self.first)
        return M("Entries {first} to {last} are lost; that was accepted.", first=self.first, last=self.last)


class Damage(msgspec.Struct, frozen=True):
    """Where the log stops being readable, and why; nothing after it is believed."""

    segment: str
    offset: int
    message: Message


class Scan:
    """What was read so far: feed it every segment's bytes, in order.

    seq, hash, hlc: of the last good entry. newer: the first entry of a later format, and that format.
    holes, damage: what is wrong. repairs: numbers of acceptances. rest: what follows the last good line.
    """

    def __init__(self, index: Index | None = None, device: str = "", hash: str = entry.GENESIS) -> None:
        self.index = index or Index()
        self.device = device
        self.hash = hash
        self.hlc = ""
        self.newer: tuple[int, int] | None = None
        self.holes: list[Hole] = []
        self.damage: Damage | None = None
        self.repairs: list[int] = []
        self.rest = b""
        self._gap: tuple[str, int] | None = None
        self._own = b"\n"
        self._kinds: dict[bytes, int] = {}
        self._visits: dict[bytes, int] = {}

    @property
    def seq(self) -> int:
        return len(self.index)

    @property
    def pending(self) -> tuple[str, int] | None:
        """Where bytes that are no line stand before a segment without any entry; None if nowhere."""
        return self._gap

    def segment(self, name: str, data: bytes) -> None:
        """Take in the next segment."""
        if self.rest.strip(b"\0"):
            last = self.index.segments[-1]
            self._gap = self._gap or (last.name, last.size)
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
                self._gap = self._gap or (name, at)
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
            else:
                self.hash = known
                self._examine(body, name, at)
                if self.damage is not None:
                    break
                count, own = self.seq, self._own
            known = sha256(body).hexdigest()
            count += 1
            at = good = end + 1
        self.hash = known
        here.size = good
        if good:
            self.hlc = hlc_of(data[data.rfind(b"\n", 0, good - 1) + 1 + PREFIX : good - 1])
        self.rest = data[good:]

    def _examine(self, body: bytes, name: str, at: int) -> None:
        """Take in an entry by what it says, or say why not."""
        found = link(body)
        if found is None:
            self.damage = Damage(name, at, M("An entry of the journal cannot be read."))
            return
        if self._gap or found.prev != self.hash or found.seq != self.seq + 1:
            self._misfit(found, name, at)
            if self.damage is not None:
                return
        if found.dev != self.device:
            if self.device:
                self.damage = Damage(name, at, M("The journal holds an entry of another device."))
                return
            self.device = found.dev
        if found.v > entry.FORMAT and self.newer is None:
            self.newer = found.seq, found.v
        if found.kind == REPAIR:
            self.repairs.append(found.seq)
        kind, visit = self.index.add(found, at + PREFIX, len(body))
        middle, until = body.find(PREV), len(body) - TIME
        own = b'{"dev":"%b",' % found.dev.encode()
        if found.kind != REPAIR and found.v == entry.FORMAT and body.startswith(own):
            self._own = own
            self._kinds[body[body.rfind(KIND, 0, middle) : middle]] = kind
            about = body[body.rfind(VISIT, until - LONGEST_VISIT, until) : until]
            if visit and about.startswith(VISIT) and about.endswith(WALL):
                self._visits[about] = visit

    def _misfit(self, found: Link, name: str, at: int) -> None:
        """The entry does not follow the one before it: what lies between is lost, or it is foreign."""
        where = self._gap or (name, at)
        expected = self.seq + 1
        self._gap = None
        if found.seq == expected and found.prev != self.hash and expected > 1:
            # the entry before is whole, but is not the one this one was written after
            self.index.forget(expected - 1)
            self.holes.append(Hole(expected - 1, expected - 1, found.prev, *where))
        elif found.prev == self.hash if found.seq == expected else 0 < found.seq - expected <= WIDEST_HOLE:
            self.index.lose(found.seq - expected)
            self.holes.append(Hole(expected, found.seq - 1, found.prev, *where))
        else:
            self.damage = Damage(name, at, M("Entry {seq} does not follow the one before it.", seq=found.seq))


def unaccepted(holes: list[Hole], acceptances: list[entry.Entry]) -> list[Hole]:
    """Those holes that nobody has accepted yet."""
    known = {(first, last, prev) for accepted in acceptances for first, last, prev in accepted.value["holes"]}
    return [hole for hole in holes if hole.key not in known]

"""The log: segments of chained lines in one folder, read with recovery, synced before it answers.

A tail is cut only if no line after the bad one verifies, and what is cut is kept. Anything else is
damage: the log is then read-only, with all that is good in it, and changes nothing.
"""

from __future__ import annotations

import contextlib
import errno
import threading
from binascii import crc32
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import msgspec

from fieldkit.errors import NO_SPACE
from fieldkit.journal import entry
from fieldkit.journal.checkpoint import Checkpoint
from fieldkit.journal.damage import Damage, Kind
from fieldkit.journal.entry import REPAIR, Head
from fieldkit.journal.errors import StoreDamaged, StoreFull, StoreReadOnly, StoreUnavailable, WriteFailed
from fieldkit.journal.files import FileSystem, write_whole
from fieldkit.journal.index import EntryPlace, Index, Segment
from fieldkit.journal.line import PREFIX, ChainLink, hlc_of, line, link
from fieldkit.journal.scan import LostEntries, Scan, unaccepted
from fieldkit.text import M, Message

SEGMENT_SIZE = 8 * 1024 * 1024

FIRST_PADDING = 64 * 1024
MOST_PADDING = 1024 * 1024
"""A save into bytes that are there already is twice as fast as one that makes the file longer."""

DESCRIPTORS = 64
BLOCK = 4096
"""What is given up of a segment at once where the disk has a bad spot."""


class Log:
    """The segments in one folder.

    device: whose log it is; empty in a new one until the first entry. seq, hash, hlc: its head.
    read_only: why nothing may be written, if so. scan: what was wrong when it was read.
    trimmed: bytes cut from a torn tail and kept aside. readable: the last entry this release understands.
    unplaced: whole lines that are no entries of this journal. disk_fault: it has a bad spot in a segment.
    """

    def __init__(
        self,
        folder: Path,
        files: FileSystem,
        *,
        writable: bool,
        device: str = "",
        mark: Head | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self._folder = folder
        self._files = files
        self._reading: dict[int, int] = {}
        self._guard = threading.Lock()
        self._writing = -1
        self._size = 0
        self._allocated = 0
        self._padding = FIRST_PADDING
        self.trimmed = 0
        self.read_only: Message | None = None
        self.disk_fault: Message | None = None
        self._unbelieved: list[Damage] = []
        self.scan = self._read(checkpoint, device, mark)
        self.device = self.scan.device
        self.seq = self.scan.seq
        self.hash = self.scan.hash
        self.hlc = self.scan.hlc
        self.index = self.scan.index
        self.unplaced: list[EntryPlace] = []
        if self.scan.strays:
            self._restore(self.scan)
        self.readable = self.scan.newer[0] - 1 if self.scan.newer else self.seq
        self.lost_tail: LostEntries | None = None
        self.open_holes: list[LostEntries] = []
        self.read_only = self.disk_fault
        self._judge(mark)
        if self.device and self.device != (device or self.device):
            self.read_only = M("The journal was written with another device key; it can only be read.")
            self._unbelieved.append(Damage("key", self.read_only))
        if writable and self.read_only is None:
            self._settle(clean=mark == self.head())

    def head(self) -> Head:
        """The last entry."""
        return Head(self.device, self.seq, self.hash)

    # --- reading

    def body(self, seq: int) -> bytes:
        """The stored JSON of the entry `seq` (from 1), its checksum checked.

        :raises StoreDamaged: the entry is lost, or its bytes changed since the store was opened.
        """
        place = self.index.place(seq)
        body = self._at(place) if place.length else None
        if body is not None:
            return body
        raise _damaged(seq, self.index.segments[place.segment].name, place.start)

    def part(self, seq: int, start: int, length: int, checksum: int) -> bytes:
        """A part of the JSON of the entry `seq`, checked by a checksum of its own."""
        place = self.index.place(seq)
        held = self._bytes(place.segment, place.start + start, length)
        if crc32(held) != checksum:
            raise _damaged(seq, self.index.segments[place.segment].name, place.start)
        return held

    def _bytes(self, segment: int, offset: int, size: int) -> bytes:
        # read, not mapped: a map of a file on a stick that is pulled ends the process without a word
        try:
            with self._guard:
                return self._files.read_at(self._descriptor(segment), offset, size)
        except OSError as error:
            raise StoreUnavailable(
                M("The journal cannot be read: {reason}.", reason=error.strerror or ""),
                unchanged=M("Nothing was changed."),
                hint=M("Check the disk or the stick that holds it, then open fieldkit again."),
            ) from error

    def _descriptor(self, segment: int) -> int:
        descriptor = self._reading.get(segment)
        if descriptor is None:
            while len(self._reading) >= DESCRIPTORS:
                self._files.close(self._reading.pop(next(iter(self._reading))))
            path = self._folder / self.index.segments[segment].name
            descriptor = self._reading[segment] = self._files.open(path)
        return descriptor

    def _read(self, checkpoint: Checkpoint | None, device: str, mark: Head | None) -> Scan:
        """Scan the segments: all of them, or what follows a checkpoint that still holds."""
        names = [name for name in self._files.names(self._folder) if is_segment(name)]
        noted = mark.device if mark is not None else ""
        scan = self._resume(checkpoint, names) if checkpoint is not None else None
        if scan is None:
            scan = Scan(device=device or noted)
        self.resumed = scan.seq
        self._feed(scan, names)
        own = scan.index.readable
        ours = noted and device in ("", noted)  # the note names it and no key another, whatever is left of it
        if scan.others and not ours and not (own and device):
            foreign, count = scan.others.most_common(1)[0]
            if count > own:
                scan = Scan(device=foreign)  # the journal is another device's; it can be read
                self._feed(scan, names)
        return scan

    def _feed(self, scan: Scan, names: list[str]) -> None:
        for name, data in self._read_ahead(names[len(scan.index.segments) :]):
            scan.segment(name, data)

    def _restore(self, scan: Scan) -> None:
        """Take whole lines that stand out of their order for the entries they are.

        Of several for one number the chain says which: the next entry names it, or it names the one before.
        """
        lines: dict[int, dict[str, tuple[EntryPlace, ChainLink]]] = {}
        for place in scan.strays:
            body = self._at(place) or b""
            chain_link = link(body)
            if chain_link is None or chain_link.dev != self.device or not 0 < chain_link.seq <= self.seq:
                self.unplaced.append(place)
            elif self.hash_of(chain_link.seq) != entry.digest(body):
                lines.setdefault(chain_link.seq, {})[entry.digest(body)] = place, chain_link
        settled = False
        while not settled:
            settled = True
            for seq in (*sorted(lines, reverse=True), *sorted(lines)):  # each way one names the next
                hash = self._choice(seq, lines[seq])
                if hash:
                    self._take_in(*lines[seq].pop(hash))
                    settled = False
        self.unplaced += [place for named in lines.values() for place, _ in named.values()]
        scan.holes = [left for hole in scan.holes for left in self._left(hole)]
        if self.seq:
            with contextlib.suppress(StoreDamaged):
                self.hlc = hlc_of(self.body(self.seq))

    def _take_in(self, place: EntryPlace, chain_link: ChainLink) -> None:
        self.index.restore(chain_link, place)
        if chain_link.kind == REPAIR:
            self.scan.repairs.append(chain_link.seq)
        if chain_link.v > entry.FORMAT:
            self.scan.newer = min(
                self.scan.newer or (chain_link.seq, chain_link.v), (chain_link.seq, chain_link.v)
            )

    def _choice(self, seq: int, lines: dict[str, tuple[EntryPlace, ChainLink]]) -> str:
        """The hash of that line which is the lost entry `seq`, if the chain or nothing else says so."""
        if not lines or self.index.place(seq).length:
            return ""
        after = self._named_by(seq + 1)
        if after:
            return after if after in lines else ""
        before = self.hash_of(seq - 1) if seq > 1 else entry.GENESIS
        fitting = [hash for hash, (_, chain_link) in lines.items() if not before or chain_link.prev == before]
        return fitting[0] if len(fitting) == 1 else ""

    def _named_by(self, seq: int) -> str:
        """The hash by which the entry `seq` names the one before; empty if it is lost."""
        if seq > self.seq or not self.index.place(seq).length:
            return ""
        chain_link = link(self.body(seq))
        assert chain_link is not None  # it was taken in for what it says
        return chain_link.prev

    def _left(self, hole: LostEntries) -> Iterator[LostEntries]:
        """What is left of a hole now that some of its entries were found elsewhere."""
        lost = [seq for seq in range(hole.first, hole.last + 1) if not self.index.place(seq).length]
        if len(lost) == hole.last - hole.first + 1:
            yield hole
            return
        if not lost:
            following = self._named_by(hole.last + 1) or hole.prev
            yield msgspec.structs.replace(hole, first=hole.last + 1, prev=following, strays=True)
        for _, run in groupby(enumerate(lost), key=lambda pair: pair[1] - pair[0]):
            numbers = [seq for _, seq in run]
            prev = self._named_by(numbers[-1] + 1) or hole.prev
            yield msgspec.structs.replace(hole, first=numbers[0], last=numbers[-1], prev=prev)

    def _at(self, place: EntryPlace) -> bytes | None:
        """The stored JSON at a place; None if its bytes changed since."""
        held = self._bytes(place.segment, place.start - PREFIX, place.length + PREFIX)
        body = held[PREFIX:]
        return body if len(body) == place.length and held[:PREFIX] == b"%08x " % crc32(body) else None

    def strays(self) -> Iterator[bytes]:
        """The JSON of whole lines that are no entries of this journal."""
        for place in self.unplaced:
            body = self._at(place)
            if body is not None:
                yield body

    def _read_ahead(self, names: list[str]) -> Iterator[tuple[str, bytes]]:
        """Segments whole, each read while the one before is looked at."""
        if len(names) < 2:
            yield from ((name, self._read_segment(name)) for name in names)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self._read_segment, names[0])
            for name, following in zip(names, [*names[1:], None], strict=True):
                data = coming.result()
                if following is not None:
                    coming = reader.submit(self._read_segment, following)
                yield name, data

    def _read_segment(self, name: str) -> bytes:
        """A segment; where the disk has bad spots, with zeros in their places.

        :raises OSError: nothing of it is given.
        """
        path = self._folder / name
        try:
            return self._files.read_file(path)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            readable_block = False
            blocks = []
            descriptor = self._files.open(path)
            try:
                size = self._files.status(path).size
                for offset in range(0, size, BLOCK):
                    try:
                        blocks.append(self._files.read_at(descriptor, offset, min(BLOCK, size - offset)))
                        readable_block = True
                    except OSError:
                        blocks.append(bytes(min(BLOCK, size - offset)))
            finally:
                self._files.close(descriptor)
            if not readable_block:
                raise
            self.disk_fault = M("The disk does not give all of {file}.", file=name)
            self._unbelieved.append(Damage("disk", self.disk_fault))
            return b"".join(blocks)

    def _resume(self, checkpoint: Checkpoint, names: list[str]) -> Scan | None:
        """A scan that goes on where the checkpoint ends, if all before it is as it was.

        Only the last segment may have changed since: it is then read again.
        """
        segments = checkpoint.columns.segments
        if not segments or [segment.name for segment in segments] != names[: len(segments)]:
            return None
        changed = [segment for segment in segments if not self._as_it_was(segment)]
        if changed not in ([], segments[-1:]):
            return None
        index = Index.of(checkpoint.columns)
        scan = Scan(index, checkpoint.device, checkpoint.hash)
        scan.hlc = checkpoint.hlc
        for segment in changed:
            scan.hash = segment.prev
            index.cut(segment)
        return scan

    def _as_it_was(self, segment: Segment) -> bool:
        status = self._files.status(self._folder / segment.name)
        return (status.size, status.changed) == (segment.size, segment.changed)

    def _judge(self, mark: Head | None) -> None:
        """What the scan found, and what was known before it, say about writing."""
        scan = self.scan
        if scan.newer is not None:
            self.read_only = _newer(scan.newer[1])
        else:
            self._judge_mark(mark)
            accepted = [entry.decode(self.body(seq)) for seq in scan.repairs] if scan.holes else []
            self.open_holes += unaccepted(scan.holes, accepted)
            if scan.pending is not None:
                self.open_holes.append(scan.pending)
            if self.open_holes and self.read_only is None:
                self.read_only = self.open_holes[0].message()

    def _judge_mark(self, mark: Head | None) -> None:
        if mark is None or not mark.seq:
            return
        if mark.seq > self.seq:
            last = self.index.segments[-1] if self.index.segments else Segment("journal-000001.fkj", 1)
            hole = LostEntries(self.seq + 1, mark.seq, mark.hash, last.name, last.size)
            self.lost_tail = hole
            self.open_holes.append(hole)
        elif self.hash_of(mark.seq) not in (mark.hash, ""):
            self.read_only = M("The journal is not the one that was here when the store was last closed.")
            self._unbelieved.append(Damage("head", self.read_only))

    def hash_of(self, seq: int) -> str:
        """The hash of the entry `seq`; empty if the entry is lost."""
        if seq == self.seq:
            return self.hash
        return entry.digest(self.body(seq)) if self.index.place(seq).length else ""

    def holds(self, head: Head) -> bool:
        """Whether the journal has the entry that `head` names."""
        if head.device != self.device or not 0 < head.seq <= self.seq:
            return head.seq == 0
        return self.hash_of(head.seq) == head.hash

    @property
    def accepted_holes(self) -> list[LostEntries]:
        """What is lost and was accepted; in a newer format's journal nobody here can tell."""
        if self.scan.newer is not None:
            return []
        return [hole for hole in self.scan.holes if hole not in self.open_holes]

    def damage(self) -> Iterator[Damage]:
        """What was found to be wrong, accepted losses included."""
        scan = self.scan
        if scan.newer is not None:
            yield Damage("format", _newer(scan.newer[1]), scan.newer[0], self.seq)
        for hole in dict.fromkeys((*scan.holes, *self.open_holes)):
            kind: Kind = "entries" if hole.last >= hole.first else "order"
            if hole in self.accepted_holes:
                yield Damage(kind, hole.accepted(), hole.first, hole.last, accepted=True)
            else:
                yield Damage(kind, hole.message(), hole.first, hole.last)
        yield from self._unbelieved

    # --- recovery

    def _settle(self, *, clean: bool) -> None:
        """Make what was read durable, and cut what is no line off its end.

        After a crash, or a failed fsync, the system may show bytes that are not on the disk and that no
        later fsync writes. So the last segment is written again before anything is built on it; in its
        place it cannot be, since a power cut then would take what was safe. Where there is no room for a
        copy the store stays as it is: the error says so to whoever opens it.

        :raises OSError: the copy could not be made.
        """
        if not self.index.segments:
            return
        last = self.index.segments[-1]
        self._size = self._allocated = last.size
        torn = self.scan.rest.rstrip(b"\0")
        if clean and not torn:
            return
        path = self._folder / last.name
        self._let_go()  # the file that is written to and read is about to be replaced
        self._let_go_of_readers()
        if torn:
            self.keep_torn(torn, last)
        good = self._files.read_file(path)[: last.size]
        write_whole(self._files, path, [good])
        self.scan.rest = b""

    def keep_torn(self, torn: bytes, last: Segment) -> None:
        """Keep bytes that are about to be cut."""
        names = self._files.names(self._folder)
        name = f"{last.name}.{last.size}.torn"
        count = 2
        while name in names:
            name, count = f"{last.name}.{last.size}-{count}.torn", count + 1
        write_whole(self._files, self._folder / name, [torn])
        self.trimmed = len(torn)

    @contextlib.contextmanager
    def passing_over(self) -> Iterator[list[LostEntries]]:
        """Let the log go on behind what is lost: the holes that one entry, appended within, has to accept.

        Without that entry they are open again, and the log is read-only.

        :raises OSError: the end could not be made durable; nothing was changed.
        """
        self._settle(clean=False)
        holes, reason = self.open_holes, self.read_only
        if self.lost_tail is not None:
            self.index.lose(self.lost_tail.last - self.seq)
            self.seq, self.hash = self.lost_tail.last, self.lost_tail.prev
            self.lost_tail = None
        self.readable = self.seq
        self.open_holes, self.read_only = [], None
        try:
            yield holes
        except BaseException:
            self.open_holes, self.read_only = holes, self.read_only or reason
            raise

    def lose(self, seq: int) -> None:
        """An entry cannot be read any more: its bytes changed since the checkpoint, or since the opening."""
        place = self.index.place(seq)
        if not place.length:
            return
        self.index.forget(seq)
        prev = self.hash if seq == self.seq else ""
        with contextlib.suppress(StoreDamaged):
            prev = prev or self._named_by(seq + 1)
        name = self.index.segments[place.segment].name
        self.open_holes.append(LostEntries(seq, seq, prev, name, place.start - PREFIX))
        self.read_only = self.read_only or self.open_holes[0].message()

    # --- writing

    def append(self, body: bytes, link: ChainLink) -> None:
        """Add one entry; durable when it returns. The caller made it to follow the head.

        :raises StoreReadOnly: nothing may be written. :raises StoreFull: there is no space; nothing changed.
        :raises WriteFailed: the disk failed; the log is read-only from now on.
        """
        if self.read_only is not None:
            raise StoreReadOnly(self.read_only, unchanged=M("Nothing was saved."))
        stored = line(body)
        if self._writing < 0 or (self._size and self._size + len(stored) > SEGMENT_SIZE):
            self._open_segment(len(stored))
        try:
            self._write(stored)
        except OSError as error:
            raise self._take_back(error) from error
        try:
            self._files.sync(self._writing)
        except OSError as error:
            raise self._stop(error) from error
        self.index.add(link, self._size + PREFIX, len(body))
        self._size += len(stored)
        self.index.segments[-1].size = self._size
        self.seq += 1
        self.readable = self.seq
        self.hash = entry.digest(body)
        self.hlc = link.hlc
        self.device = link.dev

    def _write(self, stored: bytes) -> None:
        """Put a line behind the last one, making room ahead for those to come."""
        end = self._size + len(stored)
        if end <= self._allocated:
            self._files.write_at(self._writing, self._size, stored)
            return
        padding = max(0, min(self._padding, SEGMENT_SIZE - end))
        self._padding = min(2 * self._padding, MOST_PADDING)
        try:
            self._files.write_at(self._writing, self._size, stored + bytes(padding))
            self._allocated = end + padding
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            self._files.truncate(self._writing, self._size)
            self._files.write_at(self._writing, self._size, stored)
            self._allocated = end

    def _open_segment(self, needed: int) -> None:
        """Open the last segment for writing, or the next one where it is full."""
        segments = self.index.segments
        try:
            if self._writing < 0 and segments and (not self._size or self._size + needed <= SEGMENT_SIZE):
                name = segments[-1].name
            else:
                name = f"journal-{_number(segments[-1].name) + 1 if segments else 1:06d}.fkj"
            writing = self._files.open(self._folder / name, write=True)
        except OSError as error:
            raise (_full(error) if error.errno in NO_SPACE else self._stop(error)) from error
        try:
            self._files.sync_folder(self._folder)  # also for one that an ended process made and did not
        except OSError as error:
            with contextlib.suppress(OSError):
                self._files.close(writing)
            raise self._stop(error) from error
        self._let_go()
        self._writing = writing
        if segments and segments[-1].name == name:
            return
        segments.append(Segment(name, self.seq + 1, self.hash))
        self._size = self._allocated = 0

    def _take_back(self, error: OSError) -> StoreFull | WriteFailed:
        """Cut a half-written line off again, and say why it was not written."""
        try:
            self._files.truncate(self._writing, self._size)
            self._allocated = self._size
            self._files.sync(self._writing)
        except OSError:
            return self._stop(error)
        return _full(error) if error.errno in NO_SPACE else self._stop(error)

    def _stop(self, error: OSError) -> WriteFailed:
        """After a failed write or fsync nothing is known of the disk's state: write no more."""
        self.read_only = M(
            "The disk failed while an answer was being saved. Close fieldkit and open it again."
        )
        message = M("The answer could not be saved: the disk failed.")
        hint = M("Close fieldkit and open it again; if it stays so, copy the folder to another disk.")
        if error.errno in NO_SPACE:
            message = M("The answer could not be saved: the disk is full.")
            hint = M("Free some space, then close fieldkit and open it again.")
        return WriteFailed(
            message,
            unchanged=M("What was saved before is still there."),
            hint=hint,
            detail=f"{errno.errorcode.get(error.errno or 0, str(error.errno))}: {error.strerror}",
        )

    def _let_go(self) -> None:
        """Close the segment that is written to, without the room that was made ahead."""
        if self._writing < 0:
            return
        if self._allocated > self._size and self.read_only is None:
            with contextlib.suppress(OSError):  # zeros at the end harm nothing
                self._files.truncate(self._writing, self._size)
        with contextlib.suppress(OSError):
            self._files.close(self._writing)
        self._writing = -1

    def close(self) -> None:
        """Let go of the files; nothing is left to be written."""
        self._let_go()
        self._let_go_of_readers()
        self.read_only = self.read_only or M("The store is closed.")

    def _let_go_of_readers(self) -> None:
        with self._guard:
            for descriptor in self._reading.values():
                with contextlib.suppress(OSError):
                    self._files.close(descriptor)
            self._reading.clear()

    def stamped(self) -> list[Segment]:
        """The segments with what the disk says of them now; for a checkpoint, after `close`."""
        return [
            msgspec.structs.replace(segment, changed=self._files.status(self._folder / segment.name).changed)
            for segment in self.index.segments
        ]


def is_segment(name: str) -> bool:
    """Whether a file's name is a segment's."""
    number = name[8:-4]
    return name.startswith("journal-") and name.endswith(".fkj") and number.isascii() and number.isdigit()


def _number(name: str) -> int:
    return int(name[8:-4])


def _newer(format: int) -> Message:
    return M(
        "A newer fieldkit wrote in this store: format {format} is needed, this one knows {known}.",
        format=format,
        known=entry.FORMAT,
    )


def _damaged(seq: int, name: str, at: int) -> StoreDamaged:
    return StoreDamaged(
        M("Entry {seq} of the journal is damaged ({file}, byte {at}).", seq=seq, file=name, at=at),
        unchanged=M("It is left as it is."),
        hint=M("`fieldkit store verify` says what is damaged; `fieldkit store repair` goes on without it."),
        place=f"{name}:{at}",
    )


def _full(error: OSError) -> StoreFull:
    return StoreFull(
        M("The answer could not be saved: the disk is full."),
        unchanged=M("What was saved before is still there."),
        hint=M("Free some space, then answer again. Finishing and exporting still work."),
        detail=errno.errorcode.get(error.errno or 0, ""),
    )

"""The log: segments of chained lines, read with recovery of a torn tail, appended to and synced before it answers.

Recovery cuts a tail only if no line after the bad one verifies, and keeps what it cut. Anything else
is damage: the log then opens read-only with what is good before it, and changes nothing.
"""

from __future__ import annotations

import errno
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from fieldkit.journal import entry
from fieldkit.journal.errors import StoreFull, StoreReadOnly, WriteFailed
from fieldkit.journal.files import FileSystem
from fieldkit.text import M, Message

SEGMENT_SIZE = 8 * 1024 * 1024
NEWEST_FORMAT = entry.FORMAT
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class Damage(msgspec.Struct, frozen=True):
    """Where the log stops being readable, and why."""

    segment: str
    offset: int
    message: Message


class Log:
    """The segments in one folder.

    device: whose log it is; empty in a new one until the first entry. seq, hash: its head.
    read_only: why nothing may be written, if so. damage: what was found. trimmed: bytes cut from a tail.
    """

    def __init__(self, folder: Path, files: FileSystem, *, writable: bool) -> None:
        self._folder = folder
        self._files = files
        self._segments: list[str] = []
        self._views: list[memoryview] = []
        self._segment_of = array("I")
        self._starts = array("Q")
        self._lengths = array("I")
        self._fresh: dict[int, bytes] = {}
        self._descriptor = -1
        self._size = 0
        self.device = ""
        self.seq = 0
        self.hash = entry.GENESIS
        self.trimmed = 0
        self.damage: Damage | None = None
        self.read_only: Message | None = None
        self._read(writable)

    # --- reading

    def body(self, seq: int) -> memoryview | bytes:
        """The stored JSON of the entry `seq` (from 1)."""
        fresh = self._fresh.get(seq)
        if fresh is not None:
            return fresh
        start = self._starts[seq - 1]
        return self._views[self._segment_of[seq - 1]][start : start + self._lengths[seq - 1]]

    def bodies(self, first: int = 1, last: int | None = None) -> Iterator[memoryview | bytes]:
        """The stored JSON of the entries from `first` to `last`, both included."""
        for seq in range(first, (self.seq if last is None else last) + 1):
            yield self.body(seq)

    def _read(self, writable: bool) -> None:
        names = [name for name in self._files.names(self._folder) if is_segment(name)]
        for number, name in enumerate(names):
            good = self._scan(name, number)
            view = self._views[number]
            if good < len(view) and self.damage is None:
                self._settle_tail(name, good, last=number == len(names) - 1, writable=writable)
            if self.damage is not None:
                self.read_only = self.damage.message
                return

    def _scan(self, name: str, number: int) -> int:
        """Take in every good line of a segment; how far they reach."""
        self._segments.append(name)
        view = self._files.view(self._folder / name)
        self._views.append(view)
        find = _finder(view)
        at = 0
        while True:
            end = find(at)
            if end < 0:
                break
            body = entry.body_of(view[at:end])
            if body is None:
                break
            problem = self._take(body, number, at + 9)
            if problem is not None:
                self.damage = Damage(name, at, problem)
                break
            at = end + 1
        self._size = at
        return at

    def _take(self, body: memoryview, segment: int, start: int) -> Message | None:
        """Take one entry in; or why it does not belong here."""
        try:
            link = entry.link(body)
        except msgspec.DecodeError:
            return M("An entry of the journal cannot be read.")
        if link.v > NEWEST_FORMAT:
            return M("The store was written by a newer fieldkit (format {format}).", format=link.v)
        if link.seq != self.seq + 1 or link.prev != self.hash or link.dev != (self.device or link.dev):
            return M("Entry {seq} does not follow the one before it.", seq=self.seq + 1)
        self.device = link.dev
        self.seq = link.seq
        self.hash = entry.digest(body)
        self._segment_of.append(segment)
        self._starts.append(start)
        self._lengths.append(len(body))
        return None

    def _settle_tail(self, name: str, good: int, *, last: bool, writable: bool) -> None:
        """What follows the good lines is a torn write, and is cut and kept; or it is damage."""
        view = self._views[-1]
        if not last or _any_line_verifies(view, good):
            self.damage = Damage(
                name,
                good,
                M("Bytes of the journal changed on the disk ({file}, byte {at}).", file=name, at=good),
            )
            return
        if not writable:
            return
        rest = bytes(view[good:])
        kept = self._folder / f"{name}.{good}.torn"
        self._files.create(kept, rest)
        self._files.sync_folder(self._folder)
        view.release()
        self._views[-1] = memoryview(b"")
        descriptor = self._files.open(self._folder / name)
        try:
            self._files.truncate(descriptor, good)
            self._files.sync(descriptor)
        finally:
            self._files.close(descriptor)
        self._views[-1] = self._files.view(self._folder / name)
        self.trimmed = len(rest)

    # --- writing

    def append(self, body: bytes) -> None:
        """Add one entry; durable when it returns. The caller made it to follow the head.

        :raises StoreReadOnly: nothing may be written. :raises StoreFull: there is no space; nothing changed.
        :raises WriteFailed: the disk failed; the log is read-only from now on.
        """
        if self.read_only is not None:
            raise StoreReadOnly(self.read_only, unchanged=M("Nothing was saved."))
        line = entry.line(body)
        if self._descriptor < 0 or self._size + len(line) > SEGMENT_SIZE:
            self._next_segment(len(line))
        try:
            self._files.append(self._descriptor, line)
        except OSError as error:
            self._take_back(error)
        try:
            self._files.sync(self._descriptor)
        except OSError as error:
            if error.errno in NO_SPACE:
                self._take_back(error)
            raise self._stop(error) from error
        self._fresh[self.seq + 1] = body
        self._segment_of.append(len(self._segments) - 1)
        self._starts.append(self._size + 9)
        self._lengths.append(len(body))
        self.seq += 1
        self.hash = entry.digest(body)
        self._size += len(line)

    def _next_segment(self, needed: int) -> None:
        """Open the last segment for writing, or the next one where it is full."""
        try:
            if self._descriptor < 0 and self._segments and self._size + needed <= SEGMENT_SIZE:
                self._descriptor = self._files.open(self._folder / self._segments[-1])
                return
            name = f"journal-{len(self._segments) + 1:06d}.fkj"
            descriptor = self._files.open(self._folder / name)
            self._files.sync_folder(self._folder)
        except OSError as error:
            if error.errno in NO_SPACE:
                raise _full(error) from error
            raise self._stop(error) from error
        if self._descriptor >= 0:
            self._files.close(self._descriptor)
        self._descriptor = descriptor
        self._segments.append(name)
        self._views.append(memoryview(b""))
        self._size = 0

    def _take_back(self, error: OSError) -> None:
        """Cut a half-written line off again, and say why it was not written."""
        try:
            self._files.truncate(self._descriptor, self._size)
            self._files.sync(self._descriptor)
        except OSError as second:
            raise self._stop(second) from error
        if error.errno in NO_SPACE:
            raise _full(error) from error
        raise self._stop(error) from error

    def _stop(self, error: OSError) -> WriteFailed:
        """After a failed write or fsync nothing is known of the disk's state: write no more."""
        self.read_only = M(
            "The disk failed while an answer was being saved. Close fieldkit and open it again."
        )
        return WriteFailed(
            M("The answer could not be saved: the disk failed."),
            unchanged=M("What was saved before is still there."),
            hint=M("Close fieldkit and open it again; if it stays so, copy the folder to another disk."),
            detail=f"{errno.errorcode.get(error.errno or 0, error.errno)}: {error.strerror}",
        )

    def close(self) -> None:
        """Let go of the files; nothing is left to be written."""
        if self._descriptor >= 0:
            self._files.close(self._descriptor)
            self._descriptor = -1
        self._views.clear()
        self.read_only = self.read_only or M("The store is closed.")


def is_segment(name: str) -> bool:
    """Whether a file's name is a segment's."""
    return name.startswith("journal-") and name.endswith(".fkj") and name[8:-4].isdigit()


def _finder(view: memoryview) -> Callable[[int], int]:
    """A function that finds the next line end from an offset on, or -1."""
    source: Any = view.obj  # bytes or a map of a file: both can find
    return lambda at: int(source.find(b"\n", at))


def _any_line_verifies(view: memoryview, start: int) -> bool:
    """Whether a good line stands anywhere after the bad one that begins at `start`."""
    find = _finder(view)
    at = find(start)
    while at >= 0:
        end = find(at + 1)
        if end < 0:
            return False
        if entry.body_of(view[at + 1 : end]) is not None:
            return True
        at = end
    return False


def _full(error: OSError) -> StoreFull:
    return StoreFull(
        M("The answer could not be saved: the disk is full."),
        unchanged=M("What was saved before is still there."),
        hint=M("Free some space, then answer again. Finishing and exporting still work."),
        detail=errno.errorcode.get(error.errno or 0, ""),
    )

"""A disk in memory that forgets what was not synced, and fails or loses power at any call it is told to.

What it does that a real disk may: any subset of unsynced writes survives, whole, torn, zeroed or as
garbage; renames and new names survive as a prefix of their order; a failed fsync drops what it was
to write, which processes nevertheless go on to see.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from random import Random

from fieldkit.journal.files import FileStatus


class PowerCut(BaseException):
    """The machine is off; nothing the program does from here on has any effect."""


class Node:
    """A file: as programs see it, as it is on the platter, and the writes between the two."""

    def __init__(self) -> None:
        self.seen = bytearray()
        self.stable = bytearray()
        self.pending: list[tuple[int, bytes | None]] = []  # offset and bytes; None: cut to that size
        self.changed = 0

    def apply(self, offset: int, data: bytes | None) -> None:
        _apply(self.seen, offset, data)
        self.pending.append((offset, data))

    def settle(self) -> None:
        for offset, data in self.pending:
            _apply(self.stable, offset, data)
        self.pending.clear()

    def lose_power(self, random: Random) -> None:
        for offset, data in self.pending:
            fate = random.randrange(5)
            if data is None:
                if fate < 3:
                    _apply(self.stable, offset, None)
            elif fate == 0:
                _apply(self.stable, offset, data)
            elif fate == 1:
                _apply(self.stable, offset, data[: random.randrange(len(data) + 1)])
            elif fate == 2:
                _apply(self.stable, offset, bytes(len(data)))
            elif fate == 3:
                _apply(self.stable, offset, _garbage(random, data))
        self.pending.clear()
        self.seen = bytearray(self.stable)


class CrashingDisk:
    """Implements `FileSystem`. capacity: bytes that all files together may hold, or None.

    calls: how many were made. fail_at: the number of the call that fails, and how: an errno, or None
    for a power cut. Both kinds may leave a write half done.
    """

    def __init__(self, seed: int = 0) -> None:
        self.random = Random(seed)
        self.folders: set[Path] = {Path("/")}
        self.seen: dict[Path, Node] = {}
        self.stable: dict[Path, Node] = {}
        self.renames: dict[Path, list[tuple[Path | None, Path | None, Node | None]]] = {}
        self.descriptors: dict[int, Node] = {}
        self.locks: dict[int, Node] = {}
        self.calls = 0
        self.log: list[str] = []
        self.fail_at: tuple[int, int | None] | None = None
        self.capacity: int | None = None
        self.off = False
        self._next = 3
        self._time = 0

    # --- what happens to it

    def cut(self) -> None:
        """Power fails and comes back: what was not synced is lost, in whatever way."""
        for renames in self.renames.values():
            for source, target, node in renames[: self.random.randrange(len(renames) + 1)]:
                _rename(self.stable, source, target, node)
        self.renames.clear()
        for node in {id(node): node for node in (*self.seen.values(), *self.stable.values())}.values():
            node.lose_power(self.random)
        self.seen = dict(self.stable)
        self.kill()

    def kill(self) -> None:
        """The process ends; what the system holds for it stays."""
        self.descriptors.clear()
        self.locks.clear()
        self.fail_at = None
        self.off = False

    @property
    def used(self) -> int:
        return sum(len(node.seen) for node in self.seen.values())

    # --- FileSystem

    def folder(self, path: Path) -> None:
        self._call("folder")
        self.folders |= {path, *path.parents}

    def names(self, path: Path) -> list[str]:
        self._call("names")
        if path not in self.folders:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return sorted(
            {each.name for each in (*self.seen, *self.folders) if each.parent == path and each != path}
        )

    def status(self, path: Path) -> FileStatus:
        self._call("status")
        node = self._node(path)
        return FileStatus(len(node.seen), node.changed, 0o600, 0)

    def read_file(self, path: Path) -> bytes:
        self._call("read")
        return bytes(self._node(path).seen)

    def open(self, path: Path, *, write: bool = False) -> int:
        self._call("open")
        if path not in self.seen and write:
            node = self.seen[path] = Node()
            self._renamed(path.parent, None, path, node)
        self._next += 1
        self.descriptors[self._next] = self._node(path)
        return self._next

    def read_at(self, descriptor: int, offset: int, size: int) -> bytes:
        self._call("read_at")
        return bytes(self.descriptors[descriptor].seen[offset : offset + size])

    def write_at(self, descriptor: int, offset: int, data: bytes) -> None:
        node = self.descriptors[descriptor]
        try:
            self._call("write_at")
        except BaseException:
            if not self.off or self.random.randrange(2):
                self._write(node, offset, data[: self.random.randrange(len(data) + 1)])
            raise
        if self.capacity is not None:
            room = self.capacity - self.used + max(0, len(node.seen) - offset)
            if room < len(data):
                self._write(node, offset, data[: max(0, room)])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._write(node, offset, data)

    def sync(self, descriptor: int) -> None:
        node = self.descriptors[descriptor]
        try:
            self._call("sync")
        except OSError:
            node.pending.clear()
            raise
        node.settle()

    def truncate(self, descriptor: int, size: int) -> None:
        self._call("truncate")
        self._write(self.descriptors[descriptor], size, None)

    def close(self, descriptor: int) -> None:
        self._call("close")
        self.descriptors.pop(descriptor, None)
        self.locks.pop(descriptor, None)

    def replace(self, source: Path, target: Path) -> None:
        self._call("replace")
        node = self._node(source)
        _rename(self.seen, source, target, node)
        self._renamed(target.parent, source, target, node)

    def remove(self, path: Path) -> None:
        self._call("remove")
        if path in self.seen:
            _rename(self.seen, path, None, None)
            self._renamed(path.parent, path, None, None)

    def sync_folder(self, path: Path) -> None:
        self._call("sync_folder")
        for source, target, node in self.renames.pop(path, []):
            _rename(self.stable, source, target, node)

    def protect(self, path: Path, mode: int) -> None:
        self._call("protect")

    def lock(self, descriptor: int) -> bool:
        self._call("lock")
        node = self.descriptors[descriptor]
        if any(held is node for held in self.locks.values()):
            return False
        self.locks[descriptor] = node
        return True

    # --- within

    def _call(self, name: str) -> None:
        if self.off:
            raise PowerCut
        self.calls += 1
        self.log.append(name)
        if self.fail_at is not None and self.calls >= self.fail_at[0]:
            how, self.fail_at = self.fail_at[1], None
            if how is None:
                self.off = True
                raise PowerCut
            raise OSError(how, os.strerror(how))

    def _node(self, path: Path) -> Node:
        if path not in self.seen:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return self.seen[path]

    def _write(self, node: Node, offset: int, data: bytes | None) -> None:
        node.apply(offset, data)
        self._time += 1
        node.changed = self._time

    def _renamed(self, folder: Path, source: Path | None, target: Path | None, node: Node | None) -> None:
        self.renames.setdefault(folder, []).append((source, target, node))


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


def _rename(names: dict[Path, Node], source: Path | None, target: Path | None, node: Node | None) -> None:
    if source is not None:
        names.pop(source, None)
    if target is not None and node is not None:
        names[target] = node


def _garbage(random: Random, data: bytes) -> bytes:
    """Bytes that were never written, some of them line ends."""
    noise = bytearray(random.randbytes(min(len(data), 300)))
    for _ in range(random.randrange(4)):
        if noise:
            noise[random.randrange(len(noise))] = 0x0A
    return bytes(noise) + bytes(len(data) - len(noise))

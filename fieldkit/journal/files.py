"""The one layer every byte of the store goes through, so that a test can make any of its calls fail."""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
from pathlib import Path
from typing import Protocol


class FileSystem(Protocol):
    """What the store asks of a disk. Every method raises OSError as the system does."""

    def folder(self, path: Path) -> None:
        """Make `path` and its parents, readable by its owner only."""

    def names(self, path: Path) -> list[str]:
        """The names in a folder, sorted."""

    def read(self, path: Path) -> bytes:
        """A whole file."""

    def view(self, path: Path) -> memoryview:
        """A whole file as it is now, without loading what is not looked at."""

    def create(self, path: Path, data: bytes) -> None:
        """Write a new file of mode 0600 and fsync it."""

    def open(self, path: Path) -> int:
        """Open a file for appending, made with mode 0600 where absent; a descriptor."""

    def append(self, descriptor: int, data: bytes) -> None:
        """Write all of `data` at the end."""

    def sync(self, descriptor: int) -> None:
        """fsync. A failure is final for the descriptor: it is never tried again."""

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut to `size` bytes."""

    def close(self, descriptor: int) -> None:
        """Close without syncing."""

    def replace(self, source: Path, target: Path) -> None:
        """Rename over `target`."""

    def remove(self, path: Path) -> None:
        """Remove a file."""

    def sync_folder(self, path: Path) -> None:
        """Make renames and new names in `path` durable."""


class Disk:
    """The operating system's files."""

    def folder(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)

    def names(self, path: Path) -> list[str]:
        return sorted(os.listdir(path))

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def view(self, path: Path) -> memoryview:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return memoryview(b"")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def create(self, path: Path, data: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            self.append(descriptor, data)
            self.sync(descriptor)
        finally:
            os.close(descriptor)

    def open(self, path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)

    def append(self, descriptor: int, data: bytes) -> None:
        view = memoryview(data)
        while view:  # a short write goes on with the rest; a full disk raises at the next call
            view = view[os.write(descriptor, view) :]

    def sync(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        os.replace(source, target)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def sync_folder(self, path: Path) -> None:
        if sys.platform == "win32":
            return  # Windows has no such call; NTFS journals the rename
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


OS: FileSystem = Disk()


class Lock:
    """The right to write to a store, held by one process at a time and let go when that process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def take(self) -> bool:
        """Take it; False if another process has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let it go; closing the file does."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = -1

"""The one layer every byte of the store goes through, so that a test can make any of its calls fail."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from fieldkit.access import PRIVATE_FILE, close_to_others, make_private_folder

R = TypeVar("R")

SCANNED = (0.01, 0.05, 0.2, 0.5, 1.0)
"""Seconds to wait, one after the other, for a file that a virus scanner on Windows holds."""
NO_FOLDER_SYNC = (errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.ENOTSUP)
"""What shares say that have no such call for folders."""
HELD = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
"""What systems say when another process has a file locked; anything else is that it cannot be locked."""


class FileStatus(msgspec.Struct, frozen=True):
    """What the disk says of a file: size in bytes, time of change, permission bits, owner (-1: unknown)."""

    size: int
    changed: int
    mode: int
    owner: int


class FileSystem(Protocol):
    """What the store asks of a disk. Every method raises OSError as the system does."""

    def folder(self, path: Path) -> None:
        """Make `path` and its parents, durable, open to their owner only; nothing if it is there."""

    def names(self, path: Path) -> list[str]:
        """The names in a folder, sorted."""

    def status(self, path: Path) -> FileStatus:
        """Of a file or a folder."""

    def read_file(self, path: Path) -> bytes:
        """A whole file."""

    def open(self, path: Path, *, write: bool = False) -> int:
        """A descriptor of a file; to write, the file is made (mode 0600) where there is none."""

    def read_at(self, descriptor: int, offset: int, size: int) -> bytes:
        """`size` bytes from `offset` on; fewer only at the end of the file."""

    def write_at(self, descriptor: int, offset: int, data: bytes) -> None:
        """Write all of `data` at `offset`."""

    def sync(self, descriptor: int) -> None:
        """Make the file's content durable. A failure is final: it is never tried again."""

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut to `size` bytes."""

    def close(self, descriptor: int) -> None:
        """Close, without making anything durable."""

    def replace(self, source: Path, target: Path) -> None:
        """Rename over `target`."""

    def remove(self, path: Path) -> None:
        """Remove a file; nothing if it is not there."""

    def sync_folder(self, path: Path) -> None:
        """Make the names in a folder durable."""

    def protect(self, path: Path, mode: int) -> None:
        """Leave the rights of this mode; on Windows no other account any."""

    def lock(self, descriptor: int) -> bool:
        """Take a file for this process until it is closed; False if another holds it.

        :raises OSError: files cannot be locked here.
        """


class Disk:
    """The operating system's files."""

    _BINARY = getattr(os, "O_BINARY", 0)

    def __init__(self) -> None:
        self._seeking = threading.Lock()  # where the system cannot read at an offset in one call

    def folder(self, path: Path) -> None:
        missing = [parent for parent in (path, *path.parents) if not parent.is_dir()]
        if not missing:
            return
        _whole(lambda: make_private_folder(path))
        for parent in reversed(missing):
            with contextlib.suppress(PermissionError):  # a folder that may be entered and not listed
                self.sync_folder(parent.parent)

    def names(self, path: Path) -> list[str]:
        return sorted(_whole(lambda: os.listdir(path)))

    def status(self, path: Path) -> FileStatus:
        status = path.stat()
        owner = status.st_uid if hasattr(os, "geteuid") else -1
        return FileStatus(status.st_size, status.st_mtime_ns, status.st_mode & 0o777, owner)

    def read_file(self, path: Path) -> bytes:
        return _whole(path.read_bytes)

    def open(self, path: Path, *, write: bool = False) -> int:
        flags = os.O_RDWR | os.O_CREAT if write else os.O_RDONLY
        return os.open(path, flags | self._BINARY, PRIVATE_FILE)

    def read_at(self, descriptor: int, offset: int, size: int) -> bytes:
        if sys.platform == "win32":
            with self._seeking:
                os.lseek(descriptor, offset, os.SEEK_SET)
                return os.read(descriptor, size)
        data = os.pread(descriptor, size, offset)
        while 0 < len(data) < size:
            more = os.pread(descriptor, size - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def write_at(self, descriptor: int, offset: int, data: bytes) -> None:
        view = memoryview(data)
        while view:  # a short write goes on with the rest; a full disk raises at the next call
            written = self._write_some(descriptor, offset, view)
            if not written:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            offset += written
            view = view[written:]

    def _write_some(self, descriptor: int, offset: int, view: memoryview) -> int:
        if sys.platform == "win32":
            with self._seeking:
                os.lseek(descriptor, offset, os.SEEK_SET)
                return os.write(descriptor, view)
        return os.pwrite(descriptor, view, offset)

    def sync(self, descriptor: int) -> None:
        if sys.platform == "darwin":
            import fcntl

            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync there leaves data in the drive's cache
        elif sys.platform == "win32":
            os.fsync(descriptor)
        else:
            os.fdatasync(descriptor)  # content and size; times may come later

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def close(self, descriptor: int) -> None:
        with contextlib.suppress(InterruptedError):  # it is closed, and its number may be another's by now
            os.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        for pause in SCANNED if sys.platform == "win32" else ():
            try:
                os.replace(source, target)
                return
            except PermissionError:  # a virus scanner or an indexer looks at one of the two
                time.sleep(pause)
        _whole(lambda: os.replace(source, target))

    def remove(self, path: Path) -> None:
        _whole(lambda: path.unlink(missing_ok=True))

    def sync_folder(self, path: Path) -> None:
        if sys.platform == "win32":
            return  # no such call there; NTFS journals the names itself
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in NO_FOLDER_SYNC:
                raise
        finally:
            self.close(descriptor)

    def protect(self, path: Path, mode: int) -> None:
        close_to_others(path, mode)

    def lock(self, descriptor: int) -> bool:
        try:
            if sys.platform == "win32":
                _lock_first_byte(descriptor)
            else:
                import fcntl

                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in HELD:
                return False
            raise
        return True


def _lock_first_byte(descriptor: int) -> None:
    """Windows' own call, since that of its C library does not say everywhere why it failed."""
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        handle = ctypes.c_void_p(msvcrt.get_osfhandle(descriptor))
        if not kernel.LockFile(handle, 0, 0, 1, 0):
            raise ctypes.WinError(ctypes.get_last_error())


def _whole(call: Callable[[], R]) -> R:
    """What `call` gives, made again where a signal interrupted it: of these, Python does not do it itself."""
    while True:
        try:
            return call()
        except InterruptedError:
            continue


OS: FileSystem = Disk()


def write_whole(files: FileSystem, path: Path, chunks: Iterable[bytes]) -> None:
    """Put a file at `path`, whole or not at all, durable when it returns: written aside, synced, renamed.

    :raises OSError: nothing is at `path` that was not there before.
    """
    aside = path.with_name(path.name + ".part")
    try:
        descriptor = files.open(aside, write=True)
        try:
            files.truncate(descriptor, 0)
            at = 0
            for chunk in chunks:
                files.write_at(descriptor, at, chunk)
                at += len(chunk)
            files.sync(descriptor)
        finally:
            files.close(descriptor)
        files.replace(aside, path)
    except Exception:  # also of whoever gives the chunks
        with contextlib.suppress(OSError):
            files.remove(aside)
        raise
    files.sync_folder(path.parent)

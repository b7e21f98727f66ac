"""Carriers list, put and get files, going on at an offset where they were broken off. Here: a folder.

A carrier knows nothing of what is in the files; SFTP and HTTPS would be further implementations of `Carrier`.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from fieldkit.errors import FieldkitError
from fieldkit.sync import errors
from fieldkit.text import M, Message

TRAVELLING = re.compile(r"fk1-[0-9a-f-]{1,100}\.(fkb|fkr)")
PART = ".part"
CHUNK = 1 << 20
# folders in which sticks and shares appear: one that is missing there was not plugged in
MOUNT_POINTS = ("/media", "/mnt", "/run/media", "/Volumes")
GONE = (errno.ENODEV, errno.ENXIO, errno.EIO, errno.ENOENT, errno.ENOTCONN, errno.ESTALE, errno.ENOTDIR)
FULL = (errno.ENOSPC, errno.EDQUOT)
FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)


class Stored(msgspec.Struct, frozen=True):
    """A file at the target. complete: False while it is being put; `size` is then how far that came."""

    name: str
    size: int
    complete: bool = True


class Carrier(Protocol):
    """A way to a place where files are left and fetched. Every call may raise the errors of this room."""

    label: str

    def list(self) -> list[Stored]:
        """What is there of the files that travel."""

    def put(self, name: str, offset: int, chunks: Iterable[bytes], size: int, sha256: str) -> None:
        """Write `chunks` from `offset` on; once `size` bytes are there and their hash is right, publish them.

        :raises TargetDamaged: they do not read back as they should; the unfinished file is gone then.
        """

    def get(self, name: str, offset: int = 0) -> Iterator[bytes]:
        """The bytes of a file from `offset` on."""


class FolderCarrier:
    """A folder: a USB stick, a share. A file is written as `NAME.part`, flushed, read back and renamed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.label = str(folder)

    def list(self) -> list[Stored]:
        found = []
        with self._saying():
            if not self.folder.is_dir():
                if self.folder.exists() or _unplugged(self.folder) or not self.folder.parent.is_dir():
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
                return []
            for entry in sorted(os.scandir(self.folder), key=lambda each: each.name):
                name = entry.name.removesuffix(PART)
                if TRAVELLING.fullmatch(name) and entry.is_file(follow_symlinks=False):
                    found.append(Stored(name, entry.stat().st_size, name == entry.name))
        return found

    def put(self, name: str, offset: int, chunks: Iterable[bytes], size: int, sha256: str) -> None:
        part = self._path(name).with_name(name + PART)
        with self._saying():
            self._make()
            self._fits(size - offset)
            descriptor = os.open(part, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            try:
                os.ftruncate(descriptor, offset)
                os.lseek(descriptor, offset, os.SEEK_SET)
                for chunk in chunks:
                    _write(descriptor, chunk)
                os.fsync(descriptor)
                _forget(descriptor)
            finally:
                os.close(descriptor)
            if _hash(part) != (size, sha256):
                part.unlink()
                raise errors.TargetDamaged(
                    M(
                        "What was written to {target} does not read back as it was written.",
                        target=self.label,
                    ),
                    unchanged=M("The unfinished file was removed; what was saved here is still there."),
                    hint=M("Try again; if it stays so, use another stick."),
                )
            os.replace(part, self._path(name))
            self._sync()

    def get(self, name: str, offset: int = 0) -> Iterator[bytes]:
        with self._saying(), self._path(name).open("rb") as file:
            file.seek(offset)
            while chunk := file.read(CHUNK):
                yield chunk

    def _path(self, name: str) -> Path:
        if not TRAVELLING.fullmatch(name):
            raise errors.BundleUnreadable(M("{name} is no name of a file that travels.", name=name[:80]))
        return self.folder / name

    def _make(self) -> None:
        if not self.folder.is_dir():
            if _unplugged(self.folder):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            self.folder.mkdir()

    def _fits(self, needed: int) -> None:
        """A disk that is too small is said before anything is written."""
        import shutil

        if shutil.disk_usage(self.folder).free < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _sync(self) -> None:
        if os.name == "nt":
            return
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # some file systems of sticks and shares have no such call
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _saying(self) -> Iterator[None]:
        """What the operating system says of the target, in this room's errors."""
        try:
            yield
        except FieldkitError:
            raise
        except OSError as error:
            raise self._meaning(error) from error

    def _meaning(self, error: OSError) -> FieldkitError:
        kept = M(
            "What was saved here is still there. What was put so far is kept, and the next push goes on."
        )
        detail = f"{errno.errorcode.get(error.errno or 0, error.errno)}: {error.strerror}"
        kind: type[FieldkitError]
        said: Message
        hint: Message
        if error.errno in FULL:
            kind, said = errors.TargetFull, M("There is no space left on {target}.", target=self.label)
            hint = M("Free some space there, or use another stick, then push again.")
        elif error.errno == errno.EFBIG:
            kind, said = errors.TargetFull, M("The bundle is too large for {target}.", target=self.label)
            hint = M("Use a stick with another file system (exFAT, NTFS), then push again.")
        elif error.errno in FORBIDDEN:
            kind, said = errors.TargetReadOnly, M("Nothing may be written to {target}.", target=self.label)
            hint = M("Look for a write lock on the stick and at your rights, then push again.")
        else:
            kind, said = errors.TargetMissing, M("{target} is not there, or went away.", target=self.label)
            hint = M("Plug the stick in, wait until it shows, check the path, then push again.")
        return kind(said, unchanged=kept, hint=hint, detail=detail)


def _unplugged(folder: Path) -> bool:
    """Whether a folder that is missing is where a stick would be: it is not made then."""
    path = folder.absolute().as_posix()
    return any(path.startswith(point + "/") for point in MOUNT_POINTS)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _forget(descriptor: int) -> None:
    """Have the next read come from the device, not from memory."""
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _hash(path: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()

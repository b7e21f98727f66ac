"""A folder as a carrier: a USB stick, a share."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from fieldkit.errors import NO_SPACE, FieldkitError
from fieldkit.sync import errors
from fieldkit.sync.carrier import TRAVELLING, TargetFile
from fieldkit.text import M, Message

PART = ".part"
CHUNK = 1 << 20
# folders in which sticks and shares appear: one that is missing there was not plugged in
MOUNT_POINTS = ("/media", "/mnt", "/run/media", "/Volumes")
GONE = (errno.ENODEV, errno.ENXIO, errno.EIO, errno.ENOENT, errno.ENOTCONN, errno.ESTALE, errno.ENOTDIR)
FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)


class FolderCarrier:
    """A folder: a USB stick, a share. A file is written as `NAME.part`, flushed, read back and renamed.

    All is done below the folder as it was opened, never over a link in it; a folder that is another one than
    at the first look (the stick was pulled, another mounted) is refused.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(os.path.abspath(folder))
        self.label = str(self.folder)
        self._known: tuple[int, int] | None = None

    @property
    def mounted(self) -> bool:
        above = next(path for path in (self.folder, *self.folder.parents) if _device(path) or not path.name)
        return _device(above) != _device(Path(self.folder.anchor))

    def list(self) -> list[TargetFile]:
        target_files = []
        with self._saying():
            if not self.folder.is_dir():
                if self.folder.exists() or _unplugged(self.folder) or not self.folder.parent.is_dir():
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
                self._same(os.stat(self.folder.parent), whole=False)
                return []
            with self._opened() as descriptor, os.scandir(descriptor) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    name = entry.name.removesuffix(PART)
                    if TRAVELLING.fullmatch(name) and entry.is_file(follow_symlinks=False):
                        size = entry.stat(follow_symlinks=False).st_size
                        target_files.append(TargetFile(name, size, name == entry.name))
        return target_files

    def put(self, name: str, offset: int, chunks: Iterable[bytes], size: int, sha256: str) -> None:
        self._check(name)
        with self._saying():
            self._make()
            with self._opened() as folder:
                self._fits(size - offset)
                with self._part(folder, name + PART, offset) as part:
                    for chunk in chunks:
                        _write(part, chunk)
                    os.fsync(part)
                    _forget(part)
                with self._reading(folder, name + PART) as part:
                    good = _hash(part) == (size, sha256)
                if not good:
                    _remove(folder, name + PART)
                    raise self._damaged()
                _rename(folder, name + PART, name)
                self._sync(folder)
                self._same(os.stat(self.folder))  # while it was written another may have come into its place

    def get(self, name: str, offset: int = 0) -> Iterator[bytes]:
        self._check(name)
        with self._saying(), self._opened() as folder, self._reading(folder, name) as descriptor:
            os.lseek(descriptor, offset, os.SEEK_SET)
            while chunk := os.read(descriptor, CHUNK):
                yield chunk

    def _check(self, name: str) -> None:
        if not TRAVELLING.fullmatch(name):
            raise errors.BundleUnreadable(M("{name} is no name of a file that travels.", name=name[:80]))

    def _make(self) -> None:
        if not self.folder.is_dir():
            if _unplugged(self.folder):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            self._same(os.stat(self.folder.parent), whole=False)
            self.folder.mkdir()

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int | str]:
        """The folder, held as it is now: a descriptor, or its path where the system has none of folders."""
        if _unplugged(self.folder):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        if os.open not in os.supports_dir_fd:
            self._same(os.stat(self.folder))
            yield str(self.folder)
            return
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._same(os.fstat(descriptor))
            yield descriptor
        finally:
            os.close(descriptor)

    def _same(self, now: os.stat_result, *, whole: bool = True) -> None:
        """Raise where the folder is not on the disk on which it, or what was to hold it, was seen first."""
        known = self._known or (now.st_dev, 0)
        if known[0] != now.st_dev or (whole and known[1] not in (0, now.st_ino)):
            raise errors.TargetMissing(
                M("{target} is no longer the disk that it was at the beginning.", target=self.label),
                unchanged=M("What was saved here is still there. Nothing is noted as put there."),
                hint=M("Plug the stick in, wait until it shows, check the path, then push again."),
            )
        self._known = (now.st_dev, now.st_ino if whole else 0)

    @contextlib.contextmanager
    def _part(self, folder: int | str, name: str, offset: int) -> Iterator[int]:
        """The unfinished file, cut at `offset` to go on there; never another file that goes by its name."""
        descriptor = -1
        if offset:
            with contextlib.suppress(OSError):
                descriptor = _open(folder, name, os.O_RDWR)
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_size < offset:
                    os.close(descriptor)
                    descriptor = -1
            if descriptor == -1:
                _remove(folder, name)
                raise self._damaged()
        else:
            _remove(folder, name)
            descriptor = _open(folder, name, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            os.ftruncate(descriptor, offset)
            os.lseek(descriptor, offset, os.SEEK_SET)
            yield descriptor
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _reading(self, folder: int | str, name: str) -> Iterator[int]:
        descriptor = _open(folder, name, os.O_RDONLY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _fits(self, needed: int) -> None:
        """A disk that is too small is said before anything is written."""
        import shutil

        if shutil.disk_usage(self.folder).free < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _sync(self, folder: int | str) -> None:
        if isinstance(folder, int):
            with contextlib.suppress(OSError):  # some file systems of sticks and shares have no such call
                os.fsync(folder)

    def _damaged(self) -> errors.TargetDamaged:
        return errors.TargetDamaged(
            M("What was written to {target} does not read back as it was written.", target=self.label),
            unchanged=M("The unfinished file was removed; what was saved here is still there."),
            hint=M("Try again; if it stays so, use another stick."),
        )

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
        message: Message
        hint: Message
        if error.errno in NO_SPACE:
            kind, message = errors.TargetFull, M("There is no space left on {target}.", target=self.label)
            hint = M("Free some space there, or use another stick, then push again.")
        elif error.errno == errno.EFBIG:
            kind, message = errors.TargetFull, M("The bundle is too large for {target}.", target=self.label)
            hint = M("Use a stick with another file system (exFAT, NTFS), then push again.")
        elif error.errno in FORBIDDEN:
            kind, message = errors.TargetReadOnly, M("Nothing may be written to {target}.", target=self.label)
            hint = M("Look for a write lock on the stick and at your rights, then push again.")
        else:
            kind, message = errors.TargetMissing, M("{target} is not there, or went away.", target=self.label)
            hint = M("Plug the stick in, wait until it shows, check the path, then push again.")
        return kind(message, unchanged=kept, hint=hint, detail=detail)


def _unplugged(folder: Path) -> bool:
    """Whether a folder is where a stick would be, and none is there: else its own disk is written to."""
    path = Path(os.path.realpath(folder))
    point = next((Path(point) for point in MOUNT_POINTS if path.is_relative_to(point)), None)
    if point is None or path == point:
        return False
    return not path.is_dir() or _device(path) == _device(point)


def _device(path: Path) -> int:
    """The file system that `path` is on; 0 where nothing can be told of it."""
    try:
        return os.stat(path).st_dev
    except OSError:
        return 0


def _open(folder: int | str, name: str, flags: int) -> int:
    """Open the file `name` in the folder, never over a link."""
    flags |= getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    if isinstance(folder, int):
        return os.open(name, flags, 0o666, dir_fd=folder)
    return os.open(os.path.join(folder, name), flags, 0o666)


def _remove(folder: int | str, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        if isinstance(folder, int):
            os.unlink(name, dir_fd=folder)
        else:
            os.unlink(os.path.join(folder, name))


def _rename(folder: int | str, old: str, new: str) -> None:
    if isinstance(folder, int):
        os.replace(old, new, src_dir_fd=folder, dst_dir_fd=folder)
    else:
        os.replace(os.path.join(folder, old), os.path.join(folder, new))


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _forget(descriptor: int) -> None:
    """Have the next read come from the device, not from memory."""
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _hash(descriptor: int) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    while chunk := os.read(descriptor, CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()

"""A document's way in and out: read whole and unchanged, written beside, flushed to disk and renamed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fieldkit.journal.files import OS
from fieldkit.pdf import boundary
from fieldkit.pdf.errors import DocumentChanged, DocumentMissing, DocumentUnfit, OutputNotWritten, OutputUnfit
from fieldkit.text import M

LARGEST = 2 * 1024**3  # bytes; more than any document and less than any laptop's memory can hold by accident


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The document at `path`, open for reading; it has to be a plain file and stay as it is.

    :raises DocumentChanged: something else wrote to it meanwhile.
    """
    name = path.name
    try:
        # O_NONBLOCK: opening a named pipe must not wait for a writer that never comes
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise boundary.not_read(error, name) from None
    before = os.fstat(number)
    if not stat.S_ISREG(before.st_mode):
        os.close(number)
        raise DocumentMissing(M("{name} is not a file.", name=name), hint=M("Give the path of a PDF file."))
    with os.fdopen(number, "rb") as file:
        if before.st_size == 0:
            raise DocumentUnfit(
                M("The file {name} is empty.", name=name), hint=M("Ask for it again from where it came.")
            )
        if before.st_size > LARGEST:
            raise DocumentUnfit(M("The file {name} is too large.", name=name))
        yield file
        after = os.fstat(number)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise DocumentChanged(
                M("The file {name} was changed by something else while it was read.", name=name),
                hint=M("Close the program that writes to it, then try again."),
            )


def read_bytes(path: Path) -> bytes:
    """The whole document."""
    with opened(path) as file, boundary.reading(path.name):
        return file.read()


@contextlib.contextmanager
def written(out: Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """A file that becomes `out` at the end of the block if nothing failed; until then `out` is untouched."""
    if not overwrite and os.path.lexists(out):
        raise OutputUnfit(
            M("There is already a file {name}.", name=out.name),
            unchanged=boundary.NOT_WRITTEN,
            hint=M("Choose another name, or agree to have it replaced."),
        )
    try:
        number, beside = tempfile.mkstemp(prefix=f".{out.name[:100]}.", suffix=".part", dir=out.parent)
    except OSError as error:
        raise _not_written(error, out) from None
    try:
        with os.fdopen(number, "w+b") as file:
            yield file
            try:
                file.flush()
                os.fsync(number)
            except OSError as error:
                raise _not_written(error, out) from None
        try:
            _publish(beside, out, overwrite)
        except OSError as error:
            raise _not_written(error, out) from None
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


def _publish(beside: str, out: Path, overwrite: bool) -> None:
    """Give the finished file its name. Without `overwrite` a file that appeared meanwhile is kept."""
    os.chmod(beside, 0o666 & ~_umask())
    if overwrite or os.name == "nt":
        os.replace(beside, out)
    else:
        try:
            os.link(beside, out)
        except FileExistsError:
            raise OutputUnfit(
                M("There is already a file {name}.", name=out.name), unchanged=boundary.NOT_WRITTEN
            ) from None
        except OSError:  # a file system without hard links
            os.replace(beside, out)
        else:
            os.unlink(beside)
    OS.sync_folder(out.parent)


def _umask() -> int:
    """The umask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _not_written(error: OSError, out: Path) -> OutputNotWritten:
    return OutputNotWritten(
        M("The file {name} cannot be written: {reason}.", name=out.name, reason=error.strerror or ""),
        unchanged=boundary.NOT_WRITTEN,
        hint=M("Check the folder, the free space and your rights."),
        detail=str(out.parent),
    )


def sha256(file: BinaryIO) -> str:
    """The SHA-256 of the whole open file, in hexadecimal."""
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()

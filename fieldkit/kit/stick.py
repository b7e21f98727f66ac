"""Writing to the stick: a file appears whole under its name, flushed, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from fieldkit.errors import FieldkitError
from fieldkit.kit.errors import StickFull, StickGone
from fieldkit.text import M

PART = ".part"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def put(path: Path, data: bytes) -> None:
    """Write a file whole."""
    part = path.with_name(path.name + PART)
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    flush(path.parent)


def flush(folder: Path) -> None:
    """Have the names in `folder` on the disk; where the system has no way to it, nothing."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def trouble(folder: Path, error: OSError) -> FieldkitError:
    """An error of the system while the stick was written, by what to do about it."""
    if error.errno in FULL:
        return StickFull(
            M("There is not enough room at {folder}.", folder=str(folder)),
            unchanged=M("The kit is not finished, and is not taken for one."),
            hint=M("Make room or take a larger stick, then build again: it goes on where it stopped."),
            detail=str(error),
        )
    return gone(folder, error)


def gone(folder: Path, error: OSError) -> StickGone:
    """The folder's medium does not answer any more."""
    return StickGone(
        M("{folder} cannot be read or written: {reason}.", folder=str(folder), reason=error.strerror or "?"),
        hint=M("Plug the stick in again and repeat; what is there already is kept."),
        detail=str(error),
    )

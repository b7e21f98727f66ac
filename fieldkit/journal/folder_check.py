"""What surrounds the journal in its folder: files that are not the store's, and who else can read it."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import msgspec

from fieldkit.access import OTHERS, other_accounts
from fieldkit.journal import checkpoint, device, signed_head
from fieldkit.journal.attachments import FOLDER, Attachments
from fieldkit.journal.files import FileSystem
from fieldkit.journal.log import is_segment

LOCK = "lock"
RESERVE = "reserve"
RESERVE_SIZE = 1024 * 1024
RESERVE_PARTS = 16
"""Where there is no room for all of it, as many sixteenths are kept as there is room for."""

PART = ".part"
TORN = ".torn"

OWN = frozenset({LOCK, RESERVE, FOLDER, checkpoint.NAME, device.KEY, signed_head.NAME})


class ExposedFile(msgspec.Struct, frozen=True):
    """A file or folder that others can use. owner: the user it belongs to, if that is another; else -1.

    accounts: who they are, where the system says.
    """

    path: Path
    mode: int
    owner: int = -1
    accounts: tuple[str, ...] = ()


def foreign(folder: Path, files: FileSystem) -> list[Path]:
    """What in the folder is not the store's own, and is left alone."""
    paths = [folder / name for name in files.names(folder) if not _ours(name)]
    return paths + [path for path in Attachments(folder, files).foreign() if not path.name.endswith(PART)]


def torn(folder: Path, files: FileSystem) -> list[str]:
    """The names under which tails that were cut are kept."""
    return [name for name in files.names(folder) if _ours(name) and name.endswith(TORN)]


def leftovers(folder: Path, files: FileSystem) -> list[Path]:
    """Files that were being written when the program or the machine stopped; nothing refers to them."""
    paths = [folder / name for name in files.names(folder) if _ours(name) and name.endswith(PART)]
    return paths + [path for path in Attachments(folder, files).foreign() if path.name.endswith(PART)]


def exposed(folder: Path, files: FileSystem) -> list[ExposedFile]:
    """The folder and what in it holds the key or the answers, where others own it or can read it."""
    if sys.platform == "win32":  # what is in it inherits its list
        accounts = other_accounts(folder)
        return [ExposedFile(folder, files.status(folder).mode, accounts=accounts)] if accounts else []
    names = [name for name in files.names(folder) if _ours(name)]
    exposeds = []
    for path in (folder, *(folder / name for name in names)):
        try:
            status = files.status(path)
        except FileNotFoundError:  # another fieldkit works there: it was being written, and has its name now
            continue
        if status.owner not in (os.geteuid(), -1):
            exposeds.append(ExposedFile(path, status.mode, status.owner))
        if status.mode & OTHERS:
            exposeds.append(ExposedFile(path, status.mode))
    return exposeds


def reserved(size: int) -> bytes:
    """What a reserve of that size holds: bytes that no file system can store in less room; of a smaller one,
    the first of them.
    """
    return hashlib.shake_256(b"fieldkit reserve").digest(size)


def reserve_size(folder: Path, files: FileSystem) -> int:
    """How many bytes of the reserve are there; none of one that a compressing file system would not store."""
    if RESERVE not in files.names(folder):
        return 0
    descriptor = files.open(folder / RESERVE)
    try:
        begins = files.read_at(descriptor, 0, 64) == reserved(64)
    finally:
        files.close(descriptor)
    return files.status(folder / RESERVE).size if begins else 0


def _ours(name: str) -> bool:
    bare = name.removesuffix(PART)
    return (
        bare in OWN
        or is_segment(bare)
        or (bare.endswith(TORN) and is_segment(bare[: len("journal-NNNNNN.fkj")]))
    )

"""Taking a store out: one ZIP file with every entry, every attachment and the segments as they are.

It works on a store that is damaged, in use or read-only, and needs no fieldkit to be read again.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from fieldkit.journal import device, mark
from fieldkit.journal.attachments import FOLDER, Attachments
from fieldkit.journal.device import Device
from fieldkit.journal.errors import ExportRefused, StoreDamaged, StoreMissing, StoreUnavailable
from fieldkit.journal.files import OS, FileSystem
from fieldkit.journal.log import Log, is_segment
from fieldkit.operator import Progress
from fieldkit.text import M

ENTRIES = "entries.jsonl"
MANIFEST = "manifest.json"
TIME = (1980, 1, 1, 0, 0, 0)
"""The date of every member: the same store gives the same file."""


class Exported(msgspec.Struct, frozen=True):
    """What was taken out. lost: entries that could not be read."""

    out: Path
    entries: int
    lost: int
    attachments: int
    size: int


def export(
    folder: Path,
    out: Path,
    *,
    files: FileSystem = OS,
    progress: Callable[[Progress], None] | None = None,
) -> Exported:
    """Write the store in `folder` to the new file `out`.

    :raises StoreMissing: there is no store. :raises ExportRefused: `out` is there already.
    :raises StoreUnavailable: one of the two cannot be read or written.
    """
    if out.exists():
        raise ExportRefused(
            M("The file {path} is there already.", path=str(out)),
            unchanged=M("Nothing was changed."),
            hint=M("Choose another name."),
        )
    aside = out.with_name(out.name + ".part")
    try:
        if device.KEY not in files.names(folder):
            raise StoreMissing(M("There is no store in {folder}.", folder=str(folder)))
        with zipfile.ZipFile(aside, "x", zipfile.ZIP_DEFLATED) as archive:
            done = _fill(archive, folder, files, progress)
        aside.replace(out)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise StoreUnavailable(
            M(
                "The store could not be exported: {reason} ({path}).",
                reason=error.strerror or "",
                path=str(out),
            ),
            unchanged=M("The store is as it was."),
            hint=M("Choose a disk with enough space that can be written."),
        ) from error
    return Exported(out, *done, out.stat().st_size)


def _fill(
    archive: zipfile.ZipFile,
    folder: Path,
    files: FileSystem,
    progress: Callable[[Progress], None] | None,
) -> tuple[int, int, int]:
    log = Log(folder, files, writable=False)
    attachments = Attachments(folder, files)
    names = [name for name in files.names(folder) if is_segment(name)]
    held = list(attachments.held())
    total = len(names) + len(held) + 1
    try:
        lost = _entries(archive, log)
        for done, name in enumerate(names, 1):
            _tell(progress, done, total)
            _put(archive, f"segments/{name}", files.read(folder / name))
        for done, sha256 in enumerate(held, len(names) + 1):
            _tell(progress, done, total)
            _put(archive, f"{FOLDER}/{sha256}", files.read(attachments.path(sha256)))
        _put(archive, MANIFEST, msgspec.json.format(msgspec.json.encode(_manifest(log, folder, files, lost))))
    finally:
        log.close()
    return log.seq - len(lost), len(lost), len(held)


def _entries(archive: zipfile.ZipFile, log: Log) -> list[int]:
    """Every entry as it is stored, one a line; the numbers of those that cannot be read."""
    lost = []
    with archive.open(_member(ENTRIES), "w", force_zip64=True) as file:
        for seq in range(1, log.seq + 1):
            try:
                file.write(log.body(seq) + b"\n")
            except StoreDamaged:
                lost.append(seq)
    return lost


def _manifest(log: Log, folder: Path, files: FileSystem, lost: list[int]) -> dict[str, Any]:
    """Whose journal it is and how far it goes; the public key, so that signatures can be checked."""
    found: dict[str, Any] = {"head": log.head(), "lost": lost}
    try:
        found["public_key"] = Device(folder, files, writable=False).public_key.hex()
        noted = mark.load(folder, files)
    except (StoreDamaged, ValueError):
        return found
    if noted is not None and noted.signed is not None:
        found["signed"] = noted.signed
    return found


def _put(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(_member(name), data)


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, TIME)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o600 << 16
    return member


def _tell(progress: Callable[[Progress], None] | None, done: int, total: int) -> None:
    if progress is not None:
        progress(Progress(M("Exporting the store"), done, total))

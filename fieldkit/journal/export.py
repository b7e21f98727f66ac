"""Taking a store out: one ZIP file with every entry, every attachment and the segments as they are.

It works on a store that is damaged, in use or read-only, and needs no fieldkit to be read again.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from fieldkit.journal import checkpoint, device, signed_head
from fieldkit.journal.attachments import FOLDER, Attachments
from fieldkit.journal.device import Device
from fieldkit.journal.errors import ExportRefused, StoreDamaged, StoreMissing, StoreUnavailable
from fieldkit.journal.files import OS, FileSystem
from fieldkit.journal.log import Log, is_segment
from fieldkit.operator import Progress
from fieldkit.text import M

ENTRIES = "entries.jsonl"
STRAYS = "strays.jsonl"
"""Whole lines in the segments that are no entries of this journal, if there are such."""
MANIFEST = "manifest.json"
TIME = (1980, 1, 1, 0, 0, 0)
"""The date of every member: the same store gives the same file."""


class StoreExport(msgspec.Struct, frozen=True):
    """What was taken out.

    lost: entries that could not be read. unread: files the disk did not give. strays: lines that are whole
    and no entries of this journal.
    """

    out: Path
    entries: int
    lost: int
    attachments: int
    unread: tuple[str, ...]
    strays: int
    size: int


def export(
    folder: Path,
    out: Path,
    *,
    files: FileSystem = OS,
    progress: Callable[[Progress], None] | None = None,
) -> StoreExport:
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
    if not folder.is_dir() or not device.is_store(folder, files):
        raise StoreMissing(
            M("There is no store in {folder}.", folder=str(folder)),
            hint=M("Choose the folder fieldkit keeps its data in with --home."),
        )
    try:
        # of a name of its own, and open to its owner only, as the store is
        with tempfile.NamedTemporaryFile(
            dir=out.parent, prefix=out.name, suffix=".part", delete=False
        ) as aside:
            try:
                with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as archive:
                    done = _fill(archive, folder, files, progress)
                aside.flush()
                OS.sync(aside.fileno())
                size = aside.tell()
            except BaseException:
                Path(aside.name).unlink(missing_ok=True)
                raise
        OS.replace(Path(aside.name), out)
        OS.sync_folder(out.parent)
    except OSError as error:
        raise StoreUnavailable(
            M(
                "The store could not be exported: {reason} ({path}).",
                reason=error.strerror or "",
                path=str(out),
            ),
            unchanged=M("The store is as it was."),
            hint=M("Choose a disk with enough space that can be written."),
        ) from error
    return StoreExport(out, *done, size)


def _fill(
    archive: zipfile.ZipFile,
    folder: Path,
    files: FileSystem,
    progress: Callable[[Progress], None] | None,
) -> tuple[int, int, int, tuple[str, ...], int]:
    log = _log(folder, files)
    attachments = Attachments(folder, files)
    names = [name for name in files.names(folder) if is_segment(name)]
    held = list(attachments.held())
    wanted = {f"segments/{name}": folder / name for name in names}
    wanted |= {f"{FOLDER}/{sha256}": attachments.path(sha256) for sha256 in held}
    unread: list[str] = []
    try:
        lost = _entries(archive, log)
        strays = list(log.strays())
        if strays:
            _put(archive, STRAYS, b"\n".join((*strays, b"")))
        for done, (member, path) in enumerate(wanted.items(), 1):
            _tell(progress, done, len(wanted) + 1)
            try:
                data = files.read_file(path)
            except OSError:  # a bad spot on the disk costs this file, not all the others
                unread.append(member)
                continue
            _put(archive, member, data)
        manifest = _manifest(log, folder, files, lost) | ({"unread": unread} if unread else {})
        _put(archive, MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    finally:
        log.close()
    taken = len(held) - sum(member.startswith(FOLDER) for member in unread)
    return log.seq - sum(seq <= log.seq for seq in lost), len(lost), taken, tuple(unread), len(strays)


def _log(folder: Path, files: FileSystem) -> Log:
    """The journal, read whole, with what is known of its end."""
    try:
        key = Device(folder, files, writable=False).id
    except (StoreDamaged, StoreUnavailable, OSError):
        key = ""
    try:
        noted = signed_head.load(folder, files)
    except (ValueError, OSError):
        noted = None
    return Log(
        folder,
        files,
        writable=False,
        device=key,
        mark=signed_head.latest(noted, checkpoint.load(folder, files)),
    )


def _entries(archive: zipfile.ZipFile, log: Log) -> list[int]:
    """Every entry as it is stored, one a line; the numbers of those that cannot be read."""
    lost = []
    with archive.open(_member(ENTRIES), "w", force_zip64=True) as file:
        for seq in range(1, log.seq + 1):
            try:
                file.write(log.body(seq) + b"\n")
            except (StoreDamaged, StoreUnavailable):
                lost.append(seq)
    missing = log.lost_tail
    return lost + (list(range(missing.first, missing.last + 1)) if missing else [])


def _manifest(log: Log, folder: Path, files: FileSystem, lost: list[int]) -> dict[str, object]:
    """Whose journal it is and how far it goes; the public key, so that signatures can be checked."""
    manifest: dict[str, object] = {"head": log.head(), "lost": lost}
    try:
        manifest["public_key"] = Device(folder, files, writable=False).public_key.hex()
        noted = signed_head.load(folder, files)
    except (StoreDamaged, StoreUnavailable, ValueError, OSError):
        return manifest
    if noted is not None and noted.signed is not None:
        manifest["signed"] = noted.signed
    return manifest


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

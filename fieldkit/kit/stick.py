"""Writing to the stick: files appear whole, the manifest last; a run that was broken off is gone on with.

While a kit is being written, `manifest.part` says which files are the kit's own; there is no manifest then.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from fieldkit.errors import NO_SPACE, FieldkitError
from fieldkit.kit import install
from fieldkit.kit.errors import FolderTaken, KitUnsound, SourceDamaged, StickFull, stick_gone
from fieldkit.operator import Progress
from fieldkit.text import M

if TYPE_CHECKING:
    from fieldkit.kit.manifest import Manifest

PART = ".part"
BUILDING = "manifest.part"
FULL = (*NO_SPACE, errno.EFBIG)
SPARE = 1 << 20  # for the manifest and the file system's own
Tell = Callable[[Progress], None]


def write_synced(path: Path, data: bytes) -> None:
    """Write a file whole."""
    part = path.with_name(path.name + PART)
    with _new(part) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    flush(path.parent)


def _new(path: Path) -> BinaryIO:
    """A new file in the place of what a run that was broken off left; no link is written through."""
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o666), "wb")


def flush(folder: Path) -> None:
    """Have the names in `folder` on the disk; where the system has no way to it, nothing."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def free(folder: Path) -> set[str]:
    """The kit's files in `folder`, whole or begun; none where it is new.

    :raises FolderTaken: there are other files. :raises StickGone: the folder cannot be looked into.
    """
    try:
        if not os.path.lexists(folder):
            return set()
        if folder.is_symlink() or not folder.is_dir():
            raise _taken(folder, folder.name)
        ours = _own(folder)
        there = list(install.walk(folder))
    except OSError as error:
        raise stick_gone(folder, error) from None
    foreign = [path for path, kind, _ in there if path not in ours or kind == "link"]
    if foreign:
        raise _taken(folder, foreign[0])
    return {path for path, _, _ in there}


def _own(folder: Path) -> set[str]:
    """Every path that a kit in `folder` may have there, finished or not."""
    own = {install.MANIFEST, install.SIGNATURE, BUILDING}
    for name in (install.MANIFEST, BUILDING):
        with contextlib.suppress(OSError, install.BadManifest):
            own |= {file.path for file in install.parse((folder / name).read_bytes())[1]}
    return own | {path + PART for path in own}


def fill(folder: Path, manifest: Manifest, sources: Mapping[str, Path], tell: Tell) -> int:
    """Copy the files of `manifest` that are not in `folder` yet, and take away those of an earlier kit.

    Returns how many were copied. :raises StickFull, StickGone, FolderTaken.
    """
    from fieldkit.kit.manifest import encode

    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = free(folder)
        wanted = {file.path: install.ListedFile(file.path, file.size, file.sha256) for file in manifest.files}
        same = _same(folder, [wanted[path] for path in before if path in wanted], tell)
        if same == set(wanted) and before - same <= {install.MANIFEST, install.SIGNATURE}:
            return 0
        stale = before - same - {install.MANIFEST, install.SIGNATURE, BUILDING}
        needed = sum(file.size for file in wanted.values() if file.path not in same)
        _room(folder, needed - sum((folder / path).lstat().st_size for path in stale))
        write_synced(folder / BUILDING, _union(encode(manifest), folder))
        for name in (install.MANIFEST, install.SIGNATURE, *sorted(stale)):
            (folder / name).unlink(missing_ok=True)
        _prune(folder)
        copied = 0
        for path in sorted(set(wanted) - same):
            message = M("Copying {file}", file=path.rpartition("/")[2])
            for block in _copy(sources[path], folder / path, wanted[path]):
                copied += block
                tell(Progress(message, copied, needed))
    except OSError as error:
        raise trouble(folder, error) from None
    return len(wanted) - len(same)


def _union(data: bytes, folder: Path) -> bytes:
    """The new manifest, unsigned, with the files of what was begun earlier: all of them are the kit's own."""
    import json

    whole, files = install.parse(data)
    new = {file.path.casefold() for file in files}
    for name in (install.MANIFEST, BUILDING):
        with contextlib.suppress(OSError, install.BadManifest):
            for file in install.parse((folder / name).read_bytes())[1]:
                if file.path.casefold() not in new:
                    new.add(file.path.casefold())
                    whole["files"].append({"path": file.path, "size": file.size, "sha256": file.sha256})
    return json.dumps(whole).encode()


def seal(folder: Path, manifest: Manifest, sign: Callable[[bytes], bytes], tell: Tell) -> bytes:
    """Read everything back, then write signature and manifest. Returns the manifest's bytes.

    :raises KitUnsound: the stick does not give back what was written.
    """
    from fieldkit.kit.manifest import encode

    data = encode(manifest)
    signature = sign(data)

    def report(done: int, total: int) -> None:
        tell(Progress(M("Reading the stick back"), done, total))

    try:
        listed = [install.ListedFile(file.path, file.size, file.sha256) for file in manifest.files]
        problems = [
            problem for problem in install.compare(folder, listed, report) if problem.path != BUILDING
        ]
        if problems:
            raise KitUnsound(
                M("The stick does not give back what was written to it: {file}", file=problems[0].path),
                unchanged=M("The kit is not finished, and is not taken for one."),
                hint=M("Build again; if it stays so, use another stick."),
            )
        if not _holds(folder / install.SIGNATURE, signature):
            write_synced(folder / install.SIGNATURE, signature)
        if not _holds(folder / install.MANIFEST, data) or (folder / BUILDING).exists():
            write_synced(folder / BUILDING, data)
            (folder / BUILDING).replace(folder / install.MANIFEST)  # never one beside the other
        flush(folder)
    except OSError as error:
        raise trouble(folder, error) from None
    return data


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def _same(folder: Path, files: list[install.ListedFile], tell: Tell) -> set[str]:
    """The paths of those files that are in the folder as they should be."""
    same: set[str] = set()
    total = sum(file.size for file in files)
    done = 0
    for file in files:
        tell(Progress(M("Looking at what is there already"), done, total))
        here = folder / file.path
        if here.lstat().st_size == file.size and install.hashed(here) == (file.size, file.sha256):
            same.add(file.path)
        done += file.size
    return same


def _copy(source: Path, target: Path, file: install.ListedFile) -> Iterator[int]:
    """Copy one file; yields the bytes of each block written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + PART)
    digest = hashlib.sha256()
    with source.open("rb") as buffered_reader, _new(part) as out:
        while block := buffered_reader.read(install.CHUNK):
            digest.update(block)
            out.write(block)
            yield len(block)
        out.flush()
        os.fsync(out.fileno())
        if hasattr(os, "posix_fadvise"):  # so that reading back asks the stick, not the memory
            os.posix_fadvise(out.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if digest.hexdigest() != file.sha256:
        part.unlink()
        raise SourceDamaged(
            M("{file} changed while it was copied.", file=str(source)),
            unchanged=M("The kit is not finished, and is not taken for one."),
            hint=M("Build again."),
        )
    part.replace(target)
    flush(target.parent)


def _prune(folder: Path) -> None:
    """Take away folders that nothing is in any more."""
    for path, folders, files in os.walk(folder, topdown=False):
        if not folders and not files and Path(path) != folder:
            with contextlib.suppress(OSError):
                os.rmdir(path)


def _room(folder: Path, needed: int) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if needed + SPARE > free_bytes:
        raise StickFull(
            M(
                "There is not enough room at {folder}: {needed} MB are needed, {free} MB are free.",
                folder=str(folder),
                needed=-(-(needed + SPARE) // 10**6),
                free=free_bytes // 10**6,
            ),
            unchanged=M("Nothing was copied."),
            hint=M("Make room or take a larger stick, then build again."),
        )


def trouble(folder: Path, error: OSError) -> FieldkitError:
    """An error of the system while the stick was written, by what to do about it."""
    if error.errno in FULL:
        return StickFull(
            M("There is not enough room at {folder}.", folder=str(folder)),
            unchanged=M("The kit is not finished, and is not taken for one."),
            hint=M("Make room or take a larger stick, then build again: it goes on where it stopped."),
            detail=str(error),
        )
    return stick_gone(folder, error)


def _taken(folder: Path, what: str) -> FolderTaken:
    return FolderTaken(
        M("{folder} holds something that is no kit's: {file}", folder=str(folder), file=what),
        unchanged=M("Nothing was written there."),
        hint=M("Name a new or empty folder on the stick."),
    )

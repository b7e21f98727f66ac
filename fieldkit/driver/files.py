"""Files of a kit that are run as administrator: found by name, compared by SHA-256, copied, compared again.

A file whose SHA-256 nobody wrote into the profile is never run. The copy on the machine's own disk is what
is run: a stick may be pulled, or its bytes changed, between the look and the use.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from threading import Event

from fieldkit.access import make_private_folder
from fieldkit.driver.errors import (
    FileUnverified,
    HashWrong,
    NoSpace,
    PackageForeign,
    PackageUnknown,
    PackageUnreadable,
)
from fieldkit.driver.steps import CopiedFile, Tell
from fieldkit.errors import NO_SPACE, Cancelled, FieldkitError
from fieldkit.operator import Progress
from fieldkit.profile.driver import PackageFile
from fieldkit.text import M
from fieldkit.token import library

CHUNK = 1 << 20
NOTHING = M("Nothing was installed.")


def copy_verified(file: PackageFile, files: Sequence[Path], folder: Path | None) -> CopiedFile:
    """The maker's file that the profile describes, among `files`; raises why it is not to be used."""
    if not file.sha256:
        raise FileUnverified(
            M("{file} is never run: the profile has no SHA-256 for it.", file=file.file),
            unchanged=NOTHING,
            hint=M(
                "Head office gets the file from its maker, examines it, and puts its SHA-256 in the profile."
            ),
        )
    here = {"aarch64": "arm64"}.get(library.own_machine(), library.own_machine())
    if file.architecture not in ("any", here):
        raise PackageForeign(
            M("{file} is for {found} machines; this one is {here}.",
              file=file.file, found=file.architecture, here=here),
            unchanged=NOTHING,
            hint=M("Take the package for this machine's architecture."),
        )  # fmt: skip
    source = next((path for path in files if path.name == file.file), None)
    if source is None:
        raise PackageUnknown(
            M("The driver comes in the maker's file {file}, and no kit with it was given.", file=file.file),
            unchanged=NOTHING,
            hint=M("Plug in the stick with the kit and name its folder with --kit."),
        )
    return known(source, folder, file.sha256)


def known(source: Path, folder: Path | None, sha256: str = "") -> CopiedFile:
    """`source`, read and compared with `sha256`; without one, the kit's manifest has vouched for it."""
    digest, size = _digest(source)
    if sha256 and digest != sha256:
        raise _wrong(source, sha256, digest)
    if folder is None or source.is_relative_to(folder.parent):  # in fieldkit's own folder already
        return CopiedFile(source, source, size, digest)
    return CopiedFile(source, folder / digest[:16] / source.name, size, digest)


def bring(copies: Sequence[CopiedFile], tell: Tell | None = None, stop: Event | None = None) -> None:
    """Copy each file to where it is used, comparing as it is copied; raises before anything is run."""
    total = sum(copy.size for copy in copies)
    done = 0
    for copy in copies:
        done = _bring(copy, done, total, tell, stop)


def clear(copies: Sequence[CopiedFile]) -> None:
    """Take the copies away again."""
    for copy in copies:
        if copy.target != copy.source:
            for path in (copy.target, part(copy)):
                path.unlink(missing_ok=True)
            try:
                copy.target.parent.rmdir()
            except OSError:  # an installer's own log is left in it
                pass


def part(copy: CopiedFile) -> Path:
    """Where a copy grows until it is whole."""
    return copy.target.with_name(copy.target.name + ".part")


def _bring(copy: CopiedFile, done: int, total: int, tell: Tell | None, stop: Event | None) -> int:
    if copy.source == copy.target:
        actual, _ = _digest(copy.source)
        if actual != copy.sha256:
            raise _wrong(copy.source, copy.sha256, actual)
        return done + copy.size
    digest = hashlib.sha256()
    growing = part(copy)
    try:
        make_private_folder(copy.target.parent)
        with copy.source.open("rb") as source, growing.open("wb") as target:
            while block := source.read(CHUNK):
                if stop is not None and stop.is_set():
                    raise Cancelled(M("The copying was broken off."), unchanged=NOTHING)
                digest.update(block)
                target.write(block)
                done += len(block)
                if tell is not None:
                    tell(Progress(M("Copying {file}", file=copy.source.name), min(done, total), total))
            target.flush()
            os.fsync(target.fileno())
        if digest.hexdigest() != copy.sha256:
            raise _wrong(copy.source, copy.sha256, digest.hexdigest())
        growing.replace(copy.target)
    except (OSError, FieldkitError) as error:
        growing.unlink(missing_ok=True)
        raise error if isinstance(error, FieldkitError) else _unread(copy.source, error) from None
    return done


def _digest(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while block := file.read(CHUNK):
                digest.update(block)
                size += len(block)
    except OSError as error:
        raise _unread(path, error) from None
    return digest.hexdigest(), size


def _wrong(path: Path, wanted: str, actual: str) -> HashWrong:
    return HashWrong(
        M("{file} is not the file that was examined: its SHA-256 differs.", file=path.name),
        unchanged=NOTHING,
        hint=M("Get the kit again from head office; do not run this file by hand either."),
        detail=f"wanted {wanted}\nfound  {actual}",
    )


def _unread(path: Path, error: OSError) -> FieldkitError:
    if error.errno in NO_SPACE:
        return NoSpace(
            M("There is not enough space on the disk."),
            unchanged=NOTHING,
            hint=M("Make room on the disk of fieldkit's folder, then run this again."),
        )
    return PackageUnreadable(
        M("{file} could not be copied from the kit: {reason}.", file=path.name, reason=error.strerror or "?"),
        unchanged=NOTHING,
        hint=M("Leave the stick plugged in until the end, then run this again."),
    )

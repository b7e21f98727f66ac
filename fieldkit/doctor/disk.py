"""The disk and fieldkit's own folder on it: room, and the right to write."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from fieldkit.doctor.probe import Probe, Subject
from fieldkit.errors import NO_SPACE
from fieldkit.finding import Finding
from fieldkit.text import M, Message

ENOUGH = 500_000_000  # a visit with photographs, a driver's packages and room to export
LITTLE = 50_000_000


def space(subject: Subject) -> Iterable[Finding]:
    folder = _existing(subject.home.path)
    free = shutil.disk_usage(folder).free
    nodes = 1 if os.name == "nt" else _free_nodes(folder)
    room = M("{size} MB are free for fieldkit's folder.", size=free // 1_000_000)
    hint = M("Make room: empty the recycle bin, move large files elsewhere.")
    if free < LITTLE or nodes == 0:
        yield Finding("disk", "fail", room, detail=str(folder), hint=hint)
    elif free < ENOUGH:
        yield Finding("disk", "warning", room, detail=str(folder), hint=hint)
    else:
        yield Finding("disk", "pass", room, detail=str(folder))


def home(subject: Subject) -> Iterable[Finding]:
    path = subject.home.path
    folder = _existing(path)
    refused = _refusal(folder)
    if refused is not None:
        message, hint = refused
        yield Finding("home", "fail", message, detail=str(folder), hint=hint)
        return
    if folder != path:
        yield Finding(
            "home", "pass", M("fieldkit's folder will be made when it is needed."), detail=str(path)
        )
        return
    if os.name != "nt" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield Finding(
            "home",
            "warning",
            M("Other accounts on this machine can look into fieldkit's folder."),
            detail=str(path),
            hint=M("Run: chmod 700 {path}", path=shlex.quote(str(path))),
        )
        return
    yield Finding("home", "pass", M("fieldkit's folder can be written to."), detail=str(path))


def _refusal(folder: Path) -> tuple[Message, Message] | None:
    """Why nothing can be written in `folder`; found out by writing, since rights alone do not tell."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"fieldkit")
    except OSError as error:
        if error.errno == errno.EROFS:
            return (
                M("fieldkit's folder is on a disk that is read-only."),
                M("Choose a folder on another disk with --home; a stick may have a switch against writing."),
            )
        if error.errno in NO_SPACE:
            return (
                M("Nothing can be written to fieldkit's folder: the disk or the quota is full."),
                M("Make room: empty the recycle bin, move large files elsewhere."),
            )
        return (
            M("Nothing can be written to fieldkit's folder: {reason}.", reason=error.strerror or "?"),
            M("Choose another folder with --home, or have the rights to this one set right."),
        )
    return None


def _existing(path: Path) -> Path:
    """`path`, or the nearest folder above it that exists."""
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path


def _free_nodes(folder: Path) -> int:
    volume = os.statvfs(folder)
    return volume.f_favail if volume.f_files else 1  # some file systems do not count


PROBES = (Probe("disk", space), Probe("home", home))

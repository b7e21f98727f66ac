"""The disk and fieldkit's own folder on it: room, and the right to write."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from fieldkit.access import OTHERS, closing_command, other_accounts
from fieldkit.doctor.probe import Probe, Subject
from fieldkit.driver.steps import Step
from fieldkit.errors import NO_SPACE
from fieldkit.finding import Finding
from fieldkit.text import M, Message

ENOUGH = 500_000_000  # a visit with photographs, a driver's packages and room to export
LITTLE = 50_000_000
COPIED = ("APPDATA", "ONEDRIVE", "ONEDRIVECOMMERCIAL", "ONEDRIVECONSUMER")  # roaming, or synchronised


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
    accounts = other_accounts(path)
    if accounts or (os.name != "nt" and stat.S_IMODE(path.stat().st_mode) & OTHERS):
        yield Finding(
            "home",
            "warning",
            M("Other accounts on this machine can look into fieldkit's folder."),
            detail="\n".join((str(path), *accounts)),
            hint=M("Run: {command}", command=closing(path).command),
        )
        return
    yield Finding("home", "pass", M("fieldkit's folder can be written to."), detail=str(path))


def place(subject: Subject) -> Iterable[Finding]:
    """Whether the folder is on a disk of this machine, and is nobody else's to copy; Windows tells."""
    path = subject.home.path
    if sys.platform == "win32" and _shared(path):
        yield Finding(
            "home-place",
            "warning",
            M("fieldkit's folder is on a network share."),
            detail=str(path),
            hint=M(
                "Choose a folder on a disk of this machine with --home: a share may lose what was saved, and"
                " let two fieldkits write at once."
            ),
        )
    copied = [subject.environment.get(name) for name in COPIED]
    if any(folder and path.is_relative_to(folder) for folder in copied):
        yield Finding(
            "home-place",
            "warning",
            M("fieldkit's folder is one that Windows or OneDrive copies to other machines."),
            detail=str(path),
            hint=M(
                "Choose a folder that stays on this machine with --home: what is copied while fieldkit writes"
                " may come back older."
            ),
        )


def _shared(path: Path) -> bool:
    """It lies on another machine."""
    if sys.platform == "win32":
        import ctypes

        named = str(path).upper()
        if named.startswith("\\\\") and not named.startswith(("\\\\?\\", "\\\\.\\")):
            return True
        remote = 4
        return (
            named.startswith("\\\\?\\UNC\\") or ctypes.WinDLL("kernel32").GetDriveTypeW(path.anchor) == remote
        )
    return False


def closing(path: Path) -> Step:
    """The command that closes fieldkit's folder to other accounts."""
    quoting: Literal["sh", "cmd"] = "cmd" if os.name == "nt" else "sh"
    message = M("Close fieldkit's folder to other accounts.")
    return Step(message, closing_command(path), quoting=quoting)


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


PROBES = (Probe("disk", space), Probe("home", home), Probe("home-place", place))

"""Running a program that only answers: it is given nothing, changes nothing, and has a deadline."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import PureWindowsPath
from typing import Protocol

import msgspec

from fieldkit import program
from fieldkit.driver.errors import NoInstaller
from fieldkit.text import M

DEADLINE = 120


class Answer(msgspec.Struct, frozen=True):
    """What a program answered: its exit status and what it printed."""

    status: int
    out: str = ""
    err: str = ""


class SystemQuery(Protocol):
    """How a program is asked: by `ask`, or by what stands in for a system that is not at hand."""

    def __call__(self, argv: Sequence[str], values: Mapping[str, str] | None = None) -> Answer: ...


def system32(name: str) -> str:
    """The full path of a program of Windows: by its bare name the current folder's would be run first."""
    return str(PureWindowsPath(_system_folder()) / name)


def _system_folder() -> str:
    if sys.platform != "win32":
        return r"C:\Windows\System32"
    import ctypes

    buffer = ctypes.create_unicode_buffer(260)
    ctypes.windll.kernel32.GetSystemDirectoryW(buffer, len(buffer))
    return buffer.value


def ask(argv: Sequence[str], values: Mapping[str, str] | None = None) -> Answer:
    """Run `argv` to its end; raises `NoInstaller` where this system has no such program.

    values: what its environment has besides, for what must not be read as a part of the command.
    """
    if shutil.which(argv[0]) is None:
        raise NoInstaller(
            M("This system has no {program}.", program=argv[0]),
            unchanged=M("Nothing was installed."),
            hint=M("Install the driver with this system's own means, or on another computer."),
        )
    done = program.run(argv, timeout=DEADLINE, variables=values)
    return Answer(done.status, done.text, done.complaint)

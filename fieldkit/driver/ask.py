"""Running a program that only answers: it is given nothing, changes nothing, and has a deadline."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence

import msgspec

from fieldkit.driver.errors import NoInstaller
from fieldkit.text import M

DEADLINE = 120


class Answer(msgspec.Struct, frozen=True):
    """What a program answered: its exit status and what it printed."""

    status: int
    out: str = ""
    err: str = ""


Ask = Callable[[Sequence[str]], Answer]


def ask(argv: Sequence[str]) -> Answer:
    """Run `argv` to its end; raises `NoInstaller` where this system has no such program."""
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=DEADLINE
        )
    except FileNotFoundError as error:
        raise NoInstaller(
            M("This system has no {program}.", program=argv[0]),
            unchanged=M("Nothing was installed."),
            hint=M("Install the driver with this system's own means, or on another computer."),
            detail=str(error),
        ) from None
    except subprocess.TimeoutExpired:
        return Answer(-1, "", f"{argv[0]}: no answer in {DEADLINE} s")
    return Answer(done.returncode, done.stdout, done.stderr)

"""Another program, run once to its end: without a shell, with a deadline and a limit for what it prints."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import msgspec

from fieldkit.text import M, Message

LARGEST = 512 * 1024 * 1024  # bytes; a drawn page or an unpacked document, not what never ends
BLOCK = 1 << 16


class ProgramResult(msgspec.Struct, frozen=True):
    """What a program did. status: its exit status; -1 where it came to no end, and `problem` says why."""

    status: int
    output: bytes = b""
    errors: bytes = b""
    problem: Message | None = None

    @property
    def text(self) -> str:
        """What it printed, with plain line ends."""
        return _text(self.output)

    @property
    def complaint(self) -> str:
        """What it printed as errors, or why it came to no end, for whoever helps: in English."""
        return self.problem.render("en") if self.problem is not None else _text(self.errors).strip()


def bring(program: str, package: str) -> Message:
    """How `program` comes onto this machine; `package` is what Debian calls what brings it."""
    if sys.platform == "win32":
        return M("Put {program} for Windows, whole, into a folder that PATH names.", program=program)
    if sys.platform.startswith("linux") and shutil.which("apt-get", path=os.defpath):  # wherever PATH looks
        return M("Install it: sudo apt-get install {package}", package=package)
    return M("Install {program} with this system's own means.", program=program)


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    stdin: bytes = b"",
    variables: Mapping[str, str] | None = None,
    largest: int = LARGEST,
) -> ProgramResult:
    """Run `argv` to its end; it is stopped after `timeout` seconds, or when it prints more than `largest`.

    stdin: all that it is given. variables: what its environment has besides this process's.
    """
    name = Path(argv[0]).name
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(variables),
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        problem = M("{program} could not be started: {reason}.", program=name, reason=reason)
        return ProgramResult(-1, problem=problem)
    assert process.stdout is not None
    assert process.stderr is not None
    output, errors = bytearray(), bytearray()

    def collect(stream: IO[bytes], printed: bytearray) -> None:
        with stream:
            while block := os.read(stream.fileno(), BLOCK):
                printed += block
                if len(printed) > largest:
                    process.kill()
                    return

    def feed() -> None:
        assert process.stdin is not None
        with contextlib.suppress(OSError), process.stdin as pipe:  # it may end before it has read all
            pipe.write(stdin)

    threads = [
        threading.Thread(target=collect, args=(process.stdout, output), daemon=True),
        threading.Thread(target=collect, args=(process.stderr, errors), daemon=True),
        *((threading.Thread(target=feed, daemon=True),) if stdin else ()),
    ]
    end = time.monotonic() + timeout
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(end - time.monotonic(), 0))
        process.wait(max(end - time.monotonic(), 0))
        late = any(thread.is_alive() for thread in threads)
    except subprocess.TimeoutExpired:
        late = True
    finally:
        process.kill()
        process.wait()
    if max(len(output), len(errors)) > largest:
        size = largest // 1_000_000
        problem = M("{program} printed more than {size} MB and was stopped.", program=name, size=size)
        return ProgramResult(-1, problem=problem)
    if late:
        problem = M(
            "{program} came to no end within {seconds} seconds and was stopped.",
            program=name,
            seconds=int(timeout),
        )
        return ProgramResult(-1, problem=problem)
    return ProgramResult(process.returncode, bytes(output), bytes(errors))


def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a program that is run: on Windows it looks for no program in the current folder."""
    return {**os.environ, "NoDefaultCurrentDirectoryInExePath": "1", **(variables or {})}


def _text(printed: bytes) -> str:
    return printed.decode("utf-8", "replace").replace("\r\n", "\n")

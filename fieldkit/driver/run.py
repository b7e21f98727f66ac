"""Running one installer command: its output goes to a log file, which is followed line by line.

The log, not a pipe, is the child's output: should this process die (a line drops, a window is
closed), the installer goes on to its end instead of being stopped half-way by a broken pipe.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from threading import Event

from fieldkit import program
from fieldkit.access import make_private_folder

POLL = 0.05
UNSTARTED = 127


def run(
    argv: Sequence[str],
    log: Path,
    *,
    hear: Callable[[str], None] = lambda line: None,
    stop: Event | None = None,
    may_stop: Callable[[], bool] = lambda: False,
) -> int:
    """Run `argv`, appending its output to `log`; return its exit status.

    hear: gets each line as it is written. stop: when set, the command is interrupted, but only
    while `may_stop` says that this is safe; else it runs to its end. A command that cannot be started at all
    ends with the system's number for it on Windows (740: it needs an administrator), elsewhere with 127.
    """
    make_private_folder(log.parent)
    with log.open("ab") as out:
        out.write(f"\n[{datetime.now().astimezone().isoformat(timespec='seconds')}] ".encode())
        out.write(f"$ {shlex.join(argv)}\n".encode())
        out.flush()
        start = out.tell()
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=program.environment(),
                # a group of its own, so that a Ctrl-C meant for fieldkit does not reach dpkg
                process_group=None if os.name == "nt" else 0,
            )
        except OSError as error:
            status = getattr(error, "winerror", None) or UNSTARTED
            out.write(f"{error}\n".encode())
            hear(str(error))
        else:
            status = _follow(child, log, start, hear, stop, may_stop)
        out.write(f"[exit {status}]\n".encode())
    return status


def _follow(
    child: subprocess.Popen[bytes],
    log: Path,
    start: int,
    hear: Callable[[str], None],
    stop: Event | None,
    may_stop: Callable[[], bool],
) -> int:
    interrupted = False
    rest = b""
    with log.open("rb") as written:
        written.seek(start)
        while True:
            status = child.poll()
            *lines, rest = (rest + written.read()).split(b"\n")
            for line in lines:
                hear(line.decode("utf-8", "replace"))
            if status is not None:
                if rest:
                    hear(rest.decode("utf-8", "replace"))
                return status
            if stop is not None and stop.is_set() and not interrupted and may_stop():
                interrupted = _interrupt(child)
            time.sleep(POLL)


def _interrupt(child: subprocess.Popen[bytes]) -> bool:
    try:
        child.send_signal(signal.SIGINT)
    except (PermissionError, ValueError, OSError):  # run by sudo: it is let run to its end
        pass
    return True

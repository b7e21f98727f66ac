"""A pseudo-terminal with a screen (pyte): bytes in as an input method sends them, the screen out."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

import pyte


class Pty:
    """A program in a pseudo-terminal of 80x24; a context manager."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
        columns: int = 80,
        rows: int = 24,
    ) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.received = 0
        self.raw = bytearray()
        self.status: int | None = None
        variables = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", **(environment or {})}
        self._pid, self._file = pty.fork()
        if self._pid == 0:
            os.execvpe(sys.executable, [sys.executable, *arguments], variables)
        self.resize(columns, rows)

    def __enter__(self) -> Pty:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.status is None:
            os.kill(self._pid, 9)
            os.waitpid(self._pid, 0)
        os.close(self._file)

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size, as dragging its corner does."""
        self._screen.resize(rows, columns)
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, *pieces: bytes, gap: float = 0.0) -> None:
        """Write each piece on its own, `gap` seconds apart."""
        for piece in pieces:
            os.write(self._file, piece)
            if gap:
                time.sleep(gap)

    def text(self) -> str:
        """What the screen shows."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def wait_for(self, text: str, seconds: float = 20) -> str:
        """The screen once `text` shows."""
        deadline = time.monotonic() + seconds
        while text not in self.text():
            if time.monotonic() > deadline or not self._read(0.05, deadline):
                raise AssertionError(f"waited for {text!r}, saw:\n{self.text()}")
        return self.text()

    def settle(self, quiet: float = 0.25) -> str:
        """The screen once nothing came for `quiet` seconds."""
        before = -1
        while before != self.received:
            before = self.received
            self._read(quiet, time.monotonic())
        return self.text()

    def wait_end(self, seconds: float = 20) -> int:
        """The exit status, once the program has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._read(0.05, deadline)
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                return self.status
        raise AssertionError(f"still running:\n{self.text()}")

    def stop_and_continue(self) -> None:
        """Suspend the program as a shell does, with something written meanwhile, and take it up again."""
        os.kill(self._pid, signal.SIGTSTP)
        os.waitpid(self._pid, os.WUNTRACED)
        self.settle()
        self._screen.reset()
        os.kill(self._pid, signal.SIGCONT)

    def hang_up(self) -> None:
        """Drop the connection."""
        os.close(self._file)
        self._file = os.open(os.devnull, os.O_RDWR)

    def _read(self, seconds: float, deadline: float) -> bool:
        """Take what comes within `seconds`; False once the program has closed its side."""
        if not select.select([self._file], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self._file, 65536)
        except OSError:
            return False
        self.received += len(data)
        self.raw += data
        self._stream.feed(data)
        return bool(data)

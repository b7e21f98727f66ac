"""A console of Windows with a program in it: Wine's in a pty, its keys and its size by `keyboard.py`."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import socket
import struct
import subprocess
import termios
import threading
import time
from pathlib import Path
from types import TracebackType

import pyte

from tests.windows import keyboard
from tests.windows.bed import WINE, Windows

# Wine 8 takes the sequences that draw a screen for text, and begins a new line where it thinks one full.
WIDE = 30_000
CURSOR = re.compile(rb"\x1b\[\?25[hl]")
POINTER = b"\x1b]22;default"  # without the bell that ends it, which Wine takes for one that is to sound
KEYS = {"Enter": "\r", "Home": "\x1b[H", "F2": "\x1bOQ", "C-c": "\3", "C-q": "\x11"}


class Console:
    """`program` in a console of so many columns and rows; a context manager."""

    def __init__(
        self, windows: Windows, program: Path, *, columns: int = 80, rows: int = 24, **variables: str
    ) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        port = str(listening.getsockname()[1])
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, WIDE, 0, 0))
        environment = windows.environment(
            TERM="xterm-256color", COLUMNS=str(columns), LINES=str(rows), **variables
        )
        command = (r"C:\python\python.exe", "-I", Path(keyboard.__file__), port, program)
        self.process = subprocess.Popen(
            [WINE, *map(windows.spelt, command)],
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=windows.drive,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self._screen = pyte.Screen(columns, rows)
        self._drawing = threading.Lock()
        threading.Thread(target=self._draw, daemon=True).start()
        listening.settimeout(60)
        self._keyboard, _ = listening.accept()
        listening.close()

    def __enter__(self) -> Console:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()
        self._keyboard.close()
        os.close(self._ours)

    def _draw(self) -> None:
        stream = pyte.ByteStream(self._screen)
        begun = b""
        with contextlib.suppress(OSError):
            while data := os.read(self._ours, 1 << 16):
                # Wine shows and hides its cursor in the midst of what it takes for text
                data = CURSOR.sub(b"", begun + data)
                cut = data.rfind(b"\x1b", -len(POINTER) - 12)
                data, begun = (data, b"") if cut < 0 else (data[:cut], data[cut:])
                with self._drawing:
                    stream.feed(data.replace(POINTER, b""))

    def screen(self) -> str:
        """What the person sees now, as text."""
        with self._drawing:
            return "\n".join(line.rstrip() for line in self._screen.display)

    def type(self, text: str) -> None:
        """Type letters as an input method gives them: whole ones, each a key."""
        os.write(self._ours, text.encode())

    def press(self, *keys: str) -> None:
        """Press keys: those of KEYS, or a letter."""
        for key in keys:
            self._tell(KEYS.get(key, key))

    def paste(self, text: str) -> None:
        self._tell(f"\x1b[200~{text}\x1b[201~")

    def resize(self, columns: int, rows: int) -> None:
        with self._drawing:
            self._screen.resize(rows, columns)
            self._screen.reset()
        self._tell([columns, rows])

    def close(self) -> None:
        """End the program at once, as Windows does with those of a window that is closed."""
        self._tell(None)

    def wait_for(self, *texts: str, seconds: float = 60) -> str:
        """The screen, once all of `texts` show; fails with the last screen otherwise."""
        deadline = time.monotonic() + seconds
        while not all(text in (shown := self.screen()) for text in texts):
            assert time.monotonic() < deadline, f"waited for {texts!r}, saw:\n{shown}"
            time.sleep(0.05)
        return shown

    def _tell(self, what: object) -> None:
        self._keyboard.sendall(json.dumps(what).encode() + b"\n")

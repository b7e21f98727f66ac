"""A console's keyboard and window on Windows: starts a program in its console and hands it what lines say.

A console that speaks virtual-terminal sequences, as Windows Terminal and the console of Windows 10 do, gives
each letter of a sequence as a key of its own. Wine's knows no such sequences. Each line that comes by the
connection is a JSON text to be typed; or two numbers, the window's new columns and rows; or null: the window
is closed, which ends its program at once.
"""

from __future__ import annotations

import ctypes
import json
import socket
import subprocess
import sys
import threading
from ctypes import wintypes
from typing import BinaryIO, ClassVar

KEY, SIZE = 1, 4


class Key(ctypes.Structure):
    _fields_: ClassVar = [
        ("down", wintypes.BOOL),
        ("repeat", wintypes.WORD),
        ("code", wintypes.WORD),
        ("scan", wintypes.WORD),
        ("letter", wintypes.WCHAR),
        ("control", wintypes.DWORD),
    ]


class Size(ctypes.Structure):
    _fields_: ClassVar = [("columns", wintypes.SHORT), ("rows", wintypes.SHORT)]


class Event(ctypes.Union):
    _fields_: ClassVar = [("key", Key), ("size", Size)]


class Record(ctypes.Structure):
    _fields_: ClassVar = [("kind", wintypes.WORD), ("event", Event)]


def obey(lines: BinaryIO, program: subprocess.Popen[bytes]) -> None:
    """Hand on what the lines say, until there are no more."""
    kernel = ctypes.WinDLL("kernel32")
    kernel.GetStdHandle.restype = wintypes.HANDLE
    console = wintypes.HANDLE(kernel.GetStdHandle(-10))
    written = wintypes.DWORD()
    for line in lines:
        wanted = json.loads(line)
        if wanted is None:
            program.kill()
            continue
        if isinstance(wanted, str):
            units = wanted.encode("utf-16-le")
            letters = [
                units[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(units), 2)
            ]
            records = [Record(KEY, Event(key=Key(True, 1, 0, 0, letter, 0))) for letter in letters]
        else:
            records = [Record(SIZE, Event(size=Size(*wanted)))]
        many = (Record * len(records))(*records)
        kernel.WriteConsoleInputW(console, many, len(records), ctypes.byref(written))


def serve(port: str, *command: str) -> int:
    program = subprocess.Popen(command)
    lines = socket.create_connection(("127.0.0.1", int(port))).makefile("rb")
    threading.Thread(target=obey, args=(lines, program), daemon=True).start()
    return program.wait()


if __name__ == "__main__":
    sys.exit(serve(*sys.argv[1:]))

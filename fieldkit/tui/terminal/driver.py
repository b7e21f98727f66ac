"""The driver between Textual and the terminal: sends only what differs, and outlives any byte that comes in.

For Linux and macOS; on Windows Textual's own driver does. Chosen by `fieldkit.tui.terminal.link`.
"""

from __future__ import annotations

import codecs
import os
import selectors
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from fieldkit.tui.messages import LineLost
from fieldkit.tui.terminal.shadow import Shadow

WAKE = 0.1  # seconds between looks at the clock: when a lone Esc is an Esc, and when to stop
REPLACEMENT = "\ufffd"


class ForeignByte(Message):
    """The terminal sent something that is not UTF-8; it was dropped."""


class KeyReader:
    """Bytes in, Textual's events out. No input makes it raise."""

    def __init__(self) -> None:
        self._restart()

    def _restart(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._parser = XTermParser(False)

    def feed(self, data: bytes) -> Iterator[Message]:
        """The events that `data` completes."""
        text = self._decoder.decode(data)
        if REPLACEMENT in text:
            text = text.replace(REPLACEMENT, "")
            yield ForeignByte()
        if text:
            yield from self._parsed(lambda: self._parser.feed(text))

    def tick(self) -> Iterator[Message]:
        """The events that are complete because time has passed (a lone Esc)."""
        yield from self._parsed(self._parser.tick)

    def _parsed(self, parse: Callable[[], Iterable[Message]]) -> Iterator[Message]:
        try:
            yield from parse()
        except Exception:  # the parser is a generator: once it has raised, it is of no use any more
            self._restart()
            yield ForeignByte()


class FieldDriver(LinuxDriver):
    """Textual's driver for Linux and macOS, with a memory of what is on the screen."""

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._shadow = Shadow()

    def write(self, data: str) -> None:
        sent = self._shadow.write(data)
        if sent:
            super().write(sent)

    def forget(self) -> None:
        """What comes next is sent whole: the terminal was resized, or something else wrote on it."""
        self._shadow.forget()

    def start_application_mode(self) -> None:
        self._shadow = Shadow()
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def run_input_thread(self) -> None:
        reader = KeyReader()
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(WAKE):
                    data = self._read()
                    if not data:
                        self.process_message(LineLost())
                        return
                    for event in reader.feed(data):
                        self.process_message(event)
                for event in reader.tick():
                    self.process_message(event)

    def _read(self) -> bytes:
        try:
            return os.read(self.fileno, 4096)
        except OSError:  # EIO: the other side of the terminal is gone
            return b""

"""What other threads and the terminal tell the app, as Textual's messages."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from textual.message import Message

if TYPE_CHECKING:
    from textual.screen import Screen

    from fieldkit.text import Said


class LineLost(Message):
    """The person cannot be reached any more: the connection is gone, or the machine is shut down."""


class TokenCameOrWent(Message):
    """A token came or went."""

    def __init__(self, text: Said) -> None:
        super().__init__()
        self.text = text


class DialogRequested(Message):
    """Another thread asks a person: `make` gives the screen for it, `answer` takes what that gives."""

    def __init__(self, make: Callable[[], Screen[Any]], answer: Future[Any]) -> None:
        super().__init__()
        self.make = make
        self.answer = answer

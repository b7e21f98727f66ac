"""Editing text by keys: a value in, a value out. Draws nothing and knows no terminal.

The text is composed (NFC) after every change, whatever was typed or pasted, and the cursor never
stands between a letter and the marks on it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import msgspec

from fieldkit.text import nfc

SEPARATORS = (" ", "\t", "\n")


class EditedText(msgspec.Struct, frozen=True):
    """A text being edited, and where in it the cursor stands (a number of code points)."""

    text: str = ""
    at: int = 0

    @property
    def before(self) -> str:
        return self.text[: self.at]

    @property
    def after(self) -> str:
        return self.text[self.at :]


Move = Callable[[EditedText], EditedText]


def typed(edited: EditedText, text: str, *, lines: bool = False) -> EditedText:
    """`text` typed or pasted at the cursor. Without `lines`, line ends become spaces."""
    clean = text.replace("\r\n", "\n").replace("\r", "\n")
    if not lines:
        clean = clean.strip("\n").replace("\n", " ")
    clean = "".join(letter for letter in clean.replace("\t", " ") if letter == "\n" or _visible(letter))
    return _joined(edited.before + clean, edited.after)


def erase_left(edited: EditedText) -> EditedText:
    """Backspace: one letter with its marks."""
    return _joined(left(edited).before, edited.after)


def erase_right(edited: EditedText) -> EditedText:
    """Delete: one letter with its marks."""
    return _joined(edited.before, right(edited).after)


def erase_word(edited: EditedText) -> EditedText:
    """The word before the cursor, with the spaces after it."""
    return _joined(word_left(edited).before, edited.after)


def erase_to_start(edited: EditedText) -> EditedText:
    """The line up to the cursor."""
    return _joined(line_start(edited).before, edited.after)


def erase_to_end(edited: EditedText) -> EditedText:
    """The line from the cursor on."""
    return _joined(edited.before, line_end(edited).after)


def left(edited: EditedText) -> EditedText:
    at = max(0, edited.at - 1)
    while at > 0 and is_mark(edited.text[at]):
        at -= 1
    return EditedText(edited.text, at)


def right(edited: EditedText) -> EditedText:
    return EditedText(edited.text, _boundary(edited.text, min(len(edited.text), edited.at + 1)))


def word_left(edited: EditedText) -> EditedText:
    at = len(edited.before.rstrip("".join(SEPARATORS)))
    while at > 0 and edited.text[at - 1] not in SEPARATORS:
        at -= 1
    while 0 < at < len(edited.text) and is_mark(edited.text[at]) and edited.text[at - 1] != "\n":
        at -= 1  # a mark on a space
    return EditedText(edited.text, at)


def word_right(edited: EditedText) -> EditedText:
    at = edited.at
    while at < len(edited.text) and edited.text[at] in SEPARATORS:
        at += 1
    while at < len(edited.text) and edited.text[at] not in SEPARATORS:
        at += 1
    return EditedText(edited.text, at)


def line_start(edited: EditedText) -> EditedText:
    return EditedText(edited.text, edited.before.rfind("\n") + 1)


def line_end(edited: EditedText) -> EditedText:
    end = edited.text.find("\n", edited.at)
    return EditedText(edited.text, len(edited.text) if end < 0 else end)


def _joined(head: str, tail: str) -> EditedText:
    """The two composed into one text, the cursor where they meet."""
    text = nfc(head + tail)
    return EditedText(text, _boundary(text, min(len(nfc(head)), len(text))))


def _boundary(text: str, at: int) -> int:
    """The first place from `at` on that is not between a letter and its marks."""
    while at < len(text) and is_mark(text[at]):
        at += 1
    return at


def is_mark(letter: str) -> bool:
    """Whether `letter` is a mark on the letter before it (a tone, a hook, a horn)."""
    return letter >= "\u0300" and unicodedata.combining(letter) != 0


def _visible(letter: str) -> bool:
    return letter.isprintable() or is_mark(letter)


KEYS: dict[str, Move] = {
    "backspace": erase_left,
    "delete": erase_right,
    "ctrl+d": erase_right,
    "ctrl+w": erase_word,
    "ctrl+backspace": erase_word,
    "alt+backspace": erase_word,
    "ctrl+u": erase_to_start,
    "ctrl+k": erase_to_end,
    "left": left,
    "right": right,
    "ctrl+left": word_left,
    "ctrl+right": word_right,
    "home": line_start,
    "ctrl+a": line_start,
    "end": line_end,
    "ctrl+e": line_end,
}

"""States as people see them: a sign and a word, never a colour alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fieldkit.operator import Progress, said
from fieldkit.text import M, Said
from fieldkit.text_output import SYMBOLS

if TYPE_CHECKING:
    from fieldkit.visit.model import State

SHORT_STATES: dict[State, Said] = {
    "open": M("later"),
    "ready": M("ready"),
    "signed": M("record missing"),
    "recorded": M("done"),
}
_SIGNS = SYMBOLS | {"recorded": "✓", "signed": "»", "ready": "»", "open": "·", "running": "»"}
_ASCII = str.maketrans(
    {
        "✓": "+",
        "✗": "x",
        "·": ".",
        "»": ">",
        "•": "*",
        "…": "~",
        "│": "|",
        "─": "-",
        "↑": "^",
        "↓": "v",
        "█": "#",
        "░": ".",
    }
)

_ascii_only = False


def use_ascii(wanted: bool) -> None:
    """Draw signs in ASCII: the terminal's font or character set lacks them."""
    global _ascii_only
    _ascii_only = wanted


def sign(state: str) -> str:
    """The sign of a status, a severity or a visit's state; one cell wide."""
    return plain(_SIGNS.get(state, " "))


def plain(drawing: str) -> str:
    """`drawing` as this terminal can show it."""
    return drawing.translate(_ASCII) if _ascii_only else drawing


def bar(done: int, total: int, width: int) -> str:
    """How much of `total` is done, drawn in `width` cells."""
    full = width * min(done, total) // total if total else 0
    return plain("█" * full + "░" * (width - full))


def progress(progress: Progress) -> str:
    """How far some work is, drawn and in words."""
    text = said(progress.text)
    if not progress.total:
        return text
    share = 100 * min(progress.done, progress.total) // progress.total
    return f"{bar(progress.done, progress.total, 12)} {share} %  {text}"

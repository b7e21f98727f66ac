"""States as people see them: a sign and a word, never a colour alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fieldkit.text import M, Said

if TYPE_CHECKING:
    from fieldkit.visit.model import State, Status

SHORT_STATES: dict[State, Said] = {
    "open": M("later"),
    "ready": M("ready"),
    "signed": M("record missing"),
    "recorded": M("done"),
}
STATUSES: dict[Status, Said] = {
    "done": M("done"),
    "todo": M("to do"),
    "failed": M("failed"),
    "not-checked": M("not checked"),
    "off": M("does not apply"),
}
_SIGNS = {
    "done": "✓",
    "pass": "✓",
    "recorded": "✓",
    "signed": "»",
    "ready": "»",
    "todo": "·",
    "open": "·",
    "info": "·",
    "failed": "✗",
    "fail": "✗",
    "warning": "!",
    "not-checked": "?",
    "off": "-",
    "running": "»",
}
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

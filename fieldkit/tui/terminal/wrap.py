"""Fitting text to cells: wrapping at words, and cutting with an ellipsis; what would not show is written out.

Pure. All that the screens draw goes through here, so no text of elsewhere steers the terminal.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len, chop_cells, set_cell_size

from fieldkit.text import visible
from fieldkit.tui.terminal.signs import plain


@lru_cache(maxsize=512)
def wrap(text: str, width: int) -> tuple[str, ...]:
    """`text` in lines of at most `width` cells; a word longer than a line is cut."""
    lines: list[str] = []
    for paragraph in visible(text, keep="\n").split("\n"):
        line = ""
        for word in paragraph.split(" "):
            joined = f"{line} {word}" if line else word
            if cell_len(joined) <= width:
                line = joined
                continue
            if line:
                lines.append(line)
            *whole, line = chop_cells(word, max(1, width)) or [""]
            lines += whole
        lines.append(line)
    return tuple(lines)


def cut(text: str, width: int) -> str:
    """`text` in exactly `width` cells: filled with spaces, or cut and marked as cut."""
    text = visible(text)
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, max(0, width - 1)) + plain("…") if width > 0 else ""


def folded(text: str) -> str:
    """`text` without marks and case, as people type when they search: "Đà Lạt" is "da lat"."""
    apart = unicodedata.normalize("NFD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).replace("đ", "d")

"""A page in the terminal: by the terminal's own pictures where it has them, in half-blocks otherwise."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from fieldkit.signature.cells import Colours
    from fieldkit.signature.raster import Pixels

Draw = Callable[[int, int], "Pixels"]  # at most so many pixels across and down
COLUMNS, LINES = 80, 44  # a page is as clear as that; more is only slower over a line
PLAIN = (80, 36)  # where there is no terminal to ask


def colours(environment: Mapping[str, str], *, terminal: bool) -> Colours:
    """What can be shown: nothing that is asked not to be, and no colour into a file."""
    kind = environment.get("TERM", "")
    if not terminal or "NO_COLOR" in environment or kind in ("", "dumb", "linux", "vt100", "vt220"):
        return "none"
    return "true" if environment.get("COLORTERM", "") in ("truecolor", "24bit") else "256"


def show(draw: Draw, out: TextIO | None = None, *, pictures: bool = True) -> None:
    """Print what `draw` gives to `out` (standard output). pictures: a real picture if the terminal can."""
    stream = out or sys.stdout
    terminal = stream.isatty()
    if terminal and pictures and colours(os.environ, terminal=True) != "none" and _picture(draw):
        return
    from fieldkit.signature.cells import lines

    columns, rows = shutil.get_terminal_size(PLAIN) if terminal else PLAIN
    picture = draw(min(columns - 1, COLUMNS), 2 * max(min(rows - 4, LINES), 8))
    for line in lines(picture, colours(os.environ, terminal=terminal)):
        stream.write(line + "\n")
    stream.flush()


def _picture(draw: Draw) -> bool:
    """Print it by sixels or kitty's protocol; False where the terminal has neither."""
    try:
        from PIL import Image
        from rich.console import Console
        from textual_image.renderable import Image as Renderable  # asks the terminal, on import
        from textual_image.renderable import SixelImage, TGPImage
    except Exception:  # it is not here, or the terminal answers nonsense: half-blocks do
        return False
    if Renderable not in (SixelImage, TGPImage):
        return False
    drawn = draw(900, 1200)
    Console().print(
        Renderable(Image.frombytes("RGB", (drawn.width, drawn.height), drawn.rgb), width=COLUMNS // 2)
    )
    return True

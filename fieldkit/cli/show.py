"""A page in the terminal: by the terminal's own pictures where it has them, in half-blocks otherwise."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TextIO

from fieldkit.errors import FieldkitError

if TYPE_CHECKING:
    from fieldkit.pdf.raster import Pixels
    from fieldkit.tui.terminal.link import Colours

Draw = Callable[[int, int], "Pixels"]  # at most so many pixels across and down
COLUMNS, LINES = 80, 44  # a page is as clear as that; more is only slower over a line
PICTURE = (900, 1200)  # pixels
PLAIN = (80, 36)  # where there is no terminal to ask


def colours(environment: Mapping[str, str], *, terminal: bool) -> Colours:
    """What can be shown: nothing that is asked not to be, and no colour into a file.

    A page wants more than 16 colours, so a terminal that promises no more is believed to have 256.
    """
    from fieldkit.tui.terminal.link import BARE_TERMINALS, judge

    colours = judge(environment).colours
    if not terminal or environment.get("TERM", "") in ("", *BARE_TERMINALS):
        return "none"
    return "256" if colours == "16" else colours


def show(draw: Draw, out: TextIO | None = None, *, pictures: bool = True) -> None:
    """Print what `draw` gives to `out` (standard output). pictures: a real picture if the terminal can."""
    stream = out or sys.stdout
    terminal = stream.isatty()
    if terminal and pictures and _may_ask(os.environ) and _picture(draw):
        return
    from fieldkit.tui.terminal.cells import lines

    columns, rows = shutil.get_terminal_size(PLAIN) if terminal else PLAIN
    picture = draw(min(columns - 1, COLUMNS), 2 * max(min(rows - 4, LINES), 8))
    for line in lines(picture, colours(os.environ, terminal=terminal)):
        stream.write(line + "\n")
    stream.flush()


def _may_ask(environment: Mapping[str, str]) -> bool:
    """Whether the terminal can be asked what it can: its answer has to come before anything else is typed.

    Over SSH the answer may be late, and would then stand in the person's next command.
    """
    remote = any(environment.get(name) for name in ("SSH_CONNECTION", "SSH_TTY", "MOSH_IP"))
    here = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    return here and not remote and colours(environment, terminal=True) != "none"


def _picture(draw: Draw) -> bool:
    """Print it by sixels or kitty's protocol; False where the terminal has neither."""
    try:
        from PIL import Image
        from rich.console import Console
        from textual_image.renderable import Image as Renderable  # asks the terminal, on import
        from textual_image.renderable import SixelImage, TGPImage

        if Renderable not in (SixelImage, TGPImage):
            return False
        drawn = draw(*PICTURE)
        held = Image.frombytes("RGB", (drawn.width, drawn.height), drawn.rgb)
        Console().print(Renderable(held, width=COLUMNS // 2))
    except FieldkitError:
        raise
    except Exception:  # the terminal answers nonsense, or says it has no size: half-blocks do
        return False
    return True

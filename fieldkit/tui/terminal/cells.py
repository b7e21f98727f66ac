"""Pictures as rows of character cells: half-blocks in colour, shades of grey where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from fieldkit.pdf.raster import Pixels
from fieldkit.tui.terminal.link import Colours

Colour = tuple[int, int, int]
Cell = tuple[Colour, Colour]  # the upper and the lower half
UPPER = "▀"
SHADES = ((248, " "), (215, "░"), (160, "▒"), (90, "▓"), (0, "█"))  # thin letters are hardly grey


def rows(picture: Pixels) -> list[list[Cell]]:
    """Two rows of pixels make one row of cells; a last single one is paired with white."""
    white = b"\xff" * (3 * picture.width)
    stride = 3 * picture.width
    cells = []
    for top in range(0, picture.height, 2):
        upper = picture.rgb[top * stride : (top + 1) * stride]
        lower = picture.rgb[(top + 1) * stride : (top + 2) * stride] or white
        cells.append(
            [
                ((upper[at], upper[at + 1], upper[at + 2]), (lower[at], lower[at + 1], lower[at + 2]))
                for at in range(0, stride, 3)
            ]
        )
    return cells


def runs(row: Sequence[Cell]) -> list[tuple[Cell, int]]:
    """Equal neighbours together, with how many there are: what is sent once costs once."""
    return [(cell, len(list(same))) for cell, same in groupby(row)]


def lines(picture: Pixels, colours: Colours) -> list[str]:
    """The picture as lines of text for a terminal with these colours."""
    if colours == "none":
        return ["".join(shade(cell) for cell in row).rstrip() for row in rows(picture)]
    made = []
    for row in rows(picture):
        parts = [
            f"\x1b[{_code(38, upper, colours)};{_code(48, lower, colours)}m{UPPER * count}"
            for (upper, lower), count in runs(row)
        ]
        made.append("".join(parts) + "\x1b[0m")
    return made


def _code(ground: int, colour: Colour, colours: Colours) -> str:
    if colours == "truecolor":
        return f"{ground};2;{colour[0]};{colour[1]};{colour[2]}"
    return f"{ground};5;{in_256(colour)}"


def in_256(colour: Colour) -> int:
    """The nearest of the 256 colours: the cube of 6 by 6 by 6, or one of the 24 greys."""
    if max(colour) - min(colour) < 12:
        level = sum(colour) // 3
        return 16 if level < 4 else 231 if level > 246 else 232 + min(23, (level - 3) // 10)
    red, green, blue = (round(value / 255 * 5) for value in colour)
    return 16 + 36 * red + 6 * green + blue


def shade(cell: Cell) -> str:
    """The cell as one of five greys."""
    light = sum(sum(half) for half in cell) // 6
    return next(shade for least, shade in SHADES if light >= least)

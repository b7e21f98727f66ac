"""Pages as pixels, drawn by pdftoppm: small ones for a terminal, a PNG to keep as evidence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fieldkit.signature import errors, poppler
from fieldkit.signature.pdfium import Pixels as Pixels
from fieldkit.text import M

if TYPE_CHECKING:
    from fieldkit.secret import Secret

HEAD = re.compile(rb"P6\s+(\d+)\s+(\d+)\s+255\s")
LARGEST = 4000  # pixels a side


class Window(msgspec.Struct, frozen=True):
    """The part of a page's picture that is drawn, in pixels from its top left corner."""

    left: int
    top: int
    width: int
    height: int


def page(
    path: Path,
    number: int,
    width: int,
    height: int,
    *,
    turn: int = 0,
    window: Window | None = None,
    password: Secret | None = None,
) -> Pixels:
    """The page (from 0) as a viewer shows it, signatures too, as `width` by `height` pixels.

    turn: how far the page is turned; pdftoppm scales it before it turns it. window: only this part of
    that picture.

    :raises ToolMissing: pdftoppm is not here. :raises DocumentUnfit: it cannot draw the page.
    """
    across, up = (height, width) if turn in (90, 270) else (width, height)
    options = ["-scale-to-x", str(min(across, LARGEST)), "-scale-to-y", str(min(up, LARGEST))]
    if window is not None:
        sides = ("-x", window.left), ("-y", window.top), ("-W", window.width), ("-H", window.height)
        options += [part for name, value in sides for part in (name, str(value))]
    return _read(_draw(path, number, options, password), path.name)


def png(path: Path, number: int = 0, *, longest: int = 1000, password: Secret | None = None) -> bytes:
    """The page as a PNG whose longer side has `longest` pixels; the same errors as `page`."""
    return _draw(path, number, ["-png", "-scale-to", str(min(longest, LARGEST))], password)


def _draw(path: Path, number: int, options: Sequence[str], password: Secret | None) -> bytes:
    which = ["-cropbox", "-f", str(number + 1), "-l", str(number + 1), "-singlefile"]
    drawn = poppler.ask("pdftoppm", [*which, *options], path, password)
    if not drawn:
        raise errors.DocumentUnfit(
            M("Page {page} of {name} cannot be drawn.", page=number + 1, name=path.name),
            hint=M("Look at it in a viewer."),
        )
    return drawn


def _read(ppm: bytes, name: str) -> Pixels:
    head = HEAD.match(ppm)
    if head is None:
        raise errors.DocumentUnfit(M("The file {name} cannot be drawn.", name=name))
    width, height = int(head[1]), int(head[2])
    rgb = ppm[head.end() : head.end() + 3 * width * height]
    if len(rgb) != 3 * width * height:
        raise errors.DocumentUnfit(M("The file {name} cannot be drawn.", name=name))
    return Pixels(width, height, rgb)


def printed(under: Pixels, over: Pixels, left: int, top: int) -> Pixels:
    """`over` printed onto `under` with its corner there, as ink is: white changes nothing."""
    made = bytearray(under.rgb)
    first, last = max(0, -left), min(over.width, under.width - left)
    for row in range(max(0, -top), min(over.height, under.height - top)):
        at, of = 3 * ((top + row) * under.width + left), 3 * row * over.width
        for column in range(3 * first, 3 * last):
            ink = over.rgb[of + column]
            if ink != 255:
                made[at + column] = made[at + column] * ink // 255
    return Pixels(under.width, under.height, bytes(made))


def framed(picture: Pixels, window: Window, colour: tuple[int, int, int]) -> Pixels:
    """The picture with the outline of `window` dotted in this colour, as far as it lies inside."""
    made = bytearray(picture.rgb)
    right, bottom = window.left + window.width - 1, window.top + window.height - 1
    outline = [(x, y) for x in range(window.left, right + 1) for y in (window.top, bottom)]
    outline += [(x, y) for y in range(window.top, bottom + 1) for x in (window.left, right)]
    for x, y in outline:
        if 0 <= x < picture.width and 0 <= y < picture.height and (x + y) % 2 == 0:
            at = 3 * (y * picture.width + x)
            made[at : at + 3] = bytes(colour)
    return Pixels(picture.width, picture.height, bytes(made))

"""Pages as pixels, drawn by PDFium: small ones for a terminal, a PNG to keep as evidence."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fieldkit.pdf import engines
from fieldkit.pdf.errors import DocumentUnfit
from fieldkit.pdf.pdfium import Pixels as Pixels
from fieldkit.pdf.pdfium import Request
from fieldkit.text import M

if TYPE_CHECKING:
    from PIL.Image import Image

    from fieldkit.secret import Secret

LARGEST = 4000  # pixels a side
CLOSEST = 72_000  # dots an inch: the longest side alone sets the size


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
    window: Window | None = None,
    password: Secret | None = None,
) -> Pixels:
    """The page (from 0) as a viewer shows it, signatures too, as `width` by `height` pixels.

    window: only this part of that picture.

    :raises DocumentUnfit: the page cannot be drawn.
    """
    full = min(width, LARGEST), min(height, LARGEST)
    part = msgspec.structs.astuple(window) if window is not None else None
    return _draw(path, Request(str(path), number=number, full=full, window=part), password)


def png(path: Path, number: int = 0, *, longest: int = 1000, password: Secret | None = None) -> bytes:
    """The page as a PNG whose longer side has `longest` pixels; the same errors as `page`."""
    request = Request(str(path), number=number, dpi=CLOSEST, longest=min(longest, LARGEST))
    out = BytesIO()
    _image(_draw(path, request, password)).save(out, "PNG")
    return out.getvalue()


def _image(pixels: Pixels) -> Image:
    from PIL import Image

    return Image.frombytes("RGB", (pixels.width, pixels.height), pixels.rgb)


def _draw(path: Path, request: Request, password: Secret | None) -> Pixels:
    if password is not None:
        request = msgspec.structs.replace(request, password=password.reveal())
    try:
        with engines.by_pdfium(request) as drawn:
            (picture,) = drawn
    except engines.DrawingFailed as error:
        number = request.number or 0
        raise DocumentUnfit(
            M("Page {page} of {name} cannot be drawn.", page=number + 1, name=path.name),
            hint=M("Look at it in a viewer."),
            detail=str(error),
        ) from None
    return picture


def printed(under: Pixels, over: Pixels, left: int, top: int) -> Pixels:
    """`over` printed onto `under` with its corner there, as ink is: white changes nothing."""
    from PIL import Image, ImageChops

    page = _image(under)
    ink = Image.new("RGB", page.size, "white")
    ink.paste(_image(over), (left, top))
    return Pixels(under.width, under.height, ImageChops.multiply(page, ink).tobytes())


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

"""PDFium in a process of its own: `python -m fieldkit.pdf.pdfium` draws what standard input asks for.

It is no thread's friend, and a document made to crash it must crash nothing else. A request is a line of JSON
(`Request`); the answer is a row of PPM pictures and a line "END", or a line "FAIL" with the reason.
A password comes with the request, over the pipe, never on a command line.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

MEMORY = 2 * 1024**3  # bytes of address space; a document that wants more is not drawn


class Pixels(msgspec.Struct, frozen=True):
    """A picture: three bytes (red, green, blue) a pixel, row by row from the top."""

    width: int
    height: int
    rgb: bytes


class Request(msgspec.Struct, frozen=True):
    """What is to be drawn: all pages at `dpi`, or of page `number` a window, at the size of `full`.

    longest: pixels that no side goes beyond. window: left, top, width, height in pixels.
    """

    path: str
    password: str = ""
    dpi: float = 72
    longest: int = 4000
    number: int | None = None
    full: tuple[int, int] | None = None
    window: tuple[int, int, int, int] | None = None


def serve() -> None:
    """Answer requests until standard input ends."""
    _bounded()
    out = sys.stdout.buffer
    for line in sys.stdin.buffer:
        request = msgspec.json.decode(line, type=Request)
        try:
            for width, height, rgb in _pictures(request):
                out.write(b"P6\n%d %d\n255\n" % (width, height))
                out.write(rgb)
            out.write(b"END\n")
        except Exception as error:  # whatever the library stumbles over is the answer
            out.write(f"FAIL {type(error).__name__}: {error}".replace("\n", " ").encode() + b"\n")
        out.flush()


def _bounded() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))  # type: ignore[attr-defined,unused-ignore]


def _pictures(request: Request) -> Iterator[tuple[int, int, memoryview]]:
    library: Any = importlib.import_module("pypdfium2")  # untyped
    document = library.PdfDocument(request.path, password=request.password or None)
    try:
        document.init_forms()
        numbers = range(len(document)) if request.number is None else (request.number,)
        for number in numbers:
            page = document[number]
            try:
                yield _picture(library, page, document.formenv, request)
            finally:
                page.close()
    finally:
        document.close()


def _picture(library: Any, page: Any, form: Any, request: Request) -> tuple[int, int, memoryview]:
    """The page as a viewer shows it, notes, fields and signatures too."""
    across, up = page.get_size()
    scale = min(request.dpi / 72, request.longest / max(across, up))
    full = request.full or (max(1, round(across * scale)), max(1, round(up * scale)))
    left, top, width, height = request.window or (0, 0, *full)
    raw = library.raw
    bitmap = library.PdfBitmap.new_native(width, height, raw.FPDFBitmap_BGR)
    bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
    place = (bitmap, page, -left, -top, *full, 0, raw.FPDF_ANNOT | raw.FPDF_REVERSE_BYTE_ORDER)
    raw.FPDF_RenderPageBitmap(*place)
    if form is not None:
        raw.FPDF_FFLDraw(form, *place)
    return width, height, memoryview(bitmap.buffer).cast("B")


if __name__ == "__main__":
    serve()

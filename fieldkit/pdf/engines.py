"""Three programs that draw pages, sharing no code: PDFium (a wheel, so always here), poppler and MuPDF.

Each runs apart, with a time limit and bounded memory, and hands over one page at a time.
"""

from __future__ import annotations

import atexit
import contextlib
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec

from fieldkit.pdf import pdfium
from fieldkit.pdf.pdfium import Pixels, Request
from fieldkit.program import bring
from fieldkit.text import M, Message

if TYPE_CHECKING:
    from fieldkit.secret import Secret

PATIENCE = 60.0  # seconds for one document and one engine
LARGEST = 40_000_000  # pixels of one page
IDLE = 2  # PDFium processes that are kept for the next document


class DocumentView(msgspec.Struct, frozen=True):
    """A document, or a revision of it, in a file of its own.

    dpi: how closely it is looked at. longest: pixels that no side goes beyond.
    """

    path: Path
    dpi: float
    longest: int
    password: Secret | None = None


class DrawingFailed(Exception):
    """An engine did not draw a document. settled: it was not stopped, but cannot read it."""

    def __init__(self, reason: Message, hint: Message | None = None, *, settled: bool = False) -> None:
        super().__init__(str(reason))
        self.reason, self.hint, self.settled = reason, hint, settled


Drawing = contextlib.AbstractContextManager[Iterator[Pixels]]
"""Every page, in order; where the engine stops, the iterator raises `DrawingFailed`."""


def _pdfium(view: DocumentView) -> Drawing:
    password = view.password.reveal() if view.password is not None else ""
    return by_pdfium(Request(str(view.path), password, view.dpi, view.longest))


def _poppler(view: DocumentView) -> Drawing:
    # without smoothing it is ten times as fast, and more dots make up for it; the other two smooth
    line = ["pdftoppm", "-q", "-r", f"{view.dpi * 1.2:.2f}", "-cropbox", "-aa", "no", str(view.path)]
    return _by_program("poppler", "poppler-utils", line, view)


def _mupdf(view: DocumentView) -> Drawing:
    sides = ("-w", str(view.longest), "-h", str(view.longest))
    line = ["mutool", "draw", "-q", "-r", f"{view.dpi:.2f}", *sides, "-c", "rgb", "-F", "pnm", "-o", "-"]
    return _by_program("mupdf", "mupdf-tools", [*line, str(view.path)], view)


ENGINES: dict[str, Callable[[DocumentView], Drawing]] = {
    "pdfium": _pdfium,
    "poppler": _poppler,
    "mupdf": _mupdf,
}


@contextlib.contextmanager
def _by_program(
    name: str, package: str, line: Sequence[str], view: DocumentView
) -> Iterator[Iterator[Pixels]]:
    program = shutil.which(line[0])
    if program is None:
        raise DrawingFailed(
            M("{program} is not on this machine.", program=line[0]),
            bring(line[0], package),
        )
    if view.password is not None:
        raise DrawingFailed(
            M(
                "{judge} was not asked: the document needs a password, and programs are not given any.",
                judge=name,
            ),
            M("Ask the document's author for a copy without a password."),
        )
    process = _started([program, *line[1:]], line[0])
    try:
        with _deadline(process, line[0]):
            yield _printed(process, line[0])
    finally:
        _end(process)


def _started(line: Sequence[str], name: str) -> subprocess.Popen[bytes]:
    try:
        process = subprocess.Popen(
            list(line), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        reason = error.strerror or str(error)
        raise DrawingFailed(
            M("{program} could not be started: {reason}.", program=name, reason=reason)
        ) from None
    with contextlib.suppress(ImportError, AttributeError, ValueError, OSError):
        import resource

        memory = (pdfium.MEMORY, pdfium.MEMORY)
        resource.prlimit(process.pid, resource.RLIMIT_AS, memory)  # type: ignore[attr-defined,unused-ignore]
    return process


@contextlib.contextmanager
def _deadline(process: subprocess.Popen[bytes], name: str) -> Iterator[None]:
    """Stop the process when its time is over, and say so."""
    over = threading.Event()

    def stop() -> None:
        over.set()
        process.kill()

    timer = threading.Timer(PATIENCE, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    except DrawingFailed:
        if not over.is_set():
            raise
        seconds = int(PATIENCE)
        raise DrawingFailed(
            M(
                "{program} came to no end within {seconds} seconds and was stopped.",
                program=name,
                seconds=seconds,
            )
        ) from None
    finally:
        timer.cancel()


def _printed(process: subprocess.Popen[bytes], name: str) -> Iterator[Pixels]:
    """The pages that a program writes to its standard output."""
    assert process.stdout is not None
    drawn = 0
    while process.stdout.readline(8) == b"P6\n":
        yield _picture(process.stdout, name)
        drawn += 1
    status = process.wait()
    if status < 0:
        raise _broken_off(name)
    if not drawn:  # a program that remarks on something may end with a fault and have drawn every page
        raise DrawingFailed(M("{program} cannot draw the document.", program=name), settled=True)


def _picture(out: IO[bytes], name: str) -> Pixels:
    """The picture whose first line was just read."""
    sides = out.readline(32).split()
    out.readline(8)
    if len(sides) != 2:
        raise _broken_off(name)
    width, height = int(sides[0]), int(sides[1])
    if width * height > LARGEST:
        raise DrawingFailed(M("{program} makes a page too large to be compared.", program=name))
    rgb = out.read(3 * width * height)
    if len(rgb) < 3 * width * height:
        raise _broken_off(name)
    return Pixels(width, height, rgb)


def _broken_off(name: str) -> DrawingFailed:
    return DrawingFailed(M("{program} ended before its time.", program=name))


_idle: list[subprocess.Popen[bytes]] = []
_lock = threading.Lock()


def prepare() -> None:
    """Have a process for PDFium ready: to start takes longer than to draw a page, and needs nobody."""
    with _lock, contextlib.suppress(DrawingFailed):  # who asks it to draw will be told
        if not _idle:
            _idle.append(_worker())


def _worker() -> subprocess.Popen[bytes]:
    return _started([sys.executable, "-m", pdfium.__name__], "PDFium")


@contextlib.contextmanager
def by_pdfium(request: Request) -> Iterator[Iterator[Pixels]]:
    """What PDFium draws, in a process that waits for work or a new one; where it stops, `DrawingFailed`."""
    with _lock:
        process = _idle.pop() if _idle else None
    if process is None or process.poll() is not None:
        process = _worker()
    answered = threading.Event()
    try:
        with _deadline(process, "PDFium"):
            yield _answers(process, request, answered)
    finally:
        with _lock:
            keep = answered.is_set() and len(_idle) < IDLE
            if keep:
                _idle.append(process)
        if not keep:
            _end(process)


def _answers(
    process: subprocess.Popen[bytes], request: Request, answered: threading.Event
) -> Iterator[Pixels]:
    """The pages of one answer. answered: set once it came to its end."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(OSError):  # it has gone: nothing comes back either
        process.stdin.write(msgspec.json.encode(request) + b"\n")
        process.stdin.flush()
    while (line := process.stdout.readline(4096)) == b"P6\n":
        yield _picture(process.stdout, "PDFium")
    if not line.startswith((b"END", b"FAIL")):
        raise _broken_off("PDFium")
    answered.set()
    if line.startswith(b"FAIL"):
        raise DrawingFailed(M("{program} cannot draw the document.", program="PDFium"), settled=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


@atexit.register
def end_all() -> None:
    """End the processes that wait for work; the next document starts them anew."""
    while _idle:
        _end(_idle.pop())

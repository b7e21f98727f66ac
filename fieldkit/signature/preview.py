"""A stamp on its way to its place: shown on the page before anything is signed, moved, and shown again after.

Nothing here knows a screen: a draft is a value, an easel turns it into pixels.
"""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import msgspec

from fieldkit.pdf import raster
from fieldkit.pdf.errors import DocumentUnfit
from fieldkit.pdf.page import POINTS_PER_MM
from fieldkit.pdf.raster import Pixels, Window
from fieldkit.signature.batch import StampSpec
from fieldkit.stamp.place import Page, Place, on_page, pages
from fieldkit.text import M, Message

if TYPE_CHECKING:
    from fieldkit.secret import Secret

FRAME = (230, 0, 160)
ZOOMS = (1, 2, 4, 8)
SMALLEST_MM = 4


class StampDraft(msgspec.Struct, frozen=True):
    """Where a stamp is about to go. found: by title and name, not by default. start: where it began.

    Every change gives a new draft, and keeps the stamp on its page.
    """

    pages: tuple[Page, ...]
    start: Place
    place: Place
    found: bool = True
    fixed: bool = False

    @property
    def page(self) -> Page:
        """The page it is on."""
        return self.pages[self.place.page]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom as seen, in the page's units."""
        return self.page.sheet.seen(self.place.box)

    def nudge(self, right_mm: float, down_mm: float) -> StampDraft:
        """Moved by millimetres on paper."""
        left, top, right, bottom = self.box
        sheet = self.page.sheet
        return self._at(
            self.place.page,
            left + sheet.units(right_mm),
            top + sheet.units(down_mm),
            right - left,
            bottom - top,
        )

    def resize(self, percent: int) -> StampDraft:
        """Grown (over 100) or shrunk about its centre; a seal keeps its actual size."""
        if self.fixed:
            return self
        left, top, right, bottom = self.box
        least = self.page.sheet.units(SMALLEST_MM)
        width, height = (max(side * percent / 100, min(side, least)) for side in (right - left, bottom - top))
        middle, centre = (left + right) / 2, (top + bottom) / 2
        return self._at(self.place.page, middle - width / 2, centre - height / 2, width, height)

    def turn_page(self, by: int) -> StampDraft:
        """On another page, at the same place and in the same size on paper; at the ends it stays."""
        number = min(max(self.place.page + by, 0), len(self.pages) - 1)
        scale = self.page.sheet.unit / self.pages[number].sheet.unit
        left, top, right, bottom = (scale * side for side in self.box)
        return self._at(number, left, top, right - left, bottom - top)

    def reset(self) -> StampDraft:
        """Back where it began."""
        return msgspec.structs.replace(self, place=self.start)

    def _at(self, number: int, left: float, top: float, width: float, height: float) -> StampDraft:
        return msgspec.structs.replace(
            self, place=on_page(self.pages[number], number, left, top, width, height)
        )

    @property
    def option(self) -> str:
        """The place as `fieldkit sign --at` takes it."""
        return ",".join(map(str, (self.place.page + 1, *self.place.box)))

    def words(self) -> Message:
        """Where it is, in a sentence."""
        unit = self.page.sheet.unit / POINTS_PER_MM
        left, top, right, bottom = (round(side * unit) for side in self.box)
        return M(
            "Page {page} of {pages}: {left} mm from the left, {top} mm from the top, {width} × {height} mm.",
            page=self.place.page + 1,
            pages=len(self.pages),
            left=left,
            top=top,
            width=right - left,
            height=bottom - top,
        )


@runtime_checkable
class Placer(Protocol):
    """What an `Operator` also is where it can show pages: it lets the person see the stamp and move it."""

    async def place_stamp(self, source: Path, look: StampSpec, draft: StampDraft) -> Place | None:
        """The place the person agreed to; None if they left without."""


def draft(
    source: Path, look: StampSpec, *, password: Secret | None = None, field: Place | None = None
) -> StampDraft:
    """The stamp of `look` where signing `source` would put it. field: the place of an existing field.

    :raises DocumentUnfit, DocumentEncrypted: the document cannot be read, or has no pages.
    """
    held = tuple(pages(source, password))
    if not held:
        raise DocumentUnfit(M("The document {name} has no pages.", name=source.name))
    spot, known = look.spot(source, password, field, held)
    return StampDraft(
        held,
        spot,
        spot,
        known,
        fixed=look.rule.image == "seal" or field is not None,
    )


class Easel:
    """Draws drafts of one document, from any thread. What was drawn is kept: a nudge costs no program."""

    def __init__(self, source: Path, look: StampSpec, *, password: Secret | None = None) -> None:
        self._source = source
        self._look = look
        self._password = password
        self._drawing = threading.Lock()
        self._pages: dict[tuple[int, int, int, Window], Pixels] = {}
        self._stamps: dict[tuple[int, int, int, int], Pixels] = {}

    def pixels(self, draft: StampDraft, width: int, height: int, *, zoom: int = 1) -> Pixels:
        """The page with the stamp in at most so many pixels; zoomed, the part around the stamp.

        :raises DocumentUnfit: the page cannot be drawn.
        """
        page = draft.page
        scale = zoom * min(width / page.width, height / page.height)
        scale = min(scale, raster.LARGEST / max(page.width, page.height))
        full = max(1, round(page.width * scale)), max(1, round(page.height * scale))
        left, top, right, bottom = (round(side * scale) for side in draft.box)
        window = Window(
            _around((left + right) // 2, width, full[0]),
            _around((top + bottom) // 2, height, full[1]),
            min(width, full[0]),
            min(height, full[1]),
        )
        place = Window(left - window.left, top - window.top, max(right - left, 1), max(bottom - top, 1))
        with self._drawing:
            drawn = self._page(draft.place.page, full, window)
            stamp = self._stamp(draft, place.width, place.height)
        return raster.framed(raster.printed(drawn, stamp, place.left, place.top), place, FRAME)

    def _page(self, number: int, full: tuple[int, int], window: Window) -> Pixels:
        key = (number, *full, window)
        if key not in self._pages:
            if len(self._pages) > 16:
                self._pages.clear()
            self._pages[key] = raster.page(
                self._source, number, *full, window=window, password=self._password
            )
        return self._pages[key]

    def _stamp(self, draft: StampDraft, width: int, height: int) -> Pixels:
        across, up = draft.place.size
        key = (across, up, width, height)
        if key not in self._stamps:
            upright = Place(0, (0, 0, max(across, 1), max(up, 1)), 0, draft.place.unit)
            form = self._look.on(upright).form
            with tempfile.TemporaryDirectory(prefix="fieldkit-preview-") as folder:
                path = Path(folder) / "stamp.pdf"
                path.write_bytes(form)
                self._stamps[key] = raster.page(path, 0, width, height)
        return self._stamps[key]


def signed(path: Path, place: Place, width: int, height: int, *, password: Secret | None = None) -> Pixels:
    """The page of a signed document as viewers show it, in at most so many pixels."""
    page = pages(path, password)[place.page]
    scale = min(width / page.width, height / page.height)
    size = max(1, round(page.width * scale)), max(1, round(page.height * scale))
    return raster.page(path, place.page, *size, password=password)


def _around(middle: int, room: int, whole: int) -> int:
    """Where a window of `room` begins so that `middle` is in its middle, inside `whole`."""
    return max(0, min(middle - room // 2, whole - room))

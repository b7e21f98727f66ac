"""A page as paper: what a viewer shows of it, turned and cropped, against the coordinates PDF writes in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from pyhanko.pdf_utils.generic import DictionaryObject
    from pyhanko.pdf_utils.reader import PdfFileReader

INHERITED = ("/MediaBox", "/CropBox", "/Rotate")
POINTS_PER_MM = 72 / 25.4
MOST_PAGES = 20_000  # a document beyond that is not searched for a place


class PageSheet(msgspec.Struct, frozen=True):
    """The visible part of a page in its own units, how far a viewer turns it clockwise, and the unit's size.

    What people see is measured from the top left corner of the page as shown; what PDF stores, from
    the bottom left of the page as written. unit: 1/72 inch times this (UserUnit).
    """

    left: float = 0
    bottom: float = 0
    right: float = 595
    top: float = 842
    turn: int = 0
    unit: float = 1

    @property
    def width(self) -> float:
        """As shown, in the page's own units."""
        return self.top - self.bottom if self.turn in (90, 270) else self.right - self.left

    @property
    def height(self) -> float:
        """As shown, in the page's own units."""
        return self.right - self.left if self.turn in (90, 270) else self.top - self.bottom

    def units(self, mm: float) -> float:
        """Millimetres on paper in the page's own units."""
        return mm * POINTS_PER_MM / self.unit

    def stored(self, left: float, top: float, right: float, bottom: float) -> tuple[int, int, int, int]:
        """A box as seen, the way PDF stores it: left, bottom, right, top, in whole units."""
        (x1, y1), (x2, y2) = self._stored(left, top), self._stored(right, bottom)
        left, bottom = round(min(x1, x2)), round(min(y1, y2))
        return left, bottom, left + round(abs(x2 - x1)), bottom + round(abs(y2 - y1))  # equal sides stay so

    def seen(self, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """A stored box as it is seen: left, top, right, bottom."""
        (x1, y1), (x2, y2) = self._seen(box[0], box[1]), self._seen(box[2], box[3])
        return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)

    def _stored(self, x: float, y: float) -> tuple[float, float]:
        if self.turn == 90:
            return self.left + y, self.bottom + x
        if self.turn == 180:
            return self.right - x, self.bottom + y
        if self.turn == 270:
            return self.right - y, self.top - x
        return self.left + x, self.top - y

    def _seen(self, x: float, y: float) -> tuple[float, float]:
        if self.turn == 90:
            return y - self.bottom, x - self.left
        if self.turn == 180:
            return self.right - x, y - self.bottom
        if self.turn == 270:
            return self.top - y, self.right - x
        return x - self.left, self.top - y


def sheets(reader: PdfFileReader) -> list[PageSheet]:
    """The sheets of an open document, in order."""
    return [sheet(page, inherited) for page, inherited in leaves(reader.root["/Pages"])]


def leaves(root: DictionaryObject) -> Iterator[tuple[DictionaryObject, dict[str, object]]]:
    """Every page with what its parents hand down; a tree that bites its tail ends."""
    from pyhanko.pdf_utils.generic import DictionaryObject

    waiting: list[tuple[DictionaryObject, dict[str, object]]] = [(root, {})]
    seen = 0
    while waiting and seen < MOST_PAGES:
        node, inherited = waiting.pop()
        seen += 1
        own = inherited | {key: value for key in INHERITED if (value := entry(node, key)) is not None}
        if "/Kids" in node:
            kids = node["/Kids"]  # by index: iteration would give references
            inside = (kids[at] for at in range(len(kids) - 1, -1, -1))
            # what is no dictionary is no page
            waiting += [(kid, own) for kid in inside if isinstance(kid, DictionaryObject)]
        else:
            yield node, own


def sheet(page: DictionaryObject, inherited: dict[str, object]) -> PageSheet:
    """The sheet of one page, with what it inherits."""
    media = _box(inherited.get("/MediaBox")) or (0.0, 0.0, 595.0, 842.0)
    crop = _box(inherited.get("/CropBox")) or media
    left, bottom = max(media[0], crop[0]), max(media[1], crop[1])
    right, top = min(media[2], crop[2]), min(media[3], crop[3])
    if right <= left or top <= bottom:  # a crop box beside the page is ignored, as viewers do
        left, bottom, right, top = media
    turn = _number(inherited.get("/Rotate"), 0)
    unit = _number(entry(page, "/UserUnit"), 1)
    return PageSheet(
        left,
        bottom,
        right,
        top,
        int(turn) % 360 if turn % 90 == 0 else 0,
        unit if unit > 0 else 1,
    )


def entry(holder: DictionaryObject, name: str) -> object:
    """What stands under `name` in a dictionary, references followed (its `get` would not), or None."""
    try:
        return holder[name]
    except KeyError:
        return None


def _number(value: Any, otherwise: float) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return otherwise


def _box(value: Any) -> tuple[float, float, float, float] | None:
    try:
        x1, y1, x2, y2 = (float(value[at]) for at in range(4))
    except (TypeError, ValueError, IndexError, KeyError):
        return None
    box = (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
    return box if box[2] > box[0] and box[3] > box[1] else None

"""Where a stamp goes: found from the signer's title and name in the page's text, as the rules say."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fieldkit.pdf import boundary, document, poppler
from fieldkit.pdf.page import POINTS_PER_MM as POINTS_PER_MM
from fieldkit.pdf.page import PageSheet, sheets
from fieldkit.text import nfc

if TYPE_CHECKING:
    from fieldkit.secret import Secret

PERSON_MM = (40, 20)  # width and height of a signature's image where the rule fixes none
SEAL_MM = 36  # the common round seal; an agency's own size is given with the rule or the call
TEXT_MM = (75, 14)
OVERLAP = 33  # percent of the signature's image that the seal covers, where the rule does not say
ENDS = ",.;:()[]“”\"'"  # around a word, no part of a name


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a field is: the page counted from 0, and left, bottom, right, top in the page's units.

    turn: how far a viewer turns the page clockwise, so that what is drawn is turned back. unit: the
    page's unit in 1/72 inch, so that what is drawn has its size on paper.
    """

    page: int
    box: tuple[int, int, int, int]
    turn: int = 0
    unit: float = 1

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as they are seen."""
        left, bottom, right, top = self.box
        across, up = right - left, top - bottom
        return (up, across) if self.turn in (90, 270) else (across, up)


class PageWord(msgspec.Struct, frozen=True):
    """A word on a page; the box is measured from the top left corner of the page as shown."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


class Page(msgspec.Struct, frozen=True):
    """A page as it is shown, and its words in reading order."""

    sheet: PageSheet
    words: tuple[PageWord, ...] = ()

    @property
    def width(self) -> float:
        return self.sheet.width

    @property
    def height(self) -> float:
        return self.sheet.height


class StampPlaces(msgspec.Struct, frozen=True):
    """The places for a person's signature and an agency's seal. located: the name was on the page."""

    person: Place
    agency: Place
    located: bool


def pages(path: Path, password: Secret | None = None) -> list[Page]:
    """The pages as shown; without words where pdftotext is not here or cannot read them.

    :raises DocumentUnfit, DocumentEncrypted: the document cannot be read at all.
    """
    from pyhanko.pdf_utils.reader import PdfFileReader

    with document.opened(path) as file, boundary.reading(path.name):
        reader = PdfFileReader(file, strict=False)
        locked = reader.encrypted
        if locked:
            boundary.unlock(reader.decrypt, path.name, password)
        page_sheets = sheets(reader)
    words = _words(path, password if locked else None) if poppler.here("pdftotext") else []
    return [Page(sheet, words[at] if at < len(words) else ()) for at, sheet in enumerate(page_sheets)]


def _words(path: Path, password: Secret | None) -> list[tuple[PageWord, ...]]:
    """The words of each page as shown (cropped and turned)."""
    options = ["-cropbox", "-bbox", "-enc", "UTF-8"]
    output = poppler.ask("pdftotext", options, path, password, after=["-"])
    number = r'="(-?[\d.]+)"'
    word = re.compile(rf"<word xMin{number} yMin{number} xMax{number} yMax{number}>(.*?)</word>")
    return [
        tuple(
            PageWord(nfc(html.unescape(match[5])), *(float(match[at]) for at in range(1, 5)))
            for match in word.finditer(block[1])
        )
        for block in re.finditer(
            r"<page width[^>]*>(.*?)</page>", (output or b"").decode("utf-8", "replace"), re.DOTALL
        )
    ]


def locate(
    shown: Sequence[Page],
    *,
    name: str,
    title: str = "",
    seal_mm: int = 0,
    person_mm: tuple[int, int] = PERSON_MM,
    overlap: int = OVERLAP,
) -> StampPlaces:
    """The places by the signer's `name` (its last occurrence) and `title` (the last one above it).

    overlap: percent of the signature that the seal covers, on its left. Without the name on any page
    the lower right of the last page is taken, and `located` is False.
    """
    for number in range(len(shown) - 1, -1, -1):
        page = shown[number]
        spot = _last(page, name)
        if spot is None:
            continue
        width, height = (page.sheet.units(value) for value in person_mm)
        above = _last(page, title, above=spot.top) if title else None
        centre = (spot.left + spot.right) / 2
        ceiling = above.bottom if above else spot.top - height - 8
        height = min(height, max(spot.top - ceiling, 12))
        middle = (ceiling + spot.top) / 2
        person = on_page(page, number, centre - width / 2, middle - height / 2, width, height)
        return StampPlaces(person, beside(page, person, seal_mm, overlap), located=True)
    page, last = (shown[-1], len(shown) - 1) if shown else (Page(PageSheet()), 0)
    width, height = (page.sheet.units(value) for value in person_mm)
    person = on_page(page, last, page.width * 0.7 - width / 2, page.height * 0.8 - height / 2, width, height)
    return StampPlaces(person, beside(page, person, seal_mm, overlap), located=False)


def beside(page: Page, person: Place, seal_mm: int = 0, overlap: int = OVERLAP) -> Place:
    """The seal's place: over the left `overlap` percent of the signature at `person`, as high as it."""
    left, top, right, bottom = page.sheet.seen(person.box)
    seal = page.sheet.units(seal_mm or SEAL_MM)
    edge = left + (right - left) * overlap / 100
    return on_page(page, person.page, edge - seal, (top + bottom) / 2 - seal / 2, seal, seal)


def on_page(page: Page, number: int, left: float, top: float, width: float, height: float) -> Place:
    """A box as seen, moved and cut to lie on the page."""
    width, height = min(width, page.width), min(height, page.height)
    left = min(max(left, 0), page.width - width)
    top = min(max(top, 0), page.height - height)
    return Place(
        number, page.sheet.stored(left, top, left + width, top + height), page.sheet.turn, page.sheet.unit
    )


def _last(page: Page, wanted: str, above: float | None = None) -> PageWord | None:
    """The last run of words on `page` that reads `wanted`, case and punctuation aside, as one box."""
    # a certificate may add a remark in brackets, which the page does not have
    for reading in dict.fromkeys((re.sub(r"\(.*?\)", " ", wanted), wanted)):
        parts = [_bare(part) for part in nfc(reading).split() if _bare(part)]
        texts = [_bare(word.text) for word in page.words]
        for start in range(len(texts) - len(parts), -1, -1) if parts else ():
            if texts[start : start + len(parts)] == parts:
                run = page.words[start : start + len(parts)]
                box = PageWord(
                    wanted,
                    min(word.left for word in run),
                    min(word.top for word in run),
                    max(word.right for word in run),
                    max(word.bottom for word in run),
                )
                if above is None or box.bottom <= above + 1:
                    return box
    return None


def _bare(word: str) -> str:
    return word.strip(ENDS).casefold()

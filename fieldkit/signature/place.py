"""Where a stamp goes: found from the signer's title and name in the page's text, as the rules say."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from fieldkit.profile.rules import StampRule
from fieldkit.text import nfc

POINTS_PER_MM = 72 / 25.4
PERSON_MM = (40, 20)  # width and height of a signature's image where the rule fixes none
SEAL_MM = 36  # the common round seal; an agency's own size is given with the rule or the call
TEXT_MM = (75, 14)
PATIENCE = 30.0


class Place(msgspec.Struct, frozen=True):
    """Where a field is: the page counted from 0, and left, bottom, right, top in points."""

    page: int
    box: tuple[int, int, int, int]


class Word(msgspec.Struct, frozen=True):
    """A word on a page; the box is measured from the top left corner."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


class Page(msgspec.Struct, frozen=True):
    """A page's size in points and its words in reading order."""

    width: float
    height: float
    words: tuple[Word, ...]


class Located(msgspec.Struct, frozen=True):
    """The places for a person's signature and an agency's seal. found: the name was on the page."""

    person: Place
    agency: Place
    found: bool


def pages(path: Path) -> list[Page] | None:
    """The pages' words, read by pdftotext; None where it is not here or cannot read the file."""
    program = shutil.which("pdftotext")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "-bbox", "-enc", "UTF-8", str(path), "-"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
        )
    except (subprocess.TimeoutExpired, OSError):
        return None
    if done.returncode != 0:
        return None
    found: list[Page] = []
    number = r'="(-?[\d.]+)"'
    text = done.stdout.decode("utf-8", "replace")
    for block in re.finditer(rf"<page width{number} height{number}>(.*?)</page>", text, re.DOTALL):
        words = tuple(
            Word(nfc(html.unescape(each[5])), *(float(each[at]) for at in range(1, 5)))
            for each in re.finditer(
                rf"<word xMin{number} yMin{number} xMax{number} yMax{number}>(.*?)</word>", block[3]
            )
        )
        found.append(Page(float(block[1]), float(block[2]), words))
    return found


def locate(
    found: Sequence[Page],
    *,
    name: str,
    title: str = "",
    seal_mm: int = 0,
    person_mm: tuple[int, int] = PERSON_MM,
) -> Located:
    """The places by the signer's `name` (its last occurrence) and `title` (the last one above it).

    Without the name on any page the lower right of the last page is taken, and `found` is False.
    """
    width, height = (value * POINTS_PER_MM for value in person_mm)
    for number in range(len(found) - 1, -1, -1):
        page = found[number]
        spot = _last(page, name)
        if spot is None:
            continue
        above = _last(page, title, above=spot.top) if title else None
        centre = (spot.left + spot.right) / 2
        ceiling = above.bottom if above else spot.top - height - 8
        height = min(height, max(spot.top - ceiling, 12))
        middle = (ceiling + spot.top) / 2
        return _both(page, number, centre, middle, width, height, seal_mm, named=True)
    page, last = (found[-1], len(found) - 1) if found else (Page(595, 842, ()), 0)
    return _both(page, last, page.width * 0.7, page.height * 0.8, width, height, seal_mm, named=False)


def _both(
    page: Page,
    number: int,
    centre: float,
    middle: float,
    width: float,
    height: float,
    seal_mm: int,
    *,
    named: bool,
) -> Located:
    left = centre - width / 2
    seal = (seal_mm or SEAL_MM) * POINTS_PER_MM
    seal_left = left + width / 3 - seal  # its right edge covers a third of the signature, on the left
    return Located(
        person=_place(page, number, left, middle - height / 2, width, height),
        agency=_place(page, number, seal_left, middle - seal / 2, seal, seal),
        found=named,
    )


def top_right(found: Sequence[Page], margin_mm: tuple[int, int] = (20, 15)) -> Place:
    """The place of an attachment's text: the top right of the first page, inside the margins (top, right)."""
    page = found[0] if found else Page(595, 842, ())
    top, right = (value * POINTS_PER_MM for value in margin_mm)
    width, height = (value * POINTS_PER_MM for value in TEXT_MM)
    return _place(page, 0, page.width - right - width, max(top - height, 8), width, height)


def for_rule(
    rule: StampRule, found: Sequence[Page], *, name: str = "", title: str = ""
) -> tuple[Place, bool]:
    """The place that `rule` asks for, and whether it was found by the name."""
    if rule.place == "top-right-first-page":
        return top_right(found), True
    seal = rule.size_mm if rule.kind == "agency" else 0
    spots = locate(found, name=name, title=title, seal_mm=seal)
    return (spots.agency if rule.kind == "agency" else spots.person), spots.found


def _place(page: Page, number: int, left: float, top: float, width: float, height: float) -> Place:
    """A box measured from the top left, kept on the page, as PDF measures: from the bottom left."""
    width, height = min(width, page.width), min(height, page.height)
    left = min(max(left, 0), page.width - width)
    top = min(max(top, 0), page.height - height)
    bottom = page.height - top - height
    return Place(number, (round(left), round(bottom), round(left + width), round(bottom + height)))


def _last(page: Page, wanted: str, above: float | None = None) -> Word | None:
    """The last run of words on `page` that reads `wanted`, case aside, as one box."""
    parts = [part.casefold() for part in nfc(wanted).split()]
    if not parts:
        return None
    texts = [word.text.casefold() for word in page.words]
    for start in range(len(texts) - len(parts), -1, -1):
        if texts[start : start + len(parts)] == parts:
            run = page.words[start : start + len(parts)]
            box = Word(
                wanted,
                min(word.left for word in run),
                min(word.top for word in run),
                max(word.right for word in run),
                max(word.bottom for word in run),
            )
            if above is None or box.bottom <= above + 1:
                return box
    return None

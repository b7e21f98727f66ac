"""The places that rules ask for: where a stamp goes, how one that is there is known, and what is off with it.

place, known = for_rule(rule, pages(path), name="Nguyễn Thị Mẫu", title="TRƯỞNG CƠ QUAN THƯỜNG TRÚ")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import msgspec

from fieldkit.pdf.page import PageSheet
from fieldkit.profile.rules import RuleSet, StampPlace, StampRule
from fieldkit.stamp.place import OVERLAP, TEXT_MM, Page, Place, beside, locate, on_page
from fieldkit.text import M, Message

SIZE_MM, PLACE_MM = 1.0, 12.0
"""How far a stamp may be off: in size, and in place."""
COVERED = (15, 50)
"""How much of a person's stamp a seal may cover, in percent, where the rule says a third."""
MARGIN_MM = (20, 15)
"""From the top and from the right edge to an attachment's text."""


class SeenStamp(msgspec.Struct, frozen=True):
    """A stamp as a viewer shows it: its page, counted from 0, and its box from the top left, in mm."""

    page: int
    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top


class Surroundings(msgspec.Struct, frozen=True):
    """What a stamp is compared with: the pages, the signer's name, and the person's stamp on its page."""

    pages: Sequence[Page]
    name: str
    person: Callable[[], SeenStamp | None]


class Comparison(msgspec.Struct, frozen=True):
    """What is off, as technical text; open: what could not be compared."""

    off: tuple[str, ...] = ()
    open: Message | None = None


class Placement(Protocol):
    """One of the places. by_person: it depends on where the person's signature already is."""

    by_person: bool

    def find(
        self, rule: StampRule, pages: Sequence[Page], name: str, title: str, person: Place | None
    ) -> tuple[Place, bool]:
        """Where the stamp goes, and whether that is known."""

    def resembles(self, stamp: SeenStamp, page: Page) -> bool:
        """Whether the stamp may be one of these, by its looks."""

    def compare(self, rule: StampRule, stamp: SeenStamp, around: Surroundings) -> Comparison:
        """What is not as the rule says."""


class _Corner:
    """An attachment's or a copy's text, at the top right of the first page."""

    by_person = False

    def find(
        self, rule: StampRule, pages: Sequence[Page], name: str, title: str, person: Place | None
    ) -> tuple[Place, bool]:
        page = pages[0] if pages else Page(PageSheet())
        top, right = (page.sheet.units(value) for value in MARGIN_MM)
        width, height = (page.sheet.units(value) for value in TEXT_MM)
        return on_page(page, 0, page.width - right - width, max(top - height, 8), width, height), True

    def resembles(self, stamp: SeenStamp, page: Page) -> bool:
        return _in_corner(stamp, page)

    def compare(self, rule: StampRule, stamp: SeenStamp, around: Surroundings) -> Comparison:
        page = around.pages[stamp.page]
        right = page.width / page.sheet.units(1) - stamp.right
        return Comparison(() if 5 <= right <= 35 else (f"{right:.0f} mm from the right edge",))


class _Beside:
    """A seal over the left third of the person's signature, at its height."""

    by_person = True

    def find(
        self, rule: StampRule, pages: Sequence[Page], name: str, title: str, person: Place | None
    ) -> tuple[Place, bool]:
        overlap = rule.overlap or OVERLAP
        if person is not None and person.page < len(pages):
            return beside(pages[person.page], person, rule.size_mm, overlap), True
        spots = locate(pages, name=name, title=title, seal_mm=rule.size_mm, overlap=overlap)
        return spots.agency, spots.found

    def resembles(self, stamp: SeenStamp, page: Page) -> bool:
        square = stamp.height and 0.85 < stamp.width / stamp.height < 1.18 and stamp.width > 20
        return bool(square) and not _in_corner(stamp, page)

    def compare(self, rule: StampRule, stamp: SeenStamp, around: Surroundings) -> Comparison:
        off = [
            f"{side} {length:.1f} mm for {rule.size_mm} mm"
            for side, length in (("width", stamp.width), ("height", stamp.height))
            if rule.size_mm and abs(length - rule.size_mm) > SIZE_MM
        ]
        person = around.person()
        if person is None:
            message = M("The seal's place was not compared: no person's stamp is on its page.")
            return Comparison(tuple(off), message)
        return Comparison((*off, *self._apart(stamp, person)))

    def _apart(self, stamp: SeenStamp, person: SeenStamp) -> Iterator[str]:
        covered = 100 * (min(stamp.right, person.right) - max(stamp.left, person.left)) / person.width
        if not COVERED[0] <= covered <= COVERED[1] or stamp.left > person.left:
            yield f"covers {max(covered, 0):.0f} % of the person's stamp"
        apart = abs((stamp.top + stamp.bottom) - (person.top + person.bottom)) / 2
        if apart > PLACE_MM:
            yield f"{apart:.0f} mm above or below the person's stamp"


class _AboveName:
    """A person's signature, between title and name."""

    by_person = False

    def find(
        self, rule: StampRule, pages: Sequence[Page], name: str, title: str, person: Place | None
    ) -> tuple[Place, bool]:
        spots = locate(pages, name=name, title=title, overlap=rule.overlap or OVERLAP)
        return spots.person, spots.found

    def resembles(self, stamp: SeenStamp, page: Page) -> bool:
        return not _in_corner(stamp, page)

    def compare(self, rule: StampRule, stamp: SeenStamp, around: Surroundings) -> Comparison:
        place, named = self.find(rule, around.pages, around.name, "", None)
        if named and place.page == stamp.page:
            return Comparison(tuple(self._off(stamp, seen(around.pages[place.page], place))))
        if not any(page.words for page in around.pages):
            return Comparison(open=M("The stamp was not compared: the pages' text cannot be read."))
        return Comparison(open=M("The stamp's place was not compared: the signer's name is not on its page."))

    def _off(self, stamp: SeenStamp, wanted: SeenStamp) -> Iterator[str]:
        """Centred over the name; how high between title and name is free while it stays above the name."""
        across = ((stamp.left + stamp.right) - (wanted.left + wanted.right)) / 2
        if abs(across) > PLACE_MM:
            yield f"{across:+.0f} mm across"
        if stamp.bottom > wanted.bottom + PLACE_MM:
            yield f"{stamp.bottom - wanted.bottom:.0f} mm too low"


PLACEMENTS: dict[StampPlace, Placement] = {
    "top-right-first-page": _Corner(),
    "left-of-signature": _Beside(),
    "between-title-and-name": _AboveName(),
}
"""Every place that a rule may name; a stamp is taken for the first one that it resembles."""


def for_rule(
    rule: StampRule, pages: Sequence[Page], *, name: str = "", title: str = "", person: Place | None = None
) -> tuple[Place, bool]:
    """The place that `rule` asks for, and whether it is known by the name.

    person: where the person's signature already is; a seal goes by it rather than by the text.
    """
    return PLACEMENTS[rule.place].find(rule, pages, name, title, person)


def rule_of(rule_set: RuleSet, stamp: SeenStamp, page: Page) -> StampRule | None:
    """The rule for what this stamp is, by its looks; None where the set has none for it."""
    return next(
        (
            rule
            for place, placement in PLACEMENTS.items()
            if placement.resembles(stamp, page)
            for rule in rule_set.stamps
            if rule.place == place
        ),
        None,
    )


def seen(page: Page, place: Place) -> SeenStamp:
    """A stamp's box as a viewer shows it."""
    return SeenStamp(place.page, *(value / page.sheet.units(1) for value in page.sheet.seen(place.box)))


def _in_corner(stamp: SeenStamp, page: Page) -> bool:
    width, height = (value / page.sheet.units(1) for value in (page.width, page.height))
    return stamp.page == 0 and stamp.bottom < height * 0.17 and stamp.right > width * 0.6

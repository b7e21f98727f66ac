"""A signature's stamp against the rule set in force on its day: where it stands and how large it is.

It says nothing about validity. Colours are not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

import msgspec

from fieldkit.finding import Finding
from fieldkit.pdf import boundary
from fieldkit.profile.rules import RuleSet, StampRule
from fieldkit.stamp import place
from fieldkit.stamp.place import Page, Place
from fieldkit.text import M

MOST_PAGES = 5000
SIZE_MM, PLACE_MM = 1.0, 12.0
"""How far a stamp may be off: in size, and in place."""
COVERED = (15, 50)
"""How much of a person's stamp a seal may cover, in percent, where the rule says a third."""


class _Seen(msgspec.Struct, frozen=True):
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


def stamp(
    signature: Any, pages: Callable[[], Sequence[Page]], rules: Sequence[RuleSet], day: date, name: str
) -> Finding:
    """The stamp of one signature, made on `day` by the signer `name`; never required for a verdict.

    pages: the document's, looked for only where there is a stamp.
    """
    try:
        return _compared(signature, pages, rules, day, name)
    except Exception as error:  # what is wrong with a page takes nothing from a signature
        return _open(M("The stamp was not compared: its page cannot be read."), boundary.kind_of(error))


def _compared(
    signature: Any, look: Callable[[], Sequence[Page]], rules: Sequence[RuleSet], day: date, name: str
) -> Finding:
    fitting = [each for each in rules if each.in_force(day)]
    if not fitting:
        return _open(M("No rule set for stamps was in force on {day}.", day=day.isoformat()))
    rule_set = max(fitting, key=lambda rule_set: rule_set.valid_from)
    stored = _stored(signature.reader, signature.sig_field)
    if stored is None:
        return _open(
            M("The signature shows nothing on a page, so there is no stamp to compare."), rule_set.id
        )
    pages = look()
    page = pages[stored.page]
    box = _seen(page, stored)
    rule = _rule(rule_set, box, page)
    if rule is None:
        return _open(M("The rules in force know no stamp of this kind."), rule_set.id)
    off, open_ = [], None
    if rule.place == "top-right-first-page":
        off = list(_corner(box, page))
    elif rule.kind == "agency":
        off = list(_size(rule, box))
        person = _person(signature, rule_set, stored, pages)
        if person is not None:
            off += _beside(box, _seen(page, person))
        else:
            open_ = M("The seal's place was not compared: no person's stamp is on its page.")
    else:
        spot, named = place.for_rule(rule, pages, name=name)
        if named and spot.page == box.page:
            off = list(_above_name(box, _seen(page, spot)))
        elif not any(each.words for each in pages):
            open_ = M("The stamp was not compared: the pages' text cannot be read.")
        else:
            open_ = M("The stamp's place was not compared: the signer's name is not on its page.")
    detail = f"{rule_set.id}, {rule.kind}: {box.width:.0f}x{box.height:.0f} mm, page {box.page + 1}"
    if off:
        return Finding(
            "stamp",
            "fail",
            M("The stamp is not where, or not as large as, the rules in force that day say."),
            f"{detail}; {'; '.join(off)}",
            required=False,
            hint=M("The signature is not affected. For the next document, place the stamp by the rules."),
        )
    if open_ is not None:
        return _open(open_, detail)
    return Finding("stamp", "pass", M("The stamp is placed and sized by the rules."), detail, required=False)


def _open(message: Any, detail: str = "") -> Finding:
    return Finding("stamp", "not-checked", message, detail, required=False)


def _rule(rule_set: RuleSet, box: _Seen, page: Page) -> StampRule | None:
    """The kind of stamp this is, by its looks: in the top right corner, as wide as high, or a signature."""
    width, height = (value / page.sheet.units(1) for value in (page.width, page.height))
    if box.page == 0 and box.bottom < height * 0.17 and box.right > width * 0.6:
        return rule_set.stamp("attachment") or rule_set.stamp("copy")
    seal = rule_set.stamp("agency")
    if seal is not None and box.height and 0.85 < box.width / box.height < 1.18 and box.width > 20:
        return seal
    return rule_set.stamp("person")


def _corner(box: _Seen, page: Page) -> Iterator[str]:
    right = page.width / page.sheet.units(1) - box.right
    if not 5 <= right <= 35:
        yield f"{right:.0f} mm from the right edge"


def _size(rule: StampRule, box: _Seen) -> Iterator[str]:
    for side, got in (("width", box.width), ("height", box.height)):
        if rule.size_mm and abs(got - rule.size_mm) > SIZE_MM:
            yield f"{side} {got:.1f} mm for {rule.size_mm} mm"


def _beside(box: _Seen, person: _Seen) -> Iterator[str]:
    """Over the left third of the person's stamp, and at its height."""
    covered = 100 * (min(box.right, person.right) - max(box.left, person.left)) / person.width
    if not COVERED[0] <= covered <= COVERED[1] or box.left > person.left:
        yield f"covers {max(covered, 0):.0f} % of the person's stamp"
    apart = abs((box.top + box.bottom) - (person.top + person.bottom)) / 2
    if apart > PLACE_MM:
        yield f"{apart:.0f} mm above or below the person's stamp"


def _above_name(box: _Seen, wanted: _Seen) -> Iterator[str]:
    """Centred over the name; how high between title and name is free as long as it stays above the name."""
    across = ((box.left + box.right) - (wanted.left + wanted.right)) / 2
    if abs(across) > PLACE_MM:
        yield f"{across:+.0f} mm across"
    if box.bottom > wanted.bottom + PLACE_MM:
        yield f"{box.bottom - wanted.bottom:.0f} mm too low"


def _person(signature: Any, rule_set: RuleSet, own: Place, pages: Sequence[Page]) -> Place | None:
    """The stamp of a person's signature on the page of the seal."""
    from pyhanko.sign.fields import enumerate_sig_fields

    for _, _, field in enumerate_sig_fields(signature.reader, filled_status=True):
        found = _stored(signature.reader, _plain(field.get_object()))
        if found is None or found.page != own.page or found == own:
            continue
        rule = _rule(rule_set, _seen(pages[found.page], found), pages[found.page])
        if rule is not None and rule.kind == "person":
            return found
    return None


def _seen(page: Page, stored: Place) -> _Seen:
    left, top, right, bottom = (value / page.sheet.units(1) for value in page.sheet.seen(stored.box))
    return _Seen(stored.page, left, top, right, bottom)


def _stored(reader: Any, field: Any) -> Place | None:
    """Where a field's widget is, or None where it shows nothing."""
    kids = _plain(field.get("/Kids", None))
    widget = _plain(kids[0].get_object()) if kids else field
    rect = _plain(widget.get("/Rect", None))
    if rect is None or len(rect) != 4:
        return None
    across, up = sorted(float(rect[at]) for at in (0, 2)), sorted(float(rect[at]) for at in (1, 3))
    if across[1] - across[0] < 1 or up[1] - up[0] < 1:
        return None
    try:
        wanted = widget.raw_get("/P").reference
    except (KeyError, AttributeError):
        return None
    number = _page_number(reader, wanted)
    if number is None:
        return None
    return Place(number, (round(across[0]), round(up[0]), round(across[1]), round(up[1])))


def _plain(value: Any) -> Any:
    """An object of an encrypted document as it is without its lock."""
    return getattr(value, "decrypted", value)


def _page_number(reader: Any, wanted: Any) -> int | None:
    """The place of the page object `wanted` among the pages, counted from 0."""
    count = 0
    waiting = [reader.root.raw_get("/Pages")]
    seen = set()
    while waiting and count < MOST_PAGES:
        at = waiting.pop()
        reference = getattr(at, "reference", None)
        if reference is None or reference in seen:
            continue
        seen.add(reference)
        held = _plain(at.get_object())
        if "/Kids" in held:
            kids = _plain(held["/Kids"])
            waiting += [kids.raw_get(number) for number in reversed(range(len(kids)))]
            continue
        if reference == wanted:
            return count
        count += 1
    return None

"""A signature's stamp against the rule set in force on its day: where it stands and how large it is.

It says nothing about validity. Colours are not measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from fieldkit.profile.rules import RuleSet, StampRule
from fieldkit.signature import boundary, place
from fieldkit.signature.place import POINTS_PER_MM, Page
from fieldkit.text import M
from fieldkit.verdict import Check

MOST_PAGES = 5000
SIZE_MM, PLACE_MM = 1.0, 12.0
"""How far a stamp may be off: in size, and in place."""


class _Box(msgspec.Struct, frozen=True):
    """A widget's page, counted from 0, and its box in points, measured from the bottom left."""

    page: int
    left: float
    bottom: float
    right: float
    top: float

    @property
    def width_mm(self) -> float:
        return (self.right - self.left) / POINTS_PER_MM

    @property
    def height_mm(self) -> float:
        return (self.top - self.bottom) / POINTS_PER_MM


def stamp(signature: Any, path: Path, rules: Sequence[RuleSet], day: date, name: str) -> Check:
    """The stamp of one signature, made on `day` by the signer `name`; never required for a verdict."""
    try:
        return _compared(signature, path, rules, day, name)
    except Exception as error:  # what is wrong with a page takes nothing from a signature
        return _open(M("The stamp was not compared: its page cannot be read."), boundary.kind_of(error))


def _compared(signature: Any, path: Path, rules: Sequence[RuleSet], day: date, name: str) -> Check:
    fitting = [each for each in rules if each.in_force(day)]
    if not fitting:
        return _open(M("No rule set for stamps was in force on {day}.", day=day.isoformat()))
    rule_set = max(fitting, key=lambda each: each.valid_from)
    box = _box(signature)
    if box is None:
        return _open(
            M("The signature shows nothing on a page, so there is no stamp to compare."), rule_set.id
        )
    pages = place.pages(path)
    if not pages or box.page >= len(pages):
        return _open(
            M("The stamp was not compared: the pages' text cannot be read."),
            rule_set.id,
            M("Install poppler-utils, whose pdftotext reads it."),
        )
    rule = _rule(rule_set, box, pages[box.page])
    if rule is None:
        return _open(M("The rules in force know no stamp of this kind."), rule_set.id)
    off = list(_deviations(rule, box, pages, name))
    detail = f"{rule_set.id}, {rule.kind}: " + (
        "; ".join(off) if off else f"{box.width_mm:.0f}x{box.height_mm:.0f} mm, page {box.page + 1}"
    )
    if off == [NAMELESS]:
        return _open(M("The stamp's place was not compared: the signer's name is not on its page."), detail)
    if off:
        return Check(
            "stamp",
            "fail",
            M("The stamp is not where, or not as large as, the rules in force that day say."),
            detail,
            required=False,
            hint=M("The signature is not affected. For the next document, place the stamp by the rules."),
        )
    return Check("stamp", "pass", M("The stamp is placed and sized by the rules."), detail, required=False)


NAMELESS = "no name"


def _open(message: Any, detail: str = "", hint: Any = None) -> Check:
    return Check("stamp", "not-checked", message, detail, required=False, hint=hint)


def _rule(rule_set: RuleSet, box: _Box, page: Page) -> StampRule | None:
    """The kind of stamp this is, by its looks: in the top right corner, or round, or a signature."""
    if box.page == 0 and box.bottom > page.height * 0.85 and box.right > page.width * 0.6:
        return rule_set.stamp("attachment") or rule_set.stamp("copy")
    seal = rule_set.stamp("agency")
    ratio = box.width_mm / box.height_mm
    if seal is not None and 0.85 < ratio < 1.18 and box.width_mm > 20:
        return seal
    return rule_set.stamp("person")


def _deviations(rule: StampRule, box: _Box, pages: Sequence[Page], name: str) -> Iterator[str]:
    page = pages[box.page]
    if rule.place == "top-right-first-page":
        right = (page.width - box.right) / POINTS_PER_MM
        if not 5 <= right <= 35:
            yield f"{right:.0f} mm from the right edge"
        return
    if rule.kind == "agency":
        wanted = rule.size_mm
        for side, got in (("width", box.width_mm), ("height", box.height_mm)):
            if wanted and abs(got - wanted) > SIZE_MM:
                yield f"{side} {got:.1f} mm for {wanted} mm"
    spot, named = place.for_rule(rule, pages, name=name)
    if not named or spot.page != box.page:
        yield NAMELESS
        return
    left, bottom, right, _ = spot.box
    across = ((box.left + box.right) - (left + right)) / 2 / POINTS_PER_MM
    if abs(across) > PLACE_MM:
        yield f"{across:+.0f} mm across"
    # how high between title and name is free as long as it stays above the name
    if rule.kind == "person" and box.bottom + 2 * POINTS_PER_MM < bottom - PLACE_MM * POINTS_PER_MM:
        yield f"{(bottom - box.bottom) / POINTS_PER_MM:.0f} mm too low"


def _box(signature: Any) -> _Box | None:
    """Where the signature's widget is, or None where it shows nothing."""
    field = signature.sig_field
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
    number = _page_number(signature.reader, wanted)
    return None if number is None else _Box(number, across[0], up[0], across[1], up[1])


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

"""The rules for signatures and stamps in force between two dates, as data; old records keep theirs."""

from __future__ import annotations

import datetime
from typing import Literal

import msgspec

from fieldkit.text import Words

StampKind = Literal["person", "agency", "attachment", "copy"]
"""Whose a stamp is: the option's word, and capitalised the name of its signature field."""
StampPlace = Literal["between-title-and-name", "left-of-signature", "top-right-first-page"]
"""Where it goes: `fieldkit/stamp/placement.py` has each."""
StampText = Literal["number", "time", "name", "copy-form"]


class PageMargins(msgspec.Struct, frozen=True, omit_defaults=True):
    """A page's margins in millimetres, each as the least and the most that is allowed."""

    top: tuple[int, ...] = (20, 25)
    bottom: tuple[int, ...] = (20, 25)
    left: tuple[int, ...] = (30, 35)
    right: tuple[int, ...] = (15, 20)


class StampRule(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one kind of stamp looks and where it goes.

    kind: whose it is. image: what is drawn. place: where. overlap: the share of the person's image,
    in percent, that the seal covers. font, size (points), colour: of the text. content: what the
    text says, in order. size_mm: of the image, where the rule or custom fixes it.
    """

    kind: StampKind
    image: Literal["handwritten", "seal", "none"]
    place: StampPlace
    colour: Literal["blue", "red", "black"]
    overlap: int = 0
    size_mm: int = 0
    font: str = ""
    size: int = 0
    content: tuple[StampText, ...] = ()
    rule: Words | None = None


class RuleSet(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rules of one decree or circular.

    basis: the text they rest on. valid_from, valid_to: the first and the last day; no last day while
    it is in force. forms: the papers it names, by number. insist: the faults of a certificate in spite
    of which a person may insist on signing.
    """

    id: str
    title: Words
    basis: Words
    valid_from: datetime.date
    stamps: tuple[StampRule, ...] = ()
    valid_to: datetime.date | None = None
    page: PageMargins = PageMargins()
    forms: dict[str, Words] = {}
    note: Words | None = None
    known: Literal["confirmed", "documented", "hypothesis"] = "documented"
    insist: tuple[Literal["certificate-expired", "certificate-not-yet-valid", "certificate-usage"], ...] = ()

    def in_force(self, day: datetime.date) -> bool:
        """Whether the rules hold on `day`."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    def stamp(self, kind: str) -> StampRule | None:
        """The rule for stamps of that kind, or None where the set has none."""
        return next((rule for rule in self.stamps if rule.kind == kind), None)

"""A signature's stamp against the rule set in force on its day: where it stands and how large it is.

It says nothing about validity. Colours are not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from fieldkit.finding import Finding
from fieldkit.pdf import boundary
from fieldkit.profile.rules import RuleSet
from fieldkit.stamp.place import Page, Place
from fieldkit.stamp.placement import PLACEMENTS, SeenStamp, Surroundings, rule_of, seen
from fieldkit.text import M, Message

if TYPE_CHECKING:
    from pyhanko.pdf_utils.generic import DictionaryObject, Reference
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

MOST_PAGES = 5000


def stamp(
    signature: EmbeddedPdfSignature,
    pages: Callable[[], Sequence[Page]],
    rules: Sequence[RuleSet],
    day: date,
    name: str,
) -> Finding:
    """The stamp of one signature, made on `day` by the signer `name`; never required for a verdict.

    pages: the document's, looked for only where there is a stamp.
    """
    try:
        return _compared(signature, pages, rules, day, name)
    except Exception as error:  # what is wrong with a page takes nothing from a signature
        return _open(M("The stamp was not compared: its page cannot be read."), boundary.kind_of(error))


def _compared(
    signature: EmbeddedPdfSignature,
    load_pages: Callable[[], Sequence[Page]],
    rules: Sequence[RuleSet],
    day: date,
    name: str,
) -> Finding:
    fitting = [rule_set for rule_set in rules if rule_set.in_force(day)]
    if not fitting:
        return _open(M("No rule set for stamps was in force on {day}.", day=day.isoformat()))
    rule_set = max(fitting, key=lambda rule_set: rule_set.valid_from)
    stored = _stored(signature.reader, signature.sig_field)
    if stored is None:
        return _open(
            M("The signature shows nothing on a page, so there is no stamp to compare."), rule_set.id
        )
    pages = load_pages()
    page = pages[stored.page]
    box = seen(page, stored)
    rule = rule_of(rule_set, box, page)
    if rule is None:
        return _open(M("The rules in force know no stamp of this kind."), rule_set.id)
    around = Surroundings(pages, name, lambda: _person(signature, rule_set, stored, pages))
    comparison = PLACEMENTS[rule.place].compare(rule, box, around)
    detail = f"{rule_set.id}, {rule.kind}: {box.width:.0f}x{box.height:.0f} mm, page {box.page + 1}"
    if comparison.off:
        return Finding(
            "stamp",
            "fail",
            M("The stamp is not where, or not as large as, the rules in force that day say."),
            f"{detail}; {'; '.join(comparison.off)}",
            required=False,
            hint=M("The signature is not affected. For the next document, place the stamp by the rules."),
        )
    if comparison.open is not None:
        return _open(comparison.open, detail)
    return Finding("stamp", "pass", M("The stamp is placed and sized by the rules."), detail, required=False)


def _open(message: Message, detail: str = "") -> Finding:
    return Finding("stamp", "not-checked", message, detail, required=False)


def _person(
    signature: EmbeddedPdfSignature, rule_set: RuleSet, own: Place, pages: Sequence[Page]
) -> SeenStamp | None:
    """The stamp of a person's signature on the page of the seal."""
    from pyhanko.sign.fields import enumerate_sig_fields

    page = pages[own.page]
    for _, _, field in enumerate_sig_fields(signature.reader, filled_status=True):
        other = _stored(signature.reader, _plain(field.get_object()))
        if other is None or other.page != own.page or other == own:
            continue
        rule = rule_of(rule_set, seen(page, other), page)
        if rule is not None and rule.kind == "person":
            return seen(page, other)
    return None


def _stored(reader: PdfFileReader, field: DictionaryObject) -> Place | None:
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


def _page_number(reader: PdfFileReader, wanted: Reference) -> int | None:
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

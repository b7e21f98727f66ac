"""The record's content as a tagged PDF/A-3a and PDF/UA-1 with the content attached.

The same content gives the same bytes, on every machine: only the fonts beside this file are used.
What people typed goes in as data and is never part of the markup.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import sys
from datetime import datetime, tzinfo
from importlib import metadata
from typing import Literal

import msgspec

from fieldkit.checklist.model import Paper
from fieldkit.program import run
from fieldkit.record.content import RecordContent, check_size, encode
from fieldkit.record.errors import RecordNotRendered
from fieldkit.record.labels import FORM_LABELS, LABELS
from fieldkit.record.typeset import FONTS, HERE, MarkedBox, TypesettingJob, typeset
from fieldkit.stamp.place import Place
from fieldkit.text import M, Words, day_first, nfc

ATTACHMENT = "fieldkit-record.json"
STANDARDS: list[Literal["a-3a", "ua-1"]] = ["a-3a", "ua-1"]
FORM = 1
"""Raised when this module prints the same content differently."""


class PaperLayout(msgspec.Struct, frozen=True):
    """How a paper is printed: by which Typst template, with which fixed words."""

    template: str
    labels: dict[str, Words]


PAPERS: dict[Paper, PaperLayout] = {
    "handover": PaperLayout("handover.typ", LABELS),
    "form": PaperLayout("form.typ", FORM_LABELS),
}

PATIENCE = 60.0  # seconds; a record takes one
LONGEST_RUN = 28
# what the fonts have; anything else would stop a PDF/A, so it is printed by its number
PRINTABLE = re.compile(
    "[^\n\u0020-\u007e\u00a0-\u017f\u01a0\u01a1\u01af\u01b0\u0300-\u0303\u0306\u0309\u031b\u0323\u1ea0-\u1ef9"
    "\u2010-\u2015\u2018-\u201e\u2020-\u2022\u2026\u2030\u2032\u2033\u2039\u203a\u20ab\u20ac\u2116"
    "\u2190-\u2193\u2212\u2260\u2264\u2265\u25a0\u25a1\u25cf]"
)


class Rendered(msgspec.Struct, frozen=True):
    """The record as PDF, not signed yet. places: of the signatures, by party."""

    pdf: bytes
    json: bytes
    places: dict[str, Place]


def render(content: RecordContent) -> Rendered:
    """The record as it is printed and attached.

    :raises RecordTooLarge: it holds more than a record can. :raises RecordNotRendered: Typst refused it.
    """
    check_size(content)
    data = encode(content)
    try:
        return _rendered(data, *typeset(**_job(data, content)))
    except Exception as error:  # typst raises its own and Rust's
        raise _refused(str(error) or type(error).__name__) from None


def render_apart(data: bytes, content: RecordContent) -> Rendered:
    """The same from bytes of strangers, `data`, and what they decode to: in a process of its own.

    :raises RecordNotRendered: it was refused, or needed more memory or time than any record does.
    """
    try:
        job = json.dumps(_job(data, content)).encode()
    except (OSError, ValueError, OverflowError) as error:  # moments that are none, years beyond the calendar
        raise _refused(str(error)) from None
    done = run([sys.executable, "-I", str(HERE / "typeset.py")], stdin=job, timeout=PATIENCE)
    if done.status:
        raise _refused(done.complaint.rpartition("\n")[2] or "killed")
    places, _, pdf = done.output.partition(b"\n")
    return _rendered(data, pdf, json.loads(places))


def _job(data: bytes, content: RecordContent) -> TypesettingJob:
    return {
        "template": PAPERS[content.paper].template,
        "inputs": {
            "data": data.decode(),
            "shown": json.dumps(_shown(content), ensure_ascii=False),
            "attachment": ATTACHMENT,
        },
        "timestamp": int(datetime.fromisoformat(content.made).timestamp()),
        "standards": STANDARDS,
    }


def _rendered(data: bytes, pdf: bytes, places: list[MarkedBox]) -> Rendered:
    return Rendered(pdf, data, {place["party"]: _place(place) for place in places})


def _refused(detail: str) -> RecordNotRendered:
    return RecordNotRendered(
        M("The record could not be laid out."),
        unchanged=M("The visit is as it was."),
        hint=M("Send the report of `fieldkit doctor` to head office."),
        detail=detail.splitlines()[0][:200] if detail else "",
    )


EARLIER_LOOKS = (
    "aadaba2808c6930e3212963481161c9941a66e19f5f0df25395497936b7e472c",
    "f4b89161236c522f5d91f4da2769024a6aa4297a75baa5eaebfbcefd0d137dcb",
)
"""Of earlier releases' records, which are still printed to the same bytes."""


@functools.cache
def layout_hash(paper: Paper = "handover") -> str:
    """The SHA-256 of everything that a record's looks depend on, but for Typst itself."""
    layout = PAPERS[paper]
    digest = hashlib.sha256(f"form {FORM}\n".encode())
    for path in (HERE / layout.template, *sorted(FONTS.glob("*.ttf"))):
        digest.update(path.read_bytes())
    digest.update(msgspec.json.encode(layout.labels, order="sorted"))
    return digest.hexdigest()


def typst_version() -> str:
    """Which Typst there is."""
    return metadata.version("typst")


def printable(text: str) -> str:
    """`text` with what the fonts lack, and what would not show, by its number; long runs may be broken."""
    text = PRINTABLE.sub(lambda character: f"[U+{ord(character[0]):04X}]", nfc(text).replace("\r\n", "\n"))
    return re.sub(rf"\S{{{LONGEST_RUN + 1},}}", _breakable, text)


def _breakable(match: re.Match[str]) -> str:
    run = match[0]
    if re.fullmatch(r"[0-9a-f]{40,64}", run):  # a hash: its column is wide enough
        return run
    return "\u200b".join(run[at : at + LONGEST_RUN] for at in range(0, len(run), LONGEST_RUN))


def _shown(content: RecordContent) -> dict[str, object]:
    """What the template prints: every text fit for the fonts, moments as people write them."""
    moments = {
        moment
        for moment in (
            content.made,
            content.visit.started,
            content.visit.signed_off,
            *(row.when for part in content.parts for row in part.rows),
            *(limit for device in content.devices for limit in (device.not_before, device.not_after)),
        )
        if moment
    }
    shown = _fit(msgspec.to_builtins(content))
    zone = datetime.fromisoformat(content.made).tzinfo
    return {
        "content": shown,
        "labels": {name: msgspec.to_builtins(words) for name, words in PAPERS[content.paper].labels.items()},
        "moments": {printable(moment): _moment(moment, zone) for moment in moments},
        "made": _spoken(content.made),
        "year": datetime.fromisoformat(content.made).year,
    }


def _fit(value: object) -> object:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list | tuple):
        return [_fit(part) for part in value]
    if isinstance(value, dict):
        return {key: _fit(part) for key, part in value.items()}
    return value


def _moment(text: str, zone: tzinfo | None) -> str:
    """An RFC 3339 moment or a date, short, day first, in the time zone that the record was made in."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return printable(text)
    if len(text) == 10:
        return day_first(text)
    return day_first(f"{moment.astimezone(zone) if moment.tzinfo else moment:%Y-%m-%d %H:%M}")


def _spoken(text: str) -> dict[str, str]:
    """A moment as it stands at the head of a record."""
    at = datetime.fromisoformat(text)
    # days under 10 and the months 1 and 2 get a leading 0 (decree 30/2020, annex I)
    month = f"{at.month:02d}" if at.month < 3 else str(at.month)
    return {
        "vi": f"{at.hour:02d} giờ {at.minute:02d} phút, ngày {at.day:02d} tháng {month} năm {at.year}",
        "en": f"{at.day} {MONTHS[at.month - 1]} {at.year}, {at.hour:02d}:{at.minute:02d}",
    }


MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def _place(box: MarkedBox) -> Place:
    """A box that Typst measured from the top left, as PDF measures: from the bottom left."""
    left, top = round(box["x"]), round(box["y"])
    width, height = round(box["width"]), round(box["height"])
    bottom = round(box["page-height"]) - top - height
    return Place(int(box["page"]) - 1, (left, bottom, left + width, bottom + height))

"""The record's content as a tagged PDF/A-3a and PDF/UA-1 with the content attached.

The same content gives the same bytes, on every machine: only the fonts beside this file are used.
What people typed goes in as data and is never part of the markup.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import shutil
import tempfile
from datetime import datetime, tzinfo
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import msgspec

from fieldkit.record.content import RecordContent, encode
from fieldkit.record.errors import RecordNotRendered
from fieldkit.record.labels import LABELS
from fieldkit.signature.place import Place
from fieldkit.text import M, nfc

HERE = Path(__file__).parent
TEMPLATE = HERE / "handover.typ"
FONTS = HERE / "fonts"
ATTACHMENT = "fieldkit-record.json"
STANDARDS: list[Literal["a-3a", "ua-1"]] = ["a-3a", "ua-1"]
FORM = 1
"""Raised when this module prints the same content differently."""

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

    :raises RecordNotRendered: Typst refused it.
    """
    return render_json(encode(content), content)


def render_json(data: bytes, content: RecordContent) -> Rendered:
    """The same from the attached bytes, `data`, and what they decode to."""
    import typst

    inputs = {
        "data": data.decode(),
        "shown": json.dumps(_shown(content), ensure_ascii=False),
        "attachment": ATTACHMENT,
    }
    moment = datetime.fromisoformat(content.made)
    with tempfile.TemporaryDirectory(prefix="fieldkit-record-") as name:
        main = Path(name) / TEMPLATE.name
        shutil.copyfile(TEMPLATE, main)
        settings: dict[str, Any] = {
            "root": name,
            "font_paths": [str(FONTS)],
            "ignore_system_fonts": True,
            "sys_inputs": inputs,
        }
        try:
            pdf = typst.compile(
                str(main), timestamp=int(moment.timestamp()), pdf_standards=[*STANDARDS], **settings
            )
            found = json.loads(typst.query(str(main), "<signature>", field="value", **settings))
        except Exception as error:  # typst raises its own and Rust's
            raise RecordNotRendered(
                M("The record could not be laid out."),
                unchanged=M("The visit is as it was."),
                hint=M("Send the report of `fieldkit doctor` to head office."),
                detail=str(error).splitlines()[0][:200] if str(error) else type(error).__name__,
            ) from None
    assert isinstance(pdf, bytes)
    return Rendered(pdf, data, {each["party"]: _place(each) for each in found})


@functools.cache
def look() -> str:
    """The SHA-256 of everything that a record's looks depend on, but for Typst itself."""
    digest = hashlib.sha256(f"form {FORM}\n".encode())
    for path in (TEMPLATE, *sorted(FONTS.glob("*.ttf"))):
        digest.update(path.read_bytes())
    digest.update(msgspec.json.encode(LABELS, order="sorted"))
    return digest.hexdigest()


def typst_version() -> str:
    """Which Typst there is."""
    return metadata.version("typst")


def printable(text: str) -> str:
    """`text` with what the fonts lack, and what would not show, by its number; long runs may be broken."""
    text = PRINTABLE.sub(lambda found: f"[U+{ord(found[0]):04X}]", nfc(text).replace("\r\n", "\n"))
    return re.sub(rf"\S{{{LONGEST_RUN + 1},}}", _breakable, text)


def _breakable(found: re.Match[str]) -> str:
    run = found[0]
    if re.fullmatch(r"[0-9a-f]{40,64}", run):  # a hash: its column is wide enough
        return run
    return "\u200b".join(run[at : at + LONGEST_RUN] for at in range(0, len(run), LONGEST_RUN))


def _shown(content: RecordContent) -> dict[str, Any]:
    """What the template prints: every text fit for the fonts, moments as people write them."""
    moments = {
        each
        for each in (
            content.made,
            content.visit.started,
            content.visit.signed_off,
            *(row.when for part in content.parts for row in part.rows),
            *(moment for device in content.devices for moment in (device.not_before, device.not_after)),
        )
        if each
    }
    shown = _fit(msgspec.to_builtins(content))
    zone = datetime.fromisoformat(content.made).tzinfo
    return {
        "content": shown,
        "labels": {name: {"vi": words.vi, "en": words.en} for name, words in LABELS.items()},
        "moments": {printable(each): _moment(each, zone) for each in moments},
        "made": _spoken(content.made),
        "year": datetime.fromisoformat(content.made).year,
    }


def _fit(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list | tuple):
        return [_fit(each) for each in value]
    if isinstance(value, dict):
        return {key: _fit(each) for key, each in value.items()}
    return value


def _moment(text: str, zone: tzinfo | None) -> str:
    """An RFC 3339 moment or a date, short, day first, in the time zone that the record was made in."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return printable(text)
    if len(text) == 10:
        return moment.strftime("%d/%m/%Y")
    return (moment.astimezone(zone) if moment.tzinfo else moment).strftime("%d/%m/%Y %H:%M")


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


def _place(found: dict[str, Any]) -> Place:
    """A box that Typst measured from the top left, as PDF measures: from the bottom left."""
    left, top = round(found["x"]), round(found["y"])
    width, height = round(found["width"]), round(found["height"])
    bottom = round(found["page-height"]) - top - height
    return Place(int(found["page"]) - 1, (left, bottom, left + width, bottom + height))

"""What a handover record says, as one value: attached to the PDF as canonical JSON, and printed from it.

No clock, catalog or profile is asked after it is built, so the same content is the same record for good.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

from fieldkit.journal.entry import canonical
from fieldkit.operator import Severity
from fieldkit.record.errors import RecordUnreadable
from fieldkit.text import M, Words
from fieldkit.verdict import Outcome

SCHEMA = "fieldkit.record/1"
Language = Literal["vi", "en", "both"]
LANGUAGES: tuple[Language, ...] = ("vi", "en", "both")
LARGEST = 16 * 1024 * 1024  # bytes of JSON


class Party(msgspec.Struct, frozen=True):
    """One side of the handover. parent: the agency above it. title: of the person who stands for it."""

    agency: Words
    person: str
    title: Words
    parent: Words | None = None
    address: str = ""
    phone: str = ""
    email: str = ""
    code: str = ""


class Device(msgspec.Struct, frozen=True):
    """A token and the certificate on it. sha256: of the certificate. pin: who set it; never the PIN."""

    subscriber: str
    subject: str
    issuer: str
    certificate_serial: str
    not_before: str
    not_after: str
    sha256: str
    key: str
    model: str
    manufacturer: str
    token_serial: str
    token_label: str
    holder: Words
    email: str
    pin: Words
    condition: Words | None = None


class Note(msgspec.Struct, frozen=True):
    """One thing a procedure saw."""

    id: str
    severity: Severity
    text: Words
    detail: str = ""


class TestSignature(msgspec.Struct, frozen=True):
    """A document signed as a test, and what its judges said of it together. sha256: of the signed file."""

    __test__ = False

    name: str
    sha256: str
    level: str
    verdict: str


class Row(msgspec.Struct, frozen=True):
    """One item of the checklist with its answer. outcome: of a procedure; "" where a person answered."""

    item: str
    label: Words
    answer: Words
    who: str
    when: str
    outcome: Outcome | Literal[""] = ""
    notes: tuple[Note, ...] = ()
    files: tuple[str, ...] = ()


class Part(msgspec.Struct, frozen=True):
    """A section of the checklist."""

    title: Words
    rows: tuple[Row, ...]


class JournalHead(msgspec.Struct, frozen=True):
    """The last entry of the journal that the record was made from.

    key, signature: the device's Ed25519 public key and its signature over the head, hexadecimal.
    """

    device: str
    seq: int
    hash: str
    key: str
    signature: str


class VisitFacts(msgspec.Struct, frozen=True):
    """Which visit it was. signed_off: when the officer accepted it, and signoff_head what was accepted."""

    id: str
    bureau: str
    checklist: str
    version: str
    checklist_sha256: str
    started: str
    signed_off: str = ""
    signoff_head: str = ""


class Renderer(msgspec.Struct, frozen=True):
    """What makes the PDF: the same renderer gives the same bytes. look: SHA-256 of its files."""

    fieldkit: str
    typst: str
    look: str


class RecordContent(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a handover record says.

    name: of its files. number: as it stands on the paper. made: RFC 3339. basis: what it rests on.
    replaces, reason: the older record it takes the place of, and why. draft: before the sign-off.
    sample: for an invented bureau; it is marked so on every page.
    """

    schema: str = SCHEMA
    name: str
    number: str
    title: Words
    language: Language
    sample: bool
    draft: bool
    made: str
    place: str
    basis: tuple[Words, ...]
    giver: Party
    receiver: Party
    devices: tuple[Device, ...]
    tests: tuple[TestSignature, ...]
    parts: tuple[Part, ...]
    notes: tuple[str, ...]
    visit: VisitFacts
    journal: JournalHead
    renderer: Renderer
    replaces: str = ""
    reason: str = ""


def encode(content: RecordContent) -> bytes:
    """The canonical JSON: sorted ASCII keys, no fractions, composed text, one line."""
    return canonical(msgspec.to_builtins(content))


def decode(data: bytes) -> RecordContent:
    """The record that `data` says.

    :raises RecordUnreadable: it is no record, of another release, or not in its one canonical form.
    """
    try:
        schema = msgspec.json.decode(data, type=_Schema).schema
        if schema != SCHEMA:
            raise RecordUnreadable(
                M("The record is of a form this release does not know: {schema}.", schema=schema[:60]),
                hint=M("Read it with the release of fieldkit that made it, or a newer one."),
            )
        content = msgspec.json.decode(data, type=RecordContent)
        again: Any = canonical(msgspec.json.decode(data))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise RecordUnreadable(
            M("The machine-readable record cannot be read."),
            hint=M("Ask for the record again from where it came."),
            detail=str(error).splitlines()[0][:200],
        ) from None
    if again != data:
        raise RecordUnreadable(
            M("The machine-readable record is not in the form fieldkit writes; something else wrote it."),
            hint=M("Ask for the record again from where it came."),
        )
    return content


def sha256(data: bytes) -> str:
    """The SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


class _Schema(msgspec.Struct):
    schema: str

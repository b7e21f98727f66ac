"""What a handover record says, as one value: attached to the PDF as canonical JSON, and printed from it.

No clock, catalog or profile is asked after it is built, so the same content is the same record for good. The
device it was made on signs all of it. In the first form it signed the head of its journal alone; records of
that form are still read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Literal

import msgspec

from fieldkit.checklist.model import Paper
from fieldkit.finding import Outcome, Severity
from fieldkit.journal.entry import canonical
from fieldkit.journal.errors import NotStorable
from fieldkit.record.errors import RecordTooLarge, RecordUnreadable
from fieldkit.text import M, Words

SCHEMA = "fieldkit.record/2"
FORM_SCHEMA = "fieldkit.record/3"
"""Of records that are printed as a form; those of handovers stay readable by earlier releases."""
FIRST_SCHEMA = "fieldkit.record/1"
CONTEXT = b"fieldkit record\n"
"""What the device's signature over a content begins with, so that it can stand for nothing else."""
Language = Literal["vi", "en", "both"]
LANGUAGES: tuple[Language, ...] = ("vi", "en", "both")
LARGEST = 2 * 1024 * 1024  # bytes of JSON
MOST_ROWS = 4_000
MOST_TEXTS = 100_000
LONGEST_TEXT = 50_000  # characters


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


class HandedOverToken(msgspec.Struct, frozen=True):
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


class RecordNote(msgspec.Struct, frozen=True):
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


class RecordRow(msgspec.Struct, frozen=True):
    """One item of the checklist with its answer. outcome: of a procedure; "" where a person answered.

    kind, value: of an answer that is a number or a date, as the checklist has them.
    """

    item: str
    label: Words
    answer: Words
    who: str
    when: str
    outcome: Outcome | Literal[""] = ""
    notes: tuple[RecordNote, ...] = ()
    files: tuple[str, ...] = ()
    kind: str = ""
    value: str = ""


class RecordSection(msgspec.Struct, frozen=True):
    """A section of the checklist."""

    title: Words
    rows: tuple[RecordRow, ...]


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
    giver, receiver: of a form who filled it in, and the bureau with who answers for it there.
    replaces, reason: the older record it takes the place of, and why. draft: before the sign-off.
    sample: for an invented bureau; it is marked so on every page. lost: what of the visit cannot be read.
    signature: the device's Ed25519 signature over `statement`, hexadecimal; a draft has none.
    """

    schema: str = SCHEMA
    paper: Paper = "handover"
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
    devices: tuple[HandedOverToken, ...]
    tests: tuple[TestSignature, ...]
    parts: tuple[RecordSection, ...]
    notes: tuple[str, ...]
    visit: VisitFacts
    journal: JournalHead
    renderer: Renderer
    replaces: str = ""
    reason: str = ""
    lost: tuple[Words, ...] = ()
    signature: str = ""


def encode(content: RecordContent) -> bytes:
    """The canonical JSON: sorted ASCII keys, no fractions, composed text, one line."""
    members = msgspec.to_builtins(content)
    if content.schema != FORM_SCHEMA:
        del members["paper"]
    if content.schema == FIRST_SCHEMA:
        del members["lost"], members["signature"]
        for row in (row for part in members["parts"] for row in part["rows"]):
            del row["kind"], row["value"]
    return canonical(members)


def statement(content: RecordContent) -> bytes:
    """What the device signs: it stands for the whole content but the signature itself."""
    return CONTEXT + sha256(encode(msgspec.structs.replace(content, signature=""))).encode()


def check_size(content: RecordContent) -> None:
    """Whether it is of a size that a record has; a much larger one could not be laid out any more.

    :raises RecordTooLarge: it is not.
    """
    texts = list(_texts(msgspec.to_builtins(content)))
    rows = sum(len(part.rows) for part in content.parts)
    if rows > MOST_ROWS or len(texts) > MOST_TEXTS or max(map(len, texts)) > LONGEST_TEXT:
        raise RecordTooLarge(
            M(
                "The record holds more than a record can: {rows} rows, {texts} texts.",
                rows=rows,
                texts=len(texts),
            ),
            unchanged=M("Nothing was changed."),
            hint=M("Attach long texts to the visit as files, and divide a long checklist."),
        )


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _texts(member)


def decode(data: bytes) -> RecordContent:
    """The record that `data` says.

    :raises RecordUnreadable: it is no record, of another release, or not in its one canonical form.
    :raises RecordTooLarge: it holds more than a record can.
    """
    if len(data) > LARGEST:
        raise RecordUnreadable(M("The machine-readable record is too large."))
    try:
        schema = msgspec.json.decode(data, type=_Schema).schema
        if schema not in (FORM_SCHEMA, SCHEMA, FIRST_SCHEMA):
            raise RecordUnreadable(
                M("The record is of a form this release does not know: {schema}.", schema=schema[:60]),
                hint=M("Read it with the release of fieldkit that made it, or a newer one."),
            )
        content = msgspec.json.decode(data, type=RecordContent)
        again = encode(content)
    except (msgspec.DecodeError, NotStorable, RecursionError, UnicodeDecodeError) as error:
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
    check_size(content)
    return content


def sha256(data: bytes) -> str:
    """The SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


class _Schema(msgspec.Struct):
    schema: str

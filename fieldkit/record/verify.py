"""Whether a handover record holds: its signatures, its data, and that the paper says what the data says.

A record is rendered to the same bytes each time, so the paper is rendered again from the data inside it
and has to be the file's first revision, byte for byte. What a signature adds is known too, so nothing else
may have been added. The data is the device's: it signed all of it, and its journal, where it is at hand,
has to give the same again.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path

import msgspec

from fieldkit.certificate import name
from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding, overall
from fieldkit.journal.store import Store
from fieldkit.pdf import boundary, document
from fieldkit.pdf.errors import DocumentMissing
from fieldkit.program import run
from fieldkit.record import pdf, provenance, signing
from fieldkit.record.content import HandedOverToken, RecordContent, RecordRow, decode, sha256
from fieldkit.record.labels import FORM_LABELS
from fieldkit.record.render import (
    ATTACHMENT,
    EARLIER_LOOKS,
    Rendered,
    layout_hash,
    render_apart,
    typst_version,
)
from fieldkit.record.signing import FIELDS, GIVER, RECEIVER
from fieldkit.text import M, nfc
from fieldkit.validation import appearance
from fieldkit.validation.judgement import Judgement, Policy, SignatureVerdict, every_check
from fieldkit.validation.online import Online
from fieldkit.validation.validate import validate

PATIENCE = 30.0
PAGES = re.compile(r"\d+/\d+")


class VerifiedRecord(msgspec.Struct, frozen=True):
    """The judgement on a record: pass only when every required check of it and of its signatures passed.

    content: what the record says, where its data could be read.
    """

    judgement: Judgement
    sha256: str
    content: RecordContent | None = None

    @property
    def verdict(self) -> str:
        return self.judgement.verdict

    @property
    def checks(self) -> tuple[Finding, ...]:
        """Those of the record, then each signature's."""
        return every_check(self.judgement)


def verify(
    path: Path,
    *,
    trust: Sequence[bytes],
    crls: Sequence[bytes] = (),
    at: datetime | None = None,
    network: bool | Online = False,
    policy: Policy = Policy(),  # noqa: B008 (frozen)
    store: Store | None = None,
    unopened: FieldkitError | None = None,
    devices: Collection[str] = (),
) -> VerifiedRecord:
    """Judge the record at `path` against the anchors `trust` (DER or PEM).

    crls, at, network, policy: as for any signed document. store: the journal it may have been made from.
    unopened: why there is none, though one is here. devices: the keys (hexadecimal) of those that may have
    made it; without them, and without the store, whose device it was is not checked.

    :raises DocumentMissing: it cannot be opened. What opens and is no readable PDF fails.
    """
    data = b""
    try:
        data = document.read_bytes(path)
        paper = pdf.read(data, path.name)
        signatures = validate(path, trust=trust, crls=crls, at=at, network=network, policy=policy)
    except DocumentMissing:
        raise
    except FieldkitError as error:  # a record is never encrypted, and never so large that it is dangerous
        unread = Finding("readable", "fail", boundary.words(error), error.detail)
        return VerifiedRecord(Judgement("fail", (), (unread,)), sha256(data))
    content, attachment = _attachment(paper)
    checks = [attachment]
    if content is not None:
        raw = paper.attached[0][1]
        checks += _paper(data, raw, content, paper)
        if signatures.signatures:
            signatures = appearance.judged(signatures, _compare_appearance(path, checks))
        origin = list(provenance.checks(content, raw, store, unopened, devices))
        vouched = any(check.id in ("journal", "device") and check.severity == "pass" for check in origin)
        if content.paper == "form":
            checks += _unsigned(signatures, vouched=vouched)
        else:
            checks += _parties(signatures, content, paper)
        checks += origin
    if content is None or signatures.signatures:  # a record that hands over nothing may be unsigned
        checks += signatures.checks
    judged = Judgement("pass", signatures.signatures, tuple(checks))
    return VerifiedRecord(
        msgspec.structs.replace(judged, verdict=overall(every_check(judged))), sha256(data), content
    )


def _attachment(paper: pdf.RecordPdf) -> tuple[RecordContent | None, Finding]:
    """The data in the record, read; and what is to be said of it."""
    names = ", ".join(filename for filename, _ in paper.attached)
    if len(paper.attached) != 1 or paper.attached[0][0] != ATTACHMENT:
        missing = M("The record's data is not attached to it as it should be.")
        return None, Finding("attachment", "fail", missing, names)
    raw = paper.attached[0][1]
    try:
        content = decode(raw)
    except FieldkitError as error:
        return None, Finding("attachment", "fail", boundary.words(error), error.detail)
    attached = M("The record's data is attached to it.")
    return content, Finding("attachment", "pass", attached, sha256(raw))


def _paper(data: bytes, raw: bytes, content: RecordContent, paper: pdf.RecordPdf) -> Iterator[Finding]:
    """Whether the paper is what the data says, and nothing was put on it but the parties' signatures."""
    if content.draft:
        yield Finding("draft", "fail", M("It is a draft and no record."))
    if differing := ", ".join(row.item for part in content.parts for row in part.rows if not _agrees(row)):
        other = M("The data holds other values for tables than the answers on the paper.")
        yield Finding("values", "fail", other, differing)
    try:
        again = render_apart(raw, content)
    except FieldkitError as error:
        yield Finding("rendering", "fail", M("The record's data cannot be rendered."), error.detail)
        return
    renderer = content.renderer
    detail = f"fieldkit {renderer.fieldkit}, Typst {renderer.typst}"
    if data.startswith(again.pdf):
        same = M("The paper says what the data says: rendered again, it is the same.")
        yield Finding("rendering", "pass", same, detail)
        yield _places(paper, again)
        yield _additions(data, content, paper, again)
    elif renderer.typst == typst_version() and renderer.look in (layout_hash(content.paper), *EARLIER_LOOKS):
        yield Finding("rendering", "fail", M("The paper does not say what the data says."), detail)
    else:
        yield Finding(
            "rendering",
            "not-checked",
            M("The record was rendered by another release, so only its text is compared."),
            detail,
            hint=M("Verify it with the release of fieldkit that made it."),
        )
        yield _text(data[: paper.revisions[0].start] if paper.revisions else data, again.pdf)
    if paper.loose:
        yield Finding("form", "fail", M("A signature is not written as fieldkit writes it."), paper.loose)
    else:
        yield Finding("form", "pass", M("The signatures hold nothing beside what belongs in them."))


def _agrees(row: RecordRow) -> bool:
    """Whether what tables are made from is the answer that is printed."""
    printed = {row.value}
    if row.kind == "date":
        with contextlib.suppress(ValueError):
            printed.add(f"{date.fromisoformat(row.value):%d/%m/%Y}")
    if row.kind not in ("number", "date"):
        return not row.kind and not row.value
    return {row.answer.vi, row.answer.en} <= printed


def _compare_appearance(path: Path, checks: Sequence[Finding]) -> appearance.AppearanceComparison:
    """What the engines see change between the signatures; nothing has to be drawn where more than they is
    known to have been added."""
    if all(check.id != "additions" or check.severity == "pass" for check in checks):
        try:
            return appearance.compare(path)
        except FieldkitError as error:
            undrawn = M("The pages could not be drawn, so nobody looked at them.")
            detail = str(error.message)
            return appearance.AppearanceComparison(
                (Finding(appearance.JUDGE, "not-checked", undrawn, detail, judge=appearance.JUDGE),)
            )
    added = M("The pages were not drawn: more than signatures was added to the record.")
    return appearance.AppearanceComparison(
        (Finding(appearance.JUDGE, "not-checked", added, required=False, judge=appearance.JUDGE),)
    )


def _places(paper: pdf.RecordPdf, again: Rendered) -> Finding:
    """On the pages stand the parties' fields, each exactly in its own place, and nothing else."""
    expected = {
        (FIELDS[party], place.page, tuple(map(float, place.box))) for party, place in again.places.items()
    }
    present = [(field.name, field.page, field.box) for field in paper.fields]
    if len(present) == len(set(present)) and set(present) == (expected if paper.revisions else set()):
        return Finding("places", "pass", M("The signatures stand in their places."))
    return Finding(
        "places",
        "fail",
        M("Something stands on the record outside the signatures' places."),
        ", ".join(widget[0] or "?" for widget in present if widget not in expected),
    )


def _additions(data: bytes, content: RecordContent, paper: pdf.RecordPdf, again: Rendered) -> Finding:
    """After the paper comes what the receiver's signature brings, then what the giver's does, and no more."""
    more = M("More than signatures was added to the record.")
    at = len(again.pdf)
    for revision, (party, field) in zip(paper.revisions, FIELDS.items(), strict=False):
        if (revision.start, revision.field) != (at, field):
            return Finding("additions", "fail", more, revision.field)
        fault = signing.difference(data, revision, party, content, again.places)
        if fault:
            return Finding("additions", "fail", more, fault)
        at = revision.end
    if at != len(data):
        return Finding("additions", "fail", more, f"byte {at}")
    return Finding("additions", "pass", M("Nothing but signatures was added to the record."))


def _text(paper: bytes, again: bytes) -> Finding:
    """Whether every word of the data stands on the paper, by what pdftotext reads; fixed words may differ."""
    printed, expected = _words_of(paper), _words_of(again)
    if printed is None or expected is None:
        return Finding(
            "text",
            "not-checked",
            M("The record's text could not be compared: pdftotext is not here or cannot read it."),
        )
    fixed = {word for words in FORM_LABELS.values() for text in (words.vi, words.en) for word in text.split()}
    differing = {word for word in expected ^ printed if word not in fixed and not PAGES.fullmatch(word)}
    if differing:
        shown = " ".join(sorted(differing))[:200]
        return Finding("text", "fail", M("The paper does not say what the data says."), shown)
    return Finding("text", "pass", M("Every word of the data stands on the paper, and no other."))


def _words_of(data: bytes) -> set[str] | None:
    program = shutil.which("pdftotext")
    if program is None:
        return None
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(data)
        file.flush()
        done = run([program, "-enc", "UTF-8", "-raw", file.name, "-"], timeout=PATIENCE)
    return set(done.text.split()) if done.status == 0 else None


def _unsigned(signatures: Judgement, *, vouched: bool) -> Iterator[Finding]:
    """A form that is only recorded is signed by nobody: what vouches for it is the device it was made on."""
    if signatures.signatures:
        signed = ", ".join(verdict.field for verdict in signatures.signatures)
        yield Finding("signatures", "fail", M("A form that no token signs has a signature on it."), signed)
    yield Finding(
        "receiver",
        "not-checked",
        M("The form is finished without a signature; only the device it was made on vouches for it."),
        required=not vouched,
        hint=None if vouched else provenance.ELSEWHERE,
    )


def _parties(signatures: Judgement, content: RecordContent, paper: pdf.RecordPdf) -> Iterator[Finding]:
    """Who signed for which party, and whether it was theirs to sign."""
    by_field = {verdict.field: verdict for verdict in signatures.signatures}
    if len(by_field) != len(signatures.signatures) or not set(by_field) <= set(FIELDS.values()):
        others = ", ".join(sorted(set(by_field) - set(FIELDS.values())))
        yield Finding("signatures", "fail", M("There is a signature of neither party on the record."), others)
    receiver = by_field.get(RECEIVER)
    if receiver is not None:
        yield Finding("receiver", "pass", M("The receiving officer signed the record."), receiver.signer)
        yield _handed_over(receiver, content, paper)
    elif signatures.signatures or content.devices:
        yield Finding("receiver", "fail", M("The receiving officer's signature is missing."))
    else:
        yield Finding(
            "receiver",
            "not-checked",
            M("The record hands over no certificate and is not signed; only its text was compared."),
        )
    yield _giver(by_field, content, paper)


def _handed_over(receiver: SignatureVerdict, content: RecordContent, paper: pdf.RecordPdf) -> Finding:
    """Whether the receiver signed with the certificate handed over, and the record describes it truly."""
    if not content.devices:
        return Finding(
            "certificate",
            "not-checked",
            M("The record hands over no certificate, so nothing says whose signature it should be."),
            receiver.signer,
        )
    device = next(
        (
            handed_over_token
            for handed_over_token in content.devices
            if handed_over_token.sha256 == receiver.sha256
        ),
        None,
    )
    if device is None:
        return Finding(
            "certificate",
            "fail",
            M("It is signed with another certificate than the one it hands over."),
            receiver.sha256,
        )
    held = next(revision.certificate for revision in paper.revisions if revision.field == RECEIVER)
    wrong = _misdescribed(device, held)
    if wrong:
        return Finding(
            "certificate",
            "fail",
            M("The record describes the certificate it hands over otherwise than the certificate itself."),
            ", ".join(wrong),
        )
    return Finding(
        "certificate", "pass", M("It is signed with the certificate it hands over."), receiver.sha256
    )


def _misdescribed(device: HandedOverToken, certificate: bytes) -> list[str]:
    """What the record says otherwise of the certificate (DER) than it is."""
    from cryptography import x509

    held = x509.load_der_x509_certificate(certificate)
    described = {
        "subject": (device.subject, nfc(name.text(held.subject))),
        "issuer": (device.issuer, nfc(name.text(held.issuer))),
        "serial number": (device.certificate_serial.lower(), f"{held.serial_number:x}"),
        "from": (_moment(device.not_before), held.not_valid_before_utc),
        "until": (_moment(device.not_after), held.not_valid_after_utc),
    }
    return [f"{member}: {actual}" for member, (recorded, actual) in described.items() if recorded != actual]


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _giver(signatures: dict[str, SignatureVerdict], content: RecordContent, paper: pdf.RecordPdf) -> Finding:
    """Who signed for the giving party, if anyone did."""
    giver, receiver = signatures.get(GIVER), signatures.get(RECEIVER)
    if giver is None:
        return Finding("giver", "not-checked", M("Nobody signed for the handing-over party."), required=False)
    receiving = {device.sha256 for device in content.devices}
    if giver.sha256 in receiving or (receiver is not None and giver.sha256 == receiver.sha256):
        return Finding(
            "giver",
            "fail",
            M("The handing-over party's signature was made with the certificate of the receiving one."),
            giver.signer,
        )
    party = content.giver
    expected = {nfc(label).casefold() for label in (party.person, party.agency.vi, party.agency.en) if label}
    if not expected & set(_common_names(next(r.certificate for r in paper.revisions if r.field == GIVER))):
        return Finding(
            "giver",
            "not-checked",
            M(
                "Who signed for the handing-over party is named otherwise than the record has it: {signer}.",
                signer=giver.signer,
            ),
            party.person,
            hint=M("Ask the handing-over party whether this is their signature."),
        )
    return Finding(
        "giver", "pass", M("{signer} signed for the handing-over party.", signer=giver.signer), giver.sha256
    )


def _common_names(certificate: bytes) -> list[str]:
    from cryptography import x509

    held = name.attributes(x509.load_der_x509_certificate(certificate).subject)
    return [common_name.casefold() for common_name in held.get("CN", ())]

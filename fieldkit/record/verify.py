"""Whether a handover record holds: its signatures, its data, and that the paper says what the data says.

A record is rendered to the same bytes each time, so the paper is rendered again from the data inside it
and has to be the file's first revision, byte for byte; after that only signatures may have been added.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from fieldkit.errors import FieldkitError
from fieldkit.journal.store import Store
from fieldkit.record import pdf
from fieldkit.record.content import RecordContent, decode, sha256
from fieldkit.record.errors import RecordUnreadable
from fieldkit.record.labels import LABELS
from fieldkit.record.render import ATTACHMENT, Rendered, look, render_json, typst_version
from fieldkit.signature import document
from fieldkit.signature.errors import DocumentEncrypted, DocumentUnfit
from fieldkit.signature.judgement import Judgement, Policy, SignatureVerdict, every_check
from fieldkit.signature.validate import validate
from fieldkit.text import M, Message
from fieldkit.verdict import Check, overall

RECEIVER = "Receiver"
GIVER = "Giver"
FIELDS = {"receiver": RECEIVER, "giver": GIVER}
"""Party to the name of its signature field."""

PATIENCE = 30.0
PAGES = re.compile(r"\d+/\d+")


class Verified(msgspec.Struct, frozen=True):
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
    def checks(self) -> tuple[Check, ...]:
        """Those of the record, then each signature's."""
        return every_check(self.judgement)


def verify(
    path: Path,
    *,
    trust: Sequence[bytes],
    crls: Sequence[bytes] = (),
    at: datetime | None = None,
    network: bool = False,
    policy: Policy = Policy(),  # noqa: B008 (frozen)
    store: Store | None = None,
) -> Verified:
    """Judge the record at `path` against the anchors `trust` (DER or PEM).

    crls, at, network, policy: as for any signed document. store: the journal it may have been made from.

    :raises DocumentMissing: it cannot be opened. What opens and is no readable PDF fails.
    """
    data = b""
    try:
        data = document.read(path)
        paper = pdf.read(data, path.name)
        signatures = validate(path, trust=trust, crls=crls, at=at, network=network, policy=policy)
    except (DocumentUnfit, DocumentEncrypted) as error:  # a record is never encrypted
        said = error.message if isinstance(error.message, Message) else M("It cannot be read as a PDF.")
        unread = Check("readable", "fail", said, error.detail)
        return Verified(Judgement("fail", (), (unread,)), sha256(data))
    content, raw, attachment = _attachment(paper)
    checks = [attachment]
    if content is not None:
        checks += _paper(data, raw, content, paper)
        checks += _signed(signatures, content)
        checks.append(_head(content))
        if store is not None:
            checks.append(_journal(content, store))
    elif not signatures.signatures:
        checks += signatures.checks
    judged = Judgement("pass", signatures.signatures, tuple(checks))
    return Verified(
        msgspec.structs.replace(judged, verdict=overall(every_check(judged))), sha256(data), content
    )


def _attachment(paper: pdf.Paper) -> tuple[RecordContent | None, bytes, Check]:
    """The data in the record, read; and what is to be said of it."""
    found = [content for name, content in paper.attached if name == ATTACHMENT]
    if len(found) != 1 or len(paper.attached) != 1:
        return (
            None,
            b"",
            Check(
                "attachment",
                "fail",
                M("The record's data is not attached to it as it should be."),
                ", ".join(name for name, _ in paper.attached),
            ),
        )
    try:
        content = decode(found[0])
    except RecordUnreadable as error:
        said = error.message
        message = said if isinstance(said, Message) else M("The machine-readable record cannot be read.")
        return None, b"", Check("attachment", "fail", message, error.detail)
    return (
        content,
        found[0],
        Check("attachment", "pass", M("The record's data is attached to it."), sha256(found[0])),
    )


def _paper(data: bytes, raw: bytes, content: RecordContent, paper: pdf.Paper) -> Iterator[Check]:
    """Whether the paper is what the data says, and nothing was put over it."""
    try:
        again = render_json(raw, content)
    except (FieldkitError, ValueError) as error:
        yield Check("rendering", "fail", M("The record's data cannot be rendered."), str(error))
        return
    made = content.renderer
    detail = f"fieldkit {made.fieldkit}, Typst {made.typst}"
    if data.startswith(again.pdf):
        yield Check(
            "rendering",
            "pass",
            M("The paper says what the data says: rendered again, it is the same."),
            detail,
        )
        yield _places(paper, again)
    elif (made.typst, made.look) == (typst_version(), look()):
        yield Check("rendering", "fail", M("The paper does not say what the data says."), detail)
        return
    else:
        yield Check(
            "rendering",
            "not-checked",
            M("The record was rendered by another release, so its text is compared instead."),
            detail,
            required=False,
        )
        yield _text(data, again.pdf)
    if paper.added:
        yield Check("additions", "fail", M("More than signatures was added to the record."), paper.added)
    else:
        yield Check("additions", "pass", M("Nothing but signatures was added to the record."))
    if paper.loose:
        yield Check("form", "fail", M("A signature is not written as fieldkit writes it."), paper.loose)
    else:
        yield Check("form", "pass", M("The signatures hold nothing beside what belongs in them."))


def _places(paper: pdf.Paper, again: Rendered) -> Check:
    """Nothing stands over the page but the parties' signatures, each in its own place."""
    wanted = {FIELDS[party]: place for party, place in again.places.items()}
    strange = [
        field.name or "?"
        for field in paper.fields
        if not field.name or (field.shows and wanted.get(field.name) != field.place)
    ]
    if strange:
        return Check(
            "places",
            "fail",
            M("Something stands on the record outside the signatures' places."),
            ", ".join(strange),
        )
    return Check("places", "pass", M("The signatures stand in their places."))


def _text(paper: bytes, again: bytes) -> Check:
    """Whether every word of the data stands on the paper, by what pdftotext reads; fixed words may differ."""
    there, wanted = _words(paper), _words(again)
    if there is None or wanted is None:
        return Check(
            "text",
            "not-checked",
            M("The record's text could not be compared: pdftotext is not here or cannot read it."),
        )
    fixed = {word for each in LABELS.values() for text in (each.vi, each.en) for word in text.split()}
    missing = {word for word in wanted - there - fixed if not PAGES.fullmatch(word)}
    if missing:
        shown = " ".join(sorted(missing))[:200]
        return Check("text", "fail", M("The paper does not say what the data says."), shown)
    return Check("text", "pass", M("Every word of the data stands on the paper."))


def _words(data: bytes) -> set[str] | None:
    program = shutil.which("pdftotext")
    if program is None:
        return None
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(data)
        file.flush()
        try:
            done = subprocess.run(
                [program, "-enc", "UTF-8", "-raw", file.name, "-"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PATIENCE,
            )
        except (subprocess.TimeoutExpired, OSError):
            return None
    return set(done.stdout.decode("utf-8", "replace").split()) if done.returncode == 0 else None


def _signed(signatures: Judgement, content: RecordContent) -> Iterator[Check]:
    """Whether the receiving officer signed, with the certificate that the record hands over."""
    found = next((each for each in signatures.signatures if each.field == RECEIVER), None)
    if found is None:
        if signatures.signatures or content.devices:
            yield Check("receiver", "fail", M("The receiving officer's signature is missing."))
        else:
            yield Check(
                "receiver",
                "not-checked",
                M("The record hands over no certificate and is not signed; only its text was compared."),
            )
        return
    yield Check("receiver", "pass", M("The receiving officer signed the record."), found.signer)
    yield _handed_over(found, content)


def _handed_over(found: SignatureVerdict, content: RecordContent) -> Check:
    known = [device.sha256 for device in content.devices if device.sha256]
    if not known:
        return Check(
            "certificate",
            "not-checked",
            M("The record names no certificate to compare the signature's with."),
            required=False,
        )
    if found.sha256 in known:
        return Check(
            "certificate", "pass", M("It is signed with the certificate it hands over."), found.sha256
        )
    return Check(
        "certificate",
        "fail",
        M("It is signed with another certificate than the one it hands over."),
        found.sha256,
    )


def _head(content: RecordContent) -> Check:
    """Whether the device that the record names signed the head of its journal."""
    from fieldkit.journal.device import name_of
    from fieldkit.journal.device import verify as signed_by
    from fieldkit.journal.entry import Head
    from fieldkit.journal.mark import statement

    head = content.journal
    detail = f"{head.device}:{head.seq}"
    try:
        key, signature = bytes.fromhex(head.key), bytes.fromhex(head.signature)
    except ValueError:
        key = signature = b""
    said = statement(Head(head.device, head.seq, head.hash))
    if name_of(key) == head.device and signed_by(key, signature, said):
        return Check("journal-head", "pass", M("The device signed the head of the journal."), detail)
    return Check("journal-head", "fail", M("The device's signature over the journal does not hold."), detail)


def _journal(content: RecordContent, store: Store) -> Check:
    """Whether the journal here still has the entry that the record was made from."""
    from fieldkit.journal.entry import digest

    head = content.journal
    detail = f"{head.device}:{head.seq}"
    if store.device != head.device:
        return Check(
            "journal", "not-checked", M("The record was made on another device."), detail, required=False
        )
    now = store.head()
    if head.seq > now.seq or digest(next(store.lines(head.seq, head.seq))) != head.hash:
        return Check(
            "journal", "fail", M("The journal here is not the one the record was made from."), detail
        )
    return Check("journal", "pass", M("The journal here still has what the record was made from."), detail)

"""The exchange rehearsal: wrap signed PDFs as the national exchange does, and open them as a receiver must.

Nothing is sent anywhere: a folder stands for the way between two agencies, in both directions.
"""

from __future__ import annotations

import functools
import hashlib
import tempfile
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fieldkit.certificate import name
from fieldkit.certificate.dossier import alike
from fieldkit.errors import FieldkitError
from fieldkit.exchange import edxml, xml_signature
from fieldkit.exchange.edxml import Attached, Envelope, MessageHeader, Organ
from fieldkit.exchange.errors import PackageUnfit
from fieldkit.finding import Finding, Overall, overall
from fieldkit.pdf import boundary, document
from fieldkit.signature.raw_signer import RawSigner
from fieldkit.stamp.stamp import VIETNAM
from fieldkit.text import M
from fieldkit.validation import appearance, quorum
from fieldkit.validation.judgement import Judgement, Policy, every_check

if TYPE_CHECKING:
    from fieldkit.profile.model import Dossier

Judge = Callable[[Path], Judgement]
RECEIVED, REFUSED = "03", "02"
NOBODY: Mapping[str, Sequence[Dossier]] = {}


class PackedPackage(msgspec.Struct, frozen=True):
    """A package that was written."""

    out: str
    document: str
    sha256: str
    attachments: tuple[str, ...]
    signed: bool = False


class OpenedPackage(msgspec.Struct, frozen=True):
    """What a receiver found. files: where the attachments were put, only when the verdict is not "fail"."""

    verdict: Overall
    header: MessageHeader
    checks: tuple[Finding, ...]
    files: tuple[str, ...]
    status: str


class Rehearsal(msgspec.Struct, frozen=True):
    """Both sides: what was packed, what the receiver found, and what the sender makes of the answer."""

    packed: PackedPackage
    opened: OpenedPackage
    answer: Finding

    @property
    def checks(self) -> tuple[Finding, ...]:
        """The receiver's checks, then the sender's."""
        return (*self.opened.checks, self.answer)

    @property
    def verdict(self) -> Overall:
        return overall(self.checks)


def pack(
    sources: Sequence[Path], out: Path, header: MessageHeader, *, signer: RawSigner | None = None
) -> PackedPackage:
    """Wrap the files `sources` into the package `out`, which must not be there yet.

    signer: the token's key that signs the package as a whole, where it is to be signed.

    :raises PackageUnfit: there is nothing to pack. :raises OutputUnfit: `out` is there.
    """
    if not sources:
        raise PackageUnfit(M("There is nothing to pack."))
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise PackageUnfit(
            M("Two of the files have the same name."), hint=M("Rename one of them, then pack again.")
        )
    now = datetime.now(VIETNAM).isoformat(timespec="seconds")
    known = msgspec.structs.replace(
        header, document=header.document or str(uuid.uuid4()), sent=header.sent or now
    )
    message = Envelope(known, tuple(Attached(path.name, document.read(path)) for path in sources))
    data = edxml.write(message)
    if signer is not None:
        data = xml_signature.sign(data, signer)
    with document.written(out) as file, boundary.signing(out.name):
        file.write(data)
    return PackedPackage(
        str(out), known.document, hashlib.sha256(data).hexdigest(), tuple(names), signer is not None
    )


def open_package(
    package: Path,
    folder: Path,
    *,
    trust: Sequence[bytes],
    crls: Sequence[bytes] = (),
    receiver: str = "",
    policy: Policy = Policy(),  # noqa: B008 (frozen)
    signature: bool | None = None,
    senders: Mapping[str, Sequence[Dossier]] = NOBODY,
    judge: Judge | None = None,
    draw: bool = True,
) -> OpenedPackage:
    """Read `package`, judge all of it, put the attachments and the answer into `folder`.

    receiver: the code of the agency that opens it; a package for another is refused. signature: the package
    itself has to be signed (True), or need not be (False); None: without a signature the verdict stays open.
    senders: by the code of an agency what was asked for its certificates. judge: who judges the documents;
    every judge that is here unless given. draw: have their pages drawn, to compare what they show.

    :raises PackageUnfit: it is no such package; nothing of it was used.
    """
    data = document.read(package)
    message = edxml.read(data)
    sender = message.header.sender
    checks = [_built(message), _header(message, receiver)]
    checks += xml_signature.verify(
        data,
        trust=trust,
        crls=crls,
        policy=policy,
        required=signature,
        sender=lambda certificate: _sender(certificate, sender, senders.get(sender.code, ())),
    )
    if judge is None:
        judge = functools.partial(quorum.judge, trust=trust, crls=crls, policy=policy, draw=draw)
    if not message.attachments:
        checks.append(Finding("attachments", "fail", M("The package holds no document.")))
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    with tempfile.TemporaryDirectory(prefix=".opening-", dir=folder) as opening:
        beside = Path(opening)
        for number, attached in enumerate(message.attachments, 1):
            path = beside / f"{number:02d}-{_safe(attached.name)}"
            path.write_bytes(attached.content)
            checks.append(_digest(attached))
            checks += _signatures(path, attached, judge)
            files.append(path)
        verdict = overall(checks)
        kept = [] if verdict == "fail" else [_kept(path, folder / path.name) for path in files]
    return OpenedPackage(
        verdict,
        message.header,
        tuple(checks),
        tuple(map(str, kept)),
        _answered(message, verdict, checks, folder),
    )


def _kept(path: Path, out: Path) -> Path:
    """A file that may stay, under its name."""
    with document.written(out) as file, boundary.signing(out.name):
        file.write(path.read_bytes())
    return out


def _answered(message: Envelope, verdict: Overall, checks: Sequence[Finding], folder: Path) -> str:
    """The answer for the sender, in Vietnamese, the exchange's language, whatever this machine speaks."""
    answer = folder / f"status-{_safe(message.header.document)[:80]}.xml"
    failed = [check.message.render("vi") for check in checks if check.severity == "fail" and check.required]
    now = datetime.now(VIETNAM).isoformat(timespec="seconds")
    code = REFUSED if verdict == "fail" else RECEIVED
    with document.written(answer) as file, boundary.signing(answer.name):
        file.write(edxml.status(message.header, code, " ".join(failed), now))
    return str(answer)


def rehearse(
    sources: Sequence[Path],
    folder: Path,
    header: MessageHeader,
    *,
    trust: Sequence[bytes],
    crls: Sequence[bytes] = (),
    policy: Policy = Policy(),  # noqa: B008 (frozen)
    signer: RawSigner | None = None,
    senders: Mapping[str, Sequence[Dossier]] = NOBODY,
) -> Rehearsal:
    """Both sides in one: pack as the sender, open as the receiver, read the answer, through `folder`."""
    for side in ("outbox", "inbox"):
        (folder / side).mkdir(parents=True, exist_ok=True)
    packed = pack(sources, folder / "outbox" / f"{uuid.uuid4()}.edxml", header, signer=signer)
    opened = open_package(
        Path(packed.out),
        folder / "inbox" / packed.document,
        trust=trust,
        crls=crls,
        receiver=header.receiver.code,
        policy=policy,
        signature=signer is not None,
        senders=senders,
    )
    return Rehearsal(packed, opened, _heard(packed, opened, header))


def _heard(packed: PackedPackage, opened: OpenedPackage, header: MessageHeader) -> Finding:
    """What the sender makes of the answer: it is for this document, from its receiver, and says received."""
    answer = edxml.read_status(document.read(Path(opened.status)))
    ours = (answer.about, answer.sender.code, answer.receiver)
    if ours != (packed.document, header.receiver.code, header.sender.code):
        return Finding("answer", "fail", M("The answer that came back is for something else."), answer.about)
    if answer.code != RECEIVED:
        return Finding("answer", "fail", M("The receiver refused the package."), answer.code)
    return Finding("answer", "pass", M("The receiver's answer came back: received."), answer.code)


def _built(message: Envelope) -> Finding:
    if message.faults:
        return Finding(
            "package",
            "fail",
            M("The package is not built as the exchange's packages are."),
            "; ".join(message.faults)[:400],
            hint=M("Ask the sender to send it again by software that follows QCVN 102:2016."),
        )
    return Finding("package", "pass", M("The package is well-formed and has what it must have."))


def _header(message: Envelope, receiver: str) -> Finding:
    header = message.header
    missing = [
        part
        for part, value in (
            ("From/OrganId", header.sender.code),
            ("To/OrganId", header.receiver.code),
            ("CodeNumber", header.number),
            ("Subject", header.subject),
            ("DocumentId", header.document),
        )
        if not value
    ]
    if missing:
        return Finding("header", "fail", M("The package's header is incomplete."), ", ".join(missing))
    if receiver and receiver not in message.receivers:
        return Finding(
            "header", "fail", M("The package is for another agency."), ", ".join(message.receivers)
        )
    return Finding("header", "pass", M("The package's header is complete."), header.document)


def _sender(certificate: bytes, sender: Organ, asked: Sequence[Dossier]) -> Finding:
    """Whether who signed the package is who it says it is from: anybody with a certificate can sign one.

    asked: what was asked for the agency's certificates, as far as it is known here.
    """
    from cryptography import x509

    try:
        subject = x509.load_der_x509_certificate(certificate).subject
        held, who = name.attributes(subject), name.text(subject)
    except ValueError:  # a certificate that only the more patient parser reads
        held, who = {}, "?"
    agency = sender.name or sender.code
    named = any(sender.code == value for values in held.values() for value in values)
    comparable = [wanted for dossier in asked if (wanted := _organisation(dossier))]
    if named or any(
        all(any(alike(value, one) for one in held.get(short, ())) for short, value in wanted.items())
        for wanted in comparable
    ):
        return Finding(
            "package-sender", "pass", M("The package was signed by the agency that it is from."), who
        )
    if comparable:
        return Finding(
            "package-sender",
            "fail",
            M(
                "The package says that it is from {agency}, and {signer} signed it.",
                agency=agency,
                signer=who,
            ),
            sender.code,
            hint=M("Do not use it. Ask the agency by another way whether it sent it."),
        )
    return Finding(
        "package-sender",
        "not-checked",
        M(
            "Whether {signer}, who signed the package, may send for {agency} is not known here.",
            signer=who,
            agency=agency,
        ),
        sender.code,
        required=False,
        hint=M("The plan tells it of the bureaus that have their agency_code and dossier in it."),
    )


def _organisation(asked: Dossier) -> dict[str, str]:
    """What of a certificate's subject says whose it is; an officer's own name may be another one's by now."""
    telling = ("O", "OU", "CN") if asked.holder == "agency" else ("O", "OU")
    return {short: value for short, value in asked.subject.items() if value and short in telling}


def _digest(attached: Attached) -> Finding:
    if not attached.digest:
        return Finding(
            "digest",
            "not-checked",
            M("The package names no digest for {name}.", name=attached.name),
            required=False,
            hint=M("The document's own signature tells whether it was changed."),
        )
    if hashlib.sha256(attached.content).hexdigest() != attached.digest:
        return Finding(
            "digest", "fail", M("The file {name} is not the one that was sent.", name=attached.name)
        )
    return Finding(
        "digest", "pass", M("The file {name} is the one that was sent.", name=attached.name), attached.digest
    )


def _signatures(path: Path, attached: Attached, judge: Judge) -> list[Finding]:
    """What is to be said of one document: a summary, then each thing that is not as it should be."""
    try:
        judged = judge(path)
    except FieldkitError as error:
        message = M("The file {name} cannot be judged.", name=attached.name)
        hint = M("Ask the sender for it again.")
        return [
            Finding("signatures", "fail", message, f"{error.code}: {error.detail}".rstrip(": "), hint=hint)
        ]
    message = {
        "pass": M("Every signature in {name} is valid.", name=attached.name),
        "fail": M("A signature in {name} is not valid, or there is none.", name=attached.name),
        "indeterminate": M(
            "The signatures in {name} are intact, but not all could be checked.", name=attached.name
        ),
    }[judged.verdict]
    outcome = "not-checked" if judged.verdict == "indeterminate" else judged.verdict
    why = [
        msgspec.structs.replace(check, id=f"signature-{check.id}")
        for check in every_check(judged)
        if check.severity != "pass" and (check.required or check.id == appearance.JUDGE)
    ]
    return [Finding("signatures", outcome, message), *why]


def _safe(name: str) -> str:
    """A name that stays in its folder: what a sender calls a file is not where it goes."""
    plain = "".join(character if character.isalnum() or character in "-_. " else "_" for character in name)
    return plain.strip(". ")[-120:] or "file"

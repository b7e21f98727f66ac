"""The exchange rehearsal: wrap signed PDFs as the national exchange does, and open them as a receiver must.

Nothing is sent anywhere: a folder stands for the way between two agencies.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from fieldkit.errors import FieldkitError
from fieldkit.signature import boundary, document, edxml, errors
from fieldkit.signature.edxml import Attached, Envelope, Header
from fieldkit.signature.judgement import Policy
from fieldkit.signature.stamp import VIETNAM
from fieldkit.signature.validate import validate
from fieldkit.text import M
from fieldkit.verdict import Check, Overall, overall

RECEIVED, REFUSED = "03", "02"


class Packed(msgspec.Struct, frozen=True):
    """A package that was written."""

    out: str
    document: str
    sha256: str
    attachments: tuple[str, ...]


class Opened(msgspec.Struct, frozen=True):
    """What a receiver found. files: where the attachments were put, only when the verdict is not "fail"."""

    verdict: Overall
    header: Header
    checks: tuple[Check, ...]
    files: tuple[str, ...]
    status: str


def pack(sources: Sequence[Path], out: Path, header: Header) -> Packed:
    """Wrap the files `sources` into the package `out`, which must not be there yet."""
    if not sources:
        raise errors.PackageUnfit(M("There is nothing to pack."))
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise errors.PackageUnfit(M("Two of the files have the same name."))
    now = datetime.now(VIETNAM).isoformat(timespec="seconds")
    known = msgspec.structs.replace(
        header, document=header.document or str(uuid.uuid4()), sent=header.sent or now
    )
    message = Envelope(known, tuple(Attached(each.name, document.read(each)) for each in sources))
    data = edxml.write(message)
    with document.written(out) as file, boundary.signing(out.name):
        file.write(data)
    return Packed(str(out), known.document, hashlib.sha256(data).hexdigest(), tuple(names))


def open_package(
    package: Path,
    folder: Path,
    *,
    trust: Sequence[bytes],
    crls: Sequence[bytes] = (),
    receiver: str = "",
    policy: Policy = Policy(),  # noqa: B008 (frozen)
) -> Opened:
    """Read `package`, judge all of it, put the attachments and the answer into `folder`.

    receiver: the code of the agency that opens it; a package for another is refused.
    """
    message = edxml.read(document.read(package))
    checks = [Check("package", "pass", M("The package is well-formed and has what it must have."))]
    checks.append(_header(message.header, receiver))
    if not message.attachments:
        checks.append(Check("attachments", "fail", M("The package holds no document.")))
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, each in enumerate(message.attachments, 1):
        path = folder / f"{number:02d}-{_safe(each.name)}"
        checks.append(_digest(each))
        with document.written(path) as file, boundary.signing(path.name):
            file.write(each.content)
        files.append(path)
        checks += _signatures(path, each, trust, crls, policy)
    verdict = overall(checks)
    if verdict == "fail":
        for path in files:
            path.unlink()
        files = []
    answer = folder / f"status-{_safe(message.header.document)[:80]}.xml"
    failed = [str(check.message) for check in checks if check.verdict == "fail"]
    now = datetime.now(VIETNAM).isoformat(timespec="seconds")
    code = REFUSED if verdict == "fail" else RECEIVED
    with document.written(answer) as file, boundary.signing(answer.name):
        file.write(edxml.status(message.header, code, " ".join(failed), now))
    return Opened(verdict, message.header, tuple(checks), tuple(map(str, files)), str(answer))


def rehearse(
    sources: Sequence[Path],
    folder: Path,
    header: Header,
    *,
    trust: Sequence[bytes],
    crls: Sequence[bytes] = (),
    policy: Policy = Policy(),  # noqa: B008 (frozen)
) -> tuple[Packed, Opened]:
    """Both sides in one: pack as the sender, open as the receiver, through `folder`."""
    for side in ("outbox", "inbox"):
        (folder / side).mkdir(parents=True, exist_ok=True)
    packed = pack(sources, folder / "outbox" / f"{uuid.uuid4()}.edxml", header)
    opened = open_package(
        Path(packed.out),
        folder / "inbox" / packed.document,
        trust=trust,
        crls=crls,
        receiver=header.receiver.code,
        policy=policy,
    )
    return packed, opened


def _header(header: Header, receiver: str) -> Check:
    missing = [
        name
        for name, value in (
            ("From/OrganId", header.sender.code),
            ("To/OrganId", header.receiver.code),
            ("CodeNumber", header.number),
            ("Subject", header.subject),
            ("DocumentId", header.document),
        )
        if not value
    ]
    if missing:
        return Check("header", "fail", M("The package's header is incomplete."), ", ".join(missing))
    if receiver and receiver != header.receiver.code:
        return Check("header", "fail", M("The package is for another agency."), header.receiver.code)
    return Check("header", "pass", M("The package's header is complete."), header.document)


def _digest(each: Attached) -> Check:
    if not each.digest:
        return Check(
            "digest",
            "not-checked",
            M("The package names no digest for {name}.", name=each.name),
            required=False,
        )
    if hashlib.sha256(each.content).hexdigest() != each.digest:
        return Check("digest", "fail", M("The file {name} is not the one that was sent.", name=each.name))
    return Check(
        "digest", "pass", M("The file {name} is the one that was sent.", name=each.name), each.digest
    )


def _signatures(
    path: Path, each: Attached, trust: Sequence[bytes], crls: Sequence[bytes], policy: Policy
) -> list[Check]:
    try:
        judged = validate(path, trust=trust, crls=crls, policy=policy)
    except FieldkitError as error:
        return [
            Check(
                "signatures",
                "fail",
                M("The file {name} cannot be judged.", name=each.name),
                str(error.message),
            )
        ]
    said = {
        "pass": M("Every signature in {name} is valid.", name=each.name),
        "fail": M("A signature in {name} is not valid, or there is none.", name=each.name),
        "indeterminate": M(
            "The signatures in {name} are intact, but not all could be checked.", name=each.name
        ),
    }[judged.verdict]
    detail = "; ".join(
        f"{check.id}: {check.message}"
        for signature in judged.signatures
        for check in signature.checks
        if check.verdict != "pass" and check.required
    )
    outcome = "not-checked" if judged.verdict == "indeterminate" else judged.verdict
    return [Check("signatures", outcome, said, detail)]


def _safe(name: str) -> str:
    """A name that stays in its folder: what a sender calls a file is not where it goes."""
    plain = "".join(each if each.isalnum() or each in "-_. " else "_" for each in name)
    return plain.strip(". ")[-120:] or "file"

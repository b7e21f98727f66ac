"""Rehearse the document exchange with what the visit signed: pack, open as a receiver must, hear the answer.

Two sample agencies and a folder stand for the national axis. Nothing leaves the machine.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fieldkit import errors
from fieldkit.finding import Finding
from fieldkit.operator import Operator, Plan, Progress
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence
from fieldkit.text import M

if TYPE_CHECKING:
    from fieldkit.exchange.edxml import MessageHeader
    from fieldkit.exchange.packages import Rehearsal
    from fieldkit.signature.raw_signer import RawSigner
    from fieldkit.token.session import Session

SENDER, RECEIVER = "000.MAU.01", "000.MAU.02"


class _Done(msgspec.Struct, frozen=True):
    """A rehearsal that was carried out. noticed: a package changed on the way was refused."""

    rehearsed: Rehearsal
    noticed: bool
    milliseconds: int


async def run(context: Context, operator: Operator) -> Evidence:
    """The evidence keeps the package and the receiver's answer, with every check of both sides."""
    folder = context.folder / "exchange-rehearsal" / uuid.uuid4().hex[:8]
    sources = await asyncio.to_thread(_documents, context, folder / "signed")
    if not sources:
        return Evidence(
            "not-checked",
            M("There is no signed document to exchange yet. Run the test signature, then this step."),
        )
    signed = context.profiles.packages_signed
    plan = Plan(
        title=M("Rehearse the document exchange"),
        steps=(
            *(M("Pack {name}", name=source.name) for source in sources),
            *((M("Sign the package with the token"),) if signed else ()),
            M("Open the package as the receiving agency must, and verify every part"),
            M("Change the package on the way in a copy: the receiver must then refuse it"),
        ),
        keeps=M("Two sample agencies and a folder stand for the exchange. Nothing leaves this machine."),
    )
    if not await operator.consent(plan):
        raise errors.NotConsented(M("Nothing was packed: not agreed to."))
    operator.progress(Progress(M("Packing and opening"), 0, 2))
    done = await (_with_token if signed else _without)(context, operator, sources, folder)
    operator.progress(Progress(M("Package opened and answered"), 2, 2))
    return _evidence(context, operator, done, sources)


async def _without(context: Context, operator: Operator, sources: Sequence[Path], folder: Path) -> _Done:
    return await asyncio.to_thread(_rehearsed, context, sources, folder, None)


async def _with_token(context: Context, operator: Operator, sources: Sequence[Path], folder: Path) -> _Done:
    """The same with a package signed by the token."""
    async with context.tokens(operator) as tokens:
        token = await context.token(tokens)
        certificate = await context.certificate(tokens, token)

        async def work(session: Session) -> _Done:
            signer = await asyncio.to_thread(context.signer, session, certificate)
            again = folder / uuid.uuid4().hex[:8]  # the token may have been pulled out in between
            return await asyncio.to_thread(_rehearsed, context, sources, again, signer)

        return await tokens.log_in(token, work)


def _documents(context: Context, folder: Path) -> list[Path]:
    """The documents that an earlier step of this visit signed, as the store keeps them."""
    paths: list[Path] = []
    for _, evidence in context.evidence:
        kept = {str(file["sha256"]): str(file["name"]) for file in evidence.files}
        for each in evidence.facts.get("documents", ()):
            digest = str(each.get("sha256", "")) if isinstance(each, dict) else ""
            if digest not in kept:
                continue
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = folder / f"{len(paths) + 1:02d}-{Path(kept[digest]).name}"
            path.write_bytes(context.store.attachment(digest))
            paths.append(path)
    return paths


def _rehearsed(context: Context, sources: Sequence[Path], folder: Path, signer: RawSigner | None) -> _Done:
    from fieldkit.exchange.packages import rehearse
    from fieldkit.validation.judgement import Policy

    material = context.material()
    header = _header(context)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    began = time.monotonic()
    rehearsed = rehearse(
        sources,
        folder,
        header,
        trust=material.anchors,
        crls=material.crls,
        policy=Policy(purposes=material.purposes),
        signer=signer,
        senders={header.sender.code: [context.bureau.dossier]},
    )
    took = round(1000 * (time.monotonic() - began))
    return _Done(rehearsed, _change_noticed(rehearsed, folder, material.anchors, material.crls), took)


def _change_noticed(
    rehearsed: Rehearsal, folder: Path, anchors: Sequence[bytes], crls: Sequence[bytes]
) -> bool:
    """Whether the receiver refuses a copy in which one character of the first document is another."""
    from fieldkit.exchange.packages import open_package

    data = bytearray(Path(rehearsed.packed.out).read_bytes())
    at = data.index(b"<ContentTransferEncoded>") + 600
    data[at] = ord("A") if data[at] != ord("A") else ord("B")
    changed = folder / "changed.edxml"
    changed.write_bytes(data)
    opened = open_package(changed, folder / "changed", trust=anchors, crls=crls)
    return opened.verdict == "fail" and not opened.files


def _header(context: Context) -> MessageHeader:
    from fieldkit.exchange.edxml import MessageHeader, Organ
    from fieldkit.stamp.stamp import VIETNAM

    officer = context.bureau.officer
    return MessageHeader(
        sender=Organ(context.bureau.agency_code or SENDER, context.bureau.name.vi),
        receiver=Organ(RECEIVER, "Cơ quan MẪU nhận văn bản"),
        number="01",
        notation="MẪU",
        place="",
        date=datetime.now(VIETNAM).date().isoformat(),
        subject="MẪU: diễn tập gửi, nhận văn bản điện tử, không có giá trị",
        document="",
        signer=officer.name,
        position=officer.title.vi,
    )


def _evidence(context: Context, operator: Operator, done: _Done, sources: Sequence[Path]) -> Evidence:
    rehearsed = done.rehearsed
    findings = [_finding(check) for check in rehearsed.checks]
    findings.append(
        Finding("package-change-noticed", "pass", M("A package changed on the way is refused."))
        if done.noticed
        else Finding("package-change-noticed", "fail", M("A package changed on the way was not refused."))
    )
    for finding in findings:
        operator.say(finding)
    verdict = rehearsed.verdict if done.noticed else "fail"
    summary = {
        "pass": M(
            "Documents exchanged: {count}; the receiver verified and accepted them.", count=len(sources)
        ),
        "fail": M("The exchange rehearsal failed; the findings say where."),
        "indeterminate": M(
            "The exchange works, but not everything could be verified; the findings say what."
        ),
    }[verdict]
    packed, opened = rehearsed.packed, rehearsed.opened
    facts: dict[str, Any] = {
        "package": packed.document,
        "sha256": packed.sha256,
        "signed": packed.signed,
        "from": opened.header.sender.code,
        "to": opened.header.receiver.code,
        "answer": rehearsed.answer.detail,
        "milliseconds": done.milliseconds,
        "attachments": list(packed.attachments),
    }
    files = (
        context.attach(Path(packed.out), f"{packed.document}.edxml"),
        context.attach(Path(opened.status), Path(opened.status).name),
    )
    outcome = "not-checked" if verdict == "indeterminate" else verdict
    return Evidence(outcome, summary, tuple(findings), facts, files)


def _finding(check: Finding) -> Finding:
    """A check as a finding; one that no verdict depends on warns at most."""
    harmless = check.severity == "fail" and not check.required
    return msgspec.structs.replace(check, severity="warning") if harmless else check

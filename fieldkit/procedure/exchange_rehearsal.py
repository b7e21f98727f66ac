"""Rehearse the document exchange with what the visit signed: pack, open as a receiver must, hear the answer.

Two sample agencies and a folder stand for the national axis. Nothing leaves the machine.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from fieldkit.access import make_private_folder
from fieldkit.action.exchange_documents import (
    RECEIVER,
    SENDER,
    ExchangeRehearsal,
    Signing,
    header_of,
    rehearse_exchange,
)
from fieldkit.finding import Finding
from fieldkit.home import plain_name
from fieldkit.operator import Operator
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence
from fieldkit.text import M

if TYPE_CHECKING:
    from fieldkit.signature.raw_signer import RawSigner
    from fieldkit.token.session import Session

Result = TypeVar("Result")


async def run(context: Context, operator: Operator) -> Evidence:
    """The evidence keeps the package and the receiver's answer, with every check of both sides."""
    folder = context.folder / "exchange-rehearsal" / uuid.uuid4().hex[:8]
    sources = await asyncio.to_thread(_documents, context, folder / "signed")
    if not sources:
        return Evidence(
            "not-checked",
            M("There is no signed document to exchange yet. Run the test signature, then this step."),
        )
    bureau = context.bureau
    sender = bureau.agency_code or SENDER
    rehearsed = await rehearse_exchange(
        operator,
        sources,
        folder,
        header_of(
            (sender, bureau.name.vi),
            (RECEIVER, "Cơ quan MẪU nhận văn bản"),
            number="01",
            notation="MẪU",
            subject="MẪU: diễn tập gửi, nhận văn bản điện tử, không có giá trị",
            signer=bureau.officer.name,
            position=bureau.officer.title.vi,
        ),
        context.material(),
        known={sender: [bureau.dossier]},
        signing=_signing(context, operator) if context.profiles.packages_signed else None,
    )
    return _evidence(context, operator, rehearsed, len(sources))


def _signing(context: Context, operator: Operator) -> Signing:
    """With the visit's token."""

    async def signing(work: Callable[[RawSigner], Result]) -> Result:
        async with context.tokens(operator) as tokens:
            token = await context.token(tokens)
            certificate = await context.certificate(tokens, token)

            async def with_session(session: Session) -> Result:
                signer = await asyncio.to_thread(context.signer, session, certificate)
                return await asyncio.to_thread(work, signer)

            return await tokens.log_in(token, with_session)

    return signing


def _documents(context: Context, folder: Path) -> list[Path]:
    """The documents that an earlier step of this visit signed, as the store keeps them."""
    paths: list[Path] = []
    for _, evidence in context.evidence:
        names = {str(file["sha256"]): str(file["name"]) for file in evidence.files}
        for document in evidence.facts.get("documents", ()):
            digest = str(document.get("sha256", "")) if isinstance(document, dict) else ""
            if digest not in names:
                continue
            make_private_folder(folder)
            path = folder / f"{len(paths) + 1:02d}-{plain_name(names[digest])}"
            path.write_bytes(context.store.attachment(digest))
            paths.append(path)
    return paths


def _evidence(context: Context, operator: Operator, rehearsed: ExchangeRehearsal, count: int) -> Evidence:
    findings = tuple(map(_finding, rehearsed.findings))
    for finding in findings:
        operator.show_finding(finding)
    verdict = rehearsed.verdict
    summary = {
        "pass": M("Documents exchanged: {count}; the receiver verified and accepted them.", count=count),
        "fail": M("The exchange rehearsal failed; the findings say where."),
        "indeterminate": M(
            "The exchange works, but not everything could be verified; the findings say what."
        ),
    }[verdict]
    packed, opened = rehearsed.rehearsal.packed, rehearsed.rehearsal.opened
    facts: dict[str, object] = {
        "package": packed.document,
        "sha256": packed.sha256,
        "signed": packed.signed,
        "from": opened.header.sender.code,
        "to": opened.header.receiver.code,
        "answer": rehearsed.rehearsal.answer.detail,
        "milliseconds": rehearsed.milliseconds,
        "attachments": list(packed.attachments),
    }
    files = (
        context.attach(Path(packed.out), f"{packed.document}.edxml"),
        context.attach(Path(opened.status), Path(opened.status).name),
    )
    outcome = "not-checked" if verdict == "indeterminate" else verdict
    return Evidence(outcome, summary, findings, facts, files)


def _finding(check: Finding) -> Finding:
    """A check as a finding; one that no verdict depends on warns at most."""
    harmless = check.severity == "fail" and not check.required
    return msgspec.structs.replace(check, severity="warning") if harmless else check

"""The test signature of a visit: a sample and the bureau's own document, tried with the token."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import msgspec

from fieldkit.access import make_private_folder
from fieldkit.action.try_signatures import Trial, TrialDocument, TrialSetup, own_document, try_signatures
from fieldkit.operator import Operator
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence, verdict_of
from fieldkit.sample import documents
from fieldkit.signature.ready import get_ready
from fieldkit.text import M


async def run(context: Context, operator: Operator) -> Evidence:
    """Person, seal and both, with one PIN; the evidence keeps signed files, pictures and each verdict."""
    get_ready()
    papers = await _papers(context, operator)
    async with context.tokens(operator) as tokens:
        token = await context.token(tokens)
        certificate = await context.certificate(tokens, token)
        trial = await try_signatures(tokens, token, certificate, papers, _setup(context))
    return await asyncio.to_thread(_evidence, context, trial)


async def _papers(context: Context, operator: Operator) -> list[TrialDocument]:
    """A sample letter made now, and the bureau's own document where one was given."""
    folder = context.folder / "test-signature"
    make_private_folder(folder)
    officer = context.bureau.officer
    sample = folder / "sample.pdf"
    await asyncio.to_thread(documents.letter, sample, signer_title=officer.title.vi, signer_name=officer.name)
    papers = [TrialDocument(sample)]
    own = context.roles.get("test-document")
    if isinstance(own, dict):
        path = folder / f"own-{own['sha256'][:8]}.pdf"
        path.write_bytes(await asyncio.to_thread(context.store.attachment, own["sha256"]))
        papers.append(await own_document(operator, path))
    return papers


def _setup(context: Context) -> TrialSetup:
    authority = context.profiles.authorities.get(context.bureau.authority)
    officer = context.bureau.officer
    return TrialSetup(
        context.material(),
        context.profiles.rules_at(date.today()),
        officer.name,
        officer.title.vi,
        tsa=tuple(endpoint.url for endpoint in authority.tsa) if authority is not None else (),
        lists=tuple(endpoint.url for endpoint in authority.crl) if authority is not None else (),
    )


def _evidence(context: Context, trial: Trial) -> Evidence:
    tried, findings = trial.signatures, trial.findings
    others = sorted({judge for signature in tried for judge in signature.judges} - {"fieldkit"})
    unchecked = sum(1 for finding in findings if finding.severity == "not-checked")
    good = verdict_of(findings) == "pass"
    if not good:
        summary = M("A test signature failed; the findings say which.")
    elif not others:
        summary = M(
            "Documents signed: {count}; only fieldkit judged them: no other program to do so is here.",
            count=len(tried),
        )
    else:
        summary = M(
            "Documents signed: {count}; {judges} agree, and refuse a changed copy; not checked: {open}.",
            count=len(tried),
            judges=", ".join(("fieldkit", *others)),
            open=unchecked,
        )
    files = [
        context.attach(Path(signature.signed.out), Path(signature.signed.out).name) for signature in tried
    ]
    files += [
        context.attach(signature.picture, f"{Path(signature.signed.out).stem}.png")
        for signature in tried
        if signature.picture is not None
    ]
    return Evidence(
        verdict="fail" if not good else "pass" if others else "not-checked",
        summary=summary,
        findings=findings,
        facts={
            "serial": trial.serial,
            "documents": [
                {
                    "name": Path(signature.signed.out).name,
                    "part": signature.part,
                    "sha256": signature.signed.sha256,
                    "level": signature.signed.level,
                    "verdict": signature.verdict,
                    "judges": list(signature.judges),
                    "milliseconds": signature.times,
                }
                for signature in tried
            ],
            "services": [
                msgspec.to_builtins(answer) for service in trial.services for answer in service.requests
            ],
        },
        files=tuple(files),
    )

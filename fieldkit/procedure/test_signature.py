"""Sign a sample and the bureau's own document with the token, have other tools judge them, break a copy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from fieldkit import errors
from fieldkit.operator import Finding, Operator, Plan, Progress
from fieldkit.procedure import reach
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence, verdict_of
from fieldkit.sample import documents
from fieldkit.signature import quorum, sign, tamper
from fieldkit.signature.sign import RawSigner, Signed
from fieldkit.text import M
from fieldkit.token.session import Session
from fieldkit.verdict import Check


class _Tested(msgspec.Struct, frozen=True):
    """One document that went through the test."""

    signed: Signed
    findings: tuple[Finding, ...]
    files: tuple[dict[str, Any], ...]
    verdict: str
    milliseconds: int


async def run(context: Context, operator: Operator) -> Evidence:
    """Every document is signed once with one PIN; the evidence keeps the signed files and each verdict."""
    sources = await asyncio.to_thread(_documents, context)
    async with reach.agents(context) as running:
        token = await reach.visit_token(context, running, operator)
        certificate = await reach.visit_certificate(context, running, token)
        plan = Plan(
            title=M("Test signatures with the token {name}", name=token.name),
            steps=(
                *(M("Sign a copy of {name}", name=source.name) for source in sources),
                M("Have fieldkit, pdfsig and openssl judge each signature"),
                M("Change one byte in a copy: every one of them must then refuse it"),
            ),
            keeps=M("The documents themselves are not changed."),
        )
        if not await operator.consent(plan):
            raise errors.NotConsented(M("Nothing was signed: not agreed to."))
        tested: list[_Tested] = []

        async def rest(session: Session) -> None:
            """Every document that is not tested yet: the token may have been pulled out in between."""
            signer = await asyncio.to_thread(reach.signer, context, session, certificate)
            for number, source in list(enumerate(sources))[len(tested) :]:
                operator.progress(
                    Progress(M("Signing and judging {name}", name=source.name), number, len(sources))
                )
                one = await asyncio.to_thread(_test, context, source, signer)
                for finding in one.findings:
                    operator.say(finding)
                tested.append(one)

        await reach.with_login(running, operator, token, rest)
    operator.progress(
        Progress(M("Documents signed and judged: {count}", count=len(tested)), len(tested), len(tested))
    )
    return _evidence(tested)


def _documents(context: Context) -> list[Path]:
    """A sample letter made now, and the bureau's own document where one was given."""
    folder = context.folder / "test-signature"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    officer = context.bureau.officer
    sample = folder / "sample.pdf"
    documents.letter(sample, signer_title=officer.title.vi, signer_name=officer.name)
    found = [sample]
    own = context.answers.get("own_document")
    if isinstance(own, dict):
        path = folder / f"own-{own['sha256'][:8]}.pdf"
        path.write_bytes(context.store.attachment(own["sha256"]))
        found.append(path)
    return found


def _test(context: Context, source: Path, signer: RawSigner) -> _Tested:
    """Sign one document, judge it, and make sure that a broken copy is refused."""
    out = source.with_name(f"{source.stem}-signed.pdf")
    broken = source.with_name(f"{source.stem}-changed.pdf")
    out.unlink(missing_ok=True)
    material = context.material()
    began = time.monotonic()
    signed = sign.sign(source, out, signer, anchors=material.anchors, crls=material.crls)
    took = round(1000 * (time.monotonic() - began))
    judged = quorum.judge(out, material.anchors, material.crls)
    tamper.flip(out, broken)
    verdict_on_broken = quorum.judge(broken, material.anchors, material.crls)
    noticed = verdict_on_broken.verdict == "fail"
    tampering = Finding(
        "tampering-detected",
        "pass" if noticed else "fail",
        M("A copy of {name} with one byte changed is refused.", name=source.name)
        if noticed
        else M("A copy of {name} with one byte changed was not refused.", name=source.name),
    )
    return _Tested(
        signed=signed,
        findings=(*map(finding_of, every_check(judged)), tampering),
        files=(context.attach(out, out.name),),
        verdict="fail" if judged.verdict == "fail" or not noticed else judged.verdict,
        milliseconds=took,
    )


def every_check(judged: quorum.Judgement) -> Iterable[Check]:
    """The checks of a judgement, its signatures' own included."""
    yield from judged.checks
    for signature in judged.signatures:
        yield from signature.checks


def finding_of(check: Check) -> Finding:
    """A check as the finding that a person reads."""
    return Finding(check.id, check.verdict, check.message, check.detail)


def _evidence(tested: list[_Tested]) -> Evidence:
    findings = tuple(finding for one in tested for finding in one.findings)
    good = verdict_of(findings) == "pass" and all(one.verdict != "fail" for one in tested)
    open_checks = sum(1 for finding in findings if finding.severity == "not-checked")
    summary = (
        M(
            "Documents signed: {count}; every judge agrees, tampering is detected; not checked: {open}.",
            count=len(tested),
            open=open_checks,
        )
        if good
        else M("A test signature failed; the findings say which.")
    )
    return Evidence(
        verdict="pass" if good else "fail",
        summary=summary,
        findings=findings,
        facts={
            "documents": [
                {
                    "name": Path(one.signed.out).name,
                    "sha256": one.signed.sha256,
                    "level": one.signed.level,
                    "verdict": one.verdict,
                    "milliseconds": one.milliseconds,
                }
                for one in tested
            ]
        },
        files=tuple(file for one in tested for file in one.files),
    )

"""Sign a sample and the bureau's own document with the token, have other tools judge them, break a copy."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from fieldkit import errors
from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding
from fieldkit.operator import Operator, Plan, Progress
from fieldkit.pdf import boundary
from fieldkit.pdf.errors import DocumentError
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence, verdict_of
from fieldkit.sample import documents
from fieldkit.signature import trial
from fieldkit.signature.batch import StampSpec
from fieldkit.signature.preflight import Preflight, preflight, rewrite
from fieldkit.signature.preview import Placer, draft
from fieldkit.signature.ready import get_ready
from fieldkit.signature.trial import ServiceAnswer, TrialSetup, TrialSignature
from fieldkit.stamp.place import Place
from fieldkit.text import M, Message
from fieldkit.token.session import Session


class _Paper(msgspec.Struct, frozen=True):
    """A document to try. own: it is the bureau's. refused: why it cannot be signed; then it is only named.

    place: where the person wants the stamp; found by title and name otherwise.
    """

    path: Path
    own: bool = False
    place: Place | None = None
    refused: Finding | None = None


async def run(context: Context, operator: Operator) -> Evidence:
    """Person, seal and both, with one PIN; the evidence keeps signed files, pictures and each verdict."""
    get_ready()
    papers = await _papers(context, operator)
    async with context.tokens(operator) as tokens:
        token = await context.token(tokens)
        certificate = await context.certificate(tokens, token)
        if not await operator.consent(_plan(token.name, papers)):
            raise errors.NotConsented(M("Nothing was signed: not agreed to."))
        papers = [await _placed(context, operator, paper) for paper in papers]

        async def work(session: Session) -> Evidence:
            signer = await asyncio.to_thread(context.signer, session, certificate)
            return await _tried(context, operator, _bench(context, signer), papers, session.token.serial)

        return await tokens.log_in(token, work)


def _plan(token: str, papers: list[_Paper]) -> Plan:
    return Plan(
        title=M("Test signatures with the token {name}", name=token),
        steps=(
            M("Ask the timestamp authority and the revocation services, if a network is here"),
            *(
                M("Sign a copy of {name} as the person, then with the seal", name=paper.path.name)
                for paper in papers
                if paper.refused is None
            ),
            M("Sign a copy of the sample with the seal alone"),
            M("Have fieldkit, pdfsig, openssl and mutool judge each signature"),
            M("Change one byte in a copy: every one of them must then refuse it"),
        ),
        keeps=M("The documents themselves are not changed."),
    )


async def _papers(context: Context, operator: Operator) -> list[_Paper]:
    """A sample letter made now, and the bureau's own document where one was given."""
    folder = context.folder / "test-signature"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    officer = context.bureau.officer
    sample = folder / "sample.pdf"
    await asyncio.to_thread(documents.letter, sample, signer_title=officer.title.vi, signer_name=officer.name)
    found = [_Paper(sample)]
    own = context.roles.get("test-document")
    if isinstance(own, dict):
        path = folder / f"own-{own['sha256'][:8]}.pdf"
        path.write_bytes(await asyncio.to_thread(context.store.attachment, own["sha256"]))
        found.append(await _own(path, operator))
    return found


async def _own(path: Path, operator: Operator) -> _Paper:
    """The bureau's document as it can be tried: as it is, rewritten if the person agrees, or not at all."""
    looked: Preflight = await asyncio.to_thread(preflight, path, kind="person", reserve=["Agency"])
    if looked.verdict == "ready":
        return _Paper(path, own=True)
    problem = looked.problem
    assert problem is not None
    reason = boundary.words(problem)
    refused = Finding(
        "own-document",
        "not-checked",
        M("The bureau's document was not tried: {reason}", reason=reason),
        problem.detail,
        problem.hint if isinstance(problem.hint, Message) else None,
    )
    if looked.verdict == "rewrite":
        plan = Plan(
            title=M("Rewrite a copy of {name} with qpdf, which can be signed only then", name=path.name),
            steps=(reason, M("The copy is written anew, then signed")),
            keeps=M("What the pages show stays the same, and the document itself is not changed."),
        )
        if await operator.consent(plan):
            copy = path.with_name(f"{path.stem}-rewritten.pdf")
            copy.unlink(missing_ok=True)
            await asyncio.to_thread(rewrite, path, copy)
            return _Paper(copy, own=True)
    return _Paper(path, own=True, refused=refused)


async def _placed(context: Context, operator: Operator, paper: _Paper) -> _Paper:
    """The document with the place that the person gave the stamp, where they can be shown the page."""
    rules = context.profiles.rules_at(date.today())
    rule = rules.stamp("person") if rules is not None else None
    if paper.refused is not None or rule is None or not isinstance(operator, Placer):
        return paper
    officer = context.bureau.officer
    look = StampSpec(rule, name=officer.name, title=officer.title.vi)
    shown = await asyncio.to_thread(draft, paper.path, look)
    place = await operator.place_stamp(paper.path, look, shown)
    return paper if place is None else msgspec.structs.replace(paper, place=place)


def _bench(context: Context, signer: Any) -> TrialSetup:
    material = context.material()
    officer = context.bureau.officer
    return TrialSetup(
        signer,
        material.anchors,
        material.others,
        material.crls,
        context.profiles.rules_at(date.today()),
        officer.name,
        officer.title.vi,
        purposes=material.purposes,
    )


async def _tried(
    context: Context, operator: Operator, bench: TrialSetup, papers: list[_Paper], serial: str
) -> Evidence:
    authority = context.profiles.authorities.get(context.bureau.authority)
    total = len(papers) + 2
    operator.progress(Progress(M("Asking the timestamp authority"), 0, total))
    time = await asyncio.to_thread(
        trial.timestamp, [endpoint.url for endpoint in authority.tsa] if authority else [], bench
    )
    operator.progress(Progress(M("Asking the revocation services"), 1, total))
    status = await asyncio.to_thread(
        trial.revocation, bench, [endpoint.url for endpoint in authority.crl] if authority else []
    )
    findings = [finding_of(check) for outside in (time, status) for check in outside.checks]
    bench = msgspec.structs.replace(bench, tsa=time.tsa)
    tried: list[TrialSignature] = []
    for finding in findings:
        operator.say(finding)
    for number, paper in enumerate(papers, 2):
        if paper.refused is not None:
            operator.say(paper.refused)
            findings.append(paper.refused)
            continue
        operator.progress(Progress(M("Signing and judging {name}", name=paper.path.name), number, total))
        made, told = await asyncio.to_thread(_try, paper, bench)
        for finding in told:
            operator.say(finding)
        tried += made
        findings += told
    operator.progress(Progress(M("Documents signed and judged: {count}", count=len(tried)), total, total))
    return _evidence(context, tried, findings, (time, status), serial)


def _try(paper: _Paper, bench: TrialSetup) -> tuple[list[TrialSignature], list[Finding]]:
    """Everything that is tried on one document; what goes wrong with the bureau's own is a finding."""
    folder = paper.path.parent
    try:
        made = trial.person_and_seal(paper.path, folder, bench, paper.place)
    except FieldkitError as error:
        if not paper.own or not isinstance(error, DocumentError):
            raise
        reason = M("The bureau's document was not tried: {reason}", reason=boundary.words(error))
        return [], [Finding("own-document", "not-checked", reason, error.detail)]
    if not paper.own:
        made.append(trial.seal_alone(paper.path, folder, bench))
    return made, [finding for one in made for finding in _told(one)]


def _told(one: TrialSignature) -> Iterable[Finding]:
    """What the person reads of one document: its name first, then each check, then the times."""
    name = Path(one.signed.out).name
    yield Finding(
        f"signed-{one.part}",
        "pass",
        {
            "person": M("{name} was signed as the person.", name=name),
            "seal": M("{name} was signed with the seal alone.", name=name),
            "both": M("{name} was signed as the person, then with the seal.", name=name),
        }[one.part],
    )
    yield from map(finding_of, one.checks)
    yield Finding(
        "times",
        "info",
        M(
            "{name}: signing took {sign} ms, of which the token took {token} ms; judging took {judge} ms.",
            name=name,
            sign=one.times["sign"],
            token=one.times["token"],
            judge=one.times["judge"],
        ),
    )


def finding_of(check: Finding) -> Finding:
    """A check as a finding of the step; a stamp beside its place is no fault of the signature.

    Every other "fail" stays one, also of a judge whose silence would not matter: its no fails the step.
    """
    layout = check.id == "stamp" and check.severity == "fail"
    return msgspec.structs.replace(check, severity="warning") if layout else check


def _evidence(
    context: Context,
    tried: list[TrialSignature],
    findings: list[Finding],
    outside: tuple[ServiceAnswer, ...],
    serial: str,
) -> Evidence:
    others = sorted({judge for one in tried for judge in one.judges} - {"fieldkit"})
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
    files = [context.attach(Path(one.signed.out), Path(one.signed.out).name) for one in tried]
    files += [
        context.attach(one.picture, f"{Path(one.signed.out).stem}.png")
        for one in tried
        if one.picture is not None
    ]
    return Evidence(
        verdict="fail" if not good else "pass" if others else "not-checked",
        summary=summary,
        findings=tuple(findings),
        facts={
            "serial": serial,
            "documents": [
                {
                    "name": Path(one.signed.out).name,
                    "part": one.part,
                    "sha256": one.signed.sha256,
                    "level": one.signed.level,
                    "verdict": one.verdict,
                    "judges": list(one.judges),
                    "milliseconds": one.times,
                }
                for one in tried
            ],
            "services": [msgspec.to_builtins(answer) for one in outside for answer in one.asked],
        },
        files=tuple(files),
    )

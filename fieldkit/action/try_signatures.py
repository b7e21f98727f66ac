"""Test signatures at a site: sign as daily work will, have every judge look, break a copy, ask the services.

    documents = [TrialDocument(letter), await own_document(operator, Path("office.pdf"))]
    trial = await try_signatures(tokens, token, certificate, documents, TrialSetup(material, rules))

One PIN signs them all, as the person, with the seal, and both. The documents themselves stay as they are.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from fieldkit.action.ask_services import ServiceAnswer, ask_revocation, ask_timestamp
from fieldkit.action.token_access import TokenAccess, chained_signer
from fieldkit.action.trust_material import TrustMaterial
from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding, Overall
from fieldkit.operator import Operator, Plan, Progress
from fieldkit.pdf import boundary, raster
from fieldkit.pdf.errors import DocumentError, TimestampFailed
from fieldkit.profile.rules import RuleSet
from fieldkit.signature import batch, permission, tamper
from fieldkit.signature.preflight import Preflight, preflight, rewrite
from fieldkit.signature.preview import Placer, draft
from fieldkit.signature.raw_signer import RawSigner
from fieldkit.signature.sign import Level, SignedDocument
from fieldkit.stamp.place import Place
from fieldkit.text import M, Message
from fieldkit.token.model import StoredCertificate, Token
from fieldkit.token.session import Session
from fieldkit.validation import quorum
from fieldkit.validation.judgement import Judgement, Policy, every_check
from fieldkit.validation.judges import JUDGES, is_integrity

Part = Literal["person", "seal", "both"]


class TrialSetup(msgspec.Struct, frozen=True):
    """What documents are signed and judged by. rules: for the stamps; none where no rule set is in force.

    name, title: the signer's, as they stand on the page. tsa, lists: the addresses of the authority's
    timestamps and revocation lists, as far as its profile names them.
    """

    material: TrustMaterial = TrustMaterial()
    rules: RuleSet | None = None
    name: str = ""
    title: str = ""
    tsa: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()


class TrialDocument(msgspec.Struct, frozen=True):
    """A document to try. own: it is the bureau's. refused: why it cannot be signed; then it is only named.

    place: where the person wants the stamp; by title and name otherwise.
    """

    path: Path
    own: bool = False
    place: Place | None = None
    refused: Finding | None = None


class TrialSignature(msgspec.Struct, frozen=True):
    """One signed document. times: milliseconds of each part. judges: who had a word on its integrity.

    verdict: of all that judged it; "fail" too where one of them did not refuse the changed copy.
    picture: the stamped page as PNG, or None where nothing here draws pages.
    """

    part: Part
    signed: SignedDocument
    verdict: Overall
    checks: tuple[Finding, ...]
    times: dict[str, int]
    judges: tuple[str, ...]
    picture: bytes | None = None


class Trial(msgspec.Struct, frozen=True):
    """What was signed with the token `serial`, everything that was said of it, and what services answered."""

    serial: str
    signatures: tuple[TrialSignature, ...]
    findings: tuple[Finding, ...]
    services: tuple[ServiceAnswer, ...]


async def own_document(operator: Operator, path: Path) -> TrialDocument:
    """The bureau's document as it can be tried: as it is, rewritten if the person agrees, or not at all."""
    result: Preflight = await asyncio.to_thread(preflight, path, kind="person", reserve=["Agency"])
    if result.problem is None:
        return TrialDocument(path, own=True)
    reason = boundary.words(result.problem)
    hint = result.problem.hint if isinstance(result.problem.hint, Message) else None
    refused = _not_tried(result.problem, hint)
    if result.verdict == "rewrite":
        plan = Plan(
            title=M("Rewrite a copy of {name} with qpdf, which can be signed only then", name=path.name),
            steps=(reason, M("The copy is written anew, then signed")),
            keeps=M("What the pages show stays the same, and the document itself is not changed."),
        )
        if await operator.consent(plan):
            copy = path.with_name(f"{path.stem}-rewritten.pdf")
            copy.unlink(missing_ok=True)
            await asyncio.to_thread(rewrite, path, copy)
            return TrialDocument(copy, own=True)
    return TrialDocument(path, own=True, refused=refused)


async def try_signatures(
    tokens: TokenAccess,
    token: Token,
    certificate: StoredCertificate,
    documents: Sequence[TrialDocument],
    setup: TrialSetup,
) -> Trial:
    """Sign copies of the documents beside them, and have each judged and broken; findings are said.

    :raises NotConsented: nothing was signed.
    """
    await tokens.consent(_plan(token.name, documents), M("Nothing was signed: not agreed to."))
    documents = [await _placed(tokens.operator, document, setup) for document in documents]

    async def work(session: Session) -> Trial:
        signer = await asyncio.to_thread(chained_signer, session, certificate, setup.material)
        return await _tried(tokens.operator, signer, session.token.serial, documents, setup)

    return await tokens.log_in(token, work)


def _plan(token: str, documents: Sequence[TrialDocument]) -> Plan:
    judges = ", ".join(judge.name for judge in JUDGES)
    return Plan(
        title=M("Test signatures with the token {name}", name=token),
        steps=(
            M("Ask the timestamp authority and the revocation services, if a network is here"),
            *(
                M("Sign a copy of {name} as the person, then with the seal", name=document.path.name)
                for document in documents
                if document.refused is None
            ),
            M("Sign a copy of the sample with the seal alone"),
            M("Have fieldkit and {judges} judge each signature", judges=judges),
            M("Change one byte in a copy: every one of them must then refuse it"),
        ),
        keeps=M("The documents themselves are not changed."),
    )


async def _placed(operator: Operator, document: TrialDocument, setup: TrialSetup) -> TrialDocument:
    """The document with the place that the person gave the stamp, where they can be shown the page."""
    rule = setup.rules.stamp("person") if setup.rules is not None else None
    if document.refused is not None or rule is None or not isinstance(operator, Placer):
        return document
    spec = batch.StampSpec(rule, name=setup.name, title=setup.title)
    shown = await asyncio.to_thread(draft, document.path, spec)
    place = await operator.place_stamp(document.path, spec, shown)
    return document if place is None else msgspec.structs.replace(document, place=place)


async def _tried(
    operator: Operator,
    signer: RawSigner,
    serial: str,
    documents: Sequence[TrialDocument],
    setup: TrialSetup,
) -> Trial:
    total = len(documents) + 2
    operator.progress(Progress(M("Asking the timestamp authority"), 0, total))
    timestamp = await asyncio.to_thread(ask_timestamp, setup.tsa)
    operator.progress(Progress(M("Asking the revocation services"), 1, total))
    revocation = await asyncio.to_thread(
        ask_revocation, signer.certificate, signer.chain, setup.material, setup.lists
    )
    signatures: list[TrialSignature] = []
    findings: list[Finding] = []

    def say(said: Sequence[Finding]) -> None:
        for finding in said:
            operator.say(finding)
        findings.extend(said)

    say([finding_of(check) for answer in (timestamp, revocation) for check in answer.findings])
    for number, document in enumerate(documents, 2):
        if document.refused is not None:
            say([document.refused])
            continue
        name = document.path.name
        operator.progress(Progress(M("Signing and judging {name}", name=name), number, total))
        made, said = await asyncio.to_thread(_try, document, signer, setup, timestamp.tsa)
        signatures += made
        say(said)
    operator.progress(
        Progress(M("Documents signed and judged: {count}", count=len(signatures)), total, total)
    )
    return Trial(serial, tuple(signatures), tuple(findings), (timestamp, revocation))


def _try(
    document: TrialDocument, signer: RawSigner, setup: TrialSetup, tsa: str
) -> tuple[list[TrialSignature], list[Finding]]:
    """Everything that is tried on one document; what goes wrong with the bureau's own is a finding."""
    path = document.path
    try:
        made = person_and_seal(path, path.parent, signer, setup, tsa, document.place)
    except DocumentError as error:
        if not document.own:
            raise
        return [], [_not_tried(error)]
    if not document.own:
        made.append(seal_alone(path, path.parent, signer, setup, tsa))
    return made, [finding for signature in made for finding in _findings(signature)]


def _not_tried(error: FieldkitError, hint: Message | None = None) -> Finding:
    message = M("The bureau's document was not tried: {reason}", reason=boundary.words(error))
    return Finding("own-document", "not-checked", message, error.detail, hint=hint)


def _findings(signature: TrialSignature) -> Iterator[Finding]:
    """What the person reads of one document: its name first, then each check, then the times."""
    name = Path(signature.signed.out).name
    message = {
        "person": M("{name} was signed as the person.", name=name),
        "seal": M("{name} was signed with the seal alone.", name=name),
        "both": M("{name} was signed as the person, then with the seal.", name=name),
    }[signature.part]
    yield Finding(f"signed-{signature.part}", "pass", message)
    yield from map(finding_of, signature.checks)
    yield Finding(
        "times",
        "info",
        M(
            "{name}: signing took {sign} ms, of which the token took {token} ms; judging took {judge} ms.",
            name=name,
            sign=signature.times["sign"],
            token=signature.times["token"],
            judge=signature.times["judge"],
        ),
    )


def finding_of(check: Finding) -> Finding:
    """A check as a finding of the trial; a stamp beside its place is no fault of the signature.

    Every other "fail" stays one, also of a judge whose silence would not matter: its no fails the trial.
    """
    layout = check.id == "stamp" and check.severity == "fail"
    return msgspec.structs.replace(check, severity="warning") if layout else check


class _Timed:
    """A signer that counts the milliseconds its key took."""

    def __init__(self, signer: RawSigner) -> None:
        self.certificate, self.chain = signer.certificate, signer.chain
        self._signer = signer
        self.milliseconds = 0

    def sign(self, data: bytes, mechanism: str) -> bytes:
        began = time.monotonic()
        try:
            return self._signer.sign(data, mechanism)
        finally:
            self.milliseconds += _since(began)


def person_and_seal(
    source: Path,
    folder: Path,
    signer: RawSigner,
    setup: TrialSetup,
    tsa: str = "",
    place: Place | None = None,
) -> list[TrialSignature]:
    """Sign as the person, then as the agency in the field made for it: both documents, the last one broken.

    tsa: whose timestamps they get. place: of the person's stamp; by title and name unless given.

    :raises FieldkitError: it could not be signed.
    """
    out = folder / f"{source.stem}-person.pdf"
    person = _signed_and_judged(source, out, "person", signer, setup, tsa, place)
    both = _signed_and_judged(out, folder / f"{source.stem}-signed.pdf", "both", signer, setup, tsa)
    return [both, person]


def seal_alone(
    source: Path, folder: Path, signer: RawSigner, setup: TrialSetup, tsa: str = ""
) -> TrialSignature:
    """Sign as the agency alone.

    :raises FieldkitError: it could not be signed.
    """
    return _signed_and_judged(source, folder / f"{source.stem}-seal.pdf", "seal", signer, setup, tsa)


def _signed_and_judged(
    source: Path,
    out: Path,
    part: Part,
    signer: RawSigner,
    setup: TrialSetup,
    tsa: str,
    place: Place | None = None,
) -> TrialSignature:
    timed = _Timed(signer)
    out.unlink(missing_ok=True)
    began = time.monotonic()
    signed, remarks = _signed(source, out, part, timed, setup, tsa, place)
    times = {"sign": _since(began), "token": timed.milliseconds}
    began = time.monotonic()
    judgement = _judge(out, setup)
    times["judge"] = _since(began)
    checks = [*signed.checks, *remarks, *every_check(judgement)]
    verdict = judgement.verdict
    if part != "person":  # it is broken with the seal that follows
        began = time.monotonic()
        tampering = _tampering(out, setup)
        checks += tampering
        verdict = "fail" if any(check.severity == "fail" for check in tampering) else verdict
        times["tamper"] = _since(began)
    began = time.monotonic()
    picture, drawn = _picture(out, signed.field)
    times["picture"] = _since(began)
    judges = tuple(_integrity(judgement))
    return TrialSignature(part, signed, verdict, (*checks, drawn), times, judges, picture)


def _signed(
    source: Path,
    out: Path,
    part: Part,
    signer: RawSigner,
    setup: TrialSetup,
    tsa: str,
    place: Place | None,
) -> tuple[SignedDocument, list[Finding]]:
    """Signed with a timestamp where an authority answered before; without one if it no longer does."""
    spec = None
    if setup.rules is not None:
        seal = setup.rules.stamp("agency")
        person = setup.rules.stamp("person")
        rule, reserved = (person, seal) if part == "person" else (seal, None)
        if rule is not None:
            spec = batch.StampSpec(rule, name=setup.name, title=setup.title, place=place, seal=reserved)

    def sign(level: Level) -> SignedDocument:
        return batch.sign_one(
            batch.SigningJob(source, out),
            signer,
            look=spec,
            level=level,
            tsa=tsa or None,
            anchors=setup.material.anchors,
            crls=setup.material.crls,
            purposes=setup.material.purposes,
        )

    if not tsa:
        return sign("b-b"), []
    try:
        return sign("b-t"), []
    except TimestampFailed as error:
        message = boundary.words(error)
        return sign("b-b"), [Finding("timestamp-authority", "not-checked", message, error.detail)]


def _judge(path: Path, setup: TrialSetup, *, draw: bool = True) -> Judgement:
    rules = (setup.rules,) if setup.rules is not None else ()
    material = setup.material
    policy = Policy(purposes=material.purposes)
    return quorum.judge(path, material.anchors, material.crls, policy=policy, rules=rules, draw=draw)


def _integrity(judgement: Judgement) -> dict[str, str]:
    """Each judge's word on whether the document is as it was signed, of those that have one."""
    own = [
        check.severity
        for signature in judgement.signatures
        for check in signature.checks
        if check.id in ("integrity", "coverage")
    ]
    return {"fieldkit": "fail" if "fail" in own or not own else "pass"} | quorum.integrity_words(
        judgement.checks
    )


def _tampering(path: Path, setup: TrialSetup) -> list[Finding]:
    """Whether each judge that is here refuses a copy with one byte changed; one that is not is named too."""
    copy = path.with_name(f"{path.stem}-changed.pdf")
    tamper.flip(path, copy)
    judgement = _judge(copy, setup, draw=False)
    words = _integrity(judgement)
    findings = [
        Finding(f"tampering-{judge}", "pass", M("{judge} refuses a copy with one byte changed.", judge=judge))
        if word == "fail"
        else Finding(
            f"tampering-{judge}",
            "fail",
            M("{judge} does not notice that a byte of a copy was changed.", judge=judge),
        )
        for judge, word in sorted(words.items())
    ]
    for check in judgement.checks:
        if is_integrity(check) and check.judge not in words:
            findings.append(msgspec.structs.replace(check, id=f"tampering-{check.judge}", required=False))
            words[check.judge] = ""
    return findings


def _picture(path: Path, field: str) -> tuple[bytes | None, Finding]:
    """The page with the stamp, as a viewer shows it."""
    try:
        place = permission.place_of(path, field)
        picture = raster.png(path, place.page if place is not None else 0)
    except FieldkitError as error:
        return None, Finding("picture", "not-checked", boundary.words(error), error.detail, required=False)
    return picture, Finding("picture", "pass", M("A picture of the signed page is kept."), required=False)


def _since(began: float) -> int:
    """Milliseconds since `began`."""
    return round(1000 * (time.monotonic() - began))

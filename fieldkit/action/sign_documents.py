"""Sign PDFs with a token: what keeps each from being signed is told before a PIN is asked for.

    jobs = jobs_for(documents([Path("out-box")]), Path("signed"), several=True)
    jobs, password = await examine(operator, jobs)
    outcomes, _ = await sign_documents(tokens, "MAU-01", jobs, SigningOptions(level="b-t"), material)

The sources stay as they are; one PIN signs them all.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from fieldkit import errors
from fieldkit.action.token_access import TokenAccess, chained_signer
from fieldkit.action.trust_material import TrustMaterial
from fieldkit.finding import Finding
from fieldkit.operator import Operator, Plan, SecretRequest
from fieldkit.profile.model import Profiles
from fieldkit.profile.rules import RuleSet, StampKind
from fieldkit.text import M, Message, Said

if TYPE_CHECKING:
    from fieldkit.secret import Secret
    from fieldkit.signature.batch import SigningJob, SigningOutcome, StampSpec
    from fieldkit.signature.preflight import Preflight
    from fieldkit.signature.raw_signer import RawSigner
    from fieldkit.signature.sign import Level
    from fieldkit.stamp.place import Place
    from fieldkit.token.model import StoredCertificate, Token

NOT_SIGNED = M("Nothing was signed.")


class StampWish(msgspec.Struct, frozen=True):
    """Which stamp is wanted and what it says.

    with_seal: also make the empty field for the agency's seal. seal_mm: its actual size; 0 is the rule's.
    """

    kind: StampKind | Literal["none"] = "none"
    name: str = ""
    title: str = ""
    number: str = ""
    copy_form: str = ""
    image: Path | None = None
    place: Place | None = None
    with_seal: bool = False
    seal_mm: int = 0


class SigningOptions(msgspec.Struct, frozen=True):
    """How documents are signed.

    certificate: CKA_ID, label or SHA-256; the only one with a key unless given. tsa: the timestamp
    authority's address; the profiles' unless given. rules: those of the stamp, and of what insisting allows.
    consented: whoever gives the PIN has agreed already.
    """

    certificate: str = ""
    level: Level = "b-b"
    tsa: str = ""
    field: str = ""
    reason: str = ""
    stamp: StampWish = StampWish()
    rules: RuleSet | None = None
    insist: bool = False
    overwrite: bool = False
    password: Secret | None = None
    consented: bool = False


class HeldCertificate(msgspec.Struct, frozen=True):
    """A certificate on a token. issuers: the other certificates there (DER)."""

    token: Token
    certificate: StoredCertificate
    issuers: tuple[bytes, ...]


async def held_certificate(tokens: TokenAccess, name: str, spec: str) -> HeldCertificate:
    """The certificate that `spec` means on the token `name`, before any PIN: none goes to a wrong token."""
    token = await tokens.find(name)
    certificate, issuers = await tokens.in_session(
        token,
        lambda session: (
            chosen := session.certificate(spec),
            tuple(stored.der for stored in session.certificates() if stored.der != chosen.der),
        ),
    )
    return HeldCertificate(token, certificate, issuers)


@contextlib.asynccontextmanager
async def signer_of(
    tokens: TokenAccess, held: HeldCertificate, material: TrustMaterial
) -> AsyncIterator[RawSigner]:
    """The key of a certificate, after one PIN."""
    async with tokens.logged_in(held.token) as session:
        yield chained_signer(session, held.certificate, material)


@contextlib.asynccontextmanager
async def one_signature(
    tokens: TokenAccess,
    name: str,
    certificate: str,
    what: Said,
    material: TrustMaterial,
    *,
    consented: bool = False,
) -> AsyncIterator[RawSigner]:
    """The key of `certificate` on the token `name`, for one thing. what: that thing, shown before consent.

    :raises NotConsented: nothing was signed.
    """
    held = await held_certificate(tokens, name, certificate)
    plan = Plan(title=M("Sign with the token {token}", token=held.token.name), steps=(what,))
    if not consented and not await tokens.operator.consent(plan):
        raise not_agreed()
    async with signer_of(tokens, held, material) as signer:
        yield signer


def not_agreed() -> errors.NotConsented:
    """The person does not want it signed."""
    return errors.NotConsented(M("Nothing was signed: not agreed to."), unchanged=M("Nothing was changed."))


def documents(sources: Sequence[Path]) -> list[Path]:
    """The documents: those named, and in place of a folder those in it by name.

    :raises Missing: a folder holds none.
    """
    paths: list[Path] = []
    for source in sources:
        if not source.is_dir():
            paths.append(source)
            continue
        inside = sorted(
            path
            for path in source.iterdir()
            if path.suffix.lower() == ".pdf" and not path.name.startswith(".")
        )
        if not inside:
            raise errors.Missing(
                M("There is no PDF in the folder {folder}.", folder=str(source)), unchanged=NOT_SIGNED
            )
        paths += inside
    return paths


def jobs_for(sources: Sequence[Path], out: Path, *, several: bool) -> list[SigningJob]:
    """Each source with its output: `out` itself for one, files of the same names in `out` for several."""
    from fieldkit.signature.batch import SigningJob

    if not several and not out.is_dir():
        return [SigningJob(sources[0], out)]
    if len({os.path.normcase(source.name) for source in sources}) < len(sources):
        raise errors.Misused(
            M("Two of the files have the same name."),
            unchanged=NOT_SIGNED,
            hint=M("Sign them in two runs, into two folders."),
        )
    out.mkdir(parents=True, exist_ok=True)
    return [SigningJob(source, out / source.name) for source in sources]


async def examine(
    operator: Operator,
    jobs: Sequence[SigningJob],
    *,
    kind: str = "none",
    field: str = "",
    rewrite: bool = False,
) -> tuple[list[SigningJob], Secret | None]:
    """The jobs with what keeps each from being signed, and the documents' password where there is one.

    rewrite: the person agreed already that qpdf rewrites copies of those that can be signed only then.
    Warnings about documents are said.
    """
    from fieldkit.pdf.errors import DocumentEncrypted
    from fieldkit.signature.preflight import preflight

    def examine(job: SigningJob, password: Secret | None) -> Preflight:
        return preflight(job.source, password=password, field=field, kind=kind)

    results = [examine(job, None) for job in jobs]
    locked = [
        at
        for at, result in enumerate(results)
        if isinstance(result.problem, DocumentEncrypted) and result.problem.data.get("password", True)
    ]
    password = None
    if locked:
        password = await ask_password(operator, jobs[locked[0]].source)
    for at in locked if password is not None else ():
        results[at] = examine(jobs[at], password)
    rewrites = [at for at, result in enumerate(results) if result.verdict == "rewrite"]
    agreed = bool(rewrites) and await _agrees(operator, [jobs[at].source for at in rewrites], rewrite)
    examined = []
    for at, (job, result) in enumerate(zip(jobs, results, strict=True)):
        anew = agreed and at in rewrites
        examined.append(msgspec.structs.replace(job, rewrite=anew, problem=None if anew else result.problem))
        for finding in result.findings:
            if finding.severity == "warning":
                operator.show_finding(finding)
    return examined, password


async def ask_password(operator: Operator, source: Path) -> Secret | None:
    """The password of an encrypted document; None if nobody gives one."""
    title = M("Password of the document {name}", name=source.name)
    try:
        return await operator.secret(SecretRequest(role="password", title=title))
    except errors.Missing:
        return None


async def _agrees(operator: Operator, sources: Sequence[Path], agreed: bool) -> bool:
    """Whether the person agrees, or has agreed, that qpdf rewrites copies; nobody here does not."""
    title = M("Rewrite {count} document(s) with qpdf, which can be signed only then", count=len(sources))
    plan = Plan(
        title=title,
        steps=tuple(
            M("A copy of {name} is written anew, then signed", name=source.name) for source in sources
        ),
        keeps=M("What the pages show stays the same, and the documents themselves are not changed."),
    )
    if agreed:
        operator.show_finding(Finding("rewritten", "info", title))
        return True
    try:
        return await operator.consent(plan)
    except errors.NotConsented:
        return False


def replacement_plan(jobs: Sequence[SigningJob]) -> Plan | None:
    """What is replaced by the signed documents; None if nothing is."""
    there = [job.out for job in jobs if job.out.exists() and job.problem is None]
    if not there:
        return None
    return Plan(
        title=M("Replace {count} file(s) that are there already", count=len(there)),
        steps=tuple(M("{name} is replaced by the signed document", name=str(path)) for path in there),
    )


def rule_set(profiles: Profiles, name: str) -> RuleSet | None:
    """The rule set of this name, or the one in force today."""
    if not name:
        return profiles.rules_at(date.today())
    if name not in profiles.rules:
        raise errors.Misused(
            M("There is no rule set {name}. There are: {names}.", name=name, names=", ".join(profiles.rules)),
            unchanged=NOT_SIGNED,
        )
    return profiles.rules[name]


def stamp_of(rules: RuleSet | None, wish: StampWish, certificate: bytes | None) -> StampSpec | None:
    """How the stamp is drawn, by the rule set; None for none.

    certificate: its holder is the signer unless the wish names one.

    :raises Missing: no rule set in force has such a stamp.
    """
    from fieldkit.signature.batch import StampSpec
    from fieldkit.validation.trust import certificates

    if wish.kind == "none":
        return None
    rule = rules.stamp(wish.kind) if rules is not None else None
    if rules is None or rule is None:
        raise errors.Missing(
            M("No rules for this stamp are in force today."),
            unchanged=NOT_SIGNED,
            hint=M("Sign without a stamp, or add a rule set to the profiles."),
        )
    seal = rules.stamp("agency") if wish.with_seal and wish.kind == "person" else None
    if wish.seal_mm:
        rule = msgspec.structs.replace(rule, size_mm=wish.seal_mm) if rule.image == "seal" else rule
        seal = msgspec.structs.replace(seal, size_mm=wish.seal_mm) if seal is not None else None
    name = wish.name
    if not name and certificate is not None:
        (held,) = certificates((certificate,))
        name = str(held.subject.native.get("common_name", ""))
    return StampSpec(
        rule,
        name=name,
        title=wish.title,
        number=wish.number,
        copy_form=wish.copy_form,
        image=wish.image,
        place=wish.place,
        seal=seal,
    )


def timestamp_authority(profiles: Profiles) -> str | None:
    """The address of the first timestamp authority that a profile names."""
    addresses = (service.url for authority in profiles.authorities.values() for service in authority.tsa)
    return next(filter(None, addresses), None)


async def sign_documents(
    tokens: TokenAccess,
    name: str,
    jobs: Sequence[SigningJob],
    options: SigningOptions,
    material: TrustMaterial,
    *,
    record_options: Callable[[bytes], dict[str, Any]] = lambda certificate: {},
    shown: Callable[[StampSpec | None], None] = lambda stamp_spec: None,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[list[SigningOutcome], StampSpec | None]:
    """Sign every job with the token `name`; what became of each, and the stamp they have.

    record_options: of a certificate (DER), how a handover record's own field is signed with it. shown: is
    given the stamp before consent is asked. stopped: asked before each document; the rest is cancelled then.

    :raises Refused: the certificate may not sign; no PIN was asked for. :raises NotConsented: nothing was.
    """
    from fieldkit.signature.batch import sign_each
    from fieldkit.signature.sign import may_sign
    from fieldkit.validation.trust import trust

    held = await held_certificate(tokens, name, options.certificate)
    certificate = held.certificate.der
    stamp_spec = stamp_of(options.rules, options.stamp, certificate)
    stated: dict[str, Any] = {"reason": options.reason}
    if as_record := await asyncio.to_thread(record_options, certificate):
        stated |= as_record
        stamp_spec = None
    insisted = options.rules.insist if options.insist and options.rules is not None else ()
    await asyncio.to_thread(
        may_sign,
        certificate,
        trust(material.anchors, (certificate, *material.others), material.crls),
        insist=insisted,
        purposes=material.purposes,
    )
    if not options.consented:
        shown(stamp_spec)
        if not await tokens.operator.consent(_plan(held.token, jobs)):
            raise not_agreed()
    tsa = options.tsa or (None if options.level == "b-b" else timestamp_authority(tokens.profiles))
    async with signer_of(tokens, held, material) as signer:
        outcomes = await asyncio.to_thread(
            sign_each,
            jobs,
            signer,
            stamp_spec=stamp_spec,
            progress=None if len(jobs) == 1 else tokens.operator.progress,
            stopped=stopped,
            level=options.level,
            tsa=tsa,
            field=options.field,
            anchors=material.anchors,
            crls=material.crls,
            purposes=material.purposes,
            password=options.password,
            overwrite=options.overwrite,
            insist=insisted,
            **stated,
        )
    return outcomes, stamp_spec


def _plan(token: Token, jobs: Sequence[SigningJob]) -> Plan:
    ready = sum(job.problem is None for job in jobs)
    return Plan(
        title=M("Sign {count} document(s) with the token {token}", count=ready, token=token.name),
        steps=tuple(map(_step, jobs)),
        keeps=M("The documents themselves are not changed."),
    )


def _step(job: SigningJob) -> Message:
    from fieldkit.pdf.boundary import words

    if job.problem is None:
        return M("{source} → {out}", source=str(job.source), out=str(job.out))
    return M("{source} cannot be signed: {reason}", source=str(job.source), reason=words(job.problem))

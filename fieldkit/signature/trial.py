"""A signature tried at a site: sign as daily work will, let every judge look, break a copy, ask outside.

What it finds are checks; who is asked for a PIN and who is told is no matter of this module.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding, Overall
from fieldkit.pdf import boundary, raster
from fieldkit.pdf.errors import TimestampFailed
from fieldkit.profile.rules import RuleSet
from fieldkit.signature import batch, permission, tamper
from fieldkit.signature.raw_signer import RawSigner
from fieldkit.signature.sign import Level, SignedDocument
from fieldkit.text import M, Message
from fieldkit.validation import quorum
from fieldkit.validation.judgement import Judgement, Policy, every_check

if TYPE_CHECKING:
    from fieldkit.stamp.place import Place
    from fieldkit.validation.online import FetchedAnswer

Part = Literal["person", "seal", "both"]
SKEW = 120  # seconds a clock may be off before it is worth a word


class TrialSetup(msgspec.Struct, frozen=True):
    """What a trial is made with. name, title: the signer's, as they stand on the page.

    anchors, others, crls: DER. rules: for the stamps; none where no rule set is in force. purposes: see
    `certificate.usage.may_sign`.
    """

    signer: RawSigner
    anchors: tuple[bytes, ...] = ()
    others: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    rules: RuleSet | None = None
    name: str = ""
    title: str = ""
    tsa: str = ""
    purposes: tuple[str, ...] = ()


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


class ServiceAnswer(msgspec.Struct, frozen=True):
    """What a service answered. asked: each request with its outcome, size, time and digest."""

    checks: tuple[Finding, ...]
    asked: tuple[FetchedAnswer, ...] = ()
    tsa: str = ""


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
    source: Path, folder: Path, bench: TrialSetup, place: Place | None = None
) -> list[TrialSignature]:
    """Sign as the person, then as the agency in the field made for it: both documents, the last one broken.

    place: of the person's stamp; found by title and name unless given.

    :raises FieldkitError: it could not be signed.
    """
    first = _tried(source, folder / f"{source.stem}-person.pdf", "person", "person", bench, place)
    middle = Path(first.signed.out)
    second = _tried(middle, folder / f"{source.stem}-signed.pdf", "agency", "both", bench)
    return [second, first]


def seal_alone(source: Path, folder: Path, bench: TrialSetup) -> TrialSignature:
    """Sign as the agency alone.

    :raises FieldkitError: it could not be signed.
    """
    return _tried(source, folder / f"{source.stem}-seal.pdf", "agency", "seal", bench)


def _tried(
    source: Path, out: Path, kind: str, part: Part, bench: TrialSetup, place: Place | None = None
) -> TrialSignature:
    signer = _Timed(bench.signer)
    out.unlink(missing_ok=True)
    began = time.monotonic()
    signed, remarks = _sign(source, out, kind, part, signer, bench, place)
    times = {"sign": _since(began), "token": signer.milliseconds}
    began = time.monotonic()
    judged = _judge(out, bench)
    times["judge"] = _since(began)
    checks = [*signed.checks, *remarks, *every_check(judged)]
    verdict = judged.verdict
    if part != "person":  # it is broken with the seal that follows
        began = time.monotonic()
        broken = _broken(out, bench)
        checks += broken
        verdict = "fail" if any(check.severity == "fail" for check in broken) else verdict
        times["tamper"] = _since(began)
    began = time.monotonic()
    picture, seen = _picture(out, signed.field)
    times["picture"] = _since(began)
    return TrialSignature(part, signed, verdict, (*checks, seen), times, tuple(_words(judged)), picture)


def _sign(
    source: Path,
    out: Path,
    kind: str,
    part: Part,
    signer: RawSigner,
    bench: TrialSetup,
    place: Place | None,
) -> tuple[SignedDocument, list[Finding]]:
    """Signed with a timestamp where an authority answered before; without one if it no longer does."""
    rule = bench.rules.stamp(kind) if bench.rules is not None else None
    seal = bench.rules.stamp("agency") if bench.rules is not None and part == "person" else None
    look = None
    if rule is not None:
        look = batch.StampSpec(rule, name=bench.name, title=bench.title, place=place, seal=seal)

    def sign(level: Level) -> SignedDocument:
        return batch.sign_one(
            batch.SigningJob(source, out),
            signer,
            look=look,
            level=level,
            tsa=bench.tsa or None,
            anchors=bench.anchors,
            crls=bench.crls,
            purposes=bench.purposes,
        )

    if not bench.tsa:
        return sign("b-b"), []
    try:
        return sign("b-t"), []
    except TimestampFailed as error:
        note = Finding(
            "timestamp-authority",
            "not-checked",
            M("The timestamp authority gave no timestamp."),
            error.detail,
        )
        return sign("b-b"), [note]


def _judge(path: Path, bench: TrialSetup, *, draw: bool = True) -> Judgement:
    rules = (bench.rules,) if bench.rules is not None else ()
    policy = Policy(purposes=bench.purposes)
    return quorum.judge(path, bench.anchors, bench.crls, policy=policy, rules=rules, draw=draw)


def _words(judged: Judgement) -> dict[str, str]:
    """Each judge's word on whether the document is as it was signed, of those that have one."""
    own = [
        check.severity
        for signature in judged.signatures
        for check in signature.checks
        if check.id in ("integrity", "coverage")
    ]
    return {"fieldkit": "fail" if "fail" in own or not own else "pass"} | quorum.integrity_words(
        judged.checks
    )


def _broken(path: Path, bench: TrialSetup) -> list[Finding]:
    """Whether each judge that is here refuses a copy with one byte changed; one that is not is named too."""
    copy = path.with_name(f"{path.stem}-changed.pdf")
    tamper.flip(path, copy)
    judged = _judge(copy, bench, draw=False)
    words = _words(judged)
    findings = [_refused(judge, word) for judge, word in sorted(words.items())]
    for check in judged.checks:
        if check.id == f"{check.judge}-integrity" and check.judge not in words:
            findings.append(msgspec.structs.replace(check, id=f"tampering-{check.judge}", required=False))
            words[check.judge] = ""
    return findings


def _refused(judge: str, word: str) -> Finding:
    if word == "fail":
        return Finding(
            f"tampering-{judge}", "pass", M("{judge} refuses a copy with one byte changed.", judge=judge)
        )
    return Finding(
        f"tampering-{judge}",
        "fail",
        M("{judge} does not notice that a byte of a copy was changed.", judge=judge),
    )


def _picture(path: Path, field: str) -> tuple[bytes | None, Finding]:
    """The page with the stamp, as a viewer shows it."""
    try:
        place = permission.place_of(path, field)
        drawn = raster.png(path, place.page if place is not None else 0)
    except FieldkitError as error:
        return None, Finding("picture", "not-checked", boundary.words(error), error.detail, required=False)
    return drawn, Finding("picture", "pass", M("A picture of the signed page is kept."), required=False)


def timestamp(urls: Sequence[str], bench: TrialSetup) -> ServiceAnswer:
    """Ask the timestamp authorities until one answers, and compare its clock with this machine's."""
    if not urls:
        missing = M("No timestamp authority is configured for this certificate's authority.")
        return ServiceAnswer((_open("timestamp-authority", missing, M("Add its address to the profile.")),))
    faults = []
    for url in urls:
        began = time.monotonic()
        try:
            given = _genuine_time(url)
        except FieldkitError as error:
            faults.append(error.detail or str(error))
            continue
        took = _since(began)
        off = round((given - datetime.now(UTC)).total_seconds())
        checks = [
            Finding(
                "timestamp-authority",
                "pass",
                M("The timestamp authority {url} answered in {time} ms.", url=url, time=took),
                given.isoformat(timespec="seconds"),
            )
        ]
        if abs(off) > SKEW:
            checks.append(
                Finding(
                    "clock",
                    "fail",
                    M(
                        "This machine's clock is {seconds} seconds off the timestamp authority's.",
                        seconds=abs(off),
                    ),
                    f"{off:+d}",
                    hint=M("Set the clock, then run this step again."),
                )
            )
        return ServiceAnswer(tuple(checks), tsa=url)
    unreached = M("No timestamp authority could be reached: {urls}.", urls=", ".join(urls))
    hint = M("Run this step again with a network, or try the signature's timestamp later.")
    return ServiceAnswer((_open("timestamp-authority", unreached, hint, "; ".join(faults)),))


def _genuine_time(url: str) -> datetime:
    """The time in a fresh timestamp from `url`, its nonce compared.

    :raises TimestampFailed: there is none.
    """
    with boundary.signing(url):
        from fieldkit.signature.signer import HttpTimeStamper

        stamper = HttpTimeStamper(url)
        made: Any = asyncio.run(stamper.async_timestamp(bytes(32), "sha256"))
        told = made["content"]["encap_content_info"]["content"].parsed["gen_time"].native
    assert isinstance(told, datetime)
    return told


def revocation(bench: TrialSetup, lists: Sequence[str] = ()) -> ServiceAnswer:
    """Ask the services that the certificate names, or else the `lists` of the profile, for its status."""
    from pyhanko_certvalidator.errors import RevokedError

    from fieldkit.validation.online import Online
    from fieldkit.validation.trust import certificates, trust

    believed = trust(bench.anchors, (bench.signer.certificate, *bench.signer.chain, *bench.others))
    (certificate,) = certificates((bench.signer.certificate,))
    online = Online(named=None)  # the token's own authority may well answer inside
    fetched = online.revocation(certificate, believed)
    if not online.asked and lists:
        fetched = online.lists(lists)
    asked = tuple(online.asked)
    if not asked:
        unnamed = M("Neither the certificate nor the profile names a revocation service.")
        return ServiceAnswer((_open("revocation-service", unnamed, M("Add its address to the profile.")),))
    if not any(answer.outcome == "ok" for answer in asked):
        unreached = M(
            "No revocation service could be reached: {urls}.", urls=", ".join(answer.url for answer in asked)
        )
        hint = M("Run this step again with a network, or bring revocation lists in the kit.")
        return ServiceAnswer((_open("revocation-service", unreached, hint, online.said()),), asked)
    known = msgspec.structs.replace(believed, crls=fetched.crls, ocsps=fetched.ocsps)
    fault = known.path_fault(certificate, datetime.now(UTC), "require")
    detail = "; ".join(
        f"{answer.url}: {answer.milliseconds} ms" for answer in asked if answer.outcome == "ok"
    )
    if fault is None:
        message = M("The revocation services say that the certificate is not revoked.")
        return ServiceAnswer((Finding("revocation-service", "pass", message, detail),), asked)
    if isinstance(fault, RevokedError):
        message = M("The certificate, or one of its authorities, is revoked.")
        return ServiceAnswer(
            (Finding("revocation-service", "fail", message, boundary.kind_of(fault)),), asked
        )
    unclear = M("The revocation services answered, and do not settle whether the certificate is revoked.")
    return ServiceAnswer((_open("revocation-service", unclear, None, boundary.kind_of(fault)),), asked)


def _open(name: str, message: Message, hint: Message | None, detail: str = "") -> Finding:
    return Finding(name, "not-checked", message, detail, required=False, hint=hint)


def _since(began: float) -> int:
    """Milliseconds since `began`."""
    return round(1000 * (time.monotonic() - began))

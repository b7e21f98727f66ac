"""Judge each signature of a PDF by pyHanko, offline unless told otherwise, claim by claim.

What cannot be settled is "not-checked" with what would settle it, and never counts as valid. A signature that
cannot be read at all is a verdict of its own: it is never passed over.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding, overall
from fieldkit.pdf import boundary, document
from fieldkit.stamp import place
from fieldkit.stamp.place import Page
from fieldkit.stamp.stamp import VIETNAM
from fieldkit.text import M
from fieldkit.validation import embedded, signature_checks, stamp_check
from fieldkit.validation.judgement import Judgement, Policy, SignatureVerdict, every_check
from fieldkit.validation.online import Online
from fieldkit.validation.signature_checks import JudgedMoment
from fieldkit.validation.trust import Trust, trust

if TYPE_CHECKING:
    from asn1crypto.x509 import Certificate
    from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
    from pyhanko.sign.validation.status import PdfSignatureStatus

    from fieldkit.profile.rules import RuleSet
    from fieldkit.secret import Secret


class _Case(msgspec.Struct, frozen=True):
    """What every signature of one document is judged with.

    stored: what the document's own store embedded. supplied: revocation lists came from elsewhere too. pages:
    reads the document's pages, once.
    """

    believed: Trust
    stored: Trust | None
    policy: Policy
    online: Online | None
    rules: tuple[RuleSet, ...]
    supplied: bool
    pages: Callable[[], Sequence[Page]]


def validate(
    path: Path,
    *,
    trust: Sequence[bytes],
    crls: Sequence[bytes] = (),
    others: Sequence[bytes] = (),
    at: datetime | None = None,
    network: bool | Online = False,
    policy: Policy = Policy(),  # noqa: B008 (frozen)
    password: Secret | None = None,
    rules: Sequence[RuleSet] = (),
) -> Judgement:
    """Judge every signature of `path` against the anchors `trust` (DER or PEM).

    crls: further revocation lists. others: issuing authorities' certificates, for signatures that bring
    none. at: the moment to judge for, now unless given. network: ask the authorities' servers where the
    document and `crls` leave a question open; an `Online` remembers their answers for the next document.
    rules: the rule sets to compare stamps with; none are compared without.
    A timestamp that holds proves that what it covers existed then: certificates under it are judged
    for its time, the newest timestamp first.

    :raises DocumentMissing, DocumentUnfit, DocumentEncrypted, DocumentChanged: it cannot be read.
    """
    believed = _parse(trust, others, crls)
    online = network if isinstance(network, Online) else Online() if network else None
    _quiet()
    with document.opened(path) as file, boundary.reading(path.name):
        return _document(
            path, file, believed, at or datetime.now(UTC), policy, password, online, tuple(rules)
        )


def _parse(anchors: Sequence[bytes], others: Sequence[bytes], crls: Sequence[bytes]) -> Trust:
    return trust(anchors, others, crls)


def _quiet() -> None:
    """Nobody hears what pyHanko logs, tracebacks included: all of it is said in words here."""
    for name in ("pyhanko", "pyhanko_certvalidator"):
        log = logging.getLogger(name)
        log.propagate = False
        if not log.handlers:
            log.addHandler(logging.NullHandler())


def _document(
    path: Path,
    file: BinaryIO,
    believed: Trust,
    at: datetime,
    policy: Policy,
    password: Secret | None,
    online: Online | None,
    rules: tuple[RuleSet, ...],
) -> Judgement:
    from fieldkit.pdf.reader import patient

    reader = patient(file)
    if reader.encrypted:
        boundary.unlock(reader.decrypt, path.name, password)
    signatures = list(embedded.signatures(reader))
    if not signatures:
        missing = Finding("signed", "fail", M("There is no signature in the document."))
        return Judgement("fail", (), (missing,))
    checks: list[Finding] = []
    if reader.xrefs.hybrid_xrefs_present:
        checks.append(
            Finding(
                "hybrid",
                "not-checked",
                M("The file has two tables of contents (hybrid): a very old viewer may show something else."),
                required=False,
                hint=M("Read it in a viewer of today."),
            )
        )
    stored = embedded.stored(reader, checks)
    both = believed if stored is None else embedded.joined(believed, stored)
    pages = functools.cache(lambda: place.pages(path, password))
    case = _Case(both, stored, policy, online, rules, bool(believed.crls), pages)
    verdicts: list[SignatureVerdict] = []
    moment = JudgedMoment(at, at)
    for signature in reversed(signatures):
        if isinstance(signature, SignatureVerdict):
            verdicts.append(signature)
            continue
        verdict, moment = _judged(signature, case, moment)
        verdicts.append(verdict)
    verdicts.reverse()
    judged = Judgement("pass", tuple(verdicts), tuple(checks))
    return msgspec.structs.replace(judged, verdict=overall(every_check(judged)))


def _judged(
    signature: EmbeddedPdfSignature, case: _Case, moment: JudgedMoment
) -> tuple[SignatureVerdict, JudgedMoment]:
    """One signature's verdict, and the moment that counts for what it covers."""
    try:
        if str(signature.sig_object_type) == "/DocTimeStamp":
            return _timestamp(signature, case, moment)
        return _signature(signature, case, moment), moment
    except FieldkitError:
        raise
    except Exception as error:  # what one signature does to the library is that signature's verdict
        return embedded.unreadable(signature.field_name, embedded.misbuilt(error)), moment


def _signature(signature: EmbeddedPdfSignature, case: _Case, outer: JudgedMoment) -> SignatureVerdict:
    inside = embedded.inside(signature)
    believed = embedded.joined(case.believed, inside)
    # the certificates inside are found by pyHanko itself
    without = msgspec.structs.replace(believed, others=case.believed.others)
    status, settled = _measured(signature, without, outer)
    stamp = status.timestamp_validity
    stampers = embedded.joined(believed, embedded.on_path(stamp))
    stamped = [signature_checks.timestamp(stamp, stampers, outer, case.policy)]
    moment = outer
    if stamp is not None and stamped[0].severity == "pass":
        authority = signature_checks.timestamp_revocation(
            stamp.signing_cert, stampers, outer, settled=settled
        )
        stamped.append(authority)
        if authority.severity != "fail":
            moment = JudgedMoment(
                outer.now, stamp.timestamp, True, authority.severity == "pass" and outer.settled
            )
    certificate = status.signing_cert
    own = list(_certificate(certificate, believed, moment, case, settled=settled))
    if len(stamped) > 1 and stamped[1].severity == "not-checked":
        rests = case.policy.timestamp or _rests_on_proof(certificate, believed, moment)
        stamped[1] = msgspec.structs.replace(stamped[1], required=rests)
    elif moment.proven and not moment.settled and _rests_on_proof(certificate, believed, moment):
        stamped.append(
            Finding(
                "timestamp-revocation",
                "not-checked",
                M("Whether the timestamp authority's certificate is revoked is not known."),
                hint=signature_checks.FRESHER,
            )
        )
    trusted = moment is not outer
    time = stamp.timestamp if stamp is not None and trusted else status.signer_reported_dt
    checks = [
        signature_checks.integrity(status),
        signature_checks.coverage(signature, status),
        signature_checks.attributes(signature),
        signature_checks.algorithm(status),
        *own,
        *stamped,
    ]
    clock = signature_checks.clock(status.signer_reported_dt, stamp, outer, trusted=trusted)
    checks += [clock] if clock is not None else []
    if case.rules:
        day = (time or outer.now).astimezone(VIETNAM).date()
        checks.append(stamp_check.stamp(signature, case.pages, case.rules, day, _name(certificate)))
    return SignatureVerdict(
        field=str(signature.field_name or ""),
        signer=_subject(certificate),
        signed_at=time.isoformat(timespec="seconds") if time else "",
        level=_level(
            signature, stamp is not None, case, inside, moment, outer.proven, certificate, holds=settled
        ),
        verdict=overall(checks),
        checks=tuple(checks),
        sha256=certificate.sha256.hex(),
    )


def _measured(
    signature: EmbeddedPdfSignature, believed: Trust, moment: JudgedMoment
) -> tuple[PdfSignatureStatus, bool]:
    """What pyHanko finds, and whether that settles paths and revocation of signer and timestamp alike.

    All is asked for at once first, since most documents are good; only where that does not hold is the
    signature measured without revocation, and each claim judged by itself.
    """
    from pyhanko.sign.validation import async_validate_pdf_signature
    from pyhanko.sign.validation.settings import KeyUsageConstraints

    from fieldkit.validation.changes import StrictPolicy

    def measured(*, revocation: bool) -> PdfSignatureStatus:
        contexts = (
            believed.context(moment.at, "require" if revocation else "soft-fail", revocation=revocation)
            for _ in range(2)
        )
        signer, stamper = contexts
        return asyncio.run(
            async_validate_pdf_signature(
                signature,
                signer_validation_context=signer,
                ts_validation_context=stamper,
                diff_policy=StrictPolicy(),
                key_usage_settings=KeyUsageConstraints(key_usage=set(), match_all_key_usages=False),
            )
        )

    if believed.anchors and (believed.crls or believed.ocsps):
        status = measured(revocation=True)
        stamp = status.timestamp_validity
        if status.intact and status.trusted and (stamp is None or (stamp.intact and stamp.trusted)):
            return status, True
    return measured(revocation=False), False


def _timestamp(
    signature: EmbeddedPdfSignature, case: _Case, moment: JudgedMoment
) -> tuple[SignatureVerdict, JudgedMoment]:
    """A document timestamp's verdict, and its time if it is to be believed."""
    from pyhanko.sign.validation import async_validate_pdf_timestamp

    from fieldkit.validation.changes import StrictPolicy

    believed = embedded.joined(case.believed, embedded.inside(signature))
    status = asyncio.run(
        async_validate_pdf_timestamp(
            signature,
            validation_context=believed.context(moment.at, revocation=False),
            diff_policy=StrictPolicy(),
        )
    )
    certificate = status.signing_cert
    authority = signature_checks.timestamp_revocation(certificate, believed, moment)
    proof = signature_checks.timestamp(status, believed, moment, case.policy)
    checks = [
        signature_checks.integrity(status),
        signature_checks.coverage(signature, status),
        signature_checks.path(certificate, believed, moment.at),
        msgspec.structs.replace(authority, required=authority.severity == "fail"),
    ]
    if (
        proof.severity != "pass" and checks[2].severity == "pass"
    ):  # in the future, or not issued for timestamps
        checks.append(msgspec.structs.replace(proof, required=True))
    verdict = SignatureVerdict(
        field=str(signature.field_name or ""),
        signer=_subject(certificate),
        signed_at=status.timestamp.isoformat(timespec="seconds"),
        level="timestamp",
        verdict=overall(checks),
        checks=tuple(checks),
        kind="timestamp",
        sha256=certificate.sha256.hex(),
    )
    if verdict.verdict != "pass" or not status.trusted:
        return verdict, moment
    settled = authority.severity == "pass" and moment.settled
    return verdict, JudgedMoment(moment.now, status.timestamp, True, settled)


def _certificate(
    certificate: Certificate, believed: Trust, moment: JudgedMoment, case: _Case, *, settled: bool
) -> Iterator[Finding]:
    """The claims on the signer's certificate. settled: path and revocation are known to hold."""
    yield signature_checks.dates(certificate, moment)
    yield signature_checks.usage(certificate, case.policy)
    if settled:
        yield signature_checks.PATH_HOLDS
        yield signature_checks.NOT_REVOKED
        return
    # out of its dates, the path is still worth a word of its own: it is looked at on the nearest good day
    at = min(max(moment.at, certificate.not_valid_before), certificate.not_valid_after)
    path = signature_checks.path(certificate, believed, at)
    if path.severity == "fail" and case.online is not None:
        fetched = case.online.issuers(certificate, believed)
        if fetched:
            believed = msgspec.structs.replace(believed, others=(*believed.others, *fetched))
            path = signature_checks.path(certificate, believed, at)
    yield path
    if path.severity != "pass":
        revocation = signature_checks.no_path_no_revocation()
    else:
        revocation = signature_checks.revocation(certificate, believed, at)
        if revocation.severity == "not-checked" and case.online is not None:
            believed = embedded.joined(believed, case.online.revocation(certificate, believed))
            revocation = signature_checks.revocation(certificate, believed, at, "network")
            if revocation.severity == "not-checked":
                failures = case.online.failures()
                revocation = msgspec.structs.replace(
                    revocation, detail="; ".join(filter(None, (revocation.detail, failures)))
                )
    required = case.policy.revocation or revocation.severity == "fail"
    yield msgspec.structs.replace(revocation, required=required)


def _rests_on_proof(certificate: Certificate, believed: Trust, moment: JudgedMoment) -> bool:
    """Whether the certificate would not do today, so that all depends on when the signature was made."""
    if not signature_checks.within(certificate, moment.now):
        return True
    return signature_checks.revocation(certificate, believed, moment.now).severity == "fail"


def _subject(certificate: Certificate) -> str:
    """Who the certificate is for, as everywhere else: short names, the narrowest attribute first."""
    from cryptography import x509

    from fieldkit.certificate import name

    try:
        held = x509.load_der_x509_certificate(certificate.dump())
        return name.text(held.subject)
    except ValueError:  # a certificate that only the more patient parser reads
        return name.visible(str(certificate.subject.human_friendly))


def _name(certificate: Certificate) -> str:
    """The signer's name as it may stand on the page."""
    name = certificate.subject.native.get("common_name", "")
    return name if isinstance(name, str) else str(name[-1])


def _level(
    signature: EmbeddedPdfSignature,
    stamped: bool,
    case: _Case,
    inside: Trust,
    moment: JudgedMoment,
    archived: bool,
    certificate: Certificate,
    *,
    holds: bool,
) -> str:
    """The PAdES level that the document reaches by what is in it alone."""
    if str(signature.sig_object.get("/SubFilter", "")) != signature_checks.PADES:
        return "cms"
    if not stamped:
        return "b-b"
    if case.stored is None:
        return "b-t"
    own = embedded.joined(msgspec.structs.replace(case.stored, anchors=case.believed.anchors), inside)
    if not case.supplied and holds:
        return "b-lta" if archived else "b-lt"  # it was judged by nothing else
    if own.anchors and own.path_fault(certificate, moment.at, "require") is not None:
        return "b-t"  # there is a store, but not with what this signature needs
    return "b-lta" if archived else "b-lt"

"""Judge each signature of a PDF by pyHanko, offline unless told otherwise, claim by claim.

What cannot be settled is "not-checked" with what would settle it, and never counts as valid.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from fieldkit.signature import boundary, document
from fieldkit.signature.judgement import Judgement, Policy, SignatureVerdict, every_check
from fieldkit.signature.trust import Trust, trust
from fieldkit.text import M
from fieldkit.verdict import Check, overall

if TYPE_CHECKING:
    from asn1crypto.x509 import Certificate

    from fieldkit.secret import Secret


def validate(
    path: Path,
    *,
    trust: Sequence[bytes],
    crls: Sequence[bytes] = (),
    at: datetime | None = None,
    network: bool = False,
    policy: Policy = Policy(),  # noqa: B008 (frozen)
    password: Secret | None = None,
) -> Judgement:
    """Judge every signature of `path` against the anchors `trust` (DER or PEM).

    crls: further revocation lists. at: the moment to judge for, now unless given. network: ask the
    authorities' servers where the document and `crls` leave a question open.
    A timestamp that holds proves that what it covers existed then: certificates under it are judged
    for its time, the newest timestamp first.
    """
    believed = _parse(trust, crls, network and at is None)
    with document.opened(path) as file, boundary.reading(path.name):
        return _document(file, believed, at or datetime.now(UTC), policy, password)


def _parse(anchors: Sequence[bytes], crls: Sequence[bytes], network: bool) -> Trust:
    return trust(anchors, (), crls, network=network)


def _document(
    file: BinaryIO, believed: Trust, at: datetime, policy: Policy, password: Secret | None
) -> Judgement:
    from pyhanko.pdf_utils.crypt import AuthStatus
    from pyhanko.pdf_utils.reader import PdfFileReader

    reader = PdfFileReader(file, strict=False)
    if reader.encrypted:
        outcome = reader.decrypt(password.reveal() if password else "")
        if getattr(outcome, "status", outcome) == AuthStatus.FAILED:
            raise boundary.needs_password("")
    embedded = list(reader.embedded_signatures)
    if not embedded:
        missing = Check("signed", "fail", M("There is no signature in the document."))
        return Judgement("fail", (), (missing,))
    stored = _with_stored(reader, believed)
    verdicts: list[SignatureVerdict] = []
    moment, proven = at, False
    for signature in reversed(embedded):
        if str(signature.sig_object_type) == "/DocTimeStamp":
            verdict, time = _timestamp(signature, stored, moment)
            if time is not None:
                moment, proven = time, True
        else:
            verdict = _signature(signature, stored, moment, proven, policy, stored is not believed)
        verdicts.append(verdict)
    verdicts.reverse()
    judged = Judgement("pass", tuple(verdicts))
    return msgspec.structs.replace(judged, verdict=overall(every_check(judged)))


def _with_stored(reader: Any, believed: Trust) -> Trust:
    """`believed` and what the document's security store (DSS) brings: certificates, CRLs, OCSP answers."""
    from asn1crypto import ocsp
    from pyhanko.sign.validation.dss import DocumentSecurityStore
    from pyhanko.sign.validation.errors import NoDSSFoundError

    try:
        store = DocumentSecurityStore.read_dss(reader)
    except NoDSSFoundError:
        return believed
    return msgspec.structs.replace(
        believed,
        others=(*believed.others, *store.load_certs()),
        crls=(*believed.crls, *(each.get_object().data for each in store.crls)),
        ocsps=(
            *believed.ocsps,
            *(ocsp.OCSPResponse.load(each.get_object().data) for each in store.ocsps),  # type: ignore[no-untyped-call]
        ),
    )


def _signature(
    signature: Any, believed: Trust, moment: datetime, proven: bool, policy: Policy, stored: bool
) -> SignatureVerdict:
    from pyhanko.sign.validation import async_validate_pdf_signature
    from pyhanko.sign.validation.settings import KeyUsageConstraints

    believed = _with_embedded(signature, believed)
    status = asyncio.run(
        async_validate_pdf_signature(
            signature,
            signer_validation_context=believed.context(moment, revocation=False),
            ts_validation_context=believed.context(moment, revocation=False),
            key_usage_settings=KeyUsageConstraints(key_usage=set(), match_all_key_usages=False),
        )
    )
    stamp, archived = status.timestamp_validity, proven
    trusted = stamp if stamp is not None and stamp.trusted else None
    if trusted is not None:
        moment, proven = trusted.timestamp, True
    certificate = status.signing_cert
    checks = (
        _integrity(status),
        _coverage(status),
        _algorithm(status),
        *_certificate_checks(certificate, believed, moment, proven, policy),
        _stamp(stamp, believed, policy),
    )
    said = trusted.timestamp if trusted else status.signer_reported_dt
    return SignatureVerdict(
        field=str(signature.field_name or ""),
        signer=certificate.subject.human_friendly,
        signed_at=said.isoformat(timespec="seconds") if said else "",
        level=_level(signature, stamp is not None, stored, archived),
        verdict=overall(checks),
        checks=checks,
        sha256=certificate.sha256.hex(),
    )


def _timestamp(signature: Any, believed: Trust, moment: datetime) -> tuple[SignatureVerdict, datetime | None]:
    """A document timestamp's verdict, and its time if it is to be believed."""
    from pyhanko.sign.validation import async_validate_pdf_timestamp

    believed = _with_embedded(signature, believed)
    status = asyncio.run(
        async_validate_pdf_timestamp(signature, validation_context=believed.context(moment, revocation=False))
    )
    certificate = status.signing_cert
    checks = (
        _integrity(status),
        _coverage(status),
        _path(certificate, believed, moment),
        msgspec.structs.replace(_revocation(certificate, believed, moment), required=False),
    )
    verdict = SignatureVerdict(
        field=str(signature.field_name or ""),
        signer=certificate.subject.human_friendly,
        signed_at=status.timestamp.isoformat(timespec="seconds"),
        level="timestamp",
        verdict=overall(checks),
        checks=checks,
        kind="timestamp",
        sha256=certificate.sha256.hex(),
    )
    good = verdict.verdict == "pass" and status.trusted
    return verdict, status.timestamp if good else None


def _with_embedded(signature: Any, believed: Trust) -> Trust:
    """`believed`, with the certificates and the revocation data inside this signature's CMS."""
    crls, ocsps = [], []
    attributes = signature.signer_info["signed_attrs"]
    for attribute in attributes if attributes.native else ():
        if attribute["type"].native == "adobe_revocation_info_archival":
            for value in attribute["values"]:
                crls += [each.dump() for each in value["crl"] or ()]
                ocsps += list(value["ocsp"] or ())
    return msgspec.structs.replace(
        believed,
        others=(*believed.others, *signature.other_embedded_certs),
        crls=(*believed.crls, *crls),
        ocsps=(*believed.ocsps, *ocsps),
    )


def _integrity(status: Any) -> Check:
    if not status.intact:
        return Check("integrity", "fail", M("What was signed has been changed since."))
    if not status.valid:
        return Check("integrity", "fail", M("The signature does not fit the certificate inside it."))
    return Check("integrity", "pass", M("What was signed is unchanged."), status.md_algorithm)


def _coverage(status: Any) -> Check:
    from pyhanko.sign.diff_analysis import ModificationLevel
    from pyhanko.sign.validation.status import SignatureCoverageLevel

    detail = status.coverage.name.lower()
    if status.coverage == SignatureCoverageLevel.ENTIRE_FILE:
        return Check("coverage", "pass", M("The signature covers the whole file."), detail)
    if status.coverage != SignatureCoverageLevel.ENTIRE_REVISION:
        return Check("coverage", "fail", M("The signature leaves out parts of the document."), detail)
    level = status.modification_level
    if status.docmdp_ok is False or level in (None, ModificationLevel.OTHER):
        return Check("coverage", "fail", M("The document was changed after this signature."), detail)
    if level == ModificationLevel.FORM_FILLING:
        return Check(
            "coverage",
            "pass",
            M("After this signature only further signatures or form entries followed."),
            detail,
        )
    return Check("coverage", "pass", M("After this signature only validation data followed."), detail)


def _algorithm(status: Any) -> Check:
    detail = f"{status.pkcs7_signature_mechanism}, {status.md_algorithm}"
    indication = status.trust_problem_indic
    if indication is not None and "CRYPTO" in indication.name:
        return Check(
            "algorithm", "fail", M("The signature uses an algorithm that is no longer safe."), detail
        )
    return Check("algorithm", "pass", M("The algorithms of the signature are in use today."), detail)


def _certificate_checks(
    certificate: Certificate, believed: Trust, moment: datetime, proven: bool, policy: Policy
) -> Iterator[Check]:
    from fieldkit.signature.sign import signs

    in_time = certificate.not_valid_before <= moment <= certificate.not_valid_after
    yield _dates(certificate, moment, proven, in_time)
    usage = certificate.key_usage_value
    detail = ", ".join(sorted(usage.native)) if usage is not None else "unrestricted"
    if signs(certificate):
        yield Check("usage", "pass", M("The certificate is meant for signatures."), detail)
    else:
        yield Check("usage", "fail", M("The certificate was not issued for signing documents."), detail)
    # out of its dates, the path is still worth a word of its own: it is looked at on the last good day
    looked_at = moment if in_time else max(certificate.not_valid_before, certificate.not_valid_after)
    path = _path(certificate, believed, looked_at)
    yield path
    revocation = (
        _revocation(certificate, believed, looked_at)
        if path.verdict == "pass"
        else Check(
            "revocation",
            "not-checked",
            M("Without a path to an anchor nobody can say whether it is revoked."),
        )
    )
    required = policy.revocation or revocation.verdict == "fail"
    yield msgspec.structs.replace(revocation, required=required)


def _dates(certificate: Certificate, moment: datetime, proven: bool, in_time: bool) -> Check:
    detail = f"{certificate.not_valid_before.isoformat()} – {certificate.not_valid_after.isoformat()}"
    if in_time:
        return Check(
            "dates",
            "pass",
            M("The certificate was valid at the time of the timestamp.")
            if proven
            else M("The certificate is valid at the time of this check."),
            detail,
        )
    if moment < certificate.not_valid_before:
        return Check("dates", "fail", M("The certificate was not yet valid."), detail)
    if proven:
        return Check("dates", "fail", M("The certificate had expired before the timestamp."), detail)
    return Check(
        "dates",
        "fail",
        M("The certificate has expired, and no timestamp proves that it was used before."),
        detail,
    )


def _path(certificate: Certificate, believed: Trust, moment: datetime) -> Check:
    if not believed.anchors:
        return Check(
            "path", "not-checked", M("No trust anchor was given. Name the authority's root with --trust.")
        )
    fault = believed.path_fault(certificate, moment, "soft-fail")
    if fault is None:
        return Check("path", "pass", M("The certificate leads to a trusted authority."))
    return Check(
        "path",
        "fail",
        M("The certificate leads to none of the trusted authorities."),
        boundary.kind_of(fault),
    )


def _revocation(certificate: Certificate, believed: Trust, moment: datetime) -> Check:
    from pyhanko_certvalidator.errors import RevokedError

    fault = None
    if believed.crls or believed.ocsps or not believed.network:
        fault = believed.path_fault(certificate, moment, "require")
        if fault is None:
            return Check("revocation", "pass", M("Neither the certificate nor its authorities are revoked."))
    if believed.network and not isinstance(fault, RevokedError):
        fault = believed.path_fault(certificate, None, "require")
        if fault is None:
            return Check(
                "revocation", "pass", M("Neither the certificate nor its authorities are revoked."), "network"
            )
    if isinstance(fault, RevokedError):
        return Check(
            "revocation",
            "fail",
            M("The certificate, or one of its authorities, is revoked."),
            boundary.kind_of(fault),
        )
    return Check(
        "revocation",
        "not-checked",
        M(
            "Whether the certificate is revoked is not known: no revocation list that settles it is here. "
            "Give one with --crl, or check with a network."
        ),
        boundary.kind_of(fault) if fault else "",
    )


def _stamp(stamp: Any, believed: Trust, policy: Policy) -> Check:
    if stamp is None:
        return Check(
            "timestamp",
            "not-checked",
            M("There is no timestamp: the time is what the signer's computer said."),
            required=policy.timestamp,
        )
    detail = stamp.timestamp.isoformat(timespec="seconds")
    if not (stamp.intact and stamp.valid):
        return Check("timestamp", "fail", M("The timestamp does not belong to this signature."), detail)
    if stamp.trusted:
        return Check("timestamp", "pass", M("A trusted timestamp proves the time."), detail)
    return Check(
        "timestamp",
        "not-checked",
        M("The timestamp's authority leads to none of the trusted authorities."),
        detail,
        required=policy.timestamp,
    )


def _level(signature: Any, stamped: bool, stored: bool, archived: bool) -> str:
    if str(signature.sig_object.get("/SubFilter", "")) != "/ETSI.CAdES.detached":
        return "cms"
    if stored and archived:
        return "b-lta"
    if stamped:
        return "b-lt" if stored else "b-t"
    return "b-b"

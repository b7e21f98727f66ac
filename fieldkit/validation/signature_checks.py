"""The claims of one signature, each judged by itself from what pyHanko measured and the paths that hold.

Nothing here reads a file: `validate` walks the document and asks for these in their order.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from fieldkit.certificate.strength import WEAK_DIGESTS, weakness
from fieldkit.certificate.usage import extended_key_usage, may_sign
from fieldkit.finding import Finding
from fieldkit.pdf import boundary
from fieldkit.text import M
from fieldkit.validation import revisions
from fieldkit.validation.judgement import Policy
from fieldkit.validation.trust import Trust

if TYPE_CHECKING:
    from asn1crypto.x509 import Certificate

TOLERANCE = timedelta(minutes=5)
"""How far two honest clocks may differ."""

MENDED = M("Do not use this file: a viewer that mends files may show what nobody signed.")

PADES = "/ETSI.CAdES.detached"


class JudgedMoment(msgspec.Struct, frozen=True):
    """The moment a certificate is judged for.

    now: the moment asked for. at: the same, or the time that a timestamp proves. settled: whether the proving
    authority is known not to be revoked.
    """

    now: datetime
    at: datetime
    proven: bool = False
    settled: bool = True


def integrity(status: Any) -> Finding:
    """What was signed is what is there, and the certificate's key signed it."""
    if not status.intact:
        return Finding(
            "integrity",
            "fail",
            M("What was signed has been changed since."),
            hint=M("Do not use this file. Ask its sender for it again."),
        )
    if not status.valid:
        return Finding("integrity", "fail", M("The signature does not fit the certificate inside it."))
    return Finding("integrity", "pass", M("What was signed is unchanged."), status.md_algorithm)


def coverage(signature: Any, status: Any) -> Finding:
    """The signature leaves out nothing but itself, and what followed it was allowed to follow."""
    from pyhanko.sign.diff_analysis import ModificationLevel
    from pyhanko.sign.validation.status import SignatureCoverageLevel

    from fieldkit.validation.changes import FormEntriesChanged

    detail = status.coverage.name.lower()
    whole = status.coverage == SignatureCoverageLevel.ENTIRE_FILE
    if not (whole or status.coverage == SignatureCoverageLevel.ENTIRE_REVISION) or not _gap_fits(signature):
        return Finding(
            "coverage",
            "fail",
            M("The signature leaves out parts of the document."),
            detail,
            hint=M("Do not use this file: what it shows may not be what was signed."),
        )
    if whole:
        return Finding("coverage", "pass", M("The signature covers the whole file."), detail)
    if not _ends(signature.reader):
        return Finding(
            "coverage",
            "fail",
            M("Something follows the end of the document that no table of contents lists."),
            detail,
            hint=MENDED,
        )
    unlisted = revisions.unaccounted(signature.reader, _end(signature), signature.signed_revision)
    if unlisted:
        return Finding(
            "coverage",
            "fail",
            M("What was added after this signature is not built so that every viewer shows the same."),
            unlisted,
            hint=MENDED,
        )
    if isinstance(status.diff_result, FormEntriesChanged):
        return Finding(
            "coverage",
            "fail",
            M("Form entries were changed after this signature, which does not stand for them."),
            str(status.diff_result),
            hint=M("Have the form filled in first, then signed."),
        )
    level = status.modification_level
    if status.docmdp_ok is False or level not in (
        ModificationLevel.NONE,
        ModificationLevel.LTA_UPDATES,
        ModificationLevel.FORM_FILLING,
    ):
        return Finding(
            "coverage",
            "fail",
            M("The document was changed after this signature."),
            _later(status) or detail,
            hint=M("Ask the signer for the file as it was signed."),
        )
    message = (
        M("After this signature only further signatures followed.")
        if level == ModificationLevel.FORM_FILLING
        else M("After this signature only validation data followed.")
    )
    return Finding("coverage", "pass", message, detail)


def _end(signature: Any) -> int:
    """Where what the signature covers ends."""
    return sum([int(number) for number in signature.byte_range][-2:])


def _gap_fits(signature: Any) -> bool:
    """The range left out is the signature's own hexadecimal string and nothing more (signature wrapping)."""
    numbers = [int(number) for number in signature.byte_range]
    if len(numbers) != 4:
        return False
    start, first, second, rest = numbers
    stream = signature.reader.stream
    size = stream.seek(0, 2)
    if start != 0 or not 0 < first < second <= second + rest <= size:
        return False
    stream.seek(first)
    return bool(stream.read(second - first).lower() == b"<%s>" % signature.pkcs7_content.hex().encode())


def _ends(reader: Any) -> bool:
    """Nothing but blanks follows the last revision: viewers that mend files read what is hidden there."""
    table = reader.xrefs.get_xref_container_info(reader.xrefs.total_revisions - 1)
    reader.stream.seek(table.end_location)
    _, end, rest = reader.stream.read().partition(b"%%EOF")
    return bool(end) and not rest.strip(b"\0\t\n\f\r ")


def _later(status: Any) -> str:
    """What pyHanko found suspicious in the later revisions."""
    from pyhanko.sign.diff_analysis import SuspiciousModification

    suspicious_modification = status.diff_result
    return (
        boundary.kind_of(suspicious_modification)
        if isinstance(suspicious_modification, SuspiciousModification)
        else ""
    )


def attributes(signature: Any) -> Finding:
    """The certificate is part of what was signed, as PAdES asks, so that no other can take its place."""
    signed = signature.signer_info["signed_attrs"]
    names = {attribute["type"].native for attribute in signed}
    bound = names & {"signing_certificate", "signing_certificate_v2"}
    detail = ", ".join(sorted(names))
    if bound:
        return Finding(
            "attributes", "pass", M("The signature names the certificate that it was made with."), detail
        )
    if signature.sig_object.get("/SubFilter") == PADES:
        return Finding(
            "attributes",
            "fail",
            M("A signed attribute that PAdES asks for is missing: the signing certificate."),
            detail,
            hint=M("Ask the signer to sign again with software that follows PAdES."),
        )
    return Finding(
        "attributes",
        "not-checked",
        M("The signature does not name its certificate, as older kinds of signatures do not."),
        detail,
        required=False,
    )


def algorithm(status: Any) -> Finding:
    """No key and no algorithm that is known to be too weak."""
    detail = f"{status.pkcs7_signature_mechanism}, {status.md_algorithm}"
    indication = status.trust_problem_indic
    strong = key(status.signing_cert)
    if strong.severity == "fail":
        return msgspec.structs.replace(strong, detail=f"{detail}, {strong.detail}")
    if status.md_algorithm in WEAK_DIGESTS or (indication is not None and "CRYPTO" in indication.name):
        return Finding(
            "algorithm",
            "fail",
            M("The signature uses an algorithm that is no longer safe."),
            detail,
            hint=STRONGER,
        )
    return Finding("algorithm", "pass", M("The algorithms of the signature are in use today."), detail)


def key(certificate: Certificate) -> Finding:
    """The key is strong enough, and so is the digest that its authority signed the certificate over."""
    weak = weakness(certificate.dump())
    if weak:
        return Finding(
            "algorithm",
            "fail",
            M("The signer's certificate is too weak for signatures of today: {weakness}.", weakness=weak),
            weak,
            hint=STRONGER,
        )
    return Finding("algorithm", "pass", M("The signer's key is strong enough."))


STRONGER = M("Ask the signer to sign again with SHA-256 and a key of at least 2048 bits.")


def dates(certificate: Certificate, moment: JudgedMoment) -> Finding:
    """The certificate's period holds the moment that counts."""
    detail = f"{certificate.not_valid_before.isoformat()} – {certificate.not_valid_after.isoformat()}"
    if within(certificate, moment.at):
        return Finding(
            "dates",
            "pass",
            M("The certificate was valid at the time of the timestamp.")
            if moment.proven
            else M("The certificate is valid at the time of this check."),
            detail,
        )
    if moment.at < certificate.not_valid_before:
        return Finding(
            "dates",
            "fail",
            M("The certificate was not yet valid at the time of the timestamp.")
            if moment.proven
            else M("The certificate is not yet valid at the time of this check."),
            detail,
            hint=M("Look at this machine's clock."),
        )
    if moment.proven:
        return Finding("dates", "fail", M("The certificate had expired before the timestamp."), detail)
    return Finding(
        "dates",
        "fail",
        M("The certificate has expired, and no timestamp proves that it was used before."),
        detail,
        hint=M("Ask the signer to sign again, with a timestamp."),
    )


def within(certificate: Certificate, moment: datetime) -> bool:
    """Whether the certificate's period holds `moment`."""
    return bool(certificate.not_valid_before <= moment <= certificate.not_valid_after)


def usage(certificate: Certificate, policy: Policy) -> Finding:
    """The certificate was issued for signatures of documents."""
    der = certificate.dump()
    held = certificate.key_usage_value
    named = sorted(held.native) if held is not None else ["unrestricted"]
    detail = ", ".join(filter(None, (*named, extended_key_usage(der))))
    if may_sign(der, policy.purposes):
        return Finding("usage", "pass", M("The certificate is meant for signatures."), detail)
    return Finding("usage", "fail", M("The certificate was not issued for signing documents."), detail)


def path(certificate: Certificate, believed: Trust, moment: datetime) -> Finding:
    """The certificate leads to an anchor."""
    if not believed.anchors:
        return Finding(
            "path",
            "not-checked",
            M("No trust anchor was given."),
            hint=M("Name the authority's root with --trust, or put it into the profiles."),
        )
    fault = believed.path_fault(certificate, moment, "soft-fail")
    if fault is None:
        return PATH_HOLDS
    return Finding(
        "path",
        "fail",
        M("The certificate leads to none of the trusted authorities."),
        boundary.kind_of(fault),
        hint=M("If its authority is to be trusted, get its root certificate from it and give it."),
    )


PATH_HOLDS = Finding("path", "pass", M("The certificate leads to a trusted authority."))
NOT_REVOKED = Finding("revocation", "pass", M("Neither the certificate nor its authorities are revoked."))
UNKNOWN = M("Whether the certificate is revoked is not known: nothing here settles it.")
FRESHER = M("Give the authority's newest revocation list with --crl, or check with --network.")


def revocation(certificate: Certificate, believed: Trust, moment: datetime, source: str = "") -> Finding:
    """Neither the certificate nor an authority on its path is revoked. source: where the data came from."""
    from pyhanko_certvalidator.errors import RevokedError, StaleRevinfoError

    fault = believed.path_fault(certificate, moment, "require")
    if fault is None:
        return msgspec.structs.replace(NOT_REVOKED, detail=source)
    if isinstance(fault, RevokedError):
        return Finding(
            "revocation",
            "fail",
            M("The certificate, or one of its authorities, is revoked."),
            boundary.kind_of(fault),
            hint=M("Do not rely on this signature. Report it to head office."),
        )
    message = (
        M("Whether the certificate is revoked is not known: the revocation data here is out of date.")
        if isinstance(fault, StaleRevinfoError)
        else UNKNOWN
    )
    return Finding("revocation", "not-checked", message, boundary.kind_of(fault), hint=FRESHER)


def no_path_no_revocation() -> Finding:
    """Revocation where the path itself does not hold."""
    return Finding(
        "revocation",
        "not-checked",
        M("Without a path to an anchor nobody can say whether it is revoked."),
        hint=M("Give the authority's root certificate with --trust."),
    )


def timestamp(stamp: Any, believed: Trust, moment: JudgedMoment, policy: Policy) -> Finding:
    """The signature's own timestamp proves the time. Its authority's revocation is judged apart."""
    if stamp is None:
        return Finding(
            "timestamp",
            "not-checked",
            M("There is no timestamp: the time is what the signer's computer said."),
            required=policy.timestamp,
            hint=M("Ask the signer to sign at level B-T or above."),
        )
    detail = stamp.timestamp.isoformat(timespec="seconds")
    if not (stamp.intact and stamp.valid):
        return Finding("timestamp", "fail", M("The timestamp does not belong to this signature."), detail)
    if stamp.timestamp > moment.now + TOLERANCE:
        return Finding(
            "timestamp",
            "not-checked",
            M("The timestamp lies in the future: this machine's clock is behind, or its authority's ahead."),
            detail,
            hint=M("Set this machine's clock, then judge the document again."),
        )
    if stamp.trusted:
        return Finding("timestamp", "pass", M("A trusted timestamp proves the time."), detail)
    return Finding(
        "timestamp",
        "not-checked",
        *_untrusted(stamp, believed, moment, detail),
        required=policy.timestamp,
        hint=M(
            "Give the root certificate of the timestamp's authority with --trust, if it is to be trusted."
        ),
    )


def _untrusted(stamp: Any, believed: Trust, moment: JudgedMoment, detail: str) -> tuple[Any, str]:
    """Why a timestamp that fits proves nothing."""
    from pyhanko_certvalidator.errors import ExpiredError

    fault = believed.path_fault(stamp.signing_cert, moment.at, "soft-fail")
    if fault is None:
        return M("The certificate that made the timestamp was not issued for timestamps."), detail
    message = (
        M("The timestamp authority's certificate has expired, and no later timestamp proves this one.")
        if isinstance(fault, ExpiredError)
        else M("The timestamp's authority leads to none of the trusted authorities.")
    )
    return message, f"{detail}; {boundary.kind_of(fault)}"


def timestamp_revocation(
    certificate: Certificate, believed: Trust, moment: JudgedMoment, *, settled: bool = False
) -> Finding:
    """The timestamp authority's certificate is not revoked; "fail" takes its word away altogether."""
    finding = NOT_REVOKED if settled else revocation(certificate, believed, moment.at)
    message = {
        "pass": M("The timestamp authority's certificate is not revoked."),
        "fail": M("The timestamp authority's certificate is revoked: its timestamp proves nothing."),
        "not-checked": M("Whether the timestamp authority's certificate is revoked is not known."),
    }[finding.severity]
    return msgspec.structs.replace(finding, id="timestamp-revocation", message=message)


def clock(claimed: datetime | None, stamp: Any, moment: JudgedMoment, *, trusted: bool) -> Finding | None:
    """Whether the time that the signer's computer said can be right; None where it said none."""
    if claimed is None:
        return None
    if trusted:
        minutes = round((claimed - stamp.timestamp).total_seconds() / 60)
        if abs(claimed - stamp.timestamp) <= TOLERANCE:
            return Finding(
                "clock", "pass", M("The signer's clock agrees with the timestamp."), required=False
            )
        return Finding(
            "clock",
            "fail",
            M("The signer's clock was {minutes} minute(s) off the timestamp.", minutes=minutes),
            claimed.isoformat(timespec="seconds"),
            required=False,
            hint=M("The timestamp counts. Have the signer's clock set."),
        )
    if claimed > moment.now + TOLERANCE:
        return Finding(
            "clock",
            "fail",
            M("The signing time lies in the future: the signer's clock, or this machine's, is wrong."),
            claimed.isoformat(timespec="seconds"),
            required=False,
            hint=M("Look at this machine's clock."),
        )
    return None

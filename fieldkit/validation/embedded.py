"""What a document brings for its own judgement: its signatures, and the certificates and revocation data with
them. A signature that cannot be read comes as its verdict: it is never passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from fieldkit.finding import Finding, overall
from fieldkit.pdf import boundary
from fieldkit.text import M
from fieldkit.validation.judgement import SignatureVerdict
from fieldkit.validation.trust import Trust

if TYPE_CHECKING:
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
    from pyhanko.sign.validation.status import TimestampSignatureStatus

NOT_JUDGED = ("/adbe.x509.rsa_sha1", "/adbe.pkcs7.sha1")
"""Kinds of signatures that ISO 32000 knows and pyHanko does not judge."""


def _embedded() -> type[EmbeddedPdfSignature]:
    """pyHanko's signature, whose own time is taken as it is meant, or as none; it decides nothing."""
    from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

    class Embedded(EmbeddedPdfSignature):  # type: ignore[misc, unused-ignore]
        @property
        def self_reported_timestamp(self) -> datetime | None:
            try:
                time = super().self_reported_timestamp
            except Exception:  # not a date, or a day that no month has
                return None
            # a PDF's date may leave its zone open (ISO 32000-1 §7.9.4)
            return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time

    return Embedded


def signatures(reader: PdfFileReader) -> Iterator[SignatureVerdict | EmbeddedPdfSignature]:
    """Every filled signature field, in the order of the revisions; one that cannot be read as its verdict."""
    from pyhanko.sign.fields import SigSeedSubFilter, enumerate_sig_fields

    embedded = _embedded()
    known = {sig_seed_sub_filter.value for sig_seed_sub_filter in SigSeedSubFilter}
    readable, unread = [], []
    for name, value, field in enumerate_sig_fields(reader, filled_status=True):
        held = value.get_object()
        kind = str(held.get("/SubFilter", "")) if hasattr(held, "get") else ""
        if kind not in known:
            unread.append(unreadable(name, _unknown_kind(kind)))
            continue
        try:
            readable.append(embedded(reader, field, name))
        except Exception as error:  # damaged on purpose or not, it is one signature and has its verdict
            unread.append(unreadable(name, misbuilt(error)))
    yield from unread
    yield from sorted(readable, key=lambda signature: signature.signed_revision)


def _unknown_kind(kind: str) -> Finding:
    if kind not in NOT_JUDGED:
        return Finding(
            "kind",
            "fail",
            M("The signature is of a kind that no standard knows: {kind}.", kind=kind[:80] or "?"),
            hint=M("Ask the signer for the file again, or for a new signature."),
        )
    return Finding(
        "kind",
        "not-checked",
        M("The signature is of a kind that is not judged here: {kind}.", kind=kind),
        hint=M("Ask the signer to sign again by PAdES, or have other software judge it."),
    )


def misbuilt(error: Exception) -> Finding:
    """What is to be said of a signature at which the library stumbled."""
    return Finding(
        "structure",
        "fail",
        M("The signature is not built as it must be, so nothing it says counts."),
        boundary.kind_of(error),
        hint=M("Ask the signer for the file again, or for a new signature."),
    )


def unreadable(name: str, check: Finding) -> SignatureVerdict:
    """The verdict on a signature of which nothing but `check` is known."""
    return SignatureVerdict(str(name or ""), "", "", "unknown", overall((check,)), (check,))


def stored(reader: PdfFileReader, checks: list[Finding]) -> Trust | None:
    """What the document's security store (DSS) brings: certificates, CRLs, OCSP answers; None without one."""
    from asn1crypto import ocsp
    from pyhanko.sign.validation.dss import DocumentSecurityStore
    from pyhanko.sign.validation.errors import NoDSSFoundError

    try:
        store = DocumentSecurityStore.read_dss(reader)
        return Trust(
            others=tuple(store.load_certs()),
            crls=tuple(crl.get_object().data for crl in store.crls),
            ocsps=tuple(ocsp.OCSPResponse.load(stream.get_object().data) for stream in store.ocsps),
        )
    except NoDSSFoundError:
        return None
    except Exception as error:  # whoever appends rubbish here must not take the signatures' verdicts away
        checks.append(
            Finding(
                "stored",
                "not-checked",
                M("The validation data stored in the document cannot be read; it was not used."),
                boundary.kind_of(error),
                required=False,
            )
        )
        return None


def joined(one: Trust, other: Trust) -> Trust:
    """`one`, and the certificates and revocation data of `other`."""
    return msgspec.structs.replace(
        one,
        others=(*one.others, *other.others),
        crls=(*one.crls, *other.crls),
        ocsps=(*one.ocsps, *other.ocsps),
    )


def on_path(stamp: TimestampSignatureStatus | None) -> Trust:
    """The authorities that a timestamp brings for its own path."""
    path = stamp.validation_path if stamp is not None else None
    return Trust(others=tuple(path.iter_certs(include_root=False)) if path is not None else ())


def inside(signature: EmbeddedPdfSignature) -> Trust:
    """The certificates and the revocation data inside this signature's CMS."""
    crls, ocsps = [], []
    attributes = signature.signer_info["signed_attrs"]
    for attribute in attributes:
        if attribute["type"].native == "adobe_revocation_info_archival":
            for value in attribute["values"]:
                crls += [crl.dump() for crl in value["crl"] or ()]
                ocsps += list(value["ocsp"] or ())
    # taken as they stand: pyHanko looks for the signer among them by itself, which it need not do twice
    held = signature.signed_data["certificates"]
    others = tuple(choice.chosen for choice in held if choice.name == "certificate")
    return Trust(others=others, crls=tuple(crls), ocsps=tuple(ocsps))

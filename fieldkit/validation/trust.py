"""Certificates, revocation lists and paths, as pyHanko's validator takes them. Not a verdict by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from fieldkit.pdf.boundary import path_faults
from fieldkit.pdf.errors import DocumentUnfit
from fieldkit.text import M

if TYPE_CHECKING:
    from asn1crypto.ocsp import OCSPResponse
    from asn1crypto.x509 import Certificate
    from pyhanko_certvalidator import ValidationContext

Mode = Literal["soft-fail", "require"]


def certificates(blobs: Iterable[bytes]) -> list[Certificate]:
    """The certificates in DER or PEM `blobs`; a PEM may hold several."""
    from asn1crypto import pem
    from asn1crypto.x509 import Certificate

    parsed = []
    for blob in blobs:
        try:
            if pem.detect(blob):
                parts = [der for kind, _, der in pem.unarmor(blob, multiple=True) if kind == "CERTIFICATE"]
            else:
                parts = [blob]
            for der in parts:
                certificate = Certificate.load(der, strict=True)
                certificate.public_key  # noqa: B018 (parsed lazily: a wrong one shows here)
                certificate.not_valid_after  # noqa: B018
                parsed.append(certificate)
        except (ValueError, TypeError, KeyError) as error:
            raise DocumentUnfit(
                M("A file given as a trusted certificate is not one."),
                hint=M("Give certificates as PEM or DER."),
                detail=str(error).splitlines()[0] if str(error) else type(error).__name__,
            ) from None
    return parsed


def revocation_lists(blobs: Iterable[bytes]) -> list[bytes]:
    """The CRLs in DER or PEM `blobs`, as DER."""
    from asn1crypto import crl, pem

    lists = []
    for blob in blobs:
        try:
            der = pem.unarmor(blob)[2] if pem.detect(blob) else blob
            listed = crl.CertificateList.load(der, strict=True)
            listed["tbs_cert_list"]["this_update"].native  # noqa: B018 (parsed lazily)
            lists.append(der)
        except (ValueError, TypeError, KeyError) as error:
            raise DocumentUnfit(
                M("A file given as a revocation list is not one."),
                hint=M("Give revocation lists as PEM or DER."),
                detail=str(error).splitlines()[0] if str(error) else type(error).__name__,
            ) from None
    return lists


class Trust(msgspec.Struct, frozen=True):
    """What to believe, parsed once. others: certificates for paths. network: ask the authorities' servers."""

    anchors: tuple[Certificate, ...] = ()
    others: tuple[Certificate, ...] = ()
    crls: tuple[bytes, ...] = ()
    ocsps: tuple[OCSPResponse, ...] = ()
    network: bool = False

    def context(
        self, at: datetime | None, mode: Mode = "soft-fail", *, revocation: bool = True
    ) -> ValidationContext:
        """A validation context for the moment `at` (now where None); never the system's own anchors."""
        from pyhanko_certvalidator import ValidationContext
        from pyhanko_certvalidator.registry import SimpleTrustManager

        from fieldkit.certificate.strength import policy

        moment = None if self.network and at is None else (at or datetime.now(UTC))
        return ValidationContext(
            trust_manager=SimpleTrustManager.build(trust_roots=list(self.anchors)),
            other_certs=list(self.others),
            crls=list(self.crls) if revocation else [],
            ocsps=list(self.ocsps) if revocation else [],
            moment=moment,
            allow_fetching=self.network and moment is None and revocation,
            revocation_mode=mode,
            retroactive_revinfo=True,
            algorithm_usage_policy=policy(),
        )

    def path_fault(self, certificate: Certificate, at: datetime | None, mode: Mode) -> Exception | None:
        """Why no path from `certificate` to an anchor holds at `at`, or None where one does."""
        from pyhanko_certvalidator import CertificateValidator

        context = self.context(at, mode, revocation=mode == "require")
        validator = CertificateValidator(
            certificate, intermediate_certs=list(self.others), validation_context=context
        )
        try:
            asyncio.run(validator.async_validate_usage(set()))
        except path_faults() as error:
            return error
        return None


def trust(
    anchors: Sequence[bytes],
    others: Sequence[bytes] = (),
    crls: Sequence[bytes] = (),
    *,
    network: bool = False,
) -> Trust:
    """Parse what was given as bytes."""
    return Trust(
        tuple(certificates(anchors)), tuple(certificates(others)), tuple(revocation_lists(crls)), (), network
    )


def chain_of(certificate: bytes, candidates: Iterable[bytes]) -> tuple[bytes, ...]:
    """The issuing authorities of `certificate` (DER) among `candidates`, nearest first, without the root."""
    known = {candidate.subject.dump(): candidate for candidate in certificates(candidates) if candidate.ca}
    (at,) = certificates((certificate,))
    issuers: list[bytes] = []
    while (issuer := known.pop(at.issuer.dump(), None)) is not None and issuer.self_issued is False:
        issuers.append(issuer.dump())
        at = issuer
    return tuple(issuers)

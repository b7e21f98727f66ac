"""From a certificate to a trust anchor by RFC 5280, without a network. What is missing is said, not assumed.

The rules are pyhanko-certvalidator's; here they are called, and their findings named.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from cryptography import x509

Problem = Literal["no-path", "expired", "not-yet-valid", "revoked", "weak", "no-list", "stale-list", "broken"]


class PathFault(msgspec.Struct, frozen=True):
    """Why a path does not hold.

    when: the date that decided it. own: the certificate itself is at fault, not an authority's.
    """

    problem: Problem
    detail: str = ""
    when: datetime | None = None
    own: bool = True


def fault(
    certificate: bytes,
    chain: Sequence[bytes],
    anchors: Sequence[bytes],
    at: datetime,
    *,
    crls: Sequence[bytes] | None = None,
) -> PathFault | None:
    """Why no path from `certificate` to one of `anchors` holds at `at`; None where one does. All are DER.

    crls: given, every certificate of the path must be shown not to be revoked by one of them; None leaves
    revocation out.
    """
    try:
        with ThreadPoolExecutor(1) as pool:  # whoever calls may have an event loop of their own
            pool.submit(asyncio.run, _validated(certificate, chain, anchors, at, crls)).result()
    except Exception as error:  # the parsers below raise what they like for a damaged certificate
        return _named(error)
    return None


def ordered(certificate: bytes, candidates: Sequence[bytes]) -> tuple[bytes, ...]:
    """The issuers of `certificate` among `candidates`, the nearest first; the others are left out."""
    from cryptography import x509

    pool = {der: x509.load_der_x509_certificate(der) for der in candidates}
    at = x509.load_der_x509_certificate(certificate)
    chain: list[bytes] = []
    while at.issuer != at.subject:
        issuer = next(
            (der for der, candidate in pool.items() if der not in chain and _issued(at, candidate)), None
        )
        if issuer is None:
            break
        chain.append(issuer)
        at = pool[issuer]
    return tuple(chain)


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


async def _validated(
    certificate: bytes,
    chain: Sequence[bytes],
    anchors: Sequence[bytes],
    at: datetime,
    crls: Sequence[bytes] | None,
) -> None:
    from asn1crypto.x509 import Certificate
    from pyhanko_certvalidator import CertificateValidator, ValidationContext
    from pyhanko_certvalidator.registry import SimpleTrustManager

    def loaded(many: Sequence[bytes]) -> list[Certificate]:
        return [Certificate.load(der, strict=True) for der in many]

    from fieldkit.certificate.strength import policy

    context = ValidationContext(
        trust_manager=SimpleTrustManager.build(trust_roots=loaded(anchors)),
        other_certs=loaded(chain),
        crls=list(crls or ()),
        moment=at,
        allow_fetching=False,
        revocation_mode="soft-fail" if crls is None else "require",
        retroactive_revinfo=True,
        algorithm_usage_policy=policy(),
    )
    (own,) = loaded((certificate,))
    validator = CertificateValidator(own, intermediate_certs=loaded(chain), validation_context=context)
    await validator.async_validate_usage(set())


def _named(error: Exception) -> PathFault:
    from pyhanko_certvalidator import errors

    detail = (str(error).splitlines() or [""])[0][:300]
    own = bool(getattr(error, "is_ee_cert", True))
    if isinstance(error, errors.RevokedError):
        return PathFault("revoked", detail, error.revocation_dt, own)
    if isinstance(error, errors.ExpiredError):
        return PathFault("expired", detail, error.expired_dt, own)
    if isinstance(error, errors.NotYetValidError):
        return PathFault("not-yet-valid", detail, error.valid_from, own)
    if isinstance(error, errors.StaleRevinfoError):
        return PathFault("stale-list", detail, error.time_cutoff, own)
    if isinstance(error, errors.InsufficientRevinfoError):
        return PathFault("no-list", detail, own=own)
    if isinstance(error, errors.DisallowedAlgorithmError):
        return PathFault("weak", detail, own=own)
    if isinstance(error, errors.PathBuildingError):
        return PathFault("no-path", detail, own=own)
    return PathFault("broken", detail or type(error).__name__, own=own)

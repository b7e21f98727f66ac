"""What a certificate says and what is to be thought of it, for people and programs to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from fieldkit.certificate import name
from fieldkit.certificate.check import check, stamp
from fieldkit.certificate.identity import day
from fieldkit.certificate.usage import is_authority, key_usage, kind_of
from fieldkit.operator import Finding
from fieldkit.text import M
from fieldkit.verdict import Check, Overall

if TYPE_CHECKING:
    from cryptography import x509

SOON = timedelta(days=60)
MARKS = ("MẪU", "SAMPLE")


class Description(msgspec.Struct, frozen=True):
    """A certificate in words and values; the fields are the keys of `certificate inspect --json`.

    subject, issuer: RFC 4514. serial_number, sha256: hexadecimal. not_before, not_after: RFC 3339, UTC.
    """

    subject: str
    issuer: str
    serial_number: str
    not_before: str
    not_after: str
    sha256: str
    has_private_key: bool
    key: str
    key_usage: tuple[str, ...]
    verdict: Overall
    findings: tuple[Finding, ...]


def describe(
    certificate: bytes,
    *,
    at: datetime,
    anchors: Sequence[bytes] = (),
    chain: Sequence[bytes] = (),
    crls: Sequence[bytes] = (),
    has_private_key: bool = False,
    dossier: Mapping[str, Any] | msgspec.Struct | None = None,
) -> Description:
    """Describe and judge a certificate (DER) as it stands at `at`; see `check.check` for what is judged."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    loaded = x509.load_der_x509_certificate(certificate)
    judged = check(certificate, chain, anchors, at, dossier=dossier, crls=crls)
    findings = [finding(each) for each in judged.checks]
    findings += _remarks(loaded, at.astimezone(UTC))
    return Description(
        subject=name.text(loaded.subject),
        issuer=name.text(loaded.issuer),
        serial_number=f"{loaded.serial_number:x}",
        not_before=stamp(loaded.not_valid_before_utc),
        not_after=stamp(loaded.not_valid_after_utc),
        sha256=loaded.fingerprint(SHA256()).hex(),
        has_private_key=has_private_key,
        key=kind_of(loaded),
        key_usage=key_usage(loaded) or (),
        verdict=judged.verdict,
        findings=tuple(findings),
    )


def finding(check: Check) -> Finding:
    """A check as the finding that a person reads."""
    return Finding(check.id, check.verdict, check.message, check.detail)


def _remarks(certificate: x509.Certificate, at: datetime) -> list[Finding]:
    """What is worth knowing and decides nothing."""
    found: list[Finding] = []
    end = certificate.not_valid_after_utc
    if at <= end < at + SOON and not is_authority(certificate):
        found.append(
            Finding(
                "expires-soon",
                "warning",
                M("It expires soon, on {day}.", day=day(end)),
                stamp(end),
                M("Ask the authority to renew it now."),
            )
        )
    subjects = name.text(certificate.subject) + name.text(certificate.issuer)
    if any(mark in subjects for mark in MARKS):
        found.append(Finding("sample", "warning", M("It is a SAMPLE certificate and has no legal effect.")))
    return found

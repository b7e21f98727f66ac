"""What a certificate says and what is to be thought of it, for people and programs to read."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from fieldkit.certificate import files, name
from fieldkit.certificate.boundary import parsed
from fieldkit.certificate.check import check, stamp
from fieldkit.certificate.contents import Contents, PrivateKey, key_kind
from fieldkit.certificate.identity import day, public_half
from fieldkit.certificate.usage import is_authority, key_usage, kind_of
from fieldkit.finding import Finding, Overall
from fieldkit.text import M, Message

if TYPE_CHECKING:
    from cryptography import x509

    from fieldkit.profile.model import Dossier

SOON = timedelta(days=60)
MARKS = ("MẪU", "SAMPLE")


class Description(msgspec.Struct, frozen=True):
    """A certificate in words and values; the fields are the keys of `certificate inspect --json`.

    kind: "certificate", or "request", "revocation-list" or "key", which leave empty what they do not have.
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
    kind: Literal["certificate", "request", "revocation-list", "key"] = "certificate"


def describe(
    certificate: bytes,
    *,
    at: datetime,
    anchors: Sequence[bytes] = (),
    chain: Sequence[bytes] = (),
    crls: Sequence[bytes] = (),
    has_private_key: bool = False,
    dossier: Dossier | None = None,
    purposes: Collection[str] = (),
) -> Description:
    """Describe and judge a certificate (DER) as it stands at `at`; see `check.check` for what is judged.

    :raises FileUnreadable: it is not a certificate.
    """
    from cryptography.hazmat.primitives.hashes import SHA256

    loaded = files.certificate(certificate)
    judged = check(certificate, chain, anchors, at, dossier=dossier, crls=crls, purposes=purposes)
    findings = [*judged.checks, *_remarks(loaded, at.astimezone(UTC))]
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


def describe_all(
    contents: Contents,
    *,
    at: datetime,
    anchors: Sequence[bytes] = (),
    issuers: Sequence[bytes] = (),
    crls: Sequence[bytes] = (),
    purposes: Collection[str] = (),
) -> list[Description]:
    """Everything a file holds: its certificates, then keys without one, requests and revocation lists.

    issuers: authorities' certificates that may be needed besides those in the file.
    """
    from cryptography import x509

    halves = {key.public: key for key in contents.keys}
    descriptions = []
    for der in contents.certificates:
        half = public_half(x509.load_der_x509_certificate(der))
        described = describe(
            der,
            at=at,
            anchors=anchors,
            chain=[issuer for issuer in (*contents.certificates, *issuers) if issuer != der],
            crls=(*crls, *contents.revocation_lists),
            has_private_key=half in halves,
            purposes=purposes,
        )
        halves.pop(half, None)
        descriptions.append(described)
    descriptions += [_bare_key(key) for key in halves.values()]
    descriptions += [_request(der) for der in contents.requests]
    return descriptions + [_list(der, at.astimezone(UTC)) for der in contents.revocation_lists]


def valid(description: Description) -> Message:
    """From which day to which a certificate holds, in a sentence."""
    start, end = (
        day(datetime.fromisoformat(moment)) for moment in (description.not_before, description.not_after)
    )
    return M("Valid: {start} to {end}", start=start, end=end)


def _remarks(certificate: x509.Certificate, at: datetime) -> list[Finding]:
    """What is worth knowing and decides nothing."""
    findings: list[Finding] = []
    end = certificate.not_valid_after_utc
    if at <= end < at + SOON and not is_authority(certificate):
        findings.append(
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
        findings.append(
            Finding("sample", "warning", M("It is a SAMPLE certificate and has no legal effect."))
        )
    return findings


def _bare_key(key: PrivateKey) -> Description:
    finding = Finding("key-without-certificate", "warning", M("A private key without certificate."), key.kind)
    return _other("key", sha256=hashlib.sha256(key.public).hexdigest(), key=key.kind, findings=(finding,))


def _request(der: bytes) -> Description:
    from cryptography import x509

    loaded = x509.load_der_x509_csr(der)
    good = parsed(lambda: loaded.is_signature_valid, "", M("A certificate request in it is damaged."))
    finding = (
        Finding("request", "info", M("A certificate request, signed by its own key."))
        if good
        else Finding("request", "fail", M("A certificate request that was not signed by its own key."))
    )
    return _other(
        "request",
        sha256=hashlib.sha256(der).hexdigest(),
        subject=name.text(loaded.subject),
        key=parsed(lambda: key_kind(loaded.public_key()), "", M("A certificate request in it is damaged.")),
        verdict="indeterminate" if good else "fail",
        findings=(finding,),
    )


def _list(der: bytes, at: datetime) -> Description:
    from cryptography import x509

    loaded = x509.load_der_x509_crl(der)
    end = loaded.next_update_utc
    entries = len(loaded)
    findings = [
        Finding("revocation-list", "info", M("A revocation list with {count} entries.", count=entries))
    ]
    if end is not None and end < at:
        findings.append(
            Finding(
                "revocation-list-stale",
                "warning",
                M("It is out of date since {day}.", day=day(end)),
                stamp(end),
                M("Fetch a new one while there is a network."),
            )
        )
    return _other(
        "revocation-list",
        sha256=hashlib.sha256(der).hexdigest(),
        issuer=name.text(loaded.issuer),
        not_before=stamp(loaded.last_update_utc),
        not_after=stamp(end) if end else "",
        findings=tuple(findings),
    )


def _other(kind: Literal["request", "revocation-list", "key"], **values: Any) -> Description:
    """The description of what is no certificate."""
    empty: dict[str, Any] = dict.fromkeys(
        ("subject", "issuer", "serial_number", "not_before", "not_after", "sha256", "key"), ""
    )
    rest = {"has_private_key": kind == "key", "key_usage": (), "verdict": "indeterminate", "kind": kind}
    return Description(**{**empty, **rest, **values})

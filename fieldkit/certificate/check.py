"""Judge a certificate: dates, key usage, key, path to an anchor, revocation, and the dossier it belongs to.

Nothing is taken on trust: what cannot be checked is "not-checked", with what would settle it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from fieldkit.certificate import path
from fieldkit.certificate.dossier import compare
from fieldkit.certificate.identity import day
from fieldkit.certificate.strength import LEAST_RSA, WEAK_DIGESTS, weakness
from fieldkit.certificate.usage import extended_key_usage, is_authority, key_usage, kind_of, may_sign
from fieldkit.finding import Finding, Overall, overall
from fieldkit.text import M, Message

if TYPE_CHECKING:
    from cryptography import x509

    from fieldkit.profile.model import Dossier

TOKENS = ("rsa", "ec:p256", "ec:p384", "ec:p521")
"""The kinds of keys that tokens sign with."""


class Verdict(msgspec.Struct, frozen=True):
    """The judgement and what it rests on."""

    verdict: Overall
    checks: tuple[Finding, ...]


def check(
    certificate: bytes,
    chain: Sequence[bytes],
    anchors: Sequence[bytes],
    at: datetime,
    *,
    dossier: Dossier | None = None,
    crls: Sequence[bytes] = (),
    purposes: Collection[str] = (),
) -> Verdict:
    """Judge a certificate (DER) as it stands at `at`.

    chain: authorities' certificates that may be needed. anchors: what is trusted. crls: revocation lists.
    dossier: what was asked of the authority. purposes: see `usage.may_sign`.
    """
    from cryptography import x509

    loaded = x509.load_der_x509_certificate(certificate)
    moment = at.astimezone(UTC)
    checks = [_dates(loaded, moment), _usage(loaded, certificate, purposes), _key(loaded, certificate)]
    # outside its own dates the path is judged at their end, so that one fault is told once
    inside = min(max(moment, loaded.not_valid_before_utc), loaded.not_valid_after_utc)
    checks += _path(certificate, chain, anchors, inside, crls)
    if dossier is not None:
        checks += compare(loaded, dossier)
    return Verdict(overall(checks), tuple(checks))


def _dates(certificate: x509.Certificate, at: datetime) -> Finding:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    detail = f"{stamp(start)} … {stamp(end)}"
    if at > end:
        return Finding("dates", "fail", M("It expired on {day}.", day=day(end, at)), detail)
    if at < start:
        return Finding("dates", "fail", M("It is valid only from {day} on.", day=day(start, at)), detail)
    return Finding("dates", "pass", M("It is valid until {day}.", day=day(end)), detail)


def _usage(certificate: x509.Certificate, der: bytes, purposes: Collection[str]) -> Finding:
    allowed, extended = key_usage(certificate), extended_key_usage(der)
    detail = ", ".join(filter(None, (*(allowed or ()), extended)))
    if is_authority(certificate):
        if allowed is not None and "keyCertSign" not in allowed:
            return Finding(
                "usage", "fail", M("It calls itself an authority and may not issue certificates."), detail
            )
        return Finding("usage", "pass", M("It is an authority's certificate, not a person's."), detail)
    if not may_sign(der, purposes):
        return Finding("usage", "fail", M("It was not issued for signatures."), detail)
    if allowed is None:
        return Finding(
            "usage", "pass", M("It names no key usage, so signatures are allowed."), "keyUsage: absent"
        )
    if "nonRepudiation" not in allowed:
        return Finding(
            "usage",
            "pass",
            M("It may sign, but it does not say that its signatures bind (nonRepudiation)."),
            detail,
        )
    return Finding("usage", "pass", M("It was issued for signatures that bind (nonRepudiation)."), detail)


def _key(certificate: x509.Certificate, der: bytes) -> Finding:
    kind, weak = kind_of(certificate), weakness(der)
    family, _, size = kind.partition(":")
    if family == "rsa" and int(size) < LEAST_RSA:
        return Finding("key", "fail", M("Its RSA key of {bits} bits is too short.", bits=int(size)), kind)
    if weak in WEAK_DIGESTS:
        return Finding(
            "key",
            "fail",
            M("Its authority signed it over a digest that is not safe any more: {digest}.", digest=weak),
            kind,
        )
    if not weak and kind.startswith(TOKENS):
        return Finding("key", "pass", M("Its key is of a kind and size in use: {kind}.", kind=kind), kind)
    kind = weak or kind
    return Finding(
        "key", "fail", M("Its key is of a kind that tokens do not sign with: {kind}.", kind=kind), kind
    )


def _path(
    certificate: bytes, chain: Sequence[bytes], anchors: Sequence[bytes], at: datetime, crls: Sequence[bytes]
) -> list[Finding]:
    """The path to an anchor, and revocation along it."""
    unknown = M("Revocation could not be checked: there is no valid path to a trust anchor.")
    if not anchors:
        return [
            Finding(
                "path",
                "not-checked",
                M("No trust anchor is here. Put the authority's root certificate in place."),
            ),
            Finding("revocation", "not-checked", unknown),
        ]
    fault = path.fault(certificate, chain, anchors, at)
    if fault is not None:
        return [
            Finding("path", "fail", _path_words(fault), fault.detail),
            Finding("revocation", "not-checked", unknown),
        ]
    return [
        Finding("path", "pass", M("Its path leads to a trust anchor; every signature and rule on it holds.")),
        _revocation(certificate, chain, anchors, at, crls),
    ]


def _path_words(fault: path.PathFault) -> Message:
    moment = day(fault.when) if fault.when else ""
    match fault.problem:
        case "no-path":
            return M(
                "No path leads from it to a trust anchor: it is another authority's, or a link is missing."
            )
        case "expired":
            return M("A certificate of an authority above it expired on {day}.", day=moment)
        case "not-yet-valid":
            return M("A certificate of an authority above it is valid only from {day} on.", day=moment)
        case "weak":
            return M("A signature on its path uses an algorithm that is not safe any more.")
        case _:
            return M("Its path to the trust anchor breaks a rule or holds a wrong signature.")


def _revocation(
    certificate: bytes, chain: Sequence[bytes], anchors: Sequence[bytes], at: datetime, crls: Sequence[bytes]
) -> Finding:
    if not crls:
        return Finding(
            "revocation",
            "not-checked",
            M("No revocation list is here. Fetch the authority's lists while there is a network."),
        )
    fault = path.fault(certificate, chain, anchors, at, crls=crls)
    if fault is None:
        return Finding("revocation", "pass", M("The authorities' revocation lists do not name it."))
    if fault.problem == "revoked":
        since = day(fault.when) if fault.when else "?"
        message = (
            M("It was revoked on {day}.", day=since)
            if fault.own
            else M("A certificate of an authority above it was revoked on {day}.", day=since)
        )
        return Finding("revocation", "fail", message, fault.detail)
    if fault.problem == "stale-list":
        return Finding(
            "revocation",
            "not-checked",
            M("The revocation lists here are out of date. Fetch new ones while there is a network."),
            fault.detail,
        )
    return Finding(
        "revocation",
        "not-checked",
        M("The revocation lists here are not those of its authorities, or cannot be verified."),
        fault.detail,
    )


def stamp(moment: datetime) -> str:
    """A moment as programs read it: RFC 3339, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

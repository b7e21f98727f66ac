"""The verdict on a document's signatures, as a value; who came to it is no part of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from fieldkit.finding import Finding, Overall


class Policy(msgspec.Struct, frozen=True):
    """What a verdict of "pass" needs besides integrity, path, dates and usage.

    revocation: the certificates' status must be known; without it what cannot be looked up leaves the
    verdict "indeterminate". timestamp: a trusted timestamp must be there. purposes: extended key usages
    that the authorities' profiles allow for documents besides the usual ones.
    """

    revocation: bool = True
    timestamp: bool = False
    purposes: tuple[str, ...] = ()


class SignatureVerdict(msgspec.Struct, frozen=True):
    """One signature.

    level: "b-b" to "b-lta", "cms" (not PAdES), "timestamp" for a document timestamp, "unknown" where it
    cannot be read.

    signed_at: the trusted timestamp's time, else the time that the signer claims; RFC 3339.
    """

    field: str
    signer: str
    signed_at: str
    level: str
    verdict: Overall
    checks: tuple[Finding, ...]
    kind: Literal["signature", "timestamp"] = "signature"
    sha256: str = ""


class Judgement(msgspec.Struct, frozen=True):
    """The document: pass only when every required check of it and of each signature passed."""

    verdict: Overall
    signatures: tuple[SignatureVerdict, ...] = ()
    checks: tuple[Finding, ...] = ()


def check_shape(check: Finding) -> dict[str, object]:
    """A check as it stands in a JSON document: the command line's contract, and words beside it."""
    message = str(check.message)
    return {
        "id": check.id,
        "verdict": check.severity,
        "detail": f"{message} ({check.detail})" if check.detail else message,
        "required": check.required,
        "hint": str(check.hint) if check.hint else "",
        "judge": check.judge or "fieldkit",
    }


def shape(judgement: Judgement) -> dict[str, object]:
    """A judgement as it stands in a JSON document."""
    return {
        "verdict": judgement.verdict,
        "checks": [check_shape(check) for check in every_check(judgement)],
        "signatures": [
            {
                "field": signature.field,
                "kind": signature.kind,
                "signer": signature.signer,
                "signed_at": signature.signed_at,
                "level": signature.level,
                "sha256": signature.sha256,
                "verdict": signature.verdict,
                "checks": [check_shape(check) for check in signature.checks],
            }
            for signature in judgement.signatures
        ],
    }


def every_check(judgement: Judgement) -> tuple[Finding, ...]:
    """The document's checks, then each signature's."""
    return (*judgement.checks, *(check for signature in judgement.signatures for check in signature.checks))

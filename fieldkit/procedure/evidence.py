"""What a procedure leaves behind: its verdict, what it saw, facts for later steps, and files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from fieldkit.finding import Finding, Outcome
from fieldkit.text import Message
from fieldkit.token.model import Token

TOKEN_STEPS = (
    "token_setup",
    "certificate_check",
    "certificate_import",
    "certificate_join",
    "certificate_request",
    "pin_change",
)
"""The procedures whose evidence says which token, and which certificate, the visit is about."""
INITIALISING = frozenset({"token_setup"})
ABOUT_TOKEN = INITIALISING | {
    "certificate_check",
    "certificate_import",
    "certificate_join",
    "certificate_request",
    "exchange_rehearsal",
    "pin_change",
    "test_signature",
}
"""The procedures whose evidence is about one token, and counts only while the visit is about that one.

Its fact "serial" says which; without it, the token that the evidence before it was about.
"""


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer of a procedure, kept in the journal.

    verdict: "pass", "fail", or "not-checked" with the reason in `summary`.
    facts: JSON-able values that later procedures and the record use (integers, text; decimals as text).
    files: attachments ({"sha256", "size", "name"}) kept with it. Never a secret in any of them.
    """

    verdict: Outcome
    summary: Message
    findings: tuple[Finding, ...] = ()
    facts: dict[str, Any] = {}
    files: tuple[dict[str, Any], ...] = ()


def token_facts(token: Token) -> dict[str, str]:
    """Which token the evidence is about, for later steps and the record."""
    return {
        "serial": token.serial,
        "token_label": token.label,
        "model": token.model,
        "manufacturer": token.manufacturer,
    }


def verdict_of(findings: Iterable[Finding]) -> Outcome:
    """The outcome the findings add up to: any "fail" fails; warnings do not."""
    return "fail" if any(finding.severity == "fail" for finding in findings) else "pass"


def to_value(evidence: Evidence) -> dict[str, object]:
    """The evidence as the JSON-able value of a journal entry."""
    value = msgspec.to_builtins(evidence)
    assert isinstance(value, dict)
    return value


def from_value(value: object) -> Evidence:
    """Back from a journal entry's value; unknown members of later releases are ignored."""
    return msgspec.convert(value, Evidence)

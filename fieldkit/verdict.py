"""What a check found: it holds, it does not, or it was not checked and why. Nothing is skipped in silence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from fieldkit.text import Message

Outcome = Literal["pass", "fail", "not-checked"]
Overall = Literal["pass", "fail", "indeterminate"]


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """One claim and its outcome.

    id: stable, kebab-case. message: the finding in words; of a "not-checked" one, the reason.
    detail: technical text. required: the verdict depends on it. hint: what would mend or settle it.
    judge: whose word it is, where it is not fieldkit's own.
    """

    id: str
    verdict: Outcome
    message: Message
    detail: str = ""
    required: bool = True
    hint: Message | None = None
    judge: str = ""


def overall(checks: Iterable[Check]) -> Overall:
    """Fail if any required check failed, pass only if every required one passed, else indeterminate."""
    outcomes = [check.verdict for check in checks if check.required]
    if "fail" in outcomes:
        return "fail"
    return "pass" if outcomes and set(outcomes) == {"pass"} else "indeterminate"

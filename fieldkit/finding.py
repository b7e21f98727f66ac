"""What was looked at, and what was seen: the findings that steps, judges and the doctor make alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from fieldkit.text import Message

Severity = Literal["pass", "info", "warning", "fail", "not-checked"]
Outcome = Literal["pass", "fail", "not-checked"]
Overall = Literal["pass", "fail", "indeterminate"]


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was looked at, and what was seen: it holds, it does not, or why it was not checked.

    id: stable, kebab-case. message: the finding in words; of a "not-checked" one, the reason.
    detail: technical text (a version, a path). hint: what would mend or settle it. required: a verdict
    depends on it. judge: whose word it is, where it is not fieldkit's own.
    """

    id: str
    severity: Severity
    message: Message
    detail: str = ""
    hint: Message | None = None
    required: bool = True
    judge: str = ""


def overall(findings: Iterable[Finding]) -> Overall:
    """Fail if any required one failed, pass only if every required one passed, else indeterminate.

    What only informs or warns decides nothing.
    """
    outcomes = {finding.severity for finding in findings if finding.required} - {"info", "warning"}
    if "fail" in outcomes:
        return "fail"
    return "pass" if outcomes == {"pass"} else "indeterminate"

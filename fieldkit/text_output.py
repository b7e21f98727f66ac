"""Findings, plans and verdicts as lines of plain text, each with its outcome in words beside its sign."""

from __future__ import annotations

from collections.abc import Mapping

from fieldkit.finding import Finding
from fieldkit.operator import Plan, said
from fieldkit.text import M, Message, Said, visible

SYMBOLS = {
    "pass": "✓",
    "info": "·",
    "warning": "!",
    "fail": "✗",
    "not-checked": "?",
    "done": "✓",
    "todo": "·",
    "failed": "✗",
    "off": "-",
}
"""The sign of a severity, or of an item's status; one cell wide."""
SEVERITIES: Mapping[str, Message] = {
    "pass": M("passed"),
    "info": M("information"),
    "warning": M("warning"),
    "fail": M("failed"),
    "not-checked": M("not checked"),
}
STATUSES: Mapping[str, Message] = {
    "done": M("done"),
    "todo": M("to do"),
    "failed": M("failed"),
    "not-checked": M("not checked"),
    "off": M("does not apply"),
}


def finding_lines(finding: Finding) -> list[str]:
    """One finding as lines: its sign and its outcome in words, then what would mend it."""
    outcome = SEVERITIES[finding.severity]
    lines = [f"{SYMBOLS[finding.severity]} {finding.message} [{outcome}]"]
    if finding.hint:
        lines.append(f"    → {finding.hint}")
    return lines


def plan_lines(plan: Plan) -> list[str]:
    """A plan as lines: its title, what will happen, each command, and what stays as it is."""
    lines = [said(plan.title)]
    lines += [f"  {number}. {said(step)}" for number, step in enumerate(plan.steps, 1)]
    lines += [f"  $ {visible(command)}" for command in plan.commands]
    if plan.keeps:
        lines.append("  " + said(plan.keeps))
    return lines


def verdict_word(verdict: str) -> Said:
    """ "pass", "fail", "not-checked" or "indeterminate" in words."""
    return {
        "pass": M("passed"),
        "fail": M("failed"),
        "not-checked": M("not checked"),
        "indeterminate": M("cannot be decided"),
    }[verdict]

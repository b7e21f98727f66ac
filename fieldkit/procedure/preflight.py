"""Look at the machine before a visit's work begins: what would stand in its way, and how to mend it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from fieldkit import errors
from fieldkit.action.check_machine import check_machine, offer_mends, subject_of, summary
from fieldkit.driver import distribution
from fieldkit.finding import Finding
from fieldkit.operator import Operator
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence, verdict_of


async def run(context: Context, operator: Operator) -> Evidence:
    """Tell each finding as it is made, offer to mend what can be; a "fail" among them fails the step."""
    subject = subject_of(context.home, context.profiles, context.modules)
    findings = await asyncio.to_thread(check_machine, subject, operator.show_finding)
    token = context.token_profile
    needed = token is None or token.driver.needs_reader
    wanted = [finding for finding in findings if needed or finding.id != "reader-service"]
    with contextlib.suppress(errors.NotConsented):  # nobody is here to agree: it stays as it is
        findings = await offer_mends(subject, findings, wanted, operator)
    return Evidence(verdict_of(findings), summary(findings), tuple(findings), facts(findings))


def facts(findings: Iterable[Finding]) -> dict[str, object]:
    """What later steps and the record use of the findings: the system, and the outcome of each look."""
    outcomes: dict[str, str] = {}
    for finding in findings:
        if _RANK[finding.severity] >= _RANK.get(outcomes.get(finding.id, ""), -1):
            outcomes[finding.id] = finding.severity
    return {"system": distribution.described(), "outcomes": outcomes}


_RANK = {"info": 0, "pass": 1, "not-checked": 2, "warning": 3, "fail": 4}

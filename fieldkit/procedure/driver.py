"""Install the driver of the bureau's token."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fieldkit import errors
from fieldkit.action.install_driver import install_driver, left_behind
from fieldkit.driver import detect
from fieldkit.driver.errors import ProfileUnknown
from fieldkit.driver.kit_packages import brought
from fieldkit.finding import Finding
from fieldkit.operator import Operator
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence
from fieldkit.text import M, Message


async def run(context: Context, operator: Operator) -> Evidence:
    """Bring the driver of the bureau's token onto this machine, unless it is there, and load its module."""
    profile = context.token_profile
    if profile is None:
        raise ProfileUnknown(
            M("There is no token profile {profile}.", profile=context.bureau.token),
            unchanged=M("Nothing was installed."),
            hint=M("Put its file into {folder}.", folder=str(context.home.profiles / "tokens")),
        )
    try:
        lacking = not detect.state(profile).enough
        files = await asyncio.to_thread(brought, context.home, profile.id) if lacking else ()
        done = await install_driver(profile, context.home, operator, files=files, modules=context.modules)
        evidence, log = Evidence(done.verdict, done.summary, done.findings, dict(done.facts)), done.log
    except errors.FieldkitError as error:
        log = Path(str(error.data.get("log", "")))
        if not log.is_file():  # nothing was run: there is nothing to keep
            raise
        evidence = _failed(error, operator)
    if log is None:
        return evidence
    attached = await asyncio.to_thread(context.attach, log, log.name)
    return Evidence(evidence.verdict, evidence.summary, evidence.findings, evidence.facts, (attached,))


def _failed(error: errors.FieldkitError, operator: Operator) -> Evidence:
    """A failed installation as evidence: why, and what is left of it."""
    message = error.message if isinstance(error.message, Message) else M("The installation failed.")
    hint = error.hint if isinstance(error.hint, Message) else None
    findings = [Finding("driver-failed", "fail", message, f"{error.code}: {error.detail}", hint)]
    if isinstance(error.unchanged, Message):
        findings.append(Finding("driver-undone", left_behind(error), error.unchanged))
    for finding in findings:
        operator.say(finding)
    return Evidence("fail", message, tuple(findings), {"installed": "no", "error": error.code})

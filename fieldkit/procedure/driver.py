"""Install the driver of the bureau's token, and prove it by loading its module, whatever the exit status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from fieldkit import errors
from fieldkit.driver import install, pcsc, prove
from fieldkit.driver.errors import ModuleUnproved, ProfileUnknown
from fieldkit.driver.plan import places, plan
from fieldkit.driver.rights import missing
from fieldkit.driver.steps import DriverPlan
from fieldkit.home import Home
from fieldkit.operator import Finding, Operator, Progress
from fieldkit.procedure.evidence import Evidence
from fieldkit.profile.model import TokenProfile
from fieldkit.text import M
from fieldkit.token.agents import Agents
from fieldkit.token.attempts import MemoryAttempts

if TYPE_CHECKING:
    from fieldkit.procedure.context import Context

T = TypeVar("T")


async def run(context: Context, operator: Operator) -> Evidence:
    """Bring the driver of the bureau's token onto this machine, unless it is there, and load its module."""
    profile = context.profiles.tokens.get(context.bureau.token)
    if profile is None:
        raise ProfileUnknown(
            M("There is no token profile {profile}.", profile=context.bureau.token),
            unchanged=M("Nothing was installed."),
            hint=M("Put its file into the home's folder profiles/tokens."),
        )
    evidence, log = await bring(profile, context.home, operator, modules=context.modules)
    if log is None:
        return evidence
    kept = await asyncio.to_thread(context.attach, log, log.name)
    return Evidence(evidence.verdict, evidence.summary, evidence.findings, evidence.facts, (kept,))


async def bring(
    profile: TokenProfile,
    home: Home,
    operator: Operator,
    *,
    files: Sequence[Path] = (),
    modules: Sequence[str] = (),
) -> tuple[Evidence, Path | None]:
    """Plan, ask, install and prove; the evidence, and the log of what ran.

    files: packages of a verified kit, to install from. modules: named by the person; where one of
    them loads, it serves as the driver and nothing is installed.
    """

    def load(module: str) -> int:
        return tokens_of(module, home)

    for module in modules:
        proof = await asyncio.to_thread(prove.prove, profile.id, [module], load)
        return _evidence(profile, proof, None, operator), None
    wanted = await asyncio.to_thread(plan, profile, files)
    if wanted.done:
        proof = await asyncio.to_thread(prove.prove, profile.id, places(profile), load)
        return _evidence(profile, proof, wanted, operator), None
    if not wanted.rights:
        raise missing(wanted.by_hand)
    if not await operator.consent(wanted.shown()):
        raise errors.NotConsented(
            M("The driver was not installed: not agreed to."), unchanged=M("Nothing was installed.")
        )
    done = await _uninterrupted(
        lambda stop: install.install(wanted, home.logs, tell=operator.progress, stop=stop)
    )
    operator.progress(Progress(M("Loading the module"), 0, 0))
    try:
        proof = await asyncio.to_thread(prove.prove, profile.id, places(profile), load)
    except ModuleUnproved as error:
        if profile.driver.needs_reader and await asyncio.to_thread(readers_asleep):
            error.unchanged = M("The driver stays installed: without the reader service it cannot be proved.")
            error.hint = M("Start the reader service (`fieldkit doctor` says how), then run this step again.")
        else:  # what was installed is of no use: it goes again
            await asyncio.to_thread(install.undo, error, wanted, done.new, done.log)
        raise
    return _evidence(profile, proof, wanted, operator), done.log


def tokens_of(module: str, home: Home) -> int:
    """Load `module` in a process of its own; how many tokens it shows. Raises why it cannot be loaded."""
    with Agents([module], home.logs, MemoryAttempts()) as agents:
        found = agents.tokens()
        if agents.problems:
            raise agents.problems[0]
        return len(found)


def readers_asleep() -> bool:
    """The reader service does not answer, without which many modules refuse to start."""
    return bool(pcsc.readers().trouble)


async def _uninterrupted(work: Callable[[Event], T]) -> T:
    """Run `work` in a thread; when broken off, tell it to stop and wait until it has come to a safe end."""
    stop = Event()
    task = asyncio.ensure_future(asyncio.to_thread(work, stop))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([task])
        if not task.cancelled() and task.exception() is not None:
            pass  # what it could not undo is in its log
        raise


def _evidence(
    profile: TokenProfile, proof: prove.Proof, wanted: DriverPlan | None, operator: Operator
) -> Evidence:
    already = wanted is None or not wanted.wanted
    findings = list(proof.findings)
    packages = [*wanted.present, *wanted.new] if wanted is not None else []
    if wanted is not None and already:
        said = M("The driver was installed already: {packages}.", packages=", ".join(map(str, packages)))
        findings.insert(0, Finding("driver-installed", "pass", said))
    elif wanted is not None:
        said = M("The driver was installed: {packages}.", packages=", ".join(map(str, packages)))
        findings.insert(0, Finding("driver-installed", "pass", said))
    for finding in findings:
        operator.say(finding)
    if already:
        summary = M("The driver of {profile} is here, and its module loads.", profile=profile.id)
    else:
        summary = M("The driver of {profile} was installed, and its module loads.", profile=profile.id)
    return Evidence(
        "pass",
        summary,
        tuple(findings),
        {
            "module": proof.module,
            "package": ", ".join(map(str, packages)),
            "installed": "already" if already else "now",
            "library": proof.library,
            "profile": profile.id,
        },
    )

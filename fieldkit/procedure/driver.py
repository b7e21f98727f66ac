"""Install the driver of the bureau's token, and prove it by loading its module, whatever the exit status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from fieldkit import errors
from fieldkit.driver import detect, install, pcsc, prove
from fieldkit.driver.errors import ModuleUnproved, ProfileUnknown
from fieldkit.driver.kit_packages import brought
from fieldkit.driver.plan import places, plan
from fieldkit.driver.rights import missing
from fieldkit.driver.steps import DriverPlan
from fieldkit.finding import Finding, Severity
from fieldkit.home import Home, private
from fieldkit.operator import Operator, Progress
from fieldkit.procedure.evidence import Evidence
from fieldkit.profile.model import TokenProfile
from fieldkit.text import M, Message
from fieldkit.token.agents import Agents

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
            hint=M("Put its file into {folder}.", folder=str(context.home.profiles / "tokens")),
        )
    try:
        lacking = not detect.state(profile).enough
        files = await asyncio.to_thread(brought, context.home, profile.id) if lacking else ()
        evidence, log = await bring(profile, context.home, operator, files=files, modules=context.modules)
    except errors.FieldkitError as error:
        log = Path(str(error.data.get("log", "")))
        if not log.is_file():  # nothing was run: there is nothing to keep
            raise
        evidence = _failed(error, operator)
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
        return tokens_of(module, home.logs)

    for module in modules:
        proof = await asyncio.to_thread(prove.prove, profile.id, [module], load)
        return _evidence(profile, proof, None, operator), None
    wanted = await asyncio.to_thread(lambda: plan(profile, files, folder=home.path / "drivers"))
    if wanted.done:
        proof = await asyncio.to_thread(prove.prove, profile.id, places(profile), load)
        return _evidence(profile, proof, wanted, operator), None
    if not wanted.rights:
        raise missing(wanted.by_hand)
    if not await operator.consent(wanted.shown()):
        raise errors.NotConsented(
            M("The driver was not installed: not agreed to."), unchanged=M("Nothing was installed.")
        )
    private(home.path)
    done = await _uninterrupted(
        lambda stop: install.install(wanted, home.logs, tell=operator.progress, stop=stop), operator
    )
    operator.progress(Progress(M("Loading the module"), 0, 0))
    try:
        proof = await asyncio.to_thread(prove.prove, profile.id, places(profile), load)
    except ModuleUnproved as error:
        if done.restart:
            error.unchanged = M("The driver stays installed: it works only after a restart.")
            error.hint = M("Restart this machine, then run this step again.")
        elif profile.driver.needs_reader and await asyncio.to_thread(readers_asleep):
            error.unchanged = M("The driver stays installed: without the reader service it cannot be proved.")
            error.hint = M("Start the reader service (`fieldkit doctor` says how), then run this step again.")
        else:  # what was installed is of no use: it goes again
            await asyncio.to_thread(install.undo, error, wanted, done.before, done.log)
        raise
    return _evidence(profile, proof, wanted, operator), done.log


def tokens_of(module: str, logs: Path) -> int:
    """Load `module` in a process of its own; how many tokens it shows. Raises why it cannot be loaded.

    logs: the folder for what it prints.
    """
    with Agents([module], logs) as agents:
        found = agents.tokens()
        if agents.problems:
            raise agents.problems[0]
        return len(found)


def readers_asleep() -> bool:
    """The reader service does not answer, without which many modules refuse to start."""
    return bool(pcsc.readers().trouble)


async def _uninterrupted(work: Callable[[Event], T], operator: Operator) -> T:
    """Run `work` in a thread; when broken off, tell it to stop and wait until it has come to a safe end."""
    stop = Event()
    task = asyncio.ensure_future(asyncio.to_thread(work, stop))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        operator.progress(Progress(M("Breaking off safely; this may take a moment"), 0, 0))
        await asyncio.wait([task])
        error = None if task.cancelled() else task.exception()
        if isinstance(error, errors.FieldkitError) and isinstance(error.unchanged, Message):
            operator.say(
                Finding("driver-undone", _left(error), error.unchanged, str(error.data.get("log", "")))
            )
        raise


def _left(error: errors.FieldkitError) -> Severity:
    return "warning" if error.data.get("remains") else "info"


def _failed(error: errors.FieldkitError, operator: Operator) -> Evidence:
    """A failed installation as evidence: why, and what is left of it."""
    message = error.message if isinstance(error.message, Message) else M("The installation failed.")
    hint = error.hint if isinstance(error.hint, Message) else None
    findings = [Finding("driver-failed", "fail", message, f"{error.code}: {error.detail}", hint)]
    if isinstance(error.unchanged, Message):
        findings.append(Finding("driver-undone", _left(error), error.unchanged))
    for finding in findings:
        operator.say(finding)
    return Evidence("fail", message, tuple(findings), {"installed": "no", "error": error.code})


def _seen(profile: TokenProfile, proof: prove.Proof) -> Finding | None:
    """Whether the module sees the token, where the profile says that this is the proof."""
    if profile.driver.shown != "token" or proof.tokens:
        return None
    plugged = [token.reader for token in detect.detect({profile.id: profile}) if token.profiles]
    if plugged:
        return Finding(
            "driver-token",
            "fail",
            M("A token is plugged in ({reader}), but the module does not see it.", reader=plugged[0]),
            hint=M("Pull the token, plug it in again, then run this again."),
        )
    return Finding(
        "driver-token",
        "not-checked",
        M("Whether the module sees the token was not checked: none is plugged in."),
        hint=M("Plug the token in, then run this again."),
    )


def _evidence(
    profile: TokenProfile, proof: prove.Proof, wanted: DriverPlan | None, operator: Operator
) -> Evidence:
    already = wanted is None or not wanted.wanted
    seen = _seen(profile, proof)
    findings = [*proof.findings, *((seen,) if seen is not None else ())]
    packages = [*wanted.present, *wanted.new] if wanted is not None else []
    if wanted is not None and already:
        said = M("The driver was installed already: {packages}.", packages=", ".join(map(str, packages)))
        findings.insert(0, Finding("driver-installed", "pass", said))
    elif wanted is not None:
        said = M("The driver was installed: {packages}.", packages=", ".join(map(str, packages)))
        findings.insert(0, Finding("driver-installed", "pass", said))
    for finding in findings:
        operator.say(finding)
    if seen is not None and seen.severity == "fail":
        summary = seen.message
    elif already:
        summary = M("The driver of {profile} is here, and its module loads.", profile=profile.id)
    else:
        summary = M("The driver of {profile} was installed, and its module loads.", profile=profile.id)
    return Evidence(
        "fail" if seen is not None and seen.severity == "fail" else "pass",
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

"""Install a token's driver, and prove it by loading its module, whatever exit status the installer had:

    result = await install_driver(profile, home, operator, files=packages_of_a_kit)

What was installed and is of no use goes again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import TypeVar

import msgspec

from fieldkit import errors
from fieldkit.access import make_private_folder
from fieldkit.driver import detect, install, pcsc, prove
from fieldkit.driver.errors import ModuleUnproved
from fieldkit.driver.methods import places
from fieldkit.driver.plan import plan
from fieldkit.driver.rights import missing
from fieldkit.driver.steps import DriverPlan
from fieldkit.finding import Finding, Outcome, Severity
from fieldkit.home import Home
from fieldkit.operator import Operator, Progress
from fieldkit.profile.model import TokenProfile
from fieldkit.text import M, Message
from fieldkit.token.agents import Agents

T = TypeVar("T")


class DriverResult(msgspec.Struct, frozen=True):
    """What became of a driver. facts: module, package, installed ("already" or "now"), library, profile.

    log: of what ran; None where nothing had to.
    """

    verdict: Outcome
    summary: Message
    findings: tuple[Finding, ...]
    facts: dict[str, str]
    log: Path | None = None


async def install_driver(
    profile: TokenProfile,
    home: Home,
    operator: Operator,
    *,
    files: Sequence[Path] = (),
    modules: Sequence[str] = (),
) -> DriverResult:
    """Plan, ask, install and prove.

    files: packages of a verified kit, to install from. modules: named by the person; where one of
    them loads, it serves as the driver and nothing is installed.
    """

    def load(module: str) -> int:
        return tokens_of(module, home.logs)

    for module in modules:
        proof = await asyncio.to_thread(prove.prove, profile.id, [module], load)
        return _result(profile, proof, None, operator)
    wanted = await asyncio.to_thread(lambda: plan(profile, files, folder=home.path / "drivers"))
    if wanted.done:
        proof = await asyncio.to_thread(prove.prove, profile.id, places(profile), load)
        return _result(profile, proof, wanted, operator)
    if not wanted.rights:
        raise missing(wanted.by_hand)
    if not await operator.consent(wanted.shown()):
        raise errors.NotConsented(
            M("The driver was not installed: not agreed to."), unchanged=M("Nothing was installed.")
        )
    make_private_folder(home.path)
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
    return _result(profile, proof, wanted, operator, done.log)


def tokens_of(module: str, logs: Path) -> int:
    """Load `module` in a process of its own; how many tokens it shows. Raises why it cannot be loaded.

    logs: the folder for what it prints.
    """
    with Agents([module], logs) as agents:
        tokens = agents.tokens()
        if agents.problems:
            raise agents.problems[0]
        return len(tokens)


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
            operator.show_finding(
                Finding("driver-undone", left_behind(error), error.unchanged, str(error.data.get("log", "")))
            )
        raise


def left_behind(error: errors.FieldkitError) -> Severity:
    return "warning" if error.data.get("remains") else "info"


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


def _result(
    profile: TokenProfile,
    proof: prove.Proof,
    wanted: DriverPlan | None,
    operator: Operator,
    log: Path | None = None,
) -> DriverResult:
    already = wanted is None or not wanted.wanted
    seen = _seen(profile, proof)
    findings = [*proof.findings, *((seen,) if seen is not None else ())]
    packages = [*wanted.present, *wanted.new] if wanted is not None else []
    if wanted is not None and already:
        message = M("The driver was installed already: {packages}.", packages=", ".join(map(str, packages)))
        findings.insert(0, Finding("driver-installed", "pass", message))
    elif wanted is not None:
        message = M("The driver was installed: {packages}.", packages=", ".join(map(str, packages)))
        findings.insert(0, Finding("driver-installed", "pass", message))
    for finding in findings:
        operator.show_finding(finding)
    if seen is not None and seen.severity == "fail":
        summary = seen.message
    elif already:
        summary = M("The driver of {profile} is here, and its module loads.", profile=profile.id)
    else:
        summary = M("The driver of {profile} was installed, and its module loads.", profile=profile.id)
    return DriverResult(
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
        log,
    )

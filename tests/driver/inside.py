"""A program for the tests: installs a driver on the machine it runs on, as its job on standard input says.

The job: profile (a shipped one's; else the next make one), packages (apt's), least (their versions), file (a
maker's, as {kind: fields}), module; files (of a kit), impatient (apt does not wait for its lock), swap (a
file whose bytes are out of reach once the plan is made), stop_at (break off once the progress is past this).
Prints one JSON document: evidence or error.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from fieldkit import errors, i18n
from fieldkit.action.install_driver import install_driver
from fieldkit.driver import install
from fieldkit.driver.steps import DriverPlan
from fieldkit.finding import Finding
from fieldkit.home import Home
from fieldkit.operator import Plan, Progress
from fieldkit.profile.driver import Apt, Driver, PackageFile
from fieldkit.profile.load import load
from fieldkit.profile.model import Modules, PinPolicy, TokenProfile
from fieldkit.text import Words

JOB: dict[str, Any] = json.load(sys.stdin)


class Agreeing:
    """Agrees to everything; tells what it was told."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.steps: list[str] = []
        self.findings: list[str] = []
        self.progress_told: list[int] = []
        self.task: asyncio.Task[Any] | None = None
        self.loop = asyncio.get_running_loop()

    async def consent(self, plan: Plan) -> bool:
        self.commands += plan.commands
        self.steps += [str(step) for step in plan.steps]
        if swap := JOB.get("swap"):
            os.unlink(swap)
            os.symlink("/proc/self/mem", swap)  # reading it gives the error a pulled stick gives
        return True

    def progress(self, progress: Progress) -> None:
        self.progress_told.append(progress.done)
        if self.task is not None and JOB.get("stop_at") and progress.done > JOB["stop_at"]:
            self.loop.call_soon_threadsafe(self.task.cancel)

    def say(self, finding: Finding) -> None:
        self.findings.append(f"{finding.id} {finding.severity} {finding.message}")


def profile(home: Home) -> TokenProfile:
    if JOB.get("profile"):
        return load(home).tokens[JOB["profile"]]
    module = JOB.get("module", "/nowhere.so")
    made = {
        kind: (PackageFile(**{"module": module, **fields}),) for kind, fields in JOB.get("file", {}).items()
    }
    apt = (Apt(tuple(JOB["packages"]), module, least=JOB.get("least", {})),) if JOB.get("packages") else ()
    driver = Driver(needs_reader=False, shown="module", apt=apt, **made)
    return TokenProfile("trial", Words("Thử", "Trial"), "hypothesis", Modules(), driver, PinPolicy())


def impatient(plan: DriverPlan) -> DriverPlan:
    def hurry(argv: tuple[str, ...]) -> tuple[str, ...]:
        return tuple("DPkg::Lock::Timeout=0" if word.startswith("DPkg::Lock") else word for word in argv)

    steps = tuple(msgspec.structs.replace(step, argv=hurry(step.argv)) for step in plan.steps)
    return msgspec.structs.replace(plan, steps=steps)


async def main() -> dict[str, Any]:
    operator = Agreeing()
    home = Home(Path(os.environ["FIELDKIT_HOME"]))
    if JOB.get("impatient"):
        carry_out = install.install
        install.install = lambda plan, *more, **named: carry_out(impatient(plan), *more, **named)  # type: ignore[assignment]
    files = [Path(name) for name in JOB.get("files", ())]
    operator.task = asyncio.ensure_future(install_driver(profile(home), home, operator, files=files))  # type: ignore[arg-type]
    outcome: dict[str, Any]
    try:
        done = await operator.task
        outcome = {"facts": done.facts, "verdict": done.verdict, "log": str(done.log)}
    except errors.FieldkitError as error:
        outcome = {"error": error.as_dict()}
    except asyncio.CancelledError:
        outcome = {"cancelled": True}
    return outcome | {
        "commands": operator.commands,
        "steps": operator.steps,
        "findings": operator.findings,
        "progress": operator.progress_told,
    }


i18n.use("en")
print(json.dumps(asyncio.run(main())))

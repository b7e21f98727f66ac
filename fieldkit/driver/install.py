"""Carrying a plan out: step by step, with a log, and undone again if it fails.

Consent has been asked for the plan before; this runs exactly its steps, and an undoing that it names.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from threading import Event

import msgspec

from fieldkit.driver import apt, rights
from fieldkit.driver.steps import DriverPlan, Tell
from fieldkit.errors import FieldkitError
from fieldkit.text import M


class Installed(msgspec.Struct, frozen=True):
    """What an installation left: the packages that are new, and the log it kept."""

    new: tuple[str, ...]
    log: Path


def install(
    plan: DriverPlan, logs: Path, *, tell: Tell | None = None, stop: Event | None = None
) -> Installed:
    """Run the steps of `plan`; on failure or `stop`, remove what was new and raise what went wrong."""
    if not plan.rights:
        raise rights.missing(plan.by_hand)
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    log = logs / f"driver-{plan.profile}-{stamp}.log"
    names = [package.name for package in plan.new]
    before = apt.traces(names)
    try:
        for step in plan.steps:
            if step.installs and not names:  # the lists were fetched only now
                names = [package.name for package in apt.changes(plan.wanted).new]
                before = apt.traces(names)
            apt.carry_out(step, log, tell, stop)
    except FieldkitError as error:
        added = [name for name in apt.traces(names) if name not in before]
        undo(error, plan, added, log)
        raise
    return Installed(tuple(name for name in names if name not in before), log)


def undo(error: FieldkitError, plan: DriverPlan, added: Sequence[str], log: Path) -> None:
    """Remove the packages `added` by `plan`, and let `error` say what is left on the machine."""
    error.data["log"] = str(log)
    if not added:
        error.unchanged = M("Nothing was installed.")
        return
    argv = next(step.argv for step in plan.steps if step.installs)
    prefix = argv[: argv.index(apt.SURROUNDINGS[0])]
    try:
        apt.carry_out(apt.remove_step(prefix, added), log)
    except FieldkitError as second:
        error.detail = "\n".join(filter(None, (error.detail, second.detail)))
    remains = sorted(apt.traces(added))
    error.data["remains"] = remains
    if remains:
        error.unchanged = M(
            "These packages remain, not or half installed: {packages}.", packages=", ".join(remains)
        )
    else:
        error.unchanged = M("What was new was removed again: {packages}.", packages=", ".join(added))

"""Carrying a plan out: files checked, step by step, with a log, and undone again if it fails.

Consent has been asked for the plan before; this runs exactly its steps, and an undoing that it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from threading import Event

import msgspec

from fieldkit.driver import files, rights
from fieldkit.driver.installer import DriverInstaller
from fieldkit.driver.methods import INSTALLERS
from fieldkit.driver.steps import DriverPlan, Tell
from fieldkit.errors import FieldkitError
from fieldkit.text import M


class StateBefore(msgspec.Struct, frozen=True):
    """What was on the machine before: the names that are watched, their states, settings left of them."""

    names: tuple[str, ...] = ()
    states: dict[str, str] = {}
    settings: frozenset[str] = frozenset()

    def added(self, now: Mapping[str, str]) -> dict[str, str]:
        """What is there now and was not."""
        return {name: state for name, state in now.items() if name not in self.states}

    def hurt(self, now: Mapping[str, str]) -> dict[str, str]:
        """What was there and is now in another state."""
        return {name: state for name, state in now.items() if self.states.get(name, state) != state}


class Installation(msgspec.Struct, frozen=True):
    """What an installation left: what is new, the log it kept, whether the machine has to be restarted."""

    new: tuple[str, ...]
    log: Path
    before: StateBefore = StateBefore()
    restart: bool = False


def install(
    plan: DriverPlan, logs: Path, *, tell: Tell | None = None, stop: Event | None = None
) -> Installation:
    """Check the files and run the steps of `plan`; on failure or `stop`, undo and raise what went wrong."""
    if not plan.rights:
        raise rights.missing(plan.by_hand)
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    log = logs / f"driver-{plan.profile}-{stamp}.log"
    installer = INSTALLERS[plan.kind]
    before: StateBefore | None = None
    restart = False
    try:
        files.bring(plan.copies, tell, stop)
        for step in plan.steps:
            if step.installs:  # asked only now: a step before it may have fetched the lists
                before = _state(installer, plan)
            restart = installer.carry_out(step, log, tell, stop) or restart
    except FieldkitError as error:
        undo(error, plan, before or StateBefore(), log)
        raise
    finally:
        files.clear(plan.copies)
    now = installer.traces(before.names) if before is not None else {}
    state = before or StateBefore()
    return Installation(tuple(state.added(now)), log, state, restart)


def undo(error: FieldkitError, plan: DriverPlan, before: StateBefore, log: Path) -> None:
    """Remove what `plan` added since `before`, and let `error` say what is left on the machine."""
    if log.exists():
        error.data["log"] = str(log)
    installer = INSTALLERS[plan.kind]
    watched = any(step.installs for step in plan.steps) and (before.names or before.states)
    now = installer.traces(before.names) if watched else {}
    added, hurt = before.added(now), before.hurt(now)
    if added:
        try:
            for step in installer.removal(plan, added, before.settings):
                installer.carry_out(step, log)
        except FieldkitError as second:
            error.detail = "\n".join(filter(None, (error.detail, second.detail)))
    remains = sorted({*before.added(installer.traces(before.names)), *hurt} if added else hurt)
    error.data["remains"] = remains
    gone = ", ".join(name for name in added if name not in remains)
    if remains:
        error.unchanged = M(
            "These packages remain, not or half installed: {packages}.", packages=", ".join(remains)
        )
    elif gone:
        error.unchanged = M("What was new was removed again: {packages}.", packages=gone)
    else:
        error.unchanged = M("Nothing was installed.")


def _state(installer: DriverInstaller, plan: DriverPlan) -> StateBefore:
    names = installer.expected(plan)
    return StateBefore(names, installer.traces(names), frozenset(installer.settings_of(names)))

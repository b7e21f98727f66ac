"""The units that a driver needs running on a Linux with systemd; elsewhere there is nothing to start here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from fieldkit.driver.ask import ask, system32
from fieldkit.driver.errors import NoDriver
from fieldkit.driver.steps import Step
from fieldkit.profile import names
from fieldkit.text import M

SYSTEMD = Path("/run/systemd/system")


def asleep(units: Sequence[str]) -> tuple[str, ...]:
    """Those of `units` that are not running."""
    if not SYSTEMD.is_dir():
        return ()
    return tuple(unit for unit in units if not running(unit))


def installed(service: str) -> bool:
    """Windows has this service, running or not."""
    return ask((system32("sc.exe"), "query", service)).status == 0


def running(unit: str) -> bool:
    """`unit` is running; False where nothing here can tell."""
    if sys.platform == "win32":
        return "RUNNING" in ask((system32("sc.exe"), "query", unit)).out
    if not SYSTEMD.is_dir():
        return False
    return ask(("systemctl", "is-active", "--quiet", "--", unit)).status == 0


def start_steps(prefix: Sequence[str], units: Sequence[str]) -> tuple[Step, ...]:
    """The steps that start `units`, now and whenever the machine starts."""
    for unit in units:
        if not names.UNIT.fullmatch(unit):  # systemctl takes paths and options as well
            raise NoDriver(
                M("`{name}` is not the name of a unit of systemd.", name=unit),
                unchanged=M("Nothing was installed."),
                hint=M("Mend the token's profile."),
            )
    if not SYSTEMD.is_dir():
        return ()
    return tuple(
        Step(M("Start the service {unit}.", unit=unit), (*prefix, "systemctl", "enable", "--now", "--", unit))
        for unit in units
    )


def by_hand(units: Sequence[str]) -> tuple[str, ...]:
    """The same for an administrator at a prompt."""
    return tuple(f"sudo systemctl enable --now {unit}" for unit in units) if SYSTEMD.is_dir() else ()

"""What of the findings can be mended from here, safely: each an offer, done only when agreed to."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from fieldkit.access import OTHERS, PRIVATE_FOLDER, close_to_others, other_accounts
from fieldkit.doctor import disk, readers
from fieldkit.doctor.probe import Probe, Subject
from fieldkit.driver import rights, run, services
from fieldkit.driver.steps import Step
from fieldkit.finding import Finding
from fieldkit.operator import Plan
from fieldkit.text import M


class MendOffer(msgspec.Struct, frozen=True):
    """A way to mend what `probe` found. steps: the commands; none where fieldkit does it itself."""

    probe: Probe
    plan: Plan
    steps: tuple[Step, ...] = ()
    work: Callable[[], None] | None = None


def offers(subject: Subject, findings: Iterable[Finding]) -> tuple[MendOffer, ...]:
    """What can be offered for `findings`; nothing that needs rights this account has no way to."""
    ids = {finding.id for finding in findings if finding.severity in ("warning", "fail")}
    offered = (
        _close_home(subject) if "home" in ids else None,
        _start_readers() if "reader-service" in ids else None,
    )
    return tuple(offer for offer in offered if offer is not None)


def carry_out(offer: MendOffer, log: Path) -> Finding | None:
    """Do what the plan of `offer` says; a finding where that failed, with what the command answered."""
    if offer.work is not None:
        try:
            offer.work()
        except OSError as error:
            return _failed(error.strerror or "")
    output: list[str] = []
    for step in offer.steps:
        if run.run(step.argv, log, hear=output.append):
            return _failed("\n".join(output[-5:]))
    return None


def commands(offered: Sequence[MendOffer]) -> dict[str, list[str]]:
    """Finding id to the commands that are offered for it."""
    return {offer.probe.id: list(offer.plan.commands) for offer in offered}


def _failed(detail: str) -> Finding:
    hint = M("Have an administrator do what the finding says.")
    return Finding("mend", "warning", M("It could not be mended."), detail, hint)


def _close_home(subject: Subject) -> MendOffer | None:
    """Take the rights of other accounts off the home, where it is this account's own."""
    path = subject.home.path
    if not path.is_dir() or (hasattr(os, "geteuid") and path.stat().st_uid != os.geteuid()):
        return None
    if not other_accounts(path) and (os.name == "nt" or not stat.S_IMODE(path.stat().st_mode) & OTHERS):
        return None
    step = disk.closing(path)
    plan = Plan(step.message, commands=(step.command,), keeps=M("What is in the folder stays as it is."))
    return MendOffer(_probe(disk.PROBES, "home"), plan, work=lambda: close_to_others(path, PRIVATE_FOLDER))


def _start_readers() -> MendOffer | None:
    """Start the reader service, where it is installed, does not run, and there is a way to the rights."""
    if not sys.platform.startswith("linux") or readers.daemon() is None or readers.reachable():
        return None
    prefix = rights.prefix()
    if prefix is None:
        return None
    message = M("Start the reader service.")
    if services.SYSTEMD.is_dir():
        steps = services.start_steps(prefix, ("pcscd.socket",))
    else:  # it goes to the background by itself
        steps = (Step(message, (*prefix, readers.daemon() or "pcscd")),)
    keeps = M("Readers and tokens are not touched.")
    plan = Plan(message, commands=tuple(step.command for step in steps), keeps=keeps)
    return MendOffer(_probe(readers.PROBES, "reader-service"), plan, steps)


def _probe(probes: Sequence[Probe], id: str) -> Probe:
    return next(probe for probe in probes if probe.id == id)

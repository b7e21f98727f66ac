"""Looking at a machine from many sides at once: each probe has a deadline, results come as they are made.

A probe that hangs is left behind and told as "not checked"; nobody waits longer than the slowest deadline.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from fieldkit.finding import Finding
from fieldkit.home import Home
from fieldkit.profile.model import Profiles
from fieldkit.text import M

Tell = Callable[[Finding], None]


class Subject(msgspec.Struct, frozen=True):
    """The machine and what fieldkit has on it.

    environment: the variables of the process that asks. profiles: None where they could not be
    read. modules: PKCS#11 modules named besides the profiles'. last_entry: finds out when the
    journal was last written to.
    """

    home: Home
    environment: Mapping[str, str] = {}
    profiles: Profiles | None = None
    modules: tuple[str, ...] = ()
    last_entry: Callable[[], datetime | None] | None = None


class Probe(msgspec.Struct, frozen=True):
    """One thing to look at. id: that of the finding told when the deadline (seconds) passes."""

    id: str
    look: Callable[[Subject], Iterable[Finding]]
    deadline: float = 5.0


def examine(subject: Subject, probes: Sequence[Probe], tell: Tell = lambda finding: None) -> list[Finding]:
    """Run all `probes` at once; `tell` gets each finding as it is made, in the calling thread."""
    results: queue.SimpleQueue[tuple[int, Finding | None]] = queue.SimpleQueue()
    since = time.monotonic()
    open_probes = dict(enumerate(probes))
    # what may take longest begins first, so that it does not wait for its turn
    for number, probe in sorted(open_probes.items(), key=lambda entry: -entry[1].deadline):
        threading.Thread(
            target=_look, args=(number, probe, subject, results), name=f"probe-{probe.id}", daemon=True
        ).start()
    findings: list[Finding] = []

    def take(finding: Finding) -> None:
        findings.append(finding)
        tell(finding)

    while open_probes:
        soonest = min(probe.deadline for probe in open_probes.values())
        try:
            number, finding = results.get(timeout=max(since + soonest - time.monotonic(), 0))
        except queue.Empty:
            for number in [n for n, probe in open_probes.items() if probe.deadline <= soonest]:
                take(_too_slow(open_probes.pop(number)))
            continue
        if number not in open_probes:  # came after its deadline; it has been told as not checked
            continue
        if finding is None:
            del open_probes[number]
        else:
            take(finding)
    return findings


def _look(
    number: int, probe: Probe, subject: Subject, results: queue.SimpleQueue[tuple[int, Finding | None]]
) -> None:
    try:
        for finding in probe.look(subject):
            results.put((number, finding))
    except Exception as error:  # one probe's fault must not hide what the others saw
        results.put((number, _broken(probe, error)))
    finally:
        results.put((number, None))


def _too_slow(probe: Probe) -> Finding:
    return Finding(
        probe.id,
        "not-checked",
        M(
            "This took longer than {seconds} s and was left: {id}.",
            seconds=round(probe.deadline),
            id=probe.id,
        ),
        hint=M("Run `fieldkit doctor` again; if it stays, tell head office."),
    )


def _broken(probe: Probe, error: Exception) -> Finding:
    return Finding(
        probe.id,
        "not-checked",
        M("This could not be looked at: {id}.", id=probe.id),
        detail=f"{type(error).__name__}: {error}",
        hint=M("Tell head office; the rest was looked at."),
    )

"""Doctor's wall time beside its slowest single look, and a driver's plan beside the one question it asks apt.

    pytest -m bench -s tests/bench/bench_doctor.py

It prints figures and ratios; times vary with the machine, so nothing here fails on a time.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import msgspec
import pytest

from fieldkit.action import check_machine
from fieldkit.doctor.probe import Probe, Subject, examine
from fieldkit.finding import Finding
from fieldkit.home import Home
from fieldkit.profile.load import load
from tests.conftest import clean_environment

RUNS = 9

pytestmark = pytest.mark.bench


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def middle(work: Callable[[], object]) -> float:
    return statistics.median(timed(work) for _ in range(RUNS))


def watched(probes: Iterable[Probe], took: dict[str, list[float]]) -> tuple[Probe, ...]:
    """The same probes, each of which notes how long its look takes."""

    def watch(probe: Probe) -> Probe:
        def look(subject: Subject) -> Iterable[Finding]:
            begun = time.perf_counter()
            yield from probe.run(subject)
            took.setdefault(probe.id, []).append(time.perf_counter() - begun)

        return msgspec.structs.replace(probe, run=look)

    return tuple(watch(probe) for probe in probes)


def test_all_looks_at_once_beside_the_slowest_of_them(home: Home) -> None:
    subject = check_machine.subject_of(home, load(home))
    probes = check_machine.probes(subject)
    examine(subject, probes)  # imports and caches
    took: dict[str, list[float]] = {}
    whole = middle(lambda: examine(subject, watched(probes, took)))
    within = sorted(((statistics.median(times), id) for id, times in took.items()), reverse=True)
    by_id = {probe.id: probe for probe in probes}
    alone = {id: middle(partial(examine, subject, [by_id[id]])) for _, id in within[:5]}
    slowest = max(alone.values())
    print(f"\n{len(probes)} looks, one after the other: {sum(each for each, _ in within) * 1000:.0f} ms")
    for each, id in within[:5]:
        print(f"  {id:<20} {each * 1000:6.0f} ms among the others, {alone[id] * 1000:6.0f} ms alone")
    print(f"all at once: {whole * 1000:.0f} ms")
    print(f"  / the slowest of them in the same run: {whole / within[0][0]:.2f}")
    print(f"  / the slowest alone: {whole / slowest:.2f}")


def test_the_command_beside_a_bare_python(home: Home, tmp_path: Path) -> None:
    environment = clean_environment(home)

    def run(*argv: str) -> None:
        subprocess.run([sys.executable, *argv], env=environment, capture_output=True, cwd=tmp_path)

    bare = middle(lambda: run("-c", "pass"))
    doctor = middle(lambda: run("-m", "fieldkit", "doctor", "--json"))
    print(f"\npython -c pass {bare * 1000:.0f} ms, fieldkit doctor {doctor * 1000:.0f} ms")


def test_hung_looks_beside_the_slowest_deadline(home: Home) -> None:
    def hang(subject: Subject) -> Iterable[Finding]:
        time.sleep(30)
        yield from ()

    probes = [Probe(f"hung-{number}", hang, 1 + number / 100) for number in range(40)]
    took = timed(lambda: examine(Subject(home), probes))
    slowest = max(probe.deadline for probe in probes)
    print(f"\n40 hung looks: {took * 1000:.0f} ms, slowest deadline {slowest * 1000:.0f} ms")
    print(f"  / the slowest deadline: {took / slowest:.3f}")

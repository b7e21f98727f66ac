"""What the screens cost beside a bare Textual app, measured in the same run: start, bytes, idle, memory.

    pytest -m bench -s tests/bench/bench_tui.py

It prints figures and ratios; times vary with the machine, so nothing here fails on a time.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fieldkit.home import Home
from fieldkit.journal.store import Store
from fieldkit.visit.visits import Visits
from tests.conftest import clean_environment, python_path

MEASURE = Path(__file__).with_name("measure_tui.py")
ROOT = Path(__file__).parent.parent.parent
RUNS = 7
BARE = """
from textual.app import App
from textual.widgets import Static

class Bare(App):
    def compose(self):
        yield Static("One line of text in a bare application, to be compared with.")

Bare().run()
"""

pytestmark = pytest.mark.bench


@pytest.fixture
def bare(tmp_path: Path) -> list[str]:
    """The least a Textual app can be."""
    script = tmp_path / "bare.py"
    script.write_text(BARE)
    return [sys.executable, str(script)]


@pytest.fixture
def full(home: Home) -> Home:
    """A home with eight visits."""
    with Store.open(home.store) as store:
        visits = Visits(store, home, "Technician")
        for number in range(8):
            visits.start(f"MAU-0{number % 8 + 1}", "handover")
    return home


def measured(home: Home, command: list[str], *, keys: str = "", runs: int = RUNS) -> dict[str, Any]:
    """The medians that measure_tui.py gives for `command`."""
    out = home.path.parent / "measured.json"
    arguments = [sys.executable, MEASURE, "--runs", str(runs), "--json", out, "--idle", "2"]
    arguments += ["--keys", keys] if keys else []
    environment = clean_environment(home) | {"PYTHONPATH": python_path(str(ROOT)), "COLORTERM": ""}
    done = subprocess.run(
        [*arguments, "--", *command],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert isinstance(found, dict)
    return found


def test_the_first_screen_beside_a_bare_app(full: Home, bare: list[str]) -> None:
    ours = [sys.executable, "-m", "fieldkit"]
    rounds = [(measured(full, bare, runs=5), measured(full, ours, runs=5)) for _ in range(2)]
    least, home = rounds[-1]
    ratios = [median(ours, "first_paint_ms") / median(theirs, "first_paint_ms") for theirs, ours in rounds]
    print(f"\nfirst paint: ratio {statistics.median(ratios):.2f} (aim <= 1.15)")
    units = {"first_paint_ms": "ms", "stable_ms": "ms", "startup_bytes": "B", "rss_mib": "MiB (aim <= 60)"}
    for name, unit in units.items():
        print(f"{name:<16} bare {median(least, name):>6.0f}   home {median(home, name):>6.0f} {unit}")
    print(f"idle at home: {median(home, 'idle_bytes_per_s'):.0f} B/s (aim 0)")


def test_bytes_for_each_key(full: Home) -> None:
    keys = "down*4 up*2 enter down*6 up*4 f2 f1 escape escape n"
    found = measured(full, [sys.executable, "-m", "fieldkit"], keys=keys, runs=3)
    costs: dict[str, list[int]] = {}
    for run in found["runs"]:
        for key in run["keys"]:
            costs.setdefault(key["label"], []).append(key["bytes"])
    everything = [cost for each in costs.values() for cost in each]
    print()
    for label, each in costs.items():
        print(f"{label:<8} {statistics.median(each):>6.0f} B")
    print(f"median over all keys {statistics.median(everything):.0f} B (aim <= 1000)")


def test_the_whole_headless_demo(tmp_path: Path) -> None:
    ours: list[float] = []
    floor: list[float] = []
    for number in range(3):
        demo = ["-m", "fieldkit", "demo", "--headless", "--json", "--yes", "--home", tmp_path / str(number)]
        libraries = ["-c", "import pyhanko.sign.signers, typst, cryptography.x509"]
        for arguments, into in ((demo, ours), (libraries, floor)):
            began = time.monotonic()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            into.append(time.monotonic() - began)
    took, least = statistics.median(ours), statistics.median(floor)
    print(f"\nthe whole visit: {took:.1f} s (aim <= 5), {took / least:.1f} times importing its libraries")


def median(found: dict[str, Any], name: str) -> float:
    return float(statistics.median(run[name] for run in found["runs"]))

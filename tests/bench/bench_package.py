"""What the wheel weighs, and how long its parts take to start, beside a bare Python.

    pytest -m bench -s tests/bench/bench_package.py

It prints figures and ratios; times vary with the machine, so nothing here fails on a time.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from fieldkit.home import Home
from fieldkit.journal.store import Store
from fieldkit.kit import own_wheel
from fieldkit.visit.visits import Visits
from tests.conftest import clean_environment

RUNS = 9
VISITS = 100
STARTS = {
    "import fieldkit": ("-c", "import fieldkit"),
    "import fieldkit.__main__": ("-c", "import fieldkit.__main__"),
    "import fieldkit.cli.frame": ("-c", "import fieldkit.cli.frame"),
    "import fieldkit.tui.app": ("-c", "import fieldkit.tui.app"),
    "fieldkit --version": ("-m", "fieldkit", "--version"),
    "fieldkit --help": ("-m", "fieldkit", "--help"),
}
COMPLETED = {
    "a command": "fieldkit vis",
    "an option": "fieldkit verify --no-",
    "a bureau": "fieldkit visit start --bureau MAU",
    f"a visit among {VISITS}": "fieldkit visit show MAU",
    f"a token among {VISITS} visits": "fieldkit token show 0",
}

pytestmark = pytest.mark.bench


def middle(environment: dict[str, str], *arguments: str) -> float:
    """The median time of a run of Python with these arguments."""
    times = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        subprocess.run([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def test_the_size_of_the_wheel_and_of_what_is_in_it(tmp_path: Path) -> None:
    wheel = own_wheel.make(tmp_path)
    packed: Counter[str] = Counter()
    unpacked: Counter[str] = Counter()
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            parts = entry.filename.split("/")
            part = "/".join(parts[:2]) if len(parts) > 2 else parts[0]
            packed[part] += entry.compress_size
            unpacked[part] += entry.file_size
    print(f"\nthe wheel: {wheel.stat().st_size / 1024:.0f} KiB, unpacked {unpacked.total() / 1024:.0f} KiB")
    for part, size in packed.most_common(8):
        print(f"  {part:<32} {size / 1024:6.0f} KiB, unpacked {unpacked[part] / 1024:6.0f} KiB")


def test_how_long_it_takes_to_start_beside_a_bare_python(home: Home) -> None:
    environment = clean_environment(home)
    bare = middle(environment, "-c", "pass")
    print(f"\npython -c pass: {bare * 1000:.0f} ms")
    for name, arguments in STARTS.items():
        took = middle(environment, *arguments)
        print(f"  {name:<28} {took * 1000:6.0f} ms, {took / bare:.1f} times")


def test_how_long_a_shell_waits_for_completions_beside_a_bare_python(home: Home) -> None:
    with Store.open(home.store) as store:
        visits = Visits(store, home, who="Lê Văn Thợ")
        for number in range(VISITS):
            visits.start(f"MAU-0{number % 8 + 1}", "handover")
    environment = clean_environment(home) | {"_FIELDKIT_COMPLETE": "bash_complete"}
    bare = middle(dict(os.environ), "-c", "pass")
    print(f"\npython -c pass: {bare * 1000:.0f} ms")
    for name, line in COMPLETED.items():
        asking = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
        took = middle(environment | asking, "-m", "fieldkit")
        print(f"  {name:<28} {took * 1000:6.0f} ms, {took / bare:.1f} times")

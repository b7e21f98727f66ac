"""How long fieldkit takes to start and to save on Windows, against what it is built on there, in one run.

    pytest -m bench -s tests/bench/bench_windows.py

It runs where tests/windows does, on Wine's Windows: ratios tell something there, milliseconds do not.
"""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal
from tests.windows.bed import WINE, Windows
from tests.windows.conftest import folder, program, windows

__all__ = ["folder", "program", "windows"]  # fixtures

STARTS = 5
ANSWERS = 300
# An answer of the store, and a line of the same length appended and flushed by FlushFileBuffers, in turns.
SAVING = """
import json, os, statistics, sys, time
from pathlib import Path
from fieldkit.journal.entry import Draft
from fieldkit.journal.store import Store
folder, count = Path(sys.argv[1]), int(sys.argv[2])
store = Store.open(folder / "store")
value = "câu trả lời " + "x" * 80
line = b"x" * 500
plain = os.open(folder / "plain", os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_BINARY)
answers, lines = [], []
for number in range(count):
    began = time.perf_counter()
    store.append(Draft("answer", visit="v", item=str(number), value=value))
    middle = time.perf_counter()
    os.write(plain, line)
    os.fsync(plain)
    answers.append(middle - began)
    lines.append(time.perf_counter() - middle)
store.close()
print(json.dumps([1000 * statistics.median(times) for times in (answers, lines)]))
"""

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]


def test_starting_against_a_bare_python(windows: Windows, program: Path, folder: Path) -> None:
    python = next((program.parent.parent / "versions").glob("*/Scripts/python.exe"))
    home = {"FIELDKIT_HOME": windows.spelt(folder / "home")}
    commands: dict[str, tuple[str | Path, ...]] = {
        "python -c pass": (python, "-I", "-c", "pass"),
        "fieldkit --version": (program, "--version"),
        "fieldkit visit list": (program, "visit", "list", "--json"),
    }
    took: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(STARTS):
        for name, command in commands.items():
            began = time.perf_counter()
            assert windows.run(*command, **home).status == 0
            took[name].append(time.perf_counter() - began)
    assert windows.run(program, "setup", "--who", "Mẫu", **home).status == 0  # else the screens ask for it
    environment = windows.environment(**home, TERM="xterm-256color")
    screens = []
    for _ in range(3):
        began = time.perf_counter()
        with Terminal((WINE, windows.spelt(program)), environment=environment) as terminal:
            terminal.wait_for("There is no visit yet", seconds=120)
            screens.append(time.perf_counter() - began)
            terminal.press("C-q")
    took["home screen"] = screens
    bare = statistics.median(took["python -c pass"])
    for name, times in took.items():
        middle = statistics.median(times)
        print(f"\n{name}: {middle * 1000:.0f} ms, {middle / bare:.1f} x a bare Python", end="")
    assert bare > 0


def test_a_durable_answer_against_an_append_and_a_flush(
    windows: Windows, program: Path, folder: Path
) -> None:
    python = next((program.parent.parent / "versions").glob("*/Scripts/python.exe"))
    ran = windows.run(python, "-I", "-c", SAVING, folder, str(ANSWERS))
    assert ran.status == 0, ran.err
    answer, line = json.loads(ran.out)
    print(f"\nan answer: {answer:.2f} ms, append and FlushFileBuffers: {line:.2f} ms, {answer / line:.2f} x")
    assert answer > 0

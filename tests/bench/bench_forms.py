"""Large forms: what a key, an answer by the command and a row cost, against a limit or a small form."""

from __future__ import annotations

import datetime
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldkit.checklist.answers import Answers
from fieldkit.checklist.kinds import Item
from fieldkit.checklist.model import Checklist, Section
from fieldkit.home import Home
from fieldkit.journal.entry import Draft
from fieldkit.journal.store import Store
from fieldkit.text import Words
from fieldkit.visit.visits import Visits

pytestmark = pytest.mark.bench
NOW = datetime.datetime(2026, 11, 24, 8, 30)
W = Words("mục", "item")


def form(items: int, expressions: int = 300) -> Checklist:
    """Items of which some are asked only after the one before them."""
    asked = [
        Item(f"i{n}", "text", W, relevant=f"${{i{n - 1}}} != 'no'" if 0 < n <= expressions else "")
        for n in range(items)
    ]
    return Checklist("large", "1", W, (Section("all", W, tuple(asked)),))


def milliseconds(work: Callable[[int], object], times: int) -> float:
    took = []
    for number in range(times):
        began = time.perf_counter()
        work(number)
        took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took)


def test_a_key_settles_only_what_depends_on_it() -> None:
    took = {}
    for size in (1_000, 5_000):
        known = Answers(form(size), {}, NOW)
        known.broken()
        took[size] = milliseconds(lambda n, known=known: known.change(f"i{n % 300}", str(n)), 2_000)
    ratio = took[5_000] / took[1_000]
    print(
        f"\na key, 1,000 items, 300 expressions: {took[1_000]:.3f} ms (aim 5); 5,000: {ratio:.2f}x (aim 1.3)"
    )


def test_a_row_among_five_hundred() -> None:
    cells = tuple(Item(f"c{n}", "text", W, required=True) for n in range(5))
    total = Item("rows", "integer", W, calculate="count(${d})")
    checklist = Checklist("r", "1", W, (Section("s", W, (Item("d", "repeat", W, items=cells), total)),))
    answers = {f"d/{n}": str(n) for n in range(1, 501)}
    answers |= {f"d/{n}/c{c}": "x" for n in range(1, 501) for c in range(5)}
    known = Answers(checklist, answers, NOW)
    known.broken()
    added = milliseconds(lambda n: known.change(f"d/{501 + n}", str(501 + n)), 40)
    moved = milliseconds(lambda n: known.change(f"d/{1 + n}", known.place("d", 200 + n, f"d/{1 + n}")), 40)
    print(f"\na row added to 500: {added:.1f} ms, one moved: {moved:.1f} ms (aim 50)")


@pytest.mark.parametrize("sizes", [(100, 5_000)])
def test_an_answer_by_the_command(sizes: tuple[int, int], tmp_path: Path) -> None:
    took = {}
    for size in sizes:
        home = Home(tmp_path / f"home{size}")
        lines = "".join(f"  - {{id: i{n}, kind: text, label: {{vi: m, en: i}}}}\n" for n in range(size))
        checklist = tmp_path / f"form{size}.yaml"
        checklist.write_text(
            f'id: form{size}\nversion: "1"\ntitle: {{vi: m, en: i}}\nsections:\n'
            f"- id: all\n  title: {{vi: m, en: i}}\n  items:\n{lines}"
        )
        with Store.open(home.store) as store:
            visit = Visits(store, home, "Technician").start("MAU-01", checklist).id
        command = [sys.executable, "-m", "fieldkit", "visit", "answer", visit, "--home", str(home.path)]

        def answer(number: int, command: list[str] = command) -> None:
            subprocess.run([*command, f"i{number}", "x"], check=True, capture_output=True)

        answer(99)
        took[size] = milliseconds(answer, 7)
    small, large = (took[size] for size in sizes)
    print(f"\nvisit answer: 100 items {small:.0f} ms, 5,000 items {large / small:.2f}x (aim 1.5)")


def test_a_list_of_five_hundred_visits(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with Store.open(home.store) as store:
        visits = Visits(store, home, "Technician")
        first = visits.start("MAU-01", "survey")
        start = next(store.entries(visit=first.id))
        items = [item.id for item in first.checklist.items() if item.answered_by == "person"][:30]
        for number in range(500):
            store.append(Draft("start", visit=f"V{number}", blob=start.blob, value=start.value))
            for item in items:
                store.append(Draft("answer", visit=f"V{number}", item=item, value="3"))
        folded = milliseconds(lambda n: visits.overview(), 1)
        visits.summaries()
        listed = milliseconds(lambda n: visits.summaries(), 5)
        index = milliseconds(lambda n: list(store.last_entries()), 5)
    ratio = listed / index
    print(f"\n500 visits: {listed:.0f} ms (aim 300), {ratio:.1f}x the index; by folding {folded:.0f} ms")

"""kill -9 at random instants of real processes: nothing that was acknowledged is lost, nothing is torn."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

import pytest

from fieldkit.journal.health import examine_store
from fieldkit.journal.store import Store
from fieldkit.journal.verify import verify
from tests.faults import worker
from tests.faults.worker import Held, Worker


def kill_many(folder: Path, times: int, seed: int, close_every: int) -> int:
    """Kill a worker `times` times; how many acknowledgements were looked for."""
    random = Random(seed)
    next_one = 0
    kept: list[int] = []
    for _ in range(times):
        ours = Worker(folder, next_one, close_every=close_every)
        ours.hear("opened")
        time.sleep(random.random() * 0.01)
        ours.kill()
        assert not ours.refused
        kept = [*kept, *ours.kept][-40:]
        next_one = max([next_one - 1, *ours.kept]) + 1
        with Store.open(folder) as store:
            assert store.read_only is None
            held = Held(store)
            assert all(held.has(number) for number in kept)
            next_one += held.has(next_one)  # saved, and killed before it could be said
            assert not held.has(next_one)
    assert verify(folder).verdict == "pass"
    with Store.open(folder) as store:
        answers = [number for number in range(next_one) if worker.is_answer(number)]
        assert Held(store).values == {worker.item(number): worker.value(number) for number in answers}
    return next_one


@pytest.mark.parametrize("close_every", [0, 5], ids=["at work", "opening and closing"])
def test_two_hundred_kills_lose_nothing_that_was_acknowledged(folder: Path, close_every: int) -> None:
    assert kill_many(folder, 110, seed=close_every, close_every=close_every) > 0


@pytest.mark.soak
@pytest.mark.parametrize("close_every", [0, 5, 50])
@pytest.mark.parametrize("seed", range(5))
def test_thousands_of_kills_lose_nothing_that_was_acknowledged(
    folder: Path, seed: int, close_every: int
) -> None:
    assert kill_many(folder, 1_000, seed=100 + seed, close_every=close_every) > 0


def test_two_writers_at_once_are_one_writer_and_one_reader(folder: Path) -> None:
    first = Worker(folder, 0)
    assert first.hear("opened") == ("opened", "")
    first.hear("kept")
    second = Worker(folder, 1_000_000, 20)
    assert "Another fieldkit" in second.hear("opened")[1]
    second.end()
    assert set(second.refused) == set(range(1_000_000, 1_000_020))
    assert set(second.refused.values()) == {"store-read-only"}
    first.kill()
    with Store.open(folder) as store:
        held = Held(store)
        assert all(held.has(number) for number in first.kept)
        assert not any(held.has(number) for number in second.refused if number % 5 != 4)
    assert verify(folder).verdict == "pass"


def test_many_that_start_at_once_are_one_writer(folder: Path) -> None:
    Store.open(folder).close()
    several = [Worker(folder, 1_000 * number, 30, wait=True) for number in range(5)]
    for each in several:
        each.hear("ready")
    for each in several:
        each.go()
    for each in several:
        each.end()
    with Store.open(folder) as store:
        held = Held(store)
        for each in several:
            assert len(each.kept) + len(each.refused) == 30
            assert all(held.has(number) for number in each.kept if number % 5 != 4)
    assert verify(folder).verdict == "pass"


def test_a_store_in_use_is_looked_at_all_the_while_and_never_seems_damaged(folder: Path) -> None:
    ours = Worker(folder, close_every=6)
    ours.hear("kept")
    for _ in range(120):
        found = verify(folder)
        assert [check for check in found.checks if check.severity == "fail" and check.required] == []
        findings = {finding.id: finding for finding in examine_store(folder)}
        assert findings["store"].severity == "pass", findings
    ours.kill()
    for number in range(60):
        ours = Worker(folder, 10_000 * (number + 1), 3)
        with Store.open(folder) as store:  # whichever comes first writes, and the other reads
            assert "damaged" not in str(store.read_only)
            assert Held(store).values
        ours.end()

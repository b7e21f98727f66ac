"""Whatever the disk does at whichever call: what was acknowledged is there, and more can be written."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from fieldkit.journal import folder_check, log
from tests.faults.model import FAULTS, Bench

SMALL_SEGMENT = 1_500


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments that a few entries fill, so that the change from one to the next is met often."""
    monkeypatch.setattr(log, "SEGMENT_SIZE", SMALL_SEGMENT)
    monkeypatch.setattr(log, "FIRST_PADDING", 256)
    monkeypatch.setattr(folder_check, "RESERVE_SIZE", 4_096)  # as it were a megabyte, in less time


class Crashes(RuleBasedStateMachine):
    """Any sequence of work and mishaps."""

    def __init__(self) -> None:
        super().__init__()
        self.bench: Bench | None = None

    @precondition(lambda self: self.bench is None)
    @rule(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.bench = Bench(seed)

    @precondition(lambda self: self.bench is not None)
    @rule(calls=st.integers(1, 14), fault=st.sampled_from(FAULTS))
    def arm(self, calls: int, fault: int | None) -> None:
        self.bench.arm(calls, fault)

    @precondition(lambda self: self.bench is not None)
    @rule(value=st.text(max_size=9) | st.integers(0, 9), kind=st.sampled_from(["answer", "signoff"]))
    def answer(self, value: object, kind: str) -> None:
        self.bench.answer(value, kind)

    @precondition(lambda self: self.bench is not None)
    @rule(size=st.integers(500, 3000))
    def answer_at_length(self, size: int) -> None:
        self.bench.answer("x" * size)

    @precondition(lambda self: self.bench is not None)
    @rule(id=st.sampled_from("abc"), value=st.integers(0, 99))
    def document(self, id: str, value: int) -> None:
        self.bench.document(id, value)

    @precondition(lambda self: self.bench is not None)
    @rule(id=st.sampled_from("abc"))
    def forget(self, id: str) -> None:
        self.bench.forget(id)

    @precondition(lambda self: self.bench is not None)
    @rule(data=st.sampled_from([b"", b"photo", bytes(5000)]))
    def attach(self, data: bytes) -> None:
        self.bench.attach(data)

    @precondition(lambda self: self.bench is not None)
    @rule()
    def look(self) -> None:
        self.bench.check()

    @precondition(lambda self: self.bench is not None)
    @rule()
    def close(self) -> None:
        self.bench.close()

    @precondition(lambda self: self.bench is not None)
    @rule()
    def kill(self) -> None:
        self.bench.reopen(end=self.bench.disk.kill)

    @precondition(lambda self: self.bench is not None)
    @rule()
    def cut_the_power(self) -> None:
        self.bench.reopen(end=self.bench.disk.cut)

    @precondition(lambda self: self.bench is not None)
    @rule(room=st.integers(0, 1500) | st.none())
    def fill_the_disk(self, room: int | None) -> None:
        self.bench.disk.capacity = None if room is None else self.bench.disk.used + room


def _explore(sequences: int) -> None:
    run_state_machine_as_test(
        Crashes,
        settings=settings(
            max_examples=sequences,
            stateful_step_count=12,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_what_was_acknowledged_survives_any_sequence_of_mishaps() -> None:
    _explore(2_000)


@pytest.mark.soak
def test_what_was_acknowledged_survives_many_more_sequences_of_mishaps() -> None:
    _explore(100_000)


def _a_day(bench: Bench) -> None:
    """A short day's work that meets every kind of call: first save, tables, a roll, attachments, closing."""
    bench.answer("yes")
    bench.document("a", 1)
    bench.attach(b"photo")
    bench.answer("x" * 900)
    bench.answer("x" * 900)
    bench.document("a", 2)
    bench.answer("done", "signoff")
    bench.close()
    bench.forget("a")
    bench.check()
    bench.close()


def _calls_of(work: Callable[[Bench], None]) -> int:
    bench = Bench()
    before = bench.disk.calls
    work(bench)
    return bench.disk.calls - before


@pytest.mark.parametrize(
    "fault", FAULTS, ids=lambda fault: "power cut" if fault is None else f"errno {fault}"
)
def test_a_day_survives_a_fault_at_every_call(fault: int | None) -> None:
    _every_call(fault, seeds=range(3))


@pytest.mark.soak
@pytest.mark.parametrize(
    "fault", FAULTS, ids=lambda fault: "power cut" if fault is None else f"errno {fault}"
)
def test_a_day_survives_a_fault_at_every_call_in_many_ways(fault: int | None) -> None:
    _every_call(fault, seeds=range(200))


def _every_call(fault: int | None, seeds: range) -> None:
    for call in range(1, _calls_of(_a_day) + 1):
        for seed in seeds:
            bench = Bench(seed)
            bench.arm(call, fault)
            _a_day(bench)
            bench.reopen(end=bench.disk.cut)


@pytest.mark.parametrize("seed", range(40))
def test_what_a_failed_fsync_left_in_the_cache_is_not_built_upon_where_a_copy_has_no_room(seed: int) -> None:
    """The system shows what is not on the disk; a later power cut would take it, and all behind it."""
    bench = Bench(seed)
    bench.disk.capacity = bench.disk.used + 400
    bench.arm(6, errno.EROFS)
    bench.answer("seen, and not on the disk")
    bench.disk.capacity = None
    bench.answer("behind it")
    bench.arm(2, None)
    bench.answer("cut off")
    bench.check()

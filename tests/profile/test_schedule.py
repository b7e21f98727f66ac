"""What of a plan is due on a day, given which bureaus are done."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fieldkit.home import Home
from fieldkit.profile.load import load
from fieldkit.profile.model import Bureau, Officer, Phase, RegionName, RolloutPlan, Task
from fieldkit.profile.schedule import SOON, due
from fieldkit.text import Words

WORDS = Words("Việc", "Work")
FIRST, LAST = datetime.date(2026, 3, 10), datetime.date(2026, 3, 20)


def bureau(code: str, region: str = "north") -> Bureau:
    return Bureau(code, WORDS, region, "", "softhsm2", "sample", Officer("A", WORDS))  # type: ignore[arg-type]


def plan(*tasks: Task) -> RolloutPlan:
    return RolloutPlan(
        "trial",
        WORDS,
        FIRST,
        (RegionName("north", WORDS), RegionName("south", WORDS)),
        (Phase("A", WORDS, tasks),),
        (bureau("B-1"), bureau("B-2"), bureau("B-3", "south")),
    )


def task(id: str = "A1", checklist: str = "handover", **more: object) -> Task:
    return Task(id, WORDS, FIRST, LAST, checklist=checklist, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("day", "standing"),
    [
        (FIRST - SOON - datetime.timedelta(days=1), "later"),
        (FIRST - SOON, "soon"),
        (FIRST - datetime.timedelta(days=1), "soon"),
        (FIRST, "now"),
        (LAST, "now"),
        (LAST + datetime.timedelta(days=1), "late"),
    ],
)
def test_a_task_stands_by_its_first_and_last_day(day: datetime.date, standing: str) -> None:
    (found,) = due(plan(task()), day, ())
    assert found.standing == standing


def test_a_task_is_done_once_every_bureau_it_is_for_finished_its_checklist() -> None:
    made = plan(task(region="north"))
    (half,) = due(made, LAST, {("B-1", "handover"), ("B-2", "survey")})
    assert [bureau.code for bureau in half.settled] == ["B-1"]
    assert [bureau.code for bureau in half.waiting] == ["B-2"]
    assert half.standing == "now"
    (whole,) = due(made, LAST + datetime.timedelta(days=9), {("B-1", "handover"), ("B-2", "handover")})
    assert whole.standing == "done"


def test_a_task_for_named_bureaus_waits_for_those_alone() -> None:
    (found,) = due(plan(task(bureaus=("B-3",))), FIRST, ())
    assert [bureau.code for bureau in found.waiting] == ["B-3"]


def test_a_task_without_a_checklist_is_neither_late_nor_done_by_its_date_alone() -> None:
    (past,) = due(plan(task(checklist="")), LAST + datetime.timedelta(days=1), ())
    assert (past.standing, past.waiting) == ("no-evidence", ())
    (last,) = due(plan(task(checklist="")), LAST, ())
    assert last.standing == "now"


@given(some.dates(), some.sets(some.tuples(some.sampled_from(["B-1", "B-2", "B-3"]), some.just("handover"))))
def test_every_bureau_of_a_task_is_either_waiting_or_settled(
    day: datetime.date, done: set[tuple[str, str]]
) -> None:
    (found,) = due(plan(task()), day, done)
    assert {bureau.code for bureau in (*found.waiting, *found.settled)} == {"B-1", "B-2", "B-3"}
    assert len(found.waiting) + len(found.settled) == 3
    assert (found.standing == "done") is (not found.waiting)


def test_the_tasks_come_in_the_plans_order(home: Home) -> None:
    shipped = load(home).plan
    listed = [task_due.task.id for task_due in due(shipped, shipped.issued, ())]
    assert listed == [task.id for phase in shipped.phases for task in phase.tasks]

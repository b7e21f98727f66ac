"""`fieldkit plan`: the plan in force, its tasks and bureaus, and what of it is due."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import click

from fieldkit.checklist import typed_input
from fieldkit.checklist.errors import AnswerInvalid
from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.cli.output import Data, fields, unreadable_lines
from fieldkit.errors import Misused
from fieldkit.profile.model import RolloutPlan
from fieldkit.profile.schedule import Due, Standing, due
from fieldkit.text import M, Said, day_first

if TYPE_CHECKING:
    from fieldkit.visit.visits import VisitList

plan = noun("plan", M("The plan: its tasks, its bureaus, what is due."))

STANDINGS: dict[Standing, Said] = {
    "late": M("late"),
    "now": M("now"),
    "soon": M("soon"),
    "later": M("later"),
    "done": M("done"),
    "no-evidence": M("past, no evidence"),
}


class DayInvalid(Misused, code="day-invalid"):
    """A day given on the command line is none."""


@plan.verb("show", M("The plan in force: phases, tasks with their dates, bureaus."))
def show(call: Call) -> Reply:
    profiles = call.profiles()
    return Reply(_data(profiles.plan), _lines(profiles.plan))


@plan.verb(
    "due", M("The tasks that are late, running or soon to begin, and the bureaus each still waits for.")
)
@option("--at", default="", help=M("As of this day (2026-11-24); today unless given."))
@option("--all", "everything", is_flag=True, help=M("Done and later tasks too."))
def due_(call: Call, at: str, everything: bool) -> Reply:
    day = _day(at)
    profiles = call.profiles()
    standings = STANDINGS if everything else ("late", "now", "soon", "no-evidence")
    overview = _overview(call)
    tasks = due(profiles.plan, day, overview.signed_off)
    dues = [task for task in tasks if task.standing in standings]
    lines: list[str | Said] = []
    for one in dues:
        lines.append(
            M(
                "{standing}: {task} {title}, {starts} to {ends}",
                standing=str(STANDINGS[one.standing]),
                task=one.task.id,
                title=str(one.task.title),
                starts=_shown(one.task.starts),
                ends=_shown(one.task.ends),
            )
        )
        lines += [f"    {bureau.code}  {bureau.name}" for bureau in one.waiting]
    for unreadable in overview.unreadable:  # it may be one of those that a task waits for
        for line in unreadable_lines(unreadable):
            click.echo(line, err=True)
    return Reply([*map(_due, dues)], lines or M("Nothing is due."), good=not overview.unreadable)


def _overview(call: Call) -> VisitList:
    from fieldkit.visit.visits import VisitList

    if not call.home.store.is_dir():
        return VisitList([], [])
    with call.visits() as visits:
        return visits.overview()


def _day(text: str) -> datetime.date:
    if not text:
        return datetime.date.today()
    try:
        return datetime.date.fromisoformat(typed_input.day(text.strip()))
    except AnswerInvalid as error:
        raise DayInvalid(error.message) from None


def _shown(day: datetime.date) -> str:
    return day_first(day.isoformat())


def _data(plan_in_force: RolloutPlan) -> Data:
    return {
        "plan": plan_in_force.id,
        **fields(plan_in_force, "title", "sample", "issued"),
        "phases": [
            {
                **fields(phase, "id", "title"),
                "tasks": [
                    {
                        **fields(task, "id", "title", "starts", "ends", "region", "checklist"),
                        "form": str(task.form or ""),
                        "owner": str(task.owner or ""),
                        "bureaus": [bureau.code for bureau in plan_in_force.bureaus_of(task)],
                    }
                    for task in phase.tasks
                ],
            }
            for phase in plan_in_force.phases
        ],
        "bureaus": [
            {"bureau": bureau.code, **fields(bureau, "name", "region", "token", "authority", "sample")}
            for bureau in plan_in_force.bureaus
        ],
    }


def _due(one: Due) -> Data:
    return {
        "task": one.task.id,
        "standing": one.standing,
        **fields(one.task, "title", "starts", "ends", "checklist"),
        "waiting": [bureau.code for bureau in one.waiting],
        "done": [bureau.code for bureau in one.settled],
    }


def _lines(plan_in_force: RolloutPlan) -> list[str | Said]:
    lines: list[str | Said] = [plan_in_force.title]
    for phase in plan_in_force.phases:
        lines.append(f"{phase.id}  {phase.title}")
        for task in phase.tasks:
            when = f"{_shown(task.starts)} – {_shown(task.ends)}"
            lines.append(f"  {task.id}  {when}  {task.title}" + (f"  [{task.form}]" if task.form else ""))
    for region in plan_in_force.regions:
        lines.append(region.title)
        lines += [
            f"  {bureau.code}  {bureau.name}  [{bureau.token}, {bureau.authority}]"
            for bureau in plan_in_force.bureaus
            if bureau.region == region.id
        ]
    return lines

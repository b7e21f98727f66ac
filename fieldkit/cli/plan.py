"""`fieldkit plan`: the plan in force, its tasks and bureaus, and what of it is due."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from fieldkit.checklist.errors import AnswerInvalid
from fieldkit.checklist.kinds import iso_day
from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.errors import Misused
from fieldkit.profile.model import Bureau, RolloutPlan
from fieldkit.profile.schedule import Due, Standing, due
from fieldkit.text import M, Said, day_first

if TYPE_CHECKING:
    from fieldkit.visit.model import Visit
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
    return Reply(_shape(profiles.plan), _lines(profiles.plan))


@plan.verb(
    "due", M("The tasks that are late, running or soon to begin, and the bureaus each still waits for.")
)
@option("--at", default="", said=M("As of this day (2026-11-24); today unless given."))
@option("--all", "everything", is_flag=True, said=M("Done and later tasks too."))
def due_(call: Call, at: str, everything: bool) -> Reply:
    day = _day(at)
    profiles = call.profiles()
    standings = STANDINGS if everything else ("late", "now", "soon", "no-evidence")
    overview = _overview(call)
    tasks = due(profiles.plan, day, _finished(overview.visits))
    dues = [task for task in tasks if task.standing in standings]
    lines: list[str | Said] = []
    for each in dues:
        lines.append(
            M(
                "{standing}: {task} {title}, {starts} to {ends}",
                standing=str(STANDINGS[each.standing]),
                task=each.task.id,
                title=str(each.task.title),
                starts=_shown(each.task.starts),
                ends=_shown(each.task.ends),
            )
        )
        lines += [f"    {bureau.code}  {bureau.name}" for bureau in each.waiting]
    from fieldkit.cli.visit import unreadable_lines

    for unreadable in overview.unreadable:  # it may be one of those that a task waits for
        for line in unreadable_lines(unreadable):
            click.echo(line, err=True)
    return Reply(
        [_due_shape(each) for each in dues], lines or M("Nothing is due."), good=not overview.unreadable
    )


def _overview(call: Call) -> VisitList:
    from fieldkit.visit.visits import VisitList

    if not call.home.store.is_dir():
        return VisitList([], [])
    with call.visits() as visits:
        return visits.overview()


def _finished(visits: Sequence[Visit]) -> set[tuple[str, str]]:
    """The bureau and the checklist of every visit that was signed off."""
    return {
        (visit.bureau.code, visit.checklist.id) for visit in visits if visit.state in ("signed", "recorded")
    }


def _day(given: str) -> datetime.date:
    if not given:
        return datetime.date.today()
    try:
        return datetime.date.fromisoformat(iso_day(given.strip()))
    except AnswerInvalid as error:
        raise DayInvalid(error.message) from None


def _shown(day: datetime.date) -> str:
    return day_first(day.isoformat())


def _shape(rollout_plan: RolloutPlan) -> dict[str, Any]:
    return {
        "plan": rollout_plan.id,
        "title": str(rollout_plan.title),
        "sample": rollout_plan.sample,
        "issued": rollout_plan.issued.isoformat(),
        "phases": [
            {
                "id": phase.id,
                "title": str(phase.title),
                "tasks": [
                    {
                        "id": task.id,
                        "title": str(task.title),
                        "starts": task.starts.isoformat(),
                        "ends": task.ends.isoformat(),
                        "region": task.region,
                        "checklist": task.checklist,
                        "form": str(task.form) if task.form else "",
                        "owner": str(task.owner) if task.owner else "",
                        "bureaus": [bureau.code for bureau in rollout_plan.bureaus_of(task)],
                    }
                    for task in phase.tasks
                ],
            }
            for phase in rollout_plan.phases
        ],
        "bureaus": [_bureau_shape(bureau) for bureau in rollout_plan.bureaus],
    }


def _bureau_shape(bureau: Bureau) -> dict[str, Any]:
    return {
        "bureau": bureau.code,
        "name": str(bureau.name),
        "region": bureau.region,
        "token": bureau.token,
        "authority": bureau.authority,
        "sample": bureau.sample,
    }


def _due_shape(each: Due) -> dict[str, Any]:
    return {
        "task": each.task.id,
        "title": str(each.task.title),
        "standing": each.standing,
        "starts": each.task.starts.isoformat(),
        "ends": each.task.ends.isoformat(),
        "checklist": each.task.checklist,
        "waiting": [bureau.code for bureau in each.waiting],
        "done": [bureau.code for bureau in each.settled],
    }


def _lines(rollout_plan: RolloutPlan) -> list[str | Said]:
    lines: list[str | Said] = [rollout_plan.title]
    for phase in rollout_plan.phases:
        lines.append(f"{phase.id}  {phase.title}")
        for task in phase.tasks:
            when = f"{_shown(task.starts)} – {_shown(task.ends)}"
            lines.append(f"  {task.id}  {when}  {task.title}" + (f"  [{task.form}]" if task.form else ""))
    for region in rollout_plan.regions:
        lines.append(region.title)
        lines += [
            f"  {bureau.code}  {bureau.name}  [{bureau.token}, {bureau.authority}]"
            for bureau in rollout_plan.bureaus
            if bureau.region == region.id
        ]
    return lines

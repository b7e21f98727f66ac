"""What of a plan is due on a day, given which bureaus are done with which checklists. No I/O."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from typing import Literal

import msgspec

from fieldkit.profile.model import Bureau, RolloutPlan, Task

Standing = Literal["late", "now", "soon", "later", "done", "no-evidence"]
SOON = datetime.timedelta(days=14)


class Due(msgspec.Struct, frozen=True):
    """A task on a day. waiting: its bureaus that are not done; settled: those that are.

    standing: by its dates, and "done" once every bureau finished its checklist. A task without a
    checklist leaves nothing to tell by: after its last day it has "no-evidence".
    """

    task: Task
    standing: Standing
    waiting: tuple[Bureau, ...]
    settled: tuple[Bureau, ...]


def due(plan: RolloutPlan, day: datetime.date, done: Collection[tuple[str, str]]) -> list[Due]:
    """Every task of `plan` as it stands on `day`, in the plan's order.

    done: (bureau's code, checklist) of the visits that were signed off.
    """
    return [_stand(plan, task, day, done) for phase in plan.phases for task in phase.tasks]


def _stand(plan: RolloutPlan, task: Task, day: datetime.date, done: Collection[tuple[str, str]]) -> Due:
    bureaus = plan.bureaus_of(task) if task.checklist else ()
    settled = tuple(bureau for bureau in bureaus if (bureau.code, task.checklist) in done)
    waiting = tuple(bureau for bureau in bureaus if bureau not in settled)
    standing: Standing
    if bureaus and not waiting:
        standing = "done"
    elif day > task.ends:
        standing = "late" if task.checklist else "no-evidence"
    elif day >= task.starts:
        standing = "now"
    else:
        standing = "soon" if task.starts - day <= SOON else "later"
    return Due(task, standing, waiting, settled)

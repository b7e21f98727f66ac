"""What a visit takes from the profiles when it begins, so that its record does not change with them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from fieldkit.profile.model import Bureau, Profiles, RolloutPlan
from fieldkit.text import Words
from fieldkit.visit.model import PinnedProfile


def pin(profiles: Profiles, bureau: Bureau, checklist: str, day: date) -> PinnedProfile:
    """The basis on `day`, the giving unit, and whether anything of it is invented."""
    plan = profiles.plan
    authority = profiles.authorities.get(bureau.authority)
    return PinnedProfile(
        basis=tuple(_basis(profiles, day)),
        giver=_owner(plan, checklist),
        sample=bureau.sample or plan.sample or (authority is not None and authority.sample),
    )


def _basis(profiles: Profiles, day: date) -> Iterator[Words]:
    rules = profiles.rules_at(day)
    if rules is not None:
        yield rules.basis
    if profiles.plan.decision is not None:
        yield profiles.plan.decision
    yield profiles.plan.title


def _owner(plan: RolloutPlan, checklist: str) -> Words | None:
    """Whose task a visit with that checklist is."""
    tasks = (task for phase in plan.phases for task in phase.tasks)
    return next(
        (task.owner for task in tasks if task.owner is not None and task.checklist == checklist), None
    )

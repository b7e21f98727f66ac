"""The visit as a conversation: each item in turn, asked or run through the operator."""

from __future__ import annotations

from pathlib import Path

from fieldkit.checklist.errors import AnswerInvalid
from fieldkit.checklist.kinds import KINDS
from fieldkit.finding import Finding
from fieldkit.operator import Operator, Option, Question
from fieldkit.text import M
from fieldkit.visit import errors
from fieldkit.visit.model import Visit
from fieldkit.visit.visits import Visits


async def guide(
    visits: Visits, visit: str, operator: Operator, *, step: str = "", modules: tuple[str, ...] = ()
) -> Visit:
    """Ask or run every item in force that still wants something, in order; return the visit after it.

    step: only this section, group, row or item, and then also where it is settled already.
    """
    now = visits.load(visit)
    settled: set[str] = set()
    _must_be_there(now, step)
    while True:
        wanted = _of_step(now, step)
        key = next(
            (key for key in _open(now, again=bool(step)) if key in wanted and key not in settled), None
        )
        if key is None:
            return now
        settled.add(key)
        now = await settle(visits, now, key, operator, modules)
        visits.remember(now.id, key)


async def settle(
    visits: Visits, visit: Visit, key: str, operator: Operator, modules: tuple[str, ...] = ()
) -> Visit:
    """Run the procedure of the item, or ask the person until the answer fits or is left empty."""
    item = visit.checklist.item(key)
    if item.answered_by == "procedure":
        await visits.run(visit.id, key, operator, modules)
        return visits.load(visit.id)
    while True:
        typed = await operator.ask(question(key, visit))
        if not typed:
            return visit
        try:
            if KINDS[item.kind].attaches:
                return visits.attach(visit.id, key, Path(typed).expanduser())
            return visits.answer(visit.id, key, typed)
        except AnswerInvalid as error:
            operator.show_finding(
                Finding(id="answer-invalid", severity="fail", message=M("{said}", said=str(error)))
            )


def question(key: str, visit: Visit) -> Question:
    """The question a person is asked for an item, with the present answer as default."""
    item = visit.checklist.item(key)
    kind = KINDS[item.kind]
    choices = () if kind.several else visit.known.choices(key)
    present = visit.answers.get(key, visit.known.prefill(key))
    if isinstance(present, list):
        present = " ".join(present)
    return Question(
        id=key,
        title=visit.known.label(key),
        options=tuple(Option(choice.value, choice.label) for choice in choices),
        default=present if isinstance(present, str) else "",
        path=kind.attaches,
    )


def _must_be_there(visit: Visit, step: str) -> None:
    if step and not _of_step(visit, step):
        raise errors.ItemNotFound(
            M("The checklist has no step {step}.", step=step),
            hint=M("`fieldkit visit show` lists sections and items."),
        )


def _of_step(visit: Visit, step: str) -> set[str]:
    """The keys of the items in force of a step: all, where none is named."""
    if not step or step in visit.relevant:
        return {step} if step else set(visit.relevant)
    keys: set[str] = set()
    depth = -1
    for line in visit.lines:
        if line.depth <= depth:
            depth = -1
        if depth < 0 and line.heading and line.key in (step, f"@{step}"):
            depth = line.depth
        elif depth >= 0 and not line.heading:
            keys.add(line.key)
    return keys


def _open(visit: Visit, *, again: bool) -> list[str]:
    return [
        key
        for key in visit.relevant
        if visit.checklist.item(key).answered_by != "nobody"
        and (again or visit.status(key) in ("todo", "failed"))
    ]

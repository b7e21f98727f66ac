"""The visit as a conversation: each item in turn, asked or run through the operator."""

from __future__ import annotations

from pathlib import Path

from fieldkit.checklist.errors import AnswerInvalid
from fieldkit.checklist.kinds import KINDS, Item
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

    step: only this section or item, and then also where it is settled already.
    """
    now = visits.load(visit)
    settled: set[str] = set()
    wanted = _of_step(now, step)
    while True:
        item = next((item for item in _open(now, again=bool(step)) if item.id in wanted - settled), None)
        if item is None:
            return now
        settled.add(item.id)
        now = await settle(visits, now, item, operator, modules)
        visits.remember(now.id, item.id)


async def settle(
    visits: Visits, visit: Visit, item: Item, operator: Operator, modules: tuple[str, ...] = ()
) -> Visit:
    """Run the procedure of `item`, or ask the person until the answer fits or is left empty."""
    if item.answered_by == "procedure":
        await visits.run(visit.id, item.id, operator, modules)
        return visits.load(visit.id)
    while True:
        typed = await operator.ask(question(item, visit))
        if not typed:
            return visit
        try:
            if KINDS[item.kind].attaches:
                return visits.attach(visit.id, item.id, Path(typed).expanduser())
            return visits.answer(visit.id, item.id, typed)
        except AnswerInvalid as error:
            operator.say(Finding(id="answer-invalid", severity="fail", message=M("{said}", said=str(error))))


def question(item: Item, visit: Visit) -> Question:
    """The question a person is asked for `item`, with the present answer as default."""
    kind = KINDS[item.kind]
    choices = () if kind.several else kind.choices(item)
    present = visit.answers.get(item.id, item.default)
    if isinstance(present, list):
        present = " ".join(present)
    return Question(
        id=item.id,
        title=item.label,
        options=tuple(Option(choice.value, choice.label) for choice in choices),
        default=present if isinstance(present, str) else "",
        path=kind.attaches,
    )


def _of_step(visit: Visit, step: str) -> set[str]:
    if not step:
        return {item.id for item in visit.checklist.items()}
    for section in visit.checklist.sections:
        if section.id == step:
            return {item.id for item in section.items}
    if step in visit.relevant:
        return {step}
    raise errors.ItemNotFound(
        M("The checklist has no step {step}.", step=step),
        hint=M("`fieldkit visit show` lists sections and items."),
    )


def _open(visit: Visit, *, again: bool) -> list[Item]:
    items = [visit.checklist.item(name) for name in visit.relevant]
    return [
        item
        for item in items
        if item.answered_by != "nobody" and (again or visit.status(item.id) in ("todo", "failed"))
    ]

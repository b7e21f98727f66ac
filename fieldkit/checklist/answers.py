"""Answers against a checklist: what fits an item, what is in force, what still keeps a visit open.

An item that is not in force has no answer: what was once entered there does not count.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fieldkit.checklist.errors import AnswerInvalid
from fieldkit.checklist.expression import parse
from fieldkit.checklist.kinds import KINDS, Item, Value
from fieldkit.checklist.model import Checklist
from fieldkit.checklist.value import Term, evaluate, truth
from fieldkit.text import M, Said


class AnswerProblem(msgspec.Struct, frozen=True):
    """What keeps a visit from being finished: an item and the reason."""

    item: str
    message: Said


def check_answer(item: Item, value: Any, answers: Mapping[str, Any], checklist: Checklist) -> Value:
    """`value` in the form it is stored in: NFC, plain decimals, ISO dates, choices in their order.

    answers: the other items' answers, for the constraint: those of items that are in force count, the
    answer at hand among them.

    :raises AnswerInvalid: the value does not fit the item, or breaks its constraint.
    """
    stored = KINDS[item.kind].normal(item, value)
    today = datetime.date.today()
    known = Answers(checklist, {**answers, item.id: stored}, today)
    broken = _broken(item, stored, known.term, today)
    if broken is not None:
        raise AnswerInvalid(broken, unchanged=M("The answer was not saved."))
    return stored


def relevant(
    checklist: Checklist, answers: Mapping[str, Any], today: datetime.date | None = None
) -> list[str]:
    """The ids of the items in force, in order."""
    return Answers(checklist, answers, today or datetime.date.today()).relevant()


def problems(
    checklist: Checklist,
    answers: Mapping[str, Any],
    verdicts: Mapping[str, str],
    today: datetime.date | None = None,
) -> list[AnswerProblem]:
    """What keeps the visit open, in the order of the items; `verdicts` as for `Answers.problems`."""
    return Answers(checklist, answers, today or datetime.date.today()).problems(verdicts)


class Answers:
    """The answers of one visit as expressions see them on a day, and what they put in force."""

    def __init__(self, checklist: Checklist, answers: Mapping[str, Any], today: datetime.date) -> None:
        self._checklist = checklist
        self._answers = answers
        self._today = today
        self._off: set[str] = set()
        for id, conditions in checklist.relevance.items():  # what a condition looks at is settled before it
            if not all(truth(evaluate(condition, self.term, today)) for condition in conditions):
                self._off.add(id)

    def relevant(self) -> list[str]:
        """The ids of the items in force, in order."""
        return [item.id for item in self._checklist.items() if item.id not in self._off]

    def problems(self, verdicts: Mapping[str, str]) -> list[AnswerProblem]:
        """What keeps the visit open, in the order of the items.

        verdicts: the outcome of each procedure's item that was run: "pass", "fail", "not-checked", or
        "outdated" where it was about a token that is no more the visit's.
        """
        reasons = (
            (item.id, self._problem(item, verdicts))
            for item in self._checklist.items()
            if item.id not in self._off
        )
        return [AnswerProblem(id, reason) for id, reason in reasons if reason is not None]

    def term(self, id: str) -> Term:
        """The value of an item in expressions; that of no answer where it is not in force."""
        kind = KINDS[self._checklist.item(id).kind]
        return kind.term(None if id in self._off else self._answers.get(id))

    def _problem(self, item: Item, verdicts: Mapping[str, str]) -> Said | None:
        if item.answered_by == "procedure":
            return _unproven(item, verdicts.get(item.id))
        answer = self._answers.get(item.id)
        if answer is None or answer == "" or (answer == [] and item.required):
            return M("An answer is required.") if item.required else None
        return _broken(item, answer, self.term, self._today)


def _unproven(item: Item, verdict: str | None) -> Said | None:
    if verdict == "fail":
        return M("This step failed. Mend what it found and run it again.")
    if verdict == "outdated" and item.required:
        return M(
            "This step was done with another token, or before the token was initialised anew. Run it again."
        )
    if verdict is None and item.required:
        return M("This step has not been run.")
    return None


def _broken(item: Item, answer: Value, others: Callable[[str], Term], today: datetime.date) -> Said | None:
    """Why `answer` breaks the item's constraint, or None."""
    if not item.constraint:
        return None
    this = KINDS[item.kind].term(answer)
    if truth(evaluate(parse(item.constraint), lambda name: others(name) if name else this, today)):
        return None
    return item.constraint_message or M("The answer does not fit: {constraint}", constraint=item.constraint)

"""Answers held against a checklist in one call each."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from fieldkit.checklist.answers import AnswerProblem, Answers
from fieldkit.checklist.kinds import Value
from fieldkit.checklist.model import Checklist


def check_answer(
    key: str,
    value: Any,
    answers: Mapping[str, Any],
    checklist: Checklist,
    now: datetime.datetime | None = None,
) -> Value:
    """`value` in the form it is stored in: NFC, plain decimals, ISO dates, choices in their order.

    answers: the other items' answers, for the constraint: those of items that are in force count, the
    answer at hand among them.

    :raises AnswerInvalid: the value does not fit the item, or breaks its constraint.
    """
    return Answers(checklist, answers, now or datetime.datetime.now()).accept(key, value)


def relevant(
    checklist: Checklist, answers: Mapping[str, Any], now: datetime.datetime | None = None
) -> list[str]:
    """The keys of the items in force, in order."""
    return Answers(checklist, answers, now or datetime.datetime.now()).relevant()


def problems(
    checklist: Checklist,
    answers: Mapping[str, Any],
    verdicts: Mapping[str, str],
    now: datetime.datetime | None = None,
) -> list[AnswerProblem]:
    """What keeps the visit open, in the order of the items; `verdicts` as for `Answers.problems`."""
    return Answers(checklist, answers, now or datetime.datetime.now()).problems(verdicts)

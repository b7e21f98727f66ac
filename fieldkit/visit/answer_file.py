"""Many answers at once, from a YAML or JSON file: by item, the rows of a repeat as a list.

    staff: 4
    devices:
      - {serial: A-77, condition: good}
      - {serial: A-78}

The first of the list answers the first row that is there; a row that is not there is added. An answer that
is null, or left empty, is taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from fieldkit.checklist.answers import MOST_ROWS, Answers
from fieldkit.checklist.errors import AnswerInvalid
from fieldkit.checklist.kinds import KINDS, Value
from fieldkit.text import M, Said
from fieldkit.visit.errors import AnswersInvalid, AnswersRefused
from fieldkit.yaml_model import Plain, plain_values, text_of


class NewRow(msgspec.Struct, frozen=True):
    """A row that the file has and the visit has not, by its key."""

    key: str


class NewAnswer(msgspec.Struct, frozen=True):
    """What the file says of an item, by the key of its answer."""

    key: str
    value: Plain


def read_answers(path: Path) -> Mapping[str, Plain]:
    """The answers in the file at `path`, values as the texts they are.

    :raises AnswersInvalid: it is no YAML, or not laid out so, with the place.
    """
    return plain_values(text_of(path, AnswersInvalid), str(path), AnswersInvalid)


def accept_all(
    known: Answers, answers: Mapping[str, Plain], unused: Callable[[str], int]
) -> list[tuple[str, Value | None]]:
    """What of `answers` is new, by key, in an order in which each can be saved. `known` has them afterwards.

    Answers on which it depends whether others are asked are taken before these, wherever they stand.
    unused: the first number that no row of a repeat ever had.

    :raises AnswersRefused: with every answer that fits no item, and why.
    """
    waiting = list(_one_by_one(known, "", answers, unused))
    new: list[tuple[str, Value | None]] = []
    while waiting:
        refused = {
            answer.key: (answer, reason) for answer in waiting if (reason := _refusal(known, answer, new))
        }
        if len(refused) == len(waiting):
            raise AnswersRefused({key: reason for key, (_, reason) in refused.items()})
        waiting = [answer for answer, _ in refused.values()]
    return new


def _refusal(known: Answers, answer: NewRow | NewAnswer, new: list[tuple[str, Value | None]]) -> Said | None:
    """Why an answer cannot be taken; None where `known` and `new` have it now."""
    key = answer.key
    if isinstance(answer, NewRow):
        repeat = key.rpartition("/")[0]
        if not known.asked(repeat):
            return M("{item} does not apply, by the answers given so far.", item=repeat)
        place = known.place(repeat, len(known.rows(repeat)))
        known.change(key, place)
        new.append((key, place))
        return None
    try:
        item = known.checklist.item(key)
    except KeyError:
        return M("The checklist has no item {item}.", item=key)
    if not known.asked(key):
        return M("{item} does not apply, by the answers given so far.", item=key)
    if KINDS[item.kind].attaches or KINDS[item.kind].holds:
        return M("This item is not answered by a text.")
    before = known.answer(key)
    if answer.value is None:
        if before is not None and item.answered_by == "person":
            known.change(key, None)
            new.append((key, None))
        return None
    try:
        value = known.accept(key, answer.value)
    except AnswerInvalid as error:
        return error.message
    if value != before:
        new.append((key, value))
    return None


def _one_by_one(
    known: Answers, prefix: str, answers: Mapping[str, Plain], unused: Callable[[str], int]
) -> Iterator[NewRow | NewAnswer]:
    """The answers by their keys; rows that are not there yet before what is in them."""
    for name, value in answers.items():
        key = prefix + name
        if not isinstance(value, list) or not known.is_repeat(name):
            yield NewAnswer(key, value)
            continue
        rows = known.rows(key)
        if len(value) > MOST_ROWS:
            raise AnswersRefused(
                {key: M("{item} has {count} rows; there can be no more.", item=key, count=MOST_ROWS)}
            )
        for position, row in enumerate(value):
            counted = known.counted(name)
            added = f"{key}/{position + 1 if counted else unused(key) + position - len(rows)}"
            at = rows[position] if position < len(rows) else added
            if position >= len(rows) and not counted:
                yield NewRow(at)
            if isinstance(row, dict):
                yield from _one_by_one(known, f"{at}/", row, unused)
            else:
                yield NewAnswer(at, row)

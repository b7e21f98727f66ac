"""Answers against a checklist: what fits an item, what is in force, what still keeps a visit open.

An item that is not in force has no answer: what was once entered there does not count.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from fieldkit.checklist.errors import AnswerInvalid
from fieldkit.checklist.expression import parse
from fieldkit.checklist.model import YES_NO, Checklist, Item, Value
from fieldkit.checklist.value import Term, evaluate, plain, term, truth
from fieldkit.text import M, Said, nfc

LONGEST_TEXT = 20_000
_GROUPED = re.compile(r"-?\d{1,3}(?:([.,\s])\d{3})(?:\1\d{3})*(?:(?!\1)[.,](\d{1,15}))?")
_DECIMAL = re.compile(r"-?\d{1,25}(?:[.,]\d{1,15})?")
_AMBIGUOUS = re.compile(r"-?[1-9]\d{0,2}[.,]\d{3}")
_DAY_FIRST = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")
_YEAR_FIRST = re.compile(r"\d{4}-\d\d-\d\d")
_MOST_DIGITS = 25
_SHA256 = re.compile(r"[0-9a-f]{64}")


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
    stored = normal(item, value)
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
        return term(self._checklist.item(id).kind, None if id in self._off else self._answers.get(id))

    def _problem(self, item: Item, verdicts: Mapping[str, str]) -> Said | None:
        if item.kind == "procedure":
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
    this = term(item.kind, answer)
    if truth(evaluate(parse(item.constraint), lambda name: others(name) if name else this, today)):
        return None
    return item.constraint_message or M("The answer does not fit: {constraint}", constraint=item.constraint)


def normal(item: Item, value: Any) -> Value:
    """`value` in the form it is stored in, its constraint left aside.

    :raises AnswerInvalid: it is no value of the item's kind.
    """
    match item.kind:
        case "file":
            return _file(item, value)
        case "choices":
            return _choices(item, value)
        case "procedure" | "note":
            raise _invalid(M("This item is not answered by a person."))
    given = value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        if item.kind == "number":
            return _written(Decimal(value), str(value))  # a number as such is not two things
        given = str(value)
    if not isinstance(given, str):
        raise _invalid(M("A text is expected as the answer."))
    given = _clean(item, given)
    match item.kind:
        case "yesno":
            return _one_of(given, YES_NO)
        case "choice":
            return _one_of(given, [choice.value for choice in item.choices])
        case "number":
            return _number(given)
        case "date":
            return written_day(given)
    return given


def _invalid(message: Said) -> AnswerInvalid:
    return AnswerInvalid(message, unchanged=M("The answer was not saved."))


def _clean(item: Item, given: str) -> str:
    """Composed, without blanks around it, and without characters that no one can see."""
    cleaned = _text(given).replace("\r\n", "\n").replace("\r", "\n").strip()
    if not cleaned:
        raise _invalid(M("The answer is empty."))
    if len(cleaned) > LONGEST_TEXT:
        raise _invalid(M("The answer is longer than {count} characters.", count=LONGEST_TEXT))
    if "\n" in cleaned and not item.multiline:
        raise _invalid(M("The answer takes one line only."))
    if any(unicodedata.category(sign) == "Cc" and sign not in "\n\t" for sign in cleaned):
        raise _invalid(M("The answer holds a control character."))
    return cleaned


def _text(given: str) -> str:
    """Composed; refused where it could not even be shown."""
    try:
        given.encode()
    except UnicodeEncodeError:
        raise _invalid(M("The answer holds bytes that are not UTF-8 text.")) from None
    return nfc(given)


def _one_of(given: str, known: Sequence[str]) -> str:
    for value in known:
        if value.casefold() == given.casefold():
            return value
    raise _invalid(M("`{value}` is not one of: {known}.", value=given, known=", ".join(known)))


def _number(given: str) -> str:
    """A plain decimal: "3,5" and "3.5" are three and a half, "1.234.567" and "1 234 567" are whole."""
    written = unicodedata.normalize("NFKC", given).replace("−", "-").lstrip("+")
    if _AMBIGUOUS.fullmatch(written):
        whole, _, fraction = re.split(r"([.,])", written)
        message = M(
            "`{value}` may be a thousand or a fraction. For the thousand write {thousand}, "
            "for the fraction {fraction}.",
            value=given,
            thousand=whole + fraction,
            fraction=f"{whole},{fraction}0",
        )
        raise _invalid(message)
    if _DECIMAL.fullmatch(written):
        return _written(Decimal(written.replace(",", ".")), given)
    grouped = _GROUPED.fullmatch(written)
    if grouped is None:
        raise _invalid(M("`{value}` is not a number.", value=given))
    whole, fraction = (written[: -len(grouped[2]) - 1], grouped[2]) if grouped[2] else (written, "0")
    return _written(Decimal(whole.replace(grouped[1], "") + "." + fraction), given)


def _written(value: Decimal, given: str) -> str:
    """A number as it is stored; refused where an expression could not work with all its digits."""
    if not value.is_finite():
        raise _invalid(M("`{value}` is not a number.", value=given))
    kept = plain(value)
    whole, _, fraction = kept.lstrip("-").partition(".")
    if len(whole) > _MOST_DIGITS or len(fraction) > _MOST_DIGITS:
        raise _invalid(M("The number has more than {count} digits.", count=_MOST_DIGITS))
    return kept


def written_day(given: str) -> str:
    """An ISO date, from one or from day/month/year.

    :raises AnswerInvalid: it is neither.
    """
    match = _DAY_FIRST.fullmatch(given)
    try:
        if match:
            return datetime.date(int(match[3]), int(match[2]), int(match[1])).isoformat()
        if _YEAR_FIRST.fullmatch(given):
            return datetime.date.fromisoformat(given).isoformat()
    except ValueError:
        pass
    raise _invalid(M("`{value}` is not a date. Write it as 24/11/2026 or 2026-11-24.", value=given))


def _choices(item: Item, value: Any) -> list[str]:
    given = re.split(r"[\s,;]+", _text(value).strip()) if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(each, str) for each in given):
        raise _invalid(M("A list of choices is expected as the answer."))
    known = [choice.value for choice in item.choices]
    chosen = {_one_of(_text(each).strip(), known) for each in given if each.strip()}
    return [value for value in known if value in chosen]


def _file(item: Item, value: Any) -> dict[str, str | int]:
    if not isinstance(value, Mapping):
        raise _invalid(M("This item is answered with a file."))
    sha256, size, name = value.get("sha256"), value.get("size"), value.get("name")
    if not (
        isinstance(sha256, str)
        and _SHA256.fullmatch(sha256)
        and isinstance(size, int)
        and size >= 0
        and isinstance(name, str)
        and name
    ):
        raise _invalid(M("This item is answered with a file."))
    _, dot, ending = _text(name).rpartition(".")
    if item.accept and not (dot and ending.lower() in item.accept):
        message = M(
            "{name} is not of a kind that is taken here: {known}.",
            name=name,
            known=", ".join(item.accept),
        )
        raise _invalid(message)
    return {"sha256": sha256, "size": size, "name": nfc(name)}

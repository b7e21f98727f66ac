"""The items of a checklist, and the kinds there are of them.

What a kind is lies here in one class: which keys its items take, what answers them, what the answer is in
expressions, in an XLSForm, on paper. How it is entered on the screen is a row of `EDITORS` in
`fieldkit.tui.widgets.item_pane`.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Literal

import msgspec

from fieldkit.checklist.errors import AnswerInvalid
from fieldkit.checklist.value import Term, day, number, plain
from fieldkit.text import M, Message, Said, Words, day_first, nfc

Kind = Literal["yesno", "text", "choice", "choices", "number", "date", "file", "note", "procedure"]
AnsweredBy = Literal["person", "procedure", "nobody"]
Value = str | list[str] | dict[str, str | int]
Type = Literal["text", "number", "truth", "date", "choices"]
"""What a part of an expression is."""
Role = Literal["officer-name", "officer-title", "test-document", "condition"]
ROLES: dict[Role, tuple[str, tuple[Kind, ...]]] = {
    "officer-name": ("officer_name", ("text",)),
    "officer-title": ("officer_title", ("text",)),
    "test-document": ("own_document", ("file",)),
    "condition": ("condition", ("choice", "choices", "text")),
}
"""What fieldkit itself does with an answer: the id that means it where no item says so, its kinds."""

LONGEST_TEXT = 20_000
_GROUPED = re.compile(r"-?\d{1,3}(?:([.,\s])\d{3})(?:\1\d{3})*(?:(?!\1)[.,](\d{1,15}))?")
_DECIMAL = re.compile(r"-?\d{1,25}(?:[.,]\d{1,15})?")
_AMBIGUOUS = re.compile(r"-?[1-9]\d{0,2}[.,]\d{3}")
_DAY_FIRST = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")
_YEAR_FIRST = re.compile(r"\d{4}-\d\d-\d\d")
_MOST_DIGITS = 25
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Choice(msgspec.Struct, frozen=True):
    """One of the answers of a "choice" or "choices" item; `value` is what is stored."""

    value: str
    label: Words


YES_NO = (
    Choice("yes", Words("Có", "Yes")),
    Choice("no", Words("Không", "No")),
    Choice("n/a", Words("Không áp dụng", "Not applicable")),
)


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a checklist.

    kind: what answers it, a key of `KINDS`.
    relevant: an expression; while it is not true the item is not asked and its answer does not count.
    constraint: an expression over `.`, the answer; constraint_message says it in words.
    accept: endings of the file names that a "file" item takes, without the dot; all when empty.
    multiline: a "text" item may take several lines.
    options: what a procedure is told, under the key `with`.
    role: what fieldkit itself does with the answer. Several items may have one, for different cases.
    """

    id: str
    kind: Kind
    label: Words
    hint: Words | None = None
    required: bool = False
    choices: tuple[Choice, ...] = ()
    relevant: str = ""
    constraint: str = ""
    constraint_message: Words | None = None
    default: str = ""
    accept: tuple[str, ...] = ()
    multiline: bool = False
    procedure: str = ""
    options: dict[str, str | int | bool] = msgspec.field(name="with", default_factory=dict)
    role: Role | None = None

    @property
    def answered_by(self) -> AnsweredBy:
        """Who answers it; nobody does where it is only read."""
        return KINDS[self.kind].answered_by


class ItemKind:
    """What is special about the items of one kind; as it stands here, of those answered by a text.

    answered_by: see `Item`. attaches: a file is the answer, copied into the store.
    several: several of its choices are an answer.
    type: what its answer is in expressions, None where there is none to compare.
    takes: the keys its items may have of those that not all have.
    question: its type in an XLSForm. questions: the types that are read as it, but for those with a list.
    typed: tables hold its answers as numbers or days.
    """

    answered_by: ClassVar[AnsweredBy] = "person"
    attaches: ClassVar[bool] = False
    several: ClassVar[bool] = False
    type: ClassVar[Type | None] = "text"
    takes: ClassVar[frozenset[str]] = frozenset({"required", "constraint", "default"})
    question: ClassVar[str]
    questions: ClassVar[tuple[str, ...]] = ()
    typed: ClassVar[bool] = False

    def choices(self, item: Item) -> tuple[Choice, ...]:
        """What is chosen from; nothing where anything may be entered."""
        return ()

    def incomplete(self, item: Item) -> Message | None:
        """What an item of this kind lacks."""
        return None

    def normal(self, item: Item, value: Any) -> Value:
        """`value` in the form it is stored in, the item's constraint left aside.

        :raises AnswerInvalid: it is no value of this kind.
        """
        text = str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value
        if not isinstance(text, str):
            raise _invalid(M("A text is expected as the answer."))
        return self.parse(item, _clean(item, text))

    def parse(self, item: Item, text: str) -> Value:
        """The same, from a text without blanks around it."""
        return text

    def term(self, answer: Any) -> Term:
        """The value a stored answer has in expressions; that of no answer for None."""
        return str(answer or "")

    def words(self, item: Item, answer: Any) -> Words:
        """A stored answer as people read it."""
        return Words.same("" if answer is None else str(answer))


class _Text(ItemKind):
    takes = ItemKind.takes | {"multiline"}
    question = "text"
    questions = ("text", "string")


class _Choice(ItemKind):
    takes = ItemKind.takes | {"choices"}
    question = "select_one"
    questions: ClassVar[tuple[str, ...]] = ("acknowledge", "trigger")

    def choices(self, item: Item) -> tuple[Choice, ...]:
        return item.choices

    def incomplete(self, item: Item) -> Message | None:
        return None if self.choices(item) else M("An item of kind `{kind}` needs `choices`.", kind=item.kind)

    def parse(self, item: Item, text: str) -> Value:
        return _one_of(text, [choice.value for choice in self.choices(item)])

    def words(self, item: Item, answer: Any) -> Words:
        labels = {choice.value: choice.label for choice in self.choices(item)}
        values = answer if isinstance(answer, list | tuple) else [answer]
        return Words.joined("; ", [labels.get(str(value)) or Words.same(str(value)) for value in values])


class _Choices(_Choice):
    """Several of them; the answer is a list, in their order."""

    several = True
    type = "choices"
    question = "select_multiple"
    questions = ()

    def normal(self, item: Item, value: Any) -> Value:
        values = re.split(r"[\s,;]+", _text(value).strip()) if isinstance(value, str) else value
        if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
            raise _invalid(M("A list of choices is expected as the answer."))
        known = [choice.value for choice in item.choices]
        chosen = {_one_of(_text(value).strip(), known) for value in values if value.strip()}
        return [value for value in known if value in chosen]

    def term(self, answer: Any) -> Term:
        return tuple(answer or ())


class _YesNo(_Choice):
    """ "yes", "no" or "n/a"."""

    takes = ItemKind.takes
    questions = ()

    def choices(self, item: Item) -> tuple[Choice, ...]:
        return YES_NO


class _Number(ItemKind):
    """A decimal, as text."""

    type = "number"
    question = "decimal"
    questions = ("decimal", "integer", "int")
    typed = True

    def normal(self, item: Item, value: Any) -> Value:
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return _stored_number(Decimal(value), str(value))  # a number as such is not two things
        return super().normal(item, value)

    def parse(self, item: Item, text: str) -> Value:
        return _number(text)

    def term(self, answer: Any) -> Term:
        return number(answer or "")


class _Date(ItemKind):
    """An ISO date."""

    type = "date"
    question = "date"
    questions = ("date",)
    typed = True

    def parse(self, item: Item, text: str) -> Value:
        return iso_day(text)

    def term(self, answer: Any) -> Term:
        return day(answer or "")

    def words(self, item: Item, answer: Any) -> Words:
        text = "" if answer is None else str(answer)
        return Words(day_first(text), text)


class _File(ItemKind):
    """An attachment: {"sha256", "size", "name"}."""

    attaches = True
    takes = frozenset({"required", "constraint", "accept"})
    question = "file"
    questions = ("file", "image", "photo")

    def normal(self, item: Item, value: Any) -> Value:
        return _file(item, value)

    def term(self, answer: Any) -> Term:
        return str(answer["name"]) if answer else ""

    def words(self, item: Item, answer: Any) -> Words:
        return (
            Words.same(str(answer.get("name", "")))
            if isinstance(answer, dict)
            else super().words(item, answer)
        )


class _Note(ItemKind):
    """Only read."""

    answered_by: ClassVar[AnsweredBy] = "nobody"
    type = None
    takes = frozenset()
    question = "note"
    questions: ClassVar[tuple[str, ...]] = ("note",)

    def normal(self, item: Item, value: Any) -> Value:
        raise _invalid(M("This item is not answered by a person."))


class _Procedure(_Note):
    """Settled by the evidence of the procedure it names."""

    answered_by = "procedure"
    takes = frozenset({"required", "procedure", "with"})
    questions = ()

    def incomplete(self, item: Item) -> Message | None:
        return None if item.procedure else M("An item of kind `procedure` needs `procedure`, its name.")


KINDS: dict[Kind, ItemKind] = {
    "yesno": _YesNo(),
    "text": _Text(),
    "choice": _Choice(),
    "choices": _Choices(),
    "number": _Number(),
    "date": _Date(),
    "file": _File(),
    "note": _Note(),
    "procedure": _Procedure(),
}


def _invalid(message: Said) -> AnswerInvalid:
    return AnswerInvalid(message, unchanged=M("The answer was not saved."))


def _clean(item: Item, text: str) -> str:
    """Composed, without blanks around it, and without characters that no one can see."""
    cleaned = _text(text).replace("\r\n", "\n").replace("\r", "\n").strip()
    if not cleaned:
        raise _invalid(M("The answer is empty."))
    if len(cleaned) > LONGEST_TEXT:
        raise _invalid(M("The answer is longer than {count} characters.", count=LONGEST_TEXT))
    if "\n" in cleaned and not item.multiline:
        raise _invalid(M("The answer takes one line only."))
    if any(unicodedata.category(sign) == "Cc" and sign not in "\n\t" for sign in cleaned):
        raise _invalid(M("The answer holds a control character."))
    return cleaned


def _text(text: str) -> str:
    """Composed; refused where it could not even be shown."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _invalid(M("The answer holds bytes that are not UTF-8 text.")) from None
    return nfc(text)


def _one_of(text: str, known: Sequence[str]) -> str:
    for value in known:
        if value.casefold() == text.casefold():
            return value
    raise _invalid(M("`{value}` is not one of: {known}.", value=text, known=", ".join(known)))


def _number(text: str) -> str:
    """A plain decimal: "3,5" and "3.5" are three and a half, "1.234.567" and "1 234 567" are whole."""
    plain_text = unicodedata.normalize("NFKC", text).replace("−", "-").lstrip("+")
    if _AMBIGUOUS.fullmatch(plain_text):
        whole, _, fraction = re.split(r"([.,])", plain_text)
        message = M(
            "`{value}` may be a thousand or a fraction. For the thousand write {thousand}, "
            "for the fraction {fraction}.",
            value=text,
            thousand=whole + fraction,
            fraction=f"{whole},{fraction}0",
        )
        raise _invalid(message)
    if _DECIMAL.fullmatch(plain_text):
        return _stored_number(Decimal(plain_text.replace(",", ".")), text)
    grouped = _GROUPED.fullmatch(plain_text)
    if grouped is None:
        raise _invalid(M("`{value}` is not a number.", value=text))
    whole, fraction = (plain_text[: -len(grouped[2]) - 1], grouped[2]) if grouped[2] else (plain_text, "0")
    return _stored_number(Decimal(whole.replace(grouped[1], "") + "." + fraction), text)


def _stored_number(value: Decimal, text: str) -> str:
    """A number as it is stored; refused where an expression could not work with all its digits."""
    if not value.is_finite():
        raise _invalid(M("`{value}` is not a number.", value=text))
    stored = plain(value)
    whole, _, fraction = stored.lstrip("-").partition(".")
    if len(whole) > _MOST_DIGITS or len(fraction) > _MOST_DIGITS:
        raise _invalid(M("The number has more than {count} digits.", count=_MOST_DIGITS))
    return stored


def iso_day(text: str) -> str:
    """An ISO date, from one or from day/month/year.

    :raises AnswerInvalid: it is neither.
    """
    match = _DAY_FIRST.fullmatch(text)
    try:
        if match:
            return datetime.date(int(match[3]), int(match[2]), int(match[1])).isoformat()
        if _YEAR_FIRST.fullmatch(text):
            return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise _invalid(M("`{value}` is not a date. Write it as 24/11/2026 or 2026-11-24.", value=text))


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

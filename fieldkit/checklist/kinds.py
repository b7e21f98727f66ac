"""The items of a checklist, and the kinds there are of them.

What a kind is lies here in one class: which keys its items take, what answers them, what the answer is in
expressions, in an XLSForm, on paper. How it is entered on the screen is a row of `EDITORS` in
`fieldkit.tui.widgets.item_pane`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, ClassVar, Literal

import msgspec

from fieldkit.checklist import typed_input
from fieldkit.checklist.typed_input import invalid
from fieldkit.checklist.value import Term, Type, day, moment, number, time_of_day
from fieldkit.text import M, Message, Words, day_first

Kind = Literal[
    "yesno", "text", "choice", "choices", "rank", "acknowledge", "number", "integer", "range", "date", "time",
    "datetime", "place", "barcode", "file", "image", "audio", "video", "signature", "note", "calculate",
    "metadata", "group", "repeat", "procedure",
]  # fmt: skip
AnsweredBy = Literal["person", "procedure", "nobody"]
Value = str | list[str] | dict[str, str | int]
Role = Literal["officer-name", "officer-title", "test-document", "condition"]
ROLES: dict[Role, tuple[str, tuple[Kind, ...]]] = {
    "officer-name": ("officer_name", ("text",)),
    "officer-title": ("officer_title", ("text",)),
    "test-document": ("own_document", ("file",)),
    "condition": ("condition", ("choice", "choices", "text")),
}
"""What fieldkit itself does with an answer: the id that means it where no item says so, its kinds."""
Metadata = Literal["start", "end", "today", "username", "deviceid"]
"""What is known of the filling in itself: when it began, was last touched, the day, who, on which device."""

PICTURES = ("png", "jpg", "jpeg", "gif", "webp", "tif", "tiff", "bmp", "heic")
SOUNDS = ("mp3", "m4a", "ogg", "oga", "wav", "flac", "aac", "amr", "3gp", "opus")
FILMS = ("mp4", "mov", "webm", "mkv", "avi", "3gp", "m4v", "mpg", "mpeg")


class Choice(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of the answers of an item; `value` is what is stored.

    columns: what else its list says of it, for `choice_filter` and instance().
    """

    value: str
    label: Words
    columns: dict[str, str] = {}

    @property
    def row(self) -> dict[str, str]:
        """All that its list says of it, its value and its label by ODK's names."""
        return {"name": self.value, "label": self.label.vi, **self.columns}


YES_NO = (
    Choice("yes", Words("Có", "Yes")),
    Choice("no", Words("Không", "No")),
    Choice("n/a", Words("Không áp dụng", "Not applicable")),
)
CONFIRMED = (Choice("OK", Words(vi="Đã xác nhận", en="Confirmed")),)


class Steps(msgspec.Struct, frozen=True):
    """The numbers of a "range" item: from one to another, a step apart."""

    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")
    step: str = "1"

    def holds(self, value: Decimal) -> bool:
        """Whether `value` is one of them."""
        low, high = sorted((Decimal(self.start), Decimal(self.end)))
        return low <= value <= high and (value - Decimal(self.start)) % Decimal(self.step) == 0


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a checklist, or a group of them.

    kind: what answers it, a key of `KINDS`.
    items: those of a group, or of each row of a repeat; count: an expression for how many rows it has.
    relevant: an expression; while it is not true the item is not asked and its answer does not count.
    required, read_only: true, or an expression for when.
    constraint: an expression over `.`, the answer; constraint_message says it in words.
    default, prefill: what its editor begins with: a text, or an expression. It counts once a person confirms.
    calculate: an expression that answers it; nobody is asked.
    choices, list: what is chosen from: its own choices, or the checklist's list of that name.
    choice_filter: an expression over the columns of a choice, for whether it is offered.
    accept: endings of the file names that a "file" item takes, without the dot; all when empty.
    multiline: a "text" item may take several lines. media: files shown with it, by name.
    options: what a procedure is told, under the key `with`.
    role: what fieldkit itself does with the answer. Several items may have one, for different cases.
    save_to: the property of the checklist's entity that the answer sets.
    """

    id: str
    kind: Kind
    label: Words
    hint: Words | None = None
    guidance: Words | None = None
    required: bool | str = False
    required_message: Words | None = None
    choices: tuple[Choice, ...] = ()
    list: str = ""
    choice_filter: str = ""
    relevant: str = ""
    constraint: str = ""
    constraint_message: Words | None = None
    default: str = ""
    prefill: str = ""
    calculate: str = ""
    read_only: bool | str = False
    accept: tuple[str, ...] = ()
    multiline: bool = False
    range: Steps | None = None
    metadata: Metadata | None = None
    items: tuple[Item, ...] = ()
    count: str = ""
    procedure: str = ""
    options: dict[str, str | int | bool] = msgspec.field(name="with", default_factory=dict)
    role: Role | None = None
    media: tuple[str, ...] = ()
    appearance: str = ""
    save_to: str = ""

    @property
    def answered_by(self) -> AnsweredBy:
        """Who answers it; nobody does where it is only read."""
        return "nobody" if self.calculate or self.read_only is True else KINDS[self.kind].answered_by

    @property
    def shown(self) -> bool:
        """Whether a person sees it."""
        return KINDS[self.kind].shown

    def walk(self) -> Iterator[Item]:
        """It, and all that is in it, in order."""
        yield self
        for item in self.items:
            yield from item.walk()


_PUT = frozenset({"required", "required_message", "constraint", "constraint_message", "read_only", "save_to"})
_FILLED = _PUT | {"default", "prefill", "calculate"}
_CHOSEN = _FILLED | {"choices", "list", "choice_filter"}


class ItemKind:
    """What is special about the items of one kind; as it stands here, of those answered by a text.

    answered_by: see `Item`. shown: a person sees it. attaches: a file is the answer, copied into the store.
    holds: it has items of its own. several: several of its choices are an answer.
    type: what its answer is in expressions, None where there is none to compare.
    takes: the keys its items may have of those that not all have.
    question: its type in an XLSForm. questions: the types that are read as it, but for those with a list.
    typed: tables hold its answers as numbers or days.
    """

    answered_by: ClassVar[AnsweredBy] = "person"
    shown: ClassVar[bool] = True
    attaches: ClassVar[bool] = False
    holds: ClassVar[bool] = False
    several: ClassVar[bool] = False
    type: ClassVar[Type | None] = "text"
    takes: ClassVar[frozenset[str]] = _FILLED
    question: ClassVar[str]
    questions: ClassVar[tuple[str, ...]] = ()
    typed: ClassVar[bool] = False

    def choices(self, item: Item) -> tuple[Choice, ...]:
        """Those the item itself brings; nothing where anything may be entered, or a list is named."""
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
            raise invalid(M("A text is expected as the answer."))
        return self.parse(item, typed_input.clean(text, multiline=item.multiline))

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


class _Barcode(ItemKind):
    """A text that a scanner types; its Enter or Tab ends it."""

    question = "barcode"
    questions = ("barcode",)


class _Choice(ItemKind):
    takes = _CHOSEN
    question = "select_one"

    def choices(self, item: Item) -> tuple[Choice, ...]:
        return item.choices

    def incomplete(self, item: Item) -> Message | None:
        return (
            None
            if self.choices(item) or item.list
            else M("An item of kind `{kind}` needs `choices`, or a `list`.", kind=item.kind)
        )

    def parse(self, item: Item, text: str) -> Value:
        return typed_input.one_of(text, [choice.value for choice in self.choices(item)])

    def words(self, item: Item, answer: Any) -> Words:
        labels = {choice.value: choice.label for choice in self.choices(item)}
        values = answer if isinstance(answer, list | tuple) else [answer] if answer is not None else []
        return Words.joined("; ", [labels.get(str(value)) or Words.same(str(value)) for value in values])


class _Choices(_Choice):
    """Several of them; the answer is a list, in their order."""

    several = True
    type = "choices"
    question = "select_multiple"

    def normal(self, item: Item, value: Any) -> Value:
        values = (
            re.split(r"[\s,;]+", typed_input.composed(value).strip()) if isinstance(value, str) else value
        )
        if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
            raise invalid(M("A list of choices is expected as the answer."))
        known = [choice.value for choice in item.choices]
        named = [typed_input.composed(value).strip() for value in values if value.strip()]
        return self.chosen([typed_input.one_of(value, known) for value in named], known)

    def chosen(self, values: list[str], known: list[str]) -> list[str]:
        """What is stored of the values that were named, each one of `known`."""
        return [value for value in known if value in values]

    def term(self, answer: Any) -> Term:
        return tuple(answer or ())


class _Rank(_Choices):
    """All of them, in the order that the person gives them."""

    question = "rank"

    def chosen(self, values: list[str], known: list[str]) -> list[str]:
        if sorted(values) != sorted(known):
            raise invalid(M("All of them are put in order, once each: {known}.", known=" ".join(known)))
        return values


class _YesNo(_Choice):
    """ "yes", "no" or "n/a"."""

    takes = _FILLED

    def choices(self, item: Item) -> tuple[Choice, ...]:
        return YES_NO


class _Acknowledge(_Choice):
    """ "OK", which a person says by hand."""

    takes = _PUT
    question = "acknowledge"
    questions = ("acknowledge", "trigger")

    def choices(self, item: Item) -> tuple[Choice, ...]:
        return CONFIRMED


class _Number(ItemKind):
    """A decimal, as text."""

    type = "number"
    question = "decimal"
    questions: ClassVar[tuple[str, ...]] = ("decimal",)
    typed = True

    def normal(self, item: Item, value: Any) -> Value:
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            # a number as such is not two things
            return self.fitting(item, typed_input.stored_number(Decimal(value), str(value)))
        return super().normal(item, value)

    def parse(self, item: Item, text: str) -> Value:
        return self.fitting(item, typed_input.number(text))

    def fitting(self, item: Item, stored: str) -> str:
        """A number that the item takes."""
        return stored

    def term(self, answer: Any) -> Term:
        return number(answer or "")


class _Integer(_Number):
    """One without a fraction."""

    question = "integer"
    questions = ("integer", "int")

    def fitting(self, item: Item, stored: str) -> str:
        if "." in stored:
            raise invalid(M("Enter a whole number."))
        return stored


class _Range(_Number):
    """One of those from an end to the other."""

    takes = _FILLED | {"range"}
    question = "range"
    questions = ("range",)

    def incomplete(self, item: Item) -> Message | None:
        if item.range is None:
            return M("An item of kind `range` needs `range`, with `from` and `to`.")
        ends = [number(text) for text in (item.range.start, item.range.end, item.range.step)]
        if not all(end is not None and end.is_finite() for end in ends) or not ends[2] or ends[2] < 0:
            return M("`range` has numbers: `from`, `to`, and a `step` above 0.")
        return None

    def fitting(self, item: Item, stored: str) -> str:
        steps = item.range
        if steps is not None and not steps.holds(Decimal(stored)):
            raise invalid(
                M(
                    "Enter a number from {start} to {end}, in steps of {step}.",
                    start=steps.start,
                    end=steps.end,
                    step=steps.step,
                )
            )
        return stored


class _Date(ItemKind):
    """An ISO date."""

    type = "date"
    question = "date"
    questions = ("date",)
    typed = True

    def parse(self, item: Item, text: str) -> Value:
        return typed_input.day(text)

    def term(self, answer: Any) -> Term:
        return day(answer or "")

    def words(self, item: Item, answer: Any) -> Words:
        text = "" if answer is None else str(answer)
        return Words(day_first(text), text)


class _Time(ItemKind):
    """An ISO time of day."""

    type = "time"
    question = "time"
    questions = ("time",)

    def parse(self, item: Item, text: str) -> Value:
        return typed_input.time(text)

    def term(self, answer: Any) -> Term:
        return time_of_day(answer or "")

    def words(self, item: Item, answer: Any) -> Words:
        return Words.same(str(answer or "").removesuffix(":00"))


class _Datetime(ItemKind):
    """An ISO day with a time."""

    type = "datetime"
    question = "dateTime"
    questions = ("datetime",)

    def parse(self, item: Item, text: str) -> Value:
        return typed_input.moment(text)

    def term(self, answer: Any) -> Term:
        return moment(answer or "")

    def words(self, item: Item, answer: Any) -> Words:
        text = str(answer or "").replace("T", " ")[:16]
        return Words(day_first(text), text)


class _Place(ItemKind):
    """Latitude and longitude, as "21.0285 105.8542"; altitude and accuracy may follow."""

    question = "geopoint"
    questions = ("geopoint", "gps", "location")

    def parse(self, item: Item, text: str) -> Value:
        return typed_input.place(text)


class _File(ItemKind):
    """An attachment: {"sha256", "size", "name"}. endings: those a name may have where the item names none."""

    attaches = True
    takes = _PUT | {"accept"}
    question = "file"
    questions: ClassVar[tuple[str, ...]] = ("file",)
    endings: ClassVar[tuple[str, ...]] = ()

    def normal(self, item: Item, value: Any) -> Value:
        return typed_input.attachment(value, item.accept or self.endings)

    def term(self, answer: Any) -> Term:
        return str(answer["name"]) if answer else ""

    def words(self, item: Item, answer: Any) -> Words:
        return (
            Words.same(str(answer.get("name", "")))
            if isinstance(answer, dict)
            else super().words(item, answer)
        )


class _Image(_File):
    question = "image"
    questions: ClassVar[tuple[str, ...]] = ("image", "photo")
    endings = PICTURES


class _Audio(_File):
    question = "audio"
    questions = ("audio",)
    endings = SOUNDS


class _Video(_File):
    question = "video"
    questions = ("video",)
    endings = FILMS


class _Signature(_Image):
    """The picture of a signature; in an XLSForm an image with that appearance."""

    questions = ()


class _Note(ItemKind):
    """Only read."""

    answered_by: ClassVar[AnsweredBy] = "nobody"
    type: ClassVar[Type | None] = None
    takes = frozenset()
    question = "note"
    questions: ClassVar[tuple[str, ...]] = ("note",)

    def normal(self, item: Item, value: Any) -> Value:
        raise invalid(M("This item is not answered by a person."))


class _Calculate(_Note):
    """What an expression makes of other answers, or a text that is always the same. Nobody sees it."""

    shown = False
    type = "text"
    takes = frozenset({"calculate", "default", "save_to"})
    question = "calculate"
    questions = ("calculate", "hidden")

    def incomplete(self, item: Item) -> Message | None:
        return None if item.calculate or item.default else M("An item of kind `calculate` needs `calculate`.")


class _Metadata(_Note):
    """What is known of the filling in itself."""

    shown = False
    type = "text"
    takes = frozenset({"metadata", "save_to"})
    question = ""
    questions = ()

    def incomplete(self, item: Item) -> Message | None:
        return None if item.metadata else M("An item of kind `metadata` needs `metadata`.")


class _Group(_Note):
    """Items that belong together."""

    holds = True
    takes = frozenset({"items"})
    question = "begin_group"
    questions = ()

    def incomplete(self, item: Item) -> Message | None:
        return None if item.items else M("An item of kind `{kind}` needs `items`.", kind=item.kind)


class _Repeat(_Group):
    """Items that are answered once for each of its rows."""

    takes = frozenset({"items", "count"})
    question = "begin_repeat"


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
    "rank": _Rank(),
    "acknowledge": _Acknowledge(),
    "number": _Number(),
    "integer": _Integer(),
    "range": _Range(),
    "date": _Date(),
    "time": _Time(),
    "datetime": _Datetime(),
    "place": _Place(),
    "barcode": _Barcode(),
    "file": _File(),
    "image": _Image(),
    "audio": _Audio(),
    "video": _Video(),
    "signature": _Signature(),
    "note": _Note(),
    "calculate": _Calculate(),
    "metadata": _Metadata(),
    "group": _Group(),
    "repeat": _Repeat(),
    "procedure": _Procedure(),
}

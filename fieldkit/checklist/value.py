"""The values of expressions: what there are, and what each is as a number, a text, a day.

An answer that is missing is "" as a text and None as anything else: nothing equals '', and no comparison by
size holds with it. What is no number is NaN, as in XPath.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Context, Decimal
from typing import Literal, Protocol

import msgspec

Type = Literal["text", "number", "truth", "date", "datetime", "time", "choices", "nodes"]
"""What a part of an expression is; "nodes" is what several rows give."""

DIGITS = 40
LONGEST_STORED = 100_000
EXACT = Context(prec=100)  # no answer and no sum of answers has more digits
NAN = Decimal("NaN")
INFINITY = Decimal("Infinity")

_NUMBER = re.compile(r"-?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})")
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
_ZONE = r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
_MOMENT = re.compile(f"({_DAY})(?:[T ]({_TIME})({_ZONE}))?")
_CLOCK = re.compile(f"({_TIME})({_ZONE})")
_EPOCH = datetime.datetime(1970, 1, 1)
_SECONDS = 86_400
_SHOWN = 17
_WIDE = Context(prec=1000, traps=[])
_BLANK = " \t\r\n"


class Nodes(msgspec.Struct, frozen=True):
    """What several rows give, in order. As one value it is the first, as a condition whether there is one."""

    terms: tuple[Term, ...]


Term = (
    str | Decimal | bool | datetime.date | datetime.datetime | datetime.time | tuple[str, ...] | Nodes | None
)


class Scope(Protocol):
    """What an expression is evaluated in: the form as seen from the item at hand.

    now: the local time. seed: what chance is drawn from.
    """

    @property
    def seed(self) -> str: ...

    @property
    def now(self) -> datetime.datetime: ...

    def value(self, name: str) -> Term:
        """Of an item or a group, "" is the item at hand; `Nodes` where it is in a repeat that the item at
        hand is not in, for a repeat itself one for each row."""
        ...

    def position(self, of: str = "..") -> int:
        """The number of the row at hand, from 1. of: a repeat by its name, or so many steps up as `../..`."""
        ...

    def row(self, name: str, *at: tuple[str, int]) -> Term:
        """Of an item in the rows of these numbers of these repeats; None where there is no such row."""
        ...

    def label(self, name: str, value: str) -> str:
        """What people read for a choice of an item."""
        ...

    def listed(self, list: str) -> Sequence[Mapping[str, str]]:
        """The rows of a list of choices or of a table that the form brings, by column."""
        ...

    def column(self, name: str) -> Term:
        """Of the choice that a choice filter is asked about."""
        ...


def first(value: Term) -> Term:
    """As a single value."""
    while isinstance(value, Nodes):
        value = value.terms[0] if value.terms else None
    return value


def every(values: Sequence[Term]) -> Iterator[Term]:
    """All the values there are in these."""
    for value in values:
        if isinstance(value, Nodes):
            yield from value.terms
        else:
            yield value


def missing(value: Term) -> bool:
    """Whether there is nothing."""
    return first(value) in (None, "", ())


def truth(value: Term) -> bool:
    """As XPath has it: a text that is not empty, a number that is not 0, nodes where there are any."""
    match value:
        case Decimal():
            return not value.is_nan() and value != 0
        case Nodes(terms=terms):
            return bool(terms)
    return bool(value)


def number(value: Term) -> Decimal | None:
    """As a number: a day and a time are days since 1970, a time of day is a part of a day.

    None for a value that is missing, NaN for what is no number.
    """
    if isinstance(value, Decimal):
        return value
    match first(value):
        case None | "" | ():
            return None
        case Decimal() as decimal:
            return decimal
        case bool() as condition:
            return Decimal(int(condition))
        case datetime.datetime() as at:
            return _days(_local(at) - _EPOCH)
        case datetime.date() as date:
            return Decimal((date - _EPOCH.date()).days)
        case datetime.time() as time:
            return _days(_since_midnight(time))
        case str() as text:
            return _read(text)
        case (str() as text,):
            return _read(text)
    return NAN


def _read(text: str) -> Decimal | None:
    stripped = text.strip(_BLANK)
    if not stripped:
        return None
    if _NUMBER.fullmatch(stripped):
        return Decimal(stripped)
    at = moment(stripped)
    return NAN if at is None else number(at)


def _days(since: datetime.timedelta) -> Decimal:
    seconds = since.days * _SECONDS + since.seconds
    if not since.microseconds:
        whole, rest = divmod(seconds, _SECONDS)
        if not rest:
            return Decimal(whole)
    return Context(prec=DIGITS).divide(
        Decimal(seconds * 10**6 + since.microseconds), Decimal(_SECONDS * 10**6)
    )


def _local(at: datetime.datetime) -> datetime.datetime:
    """The same on the clock of here."""
    if at.tzinfo is None:
        return at
    try:
        return at.astimezone().replace(tzinfo=None)
    except (OverflowError, ValueError):
        return at.replace(tzinfo=None)


def _since_midnight(time: datetime.time) -> datetime.timedelta:
    at = _local(datetime.datetime.combine(datetime.date(2000, 1, 1), time))
    return at - datetime.datetime.combine(at.date(), datetime.time())


def text(value: Term) -> str:
    """As a text; choices are parted by spaces."""
    if isinstance(value, str):
        return value
    match first(value):
        case None:
            return ""
        case str() as same:
            return same
        case bool() as condition:
            return "true" if condition else "false"
        case Decimal() as decimal:
            return _shown(decimal)
        case datetime.datetime() | datetime.time() as at:
            return at.isoformat(timespec="milliseconds" if at.microsecond else "seconds")
        case datetime.date() as date:
            return date.isoformat()
        case tuple() as chosen:
            return " ".join(chosen)
    return ""


def stored(value: Term) -> str:
    """As a calculation's value is kept: a number that is none is nothing, a text too long ends with "…"."""
    single = first(value)
    if isinstance(single, Decimal) and single.is_nan():
        return ""
    whole = text(single)
    return whole if len(whole) <= LONGEST_STORED else f"{whole[: LONGEST_STORED - 1]}…"


def _shown(value: Decimal) -> str:
    """A number; one that could not be worked out to its end with no more digits than say something."""
    if value.is_finite() and len(value.as_tuple().digits) >= DIGITS:
        places = max(0, _SHOWN - 1 - value.adjusted())
        value = _WIDE.quantize(value, Decimal(1).scaleb(-places))
    return plain(value)


def plain(value: Decimal) -> str:
    """A number without exponent and without zeros that say nothing."""
    if value == 0:
        return "0"
    shown = f"{value:f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def day(value: Term) -> datetime.date | None:
    """As a date: from an ISO date or time, or from days since 1970."""
    at = moment(value)
    return None if at is None else at.date()


def moment(value: Term) -> datetime.datetime | None:
    """As a date and time on the clock of here: from ISO, or from days since 1970; a date is its midnight."""
    single = first(value)
    match single:
        case datetime.datetime():
            return _local(single)
        case datetime.date():
            return datetime.datetime.combine(single, datetime.time())
        case str() if match := _MOMENT.fullmatch(single.strip(_BLANK)):
            return _moment(match[1], match[2] or "00:00", match[3] or "")
        case Decimal() if single.is_finite() and abs(single) < 10**7:
            try:
                return _EPOCH + datetime.timedelta(milliseconds=round(single * _SECONDS * 1000))
            except OverflowError:
                return None
    return None


def _moment(date: str, time: str, zone: str) -> datetime.datetime | None:
    try:
        clock = datetime.time.fromisoformat(time)
        at = datetime.datetime.combine(datetime.date.fromisoformat(date), clock)
        return _local(at.replace(tzinfo=_zone(zone)))
    except ValueError:
        return None


def _zone(zone: str) -> datetime.tzinfo | None:
    return datetime.datetime.fromisoformat(f"2000-01-01T00:00{zone}").tzinfo if zone else None


def time_of_day(value: Term) -> datetime.time | None:
    """As a time of day on the clock of here: from ISO, or from a date and time."""
    single = first(value)
    match single:
        case datetime.time():
            return (_EPOCH + _since_midnight(single)).time()
        case datetime.datetime():
            return _local(single).time()
        case str() if match := _CLOCK.fullmatch(single.strip(_BLANK)):
            at = _moment("2000-01-01", match[1], match[2])
            return None if at is None else at.time()
        case str() if _MOMENT.fullmatch(single.strip(_BLANK)):
            at = moment(single)
            return None if at is None else at.time()
    return None

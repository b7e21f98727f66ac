"""The functions of expressions: what each takes and gives, and what it comes to.

Those that ask the form for something (today(), position(..), pulldata() …) are worked out in `evaluation`,
and so is if(), which leaves one of its values aside.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import functools
import hashlib
import math
import random
import re
import string
import unicodedata
import uuid
from collections.abc import Callable, Iterator, Sequence
from decimal import ROUND_FLOOR, Context, Decimal
from typing import Literal

import msgspec

from fieldkit.checklist.geometry import area, contains_point, length
from fieldkit.checklist.pattern import compiled
from fieldkit.checklist.value import (
    DIGITS,
    EXACT,
    INFINITY,
    NAN,
    Nodes,
    Term,
    Type,
    day,
    every,
    first,
    missing,
    moment,
    number,
    text,
    time_of_day,
    truth,
)

RANGE = Context(prec=DIGITS, Emax=400, Emin=-400, traps=[])
"""What numbers are worked out in: beyond it they are infinite, or 0."""

Wanted = Literal[
    "any", "text", "string", "number", "anynumber", "truth", "date", "time", "choices", "rows", "pattern",
    "places", "item", "group", "list", "column",
]  # fmt: skip
"""What an argument may be: "string" also a condition, "anynumber" also a text that is none; "item", "group",
"list" and "column" are names."""

MOST = 1000
LONGEST_RANDOM = 1000
DIGESTS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
ENCODINGS = ("base64", "hex")

_PI = Decimal("3.141592653589793238462643383279502884197")
_MODULUS = 2**31 - 1
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_COMMA = re.compile(r"-?[0-9]+,[0-9]+")
_BLANK = " \t\r\n"


class Function(msgspec.Struct, frozen=True):
    """takes: what each argument may be, for those that follow the last `repeated` of them again."""

    call: Callable[..., Term]
    takes: tuple[Wanted, ...]
    gives: Type
    fewest: int
    most: int
    repeated: int = 1

    def wanted(self, position: int) -> Wanted:
        """What the argument at a place may be."""
        past = position - len(self.takes)
        return self.takes[position if past < 0 else past % self.repeated - self.repeated]


def shuffled(terms: Sequence[Term], seed: Term) -> tuple[Term, ...]:
    """In another order, by Fisher and Yates inside out: always the same with a seed, by Park and Miller."""
    chances = _chances(seed)
    order: list[Term] = []
    for place, term in enumerate(terms):
        other = int(next(chances) * (place + 1))
        order.append(term)
        order[place], order[other] = order[other], order[place]
    return tuple(order)


def _chances(seed: Term) -> Iterator[float]:
    as_number = number(seed)
    if as_number is None or not as_number.is_finite():
        digest = hashlib.sha256(text(seed).encode()).digest()
        as_number = Decimal(int.from_bytes(digest[:8], "big"))
    state = int(as_number) % _MODULUS or _MODULUS - 1
    while True:
        state = state * 16807 % _MODULUS
        yield (state - 1) / (_MODULUS - 1)


# --- numbers


def _number(value: Term) -> Decimal:
    as_number = number(value)
    return NAN if as_number is None else as_number


def _numbers(values: Sequence[Term]) -> list[Decimal]:
    """Those that are not missing."""
    return [decimal for decimal in map(number, every(values)) if decimal is not None]


def _sum(*values: Term) -> Decimal:
    return functools.reduce(_SUM.add, _numbers(values), Decimal(0))


def _extreme(choose: Callable[[list[Decimal]], Decimal], values: Sequence[Term]) -> Decimal | None:
    numbers = _numbers(values)
    if any(decimal.is_nan() for decimal in numbers):
        return NAN
    return choose(numbers) if numbers else None


def _rounded(value: Term, digits: Term = Decimal(0)) -> Decimal:
    """To the nearest, of two the greater; without an end it is as it is."""
    single = first(value)
    if isinstance(single, str) and _COMMA.fullmatch(single.strip(_BLANK)):
        value = single.replace(",", ".")
    decimal, places = _number(value), _number(digits)
    if not decimal.is_finite() or not places.is_finite():
        return decimal if places.is_finite() else NAN
    fraction = -int(decimal.as_tuple().exponent)
    if fraction <= places:
        return decimal
    if places < RANGE.Emin:
        return Decimal(0)
    unit = Decimal(1).scaleb(-int(places))
    steps = _WIDE.divide(decimal, unit)
    return _WIDE.multiply(_WIDE.add(steps, Decimal("0.5")).to_integral_value(ROUND_FLOOR), unit)


def _whole(value: Term) -> Decimal:
    decimal = _number(value)
    return Decimal(int(decimal)) if decimal.is_finite() else decimal


def _to_floor(value: Term) -> Decimal:
    decimal = _number(value)
    return decimal.to_integral_value(ROUND_FLOOR) if decimal.is_finite() else decimal


def _to_ceiling(value: Term) -> Decimal:
    return _to_floor(_number(value).copy_negate()).copy_negate()


def _power(value: Term, power: Term) -> Decimal:
    base, exponent = _number(value), _number(power)
    if exponent == 0:
        return Decimal(1)
    return RANGE.power(base, exponent)


def _circular(function: Callable[..., float]) -> Callable[..., Decimal]:
    """A function of angles, NaN where it has no value."""

    def worked_out(*values: Term) -> Decimal:
        try:
            return Decimal(repr(function(*(float(_number(value)) for value in values))))
        except (ValueError, OverflowError):
            return NAN

    return worked_out


def by_chance(seed: str) -> Decimal:
    """A number from 0 to below 1; of one seed always the same."""
    return Decimal(repr(random.Random(seed).random()))  # noqa: S311 (nothing is kept secret by it)


# --- texts


def _among(chosen: Term) -> Sequence[str]:
    single = first(chosen)
    return single if isinstance(single, tuple) else text(single).split()


def _selected_at(chosen: Term, position: Term) -> str:
    among, place = _among(chosen), _number(position)
    return among[int(place)] if not place.is_nan() and 0 <= place < len(among) else ""


def _substring(value: Term, start: Term, end: Term = None) -> str:
    """From one place to another, counted from 0, from the end where below it."""
    begin, stop = _number(start), _number(end)
    if begin.is_nan():
        return ""
    whole = text(value)
    return whole[_place(begin) : None if stop.is_nan() else _place(stop)]


def _place(value: Decimal) -> int:
    return int(max(Decimal(-MOST_SIGNS), min(Decimal(MOST_SIGNS), value)))


MOST_SIGNS = 10**9


def _substring_by_count(value: Term, start: Term, count: Term = None) -> str:
    """As XPath's substring(): from a place counted from 1, so many."""
    begin = _rounded(start)
    end = INFINITY if count is None else RANGE.add(begin, _rounded(count))
    if begin.is_nan() or end.is_nan():
        return ""
    return text(value)[max(0, _place(begin) - 1) : max(0, _place(end) - 1)]


def _before(value: Term, mark: Term) -> str:
    whole, sign = text(value), text(mark)
    return whole.partition(sign)[0] if sign and sign in whole else ""


def _after(value: Term, mark: Term) -> str:
    sign = text(mark)
    return text(value).partition(sign)[2] if sign else text(value)


def _translated(value: Term, signs: Term, others: Term) -> str:
    instead: dict[int, str] = {}
    replacements = text(others)
    for place, sign in enumerate(text(signs)):
        instead.setdefault(ord(sign), replacements[place : place + 1])
    return text(value).translate(instead)


def _digest(value: Term, algorithm: Term, encoding: Term = "base64") -> str:
    name = DIGESTS.get(text(algorithm))
    if name is None:
        return ""
    digest = hashlib.new(name, text(value).encode("utf-8", "replace"), usedforsecurity=False).digest()
    return digest.hex() if text(encoding) == "hex" else base64.b64encode(digest).decode()


def _decoded(value: Term) -> str:
    """What was encoded, where it is a text that can be read."""
    try:
        decoded = base64.b64decode(text(value), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    unseen = (sign for sign in decoded if sign not in "\n\t" and unicodedata.category(sign) == "Cc")
    return "" if any(unseen) else decoded


def new_name(seed: str, length: Term = None) -> str:
    """A UUID, or so many letters and digits; of one seed always the same."""
    chance = random.Random(seed)  # noqa: S311 (nothing is kept secret by it)
    count = number(length)
    if count is None:
        return str(uuid.UUID(int=chance.getrandbits(128), version=4))
    signs = string.ascii_letters + string.digits
    wanted = int(count) if not count.is_nan() and 0 < count <= LONGEST_RANDOM else 0
    return "".join(chance.choice(signs) for _ in range(wanted))


# --- conditions


def _true_from(value: Term) -> bool:
    return text(value) in ("true", "1")


def _checklist(fewest: Term, most: Term, *values: Term) -> bool:
    return _within(Decimal(sum(map(truth, every(values)))), fewest, most)


def _weighted(fewest: Term, most: Term, *values: Term) -> bool:
    weights = (weight for value, weight in zip(values[::2], values[1::2], strict=False) if truth(value))
    return _within(_sum(*weights), fewest, most)


def _within(total: Decimal, fewest: Term, most: Term) -> bool:
    """A border of -1 is none."""
    low, high = _number(fewest), _number(most)
    if total.is_nan() or low.is_nan() or high.is_nan():
        return False
    return (low == -1 or total >= low) and (high == -1 or total <= high)


# --- days and times


def _decimal_time(value: Term) -> Decimal:
    return _number(time_of_day(value))


def _decimal_date_time(value: Term) -> Decimal:
    return _number(moment(value))


def _formatted(value: Term, pattern: Term) -> str:
    at = moment(value)
    if at is None:
        clock = time_of_day(value)
        if clock is None:
            return ""
        at = datetime.datetime.combine(datetime.date(1970, 1, 1), clock)
    return re.sub("%([YymnbdeaHhMS3%])", lambda mark: _FORMATS[mark[1]](at), text(pattern))


_FORMATS: dict[str, Callable[[datetime.datetime], str]] = {
    "Y": lambda at: f"{at.year:04}",
    "y": lambda at: f"{at.year % 100:02}",
    "m": lambda at: f"{at.month:02}",
    "n": lambda at: str(at.month),
    "b": lambda at: _MONTHS[at.month - 1],
    "d": lambda at: f"{at.day:02}",
    "e": lambda at: str(at.day),
    "a": lambda at: _WEEKDAYS[at.weekday()],
    "H": lambda at: f"{at.hour:02}",
    "h": lambda at: str(at.hour),
    "M": lambda at: f"{at.minute:02}",
    "S": lambda at: f"{at.second:02}",
    "3": lambda at: f"{at.microsecond // 1000:03}",
    "%": lambda at: "%",
}


# --- several values


def _coalesce(*values: Term) -> Term:
    return next((value for value in values if not missing(value)), values[-1])


def _count(*values: Term) -> Decimal:
    """The rows there are; of an answer that has no rows, whether it is there."""
    return Decimal(
        sum(len(value.terms) if isinstance(value, Nodes) else not missing(value) for value in values)
    )


def _not_empty(*values: Term) -> Decimal:
    return Decimal(sum(not missing(value) for value in every(values)))


def _points(value: Term) -> str:
    return ";".join(map(text, value.terms)) if isinstance(value, Nodes) else text(value)


def _elsewhere(*values: Term) -> Term:
    raise AssertionError("worked out where the form is known")


_SUM = Context(prec=EXACT.prec, traps=[])
_WIDE = Context(prec=1000, traps=[])

FUNCTIONS: dict[str, Function] = {
    # texts
    "string": Function(text, ("any",), "text", 1, 1),
    "concat": Function(lambda *values: "".join(map(text, every(values))), ("string",), "text", 0, MOST),
    "join": Function(
        lambda mark, *values: text(mark).join(map(text, every(values))), ("text", "string"), "text", 1, MOST
    ),
    "substr": Function(_substring, ("text", "number"), "text", 2, 3),
    "substring": Function(_substring_by_count, ("text", "number"), "text", 2, 3),
    "substring-before": Function(_before, ("text",), "text", 2, 2),
    "substring-after": Function(_after, ("text",), "text", 2, 2),
    "translate": Function(_translated, ("text",), "text", 3, 3),
    "contains": Function(lambda value, part: text(part) in text(value), ("text",), "truth", 2, 2),
    "starts-with": Function(lambda value, part: text(value).startswith(text(part)), ("text",), "truth", 2, 2),
    "ends-with": Function(lambda value, part: text(value).endswith(text(part)), ("text",), "truth", 2, 2),
    "string-length": Function(lambda value: Decimal(len(text(value))), ("text",), "number", 1, 1),
    "normalize-space": Function(lambda value: " ".join(text(value).split()), ("text",), "text", 1, 1),
    "regex": Function(
        lambda value, pattern: compiled(text(pattern)).matches(text(value)),
        ("text", "pattern"),
        "truth",
        2,
        2,
    ),
    "uuid": Function(_elsewhere, ("number",), "text", 0, 1),
    "digest": Function(_digest, ("text",), "text", 2, 3),
    "base64-decode": Function(_decoded, ("text",), "text", 1, 1),
    # conditions
    "not": Function(lambda value: not truth(value), ("truth",), "truth", 1, 1),
    "true": Function(lambda: True, (), "truth", 0, 0),
    "false": Function(lambda: False, (), "truth", 0, 0),
    "boolean": Function(truth, ("any",), "truth", 1, 1),
    "boolean-from-string": Function(_true_from, ("string",), "truth", 1, 1),
    "checklist": Function(_checklist, ("number", "number", "any"), "truth", 3, MOST),
    "weighted-checklist": Function(
        _weighted, ("number", "number", "any", "number"), "truth", 4, MOST, repeated=2
    ),
    # numbers
    "number": Function(_number, ("anynumber",), "number", 1, 1),
    "int": Function(_whole, ("anynumber",), "number", 1, 1),
    "round": Function(_rounded, ("anynumber", "number"), "number", 1, 2),
    "floor": Function(_to_floor, ("number",), "number", 1, 1),
    "ceiling": Function(_to_ceiling, ("number",), "number", 1, 1),
    "abs": Function(lambda value: _number(value).copy_abs(), ("number",), "number", 1, 1),
    "pow": Function(_power, ("number",), "number", 2, 2),
    "exp": Function(lambda value: RANGE.exp(_number(value)), ("number",), "number", 1, 1),
    "exp10": Function(lambda value: _power(Decimal(10), value), ("number",), "number", 1, 1),
    "log": Function(lambda value: RANGE.ln(_number(value)), ("number",), "number", 1, 1),
    "log10": Function(lambda value: RANGE.log10(_number(value)), ("number",), "number", 1, 1),
    "sqrt": Function(lambda value: RANGE.sqrt(_number(value)), ("number",), "number", 1, 1),
    "sin": Function(_circular(math.sin), ("number",), "number", 1, 1),
    "cos": Function(_circular(math.cos), ("number",), "number", 1, 1),
    "tan": Function(_circular(math.tan), ("number",), "number", 1, 1),
    "asin": Function(_circular(math.asin), ("number",), "number", 1, 1),
    "acos": Function(_circular(math.acos), ("number",), "number", 1, 1),
    "atan": Function(_circular(math.atan), ("number",), "number", 1, 1),
    "atan2": Function(_circular(math.atan2), ("number",), "number", 2, 2),
    "pi": Function(lambda: _PI, (), "number", 0, 0),
    "random": Function(_elsewhere, (), "number", 0, 0),
    # several values
    "sum": Function(_sum, ("number",), "number", 1, MOST),
    "min": Function(lambda *values: _extreme(min, values), ("number",), "number", 1, MOST),
    "max": Function(lambda *values: _extreme(max, values), ("number",), "number", 1, MOST),
    "count": Function(_count, ("rows",), "number", 1, MOST),
    "count-non-empty": Function(_not_empty, ("rows",), "number", 1, MOST),
    "coalesce": Function(_coalesce, ("any",), "text", 2, MOST),
    "randomize": Function(
        lambda value, seed: Nodes(shuffled(tuple(every([value])), seed)), ("rows", "any"), "nodes", 1, 2
    ),
    # choices
    "selected": Function(
        lambda chosen, value: text(value).strip(_BLANK) in _among(chosen), ("choices", "text"), "truth", 2, 2
    ),
    "selected-at": Function(_selected_at, ("choices", "number"), "text", 2, 2),
    "count-selected": Function(lambda value: Decimal(len(_among(value))), ("choices",), "number", 1, 1),
    "jr:choice-name": Function(_elsewhere, ("text", "item"), "text", 2, 2),
    # days and times
    "today": Function(_elsewhere, (), "date", 0, 0),
    "now": Function(_elsewhere, (), "datetime", 0, 0),
    "date": Function(day, ("date",), "date", 1, 1),
    "date-time": Function(moment, ("date",), "datetime", 1, 1),
    "decimal-date-time": Function(_decimal_date_time, ("date",), "number", 1, 1),
    "decimal-time": Function(_decimal_time, ("time",), "number", 1, 1),
    "format-date": Function(_formatted, ("date", "text"), "text", 2, 2),
    "format-date-time": Function(_formatted, ("date", "text"), "text", 2, 2),
    # places
    "area": Function(lambda value: area(_points(value)), ("places",), "number", 1, 1),
    "enclosed-area": Function(lambda value: area(_points(value)), ("places",), "number", 1, 1),
    "distance": Function(
        lambda *values: length(";".join(map(_points, values))), ("places",), "number", 1, MOST
    ),
    "geofence": Function(
        lambda point, shape: contains_point(_points(shape), text(point)), ("places",), "truth", 2, 2
    ),
    # the form
    "if": Function(_elsewhere, ("truth", "any"), "text", 3, 3),
    "once": Function(_elsewhere, ("any",), "text", 1, 1),
    "position": Function(_elsewhere, ("group",), "number", 0, 1),
    "last": Function(_elsewhere, (), "number", 0, 0),
    "indexed-repeat": Function(_elsewhere, ("item", "group", "number"), "text", 3, 7, repeated=2),
    "pulldata": Function(_elsewhere, ("list", "column", "column", "text"), "text", 4, 4),
}

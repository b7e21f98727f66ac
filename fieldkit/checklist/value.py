"""What an expression comes to, given answers: values, functions, evaluation. Types are checked in `meaning`.

An answer that is missing is "" as a text and nothing (None) as a number or date: nothing equals '',
and no comparison by size holds with it.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Callable, Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, InvalidOperation, localcontext

from fieldkit.checklist.expression import FunctionCall, Literal, Node, Operation, Reference
from fieldkit.checklist.pattern import compiled

Term = str | Decimal | bool | datetime.date | tuple[str, ...] | None
_NUMBER = re.compile(r"-?\d{1,30}(\.\d{1,30})?")
_EXACT = Context(prec=100)  # no answer and no sum of answers has more digits
_EPOCH = datetime.date(1970, 1, 1)


def evaluate(node: Node, value_of: Callable[[str], Term], today: datetime.date) -> Term:
    """The value of a tree. value_of: gives the value of an item by its id, and by "" that of `.`."""
    match node:
        case Literal(value=value):
            return value
        case Reference(name=name):
            return value_of(name)
        case Operation(operator="and" | "or" as operator, operands=(left, right)):
            first = truth(evaluate(left, value_of, today))
            return first if first is (operator == "or") else truth(evaluate(right, value_of, today))
        case Operation(operator=operator, operands=operands):
            return _operate(operator, [evaluate(operand, value_of, today) for operand in operands])
        case FunctionCall(function="if", arguments=(condition, yes, no)):
            return evaluate(yes if truth(evaluate(condition, value_of, today)) else no, value_of, today)
        case FunctionCall(function="today"):
            return today
        case FunctionCall(function=name, arguments=arguments):
            return FUNCTIONS[name](*(evaluate(argument, value_of, today) for argument in arguments))


def truth(value: Term) -> bool:
    """As XPath has it: a text that is not empty, a number that is not 0."""
    return bool(value)


def number(value: Term) -> Decimal | None:
    """As a number: a date is its days since 1970; None where it is none."""
    match value:
        case bool():
            return Decimal(int(value))
        case Decimal() | None:
            return value
        case datetime.date():
            return Decimal((value - _EPOCH).days)
        case str():
            stripped = value.strip()
            return Decimal(stripped) if _NUMBER.fullmatch(stripped) else None
    return None


def text(value: Term) -> str:
    """As a text; choices are parted by spaces."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            return plain(value)
        case datetime.date():
            return value.isoformat()
        case tuple():
            return " ".join(value)
    return value


def day(value: Term) -> datetime.date | None:
    """As a date: from an ISO date, or from days since 1970."""
    match value:
        case datetime.date() | None:
            return value
        case str():
            try:
                return datetime.date.fromisoformat(value)
            except ValueError:
                return None
    days = number(value)
    try:
        return _EPOCH + datetime.timedelta(days=int(days)) if days is not None else None
    except (OverflowError, ValueError):
        return None


def plain(value: Decimal) -> str:
    """A number without exponent and without zeros that say nothing."""
    if value == 0:
        return "0"
    shown = f"{value:f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _operate(operator: str, operands: Sequence[Term]) -> Term:
    if len(operands) == 1:
        value = number(operands[0])
        return None if value is None else value.copy_negate()
    left, right = operands
    if operator in ("=", "!="):
        return _equal(left, right) is (operator == "=")
    one, other = number(left), number(right)
    if operator in ("<", "<=", ">", ">="):
        return one is not None and other is not None and _COMPARE[operator](one, other)
    if one is None or other is None:
        return None
    try:
        with localcontext() as context:
            context.prec = 40
            return _CALCULATE[operator](one, other)
    except (InvalidOperation, ArithmeticError):
        return None


def _equal(left: Term, right: Term) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return truth(left) == truth(right)
    numeric = isinstance(left, Decimal | datetime.date) or isinstance(right, Decimal | datetime.date)
    if numeric:
        one, other = number(left), number(right)
        return one is not None and one == other
    return text(left) == text(right)


_COMPARE: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}
_CALCULATE: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
    "div": lambda one, other: one / other,
    "mod": lambda one, other: one % other,
}


def _numbers(values: Sequence[Term]) -> list[Decimal]:
    return [decimal for decimal in map(number, values) if decimal is not None]


def _sum(*values: Term) -> Decimal:
    return functools.reduce(_EXACT.add, _numbers(values), Decimal(0))


def _selected(chosen: Term, value: Term) -> bool:
    among = chosen if isinstance(chosen, tuple) else text(chosen).split()
    return text(value) in among


def _matches(value: Term, pattern: Term) -> bool:
    return compiled(text(pattern)).matches(text(value))


def _coalesce(*values: Term) -> Term:
    return next((value for value in values if value not in ("", None, ())), values[-1])


def _part(value: Term, start: Term, end: Term = None) -> str:
    first, last = number(start), number(end)
    if first is None:
        return ""
    return text(value)[int(first) : None if last is None else int(last)]


def _rounded(value: Term, digits: Term = Decimal(0)) -> Decimal | None:
    decimal, places = number(value), number(digits)
    if decimal is None or places is None or not 0 <= places <= 10:
        return None
    try:
        return decimal.quantize(Decimal(1).scaleb(-int(places)), ROUND_HALF_UP, _EXACT)
    except InvalidOperation:
        return None


def _whole(value: Term) -> Decimal | None:
    decimal = number(value)
    return None if decimal is None else Decimal(int(decimal))


def _floor(value: Term) -> Decimal | None:
    decimal = number(value)
    return None if decimal is None else decimal.to_integral_value(ROUND_FLOOR)


def _size(value: Term) -> Decimal | None:
    decimal = number(value)
    return None if decimal is None else decimal.copy_abs()


FUNCTIONS: dict[str, Callable[..., Term]] = {
    "not": lambda value: not truth(value),
    "true": lambda: True,
    "false": lambda: False,
    "boolean": truth,
    "selected": _selected,
    "count-selected": lambda value: Decimal(len(value if isinstance(value, tuple) else text(value).split())),
    "count": lambda *values: Decimal(sum(1 for value in values if value not in ("", None, ()))),
    "sum": _sum,
    "min": lambda *values: min(_numbers(values), default=None),
    "max": lambda *values: max(_numbers(values), default=None),
    "coalesce": _coalesce,
    "regex": _matches,
    "contains": lambda value, part: text(part) in text(value),
    "starts-with": lambda value, start: text(value).startswith(text(start)),
    "ends-with": lambda value, end: text(value).endswith(text(end)),
    "string-length": lambda value: Decimal(len(text(value))),
    "normalize-space": lambda value: " ".join(text(value).split()),
    "concat": lambda *values: "".join(map(text, values)),
    "substr": _part,
    "string": text,
    "number": number,
    "int": _whole,
    "floor": _floor,
    "round": _rounded,
    "abs": _size,
    "date": day,
}

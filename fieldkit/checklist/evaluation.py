"""What an expression comes to, in a form as seen from one of its items. Types are checked in `meaning`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal
from typing import Any, Protocol, TypeVar

import msgspec

from fieldkit.checklist.comparison import COMPARISONS, compare
from fieldkit.checklist.expression import (
    Column,
    Filtered,
    FunctionCall,
    Literal,
    Node,
    Operation,
    Reference,
    Selection,
)
from fieldkit.checklist.functions import FUNCTIONS, RANGE, by_chance, new_name, shuffled
from fieldkit.checklist.value import (
    NAN,
    Nodes,
    Scope,
    Term,
    every,
    missing,
    number,
    text,
    truth,
)

_REMAINDER = Context(prec=1000, traps=[])  # of the largest number and the smallest there is a whole quotient


class _Row(Protocol):
    """A row that a condition in […] is asked about."""

    def column(self, name: str) -> Term:
        """What it has of that name; "" is the row itself."""
        ...


class _ListRow(msgspec.Struct, frozen=True):
    columns: Mapping[str, str]

    def column(self, name: str) -> Term:
        return self.columns.get(name or "name", "")


class _RepeatRow(msgspec.Struct, frozen=True):
    scope: Scope
    repeat: str
    number: int
    term: Term

    def column(self, name: str) -> Term:
        return self.scope.row(name, (self.repeat, self.number)) if name else self.term


_Tables = dict[tuple[str, str], dict[str, Mapping[str, str]]]
"""By list and column, the first row of each value."""


class _At(msgspec.Struct, frozen=True):
    """Where a condition in […] is asked: at which row, the how manieth, of how many."""

    row: _Row
    position: int
    size: int
    tables: _Tables


class _Known(msgspec.Struct, frozen=True):
    """What a part of a condition comes to that is the same for every row."""

    value: Term
    at: int


def evaluate(node: Node, scope: Scope) -> Term:
    """The value of a tree."""
    return _value(node, scope, None)


def _value(node: Node, scope: Scope, at: _At | None) -> Term:
    return _VALUES[type(node)](node, scope, at)


def _operation(node: Operation, scope: Scope, at: _At | None) -> Term:
    operator, operands = node.operator, node.operands
    if operator in ("and", "or"):
        ends = operator == "or"
        for operand in operands:
            if truth(_value(operand, scope, at)) is ends:
                return ends
        return not ends
    if operator in COMPARISONS:
        left, right = operands
        return compare(operator, _value(left, scope, at), _value(right, scope, at))
    worked_out = _number(_value(operands[0], scope, at))
    if len(operands) == 1:
        return worked_out.copy_negate()
    calculate = _CALCULATE[operator]
    for operand in operands[1:]:
        worked_out = calculate(worked_out, _number(_value(operand, scope, at)))
    return worked_out


def _call(node: FunctionCall, scope: Scope, at: _At | None) -> Term:
    name, arguments = node.function, node.arguments
    if name == "if":
        condition, yes, no = arguments
        return _value(yes if truth(_value(condition, scope, at)) else no, scope, at)
    asking = _ASKING.get(name)
    if asking is not None:
        return asking(arguments, scope, at)
    if name in ("random", "uuid") or (name == "randomize" and len(arguments) == 1):
        return _by_chance(node, scope, at)
    return FUNCTIONS[name].call(*[_value(argument, scope, at) for argument in arguments])


def _by_chance(node: FunctionCall, scope: Scope, at: _At | None) -> Term:
    """Chance comes out the same whenever the form is read: a record is proved by making it again."""
    seed = f"{scope.seed} {node.at}"
    values = [_value(argument, scope, at) for argument in node.arguments]
    match node.function:
        case "random":
            return by_chance(seed)
        case "uuid":
            return new_name(seed, *values)
    return Nodes(shuffled(tuple(every(values)), seed))


def _column(node: Column, scope: Scope, at: _At | None) -> Term:
    return scope.column(node.name) if at is None else at.row.column(node.name)


def _selection(node: Selection, scope: Scope, at: _At | None) -> Term:
    rows = [_ListRow(columns) for columns in scope.listed(node.list)]
    return Nodes(tuple(row.column(node.column) for row in _kept(node.conditions, rows, scope)))


def _filtered(node: Filtered, scope: Scope, at: _At | None) -> Term:
    terms = every([scope.value(node.name)])
    rows = [_RepeatRow(scope, node.name, number, term) for number, term in enumerate(terms, start=1)]
    return Nodes(tuple(row.column(node.item) for row in _kept(node.conditions, rows, scope)))


_VALUES: dict[type[Node | _Known], Callable[[Any, Scope, _At | None], Term]] = {
    Literal: lambda node, scope, at: node.value,
    Reference: lambda node, scope, at: scope.value(node.name),
    Operation: _operation,
    FunctionCall: _call,
    Column: _column,
    Selection: _selection,
    Filtered: _filtered,
    _Known: lambda node, scope, at: node.value,
}


# --- operators


def _number(value: Term) -> Decimal:
    as_number = number(value)
    return NAN if as_number is None else as_number


_CALCULATE: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": RANGE.add,
    "-": RANGE.subtract,
    "*": RANGE.multiply,
    "div": RANGE.divide,
    "mod": _REMAINDER.remainder,
}


# --- rows


_AnyRow = TypeVar("_AnyRow", bound=_Row)


def _kept(conditions: Sequence[Node], rows: Sequence[_AnyRow], scope: Scope) -> Sequence[_AnyRow]:
    """The rows for which all conditions hold, each asked about those that are left by the one before it."""
    for condition in conditions:
        rows = _holding(_settled(condition, scope), rows, scope)
    return rows


def _holding(condition: Node | _Known, rows: Sequence[_AnyRow], scope: Scope) -> Sequence[_AnyRow]:
    match condition:
        case Literal(value=value) | _Known(value=value):
            if not isinstance(value, Decimal):
                return rows if truth(value) else ()
            return [row for number, row in enumerate(rows, start=1) if number == value]
        case Operation(
            operator="=", operands=(Column(name=name), Literal(value=value) | _Known(value=value))
        ):
            return [row for row in rows if compare("=", row.column(name), value)]
    tables: _Tables = {}
    places = (_At(row, position, len(rows), tables) for position, row in enumerate(rows, start=1))
    return [row for row, at in zip(rows, places, strict=True) if _holds(condition, scope, at)]


def _settled(node: Node, scope: Scope) -> Any:
    """A condition with all that is the same for every row worked out, so that no row asks for it again."""
    if not _varies(node):
        return node if isinstance(node, Literal) else _Known(_value(node, scope, None), node.at)
    match node:
        case Operation(operands=operands):
            settled = tuple(_settled(operand, scope) for operand in operands)
            return msgspec.structs.replace(node, operands=settled)
        case FunctionCall(function=name, arguments=arguments):
            named = name in _NAMING
            settled = tuple(
                argument if named and isinstance(argument, Reference) else _settled(argument, scope)
                for argument in arguments
            )
            return msgspec.structs.replace(node, arguments=settled)
    return node


def _varies(node: Node) -> bool:
    """Whether it may come to something else in another row."""
    match node:
        case Column():
            return True
        case Operation(operands=below):
            return any(map(_varies, below))
        case FunctionCall(function=name, arguments=below):
            return (
                name in _VARYING or (name in ("position", "last") and not below) or any(map(_varies, below))
            )
    return False


_NAMING = ("indexed-repeat", "jr:choice-name")
_VARYING = ("random", "uuid", "randomize")


def _holds(condition: Node, scope: Scope, at: _At) -> bool:
    value = _value(condition, scope, at)
    if isinstance(value, Decimal):  # a number is that of a row
        return value == at.position
    return truth(value)


# --- functions that ask the form


def _once(arguments: Sequence[Node], scope: Scope, at: _At | None) -> Term:
    value = scope.value("")
    return _value(arguments[0], scope, at) if missing(value) else value


def _position(arguments: Sequence[Node], scope: Scope, at: _At | None) -> Term:
    match arguments:
        case (Reference(name=".."),):
            return Decimal(scope.position())
        case (Reference(name=of),):
            return Decimal(scope.position(of))
    return Decimal(at.position) if at is not None else NAN


def _last(arguments: Sequence[Node], scope: Scope, at: _At | None) -> Term:
    return Decimal(at.size) if at is not None else NAN


def _indexed(arguments: Sequence[Node], scope: Scope, at: _At | None) -> Term:
    """A number that is missing is that of the first row."""
    rows: list[tuple[str, int]] = []
    for group, position in zip(arguments[1::2], arguments[2::2], strict=True):
        row = _number(_value(position, scope, at))
        if row.is_nan():
            row = Decimal(1)
        if not isinstance(group, Reference) or row.is_infinite() or row < 1:
            return None
        rows.append((group.name, int(row)))
    item = arguments[0]
    return scope.row(item.name, *rows) if isinstance(item, Reference) else None


def _label(arguments: Sequence[Node], scope: Scope, at: _At | None) -> Term:
    value, item = arguments
    return scope.label(item.name, text(_value(value, scope, at))) if isinstance(item, Reference) else ""


def _pulled(arguments: Sequence[Node], scope: Scope, at: _At | None) -> Term:
    list, column, key, value = (text(_value(argument, scope, at)) for argument in arguments)
    if at is None:
        return next((row.get(column, "") for row in scope.listed(list) if row.get(key, "") == value), "")
    if (list, key) not in at.tables:
        at.tables[list, key] = {row.get(key, ""): row for row in reversed(scope.listed(list))}
    return at.tables[list, key].get(value, {}).get(column, "")


_Asking = Callable[[Sequence[Node], Scope, "_At | None"], Term]
_ASKING: dict[str, _Asking] = {
    "today": lambda arguments, scope, at: scope.now.date(),
    "now": lambda arguments, scope, at: scope.now,
    "once": _once,
    "position": _position,
    "last": _last,
    "indexed-repeat": _indexed,
    "jr:choice-name": _label,
    "pulldata": _pulled,
}

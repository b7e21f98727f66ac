"""What an expression may say about a form: its items are there, its types fit, its values can occur.

So that a slip of the pen ("flie" for "file") is found when the form is read, not at a bureau. One thing is
taken as another as XPath has it; what can never come to anything is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from decimal import Decimal
from typing import Protocol

from fieldkit.checklist.errors import ExpressionInvalid
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
from fieldkit.checklist.functions import DIGESTS, ENCODINGS, FUNCTIONS, Function, Wanted
from fieldkit.checklist.geometry import places
from fieldkit.checklist.kinds import KINDS, Item
from fieldkit.checklist.pattern import PatternInvalid, compiled
from fieldkit.checklist.value import Type, moment, number, time_of_day
from fieldkit.text import M, Message

_CALLED: dict[Type, Message] = {
    "text": M("a text"),
    "number": M("a number"),
    "truth": M("a condition"),
    "date": M("a date"),
    "datetime": M("a date and time"),
    "time": M("a time"),
    "choices": M("several choices"),
    "nodes": M("what several rows hold"),
}
_TYPES: dict[Wanted, tuple[Type, ...]] = {
    "any": ("text", "number", "truth", "date", "datetime", "time", "choices", "nodes"),
    "rows": ("text", "number", "truth", "date", "datetime", "time", "choices", "nodes"),
    "truth": ("text", "number", "truth", "date", "datetime", "time", "choices", "nodes"),
    "string": ("text", "number", "truth", "date", "datetime", "time", "choices", "nodes"),
    "anynumber": ("text", "number", "truth", "date", "datetime", "time", "choices", "nodes"),
    "text": ("text", "number", "date", "datetime", "time", "choices", "nodes"),
    "number": ("number", "text", "truth", "date", "datetime", "time", "nodes"),
    "date": ("date", "datetime", "text", "number", "nodes"),
    "time": ("time", "datetime", "text", "nodes"),
    "choices": ("choices", "text", "nodes"),
    "pattern": ("text",),
    "places": ("text", "nodes"),
}
_OF_TYPE: dict[Type, Wanted] = {
    "text": "string",
    "number": "number",
    "truth": "truth",
    "date": "date",
    "datetime": "date",
    "time": "time",
    "choices": "choices",
    "nodes": "rows",
}
_UNTRUE = ("no", "n", "0", "false", "n/a", "khong", "không")


class Names(Protocol):
    """What a form has, as seen from the item at hand."""

    def item(self, name: str) -> Item | None:
        """An item of that name."""
        ...

    def type(self, name: str) -> Type | None:
        """What the answer of an item is; None where there is none to compare."""
        ...

    def group(self, name: str) -> bool:
        """Whether it is a group, or a repeat."""
        ...

    def repeated(self, name: str) -> bool:
        """Whether the item is in a repeat that the item at hand is not in."""
        ...

    def columns(self, list: str) -> Collection[str] | None:
        """The columns of a list; None where there is no such list."""
        ...

    def ids(self) -> Collection[str]:
        """All names there are."""
        ...


def check(
    node: Node,
    form: Names,
    this: Item | None = None,
    wanted: Type | None = "truth",
    columns: Collection[str] | None = None,
) -> Type:
    """What `node` comes to in a form. wanted: what it has to be good for. this: whose answer `.` is.

    columns: those of the choices that it filters; without them a bare name is none.

    :raises ExpressionInvalid: with the place of the first thing that is wrong.
    """
    checker = _Checker(form, this, columns)
    return checker.type_of(node) if wanted is None else checker.want(node, _OF_TYPE[wanted])


class _Checker:
    def __init__(self, form: Names, this: Item | None, columns: Collection[str] | None) -> None:
        self._form = form
        self._this = this
        self._columns = columns
        self._rows: list[Callable[[Column], Type]] = []

    def type_of(self, node: Node) -> Type:
        match node:
            case Literal(value=value):
                return "number" if isinstance(value, Decimal) else "text"
            case Reference():
                return self._reference(node)
            case Column():
                return self._rows[-1](node) if self._rows else self._column(node, self._columns)
            case Selection():
                return self._selection(node)
            case Filtered():
                return self._filtered(node)
            case Operation(operator="and" | "or", operands=operands):
                for operand in operands:
                    self.want(operand, "truth")
                return "truth"
            case Operation(operator="=" | "!=", operands=(left, right)):
                self._equal(left, right)
                return "truth"
            case Operation(operator="<" | "<=" | ">" | ">=", operands=(left, right)):
                self._sized(left, right)
                return "truth"
            case Operation(operands=operands):
                for operand in operands:
                    self.want(operand, "number")
                return "number"
            case FunctionCall():
                return self._call(node)

    # --- names

    def _reference(self, node: Reference, *, row: bool = False) -> Type:
        """row: it is asked of a row of a repeat, in which it is."""
        name = node.name
        if not name and self._this is None:
            raise ExpressionInvalid(M("`.` is the answer of a constraint's own item; here is none."), node.at)
        if name.startswith(".."):
            raise ExpressionInvalid(M("`..` is a group: position(..) is the number of its row."), node.at)
        if self._form.group(name):
            message = M("`{id}` is a group: only count(), position() and […] take one.", id=name)
            raise ExpressionInvalid(message, node.at)
        item = self._item(node)
        if item is None:
            raise ExpressionInvalid(self._unknown(name), node.at)
        type = self._form.type(item.id)
        if type is None:
            message = M(
                "`{id}` is of kind `{kind}`: it has no answer to compare.", id=item.id, kind=item.kind
            )
            raise ExpressionInvalid(message, node.at)
        return "nodes" if name and not row and self._form.repeated(name) else type

    def _item(self, node: Node) -> Item | None:
        match node:
            case Reference(name=""):
                return self._this
            case Reference(name=name) | Filtered(item="", name=name) | Filtered(item=name):
                return self._form.item(name)
        return None

    def _unknown(self, name: str) -> Message:
        near = _near(name, self._form.ids())
        if near:
            return M("The checklist has no item `{id}`; is `{near}` meant?", id=name, near=near)
        return M("The checklist has no item `{id}`.", id=name)

    def _column(self, node: Column, columns: Collection[str] | None) -> Type:
        if columns is None:
            message = M(
                "`{name}` is not known here. A text stands in quotes, an item in ${{…}}.", name=node.name
            )
            raise ExpressionInvalid(message, node.at)
        if node.name and node.name not in columns:
            raise ExpressionInvalid(_no_column(node.name, columns), node.at)
        return "text"

    def _selection(self, node: Selection) -> Type:
        columns = self._listed(node.list, node.at)
        if node.column and node.column not in columns:
            raise ExpressionInvalid(_no_column(node.column, columns), node.at)
        self._conditions(node.conditions, lambda column: self._column(column, columns))
        return "nodes"

    def _listed(self, list: str, at: int) -> Collection[str]:
        columns = self._form.columns(list)
        if columns is None:
            raise ExpressionInvalid(M("The form has no list `{list}`.", list=list), at)
        return columns

    def _filtered(self, node: Filtered) -> Type:
        group = self._form.group(node.name)
        if not group and self._form.item(node.name) is None:
            raise ExpressionInvalid(self._unknown(node.name), node.at)
        if node.item and not group:
            raise ExpressionInvalid(M("`{id}` is not a group.", id=node.name), node.at)
        if node.item:
            self._reference(Reference(node.item, node.at))
        self._conditions(node.conditions, self._inside)
        return "nodes"

    def _inside(self, column: Column) -> Type:
        """What a bare name is in a row of a repeat."""
        if not column.name:
            return "text"
        return self._reference(Reference(column.name, column.at), row=True)

    def _conditions(self, conditions: Sequence[Node], type_of_column: Callable[[Column], Type]) -> None:
        self._rows.append(type_of_column)
        for condition in conditions:
            self.want(condition, "truth")
        self._rows.pop()

    # --- what is wanted

    def want(self, node: Node, wanted: Wanted) -> Type:
        """The type of a part that has to be good for something."""
        if wanted == "rows" and isinstance(node, Reference) and self._form.group(node.name):
            return "nodes"
        type = self.type_of(node)
        if type not in _TYPES[wanted]:
            message = M(
                "This is {found}; expected: {types}.", found=_CALLED[type], types=_any_of(_TYPES[wanted])
            )
            raise ExpressionInvalid(message, node.at)
        if wanted == "truth":
            self._can_be_untrue(node)
        elif wanted == "number":
            self._can_be_sized(node)
        elif wanted in ("date", "time") and isinstance(node, Literal) and isinstance(node.value, str):
            _fits(node, node.value, wanted)
        elif wanted == "pattern":
            _pattern(node)
        elif wanted == "places" and isinstance(node, Literal) and not places(str(node.value)):
            raise ExpressionInvalid(M("This is not a place, such as 21.03 105.85."), node.at)
        return type

    def _can_be_untrue(self, node: Node) -> None:
        if isinstance(node, Literal) and isinstance(node.value, str) and node.value:
            raise ExpressionInvalid(M("A condition is expected here, such as ${item} = 'yes'."), node.at)
        item = self._item(node)
        values = [] if item is None else [choice.value for choice in KINDS[item.kind].choices(item)]
        untrue = [value for value in values if value.casefold() in _UNTRUE]
        if item is not None and untrue:
            message = M(
                "A condition is expected here: `{id}` as such is true with every answer, with `{value}` too.",
                id=item.id,
                value=untrue[0],
            )
            raise ExpressionInvalid(message, node.at)

    def _can_be_sized(self, node: Node) -> None:
        """A text that is no number, and an item none of whose values is one, are never more or less."""
        if isinstance(node, Literal):
            if not _is_size(node.value):
                raise ExpressionInvalid(M("`{value}` is not a number.", value=str(node.value)), node.at)
            return
        item = self._item(node)
        if item is None:
            return
        known = [choice.value for choice in KINDS[item.kind].choices(item)]
        if known and not any(map(_is_size, known)):
            message = M("`{id}` is never a number. Its values: {known}.", id=item.id, known=", ".join(known))
            raise ExpressionInvalid(message, node.at)

    # --- comparing

    def _equal(self, left: Node, right: Node) -> None:
        one, other = self.type_of(left), self.type_of(right)
        if _is_empty(left) or _is_empty(right):
            return
        self._can_occur(left, right)
        self._can_occur(right, left)
        self._alike(left, right, one, other)

    def _sized(self, left: Node, right: Node) -> None:
        one, other = self.type_of(left), self.type_of(right)
        for node, type, against in ((left, one, other), (right, other, one)):
            if type == "choices":
                message = M("An item of several choices is asked with selected(${item}, 'value').")
                raise ExpressionInvalid(message, node.at)
            if against not in ("date", "datetime", "time"):
                self._can_be_sized(node)
        self._alike(left, right, one, other)

    def _alike(self, left: Node, right: Node, one: Type, other: Type) -> None:
        """Whether two parts can be compared at all."""
        types = {one, other}
        for node, against in ((left, other), (right, one)):
            if isinstance(node, Literal) and isinstance(node.value, str):
                if against in ("date", "datetime", "time"):
                    _fits(node, node.value, "time" if against == "time" else "date")
                    return
                if against == "truth" and not self._is_truth(node.value, right if node is left else left):
                    message = M("A condition is compared with true() or false().")
                    raise ExpressionInvalid(message, node.at)
                if against == "number" and not _is_number(node.value):
                    raise ExpressionInvalid(M("`{value}` is not a number.", value=node.value), node.at)
        if types & {"number", "date", "datetime", "time"}:
            for node, type in ((left, one), (right, other)):
                if type == "text":
                    self._can_be_sized(node)
        if types in _UNLIKE or (types == {"truth", "text"} and self._is_choice(left, right)):
            message = M(
                "Not to be compared: {one} and {other}. date('…') or number('…') may be meant.",
                one=_CALLED[one],
                other=_CALLED[other],
            )
            raise ExpressionInvalid(message, left.at)

    def _is_truth(self, value: str, beside: Node) -> bool:
        """Whether a text may be compared with a condition; 'false' is true where no answer is kept as it."""
        return value == "true" or (value == "false" and self._item(beside) is not None)

    def _is_choice(self, *nodes: Node) -> bool:
        items = [item for item in map(self._item, nodes) if item is not None]
        return any(KINDS[item.kind].choices(item) for item in items)

    def _can_occur(self, node: Node, value: Node) -> None:
        """A literal that is compared with a choice is one of its values, with several some of them."""
        item = self._item(node)
        if item is None or not isinstance(value, Literal):
            return
        known = [choice.value for choice in KINDS[item.kind].choices(item)]
        if not known or _occurs(value.value, known, several=KINDS[item.kind].several):
            return
        message = M(
            "`{id}` is never `{value}`. Its values: {known}.",
            id=item.id,
            value=str(value.value),
            known=", ".join(known),
        )
        raise ExpressionInvalid(message, value.at)

    # --- functions

    def _call(self, node: FunctionCall) -> Type:
        name, arguments = node.function, node.arguments
        function = FUNCTIONS.get(name)
        if function is None:
            raise ExpressionInvalid(_no_function(name), node.at)
        _counted(node, function)
        types = [
            self._argument(argument, function.wanted(position), arguments)
            for position, argument in enumerate(arguments)
        ]
        match name:
            case "if":
                return _either(arguments[1:], types[1:])
            case "coalesce" | "once":
                return _either(arguments, types)
            case "selected":
                self._can_occur(arguments[0], arguments[1])
            case "digest":
                _one_of(arguments[1], tuple(DIGESTS))
                _one_of(arguments[2] if len(arguments) > 2 else None, ENCODINGS)
            case "position" | "last" if not arguments and not self._rows:
                message = M("{name}() is known in […] only; position(..) is the number of a row.", name=name)
                raise ExpressionInvalid(message, node.at)
        return function.gives

    def _argument(self, node: Node, wanted: Wanted, arguments: Sequence[Node]) -> Type:
        match wanted:
            case "item":
                if not isinstance(node, Reference):
                    raise ExpressionInvalid(M("An item is expected here, such as ${item}."), node.at)
                return self._reference(node)
            case "group":
                if not isinstance(node, Reference) or not (
                    node.name.startswith("..") or self._form.group(node.name)
                ):
                    raise ExpressionInvalid(
                        M("A repeat is expected here, such as ${repeat}, or `..`."), node.at
                    )
                return "nodes"
            case "list":
                self._listed(_quoted(node), node.at)
                return "text"
            case "column":
                columns = self._listed(_quoted(arguments[0]), node.at)
                if _quoted(node) not in columns:
                    raise ExpressionInvalid(_no_column(_quoted(node), columns), node.at)
                return "text"
        return self.want(node, wanted)


_UNLIKE: tuple[set[Type], ...] = (
    {"time", "date"},
    {"time", "datetime"},
    {"time", "truth"},
    {"time", "choices"},
    {"date", "truth"},
    {"date", "choices"},
    {"datetime", "truth"},
    {"datetime", "choices"},
    {"truth", "choices"},
)


def _counted(node: FunctionCall, function: Function) -> None:
    count, fewest, most = len(node.arguments), function.fewest, function.most
    if count < fewest or count > most:
        if fewest == most:
            message = M("{name}() takes {count} value(s).", name=node.function, count=fewest)
        elif count < fewest:
            message = M("{name}() takes at least {count} value(s).", name=node.function, count=fewest)
        else:
            message = M("{name}() takes at most {count} value(s).", name=node.function, count=most)
        raise ExpressionInvalid(message, node.at)
    if (count - fewest) % function.repeated:
        message = M("{name}() takes its last values in pairs.", name=node.function)
        raise ExpressionInvalid(message, node.at)


def _either(nodes: Sequence[Node], types: Sequence[Type]) -> Type:
    """What one of several comes to: a text where they differ; '' is nothing of any type."""
    kinds = {type for node, type in zip(nodes, types, strict=True) if not _is_empty(node)}
    return kinds.pop() if len(kinds) == 1 else "text"


def _any_of(types: Sequence[Type]) -> Message:
    """The types in words, as one message."""
    message = _CALLED[types[0]]
    for type in types[1:]:
        message = M("{one}, {other}", one=message, other=_CALLED[type])
    return message


def _is_empty(node: Node) -> bool:
    return isinstance(node, Literal) and node.value == ""


def _is_size(value: str | Decimal) -> bool:
    """Whether it can be more or less than another: a number, a date, a time."""
    size = number(value)
    return (size is not None and not size.is_nan()) or time_of_day(value) is not None


def _is_number(value: str) -> bool:
    size = number(value)
    return size is not None and not size.is_nan() and moment(value) is None


def _occurs(value: str | Decimal, known: Sequence[str], *, several: bool) -> bool:
    if isinstance(value, Decimal):
        return any(number(choice) == value for choice in known)
    return all(word in known for word in value.split()) if several else value.strip() in known


def _fits(node: Node, value: str, wanted: Wanted) -> None:
    """Nothing, if a text in quotes is a date or a time, or nothing."""
    if value and wanted == "date" and moment(value) is None:
        raise ExpressionInvalid(M("This is not a date, such as 2026-11-24."), node.at)
    if value and wanted == "time" and time_of_day(value) is None:
        raise ExpressionInvalid(M("This is not a time, such as 08:30."), node.at)


def _quoted(node: Node) -> str:
    if isinstance(node, Literal) and isinstance(node.value, str):
        return node.value
    raise ExpressionInvalid(M("A name in quotes is expected here."), node.at)


def _one_of(node: Node | None, known: Sequence[str]) -> None:
    if isinstance(node, Literal) and node.value not in known:
        message = M("`{value}` is not one of: {known}.", value=str(node.value), known=", ".join(known))
        raise ExpressionInvalid(message, node.at)


def _near(name: str, names: Collection[str], nearness: float = 0.6) -> str:
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, list(names), 1, nearness)), "")


def _no_column(name: str, columns: Collection[str]) -> Message:
    return M("The list has no column `{name}`. Its columns: {known}.", name=name, known=", ".join(columns))


def _no_function(name: str) -> Message:
    if name in ("jr:itext", "itext"):
        return M("jr:itext() is not known here: texts stand in the form itself.")
    near = _near(name, FUNCTIONS, 0.7)
    if near:
        return M("The function `{name}` is not known; is `{near}` meant?", name=name, near=near)
    return M(
        "The function `{name}` is not known. Known: {known}.", name=name, known=", ".join(sorted(FUNCTIONS))
    )


def _pattern(node: Node) -> None:
    """Nothing, if the pattern is one that answers can be held against."""
    if not isinstance(node, Literal):
        raise ExpressionInvalid(M("The pattern of regex() is a text in quotes."), node.at)
    try:
        compiled(str(node.value))
    except PatternInvalid as error:
        raise ExpressionInvalid(error.message, node.at) from None

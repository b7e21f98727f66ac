"""What an expression may say about a checklist: its items are there, its types fit, its values can occur.

So that a slip of the pen ("flie" for "file") is found when the checklist is read, not at a bureau.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from fieldkit.checklist.errors import ExpressionInvalid
from fieldkit.checklist.expression import FunctionCall, Literal, Node, Operation, Reference
from fieldkit.checklist.kinds import KINDS, Item, Type
from fieldkit.checklist.pattern import PatternInvalid, compiled
from fieldkit.checklist.value import day, number
from fieldkit.text import M, Message

_CALLED: dict[Type, Message] = {
    "text": M("a text"),
    "number": M("a number"),
    "truth": M("a condition"),
    "date": M("a date"),
    "choices": M("several choices"),
}
_MANY = 100
_ANY: tuple[Type, ...] = ("text", "number", "truth", "date", "choices")
_TEXT: tuple[Type, ...] = ("text", "number", "date")
_SIZED: tuple[Type, ...] = ("number", "date")

# name: what each argument may be (the last for all that follow), fewest, most, what it gives
_FUNCTIONS: dict[str, tuple[tuple[tuple[Type, ...], ...], int, int, Type]] = {
    "not": ((("truth",),), 1, 1, "truth"),
    "true": ((), 0, 0, "truth"),
    "false": ((), 0, 0, "truth"),
    "boolean": ((_ANY,), 1, 1, "truth"),
    "selected": ((("choices", "text"), ("text",)), 2, 2, "truth"),
    "count-selected": ((("choices",),), 1, 1, "number"),
    "count": ((_ANY,), 1, _MANY, "number"),
    "sum": ((("number",),), 1, _MANY, "number"),
    "min": ((("number",),), 1, _MANY, "number"),
    "max": ((("number",),), 1, _MANY, "number"),
    "regex": ((_TEXT, ("text",)), 2, 2, "truth"),
    "contains": ((_TEXT, ("text",)), 2, 2, "truth"),
    "starts-with": ((_TEXT, ("text",)), 2, 2, "truth"),
    "ends-with": ((_TEXT, ("text",)), 2, 2, "truth"),
    "string-length": ((_TEXT,), 1, 1, "number"),
    "normalize-space": ((_TEXT,), 1, 1, "text"),
    "concat": ((_TEXT,), 1, _MANY, "text"),
    "substr": ((_TEXT, ("number",)), 2, 3, "text"),
    "string": ((_ANY,), 1, 1, "text"),
    "number": ((("text", "number", "date", "truth"),), 1, 1, "number"),
    "int": ((("number",),), 1, 1, "number"),
    "floor": ((("number",),), 1, 1, "number"),
    "round": ((("number",),), 1, 2, "number"),
    "abs": ((("number",),), 1, 1, "number"),
    "today": ((), 0, 0, "date"),
    "date": ((("text", "number", "date"),), 1, 1, "date"),
}
FUNCTIONS = (*_FUNCTIONS, "if", "coalesce")


def check(node: Node, items: Mapping[str, Item], this: Item | None = None) -> None:
    """Nothing, if `node` is a condition that can be asked of `items`. this: whose answer `.` is.

    :raises ExpressionInvalid: with the place of the first thing that is wrong.
    """
    if _Checker(items, this).type_of(node) != "truth":
        raise ExpressionInvalid(M("A condition is expected here, such as ${item} = 'yes'."), node.at)


class _Checker:
    def __init__(self, items: Mapping[str, Item], this: Item | None) -> None:
        self._items = items
        self._this = this

    def type_of(self, node: Node) -> Type:
        match node:
            case Literal(value=value):
                return "number" if isinstance(value, Decimal) else "text"
            case Reference():
                return self._reference(node)
            case Operation(operator="and" | "or", operands=operands):
                for operand in operands:
                    self._want(operand, ("truth",))
                return "truth"
            case Operation(operator="=" | "!=", operands=(left, right)):
                self._comparable(left, right)
                return "truth"
            case Operation(operator="<" | "<=" | ">" | ">=", operands=operands):
                for operand in operands:
                    self._want(operand, _SIZED)
                return "truth"
            case Operation(operands=operands):
                for operand in operands:
                    self._want(operand, _SIZED)
                return "number"
            case FunctionCall():
                return self._call(node)

    def _reference(self, node: Reference) -> Type:
        item = self._item(node)
        if item is None:
            if not node.name:
                raise ExpressionInvalid(
                    M("`.` is the answer of a constraint's own item; here is none."), node.at
                )
            raise ExpressionInvalid(self._unknown(node.name), node.at)
        type = KINDS[item.kind].type
        if type is None:
            message = M(
                "`{id}` is of kind `{kind}`: it has no answer to compare.", id=item.id, kind=item.kind
            )
            raise ExpressionInvalid(message, node.at)
        return type

    def _item(self, node: Node) -> Item | None:
        if not isinstance(node, Reference):
            return None
        return self._items.get(node.name) if node.name else self._this

    def _unknown(self, name: str) -> Message:
        from difflib import get_close_matches

        near = get_close_matches(name, list(self._items), 1)
        if near:
            return M("The checklist has no item `{id}`; is `{near}` meant?", id=name, near=near[0])
        return M("The checklist has no item `{id}`.", id=name)

    def _want(self, node: Node, types: tuple[Type, ...]) -> Type:
        type = self.type_of(node)
        if type in types:
            return type
        if types == ("truth",):
            message = M("A condition is expected here, such as ${item} = 'yes'.")
        elif types == _SIZED:
            message = M("A number or a date is expected here; number('…') and date('…') make one of a text.")
        elif types == ("choices",):
            message = M("An item of kind `choices` is expected here.")
        else:
            message = M("This is {found}; expected: {types}.", found=_CALLED[type], types=_any_of(types))
        raise ExpressionInvalid(message, node.at)

    def _comparable(self, left: Node, right: Node) -> None:
        one, other = self.type_of(left), self.type_of(right)
        if _is_empty(left) or _is_empty(right):
            return
        self._can_occur(left, right)
        self._can_occur(right, left)
        kinds = {one, other}
        if "choices" in kinds:
            message = M("An item of several choices is asked with selected(${item}, 'value').")
            raise ExpressionInvalid(message, left.at if one == "choices" else right.at)
        if len(kinds) == 1 or kinds == {"number", "date"}:
            return
        for node, against in ((left, other), (right, one)):
            if isinstance(node, Literal) and isinstance(node.value, str) and against == "number":
                if number(node.value) is None:
                    raise ExpressionInvalid(M("`{value}` is not a number.", value=node.value), node.at)
                return
        message = M(
            "Not to be compared: {one} and {other}. date('…') or number('…') may be meant.",
            one=_CALLED[one],
            other=_CALLED[other],
        )
        raise ExpressionInvalid(message, left.at)

    def _can_occur(self, node: Node, value: Node) -> None:
        """A literal that is compared with a choice is one of its values."""
        item = self._item(node)
        if item is None or not isinstance(value, Literal):
            return
        known = [choice.value for choice in KINDS[item.kind].choices(item)]
        if known and value.value not in known:
            message = M(
                "`{id}` is never `{value}`. Its values: {known}.",
                id=item.id,
                value=str(value.value),
                known=", ".join(known),
            )
            raise ExpressionInvalid(message, value.at)

    def _call(self, node: FunctionCall) -> Type:
        name, arguments = node.function, node.arguments
        if name in ("if", "coalesce"):
            return self._choosing(node)
        if name not in _FUNCTIONS:
            message = M(
                "The function `{name}` is not known. Known: {known}.",
                name=name,
                known=", ".join(sorted(FUNCTIONS)),
            )
            raise ExpressionInvalid(message, node.at)
        wanted, fewest, most, result = _FUNCTIONS[name]
        self._counted(node, fewest, most)
        for position, argument in enumerate(arguments):
            self._want(argument, wanted[min(position, len(wanted) - 1)])
        if name == "selected":
            self._can_occur(arguments[0], arguments[1])
        if name == "regex":
            _pattern(arguments[1])
        if name == "date" and isinstance(arguments[0], Literal) and day(arguments[0].value) is None:
            raise ExpressionInvalid(M("This is not a date, such as 2026-11-24."), arguments[0].at)
        return result

    def _choosing(self, node: FunctionCall) -> Type:
        """if() and coalesce(): all they may give is of one type."""
        arguments = list(node.arguments)
        self._counted(node, 3, 3) if node.function == "if" else self._counted(node, 2, _MANY)
        if node.function == "if":
            self._want(arguments.pop(0), ("truth",))
        first = self.type_of(arguments[0])
        for argument in arguments[1:]:
            self._want(argument, (first,))
        return first

    def _counted(self, node: FunctionCall, fewest: int, most: int) -> None:
        count = len(node.arguments)
        if fewest <= count <= most:
            return
        if fewest == most:
            message = M("{name}() takes {count} value(s).", name=node.function, count=fewest)
        elif count < fewest:
            message = M("{name}() takes at least {count} value(s).", name=node.function, count=fewest)
        else:
            message = M("{name}() takes at most {count} value(s).", name=node.function, count=most)
        raise ExpressionInvalid(message, node.at)


def _any_of(types: Sequence[Type]) -> Message:
    """The types in words, as one message."""
    message = _CALLED[types[0]]
    for type in types[1:]:
        message = M("{one}, {other}", one=message, other=_CALLED[type])
    return message


def _is_empty(node: Node) -> bool:
    return isinstance(node, Literal) and node.value == ""


def _pattern(node: Node) -> None:
    """Nothing, if the pattern is one that answers can be held against."""
    if not isinstance(node, Literal):
        raise ExpressionInvalid(M("The pattern of regex() is a text in quotes."), node.at)
    try:
        compiled(str(node.value))
    except PatternInvalid as error:
        raise ExpressionInvalid(error.message, node.at) from None

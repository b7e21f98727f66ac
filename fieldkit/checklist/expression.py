"""Expressions of forms: ODK's dialect of XPath, text to tree.

    ${item}  .  ..  ../item  /data/group/item  current()/../item  column  'text'  "text"  12.5
    and or   = != < <= > >=   + - * div mod   function(…)   group[condition]/item
    instance('list')/root/item[condition]/column

Names are unique in a form, so that a path means the item of its last step. What expressions mean is in
`meaning` (types, before a visit) and `evaluation`. Nothing is ever run as Python. Whatever is not in the
language is refused with its place, never passed over.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from fieldkit.checklist.errors import ExpressionInvalid
from fieldkit.text import M, Message

LONGEST = 32_767  # what a cell of a workbook holds
MOST_TOKENS = 8000
DEEPEST = 80
MOST_DIGITS = 100
MOST_INSIDE = 8


class Literal(msgspec.Struct, frozen=True):
    """A text or a number as it stands."""

    value: str | Decimal
    at: int


class Reference(msgspec.Struct, frozen=True):
    """An item's answer, or a group; name "" is `.`, the answer at hand, ".." and "../.." what it is in."""

    name: str
    at: int


class Column(msgspec.Struct, frozen=True):
    """A bare name: a column of the choice or row that a condition is asked about; "" is the row itself."""

    name: str
    at: int


class Selection(msgspec.Struct, frozen=True):
    """Those rows of a list that all the conditions hold for, or a column of them."""

    list: str
    conditions: tuple[Node, ...]
    column: str
    at: int


class Filtered(msgspec.Struct, frozen=True):
    """Those rows of a repeat that all the conditions hold for, or an item in them."""

    name: str
    conditions: tuple[Node, ...]
    item: str
    at: int


class Operation(msgspec.Struct, frozen=True):
    """An operator and what it joins: one operand after the sign `-`, several where it stands again."""

    operator: str
    operands: tuple[Node, ...]
    at: int


class FunctionCall(msgspec.Struct, frozen=True):
    """A function and its arguments."""

    function: str
    arguments: tuple[Node, ...]
    at: int


Node = Literal | Reference | Column | Selection | Filtered | Operation | FunctionCall


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str
    at: int


class _Step(msgspec.Struct, frozen=True):
    name: str
    conditions: tuple[Node, ...]
    at: int


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<item>\$\{\s*(?P<reference>[^}]*?)\s*\})
    | (?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)
    | (?P<text>'[^']*'|"[^"]*")
    | (?P<name>[^\W\d][\w.-]*(?::[^\W\d][\w.-]*)?)
    | (?P<sign>!=|<=|>=|//|::|\.\.|[-=<>+*(),./|@\[\]])
    )""",
    re.VERBOSE,
)
_BINDS = {
    **{"or": 1, "and": 2, "=": 3, "!=": 3, "<": 4, "<=": 4, ">": 4, ">=": 4},
    **{"+": 5, "-": 5, "*": 6, "div": 6, "mod": 6},
}
_JOINING = ("or", "and", "+", "*")


@functools.lru_cache(maxsize=2048)
def parse(text: str) -> Node:
    """The tree of an expression.

    :raises ExpressionInvalid: with the place in `text`.
    """
    if len(text) > LONGEST:
        raise ExpressionInvalid(M("The expression is too long."), 0)
    tokens: list[_Token] = []
    for token in _tokens(text):
        if len(tokens) >= MOST_TOKENS:
            raise ExpressionInvalid(M("The expression is too long."), token.at)
        tokens.append(token)
    return _Parser(tokens).whole()


def references(node: Node) -> Iterator[Reference]:
    """Every item and group an expression looks at, `.` not among them; ".." where a row's number counts."""
    for part in _parts(node):
        match part:
            case Reference(name=name) if name:
                yield part
            case Filtered(name=name, item=item, conditions=conditions, at=at):
                yield Reference(name, at)
                if item:
                    yield Reference(item, at)
                for column in (column for condition in conditions for column in _columns(condition)):
                    yield Reference(column.name, column.at)


def lists(node: Node) -> Iterator[str]:
    """The names of the lists and tables an expression looks at."""
    for part in _parts(node):
        match part:
            case Selection(list=list):
                yield list
            case FunctionCall(function="pulldata", arguments=(Literal(value=str() as list), *_)):
                yield list


def _parts(node: Node) -> Iterator[Node]:
    """A tree and all that is in it, in order."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        yield part
        waiting += reversed(_below(part))


def _below(node: Node) -> tuple[Node, ...]:
    match node:
        case Operation(operands=below) | FunctionCall(arguments=below):
            return below
        case Selection(conditions=below) | Filtered(conditions=below):
            return below
    return ()


def _columns(condition: Node) -> Iterator[Column]:
    """The columns of the very row that a condition is asked about."""
    match condition:
        case Column(name=name) if name:
            yield condition
        case Operation() | FunctionCall():
            for below in _below(condition):
                yield from _columns(below)


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            at = position + len(text[position:]) - len(text[position:].lstrip())
            raise ExpressionInvalid(_unreadable(text[at:]), at)
        kind = next(name for name in ("item", "number", "text", "name", "sign") if match[name] is not None)
        yield _Token(kind, match["reference"] if kind == "item" else match[kind], match.start(kind))
        position = match.end()
    yield _Token("end", "", end)


def _unreadable(rest: str) -> Message:
    if rest[0] in "'\"":
        return M("The text is not closed: {quote} is missing.", quote=rest[0])
    if rest.startswith("$"):
        return M("An item is written as ${name}.")
    return M("`{sign}` is not known here.", sign=rest[0])


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0
        self._conditions = 0

    def whole(self) -> Node:
        node = self._binary(1)
        self._expect("end", "")
        return node

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._token
        self._next += 1
        return token

    def _is(self, *signs: str) -> bool:
        token = self._token
        return token.kind == "sign" and token.text in signs

    def _followed_by(self, sign: str) -> bool:
        token = self._tokens[self._next + 1]
        return token.kind == "sign" and token.text == sign

    def _expect(self, kind: str, text: str) -> None:
        token = self._token
        if token.kind != kind or token.text != text:
            raise ExpressionInvalid(self._unexpected(text), token.at)
        self._next += 1

    def _unexpected(self, wanted: str) -> Message:
        token = self._token
        if token.kind == "end":
            if wanted:
                return M("The expression ends too early: `{wanted}` is missing.", wanted=wanted)
            return M("The expression ends too early.")
        if token.kind == "sign" and token.text in _LACKING:
            return _LACKING[token.text]
        if token.kind == "name" and token.text.lower() in _BINDS and token.text not in _BINDS:
            return M("`{operator}` is written in small letters.", operator=token.text.lower())
        source = f"${{{token.text}}}" if token.kind == "item" else token.text
        return M("`{found}` is not expected here.", found=source)

    @contextlib.contextmanager
    def _below(self, token: _Token) -> Iterator[None]:
        """One level further down; the stack is not for a form's author to use up."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise ExpressionInvalid(M("The expression is nested too deeply."), token.at)
        yield
        self._depth -= 1

    def _binary(self, least: int) -> Node:
        """What operators join that bind at least so strongly."""
        operands = [self._signed()]
        joint: _Token | None = None
        joints = 0
        while (binds := self._strength()) >= least:
            operator = self._take()
            if joint is not None and not (operator.text == joint.text and joint.text in _JOINING):
                joints += 1
                if joints > DEEPEST:
                    raise ExpressionInvalid(M("The expression is nested too deeply."), operator.at)
                operands = [Operation(joint.text, tuple(operands), joint.at)]
                joint = None
            joint = joint or operator
            operands.append(self._binary(binds + 1))
        return operands[0] if joint is None else Operation(joint.text, tuple(operands), joint.at)

    def _strength(self) -> int:
        token = self._token
        return _BINDS.get(token.text, 0) if token.kind in ("sign", "name") else 0

    def _signed(self) -> Node:
        signs: list[_Token] = []
        while self._is("-"):
            signs.append(self._take())
            if len(signs) + self._depth > DEEPEST:
                raise ExpressionInvalid(M("The expression is nested too deeply."), signs[-1].at)
        node = self._single()
        for sign in reversed(signs):
            node = Operation("-", (node,), sign.at)
        return node

    def _single(self) -> Node:
        token = self._token
        match token.kind:
            case "item":
                self._next += 1
                return self._path((_Step(token.text, self._filters(), token.at),), token.at, absolute=True)
            case "number":
                self._next += 1
                if len(token.text) > MOST_DIGITS:
                    message = M("The number has more than {count} digits.", count=MOST_DIGITS)
                    raise ExpressionInvalid(message, token.at)
                return Literal(Decimal(token.text), token.at)
            case "text":
                self._next += 1
                return Literal(token.text[1:-1], token.at)
            case "name" if self._followed_by("("):
                return self._call()
            case "name" if token.text not in _BINDS:
                return self._path((self._step(),), token.at)
        if self._is(".", ".."):
            return self._path((self._step(),), token.at)
        if self._is("/"):
            self._next += 1
            return self._path((self._step(),), token.at, absolute=True)
        if self._is("("):
            self._next += 1
            with self._below(token):
                node = self._binary(1)
            self._expect("sign", ")")
            return node
        raise ExpressionInvalid(self._unexpected(""), token.at)

    # --- paths

    def _path(self, steps: tuple[_Step, ...], at: int, *, absolute: bool = False) -> Node:
        """What a path means that begins with these steps. absolute: it does not begin at the row at hand."""
        steps = (*steps, *self._further())
        names = [step for step in steps if step.name not in (".", "..")]
        if self._conditions and not absolute:
            if steps[0].name == ".." or len(names) > 1 or any(step.conditions for step in steps):
                message = M("Inside […] a path begins with `/` or `current()/`; a bare name is the row's.")
                raise ExpressionInvalid(message, at)
            return Column(names[0].name if names else "", at)
        if not names:
            return Reference("/".join(step.name for step in steps if step.name == ".."), at)
        last = steps[-1]
        if last.name in (".", ".."):
            raise ExpressionInvalid(M("A path ends with the name of an item."), last.at)
        filtered = [step for step in steps if step.conditions]
        if not filtered:
            bare = len(steps) == 1 and not absolute
            return Column(last.name, at) if bare else Reference(last.name, at)
        if len(filtered) > 1 or filtered[0].name in (".", ".."):
            raise ExpressionInvalid(M("Only one name of a path has a condition in […]."), filtered[-1].at)
        step = filtered[0]
        return Filtered(step.name, step.conditions, "" if step is last else last.name, at)

    def _further(self) -> list[_Step]:
        steps = []
        while self._is("/"):
            self._next += 1
            steps.append(self._step())
        return steps

    def _step(self) -> _Step:
        token = self._token
        if token.kind == "item":
            raise ExpressionInvalid(M("In a path a name stands without ${…}."), token.at)
        if token.kind == "number" or (token.kind == "sign" and token.text == "("):
            raise ExpressionInvalid(M("`/` stands in paths only; to divide is `div`."), token.at)
        if token.kind != "name" and not self._is(".", ".."):
            raise ExpressionInvalid(self._unexpected(""), token.at)
        self._next += 1
        if self._is("(", "::"):
            raise ExpressionInvalid(M("A path is made of names, `.` and `..` only."), token.at)
        return _Step(token.text, self._filters(), token.at)

    def _filters(self) -> tuple[Node, ...]:
        conditions = []
        while self._is("["):
            token = self._take()
            with self._below(token):
                self._conditions += 1
                if self._conditions > MOST_INSIDE:
                    raise ExpressionInvalid(M("The expression is nested too deeply."), token.at)
                conditions.append(self._binary(1))
                self._conditions -= 1
            self._expect("sign", "]")
        return tuple(conditions)

    # --- functions

    def _call(self) -> Node:
        name = self._take()
        self._next += 1
        arguments: list[Node] = []
        while not self._is(")"):
            if arguments:
                self._expect("sign", "," if self._token.kind != "end" else ")")
            with self._below(name):
                arguments.append(self._binary(1))
        self._expect("sign", ")")
        match name.text, arguments:
            case "current", []:
                return self._path((_Step(".", (), name.at),), name.at, absolute=True)
            case "instance", [Literal(value=str() as list)]:
                return self._selection(list, name.at)
            case "instance", _:
                raise ExpressionInvalid(M("instance() takes the name of a list in quotes."), name.at)
            case "jr:choice-name", [value, Literal(value=str() as item, at=at)]:
                arguments = [value, _named(item, at + 1)]
            case "normalize-space" | "string-length", []:
                arguments = [Column("", name.at) if self._conditions else Reference("", name.at)]
        return FunctionCall(name.text, tuple(arguments), name.at)

    def _selection(self, list: str, at: int) -> Node:
        steps = self._further()
        if steps and steps[0].name == "root" and not steps[0].conditions:
            del steps[0]
        match steps:
            case [_Step(name="item") as row]:
                return Selection(list, row.conditions, "", at)
            case [_Step(name="item") as row, _Step(name=column, conditions=())] if column not in (".", ".."):
                return Selection(list, row.conditions, column, at)
        raise ExpressionInvalid(M("A list is read as instance('list')/root/item[condition]/column."), at)


def _named(text: str, at: int) -> Reference:
    """The item that a text in quotes names, as jr:choice-name() has it."""
    try:
        node = parse(text)
    except ExpressionInvalid as error:
        raise ExpressionInvalid(error.message, at + error.at) from None
    if not isinstance(node, Reference):
        raise ExpressionInvalid(M("jr:choice-name() takes a value and an item in quotes: '${item}'."), at)
    return Reference(node.name, at)


_LACKING = {
    "|": M("`|` is not known here: a path means one item."),
    "//": M("`//` is not known here: names are unique in a form, so that `/` does."),
    "@": M("`@` is not known here: items have no attributes."),
    "*": M("`*` stands for no name here."),
    "::": M("A path is made of names, `.` and `..` only."),
}

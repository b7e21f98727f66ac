"""Expressions of relevance and constraint: a declared subset of XPath as XLSForm uses it, text to tree.

    ${item}  .  'text'  "text"  12.5   and or not()   = != < <= > >=   + - * div mod   function(…)

What they mean is in `meaning` (types, before a visit) and `value` (evaluation). Nothing is ever run
as Python. Whatever is not in the subset is refused with its place, never passed over.
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

LONGEST = 4000
MOST_TOKENS = 400
DEEPEST = 30


class Literal(msgspec.Struct, frozen=True):
    """A text or a number as it stands."""

    value: str | Decimal
    at: int


class Reference(msgspec.Struct, frozen=True):
    """The answer of another item; name "" is `.`, the answer at hand."""

    name: str
    at: int


class Operation(msgspec.Struct, frozen=True):
    """An operator and what it joins; one operand where it is the sign `-`."""

    operator: str
    operands: tuple[Node, ...]
    at: int


class FunctionCall(msgspec.Struct, frozen=True):
    """A function and its arguments."""

    function: str
    arguments: tuple[Node, ...]
    at: int


Node = Literal | Reference | Operation | FunctionCall


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str
    at: int


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<item>\$\{\s*(?P<name>[^}]*?)\s*\})
    | (?P<number>\d+(?:\.\d+)?|\.\d+)
    | (?P<text>'[^']*'|"[^"]*")
    | (?P<word>[A-Za-z_](?:[A-Za-z0-9_:]|-(?=[A-Za-z]))*)
    | (?P<sign>!=|<=|>=|[-=<>+*(),.])
    )""",
    re.VERBOSE,
)
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("or",),
    ("and",),
    ("=", "!="),
    ("<", "<=", ">", ">="),
    ("+", "-"),
    ("*", "div", "mod"),
)
_WORDS = ("and", "or", "div", "mod")


@functools.lru_cache(maxsize=2048)
def parse(text: str) -> Node:
    """The tree of an expression.

    :raises ExpressionInvalid: with the place in `text`.
    """
    if len(text) > LONGEST:
        raise ExpressionInvalid(M("The expression is too long."), 0)
    tokens = list(_tokens(text))
    if len(tokens) > MOST_TOKENS:
        raise ExpressionInvalid(M("The expression is too long."), tokens[MOST_TOKENS].at)
    return _Parser(tokens).whole()


def references(node: Node) -> Iterator[Reference]:
    """Every item an expression looks at, `.` not among them."""
    match node:
        case Reference(name=name) if name:
            yield node
        case Operation(operands=below) | FunctionCall(arguments=below):
            for node_below in below:
                yield from references(node_below)


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            at = position + len(text[position:]) - len(text[position:].lstrip())
            raise ExpressionInvalid(_unreadable(text[at:]), at)
        kind = next(name for name in ("item", "number", "text", "word", "sign") if match[name] is not None)
        yield _Token(kind, match["name"] if kind == "item" else match[kind], match.start(kind))
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

    def whole(self) -> Node:
        node = self._level(0)
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
        return token.kind in ("sign", "word") and token.text in signs

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
        found = f"${{{token.text}}}" if token.kind == "item" else token.text
        return M("`{found}` is not expected here.", found=found)

    @contextlib.contextmanager
    def _below(self, token: _Token) -> Iterator[None]:
        """One level further down; the stack is not for a checklist's author to use up."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise ExpressionInvalid(M("The expression is nested too deeply."), token.at)
        yield
        self._depth -= 1

    def _level(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._signed()
        node = self._level(level + 1)
        while self._is(*_LEVELS[level]):
            operator = self._take()
            node = Operation(operator.text, (node, self._level(level + 1)), operator.at)
        return node

    def _signed(self) -> Node:
        if self._is("-"):
            sign = self._take()
            with self._below(sign):
                return Operation("-", (self._signed(),), sign.at)
        return self._single()

    def _single(self) -> Node:
        token = self._token
        match token.kind:
            case "item":
                self._next += 1
                return Reference(token.text, token.at)
            case "number":
                self._next += 1
                return Literal(Decimal(token.text), token.at)
            case "text":
                self._next += 1
                return Literal(token.text[1:-1], token.at)
            case "word" if token.text not in _WORDS:
                return self._call()
        if self._is("."):
            self._next += 1
            return Reference("", token.at)
        if self._is("("):
            self._next += 1
            with self._below(token):
                node = self._level(0)
            self._expect("sign", ")")
            return node
        raise ExpressionInvalid(self._unexpected(""), token.at)

    def _call(self) -> Node:
        name = self._take()
        if not self._is("("):
            message = M(
                "`{name}` is not known here. A text stands in quotes, an item in ${{…}}.", name=name.text
            )
            raise ExpressionInvalid(message, name.at)
        self._next += 1
        arguments: list[Node] = []
        while not self._is(")"):
            if arguments:
                self._expect("sign", "," if self._token.kind != "end" else ")")
            with self._below(name):
                arguments.append(self._level(0))
        self._expect("sign", ")")
        return FunctionCall(name.text, tuple(arguments), name.at)

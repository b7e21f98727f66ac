"""Single changes to a module's code: mutmut's operators, and those that take away a check.

Only code in functions is changed; words for people are not: other tests read them.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

import libcst as cst
import libcst.matchers as m
import libcst.metadata
from mutmut.mutation import mutators

WORDS = m.Call(func=m.Name("M"))
WORDY = ("unchanged", "hint", "detail", "title", "label")


class Mutant(NamedTuple):
    """A module's source with one change. was, now: the lines that differ, without their indentation."""

    source: str
    diff: str
    was: str
    now: str


def mutants(source: str) -> list[Mutant]:
    """Every change, each once, in the order of the code."""
    tree = cst.metadata.MetadataWrapper(cst.parse_module(source))
    spans = tree.resolve(cst.metadata.WhitespaceInclusivePositionProvider)
    changes = _Changes()
    tree.module.visit(changes)
    starts = [0, *accumulate(len(line) for line in source.splitlines(keepends=True))]
    unique: dict[str, Mutant] = {}
    for original, replacement in changes.pairs:
        span = spans[original]
        start = starts[span.start.line - 1] + span.start.column
        end = starts[span.end.line - 1] + span.end.column
        changed = source[:start] + tree.module.code_for_node(replacement) + source[end:]
        if changed != source and changed not in unique and _compiles(changed):
            unique[changed] = _described(source, changed)
    return list(unique.values())


def _without_statement(
    node: cst.Raise | cst.Expr | cst.Return | cst.Assign | cst.AugAssign,
) -> Iterator[cst.CSTNode]:
    yield cst.Pass()


def _without_operand(node: cst.BooleanOperation) -> Iterator[cst.CSTNode]:
    yield node.left
    yield node.right


def _without_argument(node: cst.Call) -> Iterator[cst.CSTNode]:
    for at, argument in enumerate(node.args):
        if not _is_words(argument):
            yield node.with_changes(args=[*node.args[:at], *node.args[at + 1 :]])


def _other_text(node: cst.SimpleString) -> Iterator[cst.CSTNode]:
    quote = node.quote
    if len(quote) == 1:
        yield node.with_changes(value=f"{node.prefix}{quote}XX{node.raw_value}{quote}")


REPLACED = (mutators.operator_string, mutators.operator_arg_removal, mutators.operator_match)
OPERATORS: list[tuple[type[cst.CSTNode], Callable[..., Iterable[cst.CSTNode]]]] = [
    *(pair for pair in mutators.mutation_operators if pair[1] not in REPLACED),
    (cst.Raise, _without_statement),
    (cst.Expr, _without_statement),
    (cst.Return, _without_statement),
    (cst.BooleanOperation, _without_operand),
    (cst.Call, _without_argument),
    (cst.SimpleString, _other_text),
]


class _Changes(cst.CSTVisitor):
    """Collects what may replace each node within functions."""

    def __init__(self) -> None:
        self.pairs: list[tuple[cst.CSTNode, cst.CSTNode]] = []
        self._depth = 0

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(
            node, (cst.Annotation, cst.Decorator, cst.Import, cst.ImportFrom, cst.Assert)
        ) or _is_words(node):
            return False
        if self._depth:
            self.pairs += [
                (node, other)
                for type, operator in OPERATORS
                if isinstance(node, type)
                for other in operator(node)
            ]
            if isinstance(node, cst.If):
                self.pairs += [(node.test, cst.Name("True")), (node.test, cst.Name("False"))]
        self._depth += isinstance(node, cst.FunctionDef)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        self._depth -= isinstance(original_node, cst.FunctionDef)


def _is_words(node: cst.CSTNode) -> bool:
    """Whether it is a message, or a docstring."""
    if isinstance(node, cst.Arg):
        named = node.keyword is not None and node.keyword.value in WORDY
        return named or m.matches(node.value, WORDS)
    if isinstance(node, cst.Expr):
        return isinstance(node.value, (cst.SimpleString, cst.ConcatenatedString))
    return m.matches(node, WORDS)


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


def _described(source: str, changed: str) -> Mutant:
    lines = list(difflib.unified_diff(source.splitlines(), changed.splitlines(), lineterm="", n=2))[2:]
    return Mutant(changed, "\n".join(lines), _side(lines, "-"), _side(lines, "+"))


def _side(lines: list[str], sign: str) -> str:
    return "\n".join(line[1:].strip() for line in lines if line.startswith(sign))

"""What a reader greps for exists once: public classes by their name, error classes by their code."""

from __future__ import annotations

import ast
import importlib
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from fieldkit.errors import FieldkitError
from fieldkit.home import PACKAGE

VAGUE = {"found", "each", "said", "given", "told"}
"""Names that say how a thing was come by; the thing has a name of its own in the field."""


def classes() -> Iterator[tuple[Path, ast.ClassDef]]:
    """Every public class of the program, with its file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield path.relative_to(PACKAGE), node


def code(node: ast.ClassDef) -> str:
    """The error code that a class gives itself; "" if it gives none."""
    for keyword in node.keywords:
        match keyword:
            case ast.keyword("code", ast.Constant(str(value))):
                return value
    return ""


def test_no_two_classes_have_one_name() -> None:
    files = defaultdict(list)
    for path, node in classes():
        files[node.name].append(str(path))
    assert {name: places for name, places in files.items() if len(places) > 1} == {}


def test_an_error_code_has_one_class() -> None:
    owners = defaultdict(list)
    for path, node in classes():
        if own := code(node):
            owners[own].append(f"{path}: {node.name}")
    assert len(owners) > 100
    assert {own: names for own, names in owners.items() if len(names) > 1} == {}


def test_every_error_exits_with_the_status_that_the_commands_document_promises() -> None:
    for path in sorted(PACKAGE.rglob("errors.py")):
        importlib.import_module("fieldkit." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts))
    table = (PACKAGE.parent / "docs" / "commands.md").read_text()
    rows = re.finditer(r"^\| `([a-z0-9-]+)` \| ([\d, ]+) \|", table, re.MULTILINE)
    promised = {row[1]: row[2].split(", ") for row in rows}
    kinds = list(subclasses(FieldkitError))
    assert len(kinds) > 100
    wrong = {kind.code: kind.status for kind in kinds if str(kind.status) not in promised[kind.code]}
    assert wrong == {}


def subclasses(kind: type[FieldkitError]) -> Iterator[type[FieldkitError]]:
    for below in kind.__subclasses__():
        if "code" in vars(below):
            yield below
        yield from subclasses(below)


def bindings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every name that a file gives to something, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case ast.ClassDef(name=name) | ast.alias(asname=str(name)):
                yield node.lineno, name
            case (
                ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name))
                | ast.MatchStar(name=str(name))
            ):
                yield node.lineno, name
            case ast.MatchMapping(rest=str(name)):
                yield node.lineno, name


def test_every_binding_is_recognised() -> None:
    text = """
import os as a
def b(c, *d, e=0, **f): g: int = 0
async def h(): [i for i in j]
class K: l = 0
for m in (n := []): o.p = 0
with q as r: s, (t, *u) = v
try: pass
except E as w: lambda x: x
match y:
    case [z, *aa]: pass
    case {**bb}: pass
    case int() as cc: pass
"""
    names = {name for _, name in bindings(ast.parse(text))}
    assert names == {*"abcdefghiKlmnprstuwxz", "aa", "bb", "cc"}


def test_nothing_is_named_by_how_it_was_come_by() -> None:
    vague = [
        f"{path.relative_to(PACKAGE)}:{line}: {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, name in bindings(ast.parse(path.read_text()))
        if name in VAGUE
    ]
    assert vague == []

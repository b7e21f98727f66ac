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

"""What a reader greps for exists once: public classes by their name, error classes by their code."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

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

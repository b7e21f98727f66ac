"""Text is read and written in an encoding that is named: on Windows the other one is the code page."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.conftest import REPOSITORY

BEFORE = {"read_text": 0, "write_text": 1}  # arguments that stand before the encoding
AS_TEXT = {"text=True", "universal_newlines=True"}


def unnamed(tree: ast.AST) -> Iterator[ast.Call]:
    """The calls that read or write text in whatever encoding this machine has."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        keywords = {keyword.arg for keyword in call.keywords}
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if "encoding" in keywords:
            continue
        words = set(map(ast.unparse, call.keywords))
        if AS_TEXT & words or (name in BEFORE and len(call.args) <= BEFORE[name]):
            yield call
        elif name == "open" and (isinstance(call.func, ast.Name) or _is_mode(call.args[:1])):
            mode = call.args[1:2] if isinstance(call.func, ast.Name) else call.args[:1]
            if not (_is_mode(mode) and "b" in ast.unparse(mode[0])):
                yield call


def _is_mode(arguments: list[ast.expr]) -> bool:
    return [type(argument) for argument in arguments] == [ast.Constant] and set(
        str(ast.literal_eval(arguments[0]))
    ) <= set("rwaxbt+")


def test_each_way_of_forgetting_it_is_recognised() -> None:
    for call in ("p.read_text()", "p.write_text('x')", "open('x')", "p.open('w')", "run(a, text=True)"):
        assert list(unnamed(ast.parse(call))), call
    for call in (
        "p.read_text('ascii')",
        "p.write_text('x', 'utf-8')",
        "open('x', 'rb')",
        "p.open('ab')",
        "store.open()",
        "open('x', 'w', encoding='utf-8')",
        "run(a, text=True, encoding='utf-8')",
    ):
        assert not list(unnamed(ast.parse(call))), call


def test_no_text_is_read_or_written_in_an_encoding_that_nobody_named() -> None:
    places = [
        f"{path.relative_to(REPOSITORY)}:{call.lineno}"
        for path in sorted((REPOSITORY / "fieldkit").rglob("*.py"))
        for call in unnamed(ast.parse(path.read_text("utf-8")))
    ]
    assert not places, "\n".join(places)

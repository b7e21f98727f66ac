"""Whatever passes the check comes to something, with any answers, soon and without using up the stack."""

from __future__ import annotations

import contextlib
import datetime
import random
import sys
from decimal import Decimal

import pytest

from fieldkit.checklist.errors import ExpressionInvalid
from fieldkit.checklist.evaluation import evaluate
from fieldkit.checklist.expression import DEEPEST, MOST_INSIDE, parse
from fieldkit.checklist.functions import FUNCTIONS
from fieldkit.checklist.kinds import Choice, Item
from fieldkit.checklist.meaning import check
from fieldkit.checklist.value import LONGEST_STORED, Nodes, Term, Type, number, stored, truth
from fieldkit.text import Words
from tests.checklist.language import Answered, Form

W = Words("v", "e")
ITEMS = (
    Item("t", "text", W),
    Item("n", "number", W),
    Item("d", "date", W),
    Item("c", "choice", W, choices=(Choice("1", W), Choice("b", W))),
    Item("m", "choices", W, choices=(Choice("a", W), Choice("b", W))),
    Item("r", "number", W),
    Item("s", "text", W),
)
FORM = Form({item.id: item for item in ITEMS}, {"g": ("r", "s")}, {"l": ("name", "x")})
CLASSES: dict[Type, type | tuple[type, ...]] = {
    "text": str,
    "number": (Decimal, type(None)),
    "truth": bool,
    "date": (datetime.date, type(None)),
    "datetime": (datetime.datetime, type(None)),
    "nodes": Nodes,
}

LEAVES = (
    "0", "1", "-1", "2.5", "1000000000", "400", "-400", "(1 div 0)", "(-1 div 0)", "(0 div 0)", "${t}",
    "${n}", "${d}", "${c}", "${m}", "${r}", "${s}", "${g}", "..", "true()", "''", "'1'", "'x'",
    "'2026-11-24'", "'08:30'", "'a b'", "'21 105'", "'MD5'", "'l'", "'name'", "'[a-z]+'", "today()",
    "${g}[r > 1]/s", "${g}[2]/r",
    "instance('l')/root/item[x = ${t}]/name", "randomize(${s}, 3)", "now()",
)  # fmt: skip
SIGNS = ("=", "!=", "<", "<=", ">", ">=", "+", "-", "*", "div", "mod", "and", "or")
ANSWERS: dict[str, tuple[Term, ...]] = {
    "t": (None, "", "x", "12", "2026-11-24", "08:30", "21 105;22 106", "9" * 500),
    "n": (None, Decimal(0), Decimal("-0.5"), Decimal("9" * 25 + "." + "9" * 25)),
    "d": (None, datetime.date.min, datetime.date.max, datetime.date(2026, 11, 24)),
    "c": ("", "1", "b"),
    "m": ((), ("a",), ("a", "b")),
    "this": (None, "kept"),
}
ROWS: dict[str, list[dict[str, Term]]] = {
    "g": [{"r": Decimal(1), "s": "a"}, {"r": None, "s": ""}, {"r": Decimal(3), "s": "5"}]
}
LISTS = {"l": [{"name": "one", "x": "a"}, {"name": "two", "x": "2"}]}


def grown(chance: random.Random, name: str = "", depth: int = 2) -> str:
    """An expression at random; name: of the function that it calls."""
    if depth == 0 or (not name and chance.random() < 0.5):
        return chance.choice(LEAVES)
    if not name and chance.random() < 0.4:
        return f"({grown(chance, depth=depth - 1)} {chance.choice(SIGNS)} {grown(chance, depth=depth - 1)})"
    name = name or chance.choice(sorted(FUNCTIONS))
    function = FUNCTIONS[name]
    count = chance.randint(function.fewest, min(function.most, function.fewest + 2))
    arguments = (grown(chance, depth=depth - 1) for _ in range(count))
    return f"{name}({', '.join(arguments)})"


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_what_passes_the_check_comes_to_what_it_says_with_any_answers(name: str) -> None:
    chance = random.Random(name)
    taken = 0
    for _ in range(150):
        source = grown(chance, name)
        with contextlib.suppress(ExpressionInvalid):
            tree = parse(source)
            type = check(tree, FORM, wanted=None)
            taken += 1
            answers = {id: chance.choice(values) for id, values in ANSWERS.items()}
            result = evaluate(tree, Answered(answers, ROWS, LISTS, {"..": 2, "g": 2}))
            if name not in ("if", "coalesce", "once"):
                assert result in ("", None) or isinstance(result, CLASSES[type]), source
            assert truth(result) in (True, False)
            assert number(result) is None or isinstance(number(result), Decimal)
            assert len(stored(result)) <= LONGEST_STORED
    assert taken or name in ("indexed-repeat", "jr:choice-name", "last", "pulldata")  # which take names


@pytest.mark.parametrize(
    "source",
    [
        "(" * DEEPEST + "1" + ")" * DEEPEST,
        "not(" * DEEPEST + "1 = 1" + ")" * DEEPEST,
        "if(1 = 2, 0, " * DEEPEST + "1" + ")" * DEEPEST,
        "coalesce('', " * DEEPEST + "1" + ")" * DEEPEST,
        "-" * DEEPEST + "1",
        "1" + " - 1" * DEEPEST,
        "1" + " + 1" * 3000,
        "1 = 1" + " or 1 = 1" * 1900,
        "concat(" + ", ".join(["'a'"] * 1000) + ")",
        "${g}[r = " * MOST_INSIDE + "1" + "]/r" * MOST_INSIDE,
    ],
)
def test_the_deepest_and_the_longest_that_is_taken_needs_half_the_stack(source: str) -> None:
    limit = sys.getrecursionlimit()
    depth = len(list(iter_frames()))
    sys.setrecursionlimit(depth + limit // 2)
    try:
        tree = parse(source + " ")
        check(tree, FORM, wanted=None)
        evaluate(tree, Answered({}, {"g": [{"r": Decimal(1)}]}))
    finally:
        sys.setrecursionlimit(limit)


def iter_frames() -> list[object]:
    """The calls that lead here."""
    frame = sys._getframe()
    frames: list[object] = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back  # type: ignore[assignment]
    return frames

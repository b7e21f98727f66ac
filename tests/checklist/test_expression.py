"""The expression language: what is in it, how it binds, what it comes to against an oracle."""

from __future__ import annotations

import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldkit.checklist.errors import ExpressionInvalid
from fieldkit.checklist.evaluation import evaluate
from fieldkit.checklist.expression import Node, Operation, parse, references
from fieldkit.checklist.value import Term
from tests.checklist.language import Answered


def value(text: str, **answers: Term) -> Term:
    """What an expression comes to; `this` is the answer at hand."""
    return evaluate(parse(text), Answered(answers))


def refused(text: str) -> tuple[int, str]:
    with pytest.raises(ExpressionInvalid) as caught:
        parse(text)
    return caught.value.at, str(caught.value)


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("", 0, "ends too early"),
        ("${a} = ", 6, "ends too early"),
        ("(${a} = 'x'", 11, "`)` is missing"),
        ("not(${a}", 8, "`)` is missing"),
        ("${a} ${b}", 5, "`${b}` is not expected here"),
        ("'x' 'y'", 4, "`'y'` is not expected here"),
        ("1 2", 2, "`2` is not expected here"),
        ("${a} and and ${b}", 9, "`and` is not expected here"),
        ("= 1", 0, "`=` is not expected here"),
        ("${a} == 'x'", 6, "`=` is not expected here"),
        ("${a} = 'x", 7, "' is missing"),
        ("$a", 0, "An item is written as ${name}."),
        ("${a", 0, "An item is written as ${name}."),
        ("${a} ? 1", 5, "`?` is not known here"),
        ("${a}; 1", 4, "`;` is not known here"),
        ("${a} | ${b}", 5, "`|` is not known here"),
        ("@x", 0, "`@` is not known here"),
        ("//x", 0, "`//` is not known here"),
        ("/data//x", 5, "`//` is not known here"),
        ("/data/*", 6, "`*` stands for no name here"),
        ("/data/@x", 6, "`@` is not known here"),
        ("/data/text()", 6, "names, `.` and `..` only"),
        ("/child::x", 1, "names, `.` and `..` only"),
        ("${a} / 2", 7, "to divide is `div`"),
        ("${a} AND ${b}", 5, "`and` is written in small letters"),
        ("/data/a/..", 8, "ends with the name of an item"),
        ("/data/${a}", 6, "a name stands without ${…}"),
        ("(${a})[1]", 6, "`[` is not expected here"),
        ("(${a})/b", 6, "`/` is not expected here"),
        ("/a[1]/b[1]", 6, "Only one name of a path"),
        ("../..[1]/b", 3, "Only one name of a path"),
        (".[1]/b", 0, "Only one name of a path"),
        ("${g}[../x = 1]", 5, "a path begins with `/` or `current()/`"),
        ("${g}[x/y = 1]", 5, "a path begins with `/` or `current()/`"),
        ("instance(${a})/root/item", 0, "instance() takes the name of a list in quotes"),
        ("instance('a')", 0, "instance('list')/root/item[condition]/column"),
        ("instance('a')/root/row/x", 0, "instance('list')/root/item[condition]/column"),
        ("instance('a')/root/item/x/y", 0, "instance('list')/root/item[condition]/column"),
        ("jr:choice-name(${a}, 'x')", 22, "an item in quotes"),
        ("jr:choice-name(${a}, '${x')", 22, "An item is written as"),
        ("if(1,,2)", 5, "`,` is not expected here"),
        ("f(1", 3, "`)` is missing"),
        ("x" * 32_768, 0, "too long"),
        ("+".join(["1"] * 5000), 8000, "too long"),
    ],
)
def test_what_is_not_in_the_language_is_refused_at_its_place(text: str, at: int, said: str) -> None:
    assert refused(text)[0] == at
    assert said in refused(text)[1]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 190 + "1" + ")" * 190,
        "-" * 390 + "1",
        "not(" * 99 + "1=1" + ")" * 99,
        "1" + " - 1" * 200,
        "a[" * 100 + "1" + "]" * 100,
    ],
)
def test_an_expression_that_nests_too_deeply_is_refused_and_not_run_out_of_stack(text: str) -> None:
    assert "nested too deeply" in refused(text)[1]


@given(st.text(st.sampled_from("${}ab.'\"()<>=!+-*, 019andormdivt\u1ec5\n"), max_size=60))
def test_no_text_brings_the_parser_down(text: str) -> None:
    try:
        parse(text)
    except ExpressionInvalid as error:
        at = error.at
    else:
        at = 0
    assert 0 <= at <= len(text)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("1 + 2 * 3", "1 + (2 * 3)"),
        ("1 - 2 - 3", "(1 - 2) - 3"),
        ("8 div 2 div 2", "(8 div 2) div 2"),
        ("7 mod 4 * 2", "(7 mod 4) * 2"),
        ("-1 + 2", "(-1) + 2"),
        ("--1", "-(-1)"),
        ("1 < 2 = 2 > 1", "(1 < 2) = (2 > 1)"),
        ("1 = 1 and 2 = 2 or 3 = 4", "((1 = 1) and (2 = 2)) or (3 = 4)"),
        ("1 = 1 or 2 = 2 and 3 = 4", "(1 = 1) or ((2 = 2) and (3 = 4))"),
        ("1 + 1 = 2 and 2 * 2 = 4", "((1 + 1) = 2) and ((2 * 2) = 4)"),
        ("${a}-1", "${a} - 1"),
        (" ${ a }='x' ", "${a} = 'x'"),
    ],
)
def test_operators_bind_as_in_xpath(text: str, same: str) -> None:
    assert _bare(parse(text)) == _bare(parse(same))


def _bare(node: Node) -> Any:
    """A tree without its places."""
    if isinstance(node, Operation):
        return (node.operator, *map(_bare, node.operands))
    return getattr(node, "value", None) or getattr(node, "name", None)


def test_every_item_an_expression_looks_at_is_known() -> None:
    tree = parse("if(${a} = 'x', ${b}, -${c}) > 0 and not(selected(${d}, 'v')) or . = 1")
    assert [reference.name for reference in references(tree)] == ["a", "b", "c", "d"]


# An oracle: trees made at random, written as text, and worked out with fractions.

_numbers = st.decimals(0, 9999, places=2, allow_nan=False).map(
    lambda number: (f"{number:f}", Fraction(number))
)
Worked = tuple[str, Fraction]


def _joined(operator: str, one: Worked, other: Worked) -> Worked:
    left, right = one[1], other[1]
    result = {"+": left + right, "-": left - right, "*": left * right}[operator]
    return f"({one[0]} {operator} {other[0]})", result


sums = st.recursive(
    _numbers,
    lambda below: (
        st.builds(_joined, st.sampled_from("+-*"), below, below)
        | below.map(lambda each: (f"(- {each[0]})", -each[1]))
    ),
    max_leaves=6,
)


@given(sums)
def test_arithmetic_is_exact_to_forty_digits(sum_: Worked) -> None:
    total = value(sum_[0])
    assert isinstance(total, Decimal)
    assert abs(Fraction(total) - sum_[1]) <= abs(sum_[1]) * Fraction(1, 10**38)


@given(sums, sums, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]))
def test_comparisons_of_numbers(one: Worked, other: Worked, operator: str) -> None:
    left, right = one[1], other[1]
    wanted = {
        "=": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }
    assert value(f"{one[0]} {operator} {other[0]}") is wanted[operator]


conditions = st.recursive(
    st.sampled_from([("true()", True), ("false()", False), ("1 = 1", True), ("'a' = 'b'", False)]),
    lambda below: (
        st.tuples(st.sampled_from(["and", "or"]), below, below).map(
            lambda each: (
                f"({each[1][0]} {each[0]} {each[2][0]})",
                (each[1][1] and each[2][1]) if each[0] == "and" else (each[1][1] or each[2][1]),
            )
        )
        | below.map(lambda each: (f"not({each[0]})", not each[1]))
    ),
    max_leaves=8,
)


@given(conditions)
def test_conditions(condition: tuple[str, bool]) -> None:
    assert value(condition[0]) is condition[1]


@given(st.dates(datetime.date(1900, 1, 1), datetime.date(2200, 1, 1)), st.integers(-20000, 20000))
def test_dates_are_days_that_can_be_counted_with(day: datetime.date, days: int) -> None:
    other = day + datetime.timedelta(days)
    assert value("${a} - ${b}", a=other, b=day) == days
    assert value(f"date(${{a}} + {days}) = ${{b}}".replace("+ -", "- "), a=day, b=other) is True
    assert value("${a} < ${b}", a=day, b=other) is (day < other)
    assert value(f"${{a}} = date('{day.isoformat()}')", a=day) is True


@given(st.sets(st.sampled_from("abcdef")), st.sampled_from("abcdefg"))
def test_choices_are_a_set_that_can_be_asked(chosen: set[str], one: str) -> None:
    answer = tuple(sorted(chosen))
    assert value(f"selected(${{a}}, '{one}')", a=answer) is (one in chosen)
    assert value("count-selected(${a})", a=answer) == len(chosen)


@given(st.text(max_size=30), st.text(max_size=5))
def test_texts(text: str, part: str) -> None:
    assert value("contains(${a}, ${b})", a=text, b=part) is (part in text)
    assert value("starts-with(${a}, ${b})", a=text, b=part) is text.startswith(part)
    assert value("ends-with(${a}, ${b})", a=text, b=part) is text.endswith(part)
    assert value("string-length(${a})", a=text) == len(text)
    assert value("concat(${a}, ${b})", a=text, b=part) == text + part
    assert value("substr(${a}, 1, 3)", a=text) == text[1:3]


@given(st.lists(st.none() | st.integers(-(10**6), 10**6).map(Decimal), min_size=1, max_size=5))
def test_functions_over_several_numbers_pass_over_those_that_are_missing(
    given_: list[Decimal | None],
) -> None:
    names = {f"n{position}": number for position, number in enumerate(given_)}
    arguments = ", ".join(f"${{{name}}}" for name in names)
    known = [number for number in given_ if number is not None]
    assert value(f"sum({arguments})", **names) == sum(known)
    assert value(f"min({arguments})", **names) == min(known, default=None)
    assert value(f"max({arguments})", **names) == max(known, default=None)
    assert value(f"count({arguments})", **names) == len(known)


@settings(max_examples=200)
@given(st.decimals(-(10**29), 10**29, places=15, allow_nan=False), st.integers(0, 10))
def test_numbers_of_any_length_are_rounded_like_short_ones(number: Decimal, places: int) -> None:
    exact = Fraction(number)
    half_up = (exact * 10**places + Fraction(1, 2)).__floor__()
    rounded = value(f"round(${{a}}, {places})", a=number)
    assert isinstance(rounded, Decimal)
    assert Fraction(rounded) == Fraction(half_up, 10**places)
    assert Fraction(value("int(${a})", a=number)) == int(exact)  # type: ignore[arg-type]
    assert Fraction(value("floor(${a})", a=number)) == exact.__floor__()  # type: ignore[arg-type]
    assert Fraction(value("abs(${a})", a=number)) == abs(exact)  # type: ignore[arg-type]
    assert Fraction(value("-${a}", a=number)) == -exact  # type: ignore[arg-type]
    assert Fraction(value("sum(${a}, 0.5)", a=number)) == exact + Fraction(1, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("true() = 'true' and (1 = 2) = 'false'", True),
        ("true() = 'false'", False),
        ("7 div 2", Decimal("3.5")),
        ("7 mod 4", Decimal(3)),
        ("-7 mod 4", Decimal(-3)),
        ("1 div 0", Decimal("Infinity")),
        ("-1 div 0", Decimal("-Infinity")),
        ("0.1 + 0.2 = 0.3", True),
        ("number('12.50') = 12.5", True),
        ("number('.125')", Decimal("0.125")),
        ("number(' -7. ')", Decimal(-7)),
        ("number('2000-01-01')", Decimal(10957)),
        ("string(12.50)", "12.5"),
        ("string(1 = 1)", "true"),
        ("boolean('')", False),
        ("boolean('no')", True),
        ("coalesce('', 'b')", "b"),
        ("coalesce('', '')", ""),
        ("if(1 = 2, 'a', 'b')", "b"),
        ("normalize-space('  a   b ')", "a b"),
        ("regex('0912', '[0-9]+')", True),
        ("regex('0912x', '[0-9]+')", False),
        ("regex('Đà Nẵng', '[Đđ].*ẵ.*')", True),
        ("today() = date('2026-11-24')", True),
        ("date('2026-11-24') - date('2026-10-25')", Decimal(30)),
        ("date('2027-02-29')", None),
        ("date(99999999999)", None),
        ("substr('abc', 0)", "abc"),
        ("round(2.5)", Decimal(3)),
        ("round(-2.5)", Decimal(-2)),
        ("round(-2.51)", Decimal(-3)),
        ("selected('a b', ' b ')", True),
    ],
)
def test_what_an_expression_comes_to(text: str, wanted: Term) -> None:
    assert value(text) == wanted


@pytest.mark.parametrize("nothing", ["", None])
def test_an_answer_that_is_missing_equals_the_empty_text_and_is_neither_more_nor_less(nothing: Term) -> None:
    assert value("${a} = ''", a=nothing) is True
    assert value("${a} != ''", a=nothing) is False
    assert value("${a} != 'x'", a=nothing) is True
    for operator in ("<", "<=", ">", ">="):
        assert value(f"${{a}} {operator} 0", a=nothing) is False
    assert value("${a} = 0", a=nothing) is False
    total = value("${a} + 1", a=nothing)
    assert isinstance(total, Decimal)
    assert total.is_nan()


def test_what_does_not_matter_is_not_looked_at() -> None:
    assert value("1 = 2 and ${gone} = 'x'") is False
    assert value("1 = 1 or ${gone} = 'x'") is True
    assert value("if(1 = 1, 'a', ${gone})") == "a"

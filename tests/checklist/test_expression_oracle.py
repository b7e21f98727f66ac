"""Arithmetic, comparisons and the functions of texts against libxml2's XPath 1.0, on values as they stand.

Its numbers are binary and ours decimal: those that are tried are exact in both, or held to what both have.
"""

from __future__ import annotations

import math
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from fieldkit.checklist.evaluation import evaluate
from fieldkit.checklist.expression import parse
from fieldkit.checklist.value import Term
from tests.checklist.language import Answered

DOCUMENT = etree.fromstring("<nothing/>")

numbers = st.one_of(
    st.integers(-40, 40).map(str),
    st.integers(-160, 160).map(lambda eighths: f"{Decimal(eighths) / 8:f}"),
    st.sampled_from([".5", "7.", "(1 div 0)", "(-1 div 0)", "(0 div 0)", "number('')", "number('- 1')"]),
)
texts = st.text("abAB1.- ễ", max_size=8).map(lambda text: f"'{text}'")
number_texts = st.sampled_from(["'12'", "' 3.50 '", "'-2'", "'.5'", "'1.'", "'x'", "'+1'", "'12,5'"])


def grown(below: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Larger expressions of numbers from smaller ones."""
    return st.one_of(
        st.tuples(below, st.sampled_from(["+", "-", "*"]), below).map(" ".join).map("({})".format),
        below.map("(- {})".format),
        st.tuples(st.sampled_from(["floor", "ceiling", "round", "number"]), below).map(
            lambda call: f"{call[0]}({call[1]})"
        ),
        texts.map("string-length({})".format),
    )


calculations = st.recursive(st.one_of(numbers, number_texts.map("number({})".format)), grown, max_leaves=5)


def ours(text: str) -> Term:
    """What it comes to here."""
    return evaluate(parse(text), Answered({}))


def theirs(text: str) -> float | str | bool:
    """What libxml2 makes of it."""
    result = etree.XPath(text)(DOCUMENT)
    assert isinstance(result, float | str | bool)
    return result


def assert_same(text: str) -> None:
    mine, other = ours(text), theirs(text)
    if not isinstance(other, float) or isinstance(other, bool):
        assert mine == other, text
        return
    assert isinstance(mine, Decimal), text
    if math.isnan(other):
        assert mine.is_nan(), text
    elif math.isinf(other):
        assert mine == Decimal(str(other)), text
    else:
        assert math.isclose(float(mine), other, rel_tol=1e-12, abs_tol=1e-12), text


@settings(max_examples=300)
@given(calculations)
def test_what_is_calculated_comes_to_the_same(text: str) -> None:
    assert_same(text)


@given(calculations, st.sampled_from(["div", "mod"]), calculations)
def test_what_is_divided_comes_to_the_same(one: str, operator: str, other: str) -> None:
    assert_same(f"{one} {operator} {other}")


@settings(max_examples=300)
@given(
    st.one_of(calculations, number_texts, texts, st.sampled_from(["true()", "false()"])),
    st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
    st.one_of(calculations, number_texts, texts, st.sampled_from(["true()", "false()"])),
)
def test_what_is_compared_holds_alike(one: str, operator: str, other: str) -> None:
    assert_same(f"{one} {operator} {other}")


@given(
    st.one_of(calculations, texts, number_texts, st.sampled_from(["true()", "1 = 2"])),
    st.sampled_from(["boolean({})", "not({})", "string(boolean({}))", "number({})"]),
)
def test_one_type_is_made_of_another_alike(value: str, function: str) -> None:
    assert_same(function.format(value))


@settings(max_examples=300)
@given(
    texts,
    texts,
    texts,
    st.sampled_from(
        [
            "concat({0}, {1}, {2})",
            "contains({0}, {1})",
            "starts-with({0}, {1})",
            "substring-before({0}, {1})",
            "substring-after({0}, {1})",
            "translate({0}, {1}, {2})",
            "normalize-space({0})",
            "string-length(concat({0}, {1}))",
            "{0} = {1} or {1} != {2} and {0} = ''",
        ]
    ),
)
def test_texts_come_to_the_same(one: str, two: str, three: str, shape: str) -> None:
    assert_same(shape.format(one, two, three))


@settings(max_examples=300)
@given(texts, numbers, st.one_of(st.just(""), numbers.map(", {}".format)))
def test_a_part_of_a_text_is_the_same(text: str, start: str, count: str) -> None:
    assert_same(f"substring({text}, {start}{count})")


@given(numbers)
def test_numbers_are_written_alike(number: str) -> None:
    assert_same(f"string({number})")
    assert_same(f"concat('', {number})")

"""Answers in the texts of a form."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldkit.checklist.errors import ExpressionInvalid
from fieldkit.checklist.expression import Reference
from fieldkit.checklist.template import filled, parts
from fieldkit.checklist.value import Nodes, Term
from tests.checklist.language import Answered


def shown(text: str, **answers: Term) -> str:
    return filled(parts(text), Answered(answers))


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("Chào ${name}!", "Chào Mẫu!"),
        ("${name}${ name }", "MẫuMẫu"),
        ("${number} / ${day}", "1.5 / 2026-11-24"),
        ("${none}|${odd}|", "||"),
        ("${rows}", "a"),
        ("5 $, {x}, ${, $}, ${}, ${a b}", "5 $, {x}, ${, $}, ${}, ${a b}"),
        ("<b>${name}</b>", "<b>Mẫu</b>"),
    ],
)
def test_an_answer_stands_where_its_item_is_named(text: str, result: str) -> None:
    answers: dict[str, Term] = {
        "name": "Mẫu", "number": Decimal("1.50"), "day": datetime.date(2026, 11, 24), "none": None,
        "odd": Decimal("NaN"), "rows": Nodes(("a", "b")),
    }  # fmt: skip
    assert shown(text, **answers) == result


def test_each_item_in_a_text_is_known_with_its_place() -> None:
    assert parts("a ${b-1.C} c") == ("a ", Reference("b-1.C", 2), " c")
    assert parts("") == ()


def test_the_way_in_which_xml_shows_an_answer_is_refused_at_its_place() -> None:
    with pytest.raises(ExpressionInvalid, match="not with <output>") as caught:
        parts("Chào <output value='/data/name'/>")
    assert caught.value.at == 5


@given(st.text(st.sampled_from("${}ab <>\n"), max_size=40))
def test_no_text_is_lost_and_an_answer_is_never_read_as_another_item(text: str) -> None:
    class Echo(Answered):
        def value(self, name: str) -> Term:
            return f"${{{name}}}"

    assert filled(parts(text), Echo({})).replace(" ", "") == text.replace(" ", "")

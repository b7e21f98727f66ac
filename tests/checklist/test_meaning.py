"""What an expression may say about a checklist is settled when the checklist is read, in both languages."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldkit.checklist.errors import ExpressionInvalid
from fieldkit.checklist.expression import parse
from fieldkit.checklist.kinds import KINDS, YES_NO, Choice, Item
from fieldkit.checklist.meaning import FUNCTIONS, check
from fieldkit.checklist.value import FUNCTIONS as WORKED
from fieldkit.checklist.value import evaluate
from fieldkit.text import Message, Words
from tests.conftest import REPOSITORY

W = Words("v", "e")
CHOICES = (Choice("a", W), Choice("b", W))
ITEMS = {
    item.id: item
    for item in (
        Item("yn", "yesno", W),
        Item("txt", "text", W),
        Item("one", "choice", W, choices=CHOICES),
        Item("many", "choices", W, choices=CHOICES),
        Item("num", "number", W),
        Item("day", "date", W),
        Item("doc", "file", W),
        Item("say", "note", W),
        Item("proc", "procedure", W, procedure="preflight"),
    )
}


def refused(text: str, this: str = "") -> tuple[int, Message]:
    with pytest.raises(ExpressionInvalid) as caught:
        check(parse(text), ITEMS, ITEMS.get(this))
    assert isinstance(caught.value.message, Message)
    return caught.value.at, caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "${yn} = 'n/a'",
        "${txt} != ''",
        "'b' = ${one}",
        "selected(${many}, 'a') or selected(${one}, 'b')",
        "${num} = '12'",
        "${num} >= 1.5 and ${num} mod 2 = 0",
        "${day} < today() - 30",
        "${day} = date('2026-11-24')",
        "${day} = ''",
        "${doc} != ''",
        "regex(${doc}, '.*[.]pdf')",
        "number(${txt}) > 3",
        "coalesce(${txt}, 'x') = 'x'",
        "if(${yn} = 'yes', ${num}, 0) > 1",
        "count(${txt}, ${num}, ${many}) > 1",
        "boolean(${txt})",
        "not(true())",
    ],
)
def test_what_fits_is_taken(text: str) -> None:
    check(parse(text), ITEMS)


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("${gone} = 'x'", 0, "no item `gone`"),
        ("${nun} = 1", 0, "is `num` meant?"),
        ("${yn} = 'maybe'", 8, "`yn` is never `maybe`. Its values: yes, no, n/a."),
        ("${yn} = 1", 8, "never `1`"),
        ("'c' != ${one}", 0, "`one` is never `c`"),
        ("selected(${many}, 'c')", 18, "`many` is never `c`"),
        ("${many} = 'a'", 0, "selected("),
        ("${num} = 'many'", 9, "`many` is not a number."),
        ("${num} = '1.234,5'", 9, "is not a number."),
        ("${day} = '2026-11-24'", 0, "compared: a date and a text"),
        ("${txt} > 1", 0, "A number or a date is expected here"),
        ("${txt} = 1", 0, "compared: a text and a number"),
        ("${num} + 'a' = 2", 9, "A number or a date is expected here"),
        ("${num}", 0, "A condition is expected here"),
        ("'yes'", 0, "A condition is expected here"),
        ("${yn} = 'yes' and ${num}", 18, "A condition is expected here"),
        ("not(${txt})", 4, "A condition is expected here"),
        ("${proc} = 'pass'", 0, "`proc` is of kind `procedure`"),
        ("${say} = ''", 0, "`say` is of kind `note`"),
        (". = 1", 0, "here is none"),
        ("count-selected(${txt}) > 1", 15, "kind `choices` is expected"),
        ("string-length(${yn} = 'yes') > 1", 20, "a condition; expected: a text, a number, a date"),
        ("selected(${num}, 'a')", 9, "a number; expected: several choices, a text"),
        ("sqrt(4) = 2", 0, "`sqrt` is not known"),
        ("pulldata('a') = 'b'", 0, "`pulldata` is not known"),
        ("now() > today()", 0, "`now` is not known"),
        ("regex(${txt}) = 'x'", 0, "regex() takes 2 value(s)"),
        ("min() = 1", 0, "min() takes at least 1 value(s)"),
        ("substr(${txt}, 1, 2, 3) = ''", 0, "substr() takes at most 3 value(s)"),
        ("regex(${txt}, '[')", 14, "not a regular expression"),
        ("regex(${txt}, ${txt})", 14, "a text in quotes"),
        ("${day} > date('24/11/2026')", 14, "not a date"),
        ("if(${yn} = 'yes', 1, 'a') = 1", 21, "a text; expected: a number"),
        ("coalesce(${num}, ${txt}) = 1", 17, "a text; expected: a number"),
    ],
)
def test_a_slip_of_the_pen_is_found_at_its_place(text: str, at: int, said: str) -> None:
    found, message = refused(text)
    assert said in message.render("en")
    assert found == at


@pytest.mark.parametrize("pattern", ["(?=a+)b", "(a)\\1", "(?i)a", "a{2000}", "(a", "(?<!x)a"])
def test_a_pattern_that_no_answer_can_be_held_against_is_refused_with_its_place(pattern: str) -> None:
    assert refused(f"regex(${{txt}}, '{pattern}')")[0] == 14


@pytest.mark.parametrize("pattern", ["(a|aa)+$", "(.|\\s)*x", "(a+)+", "[A-Z0-9]+(\\.[A-Z0-9]+)*"])
def test_a_pattern_that_repeats_what_varies_is_taken(pattern: str) -> None:
    check(parse(f"regex(${{txt}}, '{pattern}')"), ITEMS)


@pytest.mark.parametrize("text", ["selected(${num}, 'a')", "${txt} = 1", "string-length(${many}) = 1"])
def test_the_words_for_types_are_translated_with_the_sentence(text: str) -> None:
    shown = refused(text)[1]
    assert all(isinstance(value, Message) for key, value in shown.params.items() if key != "name")


def test_every_function_that_is_known_can_be_worked_out() -> None:
    assert set(FUNCTIONS) == {*WORKED, "if", "today"}


def test_every_function_is_documented() -> None:
    text = (REPOSITORY / "docs" / "forms.md").read_text(encoding="utf-8")
    table = text.partition("| about | functions |")[2].partition("\n\n")[0]
    assert {name.partition("(")[0] for name in re.findall("`([a-z-]+)[(`]", table)} == set(FUNCTIONS)


# Whatever passes the check can be evaluated with any answers: nothing is left to go wrong at a bureau.

_LEAVES = {
    "truth": ["true()", "${yn} = 'yes'", "selected(${many}, 'a')", "${txt} != ''", "regex(${txt}, '[a-z]+')"],
    "number": [
        "${num}",
        "1",
        "0",
        "2.5",
        "string-length(${txt})",
        "count-selected(${many})",
        "number(${txt})",
    ],
    "text": [
        "${txt}",
        "${one}",
        "'a'",
        "concat('x', '')",
        "''",
        "${doc}",
        "string(${num})",
        "concat(${txt}, ${day})",
    ],
    "date": ["${day}", "today()", "date('2026-11-24')", "date(${txt})", "date(${num})"],
}
_GROWN = {
    "truth": [
        "({truth} and {truth})", "({truth} or {truth})", "not({truth})", "({number} < {number})",
        "({date} >= {date})", "({text} = {text})", "({number} != {number})", "contains({text}, {text})",
        "boolean({number})", "({number} = {date})",
    ],
    "number": [
        "({number} + {number})", "({number} - {date})", "({number} * {number})", "({number} div {number})",
        "({number} mod {number})", "(- {number})", "round({number}, {number})", "int({number})",
        "floor({number})", "abs({number})", "min({number}, {number})", "sum({number}, {number})",
        "if({truth}, {number}, {number})", "coalesce({number}, {number})", "number({text})",
    ],
    "text": [
        "concat({text}, {number})", "substr({text}, {number}, {number})", "if({truth}, {text}, {text})",
        "coalesce({text}, {text})", "normalize-space({text})", "string({truth})",
    ],
    "date": ["date({number})", "date(concat({text}, ''))", "if({truth}, {date}, {date})"],
}  # fmt: skip


@st.composite
def expressions(draw: st.DrawFn, kind: str = "truth", depth: int = 3) -> str:
    if depth == 0:
        return draw(st.sampled_from(_LEAVES[kind]))
    shape = draw(st.sampled_from(_LEAVES[kind] + _GROWN[kind]))
    for each in _LEAVES:
        while f"{{{each}}}" in shape.replace("${", "  "):
            at = shape.replace("${", "  ").index(f"{{{each}}}")
            below = draw(expressions(each, depth - 1))
            shape = shape[:at] + below + shape[at + len(each) + 2 :]
    return shape


_ANSWERS = st.fixed_dictionaries(
    {
        "yn": st.sampled_from([None, *(choice.value for choice in YES_NO)]),
        "txt": st.none() | st.text(max_size=20) | st.sampled_from(["12", "2026-11-24", "9" * 40]),
        "one": st.sampled_from([None, "a", "b"]),
        "many": st.sampled_from([None, [], ["a"], ["a", "b"]]),
        "num": st.none() | st.integers(-(10**25), 10**25).map(str) | st.just("0.5"),
        "day": st.none() | st.dates().map(datetime.date.isoformat),
        "doc": st.sampled_from([None, {"sha256": "0" * 64, "size": 1, "name": "a b.pdf"}]),
    }
)


@given(expressions(), _ANSWERS)
def test_what_is_taken_can_be_asked_of_any_answers(text: str, answers: dict[str, Any]) -> None:
    tree = parse(text)
    check(tree, ITEMS)
    found = evaluate(tree, lambda id: KINDS[ITEMS[id].kind].term(answers[id]), datetime.date(2026, 11, 24))
    assert isinstance(found, bool)

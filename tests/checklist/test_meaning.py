"""What an expression may say about a checklist is settled when the checklist is read, in both languages."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldkit.checklist.errors import ExpressionInvalid
from fieldkit.checklist.evaluation import evaluate
from fieldkit.checklist.expression import parse
from fieldkit.checklist.functions import FUNCTIONS
from fieldkit.checklist.kinds import KINDS, YES_NO, Choice, Item
from fieldkit.checklist.meaning import check
from fieldkit.text import Message, Words
from tests.checklist.language import Answered, Form
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
        Item("scale", "choice", W, choices=(Choice("1", W), Choice("2", W), Choice("none", W))),
        Item("num", "number", W),
        Item("day", "date", W),
        Item("doc", "file", W),
        Item("say", "note", W),
        Item("proc", "procedure", W, procedure="preflight"),
    )
}
FORM = Form(ITEMS)


def refused(text: str, this: str = "") -> tuple[int, Message]:
    with pytest.raises(ExpressionInvalid) as caught:
        check(parse(text), FORM, ITEMS.get(this))
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
        "${num}",
        "not(${txt})",
        "${many} = 'a b'",
        "string-length(${many}) > 1",
        "${txt} > 1 and ${txt} = 1",
        "${day} >= '2000-01-01' and '2000-01-01' != ${day}",
        "if(${yn} = 'yes', 1, 'a') = 1",
        "if(${txt} = '', '', ${num} + 1) > 3",
        "coalesce(${num}, ${txt}) = 1",
        "${scale} = 1 and ${scale} > 0 and ${scale} = '2'",
        "now() > today()",
        "selected(${many}, 'a') = 'true'",
        "${txt} = 'false' or ${txt} = true()",
        "/data/line/num > 1 and ../num < 5 and ./txt != '' and current()/../num = 1",
    ],
)
def test_what_fits_is_taken(text: str) -> None:
    check(parse(text), FORM)


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("${gone} = 'x'", 0, "no item `gone`"),
        ("${nun} = 1", 0, "is `num` meant?"),
        ("${yn} = 'maybe'", 8, "`yn` is never `maybe`. Its values: yes, no, n/a."),
        ("${yn} = 1", 8, "never `1`"),
        ("'c' != ${one}", 0, "`one` is never `c`"),
        ("selected(${many}, 'c')", 18, "`many` is never `c`"),
        ("${many} > 1", 0, "selected("),
        ("${many} = 'a c'", 10, "`many` is never `a c`"),
        ("${num} = 'many'", 9, "`many` is not a number."),
        ("${num} = '1.234,5'", 9, "is not a number."),
        ("${day} = '24/11/2026'", 9, "not a date, such as 2026-11-24"),
        ("${day} >= '2026-02-30'", 10, "not a date"),
        ("${txt} > 'many'", 9, "`many` is not a number"),
        ("${one} > 1", 0, "`one` is never a number. Its values: a, b"),
        ("${one} = ${num}", 0, "`one` is never a number"),
        ("${num} + 'a' = 2", 9, "`a` is not a number"),
        ("${num} + '' = 2", 9, "`` is not a number"),
        ("${many} = ${day}", 0, "compared: several choices and a date"),
        ("${one} = true()", 0, "compared: a text and a condition"),
        ("selected(${many}, 'a') = 'false'", 25, "compared with true() or false()"),
        ("'yes' = true()", 0, "compared with true() or false()"),
        ("${day} = true()", 0, "compared: a date and a condition"),
        ("'yes'", 0, "A condition is expected here"),
        ("${yn} = 'yes' and 'no'", 18, "A condition is expected here"),
        ("${txt} != '' and ${yn}", 17, "`yn` as such is true with every answer, with `no` too"),
        ("not(${yn})", 4, "`yn` as such is true with every answer"),
        ("${proc} = 'pass'", 0, "`proc` is of kind `procedure`"),
        ("${say} = ''", 0, "`say` is of kind `note`"),
        (". = 1", 0, "here is none"),
        ("count-selected(${num}) > 1", 15, "a number; expected: several choices, a text"),
        ("string-length(${yn} = 'yes') > 1", 20, "a condition; expected: a text, a number, a date"),
        ("selected(${num}, 'a')", 9, "a number; expected: several choices, a text"),
        ("a = 'x'", 0, "an item in ${…}"),
        ("sqr(4) = 2", 0, "`sqr` is not known; is `sqrt` meant?"),
        ("property('deviceid') = 'b'", 0, "`property` is not known"),
        ("jr:itext('a') = 'b'", 0, "texts stand in the form itself"),
        ("pulldata('a') = 'b'", 0, "pulldata() takes 4 value(s)"),
        ("regex(${txt}) = 'x'", 0, "regex() takes 2 value(s)"),
        ("min() = 1", 0, "min() takes at least 1 value(s)"),
        ("substr(${txt}, 1, 2, 3) = ''", 0, "substr() takes at most 3 value(s)"),
        ("regex(${txt}, '[')", 14, "not a regular expression"),
        ("regex(${txt}, ${txt})", 14, "a text in quotes"),
        ("${day} > date('24/11/2026')", 14, "not a date"),
        ("position() = 1", 0, "is known in […] only"),
        ("position(${num}) = 1", 9, "A repeat is expected here"),
        (".. = 1", 0, "position(..) is the number of its row"),
        ("digest(${txt}, 'SHA-3') = 'a'", 15, "`SHA-3` is not one of: MD5, SHA-1"),
        ("decimal-time('8h30') > 0.5", 13, "not a time, such as 08:30"),
        ("weighted-checklist(1, 2, ${num}, 1, ${num}) or true()", 0, "in pairs"),
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
    check(parse(f"regex(${{txt}}, '{pattern}')"), FORM)


@pytest.mark.parametrize("text", ["selected(${num}, 'a')", "${day} = true()", "decimal-time(1) = 1"])
def test_the_words_for_types_are_translated_with_the_sentence(text: str) -> None:
    shown = refused(text)[1]
    assert all(isinstance(value, Message) for key, value in shown.params.items() if key != "name")


def test_every_function_is_documented() -> None:
    text = (REPOSITORY / "docs" / "forms.md").read_text(encoding="utf-8")
    table = text.partition("| about | functions |")[2].partition("\n\n")[0]
    assert {name.partition("(")[0] for name in re.findall("`([a-z0-9:-]+)[(`]", table)} == set(FUNCTIONS)


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
        "scale": st.sampled_from([None, "1", "2", "none"]),
        "many": st.sampled_from([None, [], ["a"], ["a", "b"]]),
        "num": st.none() | st.integers(-(10**25), 10**25).map(str) | st.just("0.5"),
        "day": st.none() | st.dates().map(datetime.date.isoformat),
        "doc": st.sampled_from([None, {"sha256": "0" * 64, "size": 1, "name": "a b.pdf"}]),
    }
)


@given(expressions(), _ANSWERS)
def test_what_is_taken_can_be_asked_of_any_answers(text: str, answers: dict[str, Any]) -> None:
    tree = parse(text)
    assert check(tree, FORM) == "truth"
    terms = {id: KINDS[ITEMS[id].kind].term(answer) for id, answer in answers.items()}
    assert isinstance(evaluate(tree, Answered(terms)), bool)

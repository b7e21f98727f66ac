"""Answers: what is typed becomes what is stored, or is refused; what is asked depends on the rest."""

from __future__ import annotations

import datetime
import unicodedata
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldkit.checklist.errors import AnswerInvalid
from fieldkit.checklist.kinds import Choice, Item
from fieldkit.checklist.load import parse
from fieldkit.checklist.model import Checklist, Section
from fieldkit.checklist.value import number
from fieldkit.text import Message, Words
from tests.checklist.answering import check_answer, problems, relevant

W = Words("v", "e")
NUMBER = Item("n", "number", W)
DAY = Item("d", "date", W)
TEXT = Item("t", "text", W)
CHOICES = Item("c", "choices", W, choices=tuple(Choice(value, W) for value in ("a", "b", "c")))
FILE = Item("f", "file", W, accept=("pdf", "jpg"))
STORED = {"sha256": "0" * 64, "size": 3, "name": "scan.PDF"}


def asking(*items: Item) -> Checklist:
    """A checklist of these items."""
    return Checklist("c", "1", W, (Section("s", W, items),))


def stored(item: Item, value: Any) -> Any:
    return check_answer(item.id, value, {}, asking(item))


def refused(item: Item, value: Any) -> str:
    with pytest.raises(AnswerInvalid) as caught:
        check_answer(item.id, value, {}, asking(item))
    assert caught.value.unchanged is not None
    str(caught.value).encode()  # whatever was typed, the refusal can be shown
    return str(caught.value)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("7", "7"),
        ("+7", "7"),
        ("-7", "-7"),
        ("−7", "-7"),
        ("−7,5", "-7.5"),
        ("007", "7"),
        ("3,5", "3.5"),
        ("3.5", "3.5"),
        ("3,50", "3.5"),
        ("0,125", "0.125"),
        ("0.125", "0.125"),
        ("1.234,5", "1234.5"),
        ("1,234.5", "1234.5"),
        ("1.234.567", "1234567"),
        ("1,234,567", "1234567"),
        ("1 234 567", "1234567"),
        ("1 234", "1234"),
        ("1\u00a0234,5", "1234.5"),
        ("1\u202f234", "1234"),
        ("1.234.567,89", "1234567.89"),
        ("1234,567", "1234.567"),
        ("1,2340", "1.234"),
        ("１２", "12"),
        ("-0", "0"),
        (12, "12"),
        (Decimal("1.50"), "1.5"),
        (Decimal("1.234"), "1.234"),
    ],
)
def test_numbers_as_they_are_typed_in_vietnam_and_elsewhere(typed: Any, kept: str) -> None:
    assert stored(NUMBER, typed) == kept


@pytest.mark.parametrize(
    "typed",
    ["", " ", "x", "1e5", "1,2,3", "1.2.3", "1.234,5,6", "1,5 m", "--1", "NaN", "Infinity", "0x10", "1.",
     ".5", "1.23.456", "12.34,5", "1.2345,6", True, None, 1.5, ["1"], "9" * 26, "1" + ".000" * 12,
     Decimal("NaN"), Decimal("Infinity")],
)  # fmt: skip
def test_what_is_no_number_is_refused(typed: Any) -> None:
    assert refused(NUMBER, typed)


@pytest.mark.parametrize(
    ("typed", "thousand", "fraction"),
    [("1.234", "1234", "1,2340"), ("1,234", "1234", "1,2340"), ("-12.500", "-12500", "-12,5000")],
)
def test_a_number_that_may_be_a_thousand_or_a_fraction_is_asked_back_with_both_ways_to_write_it(
    typed: str, thousand: str, fraction: str
) -> None:
    said = refused(NUMBER, typed)
    assert thousand in said
    assert fraction in said
    assert Decimal(stored(NUMBER, thousand)) == 1000 * Decimal(stored(NUMBER, fraction))


@given(st.decimals(-(10**14), 10**14, places=4, allow_nan=False))
def test_what_is_kept_of_a_number_is_its_value(given_: Decimal) -> None:
    kept = stored(NUMBER, f"{given_:f}0")
    assert number(kept) == given_
    assert stored(NUMBER, given_) == kept  # as a number it is one thing, as the text "1.234" it is two


@given(st.text(max_size=40))
def test_whatever_is_typed_is_a_number_that_can_be_worked_with_or_refused(typed: str) -> None:
    try:
        kept = stored(NUMBER, typed)
    except AnswerInvalid:
        kept = "0"
    assert number(kept) is not None


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("24/11/2026", "2026-11-24"),
        ("24-11-2026", "2026-11-24"),
        ("24.11.2026", "2026-11-24"),
        ("4/1/2026", "2026-01-04"),
        ("2026-11-24", "2026-11-24"),
        ("29/02/2028", "2028-02-29"),
    ],
)
def test_days_are_typed_day_first_or_iso(typed: str, kept: str) -> None:
    assert stored(DAY, typed) == kept


@pytest.mark.parametrize(
    "typed", ["29/02/2027", "31/04/2026", "11/24/2026", "24/11/26", "2026-W48-2", "today", "20261124"]
)
def test_what_is_no_day_is_refused(typed: str) -> None:
    assert "24/11/2026" in refused(DAY, typed)


def test_a_text_is_kept_composed_without_blanks_around_it() -> None:
    assert stored(TEXT, "  " + unicodedata.normalize("NFD", "Nguyễn Mẫu") + " ") == "Nguyễn Mẫu"


@pytest.mark.parametrize(
    "typed", ["", "  \n", "a\nb", "a\x1b[31m", "a\x00", "\udc80", "x" * 20_001, 1.5, None, {}, ["a"]]
)
def test_a_text_that_cannot_be_shown_or_kept_is_refused(typed: Any) -> None:
    assert refused(TEXT, typed)


def test_a_tab_is_kept_within_a_text() -> None:
    assert stored(TEXT, "a\tb") == "a\tb"


def test_several_lines_are_kept_where_they_are_asked_for() -> None:
    assert stored(Item("t", "text", W, multiline=True), "a\r\nb") == "a\nb"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("a", ["a"]), ("c, a", ["a", "c"]), ("B;a a", ["a", "b"]), (["c", "b"], ["b", "c"]), ("", []), ([], [])],
)
def test_choices_are_kept_once_in_the_order_of_the_checklist(typed: Any, kept: list[str]) -> None:
    assert stored(CHOICES, typed) == kept


@pytest.mark.parametrize("typed", ["d", ["a", "d"], ["\udc80"], "\udc80", 1, None, {"a": 1}, [1]])
def test_a_choice_that_is_not_there_is_refused(typed: Any) -> None:
    assert refused(CHOICES, typed)


@pytest.mark.parametrize("typed", ["y", "có", "true", "yes no"])
def test_yes_no_takes_its_three_words_only(typed: str) -> None:
    yes_no = Item("y", "yesno", W)
    assert stored(yes_no, "YES") == "yes"
    assert stored(yes_no, "n/A") == "n/a"
    assert "yes, no, n/a" in refused(yes_no, typed)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "scan.exe"},
        {"name": ""},
        {"name": "pdf"},
        {"name": "\udc80.pdf"},
        {"sha256": "0"},
        {"sha256": "G" * 64},
        {"size": -1},
        {"size": "3"},
    ],
)
def test_a_file_is_known_by_its_hash_and_of_a_kind_that_is_taken(change: dict[str, Any]) -> None:
    assert stored(FILE, STORED) == STORED
    assert refused(FILE, STORED | change)
    assert refused(FILE, "scan.pdf")


def test_a_file_may_be_empty_and_its_name_is_kept_composed() -> None:
    name = unicodedata.normalize("NFD", "biên bản.v2.jpg")
    kept = {"sha256": "0" * 64, "size": 0, "name": "biên bản.v2.jpg"}
    assert stored(FILE, kept | {"name": name}) == kept
    assert stored(Item("f", "file", W), kept | {"name": "bất kỳ"})["name"] == "bất kỳ"
    said = refused(FILE, kept | {"name": "scan.jpg.exe"})
    assert "scan.jpg.exe" in said
    assert "pdf, jpg" in said


@pytest.mark.parametrize("lacking", ["sha256", "size", "name"])
def test_a_file_without_its_hash_size_or_name_is_none(lacking: str) -> None:
    assert "a file" in refused(FILE, {name: value for name, value in STORED.items() if name != lacking})
    assert "a file" in refused(FILE, STORED | {lacking: b"0" * 64})


def test_as_much_is_kept_as_is_allowed_and_no_more() -> None:
    assert stored(TEXT, " " + "x" * 20_000) == "x" * 20_000
    assert "20000" in refused(TEXT, "x" * 20_001)
    assert stored(NUMBER, "9" * 25) == "9" * 25
    fraction = Decimal("0." + "1" * 25)
    assert stored(NUMBER, fraction) == str(fraction)
    for typed in (10**25, Decimal("-0." + "1" * 26)):
        assert "25" in refused(NUMBER, typed)


@pytest.mark.parametrize("kind", ["procedure", "note"])
def test_what_no_person_answers_takes_no_answer(kind: Any) -> None:
    assert refused(Item("p", kind, W), "yes")


def test_a_constraint_is_said_in_its_own_words_or_shown() -> None:
    some = Item("n", "number", W, constraint=". >= 1 and . = int(.)")
    assert ". >= 1" in refused(some, "0")
    named = Item("n", "number", W, constraint=". >= 1", constraint_message=Words("ít nhất 1", "one at least"))
    assert refused(named, "0") == "one at least"
    assert stored(named, "1") == "1"


def test_a_constraint_looks_at_other_answers_as_they_are_in_force() -> None:
    checklist = parse(
        """\
id: c
version: "1"
title: {vi: v, en: e}
sections:
  - id: s
    title: {vi: v, en: e}
    items:
      - {id: on, kind: yesno, label: {vi: v, en: e}}
      - {id: most, kind: number, relevant: "${on} = 'yes'", label: {vi: v, en: e}}
      - {id: n, kind: number, constraint: "${most} = '' or . <= ${most}", label: {vi: v, en: e}}
""",
        "c.yaml",
    )
    item = checklist.item("n")
    with pytest.raises(AnswerInvalid):
        check_answer(item.id, "4", {"on": "yes", "most": "3"}, checklist)
    assert check_answer(item.id, "4", {"on": "no", "most": "3"}, checklist) == "4"
    assert check_answer(item.id, "4", {"on": "yes"}, checklist) == "4"


# Relevance: a chain, each asked when the one before says yes, against a walk through it.


def _chain(length: int) -> Checklist:
    items = [
        Item(f"q{n}", "yesno", W, required=True, relevant=f"${{q{n - 1}}} = 'yes'" if n else "")
        for n in range(length)
    ]
    return Checklist("c", "1", W, (Section("s", W, tuple(items)),))


@given(st.lists(st.sampled_from([None, "yes", "no", "n/a"]), min_size=1, max_size=8))
def test_an_item_that_is_off_has_no_answer_for_those_after_it(answers: list[str | None]) -> None:
    checklist = _chain(len(answers))
    given_ = {f"q{n}": answer for n, answer in enumerate(answers) if answer is not None}
    wanted = ["q0"]
    while len(wanted) < len(answers) and answers[len(wanted) - 1] == "yes":
        wanted.append(f"q{len(wanted)}")
    assert relevant(checklist, given_) == wanted
    assert [each.item for each in problems(checklist, given_, {})] == [
        id for id in wanted if id not in given_
    ]


def test_a_section_that_is_off_takes_its_items_with_it() -> None:
    inner = Section("b", W, (Item("x", "text", W, required=True),), relevant="${on} = 'yes'")
    after = Section("c", W, (Item("y", "text", W, required=True, relevant="${x} != ''"),))
    checklist = Checklist("c", "1", W, (Section("a", W, (Item("on", "yesno", W),)), inner, after))
    assert relevant(checklist, {"on": "no", "x": "kept"}) == ["on"]
    assert relevant(checklist, {"on": "yes", "x": "kept"}) == ["on", "x", "y"]


def test_what_keeps_a_visit_open_comes_in_the_order_of_the_items() -> None:
    items = (
        Item("p", "procedure", W, required=True, procedure="preflight"),
        Item("q", "procedure", W, procedure="preflight"),
        Item("t", "text", W, required=True),
        Item("n", "number", W, constraint=". < 5"),
        Item("m", "choices", W, required=True, choices=(Choice("a", W),)),
        Item("o", "note", W),
    )
    checklist = Checklist("c", "1", W, (Section("s", W, items),))
    found = problems(checklist, {"n": "7", "m": []}, {})
    assert [each.item for each in found] == ["p", "t", "n", "m"]
    found = problems(checklist, {"n": "4", "m": ["a"], "t": "x"}, {"p": "fail", "q": "fail"})
    assert [each.item for each in found] == ["p", "q"]
    assert problems(checklist, {"t": "x", "m": ["a"]}, {"p": "not-checked"}) == []
    assert all(isinstance(each.message, Message) for each in found)


def test_today_is_the_day_of_the_question() -> None:
    item = Item("d", "date", W, constraint=". <= today()")
    checklist = Checklist("c", "1", W, (Section("s", W, (item,)),))
    day = datetime.datetime(2026, 11, 24, 9)
    assert problems(checklist, {"d": "2026-11-24"}, {}, day) == []
    assert problems(checklist, {"d": "2026-11-24"}, {}, day - datetime.timedelta(1))


def test_where_no_day_is_named_today_is_the_day_it_is() -> None:
    now = datetime.datetime.now()
    before, after = (str((now + datetime.timedelta(days)).date()) for days in (-2, 2))
    day = Item("d", "date", W, constraint=". <= today()")
    dated = Item("t", "text", W, relevant="${d} < today()")
    checklist = Checklist("c", "1", W, (Section("s", W, (day, dated)),))
    assert problems(checklist, {"d": before}, {}) == []
    assert [each.item for each in problems(checklist, {"d": after}, {})] == ["d"]
    assert relevant(checklist, {"d": before}) == ["d", "t"]
    assert relevant(checklist, {"d": after}) == ["d"]
    earlier = now - datetime.timedelta(9)
    assert relevant(checklist, {"d": before}, earlier) == ["d"]
    assert [each.item for each in problems(checklist, {"d": before}, {}, earlier)] == ["d"]
    assert check_answer(day.id, before, {}, checklist) == before
    with pytest.raises(AnswerInvalid):
        check_answer(day.id, after, {}, checklist)


def test_an_answer_is_held_against_others_as_they_are_once_it_is_given() -> None:
    kind = Item("kind", "choice", W, choices=(Choice("a", W), Choice("b", W)), constraint="${limit} = ''")
    limit = Item("limit", "number", W, relevant="${kind} = 'a'")
    checklist = asking(kind, limit)
    answers = {"kind": "a", "limit": "3"}
    assert check_answer(kind.id, "b", answers, checklist) == "b"  # with it the limit is out of force
    with pytest.raises(AnswerInvalid):
        check_answer(kind.id, "a", answers, checklist)


def test_an_empty_answer_is_none_and_is_held_to_no_constraint_but_that_of_choices() -> None:
    choice = (Choice("a", W),)
    items = (
        Item("text", "text", W, constraint="string-length(.) > 3"),
        Item("none", "text", W, constraint="string-length(.) > 3"),
        Item("choices", "choices", W, choices=choice, constraint="count-selected(.) > 0"),
        Item("needed", "text", W, required=True),
        Item("some", "choices", W, choices=choice),
    )
    checklist = Checklist("c", "1", W, (Section("s", W, items),))
    found = problems(checklist, {"text": "", "choices": [], "needed": "", "some": []}, {})
    assert [each.item for each in found] == ["choices", "needed"]
    assert "required" in str(found[1].message)


@pytest.mark.parametrize(
    ("verdict", "required", "said"),
    [
        (None, True, "has not been run"),
        (None, False, ""),
        ("fail", True, "failed"),
        ("fail", False, "failed"),
        ("outdated", True, "another token"),
        ("outdated", False, ""),
        ("pass", True, ""),
        ("not-checked", True, ""),
    ],
)
def test_what_a_step_came_to_keeps_the_visit_open_or_not(
    verdict: str | None, required: bool, said: str
) -> None:
    step = Item("p", "procedure", W, required=required, procedure="preflight")
    checklist = Checklist("c", "1", W, (Section("s", W, (step,)),))
    found = problems(checklist, {"p": "an answer is none"}, {"p": verdict} if verdict else {})
    assert [each.item for each in found] == (["p"] if said else [])
    assert all(said in str(each.message) for each in found)

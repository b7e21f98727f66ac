"""What fieldkit does not know of a form is refused with sheet, row and column; nothing is just dropped."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldkit.checklist.errors import FormInvalid, FormProblem, column_letters
from fieldkit.checklist.xlsform.columns import SURVEY as KNOWN
from fieldkit.checklist.xlsform.columns import column
from fieldkit.checklist.xlsform.convert import read_form
from tests.checklist.forms import CHOICES, Rows, question, workbook

HEAD = ("type", "name", "label")
GROUP = ("begin_group", "g", "G")
END = ("end_group", None, None)
LISTS: Rows = (("list_name", "name", "label"), ("c", "a", "A"), ("c", "b", "B"))


def problems(
    tmp_path: Path, survey: Rows, choices: Rows = (), settings: Rows = (), **others: Rows
) -> list[FormProblem]:
    with pytest.raises(FormInvalid) as caught:
        read_form(workbook(tmp_path / "form.xlsx", survey, choices, settings, **others))
    return list(caught.value.problems)


def only(tmp_path: Path, *sheets: Rows, **others: Rows) -> tuple[str, int, str, str]:
    """Sheet, row, column and words of the one problem."""
    (found,) = problems(tmp_path, *sheets, **others)
    return found.sheet, found.row, column_letters(found.column), found.message.render("en")


@pytest.mark.parametrize(
    ("survey", "place", "said"),
    [
        ((HEAD, ("geopoint", "q", "Q")), (2, "A"), "`geopoint` is not known"),
        ((HEAD, ("calculate", "q", "Q")), (2, "A"), "`calculate` is not known"),
        ((HEAD, ("time", "q", "Q")), (2, "A"), "`time` is not known"),
        ((HEAD, ("dateTime", "q", "Q")), (2, "A"), "`dateTime` is not known"),
        ((HEAD, ("audio", "q", "Q")), (2, "A"), "`audio` is not known"),
        ((HEAD, ("begin_repeat", "q", "Q")), (2, "A"), "`begin_repeat` is not known"),
        ((HEAD, ("select_one_from_file c.csv", "q", "Q")), (2, "A"), "is not known"),
        ((HEAD, ("select_one gone", "q", "Q")), (2, "A"), "no list `gone`"),
        ((HEAD, ("select_one C", "q", "Q")), (2, "A"), "no list `C`"),
        ((HEAD, ("select_one c or_other", "q", "Q")), (2, "A"), "is not known"),
        ((HEAD, (None, "q", "Q")), (2, "A"), "`type` is missing"),
        ((HEAD, ("text", None, "Q")), (2, "B"), "`name` is missing"),
        ((HEAD, ("text", "q", None)), (2, "C"), "`label` is missing"),
        ((HEAD, ("text", "Q1", "Q")), (2, "B"), "is not an id"),
        ((HEAD, ("text", "họ_tên", "Q")), (2, "B"), "is not an id"),
        ((HEAD, ("text", "q", "Q"), ("text", "q", "Q")), (3, "B"), "`q` is here twice"),
        ((HEAD, GROUP, ("text", "q", "Q"), END, GROUP, END), (5, "B"), "`g` is here twice"),
        ((HEAD, GROUP, ("text", "q", "Q")), (2, "A"), "`g` is not ended"),
        ((HEAD, ("text", "q", "Q"), END), (3, "A"), "No group is open"),
        ((HEAD, GROUP, ("text", "q", "Q"), ("end_group", "h", None)), (4, "B"), "`g` is open here"),
        ((HEAD, GROUP, ("begin_group", "h", "H"), ("text", "q", "Q"), END), (3, "A"), "A group in a group"),
        ((HEAD, ("begin_group", "g", None), ("text", "q", "Q"), END), (2, "C"), "`label` is missing"),
        ((HEAD, ("text", "q", "Hello ${name}")), (2, "C"), "does not show the answer"),
        (
            ((*HEAD, "hint"), ("begin_group", "g", "G", "why"), ("text", "q", "Q", None), END),
            (2, "D"),
            "takes no `hint`",
        ),
        (
            ((*HEAD, "relevant"), GROUP, ("text", "q", "Q"), (*END, "${q} = 'x'")),
            (4, "D"),
            "takes no `relevant`",
        ),
    ],
)
def test_rows_that_are_not_understood(
    tmp_path: Path, survey: Rows, place: tuple[int, str], said: str
) -> None:
    sheet, row, letters, message = only(tmp_path, survey, LISTS)
    assert (sheet, row, letters) == ("survey", *place)
    assert said in message


@pytest.mark.parametrize(
    ("heading", "value", "said"),
    [
        ("calculation", "1 + 1", "`calculation` is not known"),
        ("choice_filter", "x = 'y'", "`choice_filter` is not known"),
        ("repeat_count", 3, "`repeat_count` is not known"),
        ("read_only", "yes", "`read_only` is not known"),
        ("trigger", "${q}", "`trigger` is not known"),
        ("media::image", "a.png", "`media::image` is not known"),
        ("media::image::Vietnamese (vi)", "a.png", "is not known"),
        ("label::French (fr)", "Qui", "`label::French (fr)` is not known"),
        ("label::English (vi)", "Who", "`label::English (vi)` is not known"),
        ("relevant::English (en)", "true()", "is not known"),
        ("relevent", "${q} = 'x'", "`relevent` is not known"),
        ("bind::relevant", "true()", "`bind::relevant` is not known"),
        ("fk::other", "x", "`fk::other` is not known"),
        ("required_message", "Please", "`required_message` is not known"),
        ("parameters", "randomize=true", "`parameters` is not known"),
        ("required", "${q} = 'x'", "a condition belongs in `relevant`"),
        ("required", "maybe", "`required` is yes or no"),
        ("relevant", "${gone} = 'x'", "no item `gone`"),
        ("relevant", "${q} = 'x'", "depends on itself"),
        ("relevant", "yes", "an item in ${…}"),
        ("relevant", "pulldata('a', 'b') = 'c'", "`pulldata` is not known"),
        ("constraint", ". > 1", "A number or a date is expected"),
        ("constraint", "position(..) = 1", "not expected here"),
        ("constraint_message", "Too short", "needs a `constraint`"),
        ("default", "a\nb", "one line only"),
        ("appearance", "signature", "`signature` is not known"),
        ("fk::procedure", "driver", "takes no `procedure`"),
        ("fk::with", '{"a": 1}', "takes no `with`"),
        ("fk::with", '{"a": [1]}', "JSON"),
        ("fk::with", "a=1", "JSON"),
        ("fk::accept", "pdf", "takes no `accept`"),
        ("fk::required", "yes", "is for procedures"),
        ("fk::kind", "yesno", "select_one"),
    ],
)
def test_columns_that_are_not_understood(tmp_path: Path, heading: str, value: Any, said: str) -> None:
    sheet, row, letters, message = only(tmp_path, question((heading, value)))
    assert (sheet, row, letters) == ("survey", 2, "D")
    assert said in message


def test_a_column_nobody_knows_is_no_trouble_while_it_is_empty(tmp_path: Path) -> None:
    workbook(
        tmp_path / "form.xlsx",
        question(("calculation", None), ("choice_filter", " "), ("label::French (fr)", None)),
    )
    assert read_form(tmp_path / "form.xlsx").checklist.item("q").label.en == "Q"


@given(st.text(min_size=1, max_size=15))
def test_a_heading_is_known_or_it_is_not(heading: str) -> None:
    name, tail = column(heading)
    assert name in KNOWN or (name, tail) == column(heading)


@pytest.mark.parametrize(
    ("survey", "place", "said"),
    [
        ((("name", "label"), ("q", "Q")), (1, "A"), "`type` is missing"),
        ((("type", "label"), ("text", "Q")), (1, "A"), "`name` is missing"),
        ((("type", "name"), ("text", "q")), (1, "A"), "`label` is missing"),
        (((*HEAD, "type"), ("text", "q", "Q", "text")), (1, "D"), "here twice"),
        (((*HEAD, "relevant", "relevance"), ("text", "q", "Q")), (1, "E"), "here twice"),
        (
            ((*HEAD, "label::vi", "label::Vietnamese (vi)"), ("text", "q", "Q", "a", "b")),
            (1, "E"),
            "here twice",
        ),
        (((*HEAD, None), ("text", "q", "Q", "stray")), (2, "D"), "no heading"),
        (
            (("type", "name", "label::vi", "label::en"), ("text", "q", "Q", None)),
            (2, "D"),
            "missing in this language",
        ),
        (
            (("type", "name", "label::vi", "label::en"), ("text", "q", None, "Q")),
            (2, "C"),
            "missing in this language",
        ),
    ],
)
def test_columns_missing_twice_or_without_a_name(
    tmp_path: Path, survey: Rows, place: tuple[int, str], said: str
) -> None:
    found = problems(tmp_path, survey)
    assert (found[0].row, column_letters(found[0].column)) == place
    assert said in found[0].message.render("en")


@pytest.mark.parametrize(
    ("choices", "place", "said"),
    [
        ((*LISTS, ("c", "a", "Again")), (4, "B"), "`a` is here twice"),
        ((*LISTS, ("c", "bad value", "X")), (4, "B"), "is not a choice's value"),
        ((*LISTS, ("c", None, "X")), (4, "B"), "`name` is missing"),
        ((*LISTS, (None, "x", "X")), (4, "A"), "`list_name` is missing"),
        ((*LISTS, ("c", "x", None)), (4, "C"), "`label` is missing"),
        (
            (("list_name", "name", "label", "province"), ("c", "a", "A", "HN")),
            (2, "D"),
            "`province` is not known",
        ),
        ((("name", "label"), ("a", "A")), (1, "A"), "`list_name` is missing"),
    ],
)
def test_choices_that_are_not_understood(
    tmp_path: Path, choices: Rows, place: tuple[int, str], said: str
) -> None:
    every = problems(tmp_path, (HEAD, ("select_one c", "q", "Q")), choices)
    found = next(each for each in every if each.sheet == "choices")
    assert (found.row, column_letters(found.column)) == place
    assert said in found.message.render("en")


@pytest.mark.parametrize(
    ("settings", "place", "said"),
    [
        ((("form_id",), ("../../etc/passwd",)), (2, "A"), "is not a name for a checklist"),
        ((("form_id",), ("mẫu",)), (2, "A"), "is not a name for a checklist"),
        ((("instance_name",), ("${q}",)), (2, "A"), "`instance_name` is not known"),
        ((("form_title",), ("Hello ${q}",)), (2, "A"), "does not show the answer"),
        ((("version",), ("1",), ("2",)), (3, "A"), "one row"),
    ],
)
def test_settings_that_are_not_understood(
    tmp_path: Path, settings: Rows, place: tuple[int, str], said: str
) -> None:
    sheet, row, letters, message = only(tmp_path, (HEAD, ("text", "q", "Q")), (), settings)
    assert (sheet, row, letters) == ("settings", *place)
    assert said in message


def test_a_choice_that_is_asked_for_and_never_occurs_is_named_in_the_cell_of_the_condition(
    tmp_path: Path,
) -> None:
    survey = ((*HEAD, "relevant"), ("select_one c", "q", "Q", None), ("text", "r", "R", "${q} = 'z'"))
    sheet, row, letters, message = only(tmp_path, survey, LISTS)
    assert (sheet, row, letters) == ("survey", 3, "D")
    assert "`q` is never `z`. Its values: a, b." in message
    assert "after 7 characters" in message


def test_every_cell_that_is_not_understood_is_told_at_once_in_the_order_of_the_sheet(tmp_path: Path) -> None:
    survey = (
        (*HEAD, "calculation"),
        ("geopoint", "q", "Q", None),
        ("text", "r", None, "1"),
        ("text", "s", "S", "2"),
    )
    found = problems(tmp_path, survey)
    assert [(each.row, column_letters(each.column)) for each in found] == [
        (2, "A"),
        (3, "C"),
        (3, "D"),
        (4, "D"),
    ]


def test_sheets_that_change_what_is_asked_are_refused_and_others_passed_over(tmp_path: Path) -> None:
    survey = (HEAD, ("text", "q", "Q"))
    workbook(tmp_path / "form.xlsx", survey, notes=(("anything",), ("at all",)), entities=(("list_name",),))
    assert read_form(tmp_path / "form.xlsx").checklist.item("q")
    sheet, row, _, message = only(tmp_path, survey, entities=(("list_name",), ("people",)))
    assert (sheet, row) == ("entities", 2)
    assert "not known" in message


def test_a_workbook_that_is_no_form_says_so(tmp_path: Path) -> None:
    assert "no sheet `survey`" in only(tmp_path, (), LISTS)[3]


def test_a_yes_no_list_has_the_three_values(tmp_path: Path) -> None:
    survey = ((*HEAD, "fk::kind"), ("select_one c", "q", "Q", "yesno"))
    assert "yes (Có, Yes), no (Không, No), n/a" in only(tmp_path, survey, LISTS)[3]


def test_a_procedure_is_required_in_a_column_that_other_programs_pass_over(tmp_path: Path) -> None:
    survey = question(("required", "yes"), ("fk::procedure", "preflight"), type="note")
    sheet, row, letters, message = only(tmp_path, survey)
    assert (sheet, row, letters) == ("survey", 2, "D")
    assert "fk::required" in message


def test_a_list_that_no_question_asks_is_said_to_be_left_out(tmp_path: Path) -> None:
    (left,) = read_form(workbook(tmp_path / "form.xlsx", (HEAD, ("text", "q", "Q")), LISTS)).left_out
    assert (left.sheet, left.row) == ("choices", 2)
    assert "`c` is asked nowhere" in str(left)


def test_a_title_that_is_given_twice_is_not_chosen_from(tmp_path: Path) -> None:
    survey = (HEAD, ("text", "q", "Q"))
    settings = (("form_title", "fk::title::vi", "fk::title::en"), ("Một", "Hai", "Two"))
    assert "here twice, and not the same" in only(tmp_path, survey, (), settings)[3]


def test_a_form_in_another_language_is_refused(tmp_path: Path) -> None:
    survey = (HEAD, ("text", "q", "Qui?"))
    settings = (("default_language",), ("French (fr)",))
    assert only(tmp_path, survey, (), settings)[:3] == ("settings", 2, "A")


def test_dates_and_numbers_in_cells_are_read_as_they_are_meant(tmp_path: Path) -> None:
    form = workbook(
        tmp_path / "form.xlsx",
        ((*HEAD, "default"), ("date", "d", 2026, datetime.date(2026, 11, 24)), ("decimal", "n", 1.5, 0.1)),
        settings=(("version",), (datetime.datetime(2026, 11, 24),)),
    )
    checklist = read_form(form).checklist
    assert checklist.version == "2026-11-24"
    assert [(item.label.en, item.default) for item in checklist.items()] == [
        ("2026", "2026-11-24"),
        ("1.5", "0.1"),
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("=1+1", "A formula is here"),
        ("=HYPERLINK(A1)", "A formula is here"),
        (datetime.datetime(2026, 11, 24, 8, 30), "A text is expected here"),
        (datetime.time(8, 30), "A text is expected here"),
        (datetime.timedelta(hours=30), "A text is expected here"),
        ("#REF!", "An error is here"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, value: Any, said: str) -> None:
    sheet, row, letters, message = only(tmp_path, (HEAD, ("text", "q", value)))
    assert (sheet, row, letters) == ("survey", 2, "C")
    assert said in message


def test_choices_in_a_sheet_of_another_language_spelling(tmp_path: Path) -> None:
    form = workbook(tmp_path / "form.xlsx", (HEAD, ("select_one colour", "q", "Q")), CHOICES)
    assert read_form(form).checklist.item("q").choices[0].label.vi == "Đỏ"

"""What fieldkit does not know of a form is refused or said with its cell; nothing is just dropped."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldkit.checklist.errors import FormInvalid, FormProblem, column_letters
from fieldkit.checklist.xlsform.columns import heading
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
        ((HEAD, ("hologram", "q", "Q")), (2, "A"), "`hologram` is not known"),
        ((HEAD, ("begin loop", "q", "Q"), ("text", "r", "R")), (2, "A"), "`begin loop` is not known"),
        ((HEAD, ("select_one", "q", "Q")), (2, "A"), "is not known"),
        ((HEAD, ("select_one gone", "q", "Q")), (2, "A"), "no list `gone`"),
        ((HEAD, ("select_one C", "q", "Q")), (2, "A"), "no list `C`"),
        ((HEAD, ("select_one ${q}", "r", "R"), ("text", "q", "Q")), (2, "A"), "answers of a repeat"),
        ((HEAD, ("select_one_external c", "q", "Q")), (2, "A"), "external_choices has no list `c`"),
        ((HEAD, ("select_one_from_file gone.csv", "q", "Q")), (2, "A"), "gone.csv is not beside the form"),
        ((HEAD, ("select_one_from_file ../a.csv", "q", "Q")), (2, "A"), "../a.csv is none"),
        ((HEAD, ("select_one_from_file a.xml", "q", "Q")), (2, "A"), "a.xml is none"),
        (
            (HEAD, ("begin loop over gone", "q", "Q"), ("text", "r", "R"), ("end loop",)),
            (2, "A"),
            "no list `gone`",
        ),
        ((HEAD, (None, "q", "Q")), (2, "A"), "`type` is missing"),
        ((HEAD, ("text", None, "Q")), (2, "B"), "`name` is missing"),
        ((HEAD, ("text", "1q", "Q")), (2, "B"), "is not an id"),
        ((HEAD, ("text", "họ_tên", "Q")), (2, "B"), "is not an id"),
        ((HEAD, GROUP, ("text", "q", "Q")), (2, "A"), "`g` is not ended"),
        ((HEAD, ("text", "q", "Q"), END), (3, "A"), "No group is open"),
        ((HEAD, GROUP, ("text", "q", "Q"), ("end_repeat",)), (4, "A"), "`g` is open here, of another type"),
        ((HEAD, ("text", "q", "Hello ${name}")), (2, "C"), "no item `name`"),
        ((HEAD, ("phonenumber", "p", None), ("text", "q", "Your ${p}")), (2, "A"), "`p` is looked at"),
        (
            (
                HEAD,
                GROUP,
                ("text", "q", "Q"),
                END,
                ("begin group", "h", "H"),
                ("text", "q", "Is it ${q}?"),
                END,
            ),
            (6, "B"),
            "Two are called `q`",
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
        ("trigger", "${q}", "A `trigger` is not known here"),
        ("relevent", "${q} = 'x'", "`relevent` is not known; is `relevant` meant?"),
        ("label_", "Q", "is `label` meant?"),
        ("fk::other", "x", "`fk::other` is not known"),
        ("parameters", "randomly", "`name=value`"),
        ("required", "maybe", "an item in ${…}"),
        ("disabled", "perhaps", "`disabled` is yes or no"),
        ("hint", "As ${gone}", "no item `gone`"),
        ("relevant", "${gone} = 'x'", "no item `gone`"),
        ("bind::relevant", "${gone} = 'x'", "no item `gone`"),
        ("relevant", "${q} = 'x'", "depends on itself"),
        ("relevant", "yes", "an item in ${…}"),
        ("appearance", "search('towns', 'near', 'a', 'b')", "search() is not known"),
        ("default", "a\nb", "one line only"),
        ("save_to", "x", "needs the checklist's `entity`"),
        ("fk::procedure", "driver", "takes no `procedure`"),
        ("fk::with", '{"a": 1}', "takes no `with`"),
        ("fk::with", '{"a": [1]}', "JSON"),
        ("fk::with", "a=1", "JSON"),
        ("fk::accept", "pdf", "takes no `accept`"),
        ("fk::required", "yes", "is for procedures"),
        ("fk::kind", "yesno", "select_one"),
        ("fk::role", "officer", "`officer` is not one of"),
    ],
)
def test_columns_that_are_not_understood(tmp_path: Path, heading: str, value: Any, said: str) -> None:
    lists: Rows = LISTS if "search" in str(value) else ()
    sheet, row, letters, message = only(
        tmp_path, question((heading, value), type="select_one c" if lists else "text"), lists
    )
    assert (sheet, row, letters) == ("survey", 2, "D")
    assert said in message


LEFT = [
    ("text", "constraint_message", "Too short", "D2", "needs a `constraint`"),
    ("text", "choice_filter", "x = 'y'", "D2", "takes no `choice_filter`"),
    ("text", "repeat_count", 3, "D2", "takes no `repeat_count`"),
    ("note", "required", "yes", "D2", "takes no `required`"),
    ("note", "constraint", ". != ''", "D2", "takes no `constraint`"),
    ("text", "label::French (fr)", "Qui", "D1", "language is left out: fr"),
    ("text", "body::kb:image", "x", "D1", "`body::kb:image` has no meaning"),
    ("text", "remarks of the author", "x", "D1", "has no meaning"),
    ("text", None, "stray", "D2", "no heading"),
    ("text", "disabled", "yes", "D2", "disabled"),
    ("image", "appearance", "annotate", "D2", "`annotate` has no meaning"),
    ("image", "appearance", "ex:org.camera", "D2", "`ex:org.camera` has no meaning"),
    ("image", "default", "a.png", "D2", "no default"),
    ("image", "parameters", "max-pixels=1000", "D2", "`max-pixels` has no meaning"),
    ("select_one c", "parameters", "randomize=true", "D2", "`randomize` has no meaning"),
    ("text", "bind::type", "geopoint", "D2", "`bind::type` has no meaning"),
    ("geotrace", None, None, "A2", "drawn on a map"),
    ("osm", None, None, "A2", "drawn on a map"),
    ("audit", None, None, "A2", "`audit` has no meaning"),
    ("start-geopoint", None, None, "A2", "`start-geopoint` has no meaning"),
    (None, None, None, "A2", "no type, no name"),
]


@pytest.mark.parametrize(("type", "heading", "value", "cell", "said"), LEFT)
def test_what_has_no_meaning_is_left_out_and_said(
    tmp_path: Path, type: str | None, heading: str | None, value: Any, cell: str, said: str
) -> None:
    named = (type, "q", "Q", value) if type else (None, None, None, "remark")
    head = (*HEAD, heading if type else "hint")
    form = workbook(
        tmp_path / "form.xlsx", (head, named, ("text", "last", "L")), LISTS if "c" in str(type) else ()
    )
    left = [problem for problem in read_form(form).left_out if problem.sheet == "survey"]
    assert [(f"{column_letters(problem.column)}{problem.row}") for problem in left] == [cell]
    assert said in left[0].message.render("en")


@pytest.mark.parametrize(
    ("rows", "cell", "said"),
    [
        (
            (("begin_group", "g", "G", "why"), ("text", "q", "Q", None), ("end_group",)),
            "D2",
            "takes no `hint`",
        ),
        ((GROUP, ("text", "q", "Q"), ("end_group", "h")), "B4", "`g` is open here"),
        ((GROUP, ("text", "q", "Q"), ("end_group", "g", None, "why")), "D4", "takes no `hint`"),
        ((GROUP, GROUP, END, ("text", "q", "Q"), END), "A3", "holds nothing"),
        ((GROUP, ("text", "q", "Q"), END, GROUP, ("text", "r", "R"), END), "B5", "called `g_2`"),
        ((GROUP, ("text", "q", "Q"), END, ("text", "q", "Q")), "B5", "called `part_1_q`"),
    ],
)
def test_what_groups_do_not_take_is_said(tmp_path: Path, rows: Rows, cell: str, said: str) -> None:
    left = read_form(workbook(tmp_path / "form.xlsx", ((*HEAD, "hint"), *rows))).left_out
    assert [(f"{column_letters(problem.column)}{problem.row}") for problem in left] == [cell]
    assert said in left[0].message.render("en")


def test_a_column_nobody_knows_is_no_trouble_while_it_is_empty(tmp_path: Path) -> None:
    workbook(
        tmp_path / "form.xlsx",
        question(("anything", None), ("choice_filter", " "), ("label::French (fr)", None)),
    )
    assert read_form(tmp_path / "form.xlsx").checklist.item("q").label.en == "Q"


@given(st.text(min_size=1, max_size=15))
def test_any_heading_can_be_taken_apart(text: str) -> None:
    column = heading(text)
    assert column.name == column.name.lower()


@pytest.mark.parametrize(
    ("survey", "place", "said"),
    [
        ((("name", "label"), ("q", "Q")), (1, "A"), "`type` is missing"),
        ((("type", "label"), ("text", "Q")), (1, "A"), "`name` is missing"),
        (((*HEAD, "type"), ("text", "q", "Q", "text")), (1, "D"), "here twice"),
        (((*HEAD, "relevant", "relevance"), ("text", "q", "Q")), (1, "E"), "here twice"),
        (
            ((*HEAD, "label::vi", "label::Vietnamese (vi)"), ("text", "q", "Q", "a", "b")),
            (1, "E"),
            "here twice",
        ),
        (((*HEAD, "label::English (vi)"), ("text", "q", "Q", "x")), (1, "D"), "names no language"),
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
        ((*LISTS, ("c", "bad\nvalue", "X")), (4, "B"), "is not a choice's value"),
        ((*LISTS, ("c", None, "X")), (4, "B"), "`name` is missing"),
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
        ((("form_title",), ("Hello ${q}",)), (2, "A"), "does not show the answer"),
        ((("fk::finish",), ("later",)), (2, "A"), "`later` is not one of"),
    ],
)
def test_settings_that_are_not_understood(
    tmp_path: Path, settings: Rows, place: tuple[int, str], said: str
) -> None:
    sheet, row, letters, message = only(tmp_path, (HEAD, ("text", "q", "Q")), (), settings)
    assert (sheet, row, letters) == ("settings", *place)
    assert said in message


@pytest.mark.parametrize(
    ("settings", "cell", "said", "id"),
    [
        ((("form_id",), ("../../etc/passwd",)), "A2", "is called `etc-passwd`", "etc-passwd"),
        ((("form_id",), ("Mẫu số 1",)), "A2", "is called `Mau-so-1`", "Mau-so-1"),
        ((("form_id", "instance_name"), ("a", "${q}")), "B1", "`instance_name` has no meaning", "a"),
        ((("form_id", "public_key"), ("a", "MIIB")), "B1", "`public_key` has no meaning", "a"),
        ((("form_id",), ("a",), ("b",)), "A3", "one row", "a"),
    ],
)
def test_settings_that_are_left_out_are_said(
    tmp_path: Path, settings: Rows, cell: str, said: str, id: str
) -> None:
    read = read_form(workbook(tmp_path / "form.xlsx", (HEAD, ("text", "q", "Q")), (), settings))
    assert [(f"{column_letters(problem.column)}{problem.row}") for problem in read.left_out] == [cell]
    assert said in read.left_out[0].message.render("en")
    assert read.checklist.id == id


def test_a_choice_that_is_asked_for_and_never_occurs_is_named_in_the_cell_of_the_condition(
    tmp_path: Path,
) -> None:
    survey = ((*HEAD, "relevant"), ("select_one c", "q", "Q", None), ("text", "r", "R", "${q} = 'z'"))
    sheet, row, letters, message = only(tmp_path, survey, LISTS)
    assert (sheet, row, letters) == ("survey", 3, "D")
    assert "`q` is never `z`. Its values: a, b." in message
    assert "after 7 characters" in message


def test_every_mistake_is_told_at_once_in_the_order_of_the_sheets(tmp_path: Path) -> None:
    survey = (
        (*HEAD, "relevant", "constraint"),
        ("hologram", "q", "Q", None, None),
        ("text", None, "R", "${q} = 1", None),
        ("text", "s", "=1+1", "${gone} = 1", "2 +"),
        ("select_one none", "t", "T", "${q} = 'x'", None),
        ("select_one c", "u", "U", "${s} = 'x'", None),
    )
    choices = (*LISTS, ("c", "a", "again"), ("c", None, "X"))
    settings = (("form_title", "fk::paper"), ("=1+1", "stone"))
    every = problems(tmp_path, survey, choices, settings, entities=(("list_name",), ("a",), ("b",)))
    assert [(problem.sheet, f"{column_letters(problem.column)}{problem.row}") for problem in every] == [
        *(("survey", cell) for cell in ("A2", "B3", "C4", "D4", "E4", "A5")),
        ("choices", "B4"),
        ("choices", "B5"),
        ("settings", "A2"),
        ("settings", "B2"),
        ("entities", "A3"),
    ]


def test_sheets_that_nobody_knows_are_passed_over(tmp_path: Path) -> None:
    survey = (HEAD, ("text", "q", "Q"))
    workbook(tmp_path / "form.xlsx", survey, notes=(("anything",), ("at all",)), entities=(("list_name",),))
    assert read_form(tmp_path / "form.xlsx").left_out == ()


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


def test_dates_and_numbers_in_cells_are_read_as_they_are_meant(tmp_path: Path) -> None:
    form = workbook(
        tmp_path / "form.xlsx",
        (
            (*HEAD, "default"),
            ("date", "d", 2026, datetime.date(2026, 11, 24)),
            ("decimal", "n", 1.5, 0.1),
            ("time", "t", "T", datetime.time(8, 30)),
            ("dateTime", "m", "M", datetime.datetime(2026, 11, 24, 8, 30)),
        ),
        settings=(("version",), (datetime.datetime(2026, 11, 24),)),
    )
    checklist = read_form(form).checklist
    assert checklist.version == "2026-11-24"
    assert [(item.label.en, item.default) for item in checklist.items()] == [
        ("2026", "2026-11-24"),
        ("1.5", "0.1"),
        ("T", "08:30:00"),
        ("M", "2026-11-24T08:30:00"),
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("=1+1", "A formula without a value"),
        ("=HYPERLINK(A1)", "A formula without a value"),
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

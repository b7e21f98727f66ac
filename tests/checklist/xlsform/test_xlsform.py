"""A form that an author has becomes a checklist, and a checklist a form that any XLSForm program takes."""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyxform.xls2xform import convert

from fieldkit.checklist.errors import FileExists, FormImpossible, FormInvalid
from fieldkit.checklist.kinds import Choice, Item, Steps
from fieldkit.checklist.load import load
from fieldkit.checklist.model import Checklist, Entity, Section
from fieldkit.checklist.xlsform.columns import MEDIA
from fieldkit.checklist.xlsform.convert import export_form, import_form, read_form
from fieldkit.checklist.xlsform.parameters import Search, search
from fieldkit.home import shipped
from fieldkit.text import Words
from tests.checklist.forms import CHOICES, SURVEY, Rows, checklists, question, workbook

SHIPPED = sorted(shipped("checklists").glob("*.yaml"))


def one(tmp_path: Path, survey: Rows, choices: Rows = ()) -> Item:
    """The one item of a form."""
    (item,) = read_form(workbook(tmp_path / "form.xlsx", survey, choices)).checklist.items()
    return item


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_checklists_come_back_as_they_were(path: Path, tmp_path: Path) -> None:
    checklist = load(path)
    export_form(checklist, tmp_path / "form.xlsx")
    assert import_form(tmp_path / "form.xlsx", tmp_path / "back.yaml") == checklist
    assert load(tmp_path / "back.yaml") == checklist
    assert read_form(tmp_path / "form.xlsx").left_out == ()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_reference_converter_takes_what_is_exported(path: Path, tmp_path: Path) -> None:
    checklist = load(path)
    export_form(checklist, tmp_path / "form.xlsx")
    made = convert(str(tmp_path / "form.xlsx"))
    assert made.warnings == []
    for item in checklist.items():
        assert f"/{item.id}" in made.xform
        assert item.label.vi.replace("&", "&amp;") in made.xform


SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
some = settings(deadline=None, max_examples=25, suppress_health_check=SLOW)
many = settings(deadline=None, max_examples=800, suppress_health_check=SLOW)


@some
@given(checklists())
def test_every_checklist_comes_back_as_it_was(tmp_path: Path, checklist: Checklist) -> None:
    _comes_back(tmp_path, checklist)


def _comes_back(tmp_path: Path, checklist: Checklist) -> None:
    export_form(checklist, tmp_path / "form.xlsx", replace=True)
    assert import_form(tmp_path / "form.xlsx", tmp_path / "back.yaml", replace=True) == checklist
    assert load(tmp_path / "back.yaml") == checklist


# Nothing is dropped: a form with one cell changed is another checklist, is refused, or says what it left out.


@some
@given(checklists(), st.data())
def test_one_cell_changed_is_never_without_effect(
    tmp_path: Path, checklist: Checklist, data: st.DataObject
) -> None:
    _one_cell_changed(tmp_path, checklist, data)


def _one_cell_changed(tmp_path: Path, checklist: Checklist, data: st.DataObject) -> None:
    export_form(checklist, tmp_path / "form.xlsx", replace=True)
    book = openpyxl.load_workbook(tmp_path / "form.xlsx")
    sheet = book[data.draw(st.sampled_from([name for name in book.sheetnames if book[name].max_row > 1]))]
    row = data.draw(st.integers(2, sheet.max_row))
    column = data.draw(st.integers(1, sheet.max_column))
    heading, kind = sheet.cell(1, column).value, sheet.cell(row, 1).value
    cell = sheet.cell(row, column)
    before, (name, _, tongue) = cell.value, str(heading).partition("::")
    others = [
        sheet.cell(row, at).value
        for at in range(1, sheet.max_column + 1)
        if tongue and at != column and str(sheet.cell(1, at).value).startswith(f"{name}::")
    ]
    cell.value = None if cell.value and data.draw(st.booleans()) else f"{cell.value or ''}x9"
    cell.data_type = "s"
    book.save(tmp_path / "changed.xlsx")
    same = {
        "default_language": True,
        "name": kind == "end_group",
        "form_title": checklist.title.vi == checklist.title.en,
        "version": checklist.version == "1",  # which a form without one has
    }
    if cell.value is None and before in others:
        return  # it is read in the other language
    if same.get(str(heading)) or str(heading).partition("::")[0] in MEDIA:
        return  # what it says is said elsewhere too
    try:
        read = read_form(tmp_path / "changed.xlsx")
    except FormInvalid as error:
        found = error.problems
    else:
        found = read.left_out
        if read.checklist != checklist:
            return
    assert found, (sheet.title, row, heading)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@many
@given(checklists(), st.data())
def test_thousands_of_checklists_and_changes(
    tmp_path: Path, checklist: Checklist, data: st.DataObject
) -> None:
    _comes_back(tmp_path, checklist)
    _one_cell_changed(tmp_path, checklist, data)


def test_a_form_of_an_author_becomes_a_checklist(tmp_path: Path) -> None:
    form = workbook(
        tmp_path / "form.xlsx",
        (
            ("type", "name", "label::vi", "label::en", "hint::en", "required", "relevant", "constraint",
             "constraint_message::en", "default", "appearance"),
            ("start", "start"),
            ("begin group", "people", "Con người", "People", None, None, None, None, None, None,
             "field-list"),
            ("text", "who", "Ai?", "Who?", "In full", "yes", None, "string-length(.) > 1", "Too short"),
            ("integer", "age", "Tuổi", "Age", None, "TRUE", None, None, None, 30),
            ("select_one colour", "likes", "Thích", "Likes", None, None, "${age} >= 18", None, None, "red",
             "minimal"),
            ("end group",),
            ("select_multiple colour", "wears", "Mặc", "Wears", None, "no", "${likes} = ‘red’"),
            ("note", "thanks", "Cảm ơn", "Thanks"),
        ),
        CHOICES,
        (("form_title", "form_id", "version"), ("People and colours", "people", "2026.1")),
    )  # fmt: skip
    read = read_form(form)
    checklist = read.checklist
    assert (checklist.id, checklist.version) == ("people", "2026.1")
    assert checklist.title == Words("People and colours", "People and colours")
    assert [section.id for section in checklist.sections] == ["part_1", "people", "part_2"]
    start, who, age, likes, wears, thanks = checklist.items()
    assert (start.kind, start.metadata) == ("metadata", "start")
    assert who == Item(
        "who",
        "text",
        Words("Ai?", "Who?"),
        Words("In full", "In full"),
        required=True,
        constraint="string-length(.) > 1",
        constraint_message=Words("Too short", "Too short"),
    )
    assert (age.kind, age.required, age.default) == ("integer", True, "30")
    colours = (Choice("red", Words("Đỏ", "Red")), Choice("blue", Words("Xanh", "Blue")))
    assert checklist.lists == {"colour": colours}
    assert (likes.kind, likes.list, likes.relevant, likes.default, likes.appearance) == (
        "choice",
        "colour",
        "${age} >= 18",
        "red",
        "minimal",
    )
    assert (wears.kind, wears.relevant, wears.required) == ("choices", "${likes} = 'red'", False)
    assert thanks.kind == "note"
    assert [(each.row, each.column) for each in read.left_out] == [(3, 11)]


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("text", "text"), ("string", "text"), ("q string", "text"), ("add text prompt", "text"),
        ("integer", "integer"), ("int", "integer"), ("q int", "integer"), ("decimal", "number"),
        ("date", "date"), ("time", "time"), ("dateTime", "datetime"), ("date time", "datetime"),
        ("image", "image"), ("photo", "image"), ("q picture", "image"), ("audio", "audio"),
        ("video", "video"), ("file", "file"), ("note", "note"), ("add note prompt", "note"),
        ("geopoint", "place"), ("gps", "place"),
        ("q location", "place"), ("barcode", "barcode"), ("acknowledge", "acknowledge"),
        ("trigger", "acknowledge"), ("range", "range"), ("hidden", "calculate"), ("start", "metadata"),
        ("get end time", "metadata"), ("imei", "metadata"), ("select_one colour", "choice"),
        ("select one colour", "choice"), ("select one from colour", "choice"), ("select1  colour", "choice"),
        ("add select one prompt using colour", "choice"), ("select_multiple colour", "choices"),
        ("Select multiple colour", "choices"), ("select all that apply from colour", "choices"),
        ("rank colour", "rank"), ("phone number", "text"), ("percentage", "integer"),
    ],
)  # fmt: skip
def test_every_type_in_its_spellings(tmp_path: Path, type_: str, kind: str) -> None:
    assert one(tmp_path, question(type=type_), CHOICES).kind == kind


def test_types_that_bring_a_condition_of_their_own(tmp_path: Path) -> None:
    item = one(tmp_path, question(("constraint", ". > 5 or . = 1"), type="percentage"))
    assert item.constraint == "(. > 5 or . = 1) and 0 <= . and . <= 100"
    assert one(tmp_path, question(type="phone number")).hint is not None


def test_an_acknowledgement_keeps_the_value_that_expressions_ask_for(tmp_path: Path) -> None:
    survey = (
        ("type", "name", "label", "relevant"),
        ("acknowledge", "seen", "Seen", None),
        ("text", "why", "Why", "${seen} = 'OK'"),
    )
    seen, why = read_form(workbook(tmp_path / "form.xlsx", survey)).checklist.items()
    assert seen.kind == "acknowledge"
    assert why.relevant == "${seen} = 'OK'"


@pytest.mark.parametrize(
    ("vietnamese", "english"),
    [
        ("label::Vietnamese (vi)", "label::English (en)"),
        ("label::Tiếng Việt (vi)", "label::English(en)"),
        ("label::Tiếng Việt", "label::English"),
        ("label::vi", "label::en"),
        ("Label :: VI", "LABEL::EN"),
        ("label:Vietnamese", "label:English"),
        ("label::vi-VN", "label::en-US"),
        ("label", "label::English (en)"),
        ("label::vi", "label"),
    ],
)
def test_languages_in_their_spellings(tmp_path: Path, vietnamese: str, english: str) -> None:
    survey = (("type", "name", vietnamese, english), ("text", "q", "Ai?", "Who?"))
    assert one(tmp_path, survey).label == Words("Ai?", "Who?")


def test_a_form_in_one_language_says_the_same_in_both(tmp_path: Path) -> None:
    for heading in ("label", "label::Vietnamese (vi)", "label::English (en)"):
        assert one(tmp_path, (("type", "name", heading), ("text", "q", "Ai?"))).label == Words("Ai?", "Ai?")


def test_the_default_language_says_what_a_plain_column_is(tmp_path: Path) -> None:
    form = workbook(
        tmp_path / "form.xlsx",
        (("type", "name", "label", "label::Vietnamese (vi)"), ("text", "q", "Who?", "Ai?")),
        settings=(("default_language",), ("English (en)",)),
    )
    assert next(read_form(form).checklist.items()).label == Words("Ai?", "Who?")


@pytest.mark.parametrize(
    ("value", "required"),
    [
        ("yes", True),
        ("TRUE", True),
        (True, True),
        ("true()", True),
        (1, True),
        ("no", False),
        (False, False),
        (None, False),
    ],
)
def test_required_in_its_spellings(tmp_path: Path, value: object, required: bool) -> None:
    assert one(tmp_path, question(("required", value))).required is required


def test_things_of_fieldkit_are_in_columns_of_their_own(tmp_path: Path) -> None:
    checklist = Checklist(
        "own",
        "1",
        Words("Một", "One"),
        (
            Section(
                "s",
                Words("Phần", "Part"),
                (
                    Item("ok", "yesno", Words("Được?", "All right?"), required=True),
                    Item(
                        "run",
                        "procedure",
                        Words("Chạy", "Run"),
                        required=True,
                        procedure="driver",
                        options={"id": "x", "n": 2},
                    ),
                    Item("scan", "file", Words("Tệp", "File"), accept=("pdf",)),
                    Item("say", "text", Words("Nói", "Say"), multiline=True),
                ),
            ),
        ),
    )
    export_form(checklist, tmp_path / "form.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "form.xlsx")["survey"]
    head, _, ok, run, scan, say, _ = ([cell.value for cell in row] for row in sheet.iter_rows())
    rows = [dict(zip(head, row, strict=True)) for row in (ok, run, scan, say)]
    assert rows[0]["type"] == "select_one yes_no"
    assert rows[0]["fk::kind"] == "yesno"
    assert (rows[1]["type"], rows[1]["fk::procedure"], rows[1]["fk::required"]) == ("note", "driver", "yes")
    assert rows[1]["required"] is None
    assert msgspec.json.decode(rows[1]["fk::with"]) == {"id": "x", "n": 2}
    assert rows[2]["fk::accept"] == "pdf"
    assert rows[3]["appearance"] == "multiline"
    assert read_form(tmp_path / "form.xlsx").checklist == checklist


def test_no_text_of_a_checklist_becomes_a_formula(tmp_path: Path) -> None:
    bad = '=HYPERLINK("http://example.invalid")'
    export_form(
        Checklist(
            "a", "1", Words(bad, bad), (Section("s", Words(bad, bad), (Item("q", "text", Words(bad, bad)),)),)
        ),
        tmp_path / "form.xlsx",
    )
    for sheet in openpyxl.load_workbook(tmp_path / "form.xlsx"):
        assert {cell.data_type for row in sheet for cell in row} <= {"s", "n"}  # n: nothing there


@pytest.mark.parametrize(
    "item",
    [
        Item("q", "text", Words("Hỏi", "x" * 32_768)),
        Item("q", "text", Words("Hỏi", "Ask"), prefill="'x'"),
        Item("q", "text", Words("Hỏi", "Ask"), default='it\'s "a" + b'),
        Item("q", "choice", Words("Hỏi", "Ask"), choices=(Choice("a", Words("A", "A"), {"Label": "x"}),)),
    ],
)
def test_what_a_form_cannot_hold_is_refused_and_nothing_written(tmp_path: Path, item: Item) -> None:
    with pytest.raises(FormImpossible):
        export_form(
            Checklist("a", "1", Words("v", "e"), (Section("s", Words("v", "e"), (item,)),)),
            tmp_path / "f.xlsx",
        )
    assert list(tmp_path.iterdir()) == []


HEAD = ("type", "name", "label")
TEXT = ("text", "t", "T")


def test_groups_repeats_and_what_stands_outside_them(tmp_path: Path) -> None:
    survey = (
        (*HEAD, "relevant", "repeat_count", "appearance"),
        ("text", "first", "First"),
        ("begin repeat", "rooms", "Rooms", "${first} != ''", "2 + 1", "field-list"),
        ("text", "room", "Room"),
        ("begin group", "door", "Door"),
        ("text", "lock", "Lock"),
        ("end group",),
        ("end repeat",),
        ("text", "last", "Last"),
        ("begin group", "all", "All", "${last} != ''"),
        ("begin group", "inner", "Inner", "${first} != ''"),
        ("text", "deep", "Deep"),
        ("end group",),
        ("end group",),
    )
    checklist = read_form(workbook(tmp_path / "form.xlsx", survey)).checklist
    assert [(section.id, section.title.en, section.relevant) for section in checklist.sections] == [
        ("part_1", "form", ""),
        ("part_2", "Rooms", ""),
        ("part_3", "form", ""),
        ("all", "All", "${last} != ''"),
    ]
    (rooms,) = checklist.sections[1].items
    assert (rooms.kind, rooms.count, rooms.relevant, rooms.appearance) == (
        "repeat",
        "2 + 1",
        "${first} != ''",
        "field-list",
    )
    assert [item.id for item in rooms.walk()] == ["rooms", "room", "door", "lock"]
    (inner,) = checklist.sections[3].items
    assert (inner.kind, inner.relevant, inner.items[0].id) == ("group", "${first} != ''", "deep")


def test_a_loop_is_gone_through_once_for_each_choice(tmp_path: Path) -> None:
    survey = (
        (*HEAD, "relevant", "constraint"),
        ("select all that apply from colour", "likes", "Which?"),
        ("begin loop over colour", "each", "Each"),
        ("integer", "many", "How many %(label)s?", "selected(${likes}, '%(name)s')"),
        ("integer", "new", "Of ${many}, how many new?", None, ". <= ${many}"),
        ("end loop",),
    )
    loop = read_form(workbook(tmp_path / "form.xlsx", survey, CHOICES)).checklist.sections[1]
    assert (loop.id, [group.id for group in loop.items]) == ("each", ["each_red", "each_blue"])
    assert loop.items[0].label == Words("Đỏ", "Red")
    many, new = loop.items[1].items
    assert many.label == Words("How many Xanh?", "How many Blue?")
    assert many.relevant == "selected(${likes}, 'blue')"
    assert (new.label.en, new.constraint) == ("Of ${many_blue}, how many new?", ". <= ${many_blue}")


@pytest.mark.parametrize("type_", ["select_one colour or_other", "select one from colour or specify other"])
def test_another_answer_than_those_listed_is_written_out(tmp_path: Path, type_: str) -> None:
    item, other = read_form(workbook(tmp_path / "form.xlsx", question(type=type_), CHOICES)).checklist.items()
    assert [choice.value for choice in item.choices] == ["red", "blue", "other"]
    assert (other.id, other.kind, other.relevant) == ("q_other", "text", "selected(${q}, 'other')")


STATES: Rows = (
    ("list_name", "name", "label", "state"),
    ("towns", "a", "A", "north"),
    ("towns", "b", "B", "south"),
)


def test_lists_are_the_items_own_or_shared(tmp_path: Path) -> None:
    survey = ((*HEAD, "choice_filter"), ("select_one towns", "q", "Q", "true()"), ("rank colour", "r", "R"))
    choices = (*STATES, ("colour", "red", "Red", None))
    checklist = read_form(workbook(tmp_path / "form.xlsx", survey, choices)).checklist
    assert checklist.item("q").list == "towns"
    assert checklist.lists["towns"][1] == Choice("b", Words("B", "B"), {"state": "south"})
    assert checklist.item("r").choices == (Choice("red", Words("Red", "Red")),)


def test_choices_from_another_sheet_and_from_files(tmp_path: Path) -> None:
    (tmp_path / "streets.csv").write_text("\ufeffname,label,town\na 1,Phố A,a\nb 1,Phố B,b\n", "utf-8")
    (tmp_path / "codes.csv").write_bytes("code;text\n7;Seven\n".encode("utf-16"))
    survey = (
        (*HEAD, "appearance", "parameters"),
        ("select_one_external towns", "q", "Q"),
        ("select_one_from_file streets.csv", "r", "R"),
        ("select_multiple_from_file codes.csv", "s", "S", None, "value=code, label=text"),
        ("select_one found", "t", "T", "minimal search('streets')"),
    )
    choices = (("list_name", "name", "label"), ("found", "name", "label"))
    form = workbook(tmp_path / "form.xlsx", survey, choices, external_choices=STATES)
    lists = read_form(form).checklist.lists
    assert lists["towns"][0].columns == {"state": "north"}
    assert lists["streets"][0] == Choice("a 1", Words("Phố A", "Phố A"), {"town": "a"})
    assert lists["codes"] == (Choice("7", Words("Seven", "Seven"), {"code": "7"}),)
    t = read_form(form).checklist.item("t")
    assert (t.list, t.appearance) == ("streets", "minimal")


@pytest.mark.parametrize(
    ("appearance", "choice_filter", "rest"),
    [
        ("minimal search('a')", "", "minimal"),
        ("search('a', 'matches', 'b', ${q})", "b = ${q}", ""),
        ("search('a', 'contains', 'b', concat(${q}, 'x'))", "contains(b, concat(${q}, 'x'))", ""),
        ('search("a", "startswith", "b", "c", "d", ${e}) quick', 'starts-with(b, "c") and d = ${e}', "quick"),
    ],
)
def test_a_search_is_a_filter(appearance: str, choice_filter: str, rest: str) -> None:
    assert search(appearance) == (Search("a", choice_filter), rest)


def test_a_list_of_a_thousand_choices_goes_round(tmp_path: Path) -> None:
    lines = "".join(f"x{number},Xã số {number} 😀,h{number % 7}\n" for number in range(1000))
    (tmp_path / "towns.csv").write_text(f"name,label,district\n{lines}", "utf-8")
    form = workbook(tmp_path / "form.xlsx", (HEAD, ("select_one_from_file towns.csv", "q", "Q")))
    made = import_form(form, tmp_path / "form.yaml")
    assert len(made.lists["towns"]) == 1000
    assert load(tmp_path / "form.yaml") == made
    export_form(made, tmp_path / "back.xlsx")
    assert read_form(tmp_path / "back.xlsx").checklist == made


def test_a_file_of_choices_is_wanted_by_an_expression(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("what,price\nbread,3\n")
    survey = (
        (*HEAD, "calculation"),
        ("calculate", "c", None, "pulldata('prices', 'price', 'what', 'bread')"),
    )
    form = workbook(tmp_path / "form.xlsx", survey)
    (tmp_path / "prices.csv").rename(tmp_path / "other.csv")
    with pytest.raises(FormInvalid, match=r"prices\.csv"):
        read_form(form)


def test_choices_that_are_there_twice_on_purpose(tmp_path: Path) -> None:
    choices = (*STATES, ("towns", "a", "A", "south"), ("towns", "a", "A", "south"))
    settings = (("allow_choice_duplicates",), ("yes",))
    form = workbook(tmp_path / "form.xlsx", (HEAD, ("select_one towns", "q", "Q")), choices, settings)
    read = read_form(form)
    assert [choice.value for choice in read.checklist.lists["towns"]] == ["a", "b", "a"]
    assert [(problem.sheet, problem.row) for problem in read.left_out] == [("choices", 5)]


@pytest.mark.parametrize(
    ("type_", "default", "prefill"),
    [
        ("text", "a b-c", ""),
        ("text", "${t}", "${t}"),
        ("text", "if(true(), 'a', 'b')", "if(true(), 'a', 'b')"),
        ("text", "'a + b'", ""),
        ("integer", "-5", ""),
        ("integer", "1 + 2", "1 + 2"),
        ("date", "2026-11-24", ""),
        ("date", "today()", "today()"),
    ],
)
def test_a_default_that_is_an_expression_is_worked_out(
    tmp_path: Path, type_: str, default: str, prefill: str
) -> None:
    survey = ((*HEAD, "default"), TEXT, (type_, "q", "Q", default))
    item = read_form(workbook(tmp_path / "form.xlsx", survey)).checklist.item("q")
    assert (item.prefill, item.default) == (prefill, "" if prefill else default)


def test_a_text_that_looks_like_an_expression_goes_out_and_comes_back(tmp_path: Path) -> None:
    item = Item("q", "text", Words("Hỏi", "Ask"), default="Ban A - phòng B")
    form = Checklist("a", "1", Words("v", "e"), (Section("s", Words("v", "e"), (item,)),))
    export_form(form, tmp_path / "f.xlsx")
    assert read_form(tmp_path / "f.xlsx").checklist == form


def test_what_is_worked_out_or_cannot_be_changed(tmp_path: Path) -> None:
    survey = (
        (*HEAD, "calculation", "read_only", "required", "default"),
        ("text", "a", "A", None, "${t} = 'x'", "${t} != ''"),
        ("integer", "b", "B", "1 + 1"),
        ("note", "c", "C", "1 + 2"),
        ("note", "d", "D", None, None, None, "kept"),
        ("hidden", "e", None, None, None, None, "always"),
        TEXT,
    )
    a, b, c, d, e, _ = read_form(workbook(tmp_path / "form.xlsx", survey)).checklist.items()
    assert (a.read_only, a.required) == ("${t} = 'x'", "${t} != ''")
    assert (b.kind, b.calculate, b.answered_by) == ("integer", "1 + 1", "nobody")
    assert (c.kind, c.calculate, c.answered_by) == ("text", "1 + 2", "nobody")
    assert (d.kind, d.read_only, d.default) == ("text", True, "kept")
    assert (e.kind, e.default, e.label.en) == ("calculate", "always", "e")


@pytest.mark.parametrize(
    ("heading", "value", "key", "read"),
    [
        ("bind::constraint", ". != ''", "constraint", ". != ''"),
        ("bind:relevant", "true()", "relevant", "true()"),
        ("relevance", "true()", "relevant", "true()"),
        ("bind::required", "true()", "required", True),
        ("readonly", "yes", "read_only", True),
        ("bind::calculate", "'x'", "calculate", "'x'"),
        ("required_message", "Please", "required_message", Words("Please", "Please")),
        ("bind::jr:requiredMsg", "Please", "required_message", Words("Please", "Please")),
        ("guidance_hint", "Long", "guidance", Words("Long", "Long")),
        ("media::image", "a.png", "media", ("a.png",)),
        ("image::English (en)", "a.png", "media", ("a.png",)),
        ("video", "a.mp4", "media", ("a.mp4",)),
        ("body::appearance", "w1 multiline", "appearance", "w1"),
        ("bind::type", "int", "kind", "integer"),
    ],
)
def test_columns_in_their_spellings(tmp_path: Path, heading: str, value: str, key: str, read: object) -> None:
    assert getattr(one(tmp_path, question((heading, value))), key) == read


def test_a_message_by_its_old_name_in_two_languages(tmp_path: Path) -> None:
    item = one(
        tmp_path,
        question(
            ("bind:constraint", ". != ''"),
            ("bind:jr:constraintMsg:en", "No"),
            ("bind:jr:constraintMsg:vi", "Sai"),
        ),
    )
    assert item.constraint_message == Words("Sai", "No")


def test_a_range_and_a_signature(tmp_path: Path) -> None:
    survey = (
        (*HEAD, "parameters", "appearance"),
        ("range", "r", "R", "start=0.5; end=5 step=0.5"),
        ("range", "s", "S"),
        ("image", "i", "I", None, "signature"),
    )
    r, s, i = read_form(workbook(tmp_path / "form.xlsx", survey)).checklist.items()
    assert (r.range, s.range) == (Steps("0.5", "5", "0.5"), Steps("1", "10", "1"))
    assert (i.kind, i.appearance) == ("signature", "")


def test_an_entity_and_the_properties_that_answers_set(tmp_path: Path) -> None:
    survey = ((*HEAD, "save_to"), ("text", "q", "Q", "serial"))
    entities = (("dataset", "label", "create_if"), ("devices", "${q}", "${q} != ''"))
    checklist = read_form(workbook(tmp_path / "form.xlsx", survey, entities=entities)).checklist
    assert checklist.entity == Entity("devices", "${q}", create_if="${q} != ''")
    assert checklist.item("q").save_to == "serial"


def test_a_third_language_stands_where_there_is_no_other(tmp_path: Path) -> None:
    survey = (("type", "name", "label::Français", "label::Kiswahili (sw)"), ("text", "q", "Qui", "Nani"))
    read = read_form(
        workbook(tmp_path / "form.xlsx", survey, settings=(("default_language",), ("Kiswahili (sw)",)))
    )
    assert read.checklist.item("q").label == Words("Nani", "Nani")
    assert [(problem.row, problem.column) for problem in read.left_out] == [(1, 3)]


def test_a_row_says_of_itself_that_it_is_the_title(tmp_path: Path) -> None:
    survey = (HEAD, ("set form title", "People", None), ("set form id", "people", None), TEXT)
    checklist = read_form(workbook(tmp_path / "form.xlsx", survey)).checklist
    assert (checklist.id, checklist.title.en) == ("people", "People")


def test_a_file_that_is_there_is_replaced_only_when_asked(tmp_path: Path) -> None:
    form = workbook(tmp_path / "form.xlsx")
    target = tmp_path / "form.yaml"
    target.write_text("mine")
    with pytest.raises(FileExists):
        import_form(form, target)
    with pytest.raises(FileExists):
        export_form(load(SHIPPED[0]), form)
    assert target.read_text() == "mine"
    import_form(form, target, replace=True)
    assert load(target).item("who").label == Words("Ai?", "Who?")


def test_a_form_that_is_refused_leaves_nothing_behind(tmp_path: Path) -> None:
    form = workbook(tmp_path / "form.xlsx", question(("relevant", "${gone} = 1")))
    with pytest.raises(FormInvalid):
        import_form(form, tmp_path / "form.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["form.xlsx"]


def test_a_form_without_settings_is_called_by_its_file(tmp_path: Path) -> None:
    checklist = read_form(workbook(tmp_path / "Khảo sát đợt 2.xlsx", SURVEY)).checklist
    assert (checklist.id, checklist.version, checklist.title.vi) == ("Khao-sat-dot-2", "1", "Khảo sát đợt 2")


def test_nothing_for_workbooks_is_loaded_before_one_is_read() -> None:
    code = "import sys, fieldkit.cli.checklist, fieldkit.checklist.xlsform.convert; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"openpyxl", "xlsxwriter", "lxml", "yaml"} & set(loaded.split())


@contextlib.contextmanager
def no_room() -> Iterator[None]:
    """No file may grow beyond 1,000 bytes, as on a disk that is nearly full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("there", [b"", b"an older one"])
def test_a_disk_without_room_leaves_what_was_there(tmp_path: Path, there: bytes) -> None:
    target = tmp_path / "out.xlsx"
    if there:
        target.write_bytes(there)
    with no_room(), pytest.raises(OSError, match="File too large"):
        export_form(load(SHIPPED[0]), target, replace=True)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([there] if there else [])

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
from fieldkit.checklist.kinds import Choice, Item
from fieldkit.checklist.load import load
from fieldkit.checklist.model import Checklist, Section
from fieldkit.checklist.xlsform.convert import export_form, import_form, read_form
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
some = settings(deadline=None, max_examples=30, suppress_health_check=SLOW)
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
    cell.value = None if cell.value and data.draw(st.booleans()) else f"{cell.value or ''}x9"
    cell.data_type = "s"
    book.save(tmp_path / "changed.xlsx")
    same = {
        "default_language": True,
        "name": kind == "end_group",
        "form_title": checklist.title.vi == checklist.title.en,
        "version": checklist.version == "1",  # which a form without one has
    }
    if same.get(str(heading)):
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
    assert [section.id for section in checklist.sections] == ["people", "part_1"]
    who, age, likes, wears, thanks = checklist.items()
    assert who == Item(
        "who",
        "text",
        Words("Ai?", "Who?"),
        Words("In full", "In full"),
        required=True,
        constraint="string-length(.) > 1",
        constraint_message=Words("Too short", "Too short"),
    )
    assert (age.kind, age.required, age.constraint, age.default) == ("number", True, ". = int(.)", "30")
    colours = (Choice("red", Words("Đỏ", "Red")), Choice("blue", Words("Xanh", "Blue")))
    assert (likes.kind, likes.choices, likes.relevant, likes.default) == (
        "choice",
        colours,
        "${age} >= 18",
        "red",
    )
    assert (wears.kind, wears.relevant, wears.required) == ("choices", "${likes} = 'red'", False)
    assert thanks.kind == "note"
    assert [(each.row, each.column) for each in read.left_out] == [(2, 1), (3, 11), (6, 11)]


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("text", "text"), ("string", "text"), ("integer", "number"), ("int", "number"), ("decimal", "number"),
        ("date", "date"), ("image", "file"), ("photo", "file"), ("file", "file"), ("note", "note"),
        ("acknowledge", "choice"), ("trigger", "choice"), ("select_one colour", "choice"),
        ("select one colour", "choice"), ("select1  colour", "choice"), ("select_multiple colour", "choices"),
        ("Select multiple colour", "choices"),
    ],
)  # fmt: skip
def test_every_type_of_the_subset(tmp_path: Path, type_: str, kind: str) -> None:
    assert one(tmp_path, question(type=type_), CHOICES).kind == kind


def test_whole_numbers_stay_whole(tmp_path: Path) -> None:
    item = one(
        tmp_path, question(("constraint", ". > 0 or . < -5"), ("constraint_message", "No."), type="integer")
    )
    assert item.constraint == "(. > 0 or . < -5) and . = int(.)"
    assert item.constraint_message == Words("No.", "No.")


def test_an_acknowledgement_keeps_the_value_that_expressions_ask_for(tmp_path: Path) -> None:
    survey = (
        ("type", "name", "label", "relevant"),
        ("acknowledge", "seen", "Seen", None),
        ("text", "why", "Why", "${seen} = 'OK'"),
    )
    seen, why = read_form(workbook(tmp_path / "form.xlsx", survey)).checklist.items()
    assert [choice.value for choice in seen.choices] == ["OK"]
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


@pytest.mark.parametrize("text", ["Xin chào ${q}", "x" * 32_768])
def test_what_a_form_cannot_hold_is_refused_and_nothing_written(tmp_path: Path, text: str) -> None:
    item = Item("q", "text", Words("Hỏi", text))
    with pytest.raises(FormImpossible):
        export_form(
            Checklist("a", "1", Words("v", "e"), (Section("s", Words("v", "e"), (item,)),)),
            tmp_path / "f.xlsx",
        )
    assert list(tmp_path.iterdir()) == []


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

"""Workbooks that are damaged, huge or made to do harm: refused with a reason, soon, and never half read."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldkit.checklist.errors import FormInvalid, FormUnreadable, column_letters
from fieldkit.checklist.xlsform.convert import read_form
from fieldkit.checklist.xlsform.workbook import LARGEST, LARGEST_UNPACKED, MOST_COLUMNS, MOST_ROWS
from fieldkit.text import Message
from tests.checklist.forms import SURVEY, workbook

SHEET = "xl/worksheets/sheet1.xml"
ROW = '<row r="{0}"><c r="{1}{0}" t="inlineStr"><is><t>x</t></is></c></row>'


@pytest.fixture
def form(tmp_path: Path) -> Path:
    return workbook(tmp_path / "form.xlsx", SURVEY)


def rewritten(form: Path, part: str, change: Callable[[bytes], bytes], name: str = "") -> Path:
    """The same workbook with one part changed."""
    made = io.BytesIO()
    with zipfile.ZipFile(form) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for each in old.namelist():
            data = old.read(each)
            new.writestr(each, change(data) if each == part else data)
        if name:
            new.writestr(name, change(b""))
    form.write_bytes(made.getvalue())
    return form


def unreadable(path: Path) -> str:
    with pytest.raises(FormUnreadable) as caught:
        read_form(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint is not None
    assert isinstance(caught.value.message, Message)
    return str(caught.value.message.params["problem"])


def invalid(path: Path) -> tuple[str, int, str, str]:
    with pytest.raises(FormInvalid) as caught:
        read_form(path)
    found = caught.value.problems[0]
    return found.sheet, found.row, column_letters(found.column), found.message.render("en")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04",
        b"type,name,label\n",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
        b"<html></html>",
    ],
)
def test_a_file_that_is_no_workbook(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "form.xlsx").write_bytes(data)
    assert "not an .xlsx workbook" in unreadable(tmp_path / "form.xlsx")


def test_a_file_that_is_not_there_or_a_folder(tmp_path: Path) -> None:
    assert "no such file" in unreadable(tmp_path / "none.xlsx")
    unreadable(tmp_path)


def test_a_zip_that_holds_something_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "form.xlsx", "w") as packed:
        packed.writestr("readme.txt", "hello")
    assert "not an .xlsx workbook" in unreadable(tmp_path / "form.xlsx")


def test_a_file_larger_than_any_form(tmp_path: Path) -> None:
    with (tmp_path / "form.xlsx").open("wb") as file:
        file.truncate(LARGEST + 1)
    assert "larger than" in unreadable(tmp_path / "form.xlsx")


def test_a_zip_bomb_is_not_unpacked(form: Path) -> None:
    bomb = b"<a>" + b" " * LARGEST_UNPACKED
    assert "too large" in unreadable(rewritten(form, "", lambda _: bomb, name="xl/media/bomb.xml"))


def test_a_zip_bomb_that_lies_about_its_size(form: Path) -> None:
    bomb = b"<a>" + b" " * LARGEST_UNPACKED
    rewritten(form, "", lambda _: bomb, name="xl/bomb.xml")
    data = form.read_bytes()
    size = len(bomb).to_bytes(4, "little")
    form.write_bytes(data.replace(size, (100).to_bytes(4, "little")))
    assert "not an .xlsx workbook" in unreadable(form)


def test_thousands_of_parts(form: Path) -> None:
    with zipfile.ZipFile(form, "a") as packed:
        for number in range(600):
            packed.writestr(f"xl/media/{number}.png", b"")
    assert "too large" in unreadable(form)


@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "[Content_Types].xml", "xl/styles.xml"])
def test_entities_are_never_expanded(form: Path, part: str) -> None:
    laughs = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l "ha"><!ENTITY m "&l;&l;&l;&l;">]>'
    assert "entities" in unreadable(rewritten(form, part, lambda data: laughs + data))


def test_entities_in_another_encoding(form: Path) -> None:
    def change(data: bytes) -> bytes:
        text = re.sub(r"<\?xml[^>]*\?>", "", data.decode())
        return ('<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY l "ha">]>' + text).encode(
            "utf-16"
        )

    assert "entities" in unreadable(rewritten(form, SHEET, change))


def test_a_part_that_is_cut(form: Path) -> None:
    assert "not an .xlsx workbook" in unreadable(rewritten(form, SHEET, lambda data: data[: len(data) // 2]))


def test_merged_cells_are_named(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "survey"
    for row in (*SURVEY, ("text", "why", "Sao?", "Why?")):
        sheet.append(list(row))
    sheet.merge_cells("B2:B3")
    book.save(tmp_path / "form.xlsx")
    sheet_name, row_number, letters, said = invalid(tmp_path / "form.xlsx")
    assert (sheet_name, row_number, letters) == ("survey", 2, "B")
    assert "B2:B3" in said


@pytest.mark.parametrize(
    ("row", "letters"),
    [(MOST_ROWS + 1, "A"), (1_048_576, "XFD"), (2, "XFD"), (2, column_letters(MOST_COLUMNS + 1))],
)
def test_a_cell_far_outside_is_not_passed_over(form: Path, row: int, letters: str) -> None:
    def change(data: bytes) -> bytes:
        text = data.decode()
        if row == 2:
            cell = f'<c r="{letters}2" t="inlineStr"><is><t>x</t></is></c>'
            return text[::-1].replace("</row>"[::-1], (cell + "</row>")[::-1], 1)[::-1].encode()
        return text.replace("</sheetData>", ROW.format(row, letters) + "</sheetData>").encode()

    sheet, at, column, said = invalid(rewritten(form, SHEET, change))
    assert (sheet, at, column) == ("survey", row, letters)
    assert "at most" in said


def test_an_empty_cell_far_outside_costs_nothing(form: Path) -> None:
    def change(data: bytes) -> bytes:
        empty = b'<row r="1048576"><c r="XFD1048576" s="1"/></row></sheetData>'
        return data.replace(b"</sheetData>", empty)

    assert read_form(rewritten(form, SHEET, change)).checklist.item("who")


def test_what_a_sheet_says_of_its_own_size_is_not_believed(form: Path) -> None:
    def change(data: bytes) -> bytes:
        return re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1:A1"', data)

    assert read_form(rewritten(form, SHEET, change)).checklist.item("who").label.en == "Who?"


def test_rows_out_of_order_are_not_passed_over(form: Path) -> None:
    def change(data: bytes) -> bytes:
        return data.replace(
            b"</sheetData>", (ROW.format(9, "A") + ROW.format(7, "A") + "</sheetData>").encode()
        )

    assert "out of order" in invalid(rewritten(form, SHEET, change))[3]


def test_cells_out_of_order_are_not_passed_over(form: Path) -> None:
    def change(data: bytes) -> bytes:
        cell = '<c r="A2" t="inlineStr"><is><t>x</t></is></c></row></sheetData>'
        return re.sub(rb"</row>\s*</sheetData>", cell.encode(), data)

    assert "out of order" in invalid(rewritten(form, SHEET, change))[3]


def test_a_formula_is_read_by_the_value_in_store(form: Path) -> None:
    def change(data: bytes) -> bytes:
        cells = (
            '<c r="A3" t="str"><f>"te"&amp;"xt"</f><v>text</v></c><c r="B3" t="str"><f>A1</f><v>why</v></c>'
        )
        return data.replace(b"</sheetData>", f'<row r="3">{cells}</row></sheetData>'.encode())

    assert read_form(rewritten(form, SHEET, change)).checklist.item("why").kind == "text"


def test_a_formula_without_a_value_in_store_is_named(form: Path) -> None:
    def change(data: bytes) -> bytes:
        return data.replace(b"</sheetData>", b'<row r="3"><c r="A3"><f>NOW()</f></c></row></sheetData>')

    sheet, row, letters, said = invalid(rewritten(form, SHEET, change))
    assert (sheet, row, letters) == ("survey", 3, "A")
    assert "formula without a value" in said


@pytest.mark.parametrize(
    "data", [b"\0\0" * 40, b"\\\0\\\0H\0P\0" + b"\0" * 60, b"\0{}", "<a>văn</a>".encode("utf-16")]
)
def test_a_part_that_is_no_xml_declares_nothing(form: Path, data: bytes) -> None:
    rewritten(form, "", lambda _: data, name="xl/printerSettings/printerSettings1.bin")
    assert read_form(form).checklist.item("who")


def test_a_part_in_an_encoding_that_hides_what_it_says(form: Path) -> None:
    declared = b'<?xml version="1.0" encoding="cp037"?>' + '<!DOCTYPE a [<!ENTITY l "ha">]>'.encode("cp037")
    assert "another encoding" in unreadable(rewritten(form, SHEET, lambda _: declared))


@pytest.mark.parametrize(
    ("name", "said"), [("word/document.xml", "another program"), ("content.xml", "another program")]
)
def test_a_file_of_another_program_under_the_name_of_a_workbook(tmp_path: Path, name: str, said: str) -> None:
    with zipfile.ZipFile(tmp_path / "form.xlsx", "w") as packed:
        packed.writestr(name, "<a/>")
    assert said in unreadable(tmp_path / "form.xlsx")


def test_an_old_workbook_and_a_locked_one(tmp_path: Path) -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600
    (tmp_path / "old.xls").write_bytes(ole)
    assert ".xls" in unreadable(tmp_path / "old.xls")
    (tmp_path / "locked.xlsx").write_bytes(ole + "EncryptedPackage".encode("utf-16-le"))
    assert "password" in unreadable(tmp_path / "locked.xlsx")


HEAD = ("type", "name", "label")


@pytest.mark.parametrize("type", ["group", "repeat"])
@pytest.mark.parametrize("depth", [100, 3000])
def test_groups_in_groups_without_end(tmp_path: Path, type: str, depth: int) -> None:
    inner = [(f"begin {type}", f"g{number}", "G") for number in range(depth)]
    survey = (HEAD, *inner, ("text", "q", "Q"), *[(f"end {type}", None, None)] * depth)
    sheet, row, letters, said = invalid(workbook(tmp_path / "form.xlsx", survey))
    assert (sheet, row, letters) == ("survey", 14, "A")
    assert "deeper than 12" in said


def test_a_loop_over_thousands_of_choices(tmp_path: Path) -> None:
    survey = (HEAD, ("begin loop over many", "l", "L"), ("text", "q", "Q"), ("text", "r", "R"), ("end loop",))
    choices = (("list_name", "name"), *(("many", f"c{number}") for number in range(10_000)))
    sheet, _, letters, said = invalid(workbook(tmp_path / "form.xlsx", survey, choices))
    assert (sheet, letters) == ("survey", "A")
    assert "more than 10000 items" in said


CSV = "select_one_from_file towns.csv"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"name,label\n" + b"x" * (5 * 1024 * 1024), "is larger than"),
        ("name,label\na,Hà Nội\n".encode("windows-1258", "replace"), "is not UTF-8 text (line 2)"),
        (b"name,label\na,\xff\xfe\n", "is not UTF-8 text (line 2)"),
        (b"\xff\xfen", "is not UTF-8 text"),
        (b"name,label\n" + b"a,b\n" * 20_001, "more than 20000 lines"),
        (b'name,label\na,"open', "is not CSV"),
        (b"name,label\n" + b"x" * 200_000 + b"\n", "is not CSV"),
        (b"name,label\na,\x1b[31m\n", "control character (line 2)"),
        (b"name,label\na,\0\n", "control character"),
        (b"", "is empty"),
        (b"name,label\n", "holds nothing"),
        (b"PK\x03\x04\0\0", "control character"),
    ],
)
def test_a_file_of_choices_that_is_none(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "towns.csv").write_bytes(data)
    sheet, row, letters, message = invalid(workbook(tmp_path / "form.xlsx", (HEAD, (CSV, "q", "Q"))))
    assert (sheet, row, letters) == ("survey", 2, "A")
    assert said in message


def test_a_file_of_choices_as_large_as_a_disk_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "towns.csv").open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    assert "is larger than" in invalid(workbook(tmp_path / "form.xlsx", (HEAD, (CSV, "q", "Q"))))[3]


def test_a_folder_is_no_file_of_choices(tmp_path: Path) -> None:
    (tmp_path / "towns.csv").mkdir()
    assert "not beside" in invalid(workbook(tmp_path / "form.xlsx", (HEAD, (CSV, "q", "Q"))))[3]


def test_control_characters_reach_no_terminal(form: Path) -> None:
    found = rewritten(form, SHEET, lambda data: data.replace(b"Who?", "Who\u009b31m?".encode()))
    assert "control character" in invalid(found)[3]


def test_two_sheets_of_one_name(tmp_path: Path) -> None:
    form = workbook(tmp_path / "form.xlsx", SURVEY, **{"Survey ": SURVEY})
    assert "here twice" in invalid(form)[3]


def test_the_one_sheet_there_is_is_the_survey(tmp_path: Path) -> None:
    form = workbook(tmp_path / "form.xlsx", (), **{"Tabelle1": SURVEY})
    assert read_form(form).checklist.item("who")


def test_a_shared_string_that_is_not_there(form: Path) -> None:
    def change(data: bytes) -> bytes:
        return data.replace(b"</sheetData>", b'<row r="3"><c r="A3" t="s"><v>99</v></c></row></sheetData>')

    assert "not an .xlsx workbook" in unreadable(rewritten(form, SHEET, change))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_workbook_with_damaged_bytes_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    form = workbook(tmp_path / "form.xlsx", SURVEY)
    broken = bytearray(form.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        broken[data.draw(st.integers(0, 10**6)) % len(broken)] = data.draw(st.integers(0, 255))
    form.write_bytes(broken[: len(broken) - data.draw(st.sampled_from([0, 0, 0, 1, 30, 3000]))])
    try:
        checklist = read_form(form).checklist
    except (FormInvalid, FormUnreadable):
        return
    assert checklist.sections

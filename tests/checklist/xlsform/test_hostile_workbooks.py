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
    found = caught.value.problems[-1]
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


def test_a_formula_with_a_value_in_store_is_a_formula(form: Path) -> None:
    def change(data: bytes) -> bytes:
        cell = '<row r="3"><c r="A3" t="str"><f>"te"&amp;"xt"</f><v>text</v></c></row></sheetData>'
        return data.replace(b"</sheetData>", cell.encode())

    sheet, row, letters, said = invalid(rewritten(form, SHEET, change))
    assert (sheet, row, letters) == ("survey", 3, "A")
    assert "formula" in said


def test_control_characters_reach_no_terminal(form: Path) -> None:
    found = rewritten(form, SHEET, lambda data: data.replace(b"Who?", "Who\u009b31m?".encode()))
    assert "control character" in invalid(found)[3]


def test_two_sheets_of_one_name(tmp_path: Path) -> None:
    form = workbook(tmp_path / "form.xlsx", SURVEY, **{"Survey ": SURVEY})
    assert "here twice" in invalid(form)[3]


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

"""A workbook from anywhere, read as rows of text: bounded, no formula, no merged cell, nothing passed over.

What the sheets mean is in `form_reading`. openpyxl reads them as a stream; what it would take on trust
(sizes, dimensions, entities) is looked at first.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
import warnings
import zipfile
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fieldkit.checklist.errors import FormInvalid, FormProblem, FormUnreadable
from fieldkit.text import M, Message, nfc

if TYPE_CHECKING:
    from openpyxl.cell.read_only import ReadOnlyCell
    from openpyxl.workbook.workbook import Workbook

LARGEST = 16 * 1024 * 1024
LARGEST_UNPACKED = 32 * 1024 * 1024
MOST_PARTS = 500
MOST_ROWS = 3000
MOST_COLUMNS = 200
LONGEST = 32_767  # what a cell holds (ECMA-376, and every program that reads it)
_TOLD = 100
_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")


class SheetRow(msgspec.Struct, frozen=True):
    """One row that holds something; `cells` gives the text of a column (from 1), blank ones left out."""

    number: int
    cells: Mapping[int, str]


class Worksheet(msgspec.Struct, frozen=True):
    """One sheet: its name as it stands, its first row as headings, and the rows below."""

    file: str
    name: str
    headings: Mapping[int, str]
    rows: tuple[SheetRow, ...]

    def problem(self, row: int, column: int, message: Message) -> FormProblem:
        """A problem with one cell of it."""
        return FormProblem(self.file, self.name, row, column, message)


def read_worksheets(path: Path, wanted: Collection[str], refused: Collection[str]) -> dict[str, Worksheet]:
    """The sheets of the workbook at `path` whose names are `wanted`, by those names.

    wanted, refused: names in small letters; a refused sheet that holds anything is a problem.

    :raises FormUnreadable: there is no workbook there that can be read. :raises FormInvalid: with every
    cell that cannot be taken as a text.
    """
    _looked_at(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what openpyxl does not keep: validations, pictures
        try:
            from openpyxl.reader.excel import load_workbook

            book = load_workbook(path, read_only=True, keep_links=False)
        except OSError:
            raise
        except Exception as error:  # whatever openpyxl stumbles over, it is no workbook
            raise _unreadable(path, M("This is not an .xlsx workbook."), type(error).__name__) from None
        try:
            return _sheets(book, path, wanted, refused)
        finally:
            book.close()


def _looked_at(path: Path) -> None:
    """Nothing, if the file is a zip of bounded size without entities."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise _unreadable(path, M("There is no such file."), error.strerror or "") from None
    if size > LARGEST:
        raise _unreadable(path, M("The file is larger than {count} bytes.", count=LARGEST))
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as packed:
            parts = packed.infolist()
            if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > LARGEST_UNPACKED:
                raise _unreadable(path, M("Unpacked, the workbook is too large for a form."))
            for part in parts:
                data = packed.read(part)  # whatever it is called: a relation may point to it as XML
                utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:2]
                if utf16 or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
                    raise _unreadable(path, M("The workbook declares entities; none are taken."))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        message = M("This is not an .xlsx workbook.")
        raise _unreadable(path, message, type(error).__name__) from None
    except OSError as error:
        raise _unreadable(path, M("The file cannot be opened."), error.strerror or "") from None
    except Exception as error:
        if isinstance(error, FormUnreadable):
            raise
        # zlib.error and what else a damaged archive brings
        raise _unreadable(path, M("This is not an .xlsx workbook."), type(error).__name__) from None


def _unreadable(path: Path, message: Message, detail: str = "") -> FormUnreadable:
    return FormUnreadable(
        M("{path}: {problem}", path=str(path), problem=message),
        hint=M("Open the form in a spreadsheet program and save it as .xlsx, without macros or pictures."),
        detail=detail,
    )


def _sheets(
    book: Workbook, path: Path, wanted: Collection[str], refused: Collection[str]
) -> dict[str, Worksheet]:
    sheets: dict[str, Worksheet] = {}
    problems: list[FormProblem] = []
    for sheet in book.worksheets:
        name = sheet.title.strip().lower()
        if name not in wanted and name not in refused:
            continue
        reader = _Reader(str(path), sheet, problems)
        try:
            read_sheet = reader.read_sheet()
        except FormInvalid:
            raise
        except Exception as error:
            raise _unreadable(path, M("This is not an .xlsx workbook."), type(error).__name__) from None
        if name in sheets:
            problems.append(read_sheet.problem(1, 1, M("The sheet `{name}` is here twice.", name=name)))
        elif name in wanted:
            sheets[name] = read_sheet
        elif read_sheet.rows:
            row = read_sheet.rows[0]
            message = M("The sheet `{name}` is not known to fieldkit.", name=name)
            problems.append(read_sheet.problem(row.number, min(row.cells), message))
    if problems:
        raise FormInvalid(problems)
    return sheets


class _Reader:
    """Reads one sheet and goes on after a problem."""

    def __init__(self, file: str, sheet: Any, problems: list[FormProblem]) -> None:
        self._file = file
        self._sheet = sheet
        self._problems = problems

    def read_sheet(self) -> Worksheet:
        last_row, last_column = self._bounded()  # not what the file says of its size
        rows = [SheetRow(number, cells) for number, cells in self._rows(last_row, last_column) if cells]
        headings = rows.pop(0).cells if rows and rows[0].number == 1 else {}
        return Worksheet(self._file, self._sheet.title, headings, tuple(rows))

    def _rows(self, last_row: int, last_column: int) -> Iterator[tuple[int, dict[int, str]]]:
        rows = self._sheet.iter_rows(max_row=last_row, max_col=last_column) if last_row else ()
        for number, row in enumerate(rows, start=1):
            cells: dict[int, str] = {}
            for column, cell in enumerate(row, start=1):
                if cell.value is None:
                    continue
                text = self._text(cell, number, column)
                if text.strip():
                    cells[column] = text
            yield number, cells

    def _bounded(self) -> tuple[int, int]:
        """The last row and column that hold something; merged cells are said where they are.

        :raises FormInvalid: a cell is outside the bounds, or rows or cells are out of order, which a
        reader of streams would pass over.
        """
        from xml.etree.ElementTree import iterparse  # no entities: `_looked_at` refused them

        row = column = last_row = last_column = 0
        with self._sheet._get_source() as source:  # the one way to the sheet's own XML
            for event, element in iterparse(source, ("start", "end")):  # noqa: S314
                kind = element.tag.rpartition("}")[2]
                if kind == "row" and event == "start":
                    before, row, column = row, _whole(element.get("r"), row + 1), 0
                    if row <= before:
                        self._stop(row, 1, M("The rows of the sheet are out of order."))
                elif kind == "c" and event == "end":
                    place = _CELL.fullmatch(element.get("r") or "")
                    before, column = column, _column(place[1]) if place else column + 1
                    if column <= before or (place and int(place[2]) != row):
                        self._stop(row, column, M("The cells of the row are out of order."))
                    if len(element):
                        if row > MOST_ROWS or column > MOST_COLUMNS:
                            self._stop(row, column, _too_large())
                        last_row, last_column = row, max(column, last_column)
                elif kind == "mergeCell" and event == "end":
                    cells = element.get("ref") or ""
                    if first := _CELL.match(cells):
                        message = M("Cells are merged here ({cells}). Split them.", cells=cells)
                        self._wrong(int(first[2]), _column(first[1]), message)
                if event == "end" and kind == "row":
                    element.clear()
        return last_row, last_column

    def _stop(self, row: int, column: int, message: Message) -> None:
        raise FormInvalid([*self._problems, self._problem(row, column, message)])

    def _text(self, cell: ReadOnlyCell, row: int, column: int) -> str:
        """The text of a cell as a person reads it; "" after a problem."""
        value = cell.value
        if cell.data_type == "f":
            return self._wrong(row, column, M("A formula is here. Put its value in its place."))
        match value:
            case bool():
                return "TRUE" if value else "FALSE"
            case int():
                return str(value)
            case float():
                return str(int(value)) if value.is_integer() else f"{Decimal(repr(value)):f}"
            case datetime.datetime() if value.time() == datetime.time():
                return value.date().isoformat()
            case str() if cell.data_type == "e":
                return self._wrong(row, column, M("An error is here: {value}", value=value))
            case str():
                return self._clean(value, row, column)
        return self._wrong(row, column, M("A text is expected here; format the cell as text."))

    def _clean(self, value: str, row: int, column: int) -> str:
        text = nfc(value).replace("_x000D_\n", "\n").replace("\r\n", "\n").replace("\r", "\n")
        for sign in text:
            category = unicodedata.category(sign)
            if category == "Cs" or (category == "Cc" and sign not in "\n\t"):
                return self._wrong(row, column, M("The text holds a control character."))
        return text

    def _wrong(self, row: int, column: int, message: Message) -> str:
        if len(self._problems) < _TOLD:
            self._problems.append(self._problem(row, column, message))
        return ""

    def _problem(self, row: int, column: int, message: Message) -> FormProblem:
        return FormProblem(self._file, self._sheet.title, row, column, message)


def _too_large() -> Message:
    return M("A form has at most {rows} rows and {columns} columns.", rows=MOST_ROWS, columns=MOST_COLUMNS)


def _whole(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 8 else otherwise


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number

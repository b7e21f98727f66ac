"""A workbook from anywhere, read as rows of text: bounded, no merged cell, nothing passed over.

What the sheets mean is in `reading`. openpyxl reads them as a stream; what it would take on trust
(sizes, dimensions, entities) is looked at first. A formula is read by the value in store for it.
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
MOST_ROWS = 20_001  # with the headings
MOST_COLUMNS = 500
LONGEST = 32_767  # what a cell holds (ECMA-376, and every program that reads it)
_TOLD = 100
_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_ENCODING = re.compile(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)""")
_ENCODINGS = (b"utf-8", b"us-ascii", b"ascii", b"iso-8859-1", b"windows-1252")


_WIDE = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
NO_WORKBOOK = M("This is not an .xlsx workbook.")
_OLD = M("This is not an .xlsx workbook, but an older one (.xls).")
_LOCKED = M("This is not an .xlsx workbook that can be opened: it is locked with a password.")


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


def read_worksheets(path: Path, wanted: Collection[str]) -> tuple[dict[str, Worksheet], list[FormProblem]]:
    """The sheets of the workbook at `path` whose names are `wanted`, by those names, and what is wrong there.

    wanted: names in small letters.

    :raises FormUnreadable: there is no workbook there that can be read. :raises FormInvalid: a sheet is out
    of bounds, or out of order.
    """
    _looked_at(path)
    with warnings.catch_warnings(), path.open("rb") as file:  # a file, for its name may end as it likes
        warnings.simplefilter("ignore")  # of what openpyxl does not keep: validations, pictures
        try:
            from openpyxl.reader.excel import load_workbook

            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        except OSError:
            raise
        except Exception as error:  # whatever openpyxl stumbles over, it is no workbook
            raise _unreadable(path, NO_WORKBOOK, type(error).__name__) from None
        try:
            return _sheets(book, path, wanted)
        finally:
            book.close()


def _looked_at(path: Path) -> None:
    """Nothing, if the file is a zip of bounded size without entities."""
    try:
        if not path.exists():
            raise _unreadable(path, M("There is no such file."))
        if path.stat().st_size > LARGEST:
            raise _unreadable(path, M("The file is larger than {count} bytes.", count=LARGEST))
        with path.open("rb") as file:
            if file.read(8) == _OLE:
                locked = "EncryptedPackage".encode("utf-16-le") in file.read()
                raise _unreadable(path, _LOCKED if locked else _OLD)
        with path.open("rb") as file, zipfile.ZipFile(file) as packed:
            parts = packed.infolist()
            if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > LARGEST_UNPACKED:
                raise _unreadable(path, M("Unpacked, the workbook is too large for a form."))
            names = {part.filename for part in parts}
            if "word/document.xml" in names or "content.xml" in names:
                raise _unreadable(path, M("This is not an .xlsx workbook, but a file of another program."))
            for part in parts:
                _judge(path, packed.read(part))  # whatever it is called: a relation may point to it as XML
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise _unreadable(path, NO_WORKBOOK, type(error).__name__) from None
    except OSError as error:
        raise _unreadable(path, M("The file cannot be opened."), error.strerror or "") from None
    except Exception as error:
        if isinstance(error, FormUnreadable):
            raise
        # zlib.error and what else a damaged archive brings
        raise _unreadable(path, NO_WORKBOOK, type(error).__name__) from None


def _judge(path: Path, data: bytes) -> None:
    """Nothing, if a reader of XML finds no entity in `data`, in any encoding it would read it in."""
    wide = next((code for start, code in _WIDE.items() if data.startswith(start)), "")
    if not wide and len(data) > 1 and (data[0] == 0) != (data[1] == 0):
        wide = "utf-16-be" if data[0] == 0 else "utf-16-le"
    if wide:
        data = data.decode(wide, "replace").encode()
    elif (declared := _ENCODING.match(data)) and declared[1].lower() not in _ENCODINGS:
        raise _unreadable(path, M("A part of the workbook is in another encoding than UTF-8."))
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise _unreadable(path, M("The workbook declares entities; none are taken."))


def _unreadable(path: Path, message: Message, detail: str = "") -> FormUnreadable:
    return FormUnreadable(
        M("{path}: {problem}", path=str(path), problem=message),
        hint=M("Open the form in a spreadsheet program and save it as .xlsx, without macros or pictures."),
        detail=detail,
    )


def _sheets(
    book: Workbook, path: Path, wanted: Collection[str]
) -> tuple[dict[str, Worksheet], list[FormProblem]]:
    sheets: dict[str, Worksheet] = {}
    problems: list[FormProblem] = []
    for sheet in book.worksheets:
        name = sheet.title.strip().lower()
        if name not in wanted and len(book.worksheets) == 1:
            name = "survey"  # the one sheet there is, whatever it is called
        if name not in wanted:
            continue
        reader = _Reader(str(path), sheet, problems)
        try:
            read_sheet = reader.read_sheet()
        except FormInvalid:
            raise
        except Exception as error:
            raise _unreadable(path, NO_WORKBOOK, type(error).__name__) from None
        if name in sheets:
            problems.append(read_sheet.problem(1, 1, M("The sheet `{name}` is here twice.", name=name)))
        else:
            sheets[name] = read_sheet
    return sheets, problems


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
                    if _lacks_value(element):
                        message = M("A formula without a value in store. Put the value in its place.")
                        self._wrong(row, column, message)
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
        match value:
            case bool():
                return "TRUE" if value else "FALSE"
            case int():
                return str(value)
            case float():
                return str(int(value)) if value.is_integer() else f"{Decimal(repr(value)):f}"
            case datetime.datetime() if value.time() == datetime.time():
                return value.date().isoformat()
            case datetime.datetime() | datetime.time():
                return value.replace(microsecond=0).isoformat()
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


def _lacks_value(cell: Any) -> bool:
    """Whether a cell's XML has a formula, and nothing that was worked out of it."""
    parts = {part.tag.rpartition("}")[2]: part.text for part in cell}
    return "f" in parts and not parts.get("v") and "is" not in parts and cell.get("t") != "str"


def _too_large() -> Message:
    return M("A form has at most {rows} rows and {columns} columns.", rows=MOST_ROWS, columns=MOST_COLUMNS)


def _whole(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 8 else otherwise


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number

"""The lists of choices of an XLSForm: from its sheets, and from CSV files beside it."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

import msgspec

from fieldkit.checklist.errors import FormProblem
from fieldkit.checklist.kinds import Choice
from fieldkit.checklist.xlsform.columns import CHOICES, MEDIA
from fieldkit.checklist.xlsform.table import Notes, Table
from fieldkit.checklist.xlsform.workbook import SheetRow, Worksheet
from fieldkit.text import M, Message, Words, nfc

LARGEST_FILE = 4 * 1024 * 1024
MOST_CHOICES = 20_000
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_LONGEST_ENDING = re.compile(r"[^/\\]+\.csv", re.I)


class ListedChoice(msgspec.Struct, frozen=True):
    """A choice, and the places of its value and its label."""

    choice: Choice
    value: FormProblem
    label: FormProblem


class ChoiceList(msgspec.Struct):
    """A list by its choices. shared: whether the form says that it is no item's own, or is."""

    rows: list[ListedChoice]
    shared: bool | None = None

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Its choices alone."""
        return tuple(row.choice for row in self.rows)

    @property
    def has_columns(self) -> bool:
        """Whether it says more of a choice than its value and label."""
        return any(row.choice.columns for row in self.rows)


def lists(
    sheet: Worksheet, default: str | None, notes: Notes, *, twice: bool = False
) -> dict[str, ChoiceList]:
    """The lists of the sheet; what is wrong with it is noted. twice: whether a choice may be there twice."""
    table = Table(sheet, (*CHOICES, *MEDIA), notes, default, free=True)
    by_name: dict[str, ChoiceList] = {}
    if sheet.rows and not table.want("list_name", "name"):
        return by_name
    known: set[tuple[str, str, tuple[tuple[str, str], ...]]] = set()
    for row in table.rows():
        name, value = table.word(row, "list_name"), table.word(row, "name")
        if not name:
            table.leave(row, "list_name", M("The row names no list."))
            continue
        if not value:
            table.wrong(row, "name", M("The `{column}` is missing.", column="name"))
            continue
        for column, at in table.filled(row, MEDIA):
            notes.leave(sheet.problem(row.number, at, M("A choice takes no `{column}`.", column=column)))
        columns = {key: row.cells[at].strip() for key, at in table.extra.items() if at in row.cells}
        choice = Choice(value, table.words(row, "label") or Words.same(value), columns)
        of = by_name.setdefault(name, ChoiceList([]))
        same = (name, value, tuple(columns.items()))
        if twice and same in known:
            table.leave(row, "name", M("The choice `{value}` is here twice.", value=value))
            continue
        known.add(same)
        of.rows.append(ListedChoice(choice, table.place(row, "name"), table.place(row, "label")))
    return by_name


def list_in_file(
    form: Path, name: str, value: str, label: str, default: str | None
) -> ChoiceList | Message | list[FormProblem]:
    """The list in the CSV file `name` beside a form; why there is none, or what is wrong in it.

    value, label: the columns that hold these. Without such a column a choice is called by its number.
    """
    if not _LONGEST_ENDING.fullmatch(name):
        return M("Choices are read from a CSV file beside the form; {name} is none.", name=name)
    path = form.parent / name
    try:
        if not path.is_file():
            return M("The file {name} is not beside the form. Put it there and import again.", name=name)
        if path.stat().st_size > LARGEST_FILE:
            return M("{name} is larger than {count} bytes.", name=name, count=LARGEST_FILE)
        data = path.read_bytes()
    except OSError as error:
        return M("{name} cannot be read ({reason}).", name=name, reason=error.strerror or "")
    encoding = next((code for mark, code in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return M("{name} is not UTF-8 text (line {line}). Save it as CSV UTF-8.", name=name, line=line)
    return _rows(form, name, nfc(text), value, label, default)


def _rows(
    form: Path, name: str, text: str, value: str, label: str, default: str | None
) -> ChoiceList | Message | list[FormProblem]:
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=first.count), strict=True)
    sheet_rows: list[SheetRow] = []
    try:
        for number, cells in enumerate(reader, start=1):
            kept = {at: cell for at, cell in enumerate(cells, start=1) if cell.strip()}
            if any(
                unicodedata.category(sign) == "Cc" and sign not in "\n\t" for cell in cells for sign in cell
            ):
                return M("{name}: the text holds a control character (line {line}).", name=name, line=number)
            if kept:
                sheet_rows.append(SheetRow(number, kept))
            if len(sheet_rows) > MOST_CHOICES + 1:
                return M("{name} has more than {count} lines.", name=name, count=MOST_CHOICES)
    except csv.Error:
        return M("{name} is not CSV: line {line} cannot be read.", name=name, line=reader.line_num)
    if not sheet_rows:
        return M("{name} is empty.", name=name)
    head = sheet_rows.pop(0).cells
    named = {cell.strip().lower(): at for at, cell in reversed([*head.items()])}
    sheet = Worksheet(str(form), name, _headed(head, named, value, label), tuple(sheet_rows))
    notes = Notes([])
    table = Table(sheet, ("name", "label", *(f"{kind}" for kind in MEDIA)), notes, default, free=True)
    rows: list[ListedChoice] = []
    for count, row in enumerate(table.rows(), start=1):
        key = table.word(row, "name") if table.has("name") else str(count)
        if not key:
            table.wrong(row, "name", M("The `{column}` is missing.", column="name"))
            continue
        columns = {column: row.cells[at].strip() for column, at in table.extra.items() if at in row.cells}
        columns |= {value: key} if value.lower() != "name" and table.has("name") else {}
        rows.append(
            ListedChoice(
                Choice(key, table.words(row, "label") or Words.same(key), columns),
                table.place(row, "name"),
                table.place(row, "label"),
            )
        )
    return notes.problems or ChoiceList(rows)


def _headed(head: Mapping[int, str], named: Mapping[str, int], value: str, label: str) -> dict[int, str]:
    """The headings, those of the columns that hold value and label called so."""
    headings = dict(head)
    for column, wanted in (("name", value), ("label", label)):
        at = named.get(wanted.lower())
        if at is None or wanted.lower() == column:
            continue
        if column in named:
            headings[named[column]] = f"{head[named[column]]}_"
        headings[at] = column
    return headings

"""A checklist into the sheets of an XLSForm: the subset that is read, fieldkit's own things in fk:: columns.

Other programs may fill in the form; they take no notice of the fk:: columns.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import msgspec

from fieldkit.checklist.errors import FormImpossible
from fieldkit.checklist.model import Checklist, Choice, Item, Kind
from fieldkit.checklist.xlsform.columns import YES_NO, YES_NO_LIST
from fieldkit.checklist.xlsform.workbook import LONGEST, MOST_ROWS
from fieldkit.text import M, Words

Cells = dict[str, str]
Sheets = dict[str, list[Cells]]

VI, EN = "::Vietnamese (vi)", "::English (en)"
COLUMNS: dict[str, tuple[str, ...]] = {
    "survey": (
        "type",
        "name",
        f"label{VI}",
        f"label{EN}",
        f"hint{VI}",
        f"hint{EN}",
        "required",
        "relevant",
        "constraint",
        f"constraint_message{VI}",
        f"constraint_message{EN}",
        "default",
        "appearance",
        "fk::kind",
        "fk::procedure",
        "fk::with",
        "fk::accept",
        "fk::required",
        "fk::role",
    ),
    "choices": ("list_name", "name", f"label{VI}", f"label{EN}"),
    "settings": (
        "form_title",
        "form_id",
        "version",
        "default_language",
        f"fk::title{EN}",
        f"fk::form{VI}",
        f"fk::form{EN}",
        "fk::finish",
        "fk::paper",
        "fk::number",
    ),
}
_TYPES: dict[Kind, str] = {
    "text": "text",
    "number": "decimal",
    "date": "date",
    "file": "file",
    "note": "note",
    "procedure": "note",
}


def sheets(checklist: Checklist) -> Sheets:
    """The rows of each sheet, by the headings of `COLUMNS`.

    :raises FormImpossible: a text of it fits into no cell, or would be read as something else.
    """
    made: Sheets = {"survey": [], "choices": [], "settings": [_settings(checklist)]}
    lists = {item.id for item in checklist.items()}
    yes_no = next(name for n in range(len(lists) + 1) if (name := "yes_no" + "_" * n) not in lists)
    for section in checklist.sections:
        made["survey"].append(
            {"type": "begin_group", "name": section.id, "relevant": section.relevant}
            | _words("label", section.title)
        )
        made["survey"] += [_item(item, yes_no) for item in section.items]
        made["survey"].append({"type": "end_group", "name": section.id})
    if any(item.kind == "yesno" for item in checklist.items()):
        made["choices"] += _list(yes_no, YES_NO_LIST)
    for item in checklist.items():
        made["choices"] += _list(item.id, item.choices)
    _fits(made)
    return made


def write(checklist: Checklist, target: Path) -> None:
    """Write the form of `checklist` as a workbook at `target`, every cell as text."""
    import xlsxwriter

    rows = sheets(checklist)
    made = io.BytesIO()  # the file is written by one call, whose failure is the system's own words
    with xlsxwriter.Workbook(made, {"in_memory": True}) as book:
        book.set_properties({"title": checklist.title.vi, "comments": f"{checklist.id} {checklist.version}"})
        head = book.add_format({"bold": True, "bg_color": "#DDDDDD", "num_format": "@"})
        text = book.add_format({"text_wrap": True, "valign": "top", "num_format": "@"})
        for name, columns in COLUMNS.items():
            sheet = book.add_worksheet(name)
            sheet.freeze_panes(1, 2 if name == "survey" else 0)
            for at, heading in enumerate(columns):
                wide = 44 if "label" in heading or "hint" in heading else 18
                sheet.set_column(at, at, wide, text)
                sheet.write_string(0, at, heading, head)
                for number, cells in enumerate(rows[name], start=1):
                    if cells.get(heading):
                        sheet.write_string(number, at, cells[heading], text)
    target.write_bytes(made.getvalue())


def _settings(checklist: Checklist) -> Cells:
    cells = {
        "form_title": checklist.title.vi,
        "form_id": checklist.id,
        "version": checklist.version,
        "default_language": VI.removeprefix("::"),
        "fk::finish": checklist.finish or "",
        "fk::paper": checklist.paper or "",
        "fk::number": checklist.number,
    }
    return cells | {f"fk::title{EN}": checklist.title.en} | _words("fk::form", checklist.form)


def _item(item: Item, yes_no: str) -> Cells:
    cells = {
        "type": _type(item, yes_no),
        "name": item.id,
        "relevant": item.relevant,
        "constraint": item.constraint,
        "default": item.default,
        "fk::procedure": item.procedure,
        "fk::accept": " ".join(item.accept),
        "fk::role": item.role or "",
    }
    if item.required:
        cells["fk::required" if item.kind == "procedure" else "required"] = "yes"
    if item.multiline:
        cells["appearance"] = "multiline"
    if item.kind == "yesno":
        cells["fk::kind"] = YES_NO
    if item.options:
        cells["fk::with"] = msgspec.json.encode(item.options).decode()
    return (
        cells
        | _words("label", item.label)
        | _words("hint", item.hint)
        | _words("constraint_message", item.constraint_message)
    )


def _type(item: Item, yes_no: str) -> str:
    match item.kind:
        case "yesno":
            return f"select_one {yes_no}"
        case "choice":
            return f"select_one {item.id}"
        case "choices":
            return f"select_multiple {item.id}"
    return _TYPES[item.kind]


def _words(name: str, words: Words | None) -> Cells:
    return {name + VI: words.vi, name + EN: words.en} if words else {}


def _list(name: str, choices: tuple[Choice, ...]) -> Iterator[Cells]:
    for choice in choices:
        yield {"list_name": name, "name": choice.value} | _words("label", choice.label)


def _fits(made: Sheets) -> None:
    for name, rows in made.items():
        if len(rows) >= MOST_ROWS:
            raise FormImpossible(
                M("The checklist has too many lines for a form: {count}.", count=len(rows)),
                unchanged=M("No form was written."),
            )
        for cells in rows:
            for heading, text in cells.items():
                if len(text) > LONGEST:
                    message = M("A text is longer than a cell holds: {start}…", start=text[:60])
                elif "${" in text and heading.endswith((VI, EN)):
                    message = M(
                        "A text with ${{ would be read as an answer in a form: {start}", start=text[:60]
                    )
                else:
                    continue
                raise FormImpossible(
                    M("{sheet}, {column}: {problem}", sheet=name, column=heading, problem=message),
                    unchanged=M("No form was written."),
                    hint=M("Shorten or reword it in the checklist."),
                )

"""A checklist into the sheets of an XLSForm: the subset that is read, fieldkit's own things in fk:: columns.

Other programs may fill in the form; they take no notice of the fk:: columns.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import msgspec

from fieldkit.checklist.errors import FormImpossible
from fieldkit.checklist.kinds import KINDS, YES_NO, Choice, Item
from fieldkit.checklist.model import Checklist
from fieldkit.checklist.xlsform.columns import CHOICES, HEADINGS, SETTINGS, SPOKEN, SURVEY
from fieldkit.checklist.xlsform.workbook import LONGEST, MOST_ROWS
from fieldkit.i18n import DEFAULT
from fieldkit.text import M, Words

Cells = dict[str, str]
Sheets = dict[str, list[Cells]]


def _headings(names: tuple[str, ...]) -> tuple[str, ...]:
    spoken = ([f"{name}::{language}" for language in HEADINGS.values()] for name in names)
    return tuple(
        heading
        for name, languages in zip(names, spoken, strict=True)
        for heading in (languages if name in SPOKEN else [name])
        if heading != f"fk::title::{HEADINGS[DEFAULT]}"  # that is `form_title`
    )


COLUMNS = {"survey": _headings(SURVEY), "choices": _headings(CHOICES), "settings": _headings(SETTINGS)}


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
        made["choices"] += _list(yes_no, YES_NO)
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
        "default_language": HEADINGS[DEFAULT],
        "fk::finish": checklist.finish or "",
        "fk::paper": checklist.paper or "",
        "fk::number": checklist.number,
    }
    return cells | _words("fk::title", checklist.title) | _words("fk::form", checklist.form)


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
        cells["fk::required" if item.answered_by == "procedure" else "required"] = "yes"
    if item.multiline:
        cells["appearance"] = "multiline"
    if item.kind == "yesno":
        cells["fk::kind"] = item.kind
    if item.options:
        cells["fk::with"] = msgspec.json.encode(item.options).decode()
    return (
        cells
        | _words("label", item.label)
        | _words("hint", item.hint)
        | _words("constraint_message", item.constraint_message)
    )


def _type(item: Item, yes_no: str) -> str:
    kind = KINDS[item.kind]
    return f"{kind.question} {item.id if item.choices else yes_no}" if kind.choices(item) else kind.question


def _words(name: str, words: Words | None) -> Cells:
    return {f"{name}::{heading}": getattr(words, code) for code, heading in HEADINGS.items()} if words else {}


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
                elif "${" in text and heading.endswith(tuple(HEADINGS.values())):
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

"""The sheet `choices` of an XLSForm: its lists by name, each choice with the cells it came from."""

from __future__ import annotations

import msgspec

from fieldkit.checklist.errors import FormProblem
from fieldkit.checklist.kinds import Choice
from fieldkit.checklist.xlsform.columns import CHOICES
from fieldkit.checklist.xlsform.table import Table
from fieldkit.checklist.xlsform.workbook import Worksheet
from fieldkit.text import M


class ListedChoice(msgspec.Struct, frozen=True):
    """A choice, and the places of its value and its label."""

    choice: Choice
    value: FormProblem
    label: FormProblem


def lists(
    sheet: Worksheet, default: str | None, problems: list[FormProblem]
) -> dict[str, list[ListedChoice]]:
    """The lists of the sheet; what is wrong with it is added to `problems`."""
    headings = {
        at: "name" if heading.strip().lower() == "value" else heading
        for at, heading in sheet.headings.items()
    }
    table = Table(msgspec.structs.replace(sheet, headings=headings), CHOICES, default, problems)
    if sheet.rows:
        table.want("list_name", "name", "label")
    choice_lists: dict[str, list[ListedChoice]] = {}
    for row in table.rows():
        label = table.words(row, "label")
        for name in ("list_name", "name", "label"):
            if table.has(name) and not list(table.filled(row, (name,))):
                table.wrong(row.number, table.at(name), M("The `{column}` is missing.", column=name))
        if label is not None:
            listed = ListedChoice(
                Choice(table.word(row, "name"), label), table.place(row, "name"), table.place(row, "label")
            )
            choice_lists.setdefault(table.word(row, "list_name"), []).append(listed)
    return choice_lists

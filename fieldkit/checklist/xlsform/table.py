"""A sheet of an XLSForm by its columns: texts by language; a cell in a column that nobody knows is a problem.

What the rows mean is in `reading`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from fieldkit.checklist.errors import FormProblem
from fieldkit.checklist.xlsform.columns import HEADINGS, SPOKEN, column, language
from fieldkit.checklist.xlsform.workbook import SheetRow, Worksheet
from fieldkit.text import M, Message, Words


class Table:
    """The rows of a sheet, by the columns fieldkit knows."""

    def __init__(
        self, sheet: Worksheet, known: Collection[str], default: str | None, problems: list[FormProblem]
    ) -> None:
        self.sheet = sheet
        self._problems = problems
        self._columns: dict[str, int] = {}
        self._spoken: dict[str, dict[str, int]] = {}
        self._unknown: dict[int, str] = {}
        plain: dict[str, int] = {}
        for at, heading in sheet.headings.items():
            name, tail = column(heading)
            spoken = language(tail) if tail else None
            if name not in known or (tail and (name not in SPOKEN or spoken is None)):
                self._unknown[at] = heading
            elif spoken is not None:
                self._take(self._spoken.setdefault(name, {}), spoken, at, heading)
            elif name in SPOKEN:
                self._take(plain, name, at, heading)
            else:
                self._take(self._columns, name, at, heading)
        for name, at in plain.items():
            taken = self._spoken.setdefault(name, {})
            free = [code for code in (default, *HEADINGS) if code is not None and code not in taken]
            if free:
                taken[free[0]] = at
            else:
                self._unknown[at] = sheet.headings[at]

    def _take(self, columns: dict, key: str, at: int, heading: str) -> None:  # type: ignore[type-arg]
        if key in columns:
            self.wrong(1, at, M("The column `{column}` is here twice.", column=heading))
        else:
            columns[key] = at

    def rows(self) -> Iterator[SheetRow]:
        """Its rows; a cell in a column that nobody knows is a problem."""
        for row in self.sheet.rows:
            for at in row.cells:
                if at in self._unknown:
                    message = M("The column `{column}` is not known to fieldkit.", column=self._unknown[at])
                    self.wrong(row.number, at, message)
                elif at not in self.sheet.headings:
                    self.wrong(row.number, at, M("The column has no heading."))
            yield row

    def has(self, name: str) -> bool:
        """Whether the sheet has that column, in whatever language."""
        return name in self._columns or bool(self._spoken.get(name))

    def speaks(self, name: str, spoken: str) -> bool:
        """Whether the sheet has that column in that language."""
        return spoken in self._spoken.get(name, {})

    def at(self, name: str) -> int:
        """The number of the column, the first of its languages; 1 where there is none."""
        return self._columns.get(name) or min(self._spoken.get(name, {}).values(), default=1)

    def text(self, row: SheetRow, name: str) -> str:
        """What the row has in that column, as it stands; "" for nothing."""
        return row.cells.get(self._columns.get(name, 0), "")

    def word(self, row: SheetRow, name: str) -> str:
        """The same without blanks around it."""
        return self.text(row, name).strip()

    def words(self, row: SheetRow, name: str) -> Words | None:
        """The row's text by language; one that the form has not is read in another."""
        columns = self._spoken.get(name, {})
        texts = {code: row.cells[at] for code, at in columns.items() if at in row.cells}
        if not texts:
            return None
        for at in columns.values():
            if at not in row.cells:
                message = M("The text is missing in this language; the other column has one.")
                self.wrong(row.number, at, message)
            elif "${" in row.cells[at]:
                self.wrong(row.number, at, M("A text does not show the answer of an item: ${…}."))
        either = next(iter(texts.values()))
        return Words(*(texts.get(code, either) for code in HEADINGS))

    def filled(self, row: SheetRow, names: Collection[str]) -> Iterator[tuple[str, int]]:
        """Which of these columns the row has something in, and where."""
        for name in names:
            for at in (self._columns.get(name, 0), *self._spoken.get(name, {}).values()):
                if at in row.cells:
                    yield name, at
                    break

    def want(self, *names: str) -> None:
        """Note each of these columns that the sheet has not."""
        for name in names:
            if not self.has(name):
                self.wrong(1, 1, M("The column `{column}` is missing.", column=name))

    def place(self, row: SheetRow, name: str) -> FormProblem:
        """The cell of that column, for a problem that is not known yet."""
        return self.sheet.problem(row.number, self.at(name), Message(""))

    def wrong(self, row: int, at: int, message: Message) -> None:
        """Note a problem with one cell."""
        self._problems.append(self.sheet.problem(row, at, message))

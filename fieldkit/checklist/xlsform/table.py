"""A sheet of an XLSForm by its columns: texts by language; what nobody knows is said, or is a mistake.

What the rows mean is in `reading`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from fieldkit.checklist.errors import FormProblem
from fieldkit.checklist.xlsform.columns import HEADINGS, SPOKEN, heading, language
from fieldkit.checklist.xlsform.workbook import SheetRow, Worksheet
from fieldkit.text import M, Message, Words


class Notes:
    """What is wrong with a workbook, and what of it has no meaning here; each cell has one problem."""

    def __init__(self, problems: list[FormProblem]) -> None:
        self.problems = problems
        self.left: list[FormProblem] = []
        self._cells = {(problem.sheet, problem.row, problem.column) for problem in problems}

    def wrong(self, problem: FormProblem) -> None:
        """Note a mistake; a second one in a cell is hardly more than what follows from the first."""
        cell = (problem.sheet, problem.row, problem.column)
        if cell not in self._cells:
            self._cells.add(cell)
            self.problems.append(problem)

    def leave(self, problem: FormProblem) -> None:
        """Note what is left out."""
        self.left.append(problem)


class Table:
    """The rows of a sheet, by the columns fieldkit knows.

    default: the language of columns that name none. free: whether columns of any name belong to it.
    of: the sheet whose spellings hold, where it is called otherwise.
    """

    def __init__(
        self,
        sheet: Worksheet,
        known: Collection[str],
        notes: Notes,
        default: str | None = None,
        *,
        free: bool = False,
        of: str = "",
    ) -> None:
        self.sheet = sheet
        self.extra: dict[str, int] = {}
        self._notes = notes
        self._columns: dict[str, int] = {}
        self._spoken: dict[str, dict[str, int]] = {}
        self._unread: dict[int, Message] = {}
        self._close: dict[int, str] = {}
        plain: dict[str, int] = {}
        of = of or sheet.name.strip().lower()
        for at, text in sheet.headings.items():
            column = heading(text, of)
            spoken = language(column.tail) if column.tail else None
            if column.name not in known:
                self._not_known(at, text, column.name if not column.tail else "", known, free)
            elif column.tail and (column.name not in SPOKEN or spoken is None):
                self._wrong(1, at, M("The heading `{column}` names no language.", column=text))
            elif spoken is not None:
                self._take(self._spoken.setdefault(column.name, {}), spoken, at, text)
            elif column.name in SPOKEN:
                self._take(plain, column.name, at, text)
            else:
                self._take(self._columns, column.name, at, text)
        for name, at in plain.items():
            taken = self._spoken.setdefault(name, {})
            free_codes = [code for code in (default, *HEADINGS) if code is not None and code not in taken]
            if free_codes:
                taken[free_codes[0]] = at
            else:
                self._unread[at] = M("The column is left out: its text is there in both languages.")
        self.default = default
        for name, columns in self._spoken.items():
            main = self._main(columns)
            for code, at in columns.items():
                if code not in HEADINGS and code != main:
                    self._unread[at] = M("The language is left out: {language}.", language=code)
            if main is not None:
                self._spoken[name] = dict(sorted(columns.items(), key=lambda pair: pair[0] not in HEADINGS))
        self._told: set[int] = set()

    def _main(self, columns: dict[str, int]) -> str | None:
        """The third language whose texts stand for both; None where one of both is there."""
        if any(code in HEADINGS for code in columns):
            return None
        return self.default if self.default in columns else next(iter(columns), None)

    def _not_known(self, at: int, text: str, name: str, known: Collection[str], free: bool) -> None:
        near = get_close_matches(name, known, 1, 0.8) if name and name not in SPOKEN else []
        if free and text.strip() and not text.strip().lower().startswith("fk:"):
            self._take(self.extra, text.strip(), at, text)
        elif text.strip().lower().startswith("fk:"):
            self._close[at] = ""
        elif near and near[0] not in self._columns:
            self._close[at] = near[0]
        else:
            self._unread[at] = M("The column `{column}` has no meaning here.", column=text)

    def _take(self, columns: dict[str, int], key: str, at: int, text: str) -> None:
        if key in columns:
            self._wrong(1, at, M("The column `{column}` is here twice.", column=text))
        else:
            columns[key] = at

    def rows(self) -> Iterator[SheetRow]:
        """Its rows; what is in columns that nobody knows is said once for each."""
        for row in self.sheet.rows:
            for at in row.cells:
                text = self.sheet.headings.get(at, "")
                if at in self._close and at not in self._told:
                    self._told.add(at)
                    message = (
                        M(
                            "The column `{column}` is not known; is `{near}` meant?",
                            column=text,
                            near=self._close[at],
                        )
                        if self._close[at]
                        else M("The column `{column}` is not known to fieldkit.", column=text)
                    )
                    self._wrong(row.number, at, message)
                elif (at in self._unread or not text) and at not in self._told:
                    self._told.add(at)
                    message = self._unread.get(at) or M("The column has no heading.")
                    where = 1 if text else row.number
                    self._notes.leave(self.sheet.problem(where, at, message))
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
        """The row's text by language; one that it has not is read in another."""
        texts = {code: row.cells[at] for code, at in self._spoken.get(name, {}).items() if at in row.cells}
        if not texts:
            return None
        either = next((texts[code] for code in (self.default or "", *HEADINGS) if code in texts), None)
        either = either or next(iter(texts.values()))
        return Words(*(texts.get(code, either) for code in HEADINGS))

    def all(self, row: SheetRow, name: str) -> tuple[str, ...]:
        """What the row has in that column, whatever the language, once each."""
        texts = (row.cells.get(at, "").strip() for at in self._spoken.get(name, {}).values())
        return tuple(dict.fromkeys(text for text in texts if text))

    def filled(self, row: SheetRow, names: Collection[str]) -> Iterator[tuple[str, int]]:
        """Which of these columns the row has something in, and where."""
        for name in names:
            for at in (self._columns.get(name, 0), *self._spoken.get(name, {}).values()):
                if at in row.cells:
                    yield name, at
                    break

    def want(self, *names: str) -> bool:
        """Whether the sheet has these columns; each that it has not is noted."""
        missing = [name for name in names if not self.has(name)]
        for name in missing:
            self._wrong(1, 1, M("The column `{column}` is missing.", column=name))
        return not missing

    def place(self, row: SheetRow, name: str) -> FormProblem:
        """The cell of that column, for a problem that is not known yet."""
        return self.sheet.problem(row.number, self.at(name), Message(""))

    def wrong(self, row: SheetRow, name: str, message: Message) -> None:
        """Note a mistake in the row's cell of that column."""
        self._wrong(row.number, self.at(name), message)

    def leave(self, row: SheetRow, name: str, message: Message) -> None:
        """Note that the row's cell of that column is left out."""
        self._notes.leave(self.sheet.problem(row.number, self.at(name), message))

    def _wrong(self, row: int, at: int, message: Message) -> None:
        self._notes.wrong(self.sheet.problem(row, at, message))

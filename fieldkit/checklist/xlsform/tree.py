"""The rows of the sheet `survey` as a tree: what is in which group, and which rows ask nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from fieldkit.checklist.errors import FormProblem
from fieldkit.checklist.xlsform.columns import READ
from fieldkit.checklist.xlsform.question import QuestionType, question_type
from fieldkit.checklist.xlsform.table import Table
from fieldkit.checklist.xlsform.workbook import SheetRow
from fieldkit.text import M

DEEPEST = 12
"""How deep groups may be in each other."""
EXPRESSIONS = ("relevant", "constraint", "calculation", "required", "read_only", "choice_filter",
               "repeat_count", "default", "appearance")  # fmt: skip
YES = ("yes", "true", "true()", "1")
NO = ("no", "false", "false()", "0")
NAMED = re.compile(r"\$\{\s*([^}]*?)\s*\}")
"""An item named in an expression or a text."""
BESIDE = re.compile(r"(?<=\.\./)[\w.-]+")
"""An item named by the way from another."""
_PATH = re.compile(r"/\s*([^\W\d][\w.-]*)")
_LISTED = re.compile(r"""\b(?:instance|pulldata)\s*\(\s*['"‘’“”]([^'"‘’“”]+)['"‘’“”]""")


class Branch(msgspec.Struct):
    """A row that is a question or begins a group, and the rows in it. stand_in: its type is a mistake."""

    row: SheetRow
    question: QuestionType
    name: str
    below: list[Branch] = []
    stand_in: bool = False

    def walk(self) -> Iterator[Branch]:
        """It, and all in it, in order."""
        yield self
        for branch in self.below:
            yield from branch.walk()


class Survey:
    """The tree, with what else the rows say.

    left: by name, the cell of each row that was left out. files: names of files of choices, with their cells.
    settings: what the rows say of the form, by the setting's column.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.roots: list[Branch] = []
        self.left: dict[str, FormProblem] = {}
        self.files: dict[str, FormProblem] = {}
        self.settings: dict[str, str] = {}
        self._open: list[Branch] = []
        for row in table.rows():
            self._read(row)
        for branch in self._open:
            table.wrong(branch.row, "type", M("The group `{name}` is not ended.", name=branch.name))

    def walk(self) -> Iterator[Branch]:
        """Every row that asks or holds something, in order."""
        for root in self.roots:
            yield from root.walk()

    def looked_at(self) -> set[str]:
        """The names that expressions look at."""
        texts = [self.table.text(branch.row, column) for branch in self.walk() for column in EXPRESSIONS]
        named = {match[1] for text in texts for match in NAMED.finditer(text)}
        return named | {match[1] for text in texts for match in _PATH.finditer(text)}

    def lists_named(self) -> dict[str, FormProblem]:
        """The lists that expressions look into, with the cell that does so first."""
        named: dict[str, FormProblem] = {}
        for branch in self.walk():
            for column in EXPRESSIONS:
                for match in _LISTED.finditer(self.table.text(branch.row, column)):
                    named.setdefault(match[1], self.table.place(branch.row, column))
        return named

    def _read(self, row: SheetRow) -> None:
        table = self.table
        disabled = table.word(row, "disabled")
        if disabled.lower() in YES:
            table.leave(row, "disabled", M("The row is disabled."))
            return
        if disabled and disabled.lower() not in NO:
            table.wrong(row, "disabled", M("`{column}` is yes or no.", column="disabled"))
        written, name = table.word(row, "type"), table.word(row, "name")
        if not written:
            if name or table.words(row, "label"):
                table.wrong(row, "type", M("The `{column}` is missing.", column="type"))
            else:
                table.leave(row, "type", M("The row has no type, no name and no label."))
            return
        asked = question_type(written)
        if asked is None:
            message = M("The type `{type}` is not known to fieldkit.", type=written)
            table.wrong(row, "type", message)
        match asked.standing if asked else "asked":
            case "setting":
                assert asked is not None
                self.settings[asked.list] = name
            case "left":
                table.leave(row, "type", M("`{type}` has no meaning here.", type=written))
                self.left[name] = table.place(row, "type")
            case "external":
                self.files[name] = table.place(row, "name")
            case "end":
                assert asked is not None
                self._end(row, asked)
            case _:
                self._put(row, asked)

    def _put(self, row: SheetRow, asked: QuestionType | None) -> None:
        table = self.table
        name = table.word(row, "name")
        if not name:
            if asked is None or asked.kind != "note":
                table.wrong(row, "name", M("The `{column}` is missing.", column="name"))
            name = f"generated_note_name_{row.number}"
        branch = Branch(row, asked or QuestionType("text"), name, [], asked is None)
        around = self._open[min(len(self._open), DEEPEST) - 1] if self._open else None
        (around.below if around else self.roots).append(branch)
        if branch.question.standing == "begin":
            self._open.append(branch)
            if len(self._open) == DEEPEST + 1:
                message = M("Groups are in each other deeper than {count}.", count=DEEPEST)
                table.wrong(row, "type", message)

    def _end(self, row: SheetRow, asked: QuestionType) -> None:
        mute = [name for name in READ if name not in ("type", "name", "disabled")]
        for column, _ in self.table.filled(row, mute):
            self.table.leave(row, column, M("The end of a group takes no `{column}`.", column=column))
        if not self._open:
            self.table.wrong(row, "type", M("No group is open here."))
            return
        open = self._open.pop()
        if (open.question.kind, open.question.loop) != (asked.kind, asked.loop):
            self.table.wrong(
                row, "type", M("The group `{name}` is open here, of another type.", name=open.name)
            )
        name = self.table.word(row, "name")
        if name and name != open.name:
            self.table.leave(row, "name", M("The group `{name}` is open here.", name=open.name))

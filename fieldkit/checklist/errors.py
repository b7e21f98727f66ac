"""What can go wrong with a checklist, its answers and its forms."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fieldkit.errors import Failed, Missing, Misused, Refused
from fieldkit.text import M, Message, Said
from fieldkit.yaml_model import Invalid


class ChecklistInvalid(Invalid, code="checklist-invalid"):
    """A checklist's file is wrong; `problems` has every reason with its place."""


class ChecklistNotFound(Missing, code="checklist-not-found"):
    """No checklist has this name, and no file is there."""


class AnswerInvalid(Failed, code="answer-invalid"):
    """A value does not answer its item."""


class FormProblem(msgspec.Struct, frozen=True):
    """One thing wrong in a form; row and column count from 1, and `str()` has the column's letters."""

    file: str
    sheet: str
    row: int
    column: int
    message: Message

    def __str__(self) -> str:
        return str(self.placed_message)

    @property
    def placed_message(self) -> Message:
        """The place and the problem, in the language in force when it is shown."""
        return M(
            "{file}: sheet {sheet}, row {row}, column {column}: {problem}",
            file=self.file,
            sheet=self.sheet,
            row=self.row,
            column=column_letters(self.column),
            problem=self.message,
        )

    def as_dict(self) -> dict[str, str | int]:
        """For a program: "sheet", "row", "column" (its letters), "message"."""
        column = column_letters(self.column)
        return {"sheet": self.sheet, "row": self.row, "column": column, "message": str(self.message)}


def column_letters(column: int) -> str:
    """What a spreadsheet calls its column of that number: 1 is A, 27 is AA."""
    letters = ""
    while column > 0:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


class FormInvalid(Misused, code="form-invalid"):
    """An XLSForm uses what fieldkit does not know; `problems` names sheet, row and column."""

    def __init__(self, problems: Sequence[FormProblem]) -> None:
        first = problems[0].placed_message
        super().__init__(
            first
            if len(problems) == 1
            else M("{place} (and {count} more)", place=first, count=len(problems) - 1),
            unchanged=M("No checklist was made."),
            hint=M("Mend the form and import it again; docs/forms.md has what fieldkit takes of XLSForm."),
            detail="\n".join(str(problem) for problem in problems) if len(problems) > 1 else "",
            problems=[problem.as_dict() for problem in problems],
        )
        self.problems = tuple(problems)


class FormUnreadable(Missing, code="form-unreadable"):
    """No workbook that can be read is there."""


class FormImpossible(Failed, code="form-impossible"):
    """A checklist says what an XLSForm cannot hold."""


class FileExists(Refused, code="file-exists"):
    """A file is there already that would be replaced."""


class ExpressionInvalid(Misused, code="expression-invalid"):
    """An expression cannot be understood; `at` counts the characters before the place."""

    def __init__(self, message: Said, at: int) -> None:
        super().__init__(message, at=at)
        self.at = at

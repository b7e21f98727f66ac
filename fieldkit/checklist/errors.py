"""What can go wrong with a checklist, its answers and its forms."""

from __future__ import annotations

from fieldkit.errors import Failed, Missing, Misused
from fieldkit.text import Said
from fieldkit.yaml_model import Invalid


class ChecklistInvalid(Invalid):
    """A checklist's file is wrong; `problems` has every reason with its place."""

    code = "checklist-invalid"


class ChecklistNotFound(Missing):
    """No checklist has this name, and no file is there."""

    code = "checklist-not-found"


class AnswerInvalid(Failed):
    """A value does not answer its item."""

    code = "answer-invalid"


class FormInvalid(Misused):
    """An XLSForm uses what fieldkit does not know; `problems` names sheet, row and column."""

    code = "form-invalid"


class ExpressionInvalid(Misused):
    """An expression cannot be understood; `at` counts the characters before the place."""

    code = "expression-invalid"

    def __init__(self, message: Said, at: int) -> None:
        super().__init__(message, at=at)
        self.at = at

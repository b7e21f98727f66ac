"""An error as a screen: what happened, what was not changed, what to do next."""

from __future__ import annotations

from typing import ClassVar

from fieldkit.errors import FieldkitError
from fieldkit.text import M, Said
from fieldkit.tui.actions import Scope, bindings
from fieldkit.tui.screens.dialogs import TextDialog
from fieldkit.tui.terminal.signs import sign
from fieldkit.tui.widgets.text_view import Paragraph


class ErrorScreen(TextDialog):
    """Says an error; Enter or Esc goes back to where it happened."""

    BINDINGS = bindings("tell")
    scopes: ClassVar[tuple[Scope, ...]] = ("tell", "read", "screen")

    def __init__(self, error: FieldkitError, title: Said | None = None) -> None:
        super().__init__()
        self._error = error
        self._title = title

    def heading(self) -> tuple[Said | str, Said | str]:
        return self._title or M("That did not work"), self._error.code

    def text(self) -> list[Paragraph]:
        error = self._error
        text = [
            Paragraph(M("What happened"), "strong", sign("fail")),
            Paragraph(error.message, indent=2),
            Paragraph(""),
            Paragraph(M("What was not changed"), "strong"),
            Paragraph(error.unchanged or M("Everything saved before is safe."), indent=2),
            Paragraph(""),
            Paragraph(M("What to do next"), "strong"),
            Paragraph(error.hint or M("Go back with Esc and try again."), indent=2),
        ]
        if error.detail:
            text += [Paragraph(""), Paragraph(M("For whoever helps"), "strong")]
            text += [Paragraph(line, "faint", indent=2) for line in error.detail.splitlines()]
        return text

    def action_close(self) -> None:
        self.dismiss(None)

"""Help, palette and what happened: read from the table of actions and from what the app was told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.widget import Widget

from fieldkit.operator import said
from fieldkit.text import M, Said
from fieldkit.tui.actions import Action, Scope, bindings, key_name, keys_shown
from fieldkit.tui.screens.dialogs import Dialog, TextDialog
from fieldkit.tui.widgets.list_box import ListBox, ListRow
from fieldkit.tui.widgets.text_view import Paragraph


class HelpScreen(TextDialog):
    """What the keys do on the screen it was called from, and in lists and fields."""

    def __init__(self, actions: Sequence[Action]) -> None:
        super().__init__()
        self._actions = actions

    def heading(self) -> tuple[Said | str, Said | str]:
        return M("Help: what the keys do"), ""

    def text(self) -> list[Paragraph]:
        return [
            *(_line(action) for action in self._actions),
            Paragraph(""),
            Paragraph(M("In lists"), "strong"),
            Paragraph(M("Arrows, PgUp, PgDn, Home, End move; Space ticks; Tab changes sides.")),
            Paragraph(""),
            Paragraph(M("In fields"), "strong"),
            Paragraph(
                M(
                    "Ctrl+A and Ctrl+E go to the beginning and end, Ctrl+W deletes a word, Ctrl+U and"
                    " Ctrl+K delete to the beginning and end. In a field of several lines, Ctrl+J begins"
                    " a new line."
                )
            ),
            Paragraph(""),
            Paragraph(M("Signs"), "strong"),
            Paragraph(M("✓ done   · to do   ✗ failed   ? not checked   ! warning   » under way or ready")),
            Paragraph(""),
            Paragraph(
                M("`fieldkit visit run` asks the same as plain prompts, for screen readers and slow lines.")
            ),
        ]


class HistoryScreen(TextDialog):
    """What was said and done in this session, newest first, and where the logs are."""

    def heading(self) -> tuple[Said | str, Said | str]:
        return M("What happened in this session"), ""

    def text(self) -> list[Paragraph]:
        app = self.host
        happened = [Paragraph(text, "", "·") for text in reversed(app.history)]
        return [
            *(happened or [Paragraph(M("Nothing yet."))]),
            Paragraph(""),
            Paragraph(M("Logs of modules and tools are in {folder}.", folder=str(app.home.logs)), "faint"),
        ]


class PaletteScreen(Dialog[str]):
    """Everything that can be done where it was called from; gives the id of the action chosen."""

    DEFAULT_CSS = "PaletteScreen #pick { height: 1fr; }"
    BINDINGS = bindings("pick")
    scopes: ClassVar[tuple[Scope, ...]] = ("pick", "screen")

    def __init__(self, actions: Sequence[Action]) -> None:
        super().__init__()
        self._actions = [action for action in actions if action.id != "palette"]

    def heading(self) -> tuple[Said | str, Said | str]:
        return M("Commands: what can be done here"), ""

    def body(self) -> Iterator[Widget]:
        yield ListBox(id="pick", search=True)

    def filled(self) -> None:
        rows = [
            ListRow(action.id, f"{action.label}: {said(action.about)}", word=key_name(action.keys[0]))
            for action in self._actions
        ]
        self.query_one("#pick", ListBox).show(rows)

    def action_choose(self) -> None:
        self.dismiss(self.query_one("#pick", ListBox).key or None)


def _line(action: Action) -> Paragraph:
    return Paragraph(action.about, "", f"{keys_shown(action):<16}")

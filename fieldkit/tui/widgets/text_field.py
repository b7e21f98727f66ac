"""The field text is typed into. Keys take effect in the order they came, and the value is always NFC.

Textual's own `Input` inserts letters at once and lets backspaces travel: the backspace-and-replace of
Vietnamese input methods (UniKey, OpenKey, EVKey) then arrives out of order. Here one function takes
every editing key, and the app hands keys to it directly (`fieldkit.tui.app`).
"""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual import events
from textual.geometry import Offset, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from fieldkit.text import UNSEEN, Said, nfc
from fieldkit.tui.widgets import text_edit
from fieldkit.tui.widgets.text_edit import EditedText

MASK = "•"


class TextField(Widget, can_focus=True, inherit_bindings=False):
    """A line of text, or a few (`rows`).

    masked: shows a dot for each letter. prompt: what is shown while it is empty.
    Enter is left to the screen. With `rows`, Alt+Enter and Ctrl+J begin a new line.
    """

    DEFAULT_CSS = """
    TextField { width: 1fr; height: 1; background: $surface; color: $foreground; }
    TextField:focus { background: $panel; }
    TextField > .text-field--cursor { text-style: reverse; }
    TextField > .text-field--prompt { text-style: dim; }
    TextField:ansi { text-style: underline; }
    """
    COMPONENT_CLASSES = {"text-field--cursor", "text-field--prompt"}  # noqa: RUF012 (Textual's own form)

    class Changed(Message):
        """The text is now `value`."""

        def __init__(self, field: TextField) -> None:
            super().__init__()
            self.field = field
            self.value = field.value

    def __init__(
        self,
        value: str = "",
        *,
        masked: bool = False,
        prompt: Said | str = "",
        rows: int = 1,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.masked = masked
        self.prompt = prompt
        self.rows = rows
        text = nfc(value)
        self._edited = EditedText(text, len(text))

    # --- the value

    @property
    def value(self) -> str:
        """The text as it stands, NFC."""
        return self._edited.text

    @value.setter
    def value(self, text: str) -> None:
        composed = nfc(text)
        self._become(EditedText(composed, len(composed)))

    def clear(self) -> None:
        self._become(EditedText())

    # --- keys

    def take_key(self, event: events.Key) -> bool:
        """Do what `event` asks for, now; False if it is not an editing key."""
        key, character = event.key, event.character
        if self.rows > 1 and key in ("alt+enter", "ctrl+j"):
            self.take_text("\n")
            return True
        if self.rows > 1 and key in ("up", "down"):
            return self._line(-1 if key == "up" else 1)
        change = text_edit.KEYS.get(key)
        if change is not None:
            self._become(change(self._edited))
            return True
        if character and (event.is_printable or text_edit.is_mark(character)):
            self.take_text(character)
            return True
        return False

    def take_text(self, text: str) -> None:
        """Insert what was typed or pasted."""
        self._become(text_edit.typed(self._edited, text, lines=self.rows > 1))

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return key in text_edit.KEYS or bool(character and character.isprintable())

    def on_key(self, event: events.Key) -> None:
        """A key that came the long way (a test, a screen that forwards)."""
        if self.take_key(event):
            event.stop()
            event.prevent_default()

    def on_paste(self, event: events.Paste) -> None:
        self.take_text(event.text)
        event.stop()

    def _line(self, step: int) -> bool:
        """Up or down a line, in the same column; False at the first or last line."""
        lines = self.value.split("\n")
        row, column = self._place()
        if not 0 <= row + step < len(lines):
            return False
        start = sum(len(line) + 1 for line in lines[: row + step])
        self._become(EditedText(self.value, start + min(column, len(lines[row + step]))))
        return True

    def _become(self, edited: EditedText) -> None:
        changed = edited.text != self._edited.text
        self._edited = edited
        self.refresh()
        self._park_cursor()
        if changed:
            self.post_message(self.Changed(self))

    # --- drawing

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return self.rows

    def render_line(self, y: int) -> Strip:
        style = self.rich_style
        width = self.size.width
        if not self.value and y == 0 and not self.has_focus:
            prompt = set_cell_size(str(self.prompt), width)
            return Strip([Segment(prompt, self.get_component_rich_style("text-field--prompt"))])
        lines = self._shown().split("\n")
        row, column = self._place()
        first = max(0, row - self.rows + 1)
        text = lines[first + y] if first + y < len(lines) else ""
        if first + y != row or not self.has_focus:
            return Strip([Segment(set_cell_size(text, width), style)])
        cursor_style = self.get_component_rich_style("text-field--cursor")
        from_cell = self._from(text, column, width)
        head, under, rest = text[from_cell:column], text[column : column + 1] or " ", text[column + 1 :]
        room = width - cell_len(head) - cell_len(under)
        return Strip(
            [
                Segment(head, style),
                Segment(under, cursor_style),
                Segment(set_cell_size(rest, max(0, room)), style),
            ],
        )

    def _from(self, text: str, column: int, width: int) -> int:
        """The first letter shown of the cursor's line: as many before the cursor as fit."""
        start = 0
        while start < column and cell_len(text[start : column + 1] or " ") >= width:
            start += max(1, width // 4)
        return min(start, column)

    def _shown(self) -> str:
        if self.masked:
            return MASK * len(self.value)
        return "\n".join(UNSEEN.sub("\ufffd", line) for line in self.value.split("\n"))

    def _place(self) -> tuple[int, int]:
        before = self._edited.before
        return before.count("\n"), len(before) - (before.rfind("\n") + 1)

    def on_focus(self) -> None:
        self._park_cursor()

    def _park_cursor(self) -> None:
        """Leave the terminal's own cursor here: input methods and screen readers look for it."""
        if not self.has_focus or not self.is_mounted:
            return
        row, column = self._place()
        line = self._shown().split("\n")[row]
        first = max(0, row - self.rows + 1)
        start = self._from(line, column, self.size.width)
        region = self.content_region
        self.app.cursor_position = Offset(region.x + cell_len(line[start:column]), region.y + row - first)

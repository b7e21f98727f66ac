"""A list with a cursor: what is chosen from, everywhere. Cheap on the line: a move redraws two rows."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.geometry import Offset, Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from fieldkit.operator import said
from fieldkit.text import Said
from fieldkit.tui.terminal.signs import plain
from fieldkit.tui.terminal.wrap import cut, folded, wrap

AROUND = 2  # lines kept in sight before and after the cursor
PATIENCE = 1.0  # seconds between letters that belong to one search


class ListRow(msgspec.Struct, frozen=True):
    """A line of a list.

    key: what it stands for. sign: one cell before the text. word: at the right, the state in words.
    heading: it cannot be chosen. ticked: for lists where several may be chosen; None elsewhere.
    """

    key: str
    text: Said | str
    sign: str = ""
    word: Said | str = ""
    heading: bool = False
    ticked: bool | None = None


class ListBox(Widget, can_focus=True, inherit_bindings=False):
    """Rows with a cursor.

    Arrows, PgUp, PgDn, Home and End move; Space ticks. Enter is left to the screen.
    paging: False where PgUp and PgDn belong to a text beside a short list. wrap: rows take as many
    lines as their text needs; otherwise it is cut, and marked as cut. search: letters jump to the next
    row with a word that begins so, marks and case aside.
    """

    DEFAULT_CSS = """
    ListBox { width: 1fr; height: 1fr; background: $background; color: $foreground; }
    ListBox > .list-box--cursor { background: $primary; color: $text; text-style: bold; }
    ListBox > .list-box--cursor-away { text-style: reverse; }
    ListBox > .list-box--heading { text-style: bold; color: $secondary-lighten-3; }
    ListBox:ansi > .list-box--cursor {
        background: ansi_default; color: ansi_default; text-style: reverse bold;
    }
    ListBox:ansi > .list-box--cursor-away { text-style: underline; }
    ListBox:ansi > .list-box--heading { color: ansi_default; text-style: bold; }
    """
    COMPONENT_CLASSES = {  # noqa: RUF012 (Textual's own form)
        "list-box--cursor",
        "list-box--cursor-away",
        "list-box--heading",
    }

    class Moved(Message):
        """The cursor is on `row` now."""

        def __init__(self, box: ListBox, row: ListRow) -> None:
            super().__init__()
            self.box = box
            self.row = row

        @property
        def control(self) -> ListBox:
            return self.box

    def __init__(
        self,
        rows: Sequence[ListRow] = (),
        *,
        id: str | None = None,
        paging: bool = True,
        wrap: bool = False,
        search: bool = False,
    ) -> None:
        super().__init__(id=id)
        self._rows: tuple[ListRow, ...] = tuple(rows)
        self._paging = paging
        self._wrap = wrap
        self._searches = search
        self._at = self._next(-1, 1)
        self._on_none = False
        self._top = 0
        self._prefix = ""
        self._searched_at = 0.0

    # --- rows and cursor

    @property
    def rows(self) -> tuple[ListRow, ...]:
        return self._rows

    @property
    def row(self) -> ListRow | None:
        """The row under the cursor."""
        return self._rows[self._at] if 0 <= self._at < len(self._rows) else None

    @property
    def key(self) -> str:
        """What the row under the cursor stands for; "" if there is none."""
        return self.row.key if self.row else ""

    @property
    def ticked(self) -> list[str]:
        """The keys of the ticked rows, in order."""
        return [row.key for row in self._rows if row.ticked]

    def show(self, rows: Sequence[ListRow], at: str | None = "") -> None:
        """Show other rows, the cursor on `at`, else on the row it was on, else where it stood.

        at: None for a cursor on no row, until the person moves it: nothing is chosen for them.
        """
        wanted, place = at or self.key, self._at
        self._rows = tuple(rows)
        self._on_none = at is None or (at == "" and self._on_none)
        if self._on_none:
            self._at, self._top = -1, 0
            self.refresh(layout=self.styles.auto_dimensions)
            return
        at_row = next((n for n, row in enumerate(rows) if row.key == wanted and not row.heading), -1)
        self._at = at_row if at_row >= 0 else self._next(min(max(place, 0), len(rows)) - 1, 1)
        if self._at < 0:
            self._at = self._next(len(rows), -1)
        self._scroll_to_cursor()
        self.refresh(layout=self.styles.auto_dimensions)

    def go(self, key: str) -> bool:
        """Put the cursor on the row `key`; False if there is none."""
        for number, row in enumerate(self._rows):
            if row.key == key and not row.heading:
                self._move_to(number)
                return True
        return False

    # --- keys

    def take_key(self, event: events.Key) -> bool:
        """Do what `event` asks for, now; False if it is not a key of a list."""
        key = event.key
        page = max(1, self.size.height - 1)
        steps = {"up": -1, "down": 1}
        if self._paging:
            steps |= {"pageup": -page, "pagedown": page}
        if key in steps:
            return self._step(steps[key])
        if key in ("home", "end"):
            self._move_to(self._next(-1, 1) if key == "home" else self._next(len(self._rows), -1))
            return True
        row = self.row
        if key == "space" and row is not None and row.ticked is not None:
            self._rows = tuple(
                msgspec.structs.replace(other, ticked=not other.ticked) if other is row else other
                for other in self._rows
            )
            self._redraw(self._at)
            return True
        if event.character and event.is_printable and self._searches:
            return self._search(event.character)
        return False

    def on_key(self, event: events.Key) -> None:
        if self.take_key(event):
            event.stop()
            event.prevent_default()

    def _step(self, by: int) -> bool:
        if not self._rows:
            return False
        target = min(max(self._at + by, 0), len(self._rows) - 1)
        step = 1 if by > 0 else -1
        at = self._next(target - step, step)
        self._move_to(at if at >= 0 else self._next(target + step, -step))
        return True

    def _search(self, letter: str) -> bool:
        now = time.monotonic()
        self._prefix = (self._prefix if now - self._searched_at < PATIENCE else "") + folded(letter)
        self._searched_at = now
        start = self._at if len(self._prefix) > 1 else self._at + 1
        order = [*range(start, len(self._rows)), *range(0, start)]
        for number in order:
            row = self._rows[number] if number < len(self._rows) else None
            if row and not row.heading and f" {folded(said(row.text))}".find(f" {self._prefix}") >= 0:
                self._move_to(number)
                return True
        return False

    def _next(self, at: int, step: int) -> int:
        """The first row after `at`, in the direction of `step`, that can be chosen; -1 if there is none."""
        at += step
        while 0 <= at < len(self._rows):
            if not self._rows[at].heading:
                return at
            at += step
        return -1

    def _move_to(self, at: int) -> None:
        before, top = self._at, self._top
        if at < 0 or at == before:
            return
        self._at, self._on_none = at, False
        self._scroll_to_cursor()
        if self._top != top:
            self.refresh()
        else:
            self._redraw(before)
            self._redraw(at)
        self._park_cursor()
        row = self.row
        if row is not None:
            self.post_message(self.Moved(self, row))

    def _scroll_to_cursor(self) -> None:
        lines = self._laid(self.size.width)
        height = self.size.height or len(lines)
        mine = [place for place, (number, _) in enumerate(lines) if number == self._at] or [0]
        above = mine[0]
        while above > 0 and self._rows[lines[above - 1][0]].heading:
            above -= 1  # a heading stays visible with its first row
        around = min(AROUND, max(0, height - len(mine)) // 2)
        if above - around < self._top:
            self._top = above - around
        if mine[-1] + around >= self._top + height:
            self._top = mine[-1] + around - height + 1
        self._top = max(0, min(self._top, len(lines) - height))

    def _laid(self, width: int) -> list[tuple[int, int]]:
        """The lines drawn, each as the number of its row and which line of the row it is."""
        if not self._wrap:
            return [(number, 0) for number in range(len(self._rows))]
        return [
            (number, part)
            for number, row in enumerate(self._rows)
            for part in range(len(wrap(said(row.text), self._room(row, width))))
        ]

    def _room(self, row: ListRow, width: int) -> int:
        """Cells for the text of `row` between its sign and its word."""
        word = said(row.word)
        return max(4, width - 3 - (cell_len(word) + 2 if word else 0) - (0 if row.ticked is None else 4))

    # --- drawing

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._laid(width))

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return max((cell_len(said(row.text)) + cell_len(said(row.word)) + 6 for row in self._rows), default=0)

    def on_resize(self) -> None:
        self._scroll_to_cursor()
        self._park_cursor()

    def on_focus(self) -> None:
        self._park_cursor()
        self._redraw(self._at)

    def on_blur(self) -> None:
        self._redraw(self._at)

    def _redraw(self, at: int) -> None:
        for place, (number, _) in enumerate(self._laid(self.size.width)):
            if number == at and 0 <= place - self._top < self.size.height:
                self.refresh(Region(0, place - self._top, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        lines = self._laid(width)
        if self._top + y >= len(lines):
            return Strip.blank(width, self.rich_style)
        number, part = lines[self._top + y]
        row = self._rows[number]
        if row.heading:
            heading = self.get_component_rich_style("list-box--heading")
            return Strip([Segment(cut(said(row.text), width), heading)], width)
        style = self.rich_style
        if number == self._at:
            name = "list-box--cursor" if self.has_focus else "list-box--cursor-away"
            style = self.get_component_rich_style(name)
        line = self._drawn(row, part, width) + self._hidden(y, len(lines))
        return Strip([Segment(cut(line, width), style)], width)

    def _drawn(self, row: ListRow, part: int, width: int) -> str:
        """One line of a row, but for its last cell."""
        lead = f"{row.sign or ' '} "
        if row.ticked is not None:
            lead += "[x] " if row.ticked else "[ ] "
        room, word = self._room(row, width), said(row.word)
        tail = f" {word} " if word else ""
        if part == 0 and not self._wrap:
            return lead + cut(said(row.text), room) + tail
        text = wrap(said(row.text), room)[part]
        return (lead if part == 0 else " " * len(lead)) + cut(text, room) + (tail if part == 0 else "")

    def _hidden(self, y: int, lines: int) -> str:
        """In the last cell: whether there is more above the first line or below the last."""
        if y == 0 and self._top > 0:
            return plain("↑")
        if y == self.size.height - 1 and self._top + self.size.height < lines:
            return plain("↓")
        return " "

    def _park_cursor(self) -> None:
        """Leave the terminal's own cursor on the row: screen readers look for it."""
        if self.has_focus and self.is_mounted:
            region = self.content_region
            places = [
                place for place, (number, _) in enumerate(self._laid(region.width)) if number == self._at
            ]
            self.app.cursor_position = Offset(region.x, region.y + max(0, (places or [0])[0] - self._top))

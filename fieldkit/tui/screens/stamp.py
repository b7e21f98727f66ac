"""The page with its stamp before anything is signed: seen, moved by keys, agreed to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.message import Message as Event
from textual.strip import Strip
from textual.widget import Widget

from fieldkit.errors import FieldkitError
from fieldkit.signature.preview import ZOOMS, Easel, StampDraft
from fieldkit.stamp.place import Place
from fieldkit.text import M, Said
from fieldkit.tui.actions import Scope, bindings
from fieldkit.tui.screens.frame import FieldkitScreen
from fieldkit.tui.terminal.cells import UPPER, Cell, rows, runs, shade

if TYPE_CHECKING:
    from fieldkit.secret import Secret
    from fieldkit.signature.batch import StampSpec

MOVES = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
FAR = 10  # millimetres with Shift; one without


class PagePicture(Widget):
    """A picture in half-blocks, or in shades of grey where there is no colour."""

    DEFAULT_CSS = "PagePicture { height: 1fr; width: 1fr; margin: 0 1; }"

    def __init__(self, *, coloured: bool) -> None:
        super().__init__(id="page")
        self._coloured = coloured
        self._rows: list[list[Cell]] = []

    def show(self, rows: list[list[Cell]]) -> None:
        self._rows = rows
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        row = self._rows[y][:width]
        left = (width - len(row)) // 2
        segments = [Segment(" " * left, self.rich_style)]
        if self._coloured:
            segments += [
                Segment(
                    UPPER * count, Style(color=Color.from_rgb(*cell[0]), bgcolor=Color.from_rgb(*cell[1]))
                )
                for cell, count in runs(row)
            ]
        else:
            segments.append(Segment("".join(map(shade, row)), self.rich_style))
        return Strip(segments).adjust_cell_length(width, self.rich_style)


class StampScreen(FieldkitScreen[Place]):
    """Gives the place that the person agreed to, or None when they leave it with Esc."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("stamp", "screen", but=("nudge", "page")),
        *(Binding(key, f"nudge('{key}', 1)", show=False, priority=True) for key in MOVES),
        *(Binding(f"shift+{key}", f"nudge('{key}', {FAR})", show=False, priority=True) for key in MOVES),
        Binding("pagedown", "page(1)", show=False, priority=True),
        Binding("pageup", "page(-1)", show=False, priority=True),
    ]
    scopes: ClassVar[tuple[Scope, ...]] = ("stamp", "screen")

    class Drawn(Event):
        """The page was drawn for a draft: rows of cells, or why it could not be."""

        def __init__(
            self, draft: StampDraft, rows: list[list[Cell]], error: FieldkitError | None = None
        ) -> None:
            super().__init__()
            self.draft = draft
            self.rows = rows
            self.error = error

        def can_replace(self, message: Event) -> bool:
            return isinstance(message, StampScreen.Drawn)

    def __init__(
        self, source: Path, stamp: StampSpec, draft: StampDraft, *, password: Secret | None = None
    ) -> None:
        super().__init__()
        self._easel = Easel(source, stamp, password=password)
        self._source = source
        self._draft = draft
        self._zoom = 0
        self._picture: PagePicture | None = None

    @property
    def draft(self) -> StampDraft:
        """The stamp where it is now."""
        return self._draft

    # --- the frame

    def heading(self) -> tuple[Said | str, Said | str]:
        return M("Place the stamp on {name}", name=self._source.name), ""

    def body(self) -> Iterator[Widget]:
        self._picture = PagePicture(coloured=self.host.link.colours != "none")
        yield self._picture

    def filled(self) -> None:
        self._redraw()

    def on_resize(self) -> None:
        super().on_resize()
        self._redraw()

    # --- drawing: PDFium takes its time, so it is not waited for here

    def _redraw(self) -> None:
        draft = self._draft
        self.status(
            draft.words()
            if draft.found
            else M("The name was not found on any page. {place}", place=draft.words())
        )
        picture = self._picture
        if picture is None or picture.size.width < 8 or picture.size.height < 4:
            return
        columns, lines, zoom = picture.size.width, picture.size.height, ZOOMS[self._zoom]

        def draw() -> None:
            try:
                event = self.Drawn(draft, rows(self._easel.pixels(draft, columns, 2 * lines, zoom=zoom)))
            except FieldkitError as error:
                event = self.Drawn(draft, [], error)
            self.post_message(event)

        self.run_worker(draw, thread=True, group="page", exclusive=False, exit_on_error=False)

    def on_stamp_screen_drawn(self, event: Drawn) -> None:
        if event.error is not None:
            self.status(event.error.message)  # it can be placed all the same: the line says where it is
        elif self._picture is not None and event.draft == self._draft:
            self._picture.show(event.rows)

    def _to(self, draft: StampDraft) -> None:
        if draft != self._draft:
            self._draft = draft
            self._redraw()

    # --- keys

    def action_nudge(self, way: str, millimetres: int) -> None:
        right, down = MOVES[way]
        self._to(self._draft.nudge(right * millimetres, down * millimetres))

    def action_larger(self) -> None:
        self._to(self._draft.resize(110))

    def action_smaller(self) -> None:
        self._to(self._draft.resize(91))

    def action_page(self, by: int) -> None:
        self._to(self._draft.turn_page(by))

    def action_reset(self) -> None:
        self._to(self._draft.reset())

    def action_zoom(self) -> None:
        self._zoom = (self._zoom + 1) % len(ZOOMS)
        self._redraw()

    def action_accept(self) -> None:
        self.dismiss(self._draft.place)

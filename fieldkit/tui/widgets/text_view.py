"""Text to be read: paragraphs wrapped to the width there is, scrolled by keys, never cut silently."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from fieldkit.operator import said
from fieldkit.text import M, Said
from fieldkit.tui.terminal.signs import plain
from fieldkit.tui.terminal.wrap import cut, wrap

Tone = Literal["", "strong", "faint", "code"]


class Paragraph(msgspec.Struct, frozen=True):
    """Some text, how it is set, and a sign before its first line ("1.", "✓", "$")."""

    text: Said | str
    tone: Tone = ""
    sign: str = ""
    indent: int = 0


class TextView(Widget, can_focus=False, inherit_bindings=False):
    """Paragraphs. Arrows, PgUp, PgDn, Home and End scroll it while it has the focus."""

    DEFAULT_CSS = """
    TextView { width: 1fr; height: 1fr; background: $background; color: $foreground; }
    TextView > .text-view--strong { text-style: bold; }
    TextView > .text-view--faint { color: $text-muted; }
    TextView > .text-view--code { color: $secondary-lighten-3; }
    TextView:ansi > .text-view--faint { color: ansi_default; }
    TextView:ansi > .text-view--code { color: ansi_default; }
    TextView > .text-view--more { text-style: reverse; }
    """
    COMPONENT_CLASSES = {  # noqa: RUF012 (Textual's own form)
        "text-view--strong",
        "text-view--faint",
        "text-view--code",
        "text-view--more",
    }

    def __init__(
        self, paragraphs: Iterable[Paragraph] = (), *, id: str | None = None, focusable: bool = False
    ) -> None:
        super().__init__(id=id)
        self._paragraphs: tuple[Paragraph, ...] = tuple(paragraphs)
        self._lines: list[tuple[str, Tone]] = []
        self._set_for: tuple[object, ...] = ()
        self._top = 0
        self.can_focus = focusable

    def show(self, paragraphs: Sequence[Paragraph]) -> None:
        """Show other paragraphs, from their beginning."""
        if tuple(paragraphs) == self._paragraphs:
            return
        self._paragraphs = tuple(paragraphs)
        self._set_for = ()
        self._top = 0
        self.refresh(layout=self.styles.auto_dimensions)

    @property
    def text(self) -> str:
        """All of it, as lines."""
        return "\n".join(said(paragraph.text) for paragraph in self._paragraphs)

    def scroll_pages(self, pages: int) -> None:
        """Scroll by whole pages, of which the last line stays in sight."""
        self.scroll_by(pages * max(1, self._height - 1))

    def scroll_by(self, lines: int) -> bool:
        """Scroll by `lines`; False if there is nothing to scroll."""
        last = max(0, len(self._set()) - self._height)
        top = min(max(self._top + lines, 0), last)
        if top == self._top:
            return False
        self._top = top
        self.refresh()
        return True

    def take_key(self, event: events.Key) -> bool:
        """Scroll as `event` says; False if it is not a key that scrolls."""
        page = max(1, self._height - 1)
        steps = {"up": -1, "down": 1, "pageup": -page, "pagedown": page, "home": -(10**6), "end": 10**6}
        if event.key not in steps:
            return False
        self.scroll_by(steps[event.key])
        return True

    def on_key(self, event: events.Key) -> None:
        if self.take_key(event):
            event.stop()
            event.prevent_default()

    # --- drawing

    @property
    def _height(self) -> int:
        """Lines for text: one is kept for saying that there is more, when there is."""
        height = self.size.height
        return height if len(self._set()) <= height else max(1, height - 1)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(_set(self._paragraphs, width))

    def _set(self) -> list[tuple[str, Tone]]:
        wanted = (self.size.width, [said(paragraph.text) for paragraph in self._paragraphs])
        if wanted != self._set_for:
            self._set_for = wanted
            self._lines = _set(self._paragraphs, self.size.width)
        return self._lines

    def render_line(self, y: int) -> Strip:
        width, height = self.size
        lines = self._set()
        if len(lines) > height and y == height - 1:
            first, last = self._top + 1, min(self._top + self._height, len(lines))
            more = M("lines {first}–{last} of {all}; Ctrl+↓, Ctrl+↑", first=first, last=last, all=len(lines))
            return Strip(
                [
                    Segment(
                        cut(f" {plain('↓')} {more}", width), self.get_component_rich_style("text-view--more")
                    )
                ],
                width,
            )
        number = self._top + y
        if number >= len(lines):
            return Strip.blank(width, self.rich_style)
        text, tone = lines[number]
        style = self.get_component_rich_style(f"text-view--{tone}") if tone else self.rich_style
        return Strip([Segment(cut(text, width), style)], width)


def _set(paragraphs: Iterable[Paragraph], width: int) -> list[tuple[str, Tone]]:
    lines: list[tuple[str, Tone]] = []
    for paragraph in paragraphs:
        sign = f"{paragraph.sign} " if paragraph.sign else ""
        lead = " " * paragraph.indent + sign
        hang = " " * len(lead)
        for number, line in enumerate(wrap(said(paragraph.text), max(8, width - len(lead)))):
            lines.append(((hang if number else lead) + line, paragraph.tone))
    return lines

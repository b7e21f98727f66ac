"""The frame of every screen: title, body, status line, key bar; and a guard where the screen is too small."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast

from rich.cells import cell_len
from rich.segment import Segment
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from fieldkit.operator import said
from fieldkit.text import M, Said
from fieldkit.tui.actions import SCOPES, Action, Scope, actions, key_name
from fieldkit.tui.terminal.wrap import cut, wrap
from fieldkit.tui.widgets.text_view import TextView

if TYPE_CHECKING:
    from fieldkit.tui.host import Host

T = TypeVar("T")

NEEDED = (80, 24)


class TitleBar(Widget):
    """Where the person is, and at the right for which bureau or visit."""

    DEFAULT_CSS = """
    TitleBar { height: 1; width: 1fr; background: $primary; color: $text; text-style: bold; }
    TitleBar:ansi { background: ansi_default; color: ansi_default; text-style: bold reverse; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._left: Said | str = ""
        self._right: Said | str = ""

    def show(self, left: Said | str, right: Said | str = "") -> None:
        self._left, self._right = left, right
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        left, right = f" {said(self._left)}", f" {said(self._right)} " if said(self._right) else ""
        if cell_len(left) + cell_len(right) > width and cell_len(right) > width // 3:
            right = ""  # where the person is matters more
        return Strip([Segment(cut(left, width - cell_len(right)) + right, self.rich_style)], width)


class StatusLine(Widget):
    """What is happening, or what happened last, in one line."""

    DEFAULT_CSS = """
    StatusLine { height: 1; width: 1fr; background: $surface; color: $foreground; }
    StatusLine:ansi { background: ansi_default; color: ansi_default; text-style: underline; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._text: Said | str = ""

    @property
    def text(self) -> str:
        return said(self._text)

    def show(self, text: Said | str) -> None:
        if text != self._text:
            self._text = text
            self.refresh()

    def render_line(self, y: int) -> Strip:
        return Strip([Segment(cut(f" {self.text}", self.size.width), self.rich_style)], self.size.width)


class KeyBar(Widget):
    """The keys that do something here and now, read from the table of actions."""

    DEFAULT_CSS = """
    KeyBar { height: 1; width: 1fr; background: $panel; color: $foreground; }
    KeyBar > .key-bar--key { text-style: bold; color: $accent; }
    KeyBar:ansi { background: ansi_default; color: ansi_default; }
    KeyBar:ansi > .key-bar--key { color: ansi_default; text-style: bold reverse; }
    """
    COMPONENT_CLASSES = {"key-bar--key"}  # noqa: RUF012 (Textual's own form)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        plain_style = self.rich_style
        key_style = self.get_component_rich_style("key-bar--key")
        segments: list[Segment] = []
        for action in self._fitting(width):
            segments.append(Segment(f" {key_name(action.keys[0])}", key_style))
            segments.append(Segment(f" {action.label} ", plain_style))
        return Strip(segments).adjust_cell_length(width, plain_style)

    def _fitting(self, width: int) -> list[Action]:
        """As many actions as `width` has room for: those of the screen first, help always."""
        shown = [action for action in screen_of(self).actions_now() if action.bar]
        while shown:
            if sum(cell_len(f" {key_name(action.keys[0])} {action.label} ") for action in shown) <= width:
                break
            expendable = [action for action in shown if action.id != "help" and action.keys[0] != "escape"]
            shown.remove((expendable or shown)[-1])
        return shown


class SizeGuard(Widget):
    """Stands in for the body while the terminal is smaller than the frame needs."""

    DEFAULT_CSS = "SizeGuard { display: none; height: 1fr; width: 1fr; }"

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        text = M(
            "The window has {columns}×{rows} cells; fieldkit needs {wide}×{high}. Make it larger, or choose a"
            " smaller font. Nothing is lost.",
            columns=self.app.size.width,
            rows=self.app.size.height,
            wide=NEEDED[0],
            high=NEEDED[1],
        )
        lines = wrap(str(text), max(8, width - 2))
        return Strip([Segment(cut(f" {lines[y]}" if y < len(lines) else "", width), self.rich_style)], width)


class FieldkitScreen(Screen[T], Generic[T], inherit_bindings=False):
    """A screen in the frame; its own part is what `body` gives.

    scopes: which actions of the table it takes, before "app". A screen changes them with its state.
    reading: the text that the actions of "read" scroll.
    holding: keys are kept back for later while it is True (a screen not ready, an answer on its way
    to the disk).
    """

    DEFAULT_CSS = """
    FieldkitScreen { background: $background; layout: vertical; }
    FieldkitScreen > #body { height: 1fr; width: 1fr; }
    FieldkitScreen.-small > #body { display: none; }
    FieldkitScreen.-small > StatusLine, FieldkitScreen.-small > KeyBar { display: none; }
    FieldkitScreen.-small > SizeGuard { display: block; }
    """
    scopes: ClassVar[tuple[Scope, ...]] = ("screen",)
    reading: ClassVar[str] = "#text"

    def __init__(self) -> None:
        super().__init__()
        self._title_bar = TitleBar()
        self._status = StatusLine()
        self._keys = KeyBar()
        self._ready = False

    # --- for screens to fill in

    def body(self) -> Iterator[Widget]:
        """The widgets of the body."""
        yield from ()

    def heading(self) -> tuple[Said | str, Said | str]:
        """The title, and what stands at its right."""
        return "", ""

    def filled(self) -> None:
        """Called when the widgets are there, and whenever the language changes: put the words in."""

    def scopes_now(self) -> Sequence[Scope]:
        """The scopes in force at this moment."""
        return self.scopes

    async def may_leave(self) -> bool:
        """Called before the person leaves fieldkit; False if it must not end now."""
        return True

    async def keep(self) -> None:
        """Put on the disk what was typed and not saved; called before fieldkit ends."""

    async def give_up(self) -> None:
        """The person is gone for good, as when a line drops: come to a safe end, and keep what there is."""
        await self.keep()

    # --- the frame

    @property
    def host(self) -> Host:
        return cast("Host", self.app)

    @property
    def holding(self) -> bool:
        return not self._ready

    @property
    def too_small(self) -> bool:
        return self.app.size.width < NEEDED[0] or self.app.size.height < NEEDED[1]

    def compose(self) -> ComposeResult:
        yield self._title_bar
        yield Container(*self.body(), id="body")
        yield SizeGuard()
        yield self._status
        yield self._keys

    def on_mount(self) -> None:
        self.refresh_texts()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self._ready = True
        self.host.release_keys()

    def on_resize(self) -> None:
        self.set_class(self.too_small, "-small")

    def on_descendant_focus(self) -> None:
        self.refresh_keys()

    def refresh_texts(self) -> None:
        """Say everything again: the language or the state has changed."""
        self._title_bar.show(*self.heading())
        self.filled()
        for widget in self.query("*"):
            widget.refresh(layout=bool(widget.styles.auto_dimensions))

    def refresh_keys(self) -> None:
        self._keys.refresh()

    def refresh_title(self) -> None:
        self._title_bar.show(*self.heading())

    def status(self, text: Said | str) -> None:
        """Say what is happening, or what just happened."""
        self._status.show(text)

    @property
    def status_text(self) -> str:
        return self._status.text

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """An action of the table is there only while its scope is in force."""
        scope = SCOPES.get(action)
        return scope is None or scope == "app" or scope in self.scopes_now()

    @property
    def text_view(self) -> TextView:
        """What can be read on it."""
        return self.query_one(self.reading, TextView)

    def action_page_down(self) -> None:
        self.text_view.scroll_pages(1)

    def action_page_up(self) -> None:
        self.text_view.scroll_pages(-1)

    def action_back(self) -> None:
        self.dismiss(None)

    def actions_now(self) -> list[Action]:
        """The actions that can be taken now, in the order of the key bar."""
        scopes: tuple[Scope, ...] = (*self.scopes_now(), "app")
        taken: set[str] = set()
        available = []
        for action in actions(scopes):
            if self.check_action(action.id, ()) is False or action.keys[0] in taken:
                continue
            taken.add(action.keys[0])
            available.append(action)
        return available


def screen_of(widget: Widget) -> FieldkitScreen[object]:
    """The screen in whose frame `widget` is."""
    return cast("FieldkitScreen[object]", widget.screen)

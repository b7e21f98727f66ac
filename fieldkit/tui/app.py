"""The app: keys in the order they came, the language in force, questions from procedures, errors in words."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import deque
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from textual import events
from textual.app import App
from textual.binding import BindingType
from textual.screen import Screen

from fieldkit import i18n
from fieldkit.access import make_private_folder
from fieldkit.errors import as_error, place
from fieldkit.home import Home
from fieldkit.text import M, Said
from fieldkit.tui.actions import bindings
from fieldkit.tui.desk import Desk
from fieldkit.tui.messages import DialogRequested, LineLost, TokenCameOrWent
from fieldkit.tui.screens.frame import FieldkitScreen
from fieldkit.tui.terminal import signs
from fieldkit.tui.terminal.link import TerminalLink
from fieldkit.tui.themes import THEMES
from fieldkit.tui.token_watch import TokenWatch
from fieldkit.tui.widgets.text_field import TextField

HELD_KEYS = 2000
REMEMBERED = 500


@runtime_checkable
class TakesKeys(Protocol):
    """A widget that does what a key asks for at once, and says whether it did."""

    def take_key(self, event: events.Key) -> bool: ...


class FieldkitApp(App[int], inherit_bindings=False):
    """fieldkit's screens over one desk.

    Keys are taken one after the other: a field or list does its own at once, actions run at once,
    and while a screen is not ready keys wait for it. So nothing typed ahead over a slow line is lost
    or lands elsewhere. (Textual queues keys to widgets but runs actions later: see `text_field`.)
    """

    TITLE = "fieldkit"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("app")]
    CSS = "Screen { overflow: hidden; }"

    def __init__(
        self, home: Home, *, link: TerminalLink | None = None, modules: tuple[str, ...] = (), visit: str = ""
    ) -> None:
        self.link = link or TerminalLink()
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = self.link.theme
        self.animation_level = "full" if self.link.animations else "none"
        signs.use_ascii(self.link.ascii_signs)
        self.home = home
        self.desk = Desk(home, modules)
        self.visit_wanted = visit
        self.history: deque[Said | str] = deque(maxlen=REMEMBERED)
        self.tokens = TokenWatch(home, modules, lambda message: self.post_message(TokenCameOrWent(message)))
        self._line_lost = False
        self._held: deque[events.Key | events.Paste] = deque(maxlen=HELD_KEYS)

    def get_default_screen(self) -> Screen[Any]:
        from fieldkit.tui.screens.home import HomeScreen

        return HomeScreen()

    @property
    def front(self) -> FieldkitScreen[Any] | None:
        """The screen in front, if it is one of ours."""
        return self.screen if isinstance(self.screen, FieldkitScreen) else None

    # --- keys, in order

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            if isinstance(event, events.Key) and event.key == "ctrl+q":
                self._held.clear()
                await self._take(event)
            elif self._held or self._holding:
                self._held.append(event)
            else:
                await self._take(event)
            return
        await super().on_event(event)

    @property
    def _holding(self) -> bool:
        return self.front is None or self.front.holding

    def release_keys(self) -> None:
        """A screen is ready: hand it the keys that were kept for it."""
        if self._held:
            self.call_later(self._hand_over)

    async def _hand_over(self) -> None:
        while self._held and not self._holding:
            await self._take(self._held.popleft())

    async def _take(self, event: events.Key | events.Paste) -> None:
        screen, focused = self.front, self.focused
        if (
            screen is not None
            and screen.too_small
            and isinstance(event, events.Key)
            and event.key != "ctrl+q"
        ):
            return  # nobody sees what it would do
        if isinstance(event, events.Paste):
            if isinstance(focused, TextField):
                focused.take_text(event.text)
            return
        if isinstance(focused, TakesKeys) and focused.take_key(event):
            return
        await super().on_event(event)

    # --- actions

    def action_language(self) -> None:
        """The next language, everywhere at once."""
        i18n.use(i18n.following())
        for screen in self.screen_stack:
            if isinstance(screen, FieldkitScreen):
                screen.refresh_texts()

    def action_help(self) -> None:
        from fieldkit.tui.screens.help import HelpScreen

        if self.front is not None and not isinstance(self.front, HelpScreen):
            self.push_screen(HelpScreen(self.front.actions_now()))

    def action_history(self) -> None:
        from fieldkit.tui.screens.help import HistoryScreen

        if not isinstance(self.front, HistoryScreen):
            self.push_screen(HistoryScreen())

    def action_palette(self) -> None:
        from fieldkit.tui.screens.help import PaletteScreen

        if self.front is not None and not isinstance(self.front, PaletteScreen):
            self.push_screen(PaletteScreen(self.front.actions_now()), self._from_palette)

    async def _from_palette(self, action: str | None) -> None:
        if action and self.front is not None:
            target = self.front if hasattr(self.front, f"action_{action}") else self
            await self.run_action(action, target)

    def action_repaint(self) -> None:
        """Draw everything again, for a terminal that something else wrote on."""
        forget = getattr(self._driver, "forget", None)
        if forget is not None:
            forget()
        self.screen.refresh(layout=True)

    async def action_leave(self) -> None:
        """Leave fieldkit; asks first while something runs."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, FieldkitScreen) and not await screen.may_leave():
                return
        for screen in self.screen_stack:
            if isinstance(screen, FieldkitScreen):
                await screen.keep_typed()
        self.tokens.stop()
        await self.desk.close()
        self.exit(0)

    # --- what others tell the app

    def show_note(self, text: Said | str) -> None:
        """Keep something that happened, for the list of what happened."""
        self.history.append(text)

    def show_error(self, error: BaseException, title: Said | None = None) -> None:
        """Show an error: what happened, what was not changed, what to do next."""
        from fieldkit.tui.screens.dialogs import ErrorScreen

        shown = as_error(error)
        self.show_note(shown.message)
        if shown.status == 5:
            self._write_log(error)
        self.push_screen(ErrorScreen(shown, title))

    def on_dialog_requested(self, message: DialogRequested) -> None:
        """A procedure asks the person something."""

        def hand_on(value: object) -> None:
            if not message.answer.done():
                message.answer.set_result(value)

        self.push_screen(message.make(), hand_on)

    def on_token_came_or_went(self, message: TokenCameOrWent) -> None:
        self.show_note(message.text)
        if self.front is not None:
            self.front.status(message.text)

    def on_foreign_byte(self) -> None:
        text = M("A character that is not UTF-8 was dropped; set the terminal to UTF-8.")
        self.show_note(text)
        if self.front is not None:
            self.front.status(text)

    async def on_line_lost(self) -> None:
        """The connection is gone: end what runs safely, keep what was typed, and leave."""
        if self._line_lost:
            return
        self._line_lost = True
        self._held.clear()
        for screen in reversed(self.screen_stack):
            if isinstance(screen, FieldkitScreen):
                with contextlib.suppress(Exception):  # the other screens' drafts are still to be kept
                    await screen.give_up()
        self.tokens.stop()
        await self.desk.close()
        self.exit(1)

    def on_mount(self) -> None:
        # Textual takes the terminal back after a suspension, but does not draw on it.
        self.app_resume_signal.subscribe(self, lambda _: self.action_repaint())
        for name in ("SIGHUP", "SIGTERM"):  # a dropped connection, a machine that is shut down
            with contextlib.suppress(AttributeError, NotImplementedError, RuntimeError, ValueError):
                loop = asyncio.get_running_loop()
                loop.add_signal_handler(getattr(signal, name), lambda: self.post_message(LineLost()))

    def on_resize(self) -> None:
        self.action_repaint()  # also when the size is what it was: the terminal may have moved its lines

    # --- the end

    def _fatal_error(self) -> None:
        """A fault nobody caught. Textual would print a traceback with every local value, PINs among them."""
        error = self._exception
        if error is not None:
            self._write_log(error)
            lines = as_error(error).lines()
            self._exit_renderables.append("\n".join(lines))
        self._return_code = 5
        self._close_messages_no_wait()

    def _write_log(self, error: BaseException) -> None:
        """Into the log: the kind of the fault and the places it came through, no values."""
        import traceback

        frames = traceback.extract_tb(error.__traceback__)
        lines = [f"{type(error).__name__} at {place(error)}"]
        lines += [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        try:
            make_private_folder(self.log_path.parent)
            with self.log_path.open("a", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
        except OSError:  # a full disk must not hide the error it caused
            pass

    @property
    def log_path(self) -> Path:
        return self.home.logs / "screens.log"

"""What the screens ask of the app they are shown by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fieldkit.home import Home
    from fieldkit.text import Said
    from fieldkit.tui.desk import Desk
    from fieldkit.tui.terminal.link import TerminalLink
    from fieldkit.tui.token_watch import TokenWatch


class Host(Protocol):
    """The app, as its screens know it.

    history: what happened in this session. visit_wanted: the visit to open first; "" once it was.
    """

    home: Home
    desk: Desk
    history: Sequence[Said | str]
    link: TerminalLink
    tokens: TokenWatch
    visit_wanted: str

    def note(self, text: Said | str) -> None:
        """Keep something that happened for the list of this session."""

    def show_error(self, error: BaseException, title: Said | None = None) -> None:
        """Show an error over the screen."""

    def release_keys(self) -> None:
        """Let the keys through that were held back while the screen was not ready."""

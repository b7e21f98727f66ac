"""Tells the screens which tokens come and go, from a thread of its own with agents of its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from fieldkit.errors import FieldkitError
from fieldkit.home import Home
from fieldkit.text import M, Message

if TYPE_CHECKING:
    from fieldkit.token.watch import Change


class TokenWatch:
    """Watches from `start` until `stop`. tell: called in the watching thread, for each coming and going.

    modules: PKCS#11 modules named besides the profiles'.
    """

    def __init__(self, home: Home, modules: tuple[str, ...], tell: Callable[[Message], object]) -> None:
        self._home = home
        self._modules = modules
        self._tell = tell
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, if it has not begun."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="fieldkit-tokens", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End it; the agents end with it, or with the program."""
        self._stop.set()

    def _run(self) -> None:
        from fieldkit.token.agents import Agents
        from fieldkit.token.watch import watch

        with (
            contextlib.suppress(FieldkitError, OSError),  # told by the step that needs a token
            Agents(self._known_modules(), self._home.logs) as running,
        ):
            there = tuple(running.tokens(mechanisms=False))
            for change in watch(running, stop=self._stop, known=there):
                said = words(change)
                if said is not None:
                    self._tell(said)

    def _known_modules(self) -> tuple[str, ...]:
        from fieldkit.profile.load import load

        found = list(self._modules)
        with contextlib.suppress(FieldkitError):
            for profile in load(self._home).tokens.values():
                found += profile.installed_modules()
        return tuple(dict.fromkeys(found))


def words(change: Change) -> Message | None:
    """What happened to a token, in a sentence; None for what is no coming or going."""
    if change.kind == "inserted":
        return M("The token {token} is plugged in.", token=change.token.name)
    if change.kind == "removed":
        return M("The token {token} was pulled out.", token=change.token.name)
    return None

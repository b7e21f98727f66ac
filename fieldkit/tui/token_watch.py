"""Tells the screens which tokens come and go, from a thread of its own with agents of its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from fieldkit.errors import FieldkitError
from fieldkit.home import Home
from fieldkit.text import Message

if TYPE_CHECKING:
    from fieldkit.profile.model import TokenProfile


class TokenWatch:
    """Watches from `start` until `stop`. notify: called in the watching thread, for each coming and going.

    modules: PKCS#11 modules named besides the profiles'.
    """

    def __init__(self, home: Home, modules: tuple[str, ...], notify: Callable[[Message], object]) -> None:
        self._home = home
        self._modules = modules
        self._notify = notify
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
        from fieldkit.token.watch import finding_of, watch

        with (
            contextlib.suppress(FieldkitError, OSError),  # told by the step that needs a token
            Agents(self._known_modules(), self._home.logs, named=self._modules) as running,
        ):
            there = tuple(running.tokens(mechanisms=False))
            for change in watch(running, stop=self._stop, known=there):
                if change.kind != "changed":  # the step that changed it says so itself
                    self._notify(finding_of(change).message)

    def _known_modules(self) -> tuple[str, ...]:
        from fieldkit.profile.load import load
        from fieldkit.token.kinds import modules

        kinds: Iterable[TokenProfile] = ()
        with contextlib.suppress(FieldkitError):
            kinds = load(self._home).tokens.values()
        return modules(kinds, self._modules)

"""The store and its visits behind one thread, so that no disk and no import ever holds up the screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from fieldkit.home import Home
from fieldkit.text import Said

if TYPE_CHECKING:
    from fieldkit.profile.model import Bureau
    from fieldkit.visit.visits import Visits

R = TypeVar("R")


class Desk:
    """Where the screens' work with the store is done, one thing after the other.

    modules: PKCS#11 modules named besides the profiles'.
    """

    def __init__(self, home: Home, modules: tuple[str, ...] = ()) -> None:
        self.home = home
        self.modules = modules
        self._thread = ThreadPoolExecutor(1, "fieldkit-desk")
        self._visits: Visits | None = None

    @property
    def visits(self) -> Visits:
        """The visits; only after `open`, and (but for reading values) only from the desk's thread."""
        assert self._visits is not None
        return self._visits

    @property
    def is_open(self) -> bool:
        return self._visits is not None

    async def call(self, work: Callable[[], R]) -> R:
        """Do `work` in the desk's thread and give its result."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def open(self) -> Said | None:
        """Open the store; return why the store is read-only, if it is."""
        return await self.call(self._open)

    def _open(self) -> Said | None:
        from fieldkit.journal.store import Store
        from fieldkit.visit.visits import Visits

        if self._visits is None:
            self._visits = Visits(Store.open(self.home.store), self.home)
        return self._visits.store.read_only

    def introduce(self, who: str) -> None:
        """Keep who works here, for good; in the desk's thread."""
        from fieldkit import settings

        self.visits.introduce(who)
        settings.save_name(self.home, self.visits.who)

    async def close(self) -> None:
        """Close the store; waits for what is being written."""
        visits, self._visits = self._visits, None
        if visits is not None:
            await self.call(visits.store.close)
        self._thread.shutdown(wait=False)

    # --- called in the desk's thread, as `await desk.call(lambda: desk.bureaus())`

    def bureaus(self) -> list[Bureau]:
        """The bureaus of the plan."""
        return list(self.visits.profiles.plan.bureaus)

    def checklists(self) -> list[tuple[Path, Said | str]]:
        """The checklists there are, with their titles; the technician's own override what is shipped."""
        from fieldkit.checklist.load import files, load
        from fieldkit.errors import FieldkitError

        titled: list[tuple[Path, Said | str]] = []
        for path in files(self.home):
            try:
                titled.append((path, load(path).title))
            except FieldkitError:  # said in full when it is chosen
                titled.append((path, path.name))
        return titled

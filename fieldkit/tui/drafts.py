"""What was typed into items and is no answer yet: kept, so that Esc, quitting and power cost nothing."""

from __future__ import annotations

from collections.abc import Callable

from fieldkit.tui.desk import Desk

TABLE = "drafts"


class Drafts:
    """Item id to the text typed so far. `read`, and what `unsaved` gives, run in the desk's thread."""

    def __init__(self, desk: Desk, visit: str) -> None:
        self._desk = desk
        self._visit = visit
        self._texts: dict[str, str] = {}
        self._kept: dict[str, str] = {}

    def __contains__(self, item: object) -> bool:
        return item in self._texts

    def get(self, item: str) -> str | None:
        return self._texts.get(item)

    def hold(self, item: str, text: str | None) -> bool:
        """Hold `text` for `item`, None lets go; True if having a draft changed."""
        had = item in self._texts
        if text is None:
            self._texts.pop(item, None)
        else:
            self._texts[item] = text
        return had != (text is not None)

    def read(self) -> None:
        """Take over what is on the disk."""
        from tinydb import where

        found = self._desk.visits.store.db.table(TABLE).search(where("visit") == self._visit)
        self._kept = {str(each["item"]): str(each["text"]) for each in found}
        self._texts = dict(self._kept)

    def unsaved(self, but: str = "") -> Callable[[], None]:
        """What writes the drafts as they are now, but that of `but`, to the disk; no change, no write."""
        now = {item: text for item, text in self._texts.items() if item != but}
        return lambda: self._write(now)

    def _write(self, now: dict[str, str]) -> None:
        from tinydb import where

        store = self._desk.visits.store
        if store.read_only is not None or now == self._kept:
            return
        table = store.db.table(TABLE)
        for item in {*now, *self._kept}:
            here = (where("visit") == self._visit) & (where("item") == item)
            if item not in now:
                table.remove(here)
            elif now[item] != self._kept.get(item):
                table.upsert({"visit": self._visit, "item": item, "text": now[item]}, here)
        self._kept = now

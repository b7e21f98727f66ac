"""What was typed into items and is no answer yet: kept, so that Esc, quitting and power cost nothing.

Beside the journal, since all of that goes to head office.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import msgspec

from fieldkit.errors import from_system
from fieldkit.journal.errors import StoreReadOnly
from fieldkit.journal.files import OS, keep
from fieldkit.text import M, Message
from fieldkit.tui.desk import Desk

TABLE = "drafts"


class Drafts:
    """Item id to the text typed so far. `read`, and what `unsaved` gives, run in the desk's thread."""

    def __init__(self, desk: Desk, visit: str) -> None:
        self._desk = desk
        self._visit = visit
        self._path = desk.home.visit(visit) / "drafts.json"
        self._texts: dict[str, str] = {}
        self._on_disk: dict[str, str] = {}
        self._refused = False

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

    def read(self) -> Message | None:
        """Take over what is on the disk; what of it cannot be read is set aside and said."""
        damage = None
        try:
            self._on_disk = msgspec.json.decode(self._path.read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            self._on_disk = {}
        except (OSError, msgspec.MsgspecError):
            self._on_disk = {}
            aside = self._path.with_name(f"drafts-{secrets.token_hex(3)}.damaged")
            damage = M(
                "What was typed and not saved yet cannot be read; it is kept in {file}.", file=aside.name
            )
            try:
                self._path.replace(aside)
            except OSError as error:
                raise from_system(error) from error
        self._on_disk = self._of_journal() | self._on_disk
        self._texts = dict(self._on_disk)
        return damage

    def _of_journal(self) -> dict[str, str]:
        """Those that an earlier release kept in the journal, and thereby sent to head office."""
        from tinydb import where

        rows = self._desk.visits.store.db.table(TABLE).search(where("visit") == self._visit)
        return {str(row["item"]): str(row["text"]) for row in rows}

    def unsaved(self, but: str = "") -> Callable[[], None]:
        """What writes the drafts as they are now, but that of `but`, to the disk; no change, no write."""
        now = {item: text for item, text in self._texts.items() if item != but}
        return lambda: self._write(now)

    def _write(self, now: dict[str, str]) -> None:
        store = self._desk.visits.store
        if now == self._on_disk:
            return
        if store.read_only is not None:
            refused, self._refused = self._refused, True
            if not refused:  # once: everything else of such a store says it too
                raise StoreReadOnly(store.read_only, hint=store.advice)
            return
        try:
            if now:
                OS.folder(self._path.parent)
                keep(OS, self._path, [msgspec.json.encode(now)])
            else:
                OS.remove(self._path)
        except OSError as error:
            raise from_system(error) from error
        self._on_disk = now
        if self._of_journal():
            from tinydb import where

            store.db.table(TABLE).remove(where("visit") == self._visit)

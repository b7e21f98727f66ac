"""How often a wrong PIN was given to a token from here, counted by its serial number.

Tokens' own flags are hints: some never change them. The count is raised before a PIN is sent and
cleared when the token accepts it, so that a crash in between errs on the safe side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tinydb import TinyDB

TABLE = "pin_attempts"


class Attempts(Protocol):
    """Failed attempts in a row, by token (`key`: serial number, with ":so" for the SO PIN)."""

    def count(self, key: str) -> int:
        """Attempts since the last accepted PIN."""

    def set(self, key: str, count: int) -> None:
        """Remember the count; durable when it returns, where the implementation can be."""


class MemoryAttempts:
    """Attempts of this run only."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def count(self, key: str) -> int:
        return self._counts.get(key, 0)

    def set(self, key: str, count: int) -> None:
        self._counts[key] = count


class StoredAttempts:
    """Attempts kept in a table of the local store."""

    def __init__(self, db: TinyDB) -> None:
        self._db = db

    def count(self, key: str) -> int:
        from tinydb import where

        found = self._db.table(TABLE).get(where("key") == key)
        return int(found["count"]) if isinstance(found, dict) else 0

    def set(self, key: str, count: int) -> None:
        from tinydb import where

        if self.count(key) != count:
            self._db.table(TABLE).upsert({"key": key, "count": count}, where("key") == key)


class CopiedAttempts:
    """Attempts that begin with what another keeps, and add to it for this run only: for a read-only store."""

    def __init__(self, source: Attempts) -> None:
        self._source = source
        self._own: dict[str, int] = {}

    def count(self, key: str) -> int:
        return self._own[key] if key in self._own else self._source.count(key)

    def set(self, key: str, count: int) -> None:
        self._own[key] = count

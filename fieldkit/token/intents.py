"""What is about to be written onto a token, kept until it is done: a run broken off is known at the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from tinydb import TinyDB

TABLE = "token_intents"


class Intent(msgspec.Struct, frozen=True):
    """An import onto the token `serial`, or a key made there for a request. Nothing of it was there before.

    key_id: CKA_ID of key and certificate. certificates: SHA-256 of each that is written; the first
    is the key's own; none for a request. joined: the key was on the token before, and stays. owner: the step
    of a visit that a request belongs to. label: what its objects are called; "" where
    that is not known.
    """

    serial: str
    key_id: str
    certificates: tuple[str, ...] = ()
    joined: bool = False
    owner: str = ""
    label: str = ""


class Intents(Protocol):
    """Where intents are kept."""

    def open(self, serial: str) -> list[Intent]:
        """The intents for this token that were not settled."""

    def begin(self, intent: Intent) -> None:
        """Keep `intent`; durable when it returns, where the implementation can be."""

    def settle(self, intent: Intent) -> None:
        """`intent` was completed or cleaned up."""


class MemoryIntents:
    """Intents of this run only."""

    def __init__(self) -> None:
        self._kept: list[Intent] = []

    def open(self, serial: str) -> list[Intent]:
        return [intent for intent in self._kept if intent.serial == serial]

    def begin(self, intent: Intent) -> None:
        self._kept.append(intent)

    def settle(self, intent: Intent) -> None:
        self._kept = [kept for kept in self._kept if kept != intent]


class StoredIntents:
    """Intents kept in a table of the local store."""

    def __init__(self, db: TinyDB) -> None:
        self._db = db

    def open(self, serial: str) -> list[Intent]:
        from tinydb import where

        documents = self._db.table(TABLE).search(where("serial") == serial)
        return [msgspec.convert(dict(document), Intent) for document in documents]

    def begin(self, intent: Intent) -> None:
        value = msgspec.to_builtins(intent)
        self._db.table(TABLE).insert(value)

    def settle(self, intent: Intent) -> None:
        from tinydb import where

        here = (where("serial") == intent.serial) & (where("key_id") == intent.key_id)
        mine = where("certificates").test(lambda digests: tuple(digests) == intent.certificates)
        self._db.table(TABLE).remove(here & mine)

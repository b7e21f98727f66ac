"""A process that works in a store and says what was acknowledged, so that another may end it at any instant.

Work number n is known from n alone: whoever reads the acknowledgements knows what has to be there.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import multiprocessing
import os
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tinydb import where

from fieldkit import i18n
from fieldkit.errors import FieldkitError
from fieldkit.journal import log
from fieldkit.journal.entry import Draft
from fieldkit.journal.files import Disk
from fieldkit.journal.store import Store

SEGMENT_SIZE = 20_000
VISIT = "v"

# children of a process that has everything loaded: they begin within milliseconds
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.faults.worker", "fieldkit.journal.database", "cryptography"])


def item(number: int) -> str:
    return f"item-{number}"


def value(number: int) -> str:
    return f"câu trả lời {number} " + "x" * (number * 37 % 400)


def photo(number: int) -> bytes:
    return b"photo %d " % number * (1 + number * 13 % 300)


def do(store: Store, number: int) -> None:
    """Work number `number`: mostly an answer; each fifth a document, each seventh a file, some the end."""
    if number % 5 == 4:
        store.db.table("t").upsert({"id": number % 3, "number": number}, where("id") == number % 3)
    elif number % 7 == 6:
        store.attach(photo(number), item(number))
    else:
        kind = "signoff" if number % 11 == 10 else "answer"
        store.append(Draft(kind, visit=VISIT, item=item(number), value=value(number)))


def is_answer(number: int) -> bool:
    return number % 5 != 4 and number % 7 != 6


class Held:
    """What a store has of the works."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.values = {entry.item: entry.value for entry in store.entries(visit=VISIT)}
        self._documents = {each["id"]: each["number"] for each in store.db.table("t")}

    def has(self, number: int) -> bool:
        """Whether the work of that number is there; of documents, or a later one in its place."""
        if number % 5 == 4:
            return bool(self._documents.get(number % 3, -1) >= number)
        if number % 7 == 6:
            try:
                return self._store.attachment(hashlib.sha256(photo(number)).hexdigest()) == photo(number)
            except FieldkitError:
                return False
        return bool(self.values.get(item(number)) == value(number))


def work(
    folder: Path,
    first: int,
    count: int,
    told: Connection,
    go: Connection | None,
    close_every: int,
    disk: str,
) -> None:
    """Do works `first` and on, and tell after each: ("kept", number) or ("refused", number, code)."""
    i18n.use("en")
    log.SEGMENT_SIZE = SEGMENT_SIZE
    ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1 & (2**64 - 1)), 0, 0, 0)  # let others trace this
    if go is not None:
        told.send(("ready", os.getpid()))
        go.recv()
    store = _open(folder, told, disk)
    for number in range(first, first + count):
        if close_every and (number - first) % close_every == close_every - 1:
            store.close()
            store = _open(folder, told, disk)
        try:
            do(store, number)
        except FieldkitError as error:
            told.send(("refused", number, error.code))
        else:
            told.send(("kept", number))
    store.close()
    told.send(("closed",))


class Unsynced(Disk):
    """A disk that is never waited for, to see that the tests would notice."""

    def sync(self, descriptor: int) -> None:
        pass

    def sync_folder(self, path: Path) -> None:
        pass


def _open(folder: Path, told: Connection, disk: str) -> Store:
    try:
        store = Store.open(folder, files=Disk() if disk == "synced" else Unsynced())
    except FieldkitError as error:
        told.send(("not opened", error.code))
        raise SystemExit(0) from None
    told.send(("opened", str(store.read_only or "")))
    return store


class Worker:
    """One such process."""

    def __init__(
        self,
        folder: Path,
        first: int = 0,
        count: int = 1_000_000,
        *,
        wait: bool = False,
        close_every: int = 0,
        disk: str = "synced",
    ) -> None:
        self._told, told = processes.Pipe(duplex=False)
        go, self._go = processes.Pipe(duplex=False)
        self.process = processes.Process(
            target=work,
            args=(folder, first, count, told, go if wait else None, close_every, disk),
            daemon=True,
        )
        self.process.start()
        told.close()
        go.close()
        self.heard: list[tuple[Any, ...]] = []

    def go(self) -> None:
        self._go.send(True)

    def hear(self, word: str) -> tuple[Any, ...]:
        """Wait for it to say `word`; EOFError if it ends without."""
        while True:
            self.heard.append(self._told.recv())
            if self.heard[-1][0] == word:
                return self.heard[-1]

    def hear_what_was_said(self) -> None:
        """Take in what it said up to now, without waiting."""
        with contextlib.suppress(EOFError):
            while self._told.poll():
                self.heard.append(self._told.recv())

    def kill(self) -> None:
        assert self.process.pid is not None
        with contextlib.suppress(ProcessLookupError):  # it may have come to its end
            os.kill(self.process.pid, signal.SIGKILL)
        self.end()

    def end(self, timeout: float = 60) -> None:
        """Wait for its end and hear what it said before."""
        self.heard += self._rest()
        self.process.join(timeout)
        assert self.process.exitcode is not None, "it hangs"

    def _rest(self) -> Iterator[tuple[Any, ...]]:
        try:
            while True:
                yield self._told.recv()
        except (EOFError, ConnectionResetError):
            return

    @property
    def kept(self) -> list[int]:
        return [said[1] for said in self.heard if said[0] == "kept"]

    @property
    def reasons(self) -> list[str]:
        """Why a store that was opened could only be read, or was not opened at all."""
        return [said[1] for said in self.heard if said[0] in ("opened", "not opened")]

    @property
    def refused(self) -> dict[int, str]:
        return {said[1]: said[2] for said in self.heard if said[0] == "refused"}

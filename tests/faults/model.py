"""What a store was told and has acknowledged, and whether it still says so."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

from tinydb import where

from fieldkit.errors import FieldkitError
from fieldkit.journal.entry import Draft, plain
from fieldkit.journal.store import Store
from tests.faults.crashing import CrashingDisk, PowerCut

FOLDER = Path("/store")
FAULTS = (None, errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS)

Entries = list[tuple[str, str, Any]]
Documents = dict[str, dict[str, Any]]


class Bench:
    """One store on one crashing disk, and the model beside it.

    Each operation may be interrupted by the fault that was armed; then `reopen` says what survived.
    """

    def __init__(self, seed: int = 0) -> None:
        self.disk = CrashingDisk(seed)
        self.entries: Entries = []
        self.documents: Documents = {}
        self.attachments: dict[str, bytes] = {}
        self.ghost: tuple[Entries, Documents] | None = None
        self.store: Store | None = None
        self.reopen()

    def arm(self, calls: int, fault: int | None) -> None:
        """Make the `calls`-th call to the disk from now on fail."""
        self.disk.fail_at = self.disk.calls + calls, fault

    # --- operations

    def answer(self, value: Any, kind: str = "answer") -> None:
        item = f"item-{len(self.entries)}"
        after = [*self.entries, (kind, item, plain(value))], self.documents

        def work(store: Store) -> None:
            store.append(Draft(kind, visit="v", item=item, value=value))

        self._try(work, after)

    def document(self, id: str, value: Any) -> None:
        after = self.entries, self.documents | {id: {"id": id, "value": value}}

        def work(store: Store) -> None:
            store.db.table("t").upsert({"id": id, "value": value}, where("id") == id)

        self._try(work, after)

    def forget(self, id: str) -> None:
        after = self.entries, {key: value for key, value in self.documents.items() if key != id}

        def work(store: Store) -> None:
            store.db.table("t").remove(where("id") == id)

        self._try(work, after)

    def attach(self, data: bytes) -> None:
        def work(store: Store) -> None:
            self.attachments[store.attach(data, "photo").sha256] = data

        self._try(work, (self.entries, self.documents))

    def sign(self) -> None:
        self._try(lambda store: store.signed_head(), (self.entries, self.documents))

    def close(self) -> None:
        self._try(lambda store: store.close(), (self.entries, self.documents))
        self.reopen(end=self.disk.kill)

    def _try(self, work: Any, after: tuple[Entries, Documents]) -> None:
        assert self.store is not None
        try:
            work(self.store)
        except PowerCut:
            self.ghost = after
            self.reopen(end=self.disk.cut)
        except (FieldkitError, OSError):  # it was said that nothing was saved
            if self.store.read_only is not None:
                self.ghost = after  # what the disk holds of it is not known
                self.reopen(end=self.disk.cut if self.disk.random.randrange(2) else self.disk.kill)
        else:
            self.entries, self.documents = after

    # --- the machine

    def reopen(self, end: Any = None) -> None:
        """End the process (or the power), open the store again, and look for what was acknowledged."""
        if end is not None:
            end()
        while True:
            try:
                self.store = Store.open(FOLDER, files=self.disk)
            except PowerCut:
                self.disk.cut()
                continue
            except FieldkitError:  # the armed fault hit the opening
                self.disk.kill()
                continue
            if self.store.read_only is not None and self.disk.capacity is None and self._faulted():
                self.disk.kill()
                continue
            break
        self.check()

    def _faulted(self) -> bool:
        """Whether an armed fault made this opening read-only: then it must go away with the fault."""
        try:
            assert self.store is not None
            self.store.close()
        except PowerCut:
            pass
        self.disk.kill()
        again = Store.open(FOLDER, files=self.disk)
        assert again.read_only is None, str(again.read_only)
        return True

    def check(self) -> None:
        assert self.store is not None
        assert not self.store.holes
        try:
            found = [(entry.kind, entry.item, entry.value) for entry in self.store.entries()]
            documents = {each["id"]: dict(each) for each in self.store.db.table("t")}
            attachments = {sha256: self.store.attachment(sha256) for sha256 in self.attachments}
        except (PowerCut, FieldkitError, OSError):
            return self.reopen(end=self.disk.cut)
        known = [(self.entries, self.documents), *([self.ghost] if self.ghost else [])]
        assert (found, documents) in known
        assert attachments == self.attachments
        self.entries, self.documents = found, documents
        self.ghost = None
        return None

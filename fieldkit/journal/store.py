"""The store: one folder with the journal, its attachments, the device key, and TinyDB over it. One writer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from fieldkit.journal import clock, entry
from fieldkit.journal.attachments import Attachment, Attachments
from fieldkit.journal.device import Device
from fieldkit.journal.entry import Draft, Entry, Head
from fieldkit.journal.errors import AttachmentMissing, StoreFull, StoreReadOnly, StoreUnavailable
from fieldkit.journal.files import OS, FileSystem, Lock
from fieldkit.journal.log import Log
from fieldkit.text import M, Message

if TYPE_CHECKING:
    from fieldkit.journal.database import Change, Database

TABLE = "table"
RESERVE = "reserve"
RESERVE_SIZE = 1024 * 1024
FINISHING = ("signoff", "record", "sent")
"""Kinds of entries that the reserve is for: a visit can be finished on a full disk."""


class Store:
    """Everything this device said, on disk before it is believed.

    device: its id. read_only: why nothing may be written, or None. Open one with `Store.open`.
    """

    def __init__(self, folder: Path, files: FileSystem, lock: Lock, *, writable: bool) -> None:
        self.folder = folder
        self._files = files
        self._lock = lock
        self._log = Log(folder, files, writable=writable)
        self._device = Device(folder, files, writable=writable)
        self._attachments = Attachments(folder / "attachments", files)
        self._clock: clock.Clock | None = None
        self._visits: dict[str, list[int]] | None = None
        self._tables: list[int] = []
        self._database: Database | None = None
        self._other_writer = (
            None if writable else M("Another fieldkit has this store open, so here it can only be read.")
        )
        if self._log.device and self._log.device != self._device.id:
            self._log.read_only = M("The journal was written with another device key; it can only be read.")
        if writable and self.read_only is None:
            self._keep_reserve()

    @classmethod
    def open(cls, folder: Path, *, files: FileSystem = OS) -> Store:
        """Open the store in `folder`, making it where there is none.

        A second opener gets it read only; so does everyone when the journal is damaged.

        :raises StoreUnavailable: the folder can be neither made nor read.
        """
        try:
            files.folder(folder)
            lock = Lock(folder / "lock")
            return cls(folder, files, lock, writable=lock.take())
        except OSError as error:
            raise StoreUnavailable(
                M(
                    "The store in {folder} cannot be used: {reason}.",
                    folder=str(folder),
                    reason=error.strerror or "",
                ),
                unchanged=M("Nothing was changed."),
                hint=M("Check that the folder is yours and can be written, or choose another with --home."),
            ) from error

    # --- what there is

    @property
    def device(self) -> str:
        return self._device.id

    @property
    def public_key(self) -> bytes:
        """The device's raw Ed25519 public key."""
        return self._device.public_key

    @property
    def read_only(self) -> Message | None:
        return self._other_writer or self._log.read_only

    @property
    def trimmed(self) -> int:
        """How many bytes of a torn tail were cut and kept aside when it was opened."""
        return self._log.trimmed

    def head(self) -> Head:
        """The last entry."""
        return Head(self.device, self._log.seq, self._log.hash)

    def entries(self, *, visit: str | None = None, after: int = 0) -> Iterator[Entry]:
        """Entries in order, those of TinyDB's tables left out; of one visit, or all; after a number."""
        if visit is not None:
            numbers = [seq for seq in self._index().get(visit, ()) if seq > after]
        else:
            tables = set(self._tables) if self._index() is not None else set()
            numbers = [seq for seq in range(after + 1, self._log.seq + 1) if seq not in tables]
        for seq in numbers:
            yield entry.decode(self._log.body(seq))

    def lines(self, first: int, last: int) -> Iterator[bytes]:
        """The stored JSON of all entries from `first` to `last`, both included."""
        return (bytes(body) for body in self._log.bodies(first, last))

    def sign(self, data: bytes) -> bytes:
        """The device's Ed25519 signature over `data`."""
        return self._device.sign(data)

    @property
    def db(self) -> Database:
        """TinyDB over the journal."""
        if self._database is None:
            from fieldkit.journal.database import Database, JournalStorage

            self._index()
            groups = (entry.decode(self._log.body(seq)).value["ops"] for seq in self._tables)
            self._database = Database(groups, self._commit, storage=JournalStorage)
        return self._database

    # --- what is added

    def append(self, draft: Draft) -> Entry:
        """Add an entry; it is on disk when this returns.

        :raises NotStorable: its value has no canonical form. :raises StoreReadOnly: nothing may be written.
        :raises StoreFull: the disk is full; nothing changed. :raises WriteFailed: the disk failed.
        """
        if self._other_writer is not None:
            raise StoreReadOnly(
                self._other_writer,
                unchanged=M("Nothing was saved."),
                hint=M("Close the other one, then open this again."),
            )
        if self._clock is None:
            last = entry.decode(self._log.body(self._log.seq)).hlc if self._log.seq else ""
            self._clock = clock.Clock(last)
        body = entry.encode(
            draft,
            dev=self.device,
            seq=self._log.seq + 1,
            prev=self._log.hash,
            hlc=self._clock.tick(),
            wall=clock.wall(),
        )
        try:
            self._log.append(body)
        except StoreFull:
            if draft.kind not in FINISHING or not self._spend_reserve():
                raise
            self._log.append(body)
        if self._visits is not None:
            self._place(self._log.seq, draft.kind, draft.visit)
        return entry.decode(body)

    def attach(self, source: Path | bytes, name: str) -> Attachment:
        """Keep a file (or bytes); it is on disk when this returns."""
        if self.read_only is not None:
            raise StoreReadOnly(self.read_only, unchanged=M("Nothing was saved."))
        if isinstance(source, Path):
            try:
                source = source.read_bytes()
            except OSError as error:
                raise AttachmentMissing(
                    M(
                        "The file {path} cannot be read: {reason}.",
                        path=str(source),
                        reason=error.strerror or "",
                    ),
                    unchanged=M("Nothing was saved."),
                    hint=M("Check the path and try again."),
                ) from None
        return self._attachments.put(source, name)

    def attachment(self, sha256: str) -> bytes:
        """The bytes of an attachment, verified."""
        return self._attachments.get(sha256)

    def attachment_path(self, sha256: str) -> Path:
        """Where an attachment's file is."""
        return self._attachments.path(sha256)

    # --- within

    def _index(self) -> dict[str, list[int]]:
        """Entry numbers by visit, and those of tables apart; made when first asked for."""
        if self._visits is None:
            self._visits = {}
            for seq, body in enumerate(self._log.bodies(), 1):
                topic = entry.topic(body)
                self._place(seq, topic.kind, topic.visit)
        return self._visits

    def _place(self, seq: int, kind: str, visit: str) -> None:
        assert self._visits is not None
        if kind == TABLE:
            self._tables.append(seq)
        elif visit:
            self._visits.setdefault(visit, []).append(seq)

    def _commit(self, group: list[Change]) -> None:
        self.append(Draft(kind=TABLE, value={"ops": group}))

    def _keep_reserve(self) -> None:
        path = self.folder / RESERVE
        if RESERVE not in self._files.names(self.folder):
            with contextlib.suppress(OSError):  # a full disk already; finishing then needs space made
                self._files.create(path, b"\xff" * RESERVE_SIZE)

    def _spend_reserve(self) -> bool:
        if RESERVE not in self._files.names(self.folder):
            return False
        self._files.remove(self.folder / RESERVE)
        self._files.sync_folder(self.folder)
        return True

    def close(self) -> None:
        """Let the store go; whatever was appended is already on disk."""
        self._log.close()
        self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

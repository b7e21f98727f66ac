"""The store: one folder with the journal, its attachments, the device key, and TinyDB over it. One writer.

The head is noted when the store is closed and signed when it is asked for, when a visit was signed
off, recorded or sent, and never while something is being saved: signing loads Cryptography.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, cast

import msgspec

from fieldkit.errors import NO_SPACE, FieldkitError
from fieldkit.journal import checkpoint, clock, entry, folder_check, signed_head
from fieldkit.journal.attachments import Attachment, Attachments
from fieldkit.journal.damage import Damage
from fieldkit.journal.device import Device
from fieldkit.journal.entry import REPAIR, TABLE, Draft, Entry, Head
from fieldkit.journal.errors import StoreDamaged, StoreFull, StoreReadOnly, StoreUnavailable
from fieldkit.journal.files import OS, FileSystem, write_whole
from fieldkit.journal.folder_check import LOCK, PART, RESERVE
from fieldkit.journal.line import ChainLink, link
from fieldkit.journal.log import Log
from fieldkit.journal.scan import LostEntries
from fieldkit.journal.signed_head import Mark, SignedHead
from fieldkit.text import M, Message

if TYPE_CHECKING:
    from fieldkit.journal.database import Change, Database

ROOM = RESERVE + PART
"""A file that is written to see whether there is room, and removed."""


class Store:
    """Everything this device said, on disk before it is believed. Safe to use from several threads.

    folder: where it is. Open one with `Store.open`.
    """

    def __init__(
        self,
        folder: Path,
        disk: FileSystem,
        now: clock.Now,
        lock: int,
        refusal: Message | None,
        *,
        whole: bool = False,
    ) -> None:
        self.folder = folder
        self._files = disk
        self._lock = lock
        self._refusal = refusal
        self._guard = threading.RLock()
        self._device: Device | None = None
        self._key_fault: StoreDamaged | None = None
        try:
            self._device = Device(folder, disk, writable=refusal is None)
        except StoreDamaged as error:
            self._key_fault = error
        self._mark = self._read_mark()
        kept = checkpoint.load(folder, disk)
        self._checkpoint = None if whole else kept
        self._log = Log(
            folder,
            disk,
            writable=refusal is None and self._device is not None,
            device=self._device.id if self._device else "",
            mark=signed_head.latest(self._mark, kept),
            checkpoint=self._checkpoint,
        )
        self._attachments = Attachments(folder, disk)
        self._clock = clock.Clock(self._log.hlc, now)
        self._database: Database | None = None
        self._known_tables = self._believed_tables()
        self._to_sign = False
        if self.read_only is None:
            self._keep_reserve()

    @classmethod
    def open(
        cls, folder: Path, *, files: FileSystem = OS, now: clock.Now = clock.system, whole: bool = False
    ) -> Store:
        """Open the store in `folder`, making it where there is none.

        A second opener gets it read only; so does everyone when the journal or the device key is damaged,
        the key is missing, or the folder cannot be written.

        whole: read every entry, whatever the checkpoint vouches for.

        :raises StoreUnavailable: the folder can be neither made nor read.
        """
        lock, refusal = -1, None
        try:
            lock, refusal = _take_lock(folder, files)
            try:
                return cls(folder, files, now, lock, refusal, whole=whole)
            except OSError as error:
                if refusal is not None:
                    raise
                if error.errno in NO_SPACE and RESERVE in files.names(folder):
                    files.remove(folder / RESERVE)  # what an interrupted save left is mended with its room
                    with contextlib.suppress(OSError):
                        return cls(folder, files, now, lock, None, whole=whole)
                return cls(folder, files, now, lock, _unwritable(error), whole=whole)
        except OSError as error:
            _close(files, lock)
            raise StoreUnavailable(
                M(
                    "The store in {folder} cannot be used: {reason}.",
                    folder=str(folder),
                    reason=error.strerror or "",
                ),
                unchanged=M("Nothing was changed."),
                hint=M("Check that the folder is yours and can be written, or choose another with --home."),
            ) from error
        except BaseException:
            _close(files, lock)
            raise

    @classmethod
    def read(cls, folder: Path, *, files: FileSystem = OS) -> Store:
        """The store in `folder` as it is, for reading alone: nothing is locked, made or changed.

        :raises OSError: the folder cannot be read.
        """
        return cls(folder, files, clock.system, -1, M("The store was opened for reading alone."))

    # --- what there is

    @property
    def device(self) -> str:
        """The device's id; of a store that lost its key, as the journal has it."""
        return self._device.id if self._device else self._log.device

    @property
    def public_key(self) -> bytes:
        """The device's raw Ed25519 public key.

        :raises StoreDamaged: it is missing or damaged.
        """
        return self._key.public_key

    @property
    def read_only(self) -> Message | None:
        """Why nothing may be written, or None."""
        return self._refusal or self.key_fault or self._log.read_only

    @property
    def advice(self) -> Message:
        """What to do about a store that can only be read."""
        if self._refusal == HELD_ELSEWHERE:
            return M("Close the other fieldkit, then try again. Reading and exporting still work.")
        if self._refusal is not None:
            return M("Check the disk and your rights to the folder. Reading and exporting still work.")
        return M("`fieldkit store verify` says more. Reading and exporting still work.")

    @property
    def key_fault(self) -> Message | None:
        """What is wrong with the device key, so that nothing can be written in its name; or None."""
        return cast(Message, self._key_fault.message) if self._key_fault else None

    @property
    def files(self) -> FileSystem:
        """The disk it is on."""
        return self._files

    @property
    def refusal(self) -> Message | None:
        """Why this process may not write, whatever the journal is like: another does, or the disk refuses."""
        return self._refusal

    @property
    def trimmed(self) -> int:
        """How many bytes of a torn tail were cut and kept aside when it was opened."""
        return self._log.trimmed

    @property
    def mark(self) -> Mark | None:
        """The head that was last noted, and the one last signed."""
        return self._mark

    @property
    def holes(self) -> list[LostEntries]:
        """Lost entries that nobody has accepted yet; see `accept_holes`."""
        return list(self._log.open_holes)

    def damage(self, visit: str = "") -> list[Damage]:
        """What is not as it was stored; whoever shows entries says it. Ask after they were read.

        visit: what may concern this visit: its attached files too, and without entries that were lost before
        its first one. Losses that a person accepted are among them, marked as such.
        """
        damages = [Damage("key", self.key_fault)] if self.key_fault else []
        damages += self._log.damage()
        if not damages and not self._log.seq and any(self._attachments.held()):
            message = M("The journal is empty, yet attached files are here: entries may be lost.")
            damages.append(Damage("head", message))
        if not visit:
            return damages
        numbers = self._log.index.of_visit(visit, 0)
        begun = numbers[0] if numbers and self._begins(numbers[0]) else 0
        damages = [damage for damage in damages if not 0 < damage.last < begun]
        return damages + self._attachments.damage(self.entries(visit=visit))

    def _begins(self, seq: int) -> bool:
        try:
            return entry.decode(self._log.body(seq)).kind == "start"
        except (StoreDamaged, StoreUnavailable):
            return False

    def head(self) -> Head:
        """The last entry."""
        return Head(self.device, self._log.seq, self._log.hash)

    def now(self) -> datetime:
        """The time on the wall, as the next entry will have it."""
        return self._clock.now()

    def entries(self, *, visit: str | None = None, after: int = 0) -> Iterator[Entry]:
        """Entries in order, those of TinyDB's tables left out; of one visit, or all; after a number.

        Lost entries are left out; of a newer format's journal, those before the first newer one are given.
        """
        log = self._log
        with self._guard:
            numbers: Iterator[int] | list[int]
            if visit is None:
                numbers = log.index.of_the_rest(after, log.readable)
            else:
                numbers = [seq for seq in log.index.of_visit(visit, after) if seq <= log.readable]
        for _, body in self._bodies(numbers):
            yield entry.decode(body)

    def last_entries(self) -> Iterator[Entry]:
        """The last entry about each visit."""
        with self._guard:
            numbers = sorted(self._log.index.last_of_visits(self._log.readable).values())
        for _, body in self._bodies(numbers):
            yield entry.decode(body)

    def _bodies(self, numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """Entries' JSON by their numbers; one that cannot be read any more is left out from then on.

        The store is then read-only, and `damage` says it.
        """
        for seq in numbers:
            try:
                yield seq, self._log.body(seq)
            except StoreDamaged:
                with self._guard:
                    self._log.lose(seq)
                    if self._refusal is None:
                        with contextlib.suppress(OSError):  # it vouched for what is not so
                            self._files.remove(self.folder / checkpoint.NAME)

    def is_lost(self, seq: int) -> bool:
        """Whether the entry `seq`, of those up to the head, was not there when it was last looked for."""
        return not self._log.index.place(seq).length

    def lines(self, first: int, last: int) -> Iterator[bytes]:
        """The stored JSON of all entries from `first` to `last`, both included, the chain checked.

        :raises StoreDamaged: one is lost or changed.
        """
        previous = ""
        for seq in range(first, min(last, self._log.seq) + 1):
            body = self._log.body(seq)
            chain_link = link(body)
            hash = entry.digest(body)
            whole = (
                chain_link is not None
                and chain_link.seq == seq
                and chain_link.prev == (previous or chain_link.prev)
            )
            if not whole or (seq == self._log.seq and hash != self._log.hash):
                raise StoreDamaged(
                    M("Entry {seq} of the journal is not the one that was written.", seq=seq),
                    unchanged=M("It is left as it is."),
                    hint=M("`fieldkit store verify` says what is damaged."),
                )
            previous = hash
            yield body

    def sign(self, data: bytes) -> bytes:
        """The device's Ed25519 signature over `data`."""
        return self._key.sign(data)

    @property
    def _key(self) -> Device:
        if self._device is None:
            assert self._key_fault is not None
            raise self._key_fault
        return self._device

    def signed_head(self) -> SignedHead:
        """The head with the device's signature over `signed_head.statement(head)`; noted in the store."""
        with self._guard:
            head = self.head()
            signed = SignedHead(head, self.sign(signed_head.statement(head)).hex())
            if self.read_only is None:
                self._to_sign = True  # noted at the closing, if it cannot be now
                with contextlib.suppress(OSError):
                    self._note(Mark(head, signed))
                    self._to_sign = False
            return signed

    @property
    def db(self) -> Database:
        """TinyDB over the journal: any table, any query; each call that writes appends one entry."""
        with self._guard:
            if self._database is None:
                from fieldkit.journal.database import Database, JournalStorage

                self._database = Database(self, self._guard, self._known_tables, storage=JournalStorage)
            return self._database

    # --- what is added

    def append(self, draft: Draft) -> Entry:
        """Add an entry; it is on disk when this returns.

        :raises NotStorable: its value has no canonical form. :raises StoreReadOnly: nothing may be written.
        :raises StoreFull: the disk is full; nothing changed. :raises WriteFailed: the disk failed.
        """
        with self._guard:
            return self._append(draft)[1]

    def _append(self, draft: Draft) -> tuple[bytes, Entry]:
        self._may_write()
        hlc, wall = self._clock.tick()
        log = self._log
        body, made = entry.encode(draft, dev=self.device, seq=log.seq + 1, prev=log.hash, hlc=hlc, wall=wall)
        place = ChainLink(made.v, made.dev, made.seq, made.prev, made.hlc, made.kind, made.visit)
        try:
            log.append(body, place)
        except StoreFull:
            if not entry.traits(draft.kind).finishing or not self._spend_reserve():
                raise
            log.append(body, place)
        self._to_sign = self._to_sign or entry.traits(draft.kind).finishing
        return body, made

    def attach(self, source: Path | bytes, name: str, *, finishing: bool = False) -> Attachment:
        """Keep a file (or bytes); it is on disk when this returns.

        finishing: it belongs to the end of a visit, so on a full disk the reserve is given up for it.
        """
        with self._guard:
            self._may_write()
            try:
                return self._attachments.add_file(source, name)
            except StoreFull:
                if not finishing or not self._spend_reserve():
                    raise
                return self._attachments.add_file(source, name)

    def attachment(self, sha256: str) -> bytes:
        """The bytes of an attachment, verified."""
        return self._attachments.get(sha256)

    def attachment_path(self, sha256: str) -> Path:
        """Where an attachment's file is."""
        return self._attachments.path(sha256)

    @contextlib.contextmanager
    def finishing(self) -> Iterator[None]:
        """Within, a visit is finished: where the disk has no room for that, the reserve is given up before.

        It is made again afterwards, as large as the room that is left.
        """
        with self._guard:
            if self.read_only is None and not self._has_room():
                self._spend_reserve()
        try:
            yield
        finally:
            with self._guard:
                if self.read_only is None:
                    self._keep_reserve()

    def accept_holes(self, who: str = "") -> list[LostEntries]:
        """Go on without what is lost: an entry says which numbers that are, and by what hash they are known.

        Nothing that is there is changed, and no number is used twice.

        :raises StoreUnavailable: the disk refused; the store is as it was.
        """
        with self._guard:
            reason = self._refusal or self.key_fault or self._log.disk_fault
            if reason is not None:
                hint = M("Copy the folder of the store to another disk, and repair it there.")
                raise StoreReadOnly(
                    reason, unchanged=M("Nothing was changed."), hint=hint if self._log.disk_fault else None
                )
            if not self._log.open_holes:
                return []
            try:
                with self._log.passing_over() as holes:
                    self._append(Draft(REPAIR, who=who, value={"holes": [list(hole.key) for hole in holes]}))
            except OSError as error:
                raise StoreUnavailable(
                    M("The store could not be repaired: {reason}.", reason=error.strerror or ""),
                    unchanged=M("Nothing was changed."),
                    hint=M("Free some space, or check the disk that holds it, then try again."),
                ) from error
            self._keep_reserve()
            return holes

    # --- the source of TinyDB's tables

    def table_bodies(self, after: int) -> Iterator[tuple[int, bytes]]:
        """The entries of kind "table" after a number, with their numbers."""
        return self._bodies(seq for seq in self._log.index.of_tables(after) if seq <= self._log.readable)

    def part(self, seq: int, start: int, length: int, checksum: int) -> bytes:
        """A part of the JSON of the entry `seq`, checked."""
        return self._log.part(seq, start, length, checksum)

    def commit(self, changes: list[Change]) -> tuple[int, bytes]:
        """Append a group of changes of TinyDB's tables as one entry; its number and JSON."""
        with self._guard:
            body, made = self._append(Draft(TABLE, value={"ops": changes}))
            return made.seq, body

    # --- within

    def _may_write(self) -> None:
        reason = self.read_only
        if reason is not None:
            raise StoreReadOnly(
                reason,
                unchanged=M("Nothing was saved."),
                hint=self.advice,
            )

    def _read_mark(self) -> Mark | None:
        try:
            mark = signed_head.load(self.folder, self._files)
        except ValueError:  # `verify` says so; the next closing notes the head anew
            return None
        own = self._device is None or mark is None or mark.head.device == self._device.id
        return mark if own else None

    def _believed_tables(self) -> checkpoint.Tables | None:
        """TinyDB's tables as the checkpoint has them, if the journal still says so."""
        tables = self._checkpoint.tables if self._checkpoint and self._log.resumed else None
        if tables is None or self._log.scan.holes or tables.seq > self._log.readable:
            return None
        return tables if tables.seq == 0 or self._log.hash_of(tables.seq) == tables.hash else None

    def _note(self, noted: Mark) -> None:
        try:
            signed_head.save(noted, self.folder, self._files)
        except OSError as error:
            if error.errno not in NO_SPACE or not self._spend_reserve():
                raise
            signed_head.save(noted, self.folder, self._files)
        self._mark = noted

    def _keep_reserve(self) -> None:
        """Make the reserve where it is not whole; on a nearly full disk, as large as there is room."""
        with contextlib.suppress(OSError):
            held = folder_check.reserve_size(self.folder, self._files)
            whole = folder_check.RESERVE_SIZE
            content = folder_check.reserved(whole) if held < whole else b""
            for size in range(whole, held, -max(1, whole // folder_check.RESERVE_PARTS)):
                try:
                    write_whole(self._files, self.folder / RESERVE, [content[:size]])
                    return
                except OSError as error:
                    if error.errno not in NO_SPACE:
                        raise

    def _has_room(self) -> bool:
        """Whether the disk takes as much as the reserve would give; with quotas only writing tells."""
        files, path = self._files, self.folder / ROOM
        try:
            descriptor = files.open(path, write=True)
            try:
                files.write_at(descriptor, 0, folder_check.reserved(folder_check.RESERVE_SIZE))
                files.sync(descriptor)
            finally:
                files.close(descriptor)
        except OSError as error:
            return error.errno not in NO_SPACE
        finally:
            with contextlib.suppress(OSError):
                files.remove(path)
        return True

    def _spend_reserve(self) -> bool:
        if RESERVE not in self._files.names(self.folder):
            return False
        self._files.remove(self.folder / RESERVE)
        self._files.sync_folder(self.folder)
        return True

    def _take_leave(self, tables: checkpoint.Tables | None) -> None:
        """Note the head, signed if a visit was finished; and the checkpoint, if there is one to write."""
        head = self.head()
        signed = self._mark.signed if self._mark else None
        if self._to_sign:
            signed = SignedHead(head, self.sign(signed_head.statement(head)).hex())
        if self._mark != Mark(head, signed):
            self._note(Mark(head, signed))
        if self._grown:
            columns = msgspec.structs.replace(self._log.index.columns(), segments=self._log.stamped())
            kept = checkpoint.Checkpoint(
                checkpoint.KIND, head.device, head.hash, self._log.hlc, columns, tables
            )
            checkpoint.save(kept, self.folder, self._files)

    @property
    def _grown(self) -> bool:
        """Whether a new checkpoint is worth its writing."""
        return self._log.seq - self._log.resumed >= checkpoint.LEAST and not self._log.scan.holes

    def close(self) -> None:
        """Let the store go; whatever was appended is already on disk."""
        with self._guard:
            if self._lock == CLOSED:
                return
            writable = self.read_only is None
            tables = self._known_tables
            with contextlib.suppress(OSError, FieldkitError):  # notes for the next opening, no more
                if writable and self._grown and self._database is not None:
                    tables = self._database.packed(self._log.hash_of)
            self._log.close()
            if writable and self._log.seq:
                with contextlib.suppress(OSError, FieldkitError):
                    self._take_leave(tables)
                    self._keep_reserve()
            _close(self._files, self._lock)
            self._lock = CLOSED

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


CLOSED = -2
HELD_ELSEWHERE = M("Another fieldkit has this store open, so here it can only be read.")


def _take_lock(folder: Path, disk: FileSystem) -> tuple[int, Message | None]:
    """The lock's descriptor, and why nothing may be written if another holds it or nobody can."""
    disk.folder(folder)
    try:
        lock = disk.open(folder / LOCK, write=True)
    except OSError as error:
        disk.names(folder)  # a folder that cannot even be read is no store
        return -1, _unwritable(error)
    try:
        if disk.lock(lock):
            return lock, None
        reason = HELD_ELSEWHERE
    except OSError as error:
        reason = M(
            "The store cannot be locked ({reason}), so here it can only be read.",
            reason=error.strerror or "",
        )
    _close(disk, lock)
    return -1, reason


def _unwritable(error: OSError) -> Message:
    return M(
        "The store cannot be written ({reason}), so here it can only be read.", reason=error.strerror or ""
    )


def _close(disk: FileSystem, descriptor: int) -> None:
    if descriptor >= 0:
        with contextlib.suppress(OSError):
            disk.close(descriptor)

"""TinyDB over the journal, by its own extension points: each call that writes is one appended entry.

An entry of kind "table" holds the changes of one call. Documents stay on the disk and are decoded
for each reader, so changing one in hand changes nothing that is stored.
"""

from __future__ import annotations

import threading
from array import array
from binascii import crc32
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Literal, Protocol, TypeVar

import msgspec
from tinydb import TinyDB
from tinydb.queries import QueryLike
from tinydb.storages import Storage
from tinydb.table import Document, Table

from fieldkit.journal import entry
from fieldkit.journal.checkpoint import Documents, Tables
from fieldkit.journal.errors import StoreDamaged
from fieldkit.text import M

Change = (
    tuple[Literal["set"], str, str, msgspec.Raw]  # table, id, document
    | tuple[Literal["remove"], str, str]  # table, id
    | tuple[Literal["create", "drop"], str]
)
Fields = Mapping[str, object]
Id = TypeVar("Id", str, int)

Where = tuple[int, int, int, int]
"""Of a document: its entry, the offset and length of its JSON in that, and their checksum."""

_OPS = b'"value":{"ops":['


class _Ops(msgspec.Struct):
    ops: list[list[msgspec.Raw]]


class _Group(msgspec.Struct):
    value: _Ops


_groups = msgspec.json.Decoder(_Group)


class TableSource(Protocol):
    """The journal, as the tables see it."""

    def table_bodies(self, after: int) -> Iterator[tuple[int, bytes]]:
        """The entries of kind "table" after a number."""

    def part(self, seq: int, start: int, length: int, checksum: int) -> bytes:
        """A part of an entry's JSON, checked."""

    def commit(self, changes: list[Change]) -> tuple[int, bytes]:
        """Append them as one entry; its number and JSON, durable."""


class JournalStorage(Storage):
    """Where every document is. guard: held while one is looked at and changed."""

    def __init__(self, source: TableSource, guard: threading.RLock, known: Tables | None) -> None:
        self.guard = guard
        self._source = source
        self._tables: dict[str, dict[str, Where]] = {}
        self._seq = 0
        if known is not None:
            self._seq = known.seq
            self._tables = {name: _unpacked(held) for name, held in known.documents.items()}
        for seq, body in source.table_bodies(self._seq):
            self._apply(seq, body)

    def read(self) -> dict[str, Any] | None:
        """Every table, decoded when looked at; None when there is none, as TinyDB expects."""
        with self.guard:
            return {name: self.documents(name) for name in self._tables} or None

    def write(self, data: Mapping[str, Mapping[str, Fields]]) -> None:
        """Bring everything to `data`, by the difference: dropped tables come this way."""
        with self.guard:
            changes: list[Change] = [("drop", name) for name in self._tables if name not in data]
            for name, wanted in data.items():
                if isinstance(wanted, _Documents):  # as it was read
                    continue
                overlay = Overlay[str](self, name, str)
                for id in [id for id in overlay if id not in wanted]:
                    del overlay[id]
                for id, document in wanted.items():
                    overlay[str(id)] = document
                changes += overlay.changes()
            self.commit(changes)

    def commit(self, changes: list[Change]) -> None:
        """Make changes durable as one entry, then visible."""
        if changes:
            self._apply(*self._source.commit(changes))

    def has(self, table: str) -> bool:
        return table in self._tables

    def places(self, table: str) -> dict[str, Where]:
        """Where the documents of a table are, by id, in TinyDB's order."""
        return self._tables.get(table, {})

    def raw(self, where: Where) -> bytes:
        """A document's stored JSON."""
        return self._source.part(*where)

    def documents(self, table: str) -> Mapping[str, Fields]:
        """The documents of a table, decoded when looked at."""
        return _Documents(self, self.places(table))

    def packed(self, hash_of: Callable[[int], str]) -> Tables:
        """Where every document is, to be kept in a checkpoint."""
        return Tables(
            self._seq,
            hash_of(self._seq) if self._seq else "",
            {name: _packed(places) for name, places in self._tables.items()},
        )

    def _apply(self, seq: int, body: bytes) -> None:
        try:
            ops = _groups.decode(body).value.ops
            at = body.index(_OPS) + len(_OPS)
            for op in ops:
                at += 1
                verb, table, *rest = [bytes(raw) for raw in op]
                name = msgspec.json.decode(table, type=str)
                self._change(verb, name, rest, seq, at + len(verb) + len(table) + 2)
                at += sum(map(len, op)) + len(op) + 1
        except (msgspec.MsgspecError, ValueError):
            raise StoreDamaged(
                M("Entry {seq} of the journal holds no table's changes.", seq=seq),
                unchanged=M("It is left as it is."),
            ) from None
        self._seq = seq

    def _change(self, verb: bytes, name: str, rest: list[bytes], seq: int, at: int) -> None:
        if verb == b'"drop"':
            self._tables.pop(name, None)
            return
        documents = self._tables.setdefault(name, {})
        if verb == b'"set"':
            id, document = rest
            where = seq, at + len(id) + 1, len(document), crc32(document)
            documents[msgspec.json.decode(id, type=str)] = where
        elif verb == b'"remove"':
            documents.pop(msgspec.json.decode(rest[0], type=str), None)


class _Documents(Mapping[str, Fields]):
    """A table as it is now; once iteration began, as it was then."""

    def __init__(self, storage: JournalStorage, places: dict[str, Where]) -> None:
        self._storage = storage
        self._places = places

    def __getitem__(self, id: str) -> Fields:
        return msgspec.json.decode(self._storage.raw(self._places[id]), type=dict[str, object])

    def __contains__(self, id: object) -> bool:
        return id in self._places

    def __iter__(self) -> Iterator[str]:
        with self._storage.guard:
            self._places = dict(self._places)
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class Overlay(MutableMapping[Id, Fields]):
    """A table as an updater sees it: what it touches is noted, the rest stays on the disk."""

    def __init__(self, storage: JournalStorage, table: str, id_class: Callable[[str], Id]) -> None:
        self._storage = storage
        self._table = table
        self._stored = storage.places(table)
        self._id_class: Callable[[str], Id] = id_class
        self._seen: dict[Id, Fields] = {}
        self._gone: set[Id] = set()

    def __getitem__(self, id: Id) -> Fields:
        if id in self._gone:
            raise KeyError(id)
        if id not in self._seen:
            self._seen[id] = msgspec.json.decode(self._storage.raw(self._stored[str(id)]))
        return self._seen[id]

    def __setitem__(self, id: Id, document: Fields) -> None:
        self._gone.discard(id)
        self._seen[id] = document

    def __delitem__(self, id: Id) -> None:
        if id not in self:
            raise KeyError(id)
        self._seen.pop(id, None)
        if str(id) in self._stored:
            self._gone.add(id)

    def __contains__(self, id: object) -> bool:
        return id not in self._gone and (id in self._seen or str(id) in self._stored)

    def __iter__(self) -> Iterator[Id]:
        for id in map(self._id_class, self._stored):
            if id not in self._gone:
                yield id
        yield from [id for id in self._seen if str(id) not in self._stored]

    def __len__(self) -> int:
        return len(self._stored) - len(self._gone) + sum(str(id) not in self._stored for id in self._seen)

    def clear(self) -> None:
        self._seen.clear()
        self._gone = set(map(self._id_class, self._stored))

    def changes(self) -> list[Change]:
        """What differs now from what is stored, documents in canonical form already."""
        changes: list[Change] = []
        if not self._storage.has(self._table):
            changes.append(("create", self._table))
        changes += [("remove", self._table, str(id)) for id in sorted(self._gone, key=str)]
        for id, document in self._seen.items():
            raw = entry.canonical(dict(document))
            where = self._stored.get(str(id))
            if where is None or self._storage.raw(where) != raw:
                changes.append(("set", self._table, str(id), msgspec.Raw(raw)))
        return changes


class JournalTable(Table):
    """A TinyDB table whose writes cost what they change, not what the table holds.

    cache_size: taken for TinyDB's sake and not used: a kept result would be shared by its readers.
    """

    _storage: JournalStorage

    def __init__(
        self, storage: JournalStorage, name: str, cache_size: int = 0, persist_empty: bool = False
    ) -> None:
        super().__init__(storage, name, 0, persist_empty)

    def _read_table(self) -> dict[str, Fields]:
        return self._storage.documents(self.name)  # type: ignore[return-value]  # read as a mapping only

    def _update_table(self, updater: Callable[[dict[int, Fields]], None]) -> None:
        with self._storage.guard:
            overlay = Overlay(self._storage, self.name, self.document_id_class)
            updater(overlay)  # type: ignore[arg-type]  # it asks for a dict and uses a mutable mapping
            self._storage.commit(overlay.changes())

    def insert(self, document: Fields) -> int:
        with self._storage.guard:
            return super().insert(document)

    def update(
        self,
        fields: Fields | Callable[[MutableMapping[str, object]], None],
        cond: QueryLike | None = None,
        doc_ids: Iterable[int] | None = None,
    ) -> list[int]:
        with self._storage.guard:
            return super().update(fields, None, self._meant(cond) if doc_ids is None else doc_ids)

    def upsert(self, document: Fields, cond: QueryLike | None = None) -> list[int]:
        with self._storage.guard:
            if not self._storage.has(self.name) and (cond is not None or isinstance(document, Document)):
                return [self.insert(document)]  # an update that finds nothing would be an entry of its own
            return super().upsert(document, cond)

    def remove(self, cond: QueryLike | None = None, doc_ids: Iterable[int] | None = None) -> list[int]:
        with self._storage.guard:
            return super().remove(cond, self._meant(cond) if doc_ids is None else doc_ids)

    def _meant(self, cond: QueryLike | None) -> list[int] | None:
        """The documents that a condition means, found before anything is touched."""
        if cond is None:
            return None
        return [document.doc_id for document in self if isinstance(document, Document) and cond(document)]


class Database(TinyDB):
    """TinyDB's face of the store."""

    table_class = JournalTable  # type: ignore[assignment]  # whose storage is a journal
    default_storage_class = JournalStorage  # type: ignore[assignment]  # declared as the JSON one

    def drop_table(self, name: str) -> None:
        with self._journal.guard:
            super().drop_table(name)

    def drop_tables(self) -> None:
        with self._journal.guard:
            super().drop_tables()

    def packed(self, hash_of: Callable[[int], str]) -> Tables:
        """Where every document is, to be kept in a checkpoint."""
        with self._journal.guard:
            return self._journal.packed(hash_of)

    @property
    def _journal(self) -> JournalStorage:
        assert isinstance(self.storage, JournalStorage)
        return self.storage


def _packed(places: dict[str, Where]) -> Documents:
    columns = [array("Q", column).tobytes() for column in zip(*places.values(), strict=True)] or [b""] * 4
    return Documents(list(places), *columns)


def _unpacked(held: Documents) -> dict[str, Where]:
    columns: list[array[int]] = []
    for packed in (held.entries, held.starts, held.lengths, held.checksums):
        columns.append(array("Q"))
        columns[-1].frombytes(packed)
    return dict(zip(held.ids, zip(*columns, strict=True), strict=True))

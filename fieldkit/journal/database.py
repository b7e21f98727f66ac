"""TinyDB over the journal, by its own extension points: its tables and queries, each write one appended entry.

An entry of kind "table" holds the group of changes that one TinyDB call made. Documents are kept as
JSON and decoded for each reader, so changing one in hand changes nothing that is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any

import msgspec
from tinydb import TinyDB
from tinydb.queries import QueryLike
from tinydb.storages import Storage
from tinydb.table import Document, Table

Change = tuple[str, str, Any]  # table, document id, document or None
State = dict[str, dict[str, bytes]]


class JournalStorage(Storage):
    """What TinyDB reads from and commits to. commit: appends one entry, durable when it returns."""

    def __init__(self, changes: Iterable[list[Change]], commit: Callable[[list[Change]], None]) -> None:
        self.state: State = {}
        self._commit = commit
        for group in changes:
            self._apply(group)

    def read(self) -> dict[str, dict[str, Any]] | None:
        """Everything, decoded; None when there is nothing, as TinyDB expects of a new storage."""
        if not self.state:
            return None
        return {
            table: {id: msgspec.json.decode(raw) for id, raw in documents.items()}
            for table, documents in self.state.items()
        }

    def write(self, data: Mapping[str, Mapping[str, Any]]) -> None:
        """Bring the state to `data`, by the difference: `drop_table` and `drop_tables` come this way."""
        group: list[Change] = []
        for table, documents in self.state.items():
            group += [(table, id, None) for id in documents if id not in data.get(table, {})]
        for table, wanted in data.items():
            for id, document in wanted.items():
                if self.document(table, str(id)) != document:
                    group.append((table, str(id), document))
        self.commit(group)
        for table in [table for table in self.state if table not in data]:
            del self.state[table]

    def commit(self, group: list[Change]) -> None:
        """Make one group of changes durable, then visible."""
        if group:
            self._commit(group)
            self._apply(group)

    def document(self, table: str, id: str) -> Any:
        """One document, decoded; None if there is none."""
        raw = self.state.get(table, {}).get(id)
        return None if raw is None else msgspec.json.decode(raw)

    def _apply(self, group: Iterable[Change]) -> None:
        for table, id, document in group:
            documents = self.state.setdefault(table, {})
            if document is None:
                documents.pop(id, None)
            else:
                documents[id] = msgspec.json.encode(document)


class _Overlay(MutableMapping[int, Any]):
    """A table as an updater sees it: what it changes is noted, the rest is decoded when looked at."""

    def __init__(self, storage: JournalStorage, table: str) -> None:
        self._storage = storage
        self._table = table
        self._stored = storage.state.get(table, {})
        self._seen: dict[int, Any] = {}
        self._gone: set[int] = set()

    def __getitem__(self, id: int) -> Any:
        if id in self._gone:
            raise KeyError(id)
        if id not in self._seen:
            found = self._storage.document(self._table, str(id))
            if found is None:
                raise KeyError(id)
            self._seen[id] = found
        return self._seen[id]

    def __setitem__(self, id: int, document: Any) -> None:
        self._gone.discard(id)
        self._seen[id] = document

    def __delitem__(self, id: int) -> None:
        if id not in self:
            raise KeyError(id)
        self._seen.pop(id, None)
        self._gone.add(id)

    def __contains__(self, id: object) -> bool:
        return id not in self._gone and (id in self._seen or str(id) in self._stored)

    def __iter__(self) -> Iterator[int]:
        stored = [int(id) for id in self._stored]
        yield from (id for id in stored if id not in self._gone)
        yield from (id for id in self._seen if str(id) not in self._stored)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def changes(self) -> list[Change]:
        """What differs now from what is stored."""
        group: list[Change] = [
            (self._table, str(id), None) for id in sorted(self._gone) if str(id) in self._stored
        ]
        for id, document in self._seen.items():
            plain = dict(document)
            if self._storage.document(self._table, str(id)) != plain:
                group.append((self._table, str(id), plain))
        return group


class JournalTable(Table):
    """A TinyDB table whose writes cost what they change, not what the table holds."""

    _storage: JournalStorage

    def _read_table(self) -> dict[str, Mapping[str, Any]]:
        stored = self._storage.state.get(self.name, {})
        return {id: msgspec.json.decode(raw) for id, raw in stored.items()}

    def _update_table(self, updater: Callable[[dict[int, Mapping[str, Any]]], None]) -> None:
        overlay = _Overlay(self._storage, self.name)
        updater(overlay)  # type: ignore[arg-type]  # it asks for a dict and uses a mutable mapping
        self._storage.commit(overlay.changes())
        self.clear_cache()

    def update(  # type: ignore[override]  # a callable that gets the document
        self,
        fields: Mapping[str, Any] | Callable[[Mapping[str, Any]], None],
        cond: QueryLike | None = None,
        doc_ids: Iterable[int] | None = None,
    ) -> list[int]:
        if cond is not None and doc_ids is None:  # only the documents meant are looked at for changes
            doc_ids = [document.doc_id for document in self.search(cond) if isinstance(document, Document)]
        return super().update(fields, None, doc_ids)


class Database(TinyDB):
    """TinyDB's face of the store."""

    table_class = JournalTable
    default_storage_class = JournalStorage  # type: ignore[assignment]  # declared as the JSON one

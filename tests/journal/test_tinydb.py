"""TinyDB over memory is the oracle: the same calls give the same documents, ids, results and errors."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tinydb import TinyDB, operations, where
from tinydb.storages import MemoryStorage
from tinydb.table import Document

from fieldkit.journal.entry import Draft
from fieldkit.journal.store import Store
from tests.faults.crashing import CrashingDisk

Work = Callable[[TinyDB], Any]

fields = st.sampled_from(["a", "b", "c"])
scalars = st.integers(-3, 9) | st.text("xyé", max_size=3) | st.booleans() | st.none()
documents = st.dictionaries(fields, scalars | st.lists(scalars, max_size=2), max_size=3)
ids = st.integers(1, 8)
tables = st.sampled_from(["one", "two", "_default"])
operators = st.sampled_from(
    [
        operations.delete("a"),
        operations.set("b", 5),
        operations.increment("a"),
        operations.decrement("c"),
        operations.add("a", 2),
        operations.subtract("b", 1),
    ]
)


@st.composite
def conditions(draw: st.DrawFn) -> Any:
    field, value = draw(fields), draw(scalars)
    simple = draw(
        st.sampled_from(
            [
                where(field) == value,
                where(field) != value,
                where(field).exists(),
                ~where(field).exists(),
                where(field).one_of([1, 2, "x"]),
                where(field).test(lambda found: isinstance(found, int)),
                where(field).fragment({}),
            ]
        )
    )
    return simple & where("a").exists() if draw(st.booleans()) and field != "a" else simple


def _calls(table: str) -> st.SearchStrategy[Work]:
    def on(work: Callable[[Any], Any]) -> Work:
        return lambda db: work(db.table(table))

    some_ids = st.lists(ids, max_size=3)
    return st.one_of(
        documents.map(lambda d: on(lambda t: t.insert(dict(d)))),
        st.tuples(documents, ids).map(lambda p: on(lambda t: t.insert(Document(dict(p[0]), p[1])))),
        st.lists(documents, max_size=3).map(lambda ds: on(lambda t: t.insert_multiple(map(dict, ds)))),
        st.lists(st.tuples(documents, ids), max_size=3).map(
            lambda ps: on(lambda t: t.insert_multiple([Document(dict(d), i) for d, i in ps]))
        ),
        st.tuples(documents, conditions()).map(lambda p: on(lambda t: t.update(dict(p[0]), p[1]))),
        documents.map(lambda d: on(lambda t: t.update(dict(d)))),
        st.tuples(documents, some_ids).map(lambda p: on(lambda t: t.update(dict(p[0]), doc_ids=p[1]))),
        st.tuples(operators, conditions()).map(lambda p: on(lambda t: t.update(p[0], p[1]))),
        operators.map(lambda o: on(lambda t: t.update(o))),
        st.lists(st.tuples(documents | operators, conditions()), max_size=3).map(
            lambda ps: on(lambda t: t.update_multiple(ps))
        ),
        st.tuples(documents, conditions()).map(lambda p: on(lambda t: t.upsert(dict(p[0]), p[1]))),
        st.tuples(documents, ids).map(lambda p: on(lambda t: t.upsert(Document(dict(p[0]), p[1])))),
        documents.map(lambda d: on(lambda t: t.upsert(dict(d)))),
        conditions().map(lambda c: on(lambda t: t.remove(c))),
        some_ids.map(lambda i: on(lambda t: t.remove(doc_ids=i))),
        st.just(on(lambda t: t.remove())),
        st.just(on(lambda t: t.truncate())),
        st.just(lambda db: db.drop_table(table)),
        conditions().map(lambda c: on(lambda t: t.search(c))),
        conditions().map(lambda c: on(lambda t: t.get(c))),
        st.tuples(conditions(), ids).map(lambda p: on(lambda t: t.get(p[0], p[1]))),
        ids.map(lambda i: on(lambda t: t.get(doc_id=i))),
        some_ids.map(lambda i: on(lambda t: t.get(doc_ids=i))),
        conditions().map(lambda c: on(lambda t: t.contains(c))),
        ids.map(lambda i: on(lambda t: t.contains(doc_id=i))),
        conditions().map(lambda c: on(lambda t: t.count(c))),
        st.just(on(len)),
    )


calls = st.one_of(tables.flatmap(_calls), st.just(lambda db: db.drop_tables()), st.just(lambda db: len(db)))


def seen(db: TinyDB) -> dict[str, list[tuple[int, dict[str, Any]]]]:
    return {
        name: [(document.doc_id, dict(document)) for document in db.table(name)]
        for name in sorted(db.tables())
    }


def outcome(work: Work, db: TinyDB) -> Any:
    """What a call gives, or the kind of error it ends in."""
    try:
        found = work(db)
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        return type(error)
    if isinstance(found, Document):
        return found.doc_id, dict(found)
    if isinstance(found, list):
        return [(each.doc_id, dict(each)) if isinstance(each, Document) else each for each in found]
    return found


class Memory(MemoryStorage):
    """One that gives copies, as a file does: what a failed call did to a document in hand is not stored."""

    def read(self) -> Any:
        return copy.deepcopy(super().read())


class Ours:
    """A store on a disk in memory, which can be closed and opened again."""

    def __init__(self) -> None:
        self._disk = CrashingDisk()
        self.store = self._open()

    def _open(self) -> Store:
        return Store.open(Path("/store"), files=self._disk)

    def again(self) -> None:
        self.store.close()
        self.store = self._open()


def compare(sequence: list[Work | None]) -> None:
    """None among the calls: the store is closed and opened again, which its documents do not notice."""
    ours, theirs = Ours(), TinyDB(storage=Memory)
    for number, work in enumerate(sequence):
        if work is None:
            ours.again()
            theirs._tables.clear()  # ids are counted from the documents again, as after opening a file
            continue
        before = ours.store.head().seq
        assert outcome(work, ours.store.db) == outcome(work, theirs), number
        assert seen(ours.store.db) == seen(theirs), number
        assert ours.store.head().seq <= before + 1  # one call is one entry at most
    ours.again()
    assert seen(ours.store.db) == seen(theirs)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(calls | st.none(), max_size=25))
def test_the_same_calls_give_the_same_documents_as_tinydb_in_memory(sequence: list[Work | None]) -> None:
    compare(sequence)


@pytest.mark.soak
@settings(max_examples=30_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(calls | st.none(), max_size=40))
def test_many_more_calls_give_the_same_documents_as_tinydb_in_memory(sequence: list[Work | None]) -> None:
    compare(sequence)


def test_a_call_that_fails_half_way_changes_nothing(folder: Path) -> None:
    with Store.open(folder) as store:
        table = store.db.table("t")
        table.insert_multiple([{"n": 1}, {"n": "text"}, {"n": 3}])
        head = store.head()
        with pytest.raises(TypeError):
            table.update(operations.increment("n"))
        assert store.head() == head
        assert [document["n"] for document in table] == [1, "text", 3]


def test_changing_a_document_in_hand_changes_nothing_that_is_stored(folder: Path) -> None:
    with Store.open(folder) as store:
        table = store.db.table("t")
        table.insert({"list": [1], "deep": {"a": 1}})
        held = table.all()[0]
        held["list"].append(2)
        held["deep"]["a"] = 2
        assert table.all() == [{"list": [1], "deep": {"a": 1}}]
        assert table.search(where("list") == [1])


def test_a_document_without_a_canonical_form_is_refused_and_the_others_of_its_call_too(folder: Path) -> None:
    from fieldkit.journal.errors import NotStorable

    with Store.open(folder) as store:
        table = store.db.table("t")
        with pytest.raises(NotStorable):
            table.insert_multiple([{"good": 1}, {"bad": 1.5}])
        assert table.all() == []


def test_each_table_is_iterated_as_it_was_when_that_began(folder: Path) -> None:
    with Store.open(folder) as store:
        table = store.db.table("t")
        table.insert_multiple({"n": number} for number in range(5))
        met = []
        for document in table:
            met.append(document["n"])
            table.remove(doc_ids=[document.doc_id])
            table.insert({"n": 10 + document["n"]})
        assert met == [0, 1, 2, 3, 4]
        assert sorted(document["n"] for document in table) == [10, 11, 12, 13, 14]


@pytest.mark.parametrize("cost_of", ["insert", "update", "remove", "upsert"])
def test_a_change_writes_what_it_changes_whatever_the_table_holds(folder: Path, cost_of: str) -> None:
    with Store.open(folder) as store:
        table = store.db.table("t")
        sizes = []
        for count in (10, 1_000):
            table.insert_multiple({"n": number, "text": "x" * 50} for number in range(count))
            before = store.head().seq
            some = random.Random(count).choice(table.all()).doc_id
            match cost_of:
                case "insert":
                    table.insert({"n": 1})
                case "update":
                    table.update({"n": -1}, doc_ids=[some])
                case "remove":
                    table.remove(doc_ids=[some])
                case "upsert":
                    table.upsert(Document({"n": -2}, some))
            assert store.head().seq == before + 1
            sizes.append(len(next(store.lines(before + 1, before + 1))))
        assert sizes[1] - sizes[0] < 20


def test_tables_and_entries_share_one_journal_and_one_order(folder: Path) -> None:
    with Store.open(folder) as store:
        store.append(Draft("answer", value=1))
        store.db.insert({"a": 1})
        store.append(Draft("answer", value=2))
        assert [entry.seq for entry in store.entries()] == [1, 3]
        assert store.db.all() == [{"a": 1}]

"""SQLite as differential oracle: the same entries in one table of it answer every question alike."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tinydb import where

from fieldkit.journal import checkpoint, log
from fieldkit.journal.entry import Draft, plain
from fieldkit.journal.store import Store
from tests.faults.crashing import CrashingDisk
from tests.journal.test_entry import values

FOLDER = Path("/store")
visits = st.sampled_from(["", "v1", "v2", "chuyến-3", '"v\\4"'])
drafts = st.builds(
    Draft,
    st.sampled_from(["start", "answer", "evidence", "note", "signoff"]),
    visit=visits,
    item=st.sampled_from(["", "a", "mục b"]),
    value=values,
    who=st.sampled_from(["", "Kỹ thuật viên"]),
)


class Pair:
    """A store and a SQLite database that are told the same."""

    def __init__(self) -> None:
        self.disk = CrashingDisk()
        self.store = Store.open(FOLDER, files=self.disk)
        self.sqlite = sqlite3.connect(":memory:", isolation_level=None)
        self.sqlite.execute(
            "create table entry (seq integer primary key autoincrement, kind text, visit text, item text,"
            " who text, value text, prev text, hash text)"
        )

    def say(self, draft: Draft) -> None:
        made = self.store.append(draft)
        self._insert(draft, made.prev, made.hash)

    def _insert(self, draft: Draft, prev: str, hash: str) -> None:
        row = (draft.kind, draft.visit, draft.item, draft.who, json.dumps(plain(draft.value)), prev, hash)
        self.sqlite.execute(
            "insert into entry (kind, visit, item, who, value, prev, hash) values (?, ?, ?, ?, ?, ?, ?)", row
        )

    def set(self, id: int, value: Any) -> None:
        table = self.store.db.table("t")
        before = self.store.head()
        table.upsert({"id": id, "value": value}, where("id") == id)
        if self.store.head() != before:
            self._insert(Draft("table"), before.hash, self.store.head().hash)

    def again(self, end: Callable[[], None]) -> None:
        end()
        self.store = Store.open(FOLDER, files=self.disk)

    def forget_the_checkpoint(self) -> None:
        self.store.close()
        self.disk.remove(FOLDER / checkpoint.NAME)

    def compare(self) -> None:
        asked = "select seq, kind, visit, item, who, value, prev, hash from entry where kind != 'table' "
        last = self.sqlite.execute("select max(seq) from entry").fetchone()[0] or 0
        assert self.store.head().seq == last
        for where_, given_, entries in (
            ("", (), self.store.entries()),
            ("and seq > ?", (last // 2,), self.store.entries(after=last // 2)),
            ("and visit = ?", ("v1",), self.store.entries(visit="v1")),
            ("and visit = ?", ('"v\\4"',), self.store.entries(visit='"v\\4"')),
            ("and visit = ? and seq > ?", ("chuyến-3", 2), self.store.entries(visit="chuyến-3", after=2)),
        ):
            expected = self.sqlite.execute(f"{asked} {where_} order by seq", given_).fetchall()
            found = [
                (e.seq, e.kind, e.visit, e.item, e.who, json.dumps(e.value), e.prev, e.hash) for e in entries
            ]
            assert [(*row[:5], json.loads(row[5]), *row[6:]) for row in found] == [
                (*row[:5], json.loads(row[5]), *row[6:]) for row in expected
            ]
        hashes = self.sqlite.execute("select hash from entry order by seq").fetchall()
        assert [(hashlib.sha256(body).hexdigest(),) for body in self.store.lines(1, last)] == hashes


steps = st.one_of(
    st.lists(drafts, min_size=1, max_size=4).map(lambda ds: lambda pair: [pair.say(d) for d in ds]),
    st.tuples(st.integers(1, 3), st.integers(0, 9)).map(lambda p: lambda pair: pair.set(*p)),
    st.just(lambda pair: pair.again(pair.store.close)),
    st.just(lambda pair: pair.again(pair.disk.kill)),
    st.just(lambda pair: pair.again(pair.disk.cut)),
    st.just(lambda pair: pair.again(pair.forget_the_checkpoint)),
)


@pytest.fixture(autouse=True, scope="module")
def small() -> Any:
    """Segments and checkpoints of a few entries, so that each way of opening is met."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "SEGMENT_SIZE", 2_500)
        patch.setattr(log, "FIRST_PADDING", 500)
        patch.setattr(checkpoint, "LEAST", 4)
        yield


def follow(sequence: list[Callable[[Pair], Any]]) -> None:
    pair = Pair()
    for step in sequence:
        step(pair)
    pair.compare()
    pair.again(pair.store.close)
    pair.compare()


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, max_size=15))
def test_the_journal_says_what_sqlite_says(sequence: list[Callable[[Pair], Any]]) -> None:
    follow(sequence)


@pytest.mark.soak
@settings(max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, max_size=40))
def test_the_journal_says_what_sqlite_says_after_much_more(sequence: list[Callable[[Pair], Any]]) -> None:
    follow(sequence)

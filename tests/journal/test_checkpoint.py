"""The checkpoint only saves time: with it, without it or with a false one the store says the same."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tinydb import where

from fieldkit.journal import checkpoint, log
from fieldkit.journal.entry import Draft
from fieldkit.journal.files import Disk
from fieldkit.journal.store import Store
from tests.journal.conftest import flip


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints after a few entries and segments of a few more."""
    monkeypatch.setattr(checkpoint, "LEAST", 5)
    monkeypatch.setattr(log, "SEGMENT_SIZE", 5_000)


@pytest.fixture
def full(folder: Path) -> Path:
    """A store of several segments with a checkpoint."""
    with Store.open(folder) as store:
        for number in range(40):
            work(store, number)
    assert (folder / "checkpoint").exists()
    return folder


def work(store: Store, number: int) -> None:
    store.append(Draft("answer", visit=f"v{number % 3}", value=number))
    store.db.table("t").upsert({"id": number % 7, "number": number}, where("id") == number % 7)
    if number % 11 == 10:
        store.db.table("t").remove(where("id") == 3)


def told(folder: Path, disk: Disk | None = None) -> dict[str, Any]:
    with Store.open(folder, files=disk or Disk()) as store:
        return {
            "head": store.head(),
            "read only": str(store.read_only),
            "entries": list(store.entries()),
            "of a visit": list(store.entries(visit="v1")),
            "documents": [(document.doc_id, dict(document)) for document in store.db.table("t")],
        }


class Counting(Disk):
    """Counts the bytes of segments that are read whole."""

    def __init__(self) -> None:
        super().__init__()
        self.read_whole = 0

    def read_file(self, path: Path) -> bytes:
        data = super().read_file(path)
        self.read_whole += len(data) if path.suffix == ".fkj" else 0
        return data


def test_with_a_checkpoint_no_segment_is_read_to_open(full: Path) -> None:
    disk = Counting()
    Store.open(full, files=disk).close()
    assert disk.read_whole == 0


def test_the_store_says_the_same_with_and_without_it(full: Path) -> None:
    with_it = told(full)
    (full / "checkpoint").unlink()
    assert told(full) == with_it


@pytest.mark.parametrize("more", [1, 3, 30])
def test_what_was_said_after_the_checkpoint_is_read_too(full: Path, more: int, tmp_path: Path) -> None:
    store = Store.open(full)
    for number in range(more):
        work(store, 100 + number)
    copy = tmp_path / "copy"
    shutil.copytree(full, copy)  # as a power cut leaves it: not closed, times of files kept
    store.close()
    disk = Counting()
    found = told(copy, disk)
    assert 0 < disk.read_whole < sum(path.stat().st_size for path in copy.glob("*.fkj"))
    (copy / "checkpoint").unlink()
    assert told(copy) == found
    assert found["entries"][-1].value == 100 + more - 1


@pytest.mark.parametrize("at", [0, 31, 32, 200, -1])
def test_a_damaged_one_is_not_believed(full: Path, at: int) -> None:
    before = told(full)
    flip(full / "checkpoint", at)
    assert told(full) == before


@pytest.mark.parametrize("content", [b"", b"short", bytes(100)])
def test_a_foreign_file_in_its_place_is_not_believed(full: Path, content: bytes) -> None:
    before = told(full)
    (full / "checkpoint").write_bytes(content)
    assert told(full) == before


def test_one_of_another_kind_is_not_believed(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = told(full)
    monkeypatch.setattr(checkpoint, "KIND", "fieldkit-checkpoint-2 little 4")
    disk = Counting()
    assert told(full, disk) == before
    assert disk.read_whole


def test_one_of_another_store_is_not_believed(full: Path, tmp_path: Path) -> None:
    before = told(full)
    other = tmp_path / "other"
    with Store.open(other) as store:
        for number in range(60):
            work(store, 7 * number)
    shutil.copy2(other / "checkpoint", full / "checkpoint")
    assert told(full) == before


def test_a_segment_changed_since_is_read_again_and_damage_in_it_is_said(full: Path) -> None:
    first = full / "journal-000001.fkj"
    flip(first, 300)
    assert "damaged" in told(full)["read only"]


def test_damage_that_left_time_and_size_of_a_segment_is_said_when_the_entry_is_read(full: Path) -> None:
    first = full / "journal-000001.fkj"
    stamp = first.stat()
    flip(first, 60)
    os.utime(first, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    from fieldkit.journal.repair import mends
    from fieldkit.journal.verify import verify

    assert verify(full).verdict == "fail"
    with Store.open(full, whole=True) as store:  # as a repair opens it
        assert "Go on without entry 1" in str(mends(store)[0].message)
    with Store.open(full) as store:
        assert next(store.entries()).seq == 3  # the second is of a table
        assert [(each.kind, each.first, each.last) for each in store.damage()] == [("entries", 1, 1)]
        assert store.read_only is not None
    with Store.open(full) as store:  # the checkpoint is not believed any more
        assert store.read_only is not None

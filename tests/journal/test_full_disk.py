"""A full disk stops answers, not the end of a visit: the reserve makes room for that, and is made again."""

from __future__ import annotations

import errno
import os
import zlib
from pathlib import Path

import pytest

from fieldkit.journal import folder_check
from fieldkit.journal.entry import Draft
from fieldkit.journal.errors import StoreFull
from fieldkit.journal.files import Disk
from fieldkit.journal.store import Store
from fieldkit.journal.verify import verify


class Small(Disk):
    """A disk that is full from some moment on, but for what is removed from it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self.most: int | None = None

    def fill(self, room: int = 0) -> None:
        self.most = self._used() + room

    def write_at(self, descriptor: int, offset: int, data: bytes) -> None:
        if self.most is not None:
            grows = offset + len(data) - os.fstat(descriptor).st_size
            if grows > 0 and self._used() + grows > self.most:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().write_at(descriptor, offset, data)

    def _used(self) -> int:
        return sum(path.stat().st_size for path in self._folder.rglob("*") if path.is_file())


def fill_until_refused(store: Store) -> int:
    """Answers until one is refused; how many were not."""
    before = store.head().seq

    def answer() -> None:
        for _ in range(1_000):
            store.append(Draft("answer", value="x" * 900))

    with pytest.raises(StoreFull, match="disk is full") as refused:
        answer()
    assert "Free some space" in str(refused.value.hint)
    return store.head().seq - before


@pytest.fixture
def disk(folder: Path) -> Small:
    return Small(folder)


def test_answers_are_refused_and_the_visit_can_still_be_finished_and_recorded(
    folder: Path, disk: Small
) -> None:
    with Store.open(folder, files=disk) as store:
        store.append(Draft("answer", value="first"))
        disk.fill(3_000)
        answered = fill_until_refused(store)
        with pytest.raises(StoreFull):
            store.attach(bytes(10_000), "photo.jpg")
        store.append(Draft("signoff", value="signed " * 200))
        assert not (folder / "reserve").exists()
        record = store.attach(bytes(10_000), "record.pdf", finishing=True)
        store.append(Draft("record", value="made", blob=record.sha256))
        assert store.read_only is None
    with Store.open(folder, files=disk) as store:
        kinds = [entry.kind for entry in store.entries()]
        assert kinds == ["answer"] * (1 + answered) + ["signoff", "record"]
        assert store.attachment(record.sha256) == bytes(10_000)


def test_space_that_is_freed_is_used_and_the_reserve_is_made_again(folder: Path, disk: Small) -> None:
    with Store.open(folder, files=disk) as store:
        store.append(Draft("answer", value="first"))
        disk.fill(3_000)
        fill_until_refused(store)
        store.append(Draft("signoff"))
        disk.most = None
        store.append(Draft("answer", value="goes on"))
    with Store.open(folder, files=disk) as store:
        assert (folder / "reserve").stat().st_size == 1024 * 1024
        assert [entry.value for entry in store.entries()][-1] == "goes on"


def test_a_refused_answer_leaves_no_trace(folder: Path, disk: Small) -> None:
    with Store.open(folder, files=disk) as store:
        store.append(Draft("answer", value="first"))
        disk.fill()
        fill_until_refused(store)
        head = store.head()
        for _ in range(3):
            with pytest.raises(StoreFull):
                store.append(Draft("answer", value="y" * 200_000))
            assert store.head() == head
    with Store.open(folder, files=disk) as store:
        assert store.head() == head
        assert not list(folder.glob("*.torn"))


def test_tables_are_as_they_were_after_a_refused_change(folder: Path, disk: Small) -> None:
    with Store.open(folder, files=disk) as store:
        table = store.db.table("t")
        table.insert({"name": "first"})
        disk.fill()
        with pytest.raises(StoreFull):
            table.insert({"name": "x" * 200_000})
        with pytest.raises(StoreFull):
            table.update({"name": "y" * 200_000})
        assert table.all() == [{"name": "first"}]
        disk.most = None
        assert table.insert({"name": "second"}) in (2, 3)  # TinyDB counts a refused insertion too
        assert [document["name"] for document in table] == ["first", "second"]


def test_a_store_on_a_full_disk_opens_and_is_read(folder: Path, disk: Small) -> None:
    with Store.open(folder, files=disk) as store:
        store.append(Draft("answer", value="first"))
        store.append(Draft("signoff"))
        disk.fill()
    with Store.open(folder, files=disk) as store:
        assert [entry.value for entry in store.entries()] == ["first", None]


def test_finishing_gives_the_reserve_up_before_it_is_needed_and_makes_it_again(
    folder: Path, disk: Small
) -> None:
    with Store.open(folder, files=disk) as store:
        store.append(Draft("answer", value="first"))
        disk.fill(3_000)
        with store.finishing():
            assert not (folder / "reserve").exists()
            assert not (folder / "reserve.part").exists()
            (folder / "beside.pdf").write_bytes(bytes(100_000))
            store.signed_head()
            store.append(Draft("signoff"))
        left = (folder / "reserve").stat().st_size
        assert folder_check.RESERVE_SIZE // 2 < left < folder_check.RESERVE_SIZE
    disk.most = None
    with Store.open(folder, files=disk):
        assert (folder / "reserve").stat().st_size == folder_check.RESERVE_SIZE


def test_where_there_is_room_finishing_leaves_the_reserve_alone(folder: Path) -> None:
    with Store.open(folder) as store:
        before = (folder / "reserve").stat()
        with store.finishing():
            pass
        after = (folder / "reserve").stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_head_is_noted_on_a_full_disk(folder: Path, disk: Small) -> None:
    with Store.open(folder, files=disk) as store:
        store.append(Draft("answer", value="first"))
        (folder / "head").unlink(missing_ok=True)
        disk.fill()
        signed = store.signed_head()
        assert store.mark is not None
        assert store.mark.signed == signed
    assert verify(folder).verdict == "pass"


def test_the_reserve_takes_its_room_also_where_the_file_system_compresses(folder: Path) -> None:
    Store.open(folder).close()
    held = (folder / "reserve").read_bytes()
    assert len(zlib.compress(held)) >= len(held)
    assert len(held) == folder_check.RESERVE_SIZE


def test_a_reserve_that_could_be_compressed_away_is_made_anew(folder: Path) -> None:
    Store.open(folder).close()
    whole = (folder / "reserve").read_bytes()
    (folder / "reserve").write_bytes(b"\xff" * len(whole))  # as release 0.1 made it
    Store.open(folder).close()
    assert (folder / "reserve").read_bytes() == whole

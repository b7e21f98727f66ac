"""Attached files are kept once under their hash, durable before they are named, verified when read."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from fieldkit.journal.entry import Head
from fieldkit.journal.errors import AttachmentDamaged, AttachmentMissing
from fieldkit.journal.files import Disk
from fieldkit.journal.store import Store
from tests.journal.conftest import flip


class Told(Disk):
    """The system's disk, which notes in what order it was asked to keep things."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def write_at(self, descriptor: int, offset: int, data: bytes) -> None:
        self.calls.append("write")
        super().write_at(descriptor, offset, data)

    def sync(self, descriptor: int) -> None:
        self.calls.append("sync")
        super().sync(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        self.calls.append("rename")
        super().replace(source, target)

    def sync_folder(self, path: Path) -> None:
        self.calls.append("sync folder")
        super().sync_folder(path)


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024, 3 * 1024 * 1024 + 7])
def test_a_file_is_kept_as_it_is_under_its_hash(folder: Path, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    source = tmp_path / "ảnh chụp.jpg"
    source.write_bytes(data)
    with Store.open(folder) as store:
        kept = store.attach(source, source.name)
        assert (kept.sha256, kept.size) == (hashlib.sha256(data).hexdigest(), size)
        assert store.attachment(kept.sha256) == data
        assert store.attachment_path(kept.sha256).read_bytes() == data
    assert source.read_bytes() == data


def test_the_same_bytes_under_two_names_are_kept_once(folder: Path) -> None:
    with Store.open(folder) as store:
        first = store.attach(b"same", "a.jpg")
        second = store.attach(b"same", "b.jpg")
        assert (first.sha256, second.name) == (second.sha256, "b.jpg")
    assert [path.name for path in (folder / "attachments").rglob("*") if path.is_file()] == [first.sha256]


def test_a_file_is_written_synced_renamed_and_its_folder_synced_before_it_is_said_to_be_kept(
    folder: Path,
) -> None:
    disk = Told()
    with Store.open(folder, files=disk) as store:
        disk.calls.clear()
        store.attach(b"photo", "photo.jpg")
        begun = disk.calls.index("write")
        assert disk.calls[begun : begun + 4] == ["write", "sync", "rename", "sync folder"]
        assert set(disk.calls[begun + 4 :]) == {"sync folder"}  # and those above it, which may be new as well


def test_a_changed_file_is_not_given_out(folder: Path) -> None:
    with Store.open(folder) as store:
        kept = store.attach(b"photo", "photo.jpg")
        flip(store.attachment_path(kept.sha256), 0)
        with pytest.raises(AttachmentDamaged, match=kept.sha256[:12]):
            store.attachment(kept.sha256)


def test_attaching_a_damaged_file_again_mends_it(folder: Path) -> None:
    with Store.open(folder) as store:
        kept = store.attach(b"photo", "photo.jpg")
        flip(store.attachment_path(kept.sha256), 0)
        store.attach(b"photo", "photo.jpg")
        assert store.attachment(kept.sha256) == b"photo"


@pytest.mark.parametrize("name", ["0" * 64, "../device.key", "", "G" * 64])
def test_what_is_not_there_is_missing_and_no_other_file_is_reached(
    folder: Path, day: Head, name: str
) -> None:
    with Store.open(folder) as store, pytest.raises(AttachmentMissing):
        store.attachment(name)


@pytest.mark.parametrize("made", ["nothing", "folder"])
def test_a_source_that_cannot_be_read_is_named(folder: Path, tmp_path: Path, made: str) -> None:
    source = tmp_path / "source"
    if made == "folder":
        source.mkdir()
    with Store.open(folder) as store, pytest.raises(AttachmentMissing) as refused:
        store.attach(source, "source")
    assert str(source) in str(refused.value)


class Growing(type(Path())):  # type: ignore[misc]
    """A file that another program goes on writing to."""

    opened = 0

    def open(self, *arguments: object, **more: object) -> object:
        Growing.opened += 1
        if Growing.opened == 2:
            self.write_bytes(b"something else")
        return super().open(*arguments, **more)


def test_a_file_that_changes_while_it_is_read_is_refused_and_leaves_nothing(
    folder: Path, tmp_path: Path
) -> None:
    source = Growing(tmp_path / "log.txt")
    Path(source).write_bytes(b"at first")
    Growing.opened = 0
    with Store.open(folder) as store, pytest.raises(AttachmentDamaged, match="changed while it was read"):
        store.attach(source, "log.txt")
    assert not [path for path in (folder / "attachments").rglob("*") if path.is_file()]

"""A store is taken out whole, readable without fieldkit, also when it is damaged, in use or read-only."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest

from fieldkit.journal.entry import Draft, Head
from fieldkit.journal.errors import ExportRefused, StoreMissing, StoreUnavailable
from fieldkit.journal.export import export
from fieldkit.journal.files import Disk
from fieldkit.journal.store import Store
from tests.journal.conftest import flip, segment


def test_everything_is_in_it_and_common_tools_read_it(folder: Path, tmp_path: Path, day: Head) -> None:
    done = export(folder, tmp_path / "out.zip")
    assert (done.entries, done.lost, done.attachments, done.unread) == (day.seq, 0, 1, ())
    unpacked = tmp_path / "unpacked"
    subprocess.run(["python3", "-m", "zipfile", "-e", str(done.out), str(unpacked)], check=True)
    entries = [json.loads(line) for line in (unpacked / "entries.jsonl").read_text().splitlines()]
    assert [entry["seq"] for entry in entries] == list(range(1, day.seq + 1))
    assert (unpacked / "segments" / "journal-000001.fkj").read_bytes() == segment(folder).read_bytes()
    kept = next((unpacked / "attachments").iterdir())
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == kept.name
    manifest = json.loads((unpacked / "manifest.json").read_text())
    assert manifest["head"] == {"device": day.device, "seq": day.seq, "hash": day.hash}


def test_the_device_key_stays_in_the_store(folder: Path, tmp_path: Path, day: Head) -> None:
    export(folder, tmp_path / "out.zip")
    seed = (folder / "device.key").read_bytes()[:32]
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        for name in archive.namelist():
            assert seed not in archive.read(name)
            assert seed.hex().encode() not in archive.read(name)


def test_it_is_open_to_its_owner_only_and_nothing_else_is_left_beside_it(
    folder: Path, tmp_path: Path, day: Head
) -> None:
    (tmp_path / "stick").mkdir()
    export(folder, tmp_path / "stick" / "out.zip")
    assert [path.name for path in (tmp_path / "stick").iterdir()] == ["out.zip"]
    assert stat.S_IMODE((tmp_path / "stick" / "out.zip").stat().st_mode) == 0o600


def test_the_same_store_gives_the_same_file(folder: Path, tmp_path: Path, day: Head) -> None:
    first, second = (export(folder, tmp_path / name).out.read_bytes() for name in ("a.zip", "b.zip"))
    assert first == second


def test_a_damaged_store_is_taken_out_with_what_is_lost_named(
    folder: Path, tmp_path: Path, day: Head
) -> None:
    flip(segment(folder), 60)
    done = export(folder, tmp_path / "out.zip")
    assert (done.entries, done.lost) == (day.seq - 1, 1)
    with zipfile.ZipFile(done.out) as archive:
        assert json.loads(archive.read("manifest.json"))["lost"] == [1]


def test_a_store_in_use_is_taken_out(folder: Path, tmp_path: Path) -> None:
    with Store.open(folder) as store:
        store.append(Draft("answer", value=1))
        assert export(folder, tmp_path / "out.zip").entries == 1


class BadSpot(Disk):
    """A disk that cannot give back attached files."""

    def read_file(self, path: Path) -> bytes:
        if "attachments" in path.parts:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read_file(path)


def test_a_bad_spot_on_the_disk_costs_one_file_not_all(folder: Path, tmp_path: Path, day: Head) -> None:
    done = export(folder, tmp_path / "out.zip", files=BadSpot())
    assert (done.entries, done.attachments) == (day.seq, 0)
    assert [name.partition("/")[0] for name in done.unread] == ["attachments"]


def test_a_file_that_is_there_is_not_written_over(folder: Path, tmp_path: Path, day: Head) -> None:
    (tmp_path / "out.zip").write_text("mine")
    with pytest.raises(ExportRefused):
        export(folder, tmp_path / "out.zip")
    assert (tmp_path / "out.zip").read_text() == "mine"


@pytest.mark.parametrize("where", ["nowhere/out.zip", "file/out.zip"])
def test_a_place_that_cannot_be_written_is_said(folder: Path, tmp_path: Path, day: Head, where: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match=r"out\.zip"):
        export(folder, tmp_path / where)


def test_a_folder_without_a_store_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing):
        export(tmp_path / "nothing", tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()

"""Every byte that is not as it was stored is found, and so is an end that is missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fieldkit.journal import checkpoint, folder_check
from fieldkit.journal.entry import Draft, Head
from fieldkit.journal.errors import StoreMissing
from fieldkit.journal.store import Store
from fieldkit.journal.verify import VerifiedStore, verify
from tests.journal.conftest import checks, flip, segment, write_a_day


@pytest.fixture
def signed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small store with everything in it: signed head, checkpoint, reserve, attachment, tables."""
    monkeypatch.setattr(checkpoint, "LEAST", 2)
    monkeypatch.setattr(folder_check, "RESERVE_SIZE", 64)
    write_a_day(folder, answers=1)
    with Store.open(folder) as store:
        store.append(Draft("signoff", visit="v1", value={"officer": "Người nhận"}))
    return folder


ANSWERS = {"journal-000001.fkj", "device.key", "attachments"}
"""Where a byte that changed has cost something; elsewhere it is said."""


def outcomes(found: VerifiedStore) -> list[tuple[str, str]]:
    """What was said, without its words."""
    return [(check.id, check.severity) for check in found.checks]


def bytes_of(folder: Path) -> Iterator[tuple[Path, int]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield from ((path, at) for at in range(path.stat().st_size))


@pytest.mark.parametrize("mask", [0x01, 0x80], ids=hex)
def test_every_byte_that_is_changed_is_found_and_in_an_entry_a_file_or_the_key_the_answer_is_no(
    signed: Path, mask: int
) -> None:
    whole = outcomes(verify(signed))
    assert verify(signed).verdict == "pass"
    unseen = []
    kinds = set()
    for path, at in bytes_of(signed):
        flip(path, at, mask)
        kind = path.name if path.parent == signed else path.parent.parent.name
        found = verify(signed)
        if outcomes(found) == whole or (kind in ANSWERS and found.verdict != "fail"):
            unseen.append((path.name, at))
        flip(path, at, mask)
        kinds.add(kind)
    assert unseen == []
    assert kinds == {*ANSWERS, "head", "checkpoint", "reserve"}
    assert outcomes(verify(signed)) == whole


def test_every_change_of_a_bit_in_any_byte_of_the_journal_is_also_found_when_it_is_opened(
    signed: Path,
) -> None:
    (signed / "checkpoint").unlink()
    kept = signed.with_name("kept")
    shutil.copytree(signed, kept)
    for at in range(segment(kept).stat().st_size):
        flip(segment(signed), at, 1 << at % 8)
        with Store.open(signed) as store:
            assert store.read_only is not None, at
        shutil.rmtree(signed)
        shutil.copytree(kept, signed)


def test_an_end_that_was_cut_before_anything_noted_it_is_found_when_a_record_names_it(folder: Path) -> None:
    store = Store.open(folder)
    for number in range(3):
        store.append(Draft("answer", value=number))
    named = store.head()  # as it is printed on a record or comes back in a receipt
    cut = b"".join(segment(folder).read_bytes().splitlines(True)[:2])
    store.close()
    (folder / "head").unlink()
    segment(folder).write_bytes(cut)
    found = checks(folder)
    assert (found["journal"].severity, found["mark"].severity) == ("pass", "not-checked")
    found = checks(folder, known=[named])
    assert found["known-head"].severity == "fail"
    assert "Entry 3 is missing or is not the one that the given head names" in str(
        found["known-head"].message
    )
    assert verify(folder, known=[named]).verdict == "fail"


def test_a_head_that_the_journal_has_is_said_to_be_there(folder: Path, day: Head) -> None:
    found = checks(folder, known=[day])["known-head"]
    assert (found.severity, str(found.message)) == (
        "pass",
        f"Entry {day.seq} is the one that the given head names.",
    )


@pytest.mark.parametrize("change", ["hash", "device", "seq"])
def test_a_head_of_another_journal_is_not_there(folder: Path, day: Head, change: str) -> None:
    other = {
        "hash": Head(day.device, day.seq, "0" * 64),
        "device": Head("ffffffffffff", day.seq, day.hash),
        "seq": Head(day.device, day.seq - 1, day.hash),
    }[change]
    assert checks(folder, known=[other])["known-head"].severity == "fail"


def test_a_signature_by_another_key_over_the_head_is_found(signed: Path, tmp_path: Path) -> None:
    write_a_day(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "device.key", signed / "device.key")
    found = checks(signed)
    assert (found["journal"].severity, found["signature"].severity) == ("fail", "fail")


def test_a_journal_rewritten_whole_by_somebody_without_the_key_is_found(signed: Path, tmp_path: Path) -> None:
    key = (signed / "device.key").read_bytes()
    mark = (signed / "head").read_bytes()
    shutil.rmtree(signed)
    signed.mkdir()
    (signed / "device.key").write_bytes(key)  # only the public half of it is used here
    with Store.open(signed) as store:
        for number in range(4):
            store.append(Draft("answer", value=f"forged {number}"))
    (signed / "head").write_bytes(mark)
    assert checks(signed)["signature"].severity == "fail"


def test_verifying_writes_nothing_and_needs_no_lock(folder: Path, day: Head) -> None:
    before = {
        path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()
    }
    with Store.open(folder):
        assert verify(folder).verdict == "pass"
    assert {
        path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()
    } == before


def test_a_folder_without_a_store_is_said_not_made_into_one(tmp_path: Path) -> None:
    for wanted in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(StoreMissing):
            verify(wanted)
    assert list(tmp_path.iterdir()) == []


# --- what stands about the journal


def told(folder: Path, id: str) -> list[str]:
    return [str(check.message) for check in verify(folder).checks if check.id == id]


@pytest.mark.parametrize(
    "name", ["notes.txt", "journal-1.txt", "journal-000001.fkj.bak", ".DS_Store", "đính kèm"]
)
def test_a_foreign_file_is_left_alone_and_named(folder: Path, day: Head, name: str) -> None:
    (folder / name).write_text("not ours")
    (folder / "attachments" / name).write_text("not ours")
    with Store.open(folder) as store:
        assert store.read_only is None
    assert told(folder, "foreign") == [
        f"{folder / name} is not the store's; it is left alone.",
        f"{folder / 'attachments' / name} is not the store's; it is left alone.",
    ]
    assert verify(folder).verdict == "pass"
    assert (folder / name).read_text() == "not ours"


def test_a_foreign_folder_is_left_alone_and_named(folder: Path, day: Head) -> None:
    (folder / "backup" / "deep").mkdir(parents=True)
    Store.open(folder).close()
    assert told(folder, "foreign") == [f"{folder / 'backup'} is not the store's; it is left alone."]


@pytest.mark.parametrize("name", ["", "device.key", "journal-000001.fkj", "attachments"])
def test_what_others_can_read_is_said(folder: Path, day: Head, name: str) -> None:
    path = folder / name
    path.chmod(0o755 if path.is_dir() else 0o644)
    assert told(folder, "permissions") == [f"{path} can be read or changed by other users."]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_what_belongs_to_another_user_is_said(folder: Path, day: Head) -> None:
    os.chown(folder / "device.key", 12345, -1)
    assert told(folder, "owner") == [f"{folder / 'device.key'} belongs to another user."]


@pytest.fixture(params=["checkpoint", "reserve"])
def disposable(signed: Path, request: pytest.FixtureRequest) -> Path:
    return signed / str(request.param)


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"spoilt"), lambda path: flip(path, 5)])
def test_a_disposable_file_that_was_spoilt_is_said_and_nothing_is_lost_by_it(
    disposable: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(disposable)
    assert checks(disposable.parent)[disposable.name].severity == "fail"
    assert verify(disposable.parent).verdict == "pass"

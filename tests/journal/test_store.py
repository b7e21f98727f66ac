"""What was said is chained, in segments; what an interruption left is set aside; damage is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from fieldkit.journal import log
from fieldkit.journal.entry import GENESIS, Draft, Head
from fieldkit.journal.errors import StoreDamaged, StoreReadOnly
from fieldkit.journal.files import Disk
from fieldkit.journal.line import PREFIX, line
from fieldkit.journal.store import Store
from tests.journal.conftest import flip, segment, write_a_day
from tests.journal.test_attachments import Told


def said(folder: Path) -> list[object]:
    with Store.open(folder) as store:
        return [entry.value for entry in store.entries()]


def lines_of(folder: Path) -> list[bytes]:
    return [
        each for path in sorted(folder.glob("journal-*.fkj")) for each in path.read_bytes().splitlines(True)
    ]


def rewritten(body: bytes, **members: object) -> bytes:
    """An entry's line with some members changed and its checksum right again."""
    changed = json.loads(body) | members
    return line(json.dumps(changed, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode())


# --- the chain


def test_each_line_is_a_checksum_and_an_entry_that_names_the_hash_of_the_one_before(
    folder: Path, day: Head
) -> None:
    previous = GENESIS
    for number, stored in enumerate(lines_of(folder), 1):
        body = json.loads(stored[9:])
        assert (body["seq"], body["prev"], body["dev"]) == (number, previous, day.device)
        previous = hashlib.sha256(stored[9:-1]).hexdigest()
    assert (number, previous) == (day.seq, day.hash)


def test_entries_are_given_by_visit_and_after_a_number(folder: Path) -> None:
    with Store.open(folder) as store:
        for number in range(6):
            store.append(Draft("answer", visit=f"v{number % 2}", value=number))
        assert [entry.value for entry in store.entries(visit="v1")] == [1, 3, 5]
        assert [entry.value for entry in store.entries(visit="v1", after=2)] == [3, 5]
        assert [entry.value for entry in store.entries(after=4)] == [4, 5]
        assert list(store.entries(visit="no such visit")) == []


def test_an_answer_is_on_disk_when_append_returns(folder: Path) -> None:
    with Store.open(folder) as store:
        made = store.append(Draft("answer", value="saved"))
        assert line(next(store.lines(1, 1))) in segment(folder).read_bytes()
        assert store.head() == Head(store.device, 1, made.hash)


# --- segments


def test_a_full_segment_is_followed_by_the_next_and_all_are_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "SEGMENT_SIZE", 2_000)
    with Store.open(folder) as store:
        for number in range(40):
            store.append(Draft("answer", value=number))
    names = sorted(path.name for path in folder.glob("journal-*.fkj"))
    assert names == [f"journal-{number:06d}.fkj" for number in range(1, len(names) + 1)]
    assert len(names) > 4
    assert all(path.stat().st_size <= 2_000 for path in folder.glob("journal-*.fkj"))
    assert said(folder) == list(range(40))


def test_a_journal_of_many_segments_is_read_with_few_files_open(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counted(Disk):
        def __init__(self) -> None:
            super().__init__()
            self.descriptors: set[int] = set()
            self.most = 0

        def open(self, path: Path, *, write: bool = False) -> int:
            descriptor = super().open(path, write=write)
            self.descriptors.add(descriptor)
            self.most = max(self.most, len(self.descriptors))
            return descriptor

        def close(self, descriptor: int) -> None:
            super().close(descriptor)
            self.descriptors.remove(descriptor)

    monkeypatch.setattr(log, "SEGMENT_SIZE", 500)
    with Store.open(folder) as store:
        for number in range(20):
            store.append(Draft("answer", value=number))
    assert len(list(folder.glob("journal-*.fkj"))) > 9
    monkeypatch.setattr(log, "DESCRIPTORS", 3)
    disk = Counted()
    with Store.open(folder, files=disk) as store:
        assert [entry.value for entry in store.entries()] == list(range(20))
        assert disk.most <= 3 + 2  # the lock, and what is written to
    assert not disk.descriptors


def test_an_answer_larger_than_a_segment_has_one_of_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "SEGMENT_SIZE", 2_000)
    with Store.open(folder) as store:
        for value in ("small", "x" * 5_000, "small again"):
            store.append(Draft("answer", value=value))
    assert said(folder) == ["small", "x" * 5_000, "small again"]
    assert len(list(folder.glob("journal-*.fkj"))) == 3


def test_a_missing_segment_is_damage_and_what_is_left_can_be_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "SEGMENT_SIZE", 2_000)
    with Store.open(folder) as store:
        for number in range(40):
            store.append(Draft("answer", value=number))
    middle = folder / "journal-000003.fkj"
    lost = middle.read_bytes().count(b"\n")
    middle.unlink()
    with Store.open(folder) as store:
        assert "are damaged" in str(store.read_only)
        assert len(list(store.entries())) == 40 - lost
        assert [hole.last - hole.first + 1 for hole in store.holes] == [lost]


# --- a save that was interrupted


@pytest.mark.parametrize(
    "tail",
    [b"1234", b'deadbeef {"dev":', b"\n\n", bytes(500), b"\0" * 9 + b"half", b"noise\nmore noise\nand more"],
)
def test_a_torn_tail_is_cut_and_kept_and_the_next_answer_follows(
    folder: Path, day: Head, tail: bytes
) -> None:
    (folder / "head").unlink()  # as after a power cut: the store was not closed
    before = segment(folder).read_bytes()
    segment(folder).write_bytes(before + tail)
    with Store.open(folder) as store:
        assert store.read_only is None
        assert store.head() == day
        assert store.append(Draft("answer", value="next")).prev == day.hash
    kept = [path.read_bytes() for path in folder.glob("*.torn")]
    assert kept == ([tail.rstrip(b"\0")] if tail.strip(b"\0") else [])
    assert segment(folder).read_bytes().startswith(before)


def test_whatever_length_the_last_line_was_cut_to_the_others_are_given_back(folder: Path) -> None:
    day = write_a_day(folder, answers=1)
    (folder / "head").unlink()
    whole = segment(folder).read_bytes()
    last = len(lines_of(folder)[-1])
    for left in (*range(PREFIX + 3), *range(PREFIX + 3, last, 23), last - 2, last - 1):
        segment(folder).write_bytes(whole[: len(whole) - last + left])
        with Store.open(folder) as store:
            assert store.head().seq == day.seq - 1
            assert store.read_only is None
        (folder / "head").unlink()
    assert segment(folder).read_bytes() == whole[:-last]


@pytest.mark.parametrize("number", [-1, 0])
def test_a_line_of_a_number_that_no_entry_has_is_no_entry(folder: Path, number: int) -> None:
    write_a_day(folder, answers=1)
    body = lines_of(folder)[0][PREFIX:-1]
    (folder / "head").unlink()
    segment(folder).write_bytes(rewritten(body, seq=number))
    with Store.open(folder) as store:
        assert store.read_only is not None
        assert list(store.entries()) == []
        assert store.head().seq == 0


def test_a_save_is_written_once_and_synced_once(folder: Path) -> None:
    disk = Told()
    with Store.open(folder, files=disk) as store:
        store.append(Draft("answer", value="makes the room for those to come"))
        for number in range(3):
            disk.calls.clear()
            store.append(Draft("answer", value=number))
            assert disk.calls == ["write", "sync"]


def test_tails_cut_at_the_same_place_are_all_kept(folder: Path, day: Head) -> None:
    for tail in (b"first", b"second"):
        with segment(folder).open("ab") as file:
            file.write(tail)
        Store.open(folder).close()
    assert {path.read_bytes() for path in folder.glob("*.torn")} == {b"first", b"second"}


# --- damage


def test_damage_in_the_middle_is_refused_and_everything_around_it_can_be_read(
    folder: Path, day: Head
) -> None:
    stored = lines_of(folder)
    flip(segment(folder), len(stored[0]) + 100)
    before = segment(folder).read_bytes()
    with Store.open(folder) as store:
        assert "Entry 2 of the journal is damaged (journal-000001.fkj, byte" in str(store.read_only)
        assert [entry.seq for entry in store.entries()] == [1, 3, 4, 5]
        with pytest.raises(StoreReadOnly) as refused:
            store.append(Draft("answer", value=1))
        with pytest.raises(StoreReadOnly):
            store.db.table("t").insert({"a": 1})
        with pytest.raises(StoreReadOnly):
            store.attach(b"data", "name")
    assert str(refused.value.unchanged) == "Nothing was saved."
    assert "fieldkit store verify" in str(refused.value.hint)
    assert segment(folder).read_bytes() == before


def test_a_tail_that_was_cut_after_the_store_was_closed_is_damage_not_an_interruption(
    folder: Path, day: Head
) -> None:
    segment(folder).write_bytes(b"".join(lines_of(folder)[:-2]))
    with Store.open(folder) as store:
        assert f"Entries {day.seq - 1} to {day.seq}" in str(store.read_only)
        assert store.holes


def test_a_journal_exchanged_for_another_of_the_same_device_is_noticed(folder: Path) -> None:
    write_a_day(folder)
    stored = lines_of(folder)
    other = rewritten(stored[-1][9:-1], wall="2020-01-01T00:00:00.000+07:00")
    segment(folder).write_bytes(b"".join(stored[:-1]) + other)
    with Store.open(folder) as store:
        assert "not the one that was here" in str(store.read_only)


def test_an_entry_rewritten_with_its_checksum_made_right_breaks_the_chain(folder: Path, day: Head) -> None:
    stored = lines_of(folder)
    stored[1] = rewritten(stored[1][9:-1], value="forged")
    segment(folder).write_bytes(b"".join(stored))
    with Store.open(folder) as store:
        assert "Entry 2 of the journal is damaged" in str(store.read_only)
        assert "forged" not in [entry.value for entry in store.entries()]


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 2, 1), (0, 0, 1, 2), (0, 1, 1, 2)], ids=str)
def test_entries_swapped_or_repeated_are_noticed(folder: Path, day: Head, order: tuple[int, ...]) -> None:
    stored = lines_of(folder)
    segment(folder).write_bytes(b"".join([*(stored[number] for number in order), *stored[3:]]))
    with Store.open(folder) as store:
        assert store.read_only is not None


def test_an_entry_of_another_device_is_noticed(folder: Path, day: Head) -> None:
    stored = lines_of(folder)
    foreign = rewritten(stored[-1][9:-1], dev="ffffffffffff")
    segment(folder).write_bytes(b"".join(stored[:-1]) + foreign)
    (folder / "head").unlink()
    with Store.open(folder) as store:
        assert "where they do not belong" in str(store.read_only)


def test_a_journal_under_another_device_key_can_only_be_read(folder: Path, tmp_path: Path, day: Head) -> None:
    write_a_day(tmp_path / "other")
    (folder / "device.key").write_bytes((tmp_path / "other" / "device.key").read_bytes())
    with Store.open(folder) as store:
        assert "another device key" in str(store.read_only)
        assert len(list(store.entries())) == 5


def test_bytes_that_change_while_the_store_is_open_are_not_read_as_an_answer_and_that_is_said(
    folder: Path, day: Head
) -> None:
    with Store.open(folder) as store:
        flip(segment(folder), len(lines_of(folder)[0]) + 50)
        assert [entry.seq for entry in store.entries()] == [1, 3, 4, 5]
        assert "Entry 2" in str(store.read_only)
        assert [(each.kind, each.first, each.last) for each in store.damage()] == [("entries", 2, 2)]
        with pytest.raises(StoreReadOnly):
            store.append(Draft("answer"))
        with pytest.raises(StoreDamaged, match="Entry 2") as found:
            list(store.lines(1, day.seq))
        assert found.value.data["place"].startswith("journal-000001.fkj:")


def test_what_is_lost_is_passed_over_only_when_accepted_and_no_number_is_used_twice(
    folder: Path, day: Head
) -> None:
    flip(segment(folder), len(lines_of(folder)[0]) + 100)
    with Store.open(folder) as store:
        assert [(hole.first, hole.last) for hole in store.accept_holes("A. Technician")] == [(2, 2)]
        assert store.append(Draft("answer", value="after")).seq == day.seq + 2
    with Store.open(folder) as store:
        assert store.read_only is None
        assert [entry.seq for entry in store.entries()] == [1, 3, 4, 5, 7, 8]
        accepted = next(entry for entry in store.entries() if entry.kind == "repair")
        assert (accepted.who, accepted.value["holes"][0][:2]) == ("A. Technician", [2, 2])


# --- other formats


def test_a_newer_format_is_read_only_and_says_which_one_is_needed(folder: Path, day: Head) -> None:
    stored = lines_of(folder)
    newer = rewritten(stored[-1][9:-1], v=9, colour="a member of the future")
    segment(folder).write_bytes(b"".join(stored[:-1]) + newer)
    (folder / "head").unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with Store.open(folder) as store:
        assert str(store.read_only) == (
            "A newer fieldkit wrote in this store: format 9 is needed, this one knows 1."
        )
        assert [entry.seq for entry in store.entries()] == [1, 2, 3, 4, 5]
        with pytest.raises(StoreReadOnly):
            store.append(Draft("answer", value=1))
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_after_a_kill_what_was_said_before_and_what_comes_next_are_both_read(
    folder: Path, tmp_path: Path
) -> None:
    write_a_day(folder)  # closed in order: its head is noted
    store = Store.open(folder)
    store.append(Draft("answer", value="before the kill"))
    killed = tmp_path / "killed"
    shutil.copytree(folder, killed)  # as kill -9 leaves it
    store.close()
    with Store.open(killed) as store:
        made = store.append(Draft("answer", value="after it"))
        assert [entry.value for entry in store.entries()][-2:] == ["before the kill", "after it"]
        assert len(list(store.lines(1, made.seq))) == made.seq


def test_what_is_lost_before_the_entries_of_a_newer_fieldkit_is_said_too(folder: Path, day: Head) -> None:
    from fieldkit.journal.verify import verify

    stored = lines_of(folder)
    segment(folder).write_bytes(b"".join([stored[0], *stored[2:-1], rewritten(stored[-1][9:-1], v=9)]))
    with Store.open(folder) as store:
        assert [entry.seq for entry in store.entries()] == [1, 3, 4, 5]
        found = [(each.kind, each.first, each.last, each.accepted) for each in store.damage()]
        assert found == [("format", 6, 6, False), ("entries", 2, 2, False)]
        assert store.holes == []  # nothing is mended in a format that is not known
    assert verify(folder).verdict == "fail"


def test_a_closed_store_takes_nothing_more_and_leaves_what_another_writes_alone(folder: Path) -> None:
    store = Store.open(folder)
    store.append(Draft("answer", value=1))
    store.close()
    with pytest.raises(StoreReadOnly):
        store.append(Draft("answer", value="after the end"))
    with Store.open(folder) as another:
        with pytest.raises(StoreReadOnly):
            store.append(Draft("answer", value="beside it"))
        assert another.append(Draft("answer", value=2)).seq == 2

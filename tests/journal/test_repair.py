"""Repairing says first what it would do, never changes what can be read, and names what is lost for ever."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from fieldkit.journal.entry import Draft, Head
from fieldkit.journal.errors import StoreDamaged, StoreFull, StoreReadOnly, StoreUnavailable, WriteFailed
from fieldkit.journal.files import Disk
from fieldkit.journal.repair import mends
from fieldkit.journal.store import Store
from fieldkit.journal.verify import verify
from tests.journal.conftest import checks, flip, segment


def planned(folder: Path) -> list[str]:
    with Store.open(folder) as store:
        return [str(mend.message) for mend in mends(store)]


def mend(folder: Path) -> None:
    with Store.open(folder) as store:
        for each in mends(store, "A. Technician"):
            each.do()


def spoil(folder: Path, *entries: int) -> None:
    lines = segment(folder).read_bytes().splitlines(True)
    for seq in entries:
        flip(segment(folder), sum(map(len, lines[: seq - 1])) + 60)


def test_a_store_that_is_whole_needs_nothing(folder: Path, day: Head) -> None:
    assert planned(folder) == []
    with Store.open(folder) as store:
        assert store.trimmed == 0


@pytest.mark.parametrize(
    ("lost", "plan", "afterwards"),
    [
        ((2,), "Go on without entry 2, whose bytes are lost.", "Entry 2 is lost; that was accepted."),
        (
            (2, 3),
            "Go on without entries 2 to 3, whose bytes are lost.",
            "Entries 2 to 3 are lost; that was accepted.",
        ),
        ((1,), "Go on without entry 1, whose bytes are lost.", "Entry 1 is lost; that was accepted."),
        ((6,), "Go on without entry 6, whose bytes are lost.", "Entry 6 is lost; that was accepted."),
    ],
    ids=["one", "two", "the first", "the last"],
)
def test_lost_entries_are_passed_over_and_named_ever_after(
    folder: Path, day: Head, lost: tuple[int, ...], plan: str, afterwards: str
) -> None:
    spoil(folder, *lost)
    before = segment(folder).read_bytes()
    assert verify(folder).verdict == "fail"
    assert planned(folder) == [
        plan,
        "Add an entry that says which entries are lost; the rest stays as it is.",
    ]
    assert segment(folder).read_bytes() == before  # planning changes nothing
    mend(folder)
    assert str(checks(folder)["accepted"].message) == afterwards
    assert verify(folder).verdict == "pass"
    assert planned(folder) == []
    with Store.open(folder) as store:
        assert store.append(Draft("answer")).seq == day.seq + 2
        assert [entry.seq for entry in store.entries() if entry.seq in lost] == []


def test_foreign_bytes_in_the_middle_are_passed_over(folder: Path, day: Head) -> None:
    lines = segment(folder).read_bytes().splitlines(True)
    segment(folder).write_bytes(b"".join([*lines[:2], b"foreign\n", *lines[2:]]))
    assert "Foreign bytes stand in the journal" in str(checks(folder)["journal"].message)
    assert planned(folder)[0] == "Pass over foreign bytes before entry 3."
    mend(folder)
    assert "that was accepted" in str(checks(folder)["accepted"].message)
    with Store.open(folder) as store:
        assert [entry.seq for entry in store.entries()][:5] == [1, 2, 3, 4, 5]


def test_what_others_can_read_is_closed_to_them(folder: Path, day: Head) -> None:
    (folder / "device.key").chmod(0o644)
    folder.chmod(0o755)
    assert planned(folder) == [f"Let only you read {path}." for path in (folder, folder / "device.key")]
    mend(folder)
    assert stat.S_IMODE((folder / "device.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_what_belongs_to_another_user_is_left_to_that_user(folder: Path, day: Head) -> None:
    (folder / "device.key").chmod(0o644)
    os.chown(folder / "device.key", 12345, -1)
    assert planned(folder) == []


def test_what_an_interrupted_save_left_is_removed(folder: Path, day: Head) -> None:
    leftovers = [folder / "head.part", next((folder / "attachments").iterdir()) / ("a" * 64 + ".part")]
    for path in leftovers:
        path.write_bytes(b"half")
        path.chmod(0o600)
    assert sorted(planned(folder)) == sorted(
        f"Remove {path}, left by an interrupted save." for path in leftovers
    )
    mend(folder)
    assert not any(path.exists() for path in leftovers)


def test_entries_that_are_lost_are_said_to_be_damaged_to_whoever_wants_all_of_them(
    folder: Path, day: Head
) -> None:
    spoil(folder, 2)
    mend(folder)
    with Store.open(folder) as store:
        with pytest.raises(StoreDamaged, match=r"Entry 2 of the journal is damaged"):
            list(store.lines(1, day.seq))
        assert len(list(store.lines(3, day.seq))) == day.seq - 2


def test_why_a_store_is_read_only_stays_the_reason_when_an_entry_is_lost_besides(
    folder: Path, day: Head
) -> None:
    from tests.journal.test_store import lines_of, rewritten

    stored = lines_of(folder)
    segment(folder).write_bytes(b"".join(stored[:-1]) + rewritten(stored[-1][9:-1], v=9))
    with Store.open(folder) as store:
        reason = store.read_only
        assert "A newer fieldkit" in str(reason)
        damage_under(folder, 2)
        assert 2 not in [entry.seq for entry in store.entries()]
        assert store.read_only == reason
        assert {damage.kind for damage in store.damage()} == {"format", "entries"}


def test_nothing_is_mended_in_a_newer_format(folder: Path, day: Head) -> None:
    from tests.journal.test_store import lines_of, rewritten

    stored = lines_of(folder)
    segment(folder).write_bytes(b"".join(stored[:-1]) + rewritten(stored[-1][9:-1], v=9))
    before = segment(folder).read_bytes()
    mend(folder)
    assert segment(folder).read_bytes() == before


class Refusing(Disk):
    """A disk that refuses one kind of call from some moment on."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = ""

    def _refuse(self, call: str) -> None:
        if self.refused == call:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def replace(self, source: Path, target: Path) -> None:
        self._refuse("replace")
        super().replace(source, target)
        if self.refused == "write once its end is durable":
            self.refused = "write"

    def write_at(self, descriptor: int, offset: int, data: bytes) -> None:
        self._refuse("write")
        super().write_at(descriptor, offset, data)

    def sync(self, descriptor: int) -> None:
        self._refuse("sync")
        super().sync(descriptor)


@pytest.mark.parametrize("refused", ["replace", "write", "sync", "write once its end is durable"])
@pytest.mark.parametrize("lost", [2, 6], ids=["in the middle", "the last"])
def test_a_repair_that_the_disk_refuses_leaves_the_damage_as_it_was_and_can_be_made_later(
    folder: Path, day: Head, refused: str, lost: int
) -> None:
    spoil(folder, lost)
    disk = Refusing()
    with Store.open(folder, files=disk) as store:
        reason, holes = store.read_only, store.holes
        disk.refused = refused
        with pytest.raises((StoreUnavailable, StoreFull, WriteFailed)):
            store.accept_holes()
        disk.refused = ""
        assert store.read_only is not None
        assert store.holes == holes
        with pytest.raises(StoreReadOnly):
            store.append(Draft("answer", value="as if nothing were lost"))
    with Store.open(folder) as store:
        assert (store.read_only, store.holes) == (reason, holes)
        assert store.accept_holes() == holes
        assert store.read_only is None
    assert verify(folder).verdict == "pass"


class Failing(Disk):
    """A disk on which nothing becomes durable any more once it has an `error`."""

    def __init__(self) -> None:
        super().__init__()
        self.error: OSError | None = None

    def sync(self, descriptor: int) -> None:
        if self.error is not None:
            raise self.error
        super().sync(descriptor)


@pytest.mark.parametrize(
    ("error", "detail", "words"),
    [
        (OSError(errno.EIO, "Input/output error"), "EIO: Input/output error", "the disk failed"),
        (OSError(9999, "Unheard of"), "9999: Unheard of", "the disk failed"),
        (OSError(errno.ENOSPC, "No space left"), "ENOSPC: No space left", "the disk is full"),
        (OSError(), "None: None", "the disk failed"),
    ],
)
def test_what_the_disk_said_when_an_answer_was_not_saved_is_told_and_nothing_more_is_written(
    folder: Path, day: Head, error: OSError, detail: str, words: str
) -> None:
    disk = Failing()
    with Store.open(folder, files=disk) as store:
        store.append(Draft("answer", value="before"))
        disk.error = error
        with pytest.raises(WriteFailed, match=words) as caught:
            store.append(Draft("answer"))
        assert caught.value.detail == detail
        assert "still there" in str(caught.value.unchanged)
        assert "open it again" in str(caught.value.hint)
        disk.error = None
        with pytest.raises(StoreReadOnly, match="The disk failed"):
            store.append(Draft("answer"))
    with Store.open(folder) as store:
        assert store.head().seq in (day.seq + 1, day.seq + 2), "what was written may be there"


def test_what_was_accepted_stays_so_where_the_entry_that_says_it_stands_elsewhere(
    folder: Path, day: Head
) -> None:
    spoil(folder, 2)
    mend(folder)
    with Store.open(folder) as store:
        store.append(Draft("answer"))
    lines = segment(folder).read_bytes().splitlines(True)
    segment(folder).write_bytes(b"".join([*lines[:-2], lines[-1], lines[-2]]))
    with Store.open(folder) as store:
        damage = {(damage.kind, damage.first, damage.last): damage.accepted for damage in store.damage()}
    assert damage[("entries", 2, 2)]
    assert {kind for (kind, _, _), accepted in damage.items() if not accepted} == {"order"}


def test_an_entry_that_was_the_last_and_is_lost_does_not_make_the_journal_another(
    folder: Path, day: Head
) -> None:
    noted = (folder / "head").read_bytes()
    with Store.open(folder) as store:
        store.append(Draft("answer"))
    (folder / "head").write_bytes(noted)
    (folder / "checkpoint").unlink(missing_ok=True)
    spoil(folder, day.seq)
    with Store.open(folder) as store:
        assert [(damage.kind, damage.first) for damage in store.damage()] == [("entries", day.seq)]


def test_a_journal_that_is_gone_is_missed_from_its_first_byte(folder: Path, day: Head) -> None:
    segment(folder).unlink()
    with Store.open(folder) as store:
        assert str(store.read_only) == (
            f"Entries 1 to {day.seq} of the journal are damaged (journal-000001.fkj, byte 0)."
        )
        (damage,) = store.damage()
    assert (damage.kind, damage.first, damage.last) == ("entries", 1, day.seq)


def test_a_repair_that_was_refused_is_made_in_the_same_run_when_the_disk_takes_it(
    folder: Path, day: Head
) -> None:
    spoil(folder, 6)
    disk = Refusing()
    with Store.open(folder, files=disk) as store:
        holes = store.holes
        disk.refused = "write"
        with pytest.raises((StoreUnavailable, StoreFull)):
            store.accept_holes()
        disk.refused = ""
        assert store.accept_holes() == holes
        assert store.append(Draft("answer")).seq == day.seq + 2
    assert verify(folder).verdict == "pass"


def test_what_was_accepted_by_an_earlier_and_by_a_later_repair_stays_accepted(
    folder: Path, day: Head
) -> None:
    for lost in (2, 4):
        spoil(folder, lost)
        mend(folder)
    assert verify(folder).verdict == "pass"
    with Store.open(folder) as store:
        assert store.read_only is None
        accepted = [(each.first, each.last, each.accepted) for each in store.damage()]
        assert accepted == [(2, 2, True), (4, 4, True)]


def damage_under(folder: Path, seq: int) -> None:
    """Change a byte of an entry in its place, under a store that is open."""
    path = segment(folder)
    lines = path.read_bytes().splitlines(True)
    at = sum(map(len, lines[: seq - 1])) + 60
    with path.open("rb+") as file:
        file.seek(at)
        file.write(bytes([lines[seq - 1][60] ^ 1]))


@pytest.mark.parametrize("lost", [(2,), (2, 4), (2, 3), (3, 2), (4, 2, 3), (5, 7), (7, 5)], ids=str)
def test_whatever_is_saved_between_repairs_of_one_run_is_there_after_it(
    folder: Path, day: Head, lost: tuple[int, ...]
) -> None:
    with Store.open(folder) as store:
        saved = [store.append(Draft("answer", value="before")).seq]
        for seq in lost:
            damage_under(folder, seq)
            assert seq not in [entry.seq for entry in store.entries()]
            assert store.read_only is not None
            assert [(hole.first, hole.last) for hole in store.accept_holes()] == [(seq, seq)]
            saved += [store.append(Draft("answer", value=f"after {n}")).seq for n in range(2)]
        whole = [entry.seq for entry in store.entries()]
        assert set(saved) - set(lost) <= set(whole)
        head = store.head()
    with Store.open(folder) as store:
        assert store.head() == head
        assert [entry.seq for entry in store.entries()] == whole
        assert [seq for seq in range(1, head.seq + 1) if store.is_lost(seq)] == sorted(lost)
        assert store.read_only is None
        assert all(damage.accepted for damage in store.damage())
    assert verify(folder).verdict == "pass"


def test_a_repair_whose_own_entry_is_lost_too_is_made_again(folder: Path, day: Head) -> None:
    spoil(folder, 2)
    mend(folder)
    spoil(folder, day.seq + 1)
    with Store.open(folder) as store:
        assert store.read_only is not None
        assert {(hole.first, hole.last) for hole in store.accept_holes()} == {(2, 2), (7, 7)}
        assert store.append(Draft("answer", value="after")).seq == day.seq + 3
    with Store.open(folder) as store:
        assert store.read_only is None
        assert [entry.seq for entry in store.entries()] == [1, 3, 4, 5, 8, 9]


def test_what_is_saved_after_a_lost_end_was_accepted_is_read_in_the_same_run_and_later(
    folder: Path, day: Head
) -> None:
    lines = segment(folder).read_bytes().splitlines(True)
    segment(folder).write_bytes(b"".join(lines[:3]))
    with Store.open(folder) as store:
        assert [(hole.first, hole.last) for hole in store.accept_holes()] == [(4, day.seq)]
        assert store.append(Draft("answer", value="after")).seq == day.seq + 2
        assert [entry.seq for entry in store.entries()] == [1, 2, 3, day.seq + 1, day.seq + 2]
        assert [seq for seq in range(1, day.seq + 3) if store.is_lost(seq)] == [4, 5, 6]
    with Store.open(folder) as store:
        assert [entry.seq for entry in store.entries()] == [1, 2, 3, day.seq + 1, day.seq + 2]


def test_a_torn_end_is_kept_once_however_often_a_store_is_repaired(folder: Path, day: Head) -> None:
    spoil(folder, 2)
    with segment(folder).open("ab") as file:
        file.write(b"torn")
    with Store.open(folder) as store:
        store.accept_holes()
        damage_under(folder, 4)
        assert 4 not in [entry.seq for entry in store.entries()]
        store.accept_holes()
    assert [path.read_bytes() for path in folder.glob("*.torn")] == [b"torn"]

"""One writer: others read, and say so. What cannot be written is read; a folder that is none is named."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from fieldkit.journal import files
from fieldkit.journal.entry import Draft, Head
from fieldkit.journal.errors import StoreDamaged, StoreReadOnly, StoreUnavailable
from fieldkit.journal.export import export
from fieldkit.journal.files import Disk
from fieldkit.journal.log import Log
from fieldkit.journal.store import Store
from fieldkit.journal.verify import verify
from tests.journal.conftest import flip, segment, write_a_day


def test_the_second_opener_reads_and_says_why_it_cannot_write(folder: Path, day: Head) -> None:
    with Store.open(folder) as first, Store.open(folder) as second:
        assert "Another fieldkit has this store open" in str(second.read_only)
        assert second.head() == day
        assert second.db.table("places").all()
        with pytest.raises(StoreReadOnly) as refused:
            second.append(Draft("answer", value=1))
        assert "Close the other fieldkit" in str(refused.value.hint)
        first.append(Draft("answer", value="while the other reads"))
        assert len(list(second.entries())) == 5
    with Store.open(folder) as store:
        assert store.read_only is None
        assert len(list(store.entries())) == 6


def test_whoever_only_reads_leaves_the_journal_as_it_is_to_the_one_that_writes(
    folder: Path, day: Head
) -> None:
    with Store.open(folder) as writer:
        writer.append(Draft("answer", value="before the other came"))
        Store.open(folder).close()
        writer.append(Draft("answer", value="after the other left"))
    with Store.open(folder) as store:
        assert [entry.value for entry in store.entries()][day.seq - 1 :] == [
            "before the other came",
            "after the other left",
        ]


def test_a_second_process_reads_and_one_that_comes_after_the_first_was_killed_writes(
    folder: Path, day: Head
) -> None:
    hold = "import sys; from pathlib import Path; from fieldkit.journal.store import Store\n"
    hold += "s = Store.open(Path(sys.argv[1])); print(s.read_only, flush=True); sys.stdin.read()"
    first = subprocess.Popen(
        [sys.executable, "-c", hold, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout is not None
    assert first.stdout.readline() == "None\n"
    with Store.open(folder) as second:
        assert second.read_only is not None
    first.kill()
    first.communicate()
    with Store.open(folder) as third:
        assert third.read_only is None


def test_threads_of_one_process_may_write_at_the_same_time(folder: Path) -> None:
    with Store.open(folder) as store:

        def work(name: str) -> None:
            for number in range(30):
                store.append(Draft("answer", visit=name, value=number))
                store.db.table(name).insert({"number": number})
                assert [entry.value for entry in store.entries(visit=name)] == list(range(number + 1))

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with Store.open(folder) as store:
        for name in "abcd":
            assert [entry.value for entry in store.entries(visit=name)] == list(range(30))
            assert [each["number"] for each in store.db.table(name)] == list(range(30))


class Unlockable(Disk):
    """A network share without locks."""

    def lock(self, descriptor: int) -> bool:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def test_a_disk_that_knows_no_locks_is_not_taken_for_another_fieldkit(folder: Path, day: Head) -> None:
    with Store.open(folder, files=Unlockable()) as store:
        assert "cannot be locked" in str(store.read_only)
        assert "Another" not in str(store.read_only)
        assert len(list(store.entries())) == 5


def test_a_lock_that_the_system_refuses_is_not_taken_for_another_fieldkit(
    folder: Path, day: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with Store.open(folder) as store:
        assert "cannot be locked" in str(store.read_only)


@pytest.mark.parametrize("kind", ["file", "file above"])
def test_a_folder_that_is_none_is_named(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").write_text("")
    wanted = tmp_path / "file" if kind == "file" else tmp_path / "file" / "store"
    with pytest.raises(StoreUnavailable) as refused:
        Store.open(wanted)
    assert str(wanted) in str(refused.value)


@pytest.fixture
def read_only_folder(folder: Path, day: Head) -> Iterator[Path]:
    """The store on a file system that is mounted to be read only."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    for options in (["--bind"], ["-o", "remount,ro,bind"]):
        done = subprocess.run(["mount", *options, str(folder), str(folder)], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"this machine does not allow to mount: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_store_on_a_disk_that_is_read_only_is_read(read_only_folder: Path) -> None:
    with Store.open(read_only_folder) as store:
        assert "Read-only file system" in str(store.read_only)
        assert len(list(store.entries())) == 5
        with pytest.raises(StoreReadOnly):
            store.append(Draft("answer", value=1))


# --- the device key


def test_key_folder_and_journal_are_open_to_their_owner_only(folder: Path, day: Head) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def without_key(folder: Path) -> str:
    (folder / "device.key").unlink()
    return "The device key of the store is missing"


def with_a_short_key(folder: Path) -> str:
    (folder / "device.key").write_bytes(b"short")
    return "The device key of the store is damaged"


@pytest.mark.parametrize("spoil", [without_key, with_a_short_key])
@pytest.mark.parametrize("head", [True, False])
def test_beside_an_old_journal_no_new_key_is_made_and_the_journal_is_read(
    folder: Path, tmp_path: Path, day: Head, spoil: Callable[[Path], str], head: bool
) -> None:
    reason = spoil(folder)
    if not head:
        (folder / "head").unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with Store.open(folder) as store:
        assert reason in str(store.read_only)
        assert (store.device, store.head()) == (day.device, day)
        assert len(list(store.entries())) == 5
        assert [each.kind for each in store.damage()] == ["key"]
        for refused in (lambda: store.append(Draft("answer")), store.accept_holes):
            with pytest.raises(StoreReadOnly):
                refused()
        with pytest.raises(StoreDamaged, match=reason):
            store.signed_head()
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    found = verify(folder)
    assert (found.verdict, found.entries) == ("fail", 6)
    assert reason in str(found.checks[0].message)
    taken = export(folder, tmp_path / "out.zip")
    assert (taken.entries, taken.lost) == (6, 0)


def test_a_journal_whose_first_line_is_lost_is_still_an_old_one(folder: Path, day: Head) -> None:
    for path in folder.glob("*"):
        if path.name.startswith(("device", "head", "checkpoint")):
            path.unlink()
    flip(segment(folder), 20)
    with Store.open(folder) as store:
        assert "device key" in str(store.read_only)
    assert not (folder / "device.key").exists()


@pytest.mark.parametrize("at", [0, 31])
def test_a_changed_seed_signs_nothing(folder: Path, day: Head, at: int) -> None:
    flip(folder / "device.key", at)
    with Store.open(folder) as store, pytest.raises(StoreDamaged, match="device key"):
        store.signed_head()


def test_two_stores_have_two_devices(tmp_path: Path) -> None:
    assert write_a_day(tmp_path / "a").device != write_a_day(tmp_path / "b").device


# --- clocks


class SetClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 8, 0, tzinfo=timezone(timedelta(hours=7)))

    def __call__(self) -> datetime:
        return self.now


@pytest.mark.parametrize(
    "move",
    [timedelta(days=-3650), timedelta(days=365), timedelta(0), timedelta(days=-56 * 365)],
    ids=["set back ten years", "a year ahead", "standing still", "at its beginning"],
)
def test_entries_stay_in_order_whatever_the_clock_does(folder: Path, move: timedelta) -> None:
    clock = SetClock()
    with Store.open(folder, now=clock) as store:
        for _ in range(3):
            store.append(Draft("answer"))
    clock.now += move
    with Store.open(folder, now=clock) as store:
        for _ in range(3):
            store.append(Draft("answer"))
        clock.now -= move
        store.append(Draft("answer"))
        entries = list(store.entries())
    times = [entry.hlc for entry in entries]
    assert times == sorted(set(times))
    assert [entry.wall[:4] for entry in entries][3] == str((clock.now + move).year)  # told as it was


def test_a_clock_that_stands_still_for_more_saves_than_it_can_count_goes_on(folder: Path) -> None:
    from fieldkit.journal.clock import MOST, Clock

    clock = Clock(f"{1_000_000_000_000_000 - 1:015d}-{MOST - 1:06d}", SetClock())
    times = [clock.tick()[0] for _ in range(3)]
    assert times[0].endswith(f"-{MOST:06d}")
    assert times == sorted(set(times), key=lambda each: tuple(map(int, each.split("-"))))


# --- writes and what the system says of them


def test_writes_that_the_system_makes_in_pieces_are_gone_on_with(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: whole(fd, bytes(data)[:997], at))
    day = write_a_day(folder)
    monkeypatch.undo()
    with Store.open(folder) as store:
        assert store.head() == day


def test_a_write_that_writes_nothing_is_an_error_not_an_endless_wait(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fieldkit.journal.errors import WriteFailed

    with Store.open(folder) as store:
        store.append(Draft("answer", value="kept"))
        monkeypatch.setattr(os, "pwrite", lambda fd, data, at: 0)
        with pytest.raises(WriteFailed):
            store.append(Draft("answer", value="lost"))
        monkeypatch.undo()
        assert "disk failed" in str(store.read_only)
    with Store.open(folder) as store:
        assert [entry.value for entry in store.entries()] == ["kept"]
        assert store.read_only is None


def test_nothing_but_the_one_layer_touches_the_disk(folder: Path, day: Head) -> None:
    import ast

    room = Path(files.__file__).parent
    touching = {"open", "write", "rename", "replace", "unlink", "fsync", "fdatasync", "truncate", "ftruncate"}
    for path in room.glob("*.py"):
        if path.name in ("files.py", "export.py"):  # the layer; what is taken out leaves the store
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
                assert node.attr not in touching, f"{path.name}:{node.lineno}"
            if isinstance(node, ast.Attribute) and node.attr in (
                "write_bytes",
                "write_text",
                "touch",
                "unlink",
            ):
                raise AssertionError(f"{path.name}:{node.lineno}")
    assert segment(folder).exists()


class Pulled(Disk):
    """A stick that is pulled at some moment."""

    gone = False

    def read_at(self, descriptor: int, offset: int, size: int) -> bytes:
        if self.gone:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read_at(descriptor, offset, size)


def test_a_store_whose_stick_was_pulled_is_closed_without_a_word_and_let_go(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fieldkit.journal import checkpoint

    monkeypatch.setattr(checkpoint, "LEAST", 1)
    disk = Pulled()
    store = Store.open(folder, files=disk)
    store.db.table("t").insert({"a": 1})
    store.append(Draft("answer", value=1))
    disk.gone = True
    store.close()
    with Store.open(folder) as again:
        assert again.read_only is None
        assert again.db.table("t").all() == [{"a": 1}]


class Naming(Disk):
    """Notes the folders whose names were made durable."""

    def __init__(self) -> None:
        super().__init__()
        self.synced: list[Path] = []

    def sync_folder(self, path: Path) -> None:
        self.synced.append(path)
        super().sync_folder(path)


def test_the_folders_that_are_made_for_a_store_are_durable_and_private(tmp_path: Path) -> None:
    disk = Naming()
    folder = tmp_path / "new" / "home" / "store"
    Store.open(folder, files=disk).close()
    assert disk.synced[:3] == [tmp_path, tmp_path / "new", tmp_path / "new" / "home"]
    for path in (folder, *folder.parents[:2]):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_a_file_that_a_virus_scanner_holds_on_windows_is_replaced_when_it_lets_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys as system

    refusals = [PermissionError(errno.EACCES, "held"), PermissionError(errno.EACCES, "held")]
    replace = os.replace

    def held(source: Path, target: Path) -> None:
        if refusals:
            raise refusals.pop()
        replace(source, target)

    (tmp_path / "a").write_text("new")
    monkeypatch.setattr(os, "replace", held)
    with pytest.raises(PermissionError):
        Disk().replace(tmp_path / "a", tmp_path / "b")  # elsewhere that is an answer
    monkeypatch.setattr(system, "platform", "win32")
    Disk().replace(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "new"


class BadSpot(Disk):
    """A disk that gives no bytes of one file, from one place to another."""

    def __init__(self, name: str, first: int, last: int) -> None:
        super().__init__()
        self._name, self._first, self._last = name, first, last
        self._open: dict[int, str] = {}

    def read_file(self, path: Path) -> bytes:
        if path.name == self._name:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read_file(path)

    def open(self, path: Path, *, write: bool = False) -> int:
        descriptor = super().open(path, write=write)
        self._open[descriptor] = path.name
        return descriptor

    def read_at(self, descriptor: int, offset: int, size: int) -> bytes:
        if self._open[descriptor] == self._name and offset < self._last and offset + size > self._first:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read_at(descriptor, offset, size)


@pytest.mark.parametrize("spot", ["in the middle", "at the end"])
def test_a_bad_spot_in_the_journal_costs_what_lies_there_and_no_more(folder: Path, spot: str) -> None:
    write_a_day(folder, answers=60)
    lines = segment(folder).read_bytes().rstrip(b"\0").splitlines(True)
    size = sum(map(len, lines))
    first, last = (4096, 8192) if spot == "in the middle" else (size - 100, size)
    for path in (folder / "head", folder / "checkpoint"):
        path.unlink(missing_ok=True)
    disk = BadSpot(segment(folder).name, first, last)
    begins = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]
    block = first // 4096 * 4096
    whole = [
        number + 1
        for number in range(61)
        if begins[number + 1] <= block or begins[number] >= (last + 4095) // 4096 * 4096
    ]
    with Store.open(folder, files=disk) as store:
        assert [entry.seq for entry in store.entries()] == whole
        assert "disk" in {each.kind for each in store.damage()}
        assert "The disk does not give all of" in str(store.read_only)
        with pytest.raises(StoreReadOnly):
            store.accept_holes()


@pytest.mark.parametrize("spot", ["its only block", "both of its blocks"])
def test_a_journal_of_which_the_disk_gives_nothing_is_not_taken_for_an_empty_one(
    folder: Path, spot: str
) -> None:
    write_a_day(folder, answers=4 if spot == "its only block" else 20)
    for path in (folder / "head", folder / "checkpoint"):
        path.unlink(missing_ok=True)
    with pytest.raises(StoreUnavailable):
        Store.open(folder, files=BadSpot(segment(folder).name, 0, 1_000_000))


def test_a_journal_holds_the_entries_that_it_has_and_none_besides(folder: Path, day: Head) -> None:
    held = Log(folder, Disk(), writable=False)
    assert held.holds(day)
    assert held.holds(Head(day.device, 0, ""))
    for other in (
        Head(day.device, day.seq, "0" * 64),
        Head(day.device, day.seq + 1, day.hash),
        Head(day.device, -1, day.hash),
        Head("another", day.seq, day.hash),
    ):
        assert not held.holds(other)


def test_a_bad_spot_in_the_device_key_does_not_hide_the_journal(folder: Path, day: Head) -> None:
    with Store.open(folder, files=BadSpot("device.key", 0, 10**6)) as store:
        assert len(list(store.entries())) == 5


def test_only_segments_that_fieldkit_could_have_named_are_taken_for_such(folder: Path, day: Head) -> None:
    (folder / "journal-²²²²²².fkj").write_bytes(b"foreign")
    with Store.open(folder) as store:
        assert store.append(Draft("answer")).seq == day.seq + 1

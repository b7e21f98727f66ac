"""What is wrong at a target is seen: damage, another disk, another home of the same device, links."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldkit.home import Home
from fieldkit.journal.entry import Draft, digest
from fieldkit.journal.store import Store
from fieldkit.sync import errors
from fieldkit.sync import push as pushing
from fieldkit.sync.folder import FolderCarrier
from fieldkit.sync.opening import open_bundle
from fieldkit.sync.pull import pull
from fieldkit.sync.push import announce, push
from fieldkit.sync.status import status
from tests.conftest import Run
from tests.sync.conftest import Hub, Office, work

Keys = tuple[str, ...]
POSIX = pytest.mark.skipif(os.name == "nt", reason="links and mounts of Unix")


def flip(path: Path, at: int = -10) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def lose(store: Store, seq: int) -> Store:
    """The same store after entry `seq` was destroyed and its loss accepted."""
    folder = store.folder
    store.close()
    (segment,) = folder.glob("journal-*.fkj")
    lines = segment.read_bytes().split(b"\n")
    lines[seq - 1] = lines[seq - 1][:-5] + b"#####"
    segment.write_bytes(b"\n".join(lines))
    damaged = Store.open(folder)
    damaged.accept_holes("Trần")
    return damaged


def copied(store: Store, folder: Path) -> Store:
    """A second home with the same device key, as of a disk that was cloned."""
    shutil.copytree(store.folder, folder)
    for lock in folder.glob("*lock*"):
        lock.unlink()
    return Store.open(folder)


def keys(home: Home, *offices: Office) -> None:
    folder = home.path / "recipients"
    folder.mkdir(parents=True, exist_ok=True)
    for number, office in enumerate(offices):
        (folder / f"{number}.age").write_text(office.key + "\n")


def test_a_bundle_that_rotted_on_the_stick_is_said_and_its_entries_are_put_again(
    store: Store, stick: FolderCarrier, recipients: Keys, head_office: Office
) -> None:
    first = push(store, stick, recipients)
    work(store, 1)
    second = push(store, stick, recipients)
    flip(stick.folder / first.bundle)
    now = status(store, stick)
    assert [each.bundle for each in now.damaged] == [first.bundle]
    assert [each.bundle for each in now.here] == [second.bundle]
    assert now.pending > 0
    plan = announce(store, stick, recipients)
    assert plan is not None
    assert any(first.bundle in str(step) and "damaged" in str(step) for step in plan.steps)
    again = push(store, stick, recipients)
    assert (again.first, again.damaged) == (1, (first.bundle,))
    assert len(open_bundle(stick.folder / again.bundle, head_office.identity).entries) == again.last
    healed = status(store, stick)
    assert (healed.damaged, healed.pending) == ((), 0)


@pytest.mark.parametrize("size", [0, 100])
def test_a_bundle_that_was_cut_on_the_stick_is_damaged_too(
    store: Store, stick: FolderCarrier, recipients: Keys, size: int
) -> None:
    pushed = push(store, stick, recipients)
    os.truncate(stick.folder / pushed.bundle, size)
    assert [each.bundle for each in status(store, stick).damaged] == [pushed.bundle]
    assert push(store, stick, recipients).first == 1


def test_what_head_office_has_need_not_be_whole_on_the_stick_any_more(
    store: Store, stick: FolderCarrier, recipients: Keys, hub: Hub
) -> None:
    pushed = push(store, stick, recipients)
    name, data = hub.receipt(store.device, pushed.last, digest(next(store.lines(pushed.last, pushed.last))))
    (stick.folder / name).write_bytes(data)
    pull(store, stick, (hub.key,))
    flip(stick.folder / pushed.bundle)
    assert status(store, stick).damaged == ()
    assert announce(store, stick, recipients) is None


def test_the_command_ends_with_failure_while_something_at_the_target_is_damaged(
    home: Home, fieldkit: Run, head_office: Office, escrow: Office, tmp_path: Path
) -> None:
    with Store.open(home.store) as store:
        work(store)
    keys(home, head_office, escrow)
    stick = tmp_path / "stick"
    bundle = fieldkit("sync", "push", stick, "--json", "--yes").result["bundle"]
    flip(stick / bundle)
    ran = fieldkit("sync", "status", stick, "--json")
    assert (ran.status, [each["bundle"] for each in ran.result["damaged"]]) == (1, [bundle])
    assert "sync push" in fieldkit("sync", "status", stick).out
    assert fieldkit("sync", "push", stick, "--json", "--yes").result["damaged"] == [bundle]
    assert fieldkit("sync", "status", stick, "--json").status == 0


def test_two_homes_with_one_key_are_an_alarm_for_whoever_comes_second(
    store: Store, stick: FolderCarrier, recipients: Keys, tmp_path: Path
) -> None:
    with copied(store, tmp_path / "clone") as clone:
        work(clone, 2)
        theirs = push(clone, stick, recipients)
        work(store, 2)  # the same numbers, other entries
        there = {path.name: path.read_bytes() for path in stick.folder.iterdir()}
        assert status(store, stick).forked == (theirs.bundle,)
        for act in (announce, push):
            with pytest.raises(errors.JournalForked) as caught:
                act(store, stick, recipients)  # type: ignore[operator]
            assert caught.value.data["bundles"] == [theirs.bundle]
        assert {path.name: path.read_bytes() for path in stick.folder.iterdir()} == there
        assert status(clone, stick).forked == ()


def test_a_home_brought_back_from_a_backup_is_an_alarm(
    store: Store, stick: FolderCarrier, recipients: Keys, tmp_path: Path
) -> None:
    with copied(store, tmp_path / "backup") as backup:
        work(store, 1)
        push(store, stick, recipients)
        with pytest.raises(errors.JournalForked):
            push(backup, stick, recipients)


def test_homes_that_parted_before_the_first_entry_at_the_target_are_an_alarm_too(
    store: Store, stick: FolderCarrier, recipients: Keys, tmp_path: Path
) -> None:
    other = FolderCarrier(tmp_path / "other")
    with copied(store, tmp_path / "clone") as clone:
        store.append(Draft(kind="note", value="ở đây"))
        clone.append(Draft(kind="note", value="ở kia"))
        push(clone, other, recipients)
        later = push(clone, stick, recipients)
        work(store, 9)
        assert status(store, stick).forked == (later.bundle,)


def test_a_bundle_whose_note_was_lost_is_no_fork_nor_are_other_devices_bundles(
    store: Store, stick: FolderCarrier, recipients: Keys, tmp_path: Path
) -> None:
    with copied(store, tmp_path / "backup") as backup, Store.open(tmp_path / "other") as other:
        pushed = push(store, stick, recipients)
        work(other)
        push(other, stick, recipients)
        (stick.folder / f"fk1-{store.device}-1-2-{'0' * 12}.fkb").write_bytes(b"no bundle at all")
        now = status(backup, stick)
        assert (now.forked, now.damaged) == ((), ())
        assert pushed.last == backup.head().seq


def test_a_fork_is_said_by_the_commands(
    home: Home, fieldkit: Run, head_office: Office, escrow: Office, tmp_path: Path
) -> None:
    with Store.open(home.store) as store:
        work(store)
        clone = copied(store, tmp_path / "clone")
        work(store, 1)
    stick = tmp_path / "stick"
    with clone:
        work(clone, 2)
        theirs = push(clone, FolderCarrier(stick), (head_office.key, escrow.key))
    keys(home, head_office, escrow)
    seen = fieldkit("sync", "status", stick, "--json")
    assert (seen.status, seen.result["forked"]) == (1, [theirs.bundle])
    assert "copied" in fieldkit("sync", "status", stick).out
    ran = fieldkit("sync", "push", stick, "--json", "--yes")
    assert (ran.status, ran.error["code"]) == (3, "journal-forked")
    assert len(list(stick.iterdir())) == 1


def test_an_entry_that_is_lost_does_not_hold_its_receipt_back(
    store: Store, stick: FolderCarrier, recipients: Keys, hub: Hub, tmp_path: Path
) -> None:
    pushed = push(store, stick, recipients)
    hash = digest(next(store.lines(pushed.last, pushed.last)))
    with lose(store, pushed.last) as damaged:
        name, data = hub.receipt(damaged.device, pushed.last, hash)
        (stick.folder / name).write_bytes(data)
        pulled = pull(damaged, stick, (hub.key,))
        assert (pulled.received, pulled.waiting, pulled.unproved) == (pushed.last, (), ())
        work(damaged, 1)
        assert push(damaged, FolderCarrier(tmp_path / "other"), recipients).first == pushed.last + 1


def test_an_entry_that_came_back_after_its_loss_was_accepted_is_put(
    store: Store, stick: FolderCarrier, recipients: Keys, head_office: Office
) -> None:
    """As when the disk gives again what it did not, or the file is brought back from a copy."""
    folder = store.folder
    (segment,) = folder.glob("journal-*.fkj")
    whole = next(store.lines(3, 3))
    with lose(store, 3) as damaged:
        push(damaged, stick, recipients)
        assert [(gap.first, gap.last) for gap in status(damaged).gaps] == [(3, 3)]
    lines = segment.read_bytes().split(b"\n")
    lines[2] = lines[2][: -len(whole)] + whole
    segment.write_bytes(b"\n".join(lines))
    with Store.open(folder) as mended:
        assert next(mended.lines(3, 3)) == whole
        assert (status(mended).gaps, status(mended, stick).pending) == ((), 5)
        pushed = push(mended, stick, recipients)
        assert open_bundle(stick.folder / pushed.bundle, head_office.identity).entries[0] == whole
        assert push(mended, stick, recipients).bundle == ""


def test_where_its_follower_is_lost_too_the_receipt_is_taken_and_said_to_rest_on_its_signature(
    store: Store, stick: FolderCarrier, hub: Hub
) -> None:
    hash = digest(next(store.lines(3, 3)))
    with lose(store, 3) as once, lose(once, 4) as damaged:
        name, data = hub.receipt(damaged.device, 3, hash)
        (stick.folder / name).write_bytes(data)
        assert pull(damaged, stick, (hub.key,)).unproved == (3,)


def test_another_hash_for_a_lost_entry_is_still_an_alarm(
    store: Store, stick: FolderCarrier, hub: Hub
) -> None:
    with lose(store, 3) as damaged:
        name, data = hub.receipt(damaged.device, 3, "0" * 64)
        (stick.folder / name).write_bytes(data)
        with pytest.raises(errors.JournalForked):
            pull(damaged, stick, (hub.key,))


def test_a_left_over_bundle_that_ends_in_a_lost_entry_does_not_hold_the_push_back(
    store: Store, stick: FolderCarrier, recipients: Keys
) -> None:
    pushing.bundle.make(store, 1, 3, recipients, store.folder / pushing.OUTBOX)
    with lose(store, 3) as damaged:
        pushed = push(damaged, stick, recipients)
        assert pushed.last >= 7
        assert [(gap.first, gap.last) for gap in pushed.lost] == [(3, 3)]


def test_what_is_lost_is_said_by_the_commands(
    home: Home, fieldkit: Run, head_office: Office, escrow: Office, tmp_path: Path
) -> None:
    store = Store.open(home.store)
    work(store)
    lose(store, 3).close()
    keys(home, head_office, escrow)
    pushed = fieldkit("sync", "push", tmp_path / "stick", "--json", "--yes")
    assert pushed.result["lost"] == [{"first": 3, "last": 3}]
    assert "Entry 3 is lost here" in fieldkit("sync", "status", tmp_path / "stick").out


def test_the_same_entries_on_two_sticks_wait_for_one_receipt(
    store: Store, stick: FolderCarrier, recipients: Keys, tmp_path: Path
) -> None:
    push(store, stick, recipients)
    other = FolderCarrier(tmp_path / "other")
    second = push(store, other, recipients)
    assert [each.bundle for each in status(store).waiting] == [second.bundle]
    work(store, 1)
    third = push(store, FolderCarrier(tmp_path / "third"), recipients)
    assert [each.bundle for each in status(store).waiting] == [third.bundle]
    assert len(status(store).sent) == 3


@POSIX
@pytest.mark.parametrize("size", [10, 10_000])
@pytest.mark.parametrize("end", ["", ".part"])
@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_link_on_the_stick_is_never_written_through(
    store: Store,
    stick: FolderCarrier,
    recipients: Keys,
    tmp_path: Path,
    link: Callable[[Path, Path], None],
    end: str,
    size: int,
) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_bytes(b"x" * size)
    made = pushing.bundle.make(store, 1, store.head().seq, recipients, store.folder / pushing.OUTBOX)
    link(stick.folder / (made.name + end), outside)
    assert push(store, stick, recipients).bundle == made.name
    assert outside.read_bytes() == b"x" * size
    (put,) = stick.folder.iterdir()
    assert not put.is_symlink()
    assert put.read_bytes() != outside.read_bytes()


@POSIX
def test_an_unfinished_file_that_is_a_link_is_not_gone_on_with(
    store: Store, stick: FolderCarrier, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_bytes(b"x" * 100)
    name = f"fk1-{store.device}-1-2-{'b' * 12}.fkb"
    for make in (Path.symlink_to, Path.hardlink_to):
        make(stick.folder / f"{name}.part", outside)
        with pytest.raises(errors.TargetDamaged):
            stick.put(name, 50, [b"y" * 50], 100, "0" * 64)
        assert outside.read_bytes() == b"x" * 100
        assert list(stick.folder.iterdir()) == []


@POSIX
def test_a_link_on_the_stick_is_never_read_for_a_receipt(
    store: Store, stick: FolderCarrier, hub: Hub, tmp_path: Path
) -> None:
    name, data = hub.receipt(store.device, 1, digest(next(store.lines(1, 1))))
    (tmp_path / "elsewhere").write_bytes(data)
    (stick.folder / name).symlink_to(tmp_path / "elsewhere")
    assert pull(store, stick, (hub.key,)).taken == ()
    with pytest.raises(errors.TargetMissing):
        list(stick.get(name))


MOUNTS = """
import os, subprocess, sys
from pathlib import Path
from fieldkit import i18n
from fieldkit.errors import FieldkitError
from fieldkit.journal.store import Store
from fieldkit.journal.entry import Draft
from fieldkit.sync import push as pushing
from fieldkit.sync.folder import FolderCarrier
from fieldkit.sync.pull import pull
from fieldkit.sync.status import status

i18n.use("en")
folder, keys = Path(sys.argv[1]), tuple(sys.argv[2:4])
stick = folder / "stick"
stick.mkdir()

def mount(): subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(stick)], check=True)
def umount(): subprocess.run(["umount", "-l", str(stick)], check=True)
def put(target, way=None):
    try:
        pushing.push(store, way or FolderCarrier(target), keys)
        return "put"
    except FieldkitError as error:
        return error.code
def left(): return sorted(path.name[:4] for path in stick.rglob("*"))

with Store.open(folder / "store") as store:
    store.append(Draft(kind="note", value="một"))
"""


def mounting(tmp_path: Path, recipients: Keys, steps: str) -> str:
    """What `steps` print in a mount namespace of their own."""
    code = MOUNTS + textwrap.indent(textwrap.dedent(steps), "    ")
    enter = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*enter, "true"], capture_output=True).returncode:
        pytest.skip("this system gives no mount namespace to work in")
    done = subprocess.run(
        [*enter, sys.executable, "-c", code, str(tmp_path), *recipients],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@POSIX
def test_a_stick_that_is_not_mounted_any_more_is_missed_not_written_beside(
    tmp_path: Path, recipients: Keys
) -> None:
    out = mounting(
        tmp_path,
        recipients,
        """
        mount()
        print(put(stick), put(stick / "below"), left())
        umount()
        print(put(stick), put(stick / "below"), left())
        for ask in (status, lambda store, way: pull(store, way, ())):
            try:
                ask(store, FolderCarrier(stick))
            except FieldkitError as error:
                print(error.code, "nothing is mounted" in str(error))
        mount()
        store.append(Draft(kind="note", value="hai"))
        print(put(stick))
        """,
    )
    assert out.splitlines() == [
        "put put ['belo', 'fk1-', 'fk1-']",
        "target-missing target-missing []",
        "target-missing True",
        "target-missing True",
        "put",
    ]


@POSIX
@pytest.mark.parametrize("target", ["stick", 'stick / "new"'])
def test_a_stick_that_goes_while_the_question_is_open_is_missed(
    tmp_path: Path, recipients: Keys, target: str
) -> None:
    out = mounting(
        tmp_path,
        recipients,
        f"""
        mount()
        way = FolderCarrier({target})
        pushing.announce(store, way, keys)
        umount()
        print(put(None, way), left(), len(status(store).sent))
        """,
    )
    assert out.splitlines() == ["target-missing [] 0"]


@POSIX
def test_a_stick_that_another_takes_the_place_of_while_it_is_written_is_not_noted(
    tmp_path: Path, recipients: Keys
) -> None:
    out = mounting(
        tmp_path,
        recipients,
        """
        class Swapped(FolderCarrier):
            def put(self, name, offset, chunks, size, sha256):
                def swapping():
                    yield from chunks
                    mount()
                super().put(name, offset, swapping(), size, sha256)
        mount()
        print(put(None, Swapped(stick)), left(), len(status(store).sent))
        """,
    )
    assert out.splitlines() == ["target-missing [] 0"]


@POSIX
def test_an_empty_mount_point_is_no_stick_though_nothing_was_ever_put_there(
    tmp_path: Path, recipients: Keys
) -> None:
    out = mounting(
        tmp_path,
        recipients,
        """
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=True)
        os.mkdir("/mnt/stick")
        os.symlink("/mnt/stick", folder / "link")
        print(put(Path("/mnt/stick")), put(Path("/mnt/stick/below")), put(folder / "link"))
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/mnt/stick"], check=True)
        print(put(Path("/mnt/stick")))
        """,
    )
    assert out.splitlines() == ["target-missing target-missing target-missing", "put"]


def test_a_target_on_this_computers_own_disk_is_said_before_it_is_agreed_to(
    store: Store, recipients: Keys, tmp_path: Path
) -> None:
    plan = announce(store, FolderCarrier(tmp_path / "folder"), recipients)
    assert plan is not None
    assert any("own disk" in str(step) for step in plan.steps) == (os.name != "nt")


@POSIX
def test_a_new_folder_on_a_stick_is_not_taken_for_this_computers_own_disk(
    tmp_path: Path, recipients: Keys
) -> None:
    out = mounting(
        tmp_path,
        recipients,
        """
        mount()
        plan = pushing.announce(store, FolderCarrier(stick / "new"), keys)
        print(any("own disk" in str(step) for step in plan.steps))
        """,
    )
    assert out.splitlines() == ["False"]


def test_a_folder_in_the_outbox_is_left_alone(store: Store, stick: FolderCarrier, recipients: Keys) -> None:
    (store.folder / pushing.OUTBOX / "thư mục").mkdir(parents=True)
    assert push(store, stick, recipients).first == 1


def test_bytes_that_do_not_read_back_as_they_were_written_are_damage_and_go_again(
    store: Store, stick: FolderCarrier
) -> None:
    name = f"fk1-{store.device}-1-2-{'b' * 12}.fkb"
    with pytest.raises(errors.TargetDamaged) as caught:
        stick.put(name, 0, [b"y" * 50], 50, "0" * 64)
    assert caught.value.code == "target-damaged"
    assert list(stick.folder.iterdir()) == []


def test_a_bundle_that_cannot_be_written_here_is_said_and_nothing_is_put(
    store: Store, stick: FolderCarrier, recipients: Keys
) -> None:
    (store.folder / pushing.OUTBOX).write_text("a file where the folder should be")
    with pytest.raises(errors.BundleNotMade) as caught:
        push(store, stick, recipients)
    assert caught.value.code == "bundle-not-made"
    assert list(stick.folder.iterdir()) == []


@POSIX
def test_a_stick_that_is_write_protected_is_said_to_be(tmp_path: Path, recipients: Keys) -> None:
    out = mounting(
        tmp_path,
        recipients,
        """
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(stick)], check=True)
        print(put(stick), put(stick / "below"), left(), len(status(store).sent))
        """,
    )
    assert out.splitlines() == ["target-read-only target-read-only [] 0"]

"""What was put waits for a receipt; the same thing twice changes nothing; what was broken off goes on."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from fieldkit.journal.entry import Draft, digest
from fieldkit.journal.errors import StoreReadOnly
from fieldkit.journal.store import Store
from fieldkit.operator import Progress
from fieldkit.sync import errors, opening
from fieldkit.sync import push as pushing
from fieldkit.sync.carrier import TargetFile
from fieldkit.sync.folder import FolderCarrier
from fieldkit.sync.opening import open_bundle
from fieldkit.sync.pull import pull
from fieldkit.sync.push import push
from fieldkit.sync.receipt import read
from fieldkit.sync.status import status
from fieldkit.sync.target import CARRIERS, carrier
from tests.sync.conftest import Hub, Office, work

Keys = tuple[str, ...]


def test_what_was_put_waits_for_a_receipt(store: Store, stick: FolderCarrier, recipients: Keys) -> None:
    head = store.head()
    pushed = push(store, stick, recipients)
    assert (pushed.first, pushed.last) == (1, head.seq)
    assert [each.bundle for each in pushed.waiting] == [pushed.bundle]
    assert (stick.folder / pushed.bundle).is_file()
    assert not list(stick.folder.glob("*.part"))
    assert not list((store.folder / pushing.OUTBOX).iterdir())


def test_the_same_push_again_puts_nothing(store: Store, stick: FolderCarrier, recipients: Keys) -> None:
    first = push(store, stick, recipients)
    again = push(store, stick, recipients)
    assert (again.bundle, again.bundles) == ("", ())
    assert [each.bundle for each in again.waiting] == [first.bundle]
    assert len(list(stick.folder.iterdir())) == 1


def test_the_next_push_goes_on_after_the_last(
    store: Store, stick: FolderCarrier, recipients: Keys, head_office: Office
) -> None:
    first = push(store, stick, recipients)
    work(store, 2)
    second = push(store, stick, recipients)
    assert second.first == first.last + 1
    opened = [
        open_bundle(stick.folder / each, head_office.identity) for each in (first.bundle, second.bundle)
    ]
    assert opened[1].header.prev == opened[0].header.hash


def test_another_stick_gets_everything_that_has_no_receipt(
    store: Store, stick: FolderCarrier, recipients: Keys, tmp_path: Path
) -> None:
    push(store, stick, recipients)
    other = FolderCarrier(tmp_path / "other")
    assert push(store, other, recipients).first == 1


def test_a_receipt_clears_what_waits(
    store: Store, stick: FolderCarrier, recipients: Keys, hub: Hub, tmp_path: Path
) -> None:
    pushed = push(store, stick, recipients)
    hash_of_last = digest(next(store.lines(pushed.last, pushed.last)))
    name, data = hub.receipt(store.device, pushed.last, hash_of_last)
    (stick.folder / name).write_bytes(data)
    pulled = pull(store, stick, (hub.key,))
    assert [each.seq for each in pulled.taken] == [pushed.last]
    assert (pulled.received, pulled.waiting) == (pushed.last, ())
    assert pull(store, stick, (hub.key,)).taken == ()
    work(store, 1)
    assert push(store, FolderCarrier(tmp_path / "other"), recipients).first == pushed.last + 1


def test_a_receipt_for_the_first_bundle_leaves_the_second_waiting(
    store: Store, stick: FolderCarrier, recipients: Keys, hub: Hub
) -> None:
    first = push(store, stick, recipients)
    work(store, 1)
    second = push(store, stick, recipients)
    name, data = hub.receipt(store.device, first.last, digest(next(store.lines(first.last, first.last))))
    (stick.folder / name).write_bytes(data)
    assert [each.bundle for each in pull(store, stick, (hub.key,)).waiting] == [second.bundle]


def test_a_receipt_of_somebody_else_is_not_taken(store: Store, stick: FolderCarrier, hub: Hub) -> None:
    name, data = Hub().receipt(store.device, 1, digest(next(store.lines(1, 1))))
    (stick.folder / name).write_bytes(data)
    pulled = pull(store, stick, (hub.key,))
    assert (pulled.taken, [each.name for each in pulled.refused], pulled.received) == ((), [name], 0)


def test_any_changed_byte_of_a_receipt_is_refused(store: Store, hub: Hub) -> None:
    _, data = hub.receipt(store.device, 1, digest(next(store.lines(1, 1))))
    assert read(data, (hub.key,), store).seq == 1
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 0x20
        with pytest.raises(errors.ReceiptInvalid):
            read(bytes(changed), (hub.key,), store)
    with pytest.raises(errors.ReceiptInvalid):
        read(data + b"\n", (hub.key,), store)


@pytest.mark.parametrize(("seq", "hash"), [(1, "0" * 64), (999, "0" * 64)])
def test_a_receipt_for_other_entries_than_these_is_an_alarm(
    store: Store, stick: FolderCarrier, hub: Hub, seq: int, hash: str
) -> None:
    name, data = hub.receipt(store.device, seq, hash)
    (stick.folder / name).write_bytes(data)
    with pytest.raises(errors.JournalForked):
        pull(store, stick, (hub.key,))


def test_receipts_without_a_key_to_check_them_are_not_taken(
    store: Store, stick: FolderCarrier, hub: Hub
) -> None:
    assert pull(store, stick, ()).received == 0
    name, data = hub.receipt(store.device, 1, digest(next(store.lines(1, 1))))
    (stick.folder / name).write_bytes(data)
    with pytest.raises(errors.HubKeyMissing):
        pull(store, stick, ())


def test_status_counts_what_is_not_put_yet(store: Store, stick: FolderCarrier, recipients: Keys) -> None:
    assert (status(store).pending, status(store, stick).pending) == (6, 6)
    push(store, stick, recipients)
    assert (status(store).pending, status(store, stick).pending) == (0, 0)
    store.append(Draft(kind="note", value="thêm"))
    now = status(store, stick)
    assert (now.pending, len(now.waiting), len(now.here)) == (1, 1, 1)


def test_a_bundle_taken_off_the_stick_without_a_receipt_is_put_again(
    store: Store, stick: FolderCarrier, recipients: Keys
) -> None:
    pushed = push(store, stick, recipients)
    (stick.folder / pushed.bundle).unlink()
    assert push(store, stick, recipients).first == 1


def test_a_target_that_is_not_there_is_said_so(store: Store, recipients: Keys, tmp_path: Path) -> None:
    for missing in (tmp_path / "no" / "stick", Path("/media/nobody/STICK"), Path(__file__)):
        with pytest.raises(errors.TargetMissing) as caught:
            push(store, FolderCarrier(missing), recipients)
        assert "still there" in str(caught.value.unchanged)
    assert not Path("/media/nobody").exists()


def test_kinds_of_targets_that_are_not_supported_say_so(tmp_path: Path) -> None:
    for target in ("sftp://office/in", "https://office.example.invalid", "S3://bucket"):
        with pytest.raises(errors.TargetUnsupported) as caught:
            carrier(target)
        assert "not supported in this release" in str(caught.value)
    assert carrier(f"file://{tmp_path}").label == str(tmp_path)


ADDRESSES = {"": "{folder}", "file": "file://{folder}"}
"""Of a place that a test has of each kind of target."""


@pytest.mark.parametrize("scheme", CARRIERS)
def test_every_carrier_goes_on_where_it_was_broken_off_and_gives_back_what_was_put(
    scheme: str, tmp_path: Path
) -> None:
    data, name = os.urandom(3000), "fk1-0123456789ab-1-2-0123456789ab.fkb"
    way, sha256 = carrier(ADDRESSES[scheme].format(folder=tmp_path)), hashlib.sha256(data).hexdigest()
    assert way.list() == []
    with pytest.raises(errors.TargetMissing):
        way.put(name, 0, _pulled_after(data[:1000]), len(data), sha256)
    assert way.list() == [TargetFile(name, 1000, complete=False)]
    way.put(name, 1000, [data[1000:]], len(data), sha256)
    assert way.list() == [TargetFile(name, len(data))]
    assert b"".join(way.get(name, 500)) == data[500:]
    with pytest.raises(errors.TargetDamaged):
        way.put(name, 0, [data], len(data), "0" * 64)


def _pulled_after(data: bytes) -> Iterator[bytes]:
    yield data
    raise OSError(5, os.strerror(5))


class Pulled(FolderCarrier):
    """A stick that is pulled out after some bytes: the folder is gone, as the mount point is then."""

    def __init__(self, folder: Path, after: int) -> None:
        super().__init__(folder)
        self.after = after
        self.offsets: list[int] = []

    def put(self, name: str, offset: int, chunks: Iterable[bytes], size: int, sha256: str) -> None:
        self.offsets.append(offset)
        super().put(name, offset, self._cut(chunks), size, sha256)

    def _cut(self, chunks: Iterable[bytes]) -> Iterable[bytes]:
        for chunk in chunks:
            if len(chunk) > self.after:
                yield chunk[: self.after]
                raise OSError(5, os.strerror(5))
            yield chunk


def test_a_pulled_stick_is_gone_on_with_where_it_stopped(
    store: Store, recipients: Keys, tmp_path: Path, head_office: Office
) -> None:
    store.append(Draft(kind="answer", blob=store.attach(os.urandom(300_000), "lớn.bin").sha256))
    folder = tmp_path / "stick"
    with pytest.raises(errors.TargetMissing):
        push(store, Pulled(folder, 200_000), recipients)
    (part,) = folder.iterdir()
    assert (part.suffix, part.stat().st_size) == (".part", 200_000)
    assert status(store).sent == ()
    again = Pulled(folder, 10**9)
    pushed = push(store, again, recipients)
    assert again.offsets == [200_000]
    assert len(open_bundle(folder / pushed.bundle, head_office.identity).entries) == store.head().seq - 1


def test_an_unfinished_file_that_rotted_is_begun_again(
    store: Store, recipients: Keys, tmp_path: Path, head_office: Office
) -> None:
    store.append(Draft(kind="answer", blob=store.attach(os.urandom(300_000), "lớn.bin").sha256))
    folder = tmp_path / "stick"
    with pytest.raises(errors.TargetMissing):
        push(store, Pulled(folder, 200_000), recipients)
    (part,) = folder.iterdir()
    part.write_bytes(bytes(200_000))
    again = Pulled(folder, 10**9)
    pushed = push(store, again, recipients)
    assert again.offsets == [200_000, 0]
    open_bundle(folder / pushed.bundle, head_office.identity)


def test_a_push_broken_off_before_it_was_noted_is_not_put_twice(
    store: Store, stick: FolderCarrier, recipients: Keys
) -> None:
    """The machine dies between the rename on the stick and the entry in the journal."""
    outbox = store.folder / pushing.OUTBOX
    made = pushing.bundle.make(store, 1, store.head().seq, recipients, outbox)
    pushing.deliver(stick, made, lambda _: None)
    pushed = push(store, stick, recipients)
    assert pushed.bundle == made.name
    assert len(list(stick.folder.iterdir())) == 1


def test_what_lies_in_the_outbox_for_other_recipients_is_not_used(
    store: Store, stick: FolderCarrier, recipients: Keys
) -> None:
    old = pushing.bundle.make(store, 1, 3, (recipients[0], Office().key), store.folder / pushing.OUTBOX)
    assert push(store, stick, recipients).bundle != old.name
    assert not old.path.exists()


FULL = textwrap.dedent("""
    import resource, sys
    from pathlib import Path
    from fieldkit.errors import FieldkitError
    from fieldkit.journal.store import Store
    from fieldkit.sync.folder import FolderCarrier
    data = bytes(range(256)) * 4000
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
    import hashlib
    stick = FolderCarrier(Path(sys.argv[1]))
    name = "fk1-" + "a" * 12 + "-1-2-" + "b" * 12 + ".fkb"
    try:
        stick.put(name, 0, [data[:400_000], data[400_000:]], len(data), hashlib.sha256(data).hexdigest())
    except FieldkitError as error:
        print(error.code, [each.size for each in stick.list() if not each.complete])
""")


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on file sizes")
def test_a_file_system_that_takes_no_such_file_says_so_and_keeps_what_it_took(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "stick")], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "target-full [500000]", done.stderr


@pytest.mark.skipif(
    not Path("/dev/shm").is_dir() or os.geteuid() != 0, reason="needs a small disk of its own"
)
def test_a_full_disk_is_said_before_anything_is_written(
    store: Store, recipients: Keys, tmp_path: Path
) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)])
    if mounted.returncode != 0:
        pytest.skip("no rights to mount")
    try:
        store.append(Draft(kind="answer", blob=store.attach(os.urandom(300_000), "lớn.bin").sha256))
        with pytest.raises(errors.TargetFull):
            push(store, FolderCarrier(folder), recipients)
        assert list(folder.iterdir()) == []
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_second_instance_cannot_push_and_says_why(
    store: Store, stick: FolderCarrier, recipients: Keys
) -> None:
    with Store.open(store.folder) as second, pytest.raises(StoreReadOnly):
        push(second, stick, recipients)
    assert stick.list() == []


def test_large_work_goes_in_several_bundles(
    store: Store,
    stick: FolderCarrier,
    recipients: Keys,
    head_office: Office,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pushing, "LARGEST_BODY", 100_000)
    for _ in range(3):
        store.append(Draft(kind="answer", blob=store.attach(os.urandom(80_000), "lớn.bin").sha256))
    pushed = push(store, stick, recipients)
    assert len(pushed.bundles) == 3
    opened = [open_bundle(stick.folder / each, head_office.identity) for each in pushed.bundles]
    assert [each.header.prev for each in opened[1:]] == [each.header.hash for each in opened[:-1]]
    assert push(store, stick, recipients).bundle == ""


def test_a_bundle_holds_no_more_entries_than_can_be_opened(
    store: Store,
    stick: FolderCarrier,
    recipients: Keys,
    head_office: Office,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    longest = max(len(line) + 1 for line in store.lines(1, store.head().seq))
    for most in (3 * longest, longest):
        monkeypatch.setattr(opening, "LARGEST_ENTRIES", most)
        pushed = push(store, FolderCarrier(stick.folder / str(most)), recipients)
        opened = [
            open_bundle(stick.folder / str(most) / each, head_office.identity) for each in pushed.bundles
        ]
        entries = [entry for each in opened for entry in each.entries]
        assert entries == list(store.lines(1, pushed.last))
    assert len(pushed.bundles) == pushed.last


def test_entries_that_were_lost_do_not_hold_the_rest_back(
    store: Store, stick: FolderCarrier, recipients: Keys, head_office: Office
) -> None:
    folder = store.folder
    store.close()
    (segment,) = folder.glob("journal-*.fkj")
    lines = segment.read_bytes().split(b"\n")
    lines[2] = lines[2][:-5] + b"#####"
    segment.write_bytes(b"\n".join(lines))
    with Store.open(folder) as damaged:
        with pytest.raises(StoreReadOnly):
            push(damaged, stick, recipients)
        damaged.accept_holes("Trần")
        pushed = push(damaged, stick, recipients)
        opened = [open_bundle(stick.folder / each, head_office.identity) for each in pushed.bundles]
        assert [(each.header.first, each.header.last) for each in opened] == [(1, 2), (4, 7)]
        assert push(damaged, stick, recipients).bundle == ""
        work(damaged, 1)
        assert push(damaged, stick, recipients).first == 8


def test_progress_tells_how_far_it_is(store: Store, stick: FolderCarrier, recipients: Keys) -> None:
    told: list[Progress] = []
    push(store, stick, recipients, progress=told.append)
    assert any(each.total and each.done == each.total for each in told)


def test_other_files_on_the_stick_are_left_alone(
    stick: FolderCarrier, store: Store, recipients: Keys
) -> None:
    (stick.folder / "ảnh gia đình.jpg").write_bytes(b"x")
    (stick.folder / "fk1-sub").mkdir()
    assert stick.list() == []
    push(store, stick, recipients)
    assert isinstance(stick.list()[0], TargetFile)
    assert (stick.folder / "ảnh gia đình.jpg").read_bytes() == b"x"

"""A bundle opens to exactly what the device wrote, for its recipients alone, and any change is refused."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldkit.errors import FieldkitError
from fieldkit.journal.entry import Draft
from fieldkit.journal.store import Store
from fieldkit.sync import age, bundle, errors
from fieldkit.sync.bundle import KIND, BuiltBundle, BundleHeader, make, named
from fieldkit.sync.opening import open_bundle, read_header
from fieldkit.sync.signed import frame
from tests.sync.conftest import Office, work

Keys = tuple[str, ...]


@pytest.fixture
def made(store: Store, recipients: Keys, tmp_path: Path) -> BuiltBundle:
    return make(store, 1, store.head().seq, recipients, tmp_path / "out")


def test_head_office_and_the_escrow_each_open_it(
    store: Store, made: BuiltBundle, head_office: Office, escrow: Office, tmp_path: Path
) -> None:
    for office in (head_office, escrow):
        opened = open_bundle(made.path, office.identity, into=tmp_path / "in", device_key=store.public_key)
        assert list(opened.entries) == list(store.lines(1, store.head().seq))
        (photo,) = opened.files.values()
        assert photo.read_bytes() == store.attachment(photo.name)


def test_nobody_else_opens_it(made: BuiltBundle) -> None:
    with pytest.raises(errors.BundleNotForYou):
        open_bundle(made.path, Office().identity)


def test_its_name_says_device_range_and_hash(store: Store, made: BuiltBundle) -> None:
    sha256 = hashlib.sha256(made.path.read_bytes()).hexdigest()
    assert made.sha256 == sha256
    assert named(made.name) == bundle.BundleName(store.device, 1, store.head().seq, sha256[:12])


def test_nothing_of_the_work_is_readable_in_it(made: BuiltBundle) -> None:
    data = made.path.read_bytes()
    assert "câu trả lời".encode() not in data
    assert b"a photo" not in data
    assert b"v1" not in data.split(b"\n", 3)[1]


def test_the_header_names_chain_and_recipients_without_decrypting(store: Store, made: BuiltBundle) -> None:
    header = read_header(made.path)
    assert (header.device, header.key) == (store.device, store.public_key.hex())
    assert (header.first, header.last, header.hash) == (1, store.head().seq, store.head().hash)
    assert len(header.recipients) == 2


def test_a_bundle_from_the_middle_continues_the_chain(
    store: Store, recipients: Keys, head_office: Office, tmp_path: Path
) -> None:
    first = make(store, 1, 3, recipients, tmp_path)
    second = make(store, 4, 6, recipients, tmp_path)
    assert second.header.prev == first.header.hash
    opened = open_bundle(second.path, head_office.identity)
    assert len(opened.entries) == 3


def test_one_recipient_is_not_enough(store: Store, head_office: Office, tmp_path: Path) -> None:
    for keys in ((), (head_office.key,), (head_office.key, head_office.key)):
        with pytest.raises(errors.RecipientsMissing):
            make(store, 1, 1, keys, tmp_path)
    with pytest.raises(errors.RecipientInvalid):
        make(store, 1, 1, (head_office.key, "age1nonsense"), tmp_path)


def test_a_damaged_attachment_does_not_hold_the_rest_back(
    store: Store, recipients: Keys, head_office: Office, tmp_path: Path
) -> None:
    photo = next(iter(store.entries())).blob
    store.attachment_path(photo).write_bytes(b"rot")
    made = make(store, 1, 6, recipients, tmp_path)
    assert (made.header.missing, made.header.blobs) == ((photo,), ())
    assert len(open_bundle(made.path, head_office.identity).entries) == 6


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_byte_is_refused(
    made: BuiltBundle, head_office: Office, tmp_path: Path, data: st.DataObject
) -> None:
    whole = bytearray(made.path.read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    changed = tmp_path / "changed.fkb"
    changed.write_bytes(whole)
    with pytest.raises((errors.BundleDamaged, errors.BundleUnreadable)):
        open_bundle(changed, head_office.identity, into=tmp_path / "in")
    assert list((tmp_path / "in").glob("*")) == []


@pytest.mark.parametrize("keep", [0, 1, 30, 700, -1, -200])
def test_a_bundle_that_is_cut_off_is_refused(
    made: BuiltBundle, head_office: Office, tmp_path: Path, keep: int
) -> None:
    cut = tmp_path / "cut.fkb"
    cut.write_bytes(made.path.read_bytes()[:keep])
    with pytest.raises((errors.BundleDamaged, errors.BundleUnreadable)):
        open_bundle(cut, head_office.identity)


def test_a_bundle_with_something_added_is_refused(made: BuiltBundle, head_office: Office) -> None:
    with made.path.open("ab") as file:
        file.write(b"\n")
    with pytest.raises(errors.BundleDamaged):
        open_bundle(made.path, head_office.identity)


def test_another_devices_key_is_noticed(made: BuiltBundle, tmp_path: Path) -> None:
    with Store.open(tmp_path / "other") as other, pytest.raises(errors.BundleForged):
        read_header(made.path, device_key=other.public_key)


def test_a_device_cannot_speak_for_another(
    store: Store, made: BuiltBundle, head_office: Office, tmp_path: Path
) -> None:
    """It signs with its own key, and says it were another device."""
    header = msgspec.structs.replace(made.header, device="0" * 12)
    cipher = made.path.read_bytes()[-header.size :]
    path = tmp_path / "other.fkb"
    path.write_bytes(frame(KIND, header, store.sign) + cipher)
    with pytest.raises(errors.BundleForged):
        open_bundle(path, head_office.identity)


def _forged(
    store: Store, header: BundleHeader, body: bytes, keys: Keys, path: Path, **changes: object
) -> Path:
    """A bundle signed by the device itself whose parts do not fit: what a faulty device might send."""
    sealed = io.BytesIO()
    age.pack(io.BytesIO(body), sealed, keys)
    cipher = sealed.getvalue()
    changed = msgspec.structs.replace(
        header, sha256=hashlib.sha256(cipher).hexdigest(), size=len(cipher), **changes
    )
    path.write_bytes(frame(KIND, changed, store.sign) + cipher)
    return path


def test_a_bomb_is_stopped_at_what_the_header_says(
    store: Store, made: BuiltBundle, recipients: Keys, head_office: Office, tmp_path: Path
) -> None:
    bomb = _forged(store, made.header, bytes(300_000_000), recipients, tmp_path / "bomb.fkb")
    assert bomb.stat().st_size < 100_000
    with pytest.raises(errors.BundleDamaged):
        open_bundle(bomb, head_office.identity, into=tmp_path / "in")
    assert list((tmp_path / "in").iterdir()) == []


def test_a_header_that_promises_too_much_is_refused_before_anything_is_unpacked(
    store: Store, made: BuiltBundle, recipients: Keys, head_office: Office, tmp_path: Path
) -> None:
    huge = (bundle.BundledAttachment("0" * 64, 1 << 50),)
    bomb = _forged(store, made.header, b"", recipients, tmp_path / "bomb.fkb", blobs=huge)
    with pytest.raises(errors.BundleDamaged):
        open_bundle(bomb, head_office.identity)


def test_entries_that_do_not_follow_each_other_are_refused(
    store: Store, made: BuiltBundle, recipients: Keys, head_office: Office, tmp_path: Path
) -> None:
    lines = list(store.lines(1, 6))
    lines[2], lines[3] = lines[3], lines[2]
    body = b"".join(line + b"\n" for line in lines)
    bad = _forged(store, made.header, body, recipients, tmp_path / "bad.fkb", blobs=())
    with pytest.raises(errors.BundleDamaged):
        open_bundle(bad, head_office.identity)


def test_an_attachment_that_is_not_what_it_says_is_refused(
    store: Store, made: BuiltBundle, recipients: Keys, head_office: Office, tmp_path: Path
) -> None:
    body = b"".join(line + b"\n" for line in store.lines(1, 6)) + bytes(made.header.blobs[0].size)
    bad = _forged(store, made.header, body, recipients, tmp_path / "bad.fkb")
    with pytest.raises(errors.BundleDamaged):
        open_bundle(bad, head_office.identity, into=tmp_path / "in")
    assert list((tmp_path / "in").iterdir()) == []


def test_a_window_larger_than_memory_allows_is_refused(
    store: Store, made: BuiltBundle, recipients: Keys, head_office: Office, tmp_path: Path
) -> None:
    import pyrage

    parameters = zstandard.ZstdCompressionParameters(window_log=29, write_content_size=False)
    packed = zstandard.ZstdCompressor(compression_params=parameters)
    body = io.BytesIO(b"x" * 1000)
    sealed = io.BytesIO()
    keys = [pyrage.x25519.Recipient.from_str(key) for key in recipients]
    pyrage.encrypt_io(packed.stream_reader(body), sealed, keys)
    cipher = sealed.getvalue()
    header = msgspec.structs.replace(made.header, sha256=hashlib.sha256(cipher).hexdigest(), size=len(cipher))
    path = tmp_path / "window.fkb"
    path.write_bytes(frame(KIND, header, store.sign) + cipher)
    with pytest.raises(errors.BundleDamaged):
        open_bundle(path, head_office.identity)


text = st.text(max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(drafts=st.lists(st.tuples(values, st.binary(max_size=200)), min_size=1, max_size=6), data=st.data())
@settings(max_examples=30, deadline=None)
def test_whatever_was_said_comes_out_as_it_was(
    drafts: list[tuple[object, bytes]],
    data: st.DataObject,
    recipients: Keys,
    head_office: Office,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("round")
    with Store.open(folder / "store") as store:
        kept = set()
        for value, attachment in drafts:
            blob = store.attach(attachment, "tệp").sha256 if attachment else ""
            try:
                store.append(Draft(kind="note", value=value, blob=blob))
            except FieldkitError:  # not storable: a lone surrogate
                continue
        if not store.head().seq:
            return
        first = data.draw(st.integers(1, store.head().seq))
        kept = {entry.blob for entry in store.entries(after=first - 1) if entry.blob}
        made = make(store, first, store.head().seq, recipients, folder)
        opened = open_bundle(made.path, head_office.identity, into=folder / "in")
        assert list(opened.entries) == list(store.lines(first, store.head().seq))
        assert set(opened.files) == kept
        assert all(hashlib.sha256(p.read_bytes()).hexdigest() == sha for sha, p in opened.files.items())


def test_a_large_attachment_passes_through(
    store: Store, recipients: Keys, head_office: Office, tmp_path: Path
) -> None:
    big = bytes(range(256)) * 40_000
    store.append(Draft(kind="answer", blob=store.attach(big, "lớn.bin").sha256))
    work(store, 1)
    made = make(store, 7, store.head().seq, recipients, tmp_path)
    opened = open_bundle(made.path, head_office.identity, into=tmp_path / "in")
    assert big in [path.read_bytes() for path in opened.files.values()]


def test_something_else_is_said_to_be_no_bundle(tmp_path: Path, head_office: Office) -> None:
    for content in (
        b"",
        b"fieldkit-bundle 9\n{}\n",
        b"%PDF-1.7",
        b"fieldkit-bundle 1\n{}\n" + b"0" * 128 + b"\n",
    ):
        path = tmp_path / "x.fkb"
        path.write_bytes(content)
        with pytest.raises((errors.BundleUnreadable, errors.BundleDamaged)):
            open_bundle(path, head_office.identity)
    with pytest.raises(errors.BundleUnreadable):
        open_bundle(tmp_path / "nowhere.fkb", head_office.identity)


@pytest.mark.parametrize("sha256", ["", "x", "../../etc/passwd", "A" * 64, "0" * 63])
def test_what_only_looks_like_an_attachment_does_not_spoil_the_bundle(
    store: Store, head_office: Office, recipients: Keys, tmp_path: Path, sha256: str
) -> None:
    value = {"sha256": sha256, "size": 1, "name": "driver.deb"}
    entry = store.append(Draft(kind="note", value=value))
    opened = open_bundle(make(store, 1, entry.seq, recipients, tmp_path).path, head_office.identity)
    assert len(opened.entries) == entry.seq
    assert opened.header.missing == ()

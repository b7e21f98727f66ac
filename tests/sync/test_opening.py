"""A bundle that is cut anywhere, or whose signed header and body contradict each other, is refused for it."""

from __future__ import annotations

import hashlib
import io
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fieldkit.errors import FieldkitError
from fieldkit.journal.entry import GENESIS, Draft, canonical
from fieldkit.journal.store import Store
from fieldkit.sync import age, errors, opening
from fieldkit.sync.bundle import KIND, BuiltBundle, BundledAttachment, BundleHeader, make
from fieldkit.sync.opening import open_bundle, read_header
from fieldkit.sync.recipients import identifier
from fieldkit.sync.signed import frame
from tests.sync.conftest import Office

Keys = tuple[str, ...]
Build = Callable[..., Path]
EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.fixture
def made(store: Store, recipients: Keys, tmp_path: Path) -> BuiltBundle:
    """A bundle with an attachment of some bytes and one of none."""
    photo = store.attach(b"a second photo" * 20, "ảnh hai.jpg")
    store.append(Draft(kind="answer", visit="v1", item="photo2", value="hai", blob=photo.sha256))
    return make(store, 2, store.head().seq, recipients, tmp_path / "out")


@pytest.fixture
def body(store: Store, made: BuiltBundle) -> bytes:
    """What is packed in it."""
    lines = b"".join(line + b"\n" for line in store.lines(made.header.first, made.header.last))
    return lines + b"".join(store.attachment(blob.sha256) for blob in made.header.blobs)


@pytest.fixture
def build(store: Store, made: BuiltBundle, recipients: Keys, tmp_path: Path) -> Build:
    """A bundle of any body and with anything changed in its header, signed by the device itself."""

    def build(body: bytes, keys: Keys = recipients, **changes: Any) -> Path:
        sealed = io.BytesIO()
        age.pack(io.BytesIO(body), sealed, keys)
        cipher = sealed.getvalue()
        fields = {"sha256": hashlib.sha256(cipher).hexdigest(), "size": len(cipher), **changes}
        header = msgspec.structs.replace(made.header, **fields)
        path = tmp_path / "built.fkb"
        path.write_bytes(frame(KIND, header, store.sign) + cipher)
        return path

    return build


def refusal(path: Path, office: Office, folder: Path, **options: Any) -> FieldkitError:
    """Why a bundle is not opened; nothing of it is left in the folder then."""
    with pytest.raises(FieldkitError) as caught:
        open_bundle(path, office.identity, into=folder, **options)
    assert list(folder.glob("*")) == []
    return caught.value


def test_a_bundle_cut_at_any_byte_is_refused(made: BuiltBundle, head_office: Office, tmp_path: Path) -> None:
    whole = made.path.read_bytes()
    head = len(whole) - made.header.size
    cut = tmp_path / "cut.fkb"
    cut.write_bytes(whole)
    for length in reversed(range(len(whole))):
        os.truncate(cut, length)
        with pytest.raises(FieldkitError) as caught:
            read_header(cut)
        assert caught.value.code == ("bundle-unreadable" if length < head else "bundle-damaged"), length
        if length % 50 == 0:
            assert refusal(cut, head_office, tmp_path / "in").code == caught.value.code


def test_a_body_cut_at_any_place_is_refused_whatever_the_hash(
    build: Build, body: bytes, head_office: Office, tmp_path: Path
) -> None:
    ends = [at for at, byte in enumerate(body) if byte == 10]
    for length in {0, 1, *ends, *(at + 1 for at in ends), *range(0, len(body), 41), len(body) - 1}:
        if length < len(body):
            caught = refusal(build(body[:length]), head_office, tmp_path / "in")
            assert (caught.code, "less than" in str(caught)) == ("bundle-damaged", True), length


def test_a_body_with_more_than_its_header_says_is_refused(
    build: Build, body: bytes, head_office: Office, tmp_path: Path
) -> None:
    for more in (b"\n", b"x", body):
        caught = refusal(build(body + more), head_office, tmp_path / "in")
        assert (caught.code, "more than" in str(caught)) == ("bundle-damaged", True)


def test_a_header_that_tells_the_truth_is_believed(
    build: Build, body: bytes, made: BuiltBundle, head_office: Office, tmp_path: Path
) -> None:
    opened = open_bundle(build(body), head_office.identity, into=tmp_path / "in")
    assert opened.header.hash == made.header.hash
    assert set(opened.files) == {blob.sha256 for blob in made.header.blobs}
    blobs = (*made.header.blobs, BundledAttachment(EMPTY, 0))
    opened = open_bundle(build(body, blobs=blobs), head_office.identity, into=tmp_path / "in")
    assert opened.files[EMPTY].read_bytes() == b""
    opened = open_bundle(
        build(body, blobs=(BundledAttachment(EMPTY, 0), *made.header.blobs)), head_office.identity
    )
    assert opened.files == {}


CONTRADICTING_ITSELF: dict[str, Callable[[BundleHeader], dict[str, Any]]] = {
    "another cipher": lambda header: {"cipher": "rot13"},
    "a first entry of none": lambda header: {"first": 0, "prev": GENESIS},
    "a negative first entry": lambda header: {"first": -1},
    "a last before the first": lambda header: {"last": header.first - 1},
    "entries of no bytes": lambda header: {"entries": 0},
    "fewer bytes than entries": lambda header: {"entries": 3 * (header.last - header.first + 1) - 1},
    "a negative size": lambda header: {"size": -1},
    "an attachment of a negative size": lambda header: {
        "blobs": (*header.blobs, BundledAttachment("0" * 64, -1))
    },
    "a hash of the cipher that is none": lambda header: {"sha256": "x"},
    "a hash before the first that is none": lambda header: {"prev": "X" * 64},
    "a hash of the last that is none": lambda header: {"hash": "0" * 63},
    "a hash of an attachment that is none": lambda header: {"blobs": (BundledAttachment("../x", 1),)},
    "a hash of a missing one that is none": lambda header: {"missing": ("x",)},
    "an attachment twice": lambda header: {"blobs": (*header.blobs, header.blobs[0])},
    "an attachment that is missing too": lambda header: {"missing": (header.blobs[0].sha256,)},
    "a recipient twice": lambda header: {"recipients": (header.recipients[0],) * 2},
    "a recipient's name that is none": lambda header: {"recipients": (header.recipients[0], "head office")},
    "a beginning with something before it": lambda header: {"first": 1},
    "nothing before a later beginning": lambda header: {"prev": GENESIS},
}


@pytest.mark.parametrize("change", CONTRADICTING_ITSELF.values(), ids=CONTRADICTING_ITSELF)
def test_a_header_that_contradicts_itself_is_refused_before_anything_is_decrypted(
    build: Build,
    body: bytes,
    made: BuiltBundle,
    tmp_path: Path,
    change: Callable[[BundleHeader], dict[str, Any]],
) -> None:
    path = build(body, **change(made.header))
    caught = refusal(path, Office(), tmp_path / "in")  # whose identity opens nothing
    assert (caught.code, "contradicts itself" in str(caught)) == ("bundle-unreadable", True)
    with pytest.raises(errors.BundleUnreadable):
        read_header(path)


CONTRADICTING_THE_BODY: dict[str, Callable[[BundleHeader], dict[str, Any]]] = {
    "one entry more": lambda header: {"last": header.last + 1},
    "one entry fewer": lambda header: {"last": header.last - 1},
    "another first entry": lambda header: {"first": header.first + 1},
    "one byte of entries more": lambda header: {"entries": header.entries + 1},
    "one byte of entries fewer": lambda header: {"entries": header.entries - 1},
    "another entry before": lambda header: {"prev": "1" * 64},
    "another last entry": lambda header: {"hash": "0" * 64},
    "an attachment fewer": lambda header: {"blobs": header.blobs[:-1]},
    "an attachment more": lambda header: {"blobs": (*header.blobs, BundledAttachment("0" * 64, 5))},
    "an empty attachment of another hash": lambda header: {
        "blobs": (*header.blobs, BundledAttachment("0" * 64, 0))
    },
    "an empty one in front of another hash": lambda header: {
        "blobs": (BundledAttachment("0" * 64, 0), *header.blobs)
    },
    "a longer attachment": lambda header: {"blobs": resized(header, 1)},
    "a shorter attachment": lambda header: {"blobs": resized(header, -1)},
    "an attachment of another hash": lambda header: {
        "blobs": (BundledAttachment("0" * 64, header.blobs[0].size),)
    },
    "a longer cipher": lambda header: {"size": header.size + 9999},
    "a shorter cipher": lambda header: {"size": 9},
    "a cipher of another hash": lambda header: {"sha256": "0" * 64},
}


def resized(header: BundleHeader, by: int) -> tuple[BundledAttachment, ...]:
    *others, last = header.blobs
    return (*others, BundledAttachment(last.sha256, last.size + by))


@pytest.mark.parametrize("into", [True, False])
@pytest.mark.parametrize("change", CONTRADICTING_THE_BODY.values(), ids=CONTRADICTING_THE_BODY)
def test_a_header_that_contradicts_its_body_is_refused(
    build: Build,
    body: bytes,
    made: BuiltBundle,
    head_office: Office,
    tmp_path: Path,
    change: Callable[[BundleHeader], dict[str, Any]],
    into: bool,
) -> None:
    path = build(body, **change(made.header))
    assert refusal(path, head_office, tmp_path / "in").code == "bundle-damaged"
    if not into:
        with pytest.raises(errors.BundleDamaged):
            open_bundle(path, head_office.identity)


def test_a_bundle_that_one_more_or_one_fewer_can_open_than_its_header_names_is_refused(
    build: Build, body: bytes, made: BuiltBundle, recipients: Keys, head_office: Office, tmp_path: Path
) -> None:
    more = (*recipients, Office().key)
    paths = [build(body, more), build(body, recipients[:1])]
    paths += [build(body, recipients=made.header.recipients[:1])]
    for path in paths:
        caught = refusal(path, Office(), tmp_path / "in")  # seen before anything is decrypted
        assert (caught.code, "that its header names" in str(caught)) == ("bundle-damaged", True)
        with pytest.raises(errors.BundleDamaged):
            read_header(path)
    named = tuple(sorted(map(identifier, more)))
    assert open_bundle(build(body, more, recipients=named), head_office.identity).header.recipients == named


def test_a_bundle_opened_by_somebody_whom_its_header_does_not_name_is_refused(
    build: Build, body: bytes, made: BuiltBundle, escrow: Office, tmp_path: Path
) -> None:
    stranger = Office()
    path = build(body, (stranger.key, escrow.key))
    caught = refusal(path, stranger, tmp_path / "in")
    assert (caught.code, "that its header names" in str(caught)) == ("bundle-damaged", True)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="asks the system which files are open")
def test_no_file_of_a_refused_bundle_stays_open(
    build: Build, body: bytes, made: BuiltBundle, head_office: Office, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    with pytest.raises(FieldkitError) as caught:
        open_bundle(build(body[:-1]), head_office.identity, into=folder)
    linked = [str(entry.resolve()) for entry in Path("/proc/self/fd").iterdir()]
    assert caught.value.code == "bundle-damaged"
    assert not [path for path in linked if path.startswith(str(folder))]


def test_an_attachment_that_entries_name_is_there_or_said_to_be_missing(
    build: Build, body: bytes, made: BuiltBundle, head_office: Office, tmp_path: Path
) -> None:
    *blobs, lacking = made.header.blobs
    cut = body[: -lacking.size]
    caught = refusal(build(cut, blobs=tuple(blobs)), head_office, tmp_path / "in")
    assert (caught.code, caught.detail) == ("bundle-damaged", lacking.sha256)
    path = build(cut, blobs=tuple(blobs), missing=(lacking.sha256,))
    assert open_bundle(path, head_office.identity).header.missing == (lacking.sha256,)


@pytest.mark.parametrize("field", ["dev", "seq", "prev"])
def test_an_entry_that_does_not_follow_is_refused(
    store: Store,
    build: Build,
    body: bytes,
    made: BuiltBundle,
    head_office: Office,
    tmp_path: Path,
    field: str,
) -> None:
    """The last entry: no other follows that would tell."""
    *lines, last = store.lines(made.header.first, made.header.last)
    entry = msgspec.json.decode(last)
    entry[field] = {"dev": "0" * 12, "seq": entry["seq"] + 1, "prev": "0" * 64}[field]
    line = canonical(entry)
    changed = b"".join(each + b"\n" for each in (*lines, line))
    blobs = body[made.header.entries :]
    path = build(changed + blobs, entries=len(changed), hash=hashlib.sha256(line).hexdigest())
    caught = refusal(path, head_office, tmp_path / "in")
    assert (caught.code, "does not follow" in str(caught)) == ("bundle-damaged", True)


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"seq":"x"}', b"\xff", b"[" * 100_000])
def test_a_line_that_is_no_entry_is_refused_at_once(
    build: Build, body: bytes, made: BuiltBundle, head_office: Office, tmp_path: Path, line: bytes
) -> None:
    entries = line + b"\n" + body[: made.header.entries]
    caught = refusal(build(entries, entries=len(entries), blobs=()), head_office, tmp_path / "in")
    assert (caught.code, "Entry 2 " in str(caught)) == ("bundle-damaged", True)


def test_a_last_line_without_its_end_is_refused(
    store: Store, build: Build, body: bytes, made: BuiltBundle, head_office: Office, tmp_path: Path
) -> None:
    entries = body[: made.header.entries - 1]
    path = build(entries, entries=len(entries), blobs=())
    assert refusal(path, head_office, tmp_path / "in").code == "bundle-damaged"
    longer = body[: made.header.entries] + b"x"
    path = build(longer, entries=len(longer), blobs=())
    assert refusal(path, head_office, tmp_path / "in").code == "bundle-damaged"


@pytest.mark.parametrize("filling", [b"\n", b"x", b"{}\n"])
def test_a_small_file_that_unpacks_to_masses_is_refused_at_its_first_entry_without_holding_them(
    build: Build, head_office: Office, tmp_path: Path, filling: bytes
) -> None:
    size = 96 << 20
    path = build(filling * (size // len(filling)), entries=size, blobs=())
    assert path.stat().st_size < 50_000
    tracemalloc.start()
    try:
        assert refusal(path, head_office, tmp_path / "in").code == "bundle-damaged"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < (16 << 20 if filling != b"x" else 160 << 20)


def test_what_may_be_unpacked_at_most_is_counted_before_anything_is(
    build: Build, body: bytes, made: BuiltBundle, head_office: Office, tmp_path: Path
) -> None:
    path = build(body)
    open_bundle(path, head_office.identity, largest=len(body))
    for largest in (len(body) - 1, 0):
        caught = refusal(path, Office(), tmp_path / "in", largest=largest)
        assert (caught.code, "more than is allowed" in str(caught)) == ("bundle-damaged", True)
        assert caught.detail == str(made.header.body)
    caught = refusal(
        build(body, entries=opening.LARGEST_ENTRIES + 1), Office(), tmp_path / "in", largest=1 << 40
    )
    assert "more than is allowed" in str(caught)


def test_as_many_bytes_of_entries_are_opened_as_are_allowed(
    build: Build, body: bytes, made: BuiltBundle, head_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = build(body)
    monkeypatch.setattr(opening, "LARGEST_ENTRIES", made.header.entries)
    assert open_bundle(path, head_office.identity).header.entries == made.header.entries
    monkeypatch.setattr(opening, "LARGEST_ENTRIES", made.header.entries - 1)
    with pytest.raises(errors.BundleDamaged):
        open_bundle(path, head_office.identity)


def test_another_key_than_the_devices_is_told_from_another_devices_name(
    store: Store, build: Build, body: bytes, head_office: Office, tmp_path: Path
) -> None:
    with Store.open(tmp_path / "other") as other:
        renamed = refusal(build(body, device=other.device), head_office, tmp_path / "in")
        assert (renamed.code, "another device's" in str(renamed)) == ("bundle-forged", True)
        unknown = refusal(build(body), head_office, tmp_path / "in", device_key=other.public_key)
        assert (unknown.code, "another key signed" in str(unknown)) == ("bundle-forged", True)
        replaced = refusal(build(body, key=other.public_key.hex()), head_office, tmp_path / "in")
        assert (replaced.code, "signature does not hold" in str(replaced)) == ("bundle-damaged", True)
        assert refusal(build(body, key="no hex"), head_office, tmp_path / "in").code == "bundle-damaged"
    open_bundle(build(body), head_office.identity, device_key=store.public_key)


def test_a_header_may_be_read_alone_and_no_more_of_the_file_than_it(
    store: Store, made: BuiltBundle, build: Build, body: bytes
) -> None:
    whole = made.path.read_bytes()
    head = len(whole) - made.header.size
    pieces = iter([whole[: head // 2], whole[head // 2 : head], b"left"])
    assert opening.header_in(pieces, store.public_key) == made.header
    assert next(pieces) == b"left"
    with pytest.raises(errors.BundleUnreadable):
        opening.header_in(iter([whole[: head // 2]]), store.public_key)
    endless = iter(lambda: b"x" * (1 << 20), b"")
    with pytest.raises(errors.BundleUnreadable):
        opening.header_in(endless, store.public_key)


def test_attachments_get_their_names_and_are_this_accounts_alone(
    build: Build, body: bytes, made: BuiltBundle, head_office: Office, tmp_path: Path
) -> None:
    folder = tmp_path / "deep" / "in"
    opened = open_bundle(build(body), head_office.identity, into=folder)
    assert {path.name for path in folder.iterdir()} == set(opened.files)
    assert all(path == folder / sha256 for sha256, path in opened.files.items())
    assert folder.stat().st_mode & 0o077 == 0
    again = open_bundle(build(body), head_office.identity, into=folder)
    assert again.files == opened.files


def test_a_file_that_cannot_be_read_is_said_with_its_reason(head_office: Office, tmp_path: Path) -> None:
    with pytest.raises(errors.BundleUnreadable) as caught:
        open_bundle(tmp_path / "nowhere.fkb", head_office.identity)
    assert "nowhere.fkb" in str(caught.value)
    assert "No such file" in str(caught.value)

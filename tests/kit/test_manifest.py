"""What a manifest may say: paths that stay in the kit and that FAT keeps, one form, one signature."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import subprocess
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldkit.journal.device import verify
from fieldkit.kit import install
from fieldkit.kit import manifest as manifests
from fieldkit.kit.errors import KitMissing, KitUnreadable, StickGone
from tests.kit.conftest import CONTENTS, Office, Stick

LEAVING = (
    "../outside", "a/../../outside", "/etc/passwd", "C:/Windows/x", "C:x", "a\\..\\b", "\\\\server\\share",
    "a//b", "./a", "a/.", "", "/", "a/", "a\0b", "a\nb",
)  # fmt: skip
UNKEPT = (
    "a:b",
    "what?.yaml",
    "con",
    "CON.yaml",
    "a/nul",
    "com1.txt",
    "dot.",
    "space ",
    "a<b",
    "x" * 256,
    "e\u0301",
)


@pytest.mark.parametrize("path", [*LEAVING, *UNKEPT])
def test_a_path_that_leaves_the_folder_or_that_fat_cannot_keep_is_refused(path: str) -> None:
    assert not install.fits(path)


@pytest.mark.parametrize(
    "path",
    ["install.py", "packages/debian-12-amd64/zlib1g_1%3a1.2.13.dfsg-1+b1~x_amd64.deb", "hồ sơ/Sông Mơ.yaml"],
)
def test_the_names_that_packages_and_offices_use_are_kept(path: str) -> None:
    assert install.fits(path)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_no_path_that_fits_leaves_the_folder_on_any_system(path: str) -> None:
    import ntpath
    import posixpath

    if install.fits(path):
        assert not posixpath.isabs(path)
        assert not ntpath.splitdrive(path)[0]
        assert not ntpath.isabs(path)
        assert posixpath.normpath(path) == path
        assert ntpath.normpath(path) == path.replace("/", "\\")


@pytest.mark.parametrize("path", LEAVING)
def test_a_signed_manifest_that_names_such_a_path_is_unreadable(
    small_kit: Path, office: Office, path: str
) -> None:
    whole = json.loads((small_kit / "manifest.json").read_bytes())
    whole["files"][0]["path"] = path
    office.sign(small_kit, json.dumps(whole).encode())
    with pytest.raises(KitUnreadable):
        manifests.read_manifest(small_kit)


def _changed(whole: dict[str, Any], **other: Any) -> bytes:
    return json.dumps(whole | other).encode()


def test_what_is_no_manifest_is_refused_in_its_own_words(small_kit: Path) -> None:
    whole = json.loads((small_kit / "manifest.json").read_bytes())
    file = whole["files"][0]
    for data, what in (
        (b"", "shape"),
        (b"\xff\xfe", "shape"),
        (b"[1]", "shape"),
        (b"[" * 100_000, "shape"),
        (_changed(whole, kind="another"), "shape"),
        (_changed(whole, format=2), "format"),
        (_changed(whole, key="00"), "shape"),
        (_changed(whole, targets=[{"python": "3.11"}]), "shape"),
        (_changed(whole, targets=3), "shape"),
        (_changed(whole, pip="wheels/none.whl"), "path"),
        (_changed(whole, targets=[{"python": "3.11", "platform": "linux-x86_64", "wheels": []}]), "shape"),
        (_changed(whole, version="1\n2"), "shape"),
        (_changed(whole, version="1" * 41), "shape"),
        (_changed(whole, drivers=[{"profile": "../x", "files": []}]), "shape"),
        (_changed(whole, drivers=[{"profile": "X", "files": []}]), "shape"),
        (_changed(whole, drivers=[{"profile": "x", "files": [["x"]]}]), "path"),
        (_changed(whole, files=[file | {"size": -1}]), "shape"),
        (_changed(whole, files=[file | {"size": True}]), "shape"),
        (_changed(whole, files=[file | {"sha256": "XY"}]), "shape"),
        (_changed(whole, files=[file | {"mode": 7}]), "shape"),
        (_changed(whole, files=[file, file | {"path": file["path"].upper()}]), "twice"),
        (_changed(whole, files=[file | {"path": "Manifest.JSON"}]), "twice"),
        (b'{"kind": "x", "kind": "fieldkit-kit"}', "shape"),
    ):
        with pytest.raises(install.BadManifest) as caught:
            install.parse(data)
        assert caught.value.what == what, data[:80]


@settings(deadline=None)
@given(st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists).map(
    lambda value: json.dumps(
        {"kind": "fieldkit-kit", "format": 1, "key": "0" * 64, "version": "1", "pip": "", "files": []}
        | {"targets": value, "drivers": value}
    ).encode()
))  # fmt: skip
def test_reading_a_manifest_ends_in_one_or_in_one_error(data: bytes) -> None:
    with contextlib.suppress(install.BadManifest):
        install.parse(data)


def test_a_target_that_names_a_file_the_manifest_does_not_list_is_refused(
    small_kit: Path, office: Office
) -> None:
    whole = json.loads((small_kit / "manifest.json").read_bytes())
    whole["drivers"][0]["files"].append("packages/other.deb")
    office.sign(small_kit, json.dumps(whole).encode())
    with pytest.raises(KitUnreadable):
        manifests.read_manifest(small_kit)


def test_a_kit_says_what_is_in_it_and_whose_it_is(small_kit: Path, office: Office) -> None:
    read = manifests.read_manifest(small_kit)
    data = (small_kit / "manifest.json").read_bytes()
    assert read.genuine
    assert (read.data, read.sha256) == (data, hashlib.sha256(data).hexdigest())
    assert {file.path: (file.size, file.sha256) for file in read.listed} == {
        path: (len(content), hashlib.sha256(content).hexdigest()) for path, content in CONTENTS.items()
    }
    manifest = read.manifest
    assert manifest.fingerprint == install.fingerprint(office.key)
    assert manifest.size == sum(map(len, CONTENTS.values()))
    letter = manifest.file("samples/letter.pdf")
    assert letter is not None
    assert letter.size == len(CONTENTS["samples/letter.pdf"])
    assert manifest.file("samples/none.pdf") is None


def test_a_manifest_is_written_in_one_form_with_its_keys_in_order(small_kit: Path) -> None:
    data = (small_kit / "manifest.json").read_bytes()
    assert data == json.dumps(json.loads(data), indent=1, sort_keys=True).encode() + b"\n"


@pytest.mark.parametrize("spoil", [0, 63])
def test_a_signature_with_a_changed_byte_is_not_genuine(small_kit: Path, spoil: int) -> None:
    signature = bytearray((small_kit / "manifest.sig").read_bytes())
    signature[spoil] ^= 1
    (small_kit / "manifest.sig").write_bytes(signature)
    assert not manifests.read_manifest(small_kit).genuine


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig"])
@pytest.mark.parametrize("put", [Path.unlink, lambda path: (path.unlink(), path.mkdir())])
def test_a_kit_without_its_manifest_or_its_signature_is_not_finished(
    small_kit: Path, name: str, put: Callable[[Path], object]
) -> None:
    put(small_kit / name)
    with pytest.raises(KitMissing) as caught:
        manifests.read_manifest(small_kit)
    assert name in str(caught.value)


def test_a_manifest_as_large_as_is_allowed_is_read_and_no_larger_one(small_kit: Path, office: Office) -> None:
    data = (small_kit / "manifest.json").read_bytes()
    office.sign(small_kit, data + b" " * (install.LARGEST - len(data)))
    assert manifests.read_manifest(small_kit).genuine
    with (small_kit / "manifest.json").open("ab") as file:
        file.write(b" ")
    refused = _refused(small_kit)
    assert (str(refused), refused.detail) == (str(manifests.REASONS["shape"]), "manifest.json")


def test_of_a_manifest_that_is_far_too_large_no_more_is_read_than_is_allowed(small_kit: Path) -> None:
    with (small_kit / "manifest.json").open("ab") as file:
        file.truncate(20 * install.LARGEST)
    tracemalloc.start()
    try:
        _refused(small_kit)
        assert tracemalloc.get_traced_memory()[1] < 4 * install.LARGEST
    finally:
        tracemalloc.stop()


def test_a_signature_that_is_longer_is_none(small_kit: Path) -> None:
    with (small_kit / "manifest.sig").open("ab") as file:
        file.write(b"x")
    assert _refused(small_kit).detail == "manifest.sig"


def test_what_is_wrong_with_a_manifest_is_said_with_the_place(small_kit: Path, office: Office) -> None:
    whole = json.loads((small_kit / "manifest.json").read_bytes())
    file = whole["files"][0]
    for changes, words in (
        ({"format": 7}, "7"),
        ({"files": [file | {"path": "a\u202e/../b"}]}, "a\\u202e/../b"),
        ({"files": [file, file]}, file["path"]),
    ):
        office.sign(small_kit, _changed(whole, **changes))
        refused = _refused(small_kit)
        assert words in str(refused)
        assert refused.detail == words
    office.sign(small_kit, _changed(whole, bureaus=["a b"]))
    refused = _refused(small_kit)
    assert str(refused) == str(manifests.REASONS["shape"])
    assert "bureaus" in refused.detail
    office.sign(small_kit, _changed(whole, drivers=[whole["drivers"][0] | {"system": 3}]))
    assert "system" in _refused(small_kit).detail


def _refused(kit: Path) -> KitUnreadable:
    with pytest.raises(KitUnreadable) as caught:
        manifests.read_manifest(kit)
    return caught.value


def test_a_stick_that_is_pulled_before_the_manifest_is_read_is_said_to_be_gone(
    plugged: Stick, office: Office
) -> None:
    kit = office.make(plugged.folder)
    plugged.pull()
    with pytest.raises(StickGone) as caught:
        manifests.read_manifest(kit)
    assert str(kit) in str(caught.value)
    assert "Input/output error" in caught.value.detail


def test_a_manifest_that_is_a_link_is_no_manifest(small_kit: Path, tmp_path: Path) -> None:
    (small_kit / "manifest.json").rename(tmp_path / "elsewhere.json")
    (small_kit / "manifest.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(KitMissing):
        manifests.read_manifest(small_kit)


def test_the_same_manifest_has_the_same_bytes_and_signature(office: Office, tmp_path: Path) -> None:
    one, two = office.make(tmp_path / "one"), office.make(tmp_path / "two")
    for name in ("manifest.json", "manifest.sig"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_openssl_finds_the_signature_right(small_kit: Path, office: Office, tmp_path: Path) -> None:
    der = bytes.fromhex("302a300506032b6570032100" + office.key)  # RFC 8410
    pem = tmp_path / "key.pem"
    pem.write_text(
        f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(der).decode()}\n-----END PUBLIC KEY-----\n"
    )
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(pem), "-rawin"]
    command += ["-in", str(small_kit / "manifest.json"), "-sigfile", str(small_kit / "manifest.sig")]
    assert subprocess.run(command, capture_output=True).returncode == 0
    with (small_kit / "manifest.json").open("ab") as file:
        file.write(b" ")
    assert subprocess.run(command, capture_output=True).returncode != 0


# RFC 8032, section 7.1, tests 1 to 3
VECTORS = (
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe"
        "24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302a"
        "eeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed2"
        "8dc027beceea1ec40a",
    ),
)  # fmt: skip


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_the_installers_own_ed25519_passes_the_standards_vectors(
    key: str, message: str, signature: str
) -> None:
    assert install.genuine(bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature))


@settings(deadline=None)
@given(
    st.binary(min_size=32, max_size=32), st.binary(max_size=100), st.integers(0, 64 * 8 - 1), st.booleans()
)
def test_the_installers_own_ed25519_says_what_cryptography_says(
    seed: bytes, message: bytes, bit: int, spoil_the_key: bool
) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    key, signature = private.public_key().public_bytes_raw(), private.sign(message)
    assert install.genuine(key, message, signature)
    assert not install.genuine(key, message + b"x", signature)
    if spoil_the_key:
        bit %= 256
        key = (int.from_bytes(key, "little") ^ 1 << bit).to_bytes(32, "little")
    else:
        signature = (int.from_bytes(signature, "little") ^ 1 << bit).to_bytes(64, "little")
    assert install.genuine(key, message, signature) is verify(key, signature, message) is False


def test_a_signature_with_its_scalar_made_larger_by_the_groups_order_is_refused() -> None:
    private = Ed25519PrivateKey.generate()
    signature = private.sign(b"kit")
    scalar = int.from_bytes(signature[32:], "little") + install.ORDER
    twisted = signature[:32] + scalar.to_bytes(32, "little")
    assert not install.genuine(private.public_key().public_bytes_raw(), b"kit", twisted)


SMALL_ORDER = (
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
)


@pytest.mark.parametrize("key", SMALL_ORDER)
def test_a_key_for_which_anybody_can_sign_signs_nothing(small_kit: Path, office: Office, key: str) -> None:
    # With a key of small order R = the neutral element and S = 0 satisfy the equation for many messages.
    neutral = bytes.fromhex(SMALL_ORDER[0])
    for number in range(16):
        assert not install.genuine(bytes.fromhex(key), b"kit %d" % number, neutral + bytes(32))
    whole = json.loads((small_kit / "manifest.json").read_bytes())
    for number in range(16):
        (small_kit / "manifest.json").write_bytes(_changed(whole, key=key, bureaus=[f"B{number}"]))
        (small_kit / "manifest.sig").write_bytes(neutral + bytes(32))
        assert not manifests.read_manifest(small_kit).genuine

"""A kit that is not as it was made is found out: files missing, changed, added, links; a wrong signature."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldkit.home import Home
from fieldkit.kit import install, keys
from fieldkit.kit.verify import verify
from tests.conftest import Run
from tests.kit.conftest import CONTENTS, Office

DEB = "packages/debian-12-amd64/one_1.0_amd64.deb"


def _problems(kit: Path, home: Home) -> set[tuple[str, str]]:
    found = verify(kit, home)
    assert found.good is not bool(found.problems)
    return {(problem.kind, problem.path) for problem in found.problems}


def test_a_kit_as_it_was_made_passes_and_the_first_key_is_not_checked_in_silence(
    fieldkit: Run, small_kit: Path, office: Office
) -> None:
    done = fieldkit("kit", "verify", small_kit, "--json")
    assert done.status == 0
    verdicts = {check["id"]: check["verdict"] for check in done.result["checks"]}
    assert verdicts == {
        "signature": "pass", "key": "not-checked", "files": "pass", "version": "pass", "age": "pass"
    }  # fmt: skip
    assert done.result["fingerprint"] == install.fingerprint(office.key)
    assert done.result["files"] == len(CONTENTS)


def _link_out(kit: Path) -> None:
    (kit / DEB).unlink()
    (kit / DEB).symlink_to("/etc/hostname")


def _link_folder_out(kit: Path) -> None:
    (kit / "samples").rename(kit.parent / "samples-elsewhere")
    (kit / "samples").symlink_to(kit.parent / "samples-elsewhere")


def _hard_to_see(kit: Path) -> None:
    path = kit / DEB
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _cut(kit: Path) -> None:
    with (kit / DEB).open("r+b") as file:
        file.truncate(1000)


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda kit: (kit / DEB).unlink(), {("missing", DEB)}),
        (_hard_to_see, {("changed", DEB)}),
        (_cut, {("changed", DEB)}),
        (lambda kit: (kit / "samples/empty.pdf").write_bytes(b"x"), {("changed", "samples/empty.pdf")}),
        (lambda kit: (kit / "wheels").mkdir() or (kit / "wheels/x.whl").touch(), {("added", "wheels/x.whl")}),
        (lambda kit: (kit / ".hidden").touch(), {("added", ".hidden")}),
        (_link_out, {("link", DEB), ("missing", DEB)}),
        (
            _link_folder_out,
            {("link", "samples"), ("missing", "samples/empty.pdf"), ("missing", "samples/letter.pdf")},
        ),
        (lambda kit: os.mkfifo(kit / "pipe"), {("link", "pipe")}),
        (lambda kit: (kit / "out").symlink_to("/"), {("link", "out")}),
        (
            lambda kit: (kit / "install.py").rename(kit / "Install.py"),
            {("missing", "install.py"), ("added", "Install.py")},
        ),
    ],
)
def test_each_difference_is_named(
    spoil: Callable[[Path], object], found: set[tuple[str, str]], small_kit: Path, home: Home
) -> None:
    spoil(small_kit)
    assert _problems(small_kit, home) == found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.sampled_from(sorted(CONTENTS)), st.integers(0, 2**20), st.binary(max_size=3))
def test_any_other_content_of_any_file_is_found(
    small_kit: Path, home: Home, path: str, at: int, put: bytes
) -> None:
    before = CONTENTS[path]
    at %= len(before) + 1
    after = before[:at] + put + before[at + len(put) :]
    (small_kit / path).write_bytes(after)
    expected = set() if after == before else {("changed", path)}
    assert _problems(small_kit, home) == expected
    (small_kit / path).write_bytes(before)


def test_a_wrong_signature_fails_though_every_file_is_right(fieldkit: Run, small_kit: Path) -> None:
    signature = bytearray((small_kit / "manifest.sig").read_bytes())
    signature[5] ^= 1
    (small_kit / "manifest.sig").write_bytes(signature)
    done = fieldkit("kit", "verify", small_kit, "--json")
    assert done.status == 1
    verdicts = {check["id"]: check["verdict"] for check in done.result["checks"]}
    assert (verdicts["signature"], verdicts["files"]) == ("fail", "pass")


def test_a_manifest_changed_by_one_byte_fails(small_kit: Path, home: Home) -> None:
    data = (small_kit / "manifest.json").read_bytes().replace(b'"version": "', b'"version":  "')
    (small_kit / "manifest.json").write_bytes(data)
    assert not verify(small_kit, home).good


def test_a_kit_made_again_by_another_key_fails_where_the_home_knows_one(
    small_kit: Path, office: Office, home: Home
) -> None:
    keys.remember(home, office.key)
    assert verify(small_kit, home).good
    stranger = Ed25519PrivateKey.generate()
    public = stranger.public_key().public_bytes_raw().hex()
    data = (small_kit / "manifest.json").read_bytes().replace(office.key.encode(), public.encode())
    (small_kit / "manifest.json").write_bytes(data)
    (small_kit / "manifest.sig").write_bytes(stranger.sign(data))
    found = verify(small_kit, home)
    assert {finding.id: finding.severity for finding in found.findings}["key"] == "fail"
    assert not found.good
    assert verify(small_kit, home, fingerprint=install.fingerprint(public)).good
    assert not verify(small_kit, home, fingerprint=install.fingerprint(office.key)).good


@pytest.mark.parametrize("typed", ["", " ", "zz", "60f5"])
def test_part_of_a_fingerprint_is_no_fingerprint(office: Office, typed: str) -> None:
    assert not install.same_fingerprint(typed, office.key)
    whole = install.fingerprint(office.key)
    assert not install.same_fingerprint(whole[:-1], office.key)
    assert install.same_fingerprint(whole.upper(), office.key)


def test_no_kit_is_missing_and_a_damaged_manifest_is_a_no(fieldkit: Run, small_kit: Path) -> None:
    gone = fieldkit("kit", "verify", small_kit.parent / "nowhere", "--json")
    assert (gone.status, gone.error["code"]) == (4, "kit-missing")
    (small_kit / "manifest.json").write_bytes(b"{}")
    damaged = fieldkit("kit", "verify", small_kit, "--json")
    assert damaged.status == 1
    assert damaged.result["checks"][0]["verdict"] == "fail"


def test_a_kit_for_another_release_is_told_apart_but_may_be_whole(office: Office, home: Home) -> None:
    kit = office.make(office.folder / "later", version="99.0")
    found = {finding.id: finding.severity for finding in verify(kit, home).findings}
    assert found["version"] == "info"


def test_a_kit_of_a_form_this_release_does_not_know_is_refused(
    fieldkit: Run, small_kit: Path, office: Office
) -> None:
    data = (small_kit / "manifest.json").read_bytes().replace(b'"format": 1', b'"format": 2')
    office.sign(small_kit, data)
    done = fieldkit("kit", "verify", small_kit, "--json")
    assert done.status == 1
    assert "2" in done.result["checks"][0]["detail"]

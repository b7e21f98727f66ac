"""What a kit left in the home for a visit without stick or network is used from its own folder alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from fieldkit.driver import errors, kit_packages
from fieldkit.home import Home, below, plain_name

DATA = b"a package"
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def folder(home: Home) -> Path:
    """The home's folder of packages, with one in it."""
    folder = kit_packages.folder(home)
    folder.mkdir(parents=True)
    (folder / "driver.deb").write_bytes(DATA)
    return folder


def note(home: Home, profile: str, name: str) -> None:
    kit_packages.record_packages(
        home,
        profile,
        kit_packages.DriverPackages(kit_packages.systems()[0], (kit_packages.DriverPackage(name, SHA256),)),
    )


def test_what_was_brought_is_there_again_by_the_profiles_name(home: Home, folder: Path) -> None:
    note(home, "trial", "driver.deb")
    assert kit_packages.brought(home, "trial") == (folder / "driver.deb",)
    assert kit_packages.brought(home, "other") == ()


@pytest.mark.parametrize("profile", ["../evil", "/evil", "..", "", "a/b", "a\\b", "A", "a\n"])
def test_a_profiles_name_leads_nowhere_else(home: Home, folder: Path, profile: str) -> None:
    outside = {path for path in home.path.parent.rglob("*") if folder not in path.parents}
    with pytest.raises(errors.ProfileUnknown):
        note(home, profile, "driver.deb")
    with pytest.raises(errors.ProfileUnknown):
        kit_packages.brought(home, profile)
    assert {path for path in home.path.parent.rglob("*") if folder not in path.parents} == outside
    assert not Path("/evil.json").exists()


@pytest.mark.parametrize("name", ["../stolen.deb", "/stolen.deb", "link.deb"])
def test_a_package_that_lies_elsewhere_is_none_that_was_brought(home: Home, folder: Path, name: str) -> None:
    (home.path / "stolen.deb").write_bytes(DATA)
    (folder / "link.deb").symlink_to(home.path / "stolen.deb")
    note(home, "trial", name)
    with pytest.raises(errors.HashWrong):
        kit_packages.brought(home, "trial")


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "/x",
        "\\x",
        "a/../b",
        "a\\..\\b",
        "a//b",
        "C:x",
        "C:\\x",
        "x:y",
        "a/",
        "\\\\s\\x",
        "a\0b",
        "con",
        "x/AUX.pdf",
        "nul .txt",
        "x./y",
    ],
)
def test_below_a_folder_there_is_no_way_out_of_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError):
        below(tmp_path, name)


def test_below_a_folder_a_link_out_of_it_counts_for_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError):
        below(tmp_path / "inside", "link/x")
    assert below(tmp_path / "inside", "một/hai.pem") == tmp_path / "inside" / "một" / "hai.pem"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Công văn số 12 (dự thảo).pdf", "Công văn số 12 (dự thảo).pdf"),
        ("a:b?.pdf", "a_b_.pdf"),
        ("../x/y.pdf", ".._x_y.pdf"),
        ("cuối. ", "cuối"),
    ],
)
def test_what_another_system_calls_a_file_is_made_a_name_that_every_system_keeps(
    name: str, kept: str
) -> None:
    assert plain_name(name) == kept

"""What goes into a kit, before anything is fetched: makers' files by their hash, own wheel, installer."""

from __future__ import annotations

import ast
import hashlib
import re
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fieldkit.home import Home
from fieldkit.kit import build, install, own_wheel
from fieldkit.kit.errors import FolderTaken, SourceDamaged
from fieldkit.profile.load import load
from tests.conftest import REPOSITORY

SETUP = b"MZ a maker's setup"


def _maker(home: Home, sha256: str, kind: str = "exe") -> None:
    """A token whose driver comes in its maker's file."""
    module = r"C:\Windows\System32\maker.dll" if kind in ("exe", "msi") else "/usr/lib/maker.so"
    (home.profiles / "tokens").mkdir(parents=True)
    (home.profiles / "tokens/maker.yaml").write_text(
        f"""
id: maker
title: {{vi: Token mẫu, en: Sample token}}
known: hypothesis
modules:
  windows: [{{path: 'C:\\Windows\\System32\\maker.dll'}}]
driver:
  {kind}:
    - {{file: maker-setup.{kind}, module: '{module}', sha256: '{sha256}'}}
pin_policy: {{min: 6, max: 8}}
""",
        "utf-8",
    )


def _prepare(home: Home, folder: Path, vendor: Path | None, *platforms: str) -> build.KitPlan:
    choice = build.KitChoice(platforms=platforms, drivers=("maker",), bureaus=("MAU-01",), vendor=vendor)
    return build.prepare(folder / "stick", choice, load(home), home)


@pytest.fixture
def vendor(tmp_path: Path) -> Path:
    folder = tmp_path / "vendor"
    folder.mkdir()
    for kind in ("exe", "msi", "deb", "pkg"):
        (folder / f"maker-setup.{kind}").write_bytes(SETUP)
    return folder


@pytest.mark.parametrize(
    ("kind", "platform", "system"),
    [
        ("exe", "windows-x86_64", "windows"),
        ("msi", "windows-x86_64", "windows"),
        ("deb", "linux-x86_64", "linux"),
        ("pkg", "macos-arm64", "macos"),
    ],
)
def test_a_makers_file_with_the_profiles_hash_goes_along_for_its_system(
    home: Home, tmp_path: Path, vendor: Path, kind: str, platform: str, system: str
) -> None:
    _maker(home, hashlib.sha256(SETUP).hexdigest(), kind)
    prepared = _prepare(home, tmp_path, vendor, platform)
    assert [(profile, where, file.file) for profile, where, file, _ in prepared.vendor] == [
        ("maker", system, f"maker-setup.{kind}")
    ]
    assert any("maker-setup" in str(step) for step in prepared.shown().steps)
    others = {"windows-x86_64", "linux-x86_64", "macos-arm64"} - {platform}
    assert not _prepare(home, tmp_path, vendor, *others).vendor


def test_a_makers_file_that_is_another_than_the_profile_describes_stops_the_building(
    home: Home, tmp_path: Path, vendor: Path
) -> None:
    _maker(home, "0" * 64)
    with pytest.raises(SourceDamaged):
        _prepare(home, tmp_path, vendor, "windows-x86_64")


@pytest.mark.parametrize("given", [True, False])
def test_a_makers_file_without_a_hash_or_not_given_is_left_out_and_said(
    home: Home, tmp_path: Path, vendor: Path, given: bool
) -> None:
    _maker(home, "" if given else hashlib.sha256(SETUP).hexdigest())
    prepared = _prepare(home, tmp_path, vendor if given else None, "windows-x86_64")
    assert not prepared.vendor
    assert {"vendor-lacking", "driver-lacking"} <= {finding.id for finding in prepared.findings}


def test_a_folder_with_other_files_is_refused_before_anything_is_fetched(home: Home, tmp_path: Path) -> None:
    _maker(home, "")
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick/holiday.jpg").touch()
    with pytest.raises(FolderTaken):
        _prepare(home, tmp_path, None, "windows-x86_64")


def test_the_own_wheel_is_the_same_each_time_and_holds_catalogs_and_checklists(tmp_path: Path) -> None:
    one, two = own_wheel.make(tmp_path / "one"), own_wheel.make(tmp_path / "two")
    assert one.read_bytes() == two.read_bytes()
    with zipfile.ZipFile(one) as wheel:
        names = set(wheel.namelist())
    assert "fieldkit/locale/vi/LC_MESSAGES/fieldkit.mo" in names
    assert {path.name for path in (REPOSITORY / "checklists").glob("*.yaml")} <= {Path(n).name for n in names}


def test_the_installer_needs_nothing_but_the_standard_library() -> None:
    import sys

    tree = ast.parse(Path(install.__file__).read_text("utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def test_the_installer_says_everything_in_both_languages() -> None:
    source = Path(install.__file__).read_text("utf-8")
    for english, vietnamese in install.VIETNAMESE.items():
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", vietnamese)), english
    said = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            texts = node.args[1:2] if name == "Stop" else node.args[:1] if name in ("say", "words") else []
            said |= {text.value for text in texts if isinstance(text, ast.Constant) and text.value}
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "sentence":
            assert isinstance(node.value, ast.Constant)
            said.add(node.value.value)
    assert len(said) > 15
    assert said - {"changed: {path}"} <= set(install.VIETNAMESE)


def test_the_tested_list_has_a_version_and_hashes_for_everything_that_is_installed_or_goes_into_a_kit() -> (
    None
):
    text = (REPOSITORY / ".ci/lock.txt").read_text("utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        assert re.match(r"[a-z0-9.-]+==\S+", line), line
        assert re.findall(r"--hash=sha256:[0-9a-f]{64}", line), line
    names = {line.partition("==")[0] for line in text.splitlines()}
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    wanted = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["test"]]
    assert {canonicalize_name(Requirement(each).name) for each in wanted} <= names
    assert {"pip", "colorama", "tzdata"} <= names  # the last two on Windows only

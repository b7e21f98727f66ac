"""The wheel runs outside the checkout: checklists, profiles, catalogs and templates travel in it.

So do completions and manual pages; nothing does that only building and testing need.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldkit import __version__
from tests.conftest import REPOSITORY, python_path

FOR_SHELLS = {
    "share/bash-completion/completions/fieldkit": ("--completion", "bash"),
    "share/zsh/site-functions/_fieldkit": ("--completion", "zsh"),
    "share/fish/vendor_completions.d/fieldkit.fish": ("--completion", "fish"),
    "share/man/man1/fieldkit.1": ("--manual", "--lang", "en"),
    "share/man/vi/man1/fieldkit.1": ("--manual", "--lang", "vi"),
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built now."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # a copy: building compiles the catalogs that other tests are reading
    for name in ("fieldkit", "checklists", "profiles"):
        shutil.copytree(
            REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.mo")
        )
    (source / ".ci").mkdir()
    for name in ("pyproject.toml", "README.md", ".ci/lock.txt"):
        shutil.copy(REPOSITORY / name, source / name)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("fieldkit-*.whl")
    return wheel


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment that has the wheel; what it needs it finds where these tests do."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin/python", "install", "-q"]
    subprocess.run([*pip, "--no-deps", "--no-index", wheel], check=True, capture_output=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "needed.pth").write_text(sysconfig.get_path("purelib"))
    return folder


@pytest.fixture(scope="module")
def installed(environment: Path) -> Callable[..., str]:
    """fieldkit from that environment; what it prints."""

    def run(*arguments: str | Path) -> str:
        done = subprocess.run(
            [environment / "bin/fieldkit", *arguments],
            cwd=environment,
            env=os.environ | {"PYTHONPATH": python_path(), "FIELDKIT_HOME": str(environment / "home")},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    return run


def test_checklists_profiles_and_both_languages_are_in_it(installed: Callable[..., str]) -> None:
    lists = json.loads(installed("checklist", "list", "--json"))["result"]
    assert {checklist["checklist"] for checklist in lists} >= {"handover", "survey", "dossier", "follow-up"}
    assert "/site-packages/fieldkit/share/checklists/" in lists[0]["path"]
    assert "MAU-01" in installed("plan", "show")
    assert "chuyến triển khai" in installed("--lang", "vi", "visit", "--help")


def test_the_whole_sample_visit_runs_from_it(installed: Callable[..., str], tmp_path: Path) -> None:
    done = json.loads(installed("demo", "--headless", "--json", "--yes", "--home", tmp_path / "demo"))
    assert Path(done["result"]["record"]).is_file()
    assert not [check for check in done["result"]["checks"] if check["verdict"] == "fail"]


def test_it_holds_no_test_no_source_of_catalogs_and_nothing_that_builds(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names} == {
        "fieldkit",
        *(f"fieldkit-{__version__}.{part}" for part in ("data", "dist-info")),
    }
    assert [name for name in names if name.startswith("fieldkit/locale/")] == [
        "fieldkit/locale/vi/LC_MESSAGES/fieldkit.mo"
    ]
    assert not [name for name in names if name.endswith((".po", ".pot", ".pyc")) or "/tests/" in name]


@pytest.mark.parametrize("place", FOR_SHELLS)
def test_what_shells_and_man_read_is_installed_where_they_look_and_is_what_the_command_prints(
    place: str, environment: Path, installed: Callable[..., str]
) -> None:
    text = (environment / place).read_text(encoding="utf-8")
    assert installed("setup", *FOR_SHELLS[place]) == text.rstrip("\n") + "\n"


def test_packed_again_from_what_is_installed_it_brings_the_same(
    wheel: Path, environment: Path, tmp_path: Path
) -> None:
    code = "import pathlib, sys; from fieldkit.kit.own_wheel import make; make(pathlib.Path(sys.argv[1]))"
    subprocess.run([environment / "bin/python", "-P", "-c", code, tmp_path], check=True, timeout=120)
    (again,) = tmp_path.glob("fieldkit-*.whl")
    with zipfile.ZipFile(wheel) as built, zipfile.ZipFile(again) as packed:
        assert sorted(packed.namelist()) == sorted(built.namelist())


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_pipx_installs_it_with_all_it_needs_and_the_whole_sample_visit_runs(
    wheel: Path, tmp_path: Path
) -> None:
    places = {name: str(tmp_path / name) for name in ("PIPX_HOME", "PIPX_BIN_DIR", "PIPX_MAN_DIR")}
    pipx = ["pipx", "install", "--python", sys.executable, wheel]
    done = subprocess.run(pipx, env=os.environ | places, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    demo = [
        tmp_path / "PIPX_BIN_DIR/fieldkit",
        "demo",
        "--headless",
        "--json",
        "--yes",
        "--home",
        tmp_path / "x",
    ]
    played = subprocess.run(demo, cwd=tmp_path, capture_output=True, text=True)
    assert played.returncode == 0, played.stderr
    assert Path(json.loads(played.stdout)["result"]["record"]).is_file()

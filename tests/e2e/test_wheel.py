"""The wheel runs outside the checkout: checklists, profiles, catalogs and templates travel in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, python_path


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """fieldkit from a wheel built now, run far from the checkout; what it prints."""
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
    site = folder / "site"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", site]
    subprocess.run([*install, wheel], check=True, capture_output=True)

    def run(*arguments: str | Path) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "fieldkit", *arguments],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": python_path(str(site)), "FIELDKIT_HOME": str(folder / "home")},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    where = [sys.executable, "-P", "-c", "import fieldkit; print(fieldkit.__file__)"]
    installed = subprocess.run(
        where,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": python_path(str(site))},
        capture_output=True,
        text=True,
    )
    assert installed.stdout.startswith(str(site))
    return run


def test_checklists_profiles_and_both_languages_are_in_it(installed: Callable[..., str]) -> None:
    lists = json.loads(installed("checklist", "list", "--json"))["result"]
    assert {checklist["checklist"] for checklist in lists} >= {"handover", "survey", "dossier", "follow-up"}
    assert "/site/fieldkit/share/checklists/" in lists[0]["path"]
    assert "MAU-01" in installed("plan", "show")
    assert "chuyến triển khai" in installed("--lang", "vi", "visit", "--help")


def test_the_whole_sample_visit_runs_from_it(installed: Callable[..., str], tmp_path: Path) -> None:
    done = json.loads(installed("demo", "--headless", "--json", "--yes", "--home", tmp_path / "demo"))
    assert Path(done["result"]["record"]).is_file()
    assert not [check for check in done["result"]["checks"] if check["verdict"] == "fail"]

"""Closed streams, another encoding, an account without a home, no logs: none is a fault of fieldkit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fieldkit.home import Home
from fieldkit.journal.store import Store
from tests.conftest import Run, clean_environment

MODULE = "/usr/lib/softhsm/libsofthsm2.so"


def shell(home: Home, command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A command line of fieldkit's, as a shell runs it."""
    return subprocess.run(
        ["sh", "-c", f"{sys.executable} -m fieldkit {command}"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=clean_environment(home) | more,
        timeout=120,
    )


def test_closed_streams_stop_nothing_and_no_file_takes_their_place(home: Home) -> None:
    done = shell(home, "visit start --bureau MAU-01 --who 'Lê Văn Kỹ' >&- 2>&- <&-")
    assert done.returncode == 0
    with Store.open(home.store) as store:
        assert [(entry.kind, entry.who) for entry in store.entries()] == [("start", "Lê Văn Kỹ")]
        assert store.read_only is None


def test_an_answer_is_not_called_a_fault_because_the_stream_has_no_letters_for_it(home: Home) -> None:
    done = shell(home, "visit list --lang vi", PYTHONIOENCODING="latin-1")
    assert (done.returncode, "Chưa có chuyến" in done.stdout) == (0, True)


def test_what_is_typed_under_another_locale_is_stored_as_it_was_typed(home: Home, tmp_path: Path) -> None:
    made = subprocess.run(
        ["localedef", "-i", "en_US", "-f", "ISO-8859-1", tmp_path / "en_US.ISO-8859-1"], capture_output=True
    )
    if made.returncode not in (0, 1):
        pytest.skip("no locales can be made here")
    latin = {"LOCPATH": str(tmp_path), "LC_ALL": "en_US.ISO-8859-1"}
    done = shell(home, "visit start --bureau MAU-01 --who 'Lê Văn Kỹ'", **latin)
    assert done.returncode == 0, done.stderr
    with Store.open(home.store) as store:
        assert [entry.who for entry in store.entries()] == ["Lê Văn Kỹ"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become an account that nobody made")
def test_an_account_without_a_home_is_told_to_name_a_folder(tmp_path: Path) -> None:
    lonely = """
import os, sys
import platformdirs.unix
from fieldkit import cli, i18n
from fieldkit.__main__ import main
from fieldkit.cli import frame, visit
os.setuid(54321)
sys.exit(main(sys.argv[1:]))
"""
    environment = {key: value for key, value in os.environ.items() if key not in ("HOME", "FIELDKIT_HOME")}
    for arguments in (["visit", "list"], []):
        done = subprocess.run(
            [sys.executable, "-c", lonely, "--lang", "en", *arguments],
            capture_output=True,
            text=True,
            env={key: value for key, value in environment.items() if not key.startswith("XDG_")},
            cwd=tmp_path,
            timeout=60,
        )
        assert done.returncode == 4, done.stderr
        assert "Name a folder with --home" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_path_of_somebody_unknown_is_said(fieldkit: Run) -> None:
    ran = fieldkit("--json", "visit", "list", "--home", "~nobody-here/x")
    assert (ran.status, ran.error["code"]) == (4, "home-missing")


@pytest.mark.skipif(not Path(MODULE).exists(), reason="SoftHSM2 is not installed")
def test_logs_that_cannot_be_written_stop_no_command(fieldkit: Run, home: Home) -> None:
    home.path.mkdir()
    home.logs.write_text("in the way")
    ran = fieldkit("--json", "token", "list", "--module", MODULE)
    assert ran.status == 0, ran.out

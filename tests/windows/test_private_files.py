"""What is for this account alone on Windows: an access list that names nobody else, and doctor's word on it.

Wine keeps a list as a mode, which is what these tests look at; it passes none on to what is in a folder, and
its `icacls` does nothing.
"""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.windows.conftest import OnWindows


@pytest.fixture
def home(folder: Path) -> Path:
    return folder / "home"


@pytest.fixture
def visit(fieldkit: OnWindows) -> str:
    begun = fieldkit(
        "visit", "start", "--bureau", "MAU-01", "--checklist", "handover", "--who", "Mẫu", "--json"
    )
    return str(begun.result["visit"])


def others_may_read(path: Path) -> bool:
    """What Wine makes of the list: the rights of everybody."""
    return bool(path.stat().st_mode & stat.S_IRWXO)


def home_finding(fieldkit: OnWindows, *options: str) -> dict[str, str]:
    ran = fieldkit("doctor", "--json", *options)
    return next(finding for finding in ran.document["result"] if finding["id"] == "home")


def test_home_store_and_working_folders_are_for_this_account_alone(
    fieldkit: OnWindows, folder: Path, home: Path, visit: str
) -> None:
    assert others_may_read(folder)
    for path in (home, home / "store", home / "store/attachments"):
        assert path.is_dir()
        assert not others_may_read(path)
    assert home_finding(fieldkit)["severity"] == "pass"
    assert fieldkit("store", "verify", "--json").result["verdict"] == "pass"


def test_doctor_says_whose_else_can_look_in_and_closes_it_when_agreed_to(
    fieldkit: OnWindows, home: Path, visit: str
) -> None:
    home.chmod(0o755)
    finding = home_finding(fieldkit)
    assert finding["severity"] == "warning"
    assert "Everyone" in finding["detail"]
    (command,) = finding["mend"]
    assert command.startswith('icacls "')
    assert command.endswith("/remove *S-1-1-0")
    assert command in finding["hint"]
    assert fieldkit("doctor", "--mend", "--json").error["code"] == "not-consented"
    assert others_may_read(home)
    assert home_finding(fieldkit, "--mend", "--yes")["severity"] == "pass"
    assert not others_may_read(home)


def test_a_store_that_others_may_read_is_said_and_closed_by_repair(
    fieldkit: OnWindows, home: Path, visit: str
) -> None:
    (home / "store").chmod(0o755)
    checks = fieldkit("store", "verify", "--json").document["result"]["checks"]
    (exposed,) = [check for check in checks if check["id"] == "permissions"]
    assert (exposed["verdict"], exposed["detail"]) == ("fail", "Everyone")
    assert fieldkit("store", "repair", "--yes", "--json").result["verdict"] == "pass"
    assert not others_may_read(home / "store")

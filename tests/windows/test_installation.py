"""Ways of a PC that are not its kit's fault: the Start menu, shares, junk names, other Pythons, removing.

Wine has no junctions, takes a share for a disk, and one account only: docs/windows.md has lines for those.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.conftest import Office
from tests.windows.bed import Windows
from tests.windows.conftest import OnWindows
from tests.windows.test_kit import Laptop

BEGIN = ("visit", "start", "--bureau", "MAU-01", "--checklist", "handover", "--who", "Mẫu", "--json")


@pytest.fixture
def shortcut(windows: Windows) -> Iterator[Path]:
    """The Start menu's entry, away before and afterwards."""
    (path,) = (windows.drive / "users").glob("*/AppData/Roaming/Microsoft/Windows/Start Menu/Programs")
    entry = path / "fieldkit.lnk"
    entry.unlink(missing_ok=True)
    yield entry
    entry.unlink(missing_ok=True)


@pytest.fixture
def laptop(windows: Windows, folder: Path, tmp_path: Path) -> Laptop:
    return Laptop(windows, folder, Office(tmp_path))


@pytest.fixture
def share(windows: Windows, folder: Path) -> Iterator[str]:
    r"""A network share, as \\server\name."""
    name = folder.name.rsplit(" ", 1)[-1]
    server = windows.prefix / "dosdevices/unc/server"
    server.mkdir(parents=True, exist_ok=True)
    place = server / name
    place.symlink_to(folder)
    yield rf"\\server\{name}"
    place.unlink()


def test_the_start_menu_has_fieldkit_once_that_was_agreed_to_and_loses_it_with_the_program(
    laptop: Laptop, shortcut: Path
) -> None:
    one = laptop.kit("1.0")
    asked = laptop.install(one)
    assert (asked.status, shortcut.exists()) == (3, False)
    assert f"Start menu: {laptop.windows.spelt(shortcut)}" in asked.out
    assert laptop.install(one, "--yes").status == 0
    program, home = (laptop.windows.spelt(laptop.folder / name) for name in ("Chương trình", "home"))
    command = rf'/d /s /c ""{program}\Scripts\fieldkit.exe" --home "{home}" || pause"'
    entry = shortcut.read_bytes()
    assert command.encode("utf-16-le") in entry
    assert r"\cmd.exe".encode("utf-16-le") in entry or rb"\cmd.exe" in entry
    removed = laptop.install(one, "--remove", "--yes")
    assert removed.status == 0, removed.err
    assert laptop.windows.spelt(shortcut) in removed.out
    assert not shortcut.exists()
    assert not laptop.target.exists()


def test_an_entry_of_another_installation_stays_when_this_one_is_removed(
    laptop: Laptop, shortcut: Path
) -> None:
    one = laptop.kit("1.0")
    assert laptop.install(one, "--yes", "--no-start-menu").status == 0
    assert not shortcut.exists()
    shortcut.write_bytes(b"another")
    assert laptop.install(one, "--remove", "--yes").status == 0
    assert shortcut.read_bytes() == b"another"


def test_while_fieldkit_runs_nothing_of_it_is_removed(laptop: Laptop) -> None:
    one = laptop.kit("1.0")
    assert laptop.install(one, "--yes", "--no-start-menu").status == 0
    hold = "import sys; held = open(sys.argv[1], 'rb'); print('held', flush=True); sys.stdin.read()"
    program = laptop.target / "Scripts/fieldkit.exe"
    with laptop.windows.start(r"C:\python\python.exe", "-c", hold, program) as running:
        assert running.stdout is not None
        assert running.stdin is not None
        assert running.stdout.readline().strip() == b"held"
        refused = laptop.install(one, "--remove", "--yes", "--lang", "en")
        running.stdin.close()
    assert (refused.status, "fieldkit is running" in refused.err) == (3, True)
    assert laptop.release() == "1.0"


def test_the_home_is_in_the_profile_that_stays_on_this_pc_where_none_is_named(fieldkit: OnWindows) -> None:
    findings = fieldkit("doctor", "--json", FIELDKIT_HOME="").document["result"]
    (home,) = [finding for finding in findings if finding["id"] == "home"]
    assert r"\AppData\Local\fieldkit" in home["detail"]
    assert not [finding for finding in findings if finding["id"] == "home-place"]


def test_a_home_on_a_share_works_for_one_at_a_time_and_doctor_warns(
    fieldkit: OnWindows, share: str, folder: Path
) -> None:
    home = share + r"\home"
    assert fieldkit(*BEGIN, FIELDKIT_HOME=home).document["ok"]
    assert fieldkit("store", "verify", "--json", FIELDKIT_HOME=home).result["verdict"] == "pass"
    assert (folder / "home/store/head").is_file()
    findings = fieldkit("doctor", "--json", FIELDKIT_HOME=home).document["result"]
    (place,) = [finding for finding in findings if finding["id"] == "home-place"]
    assert (place["severity"], place["detail"]) == ("warning", home)
    assert "--home" in place["hint"]


def test_a_home_that_is_copied_to_other_machines_is_warned_of(fieldkit: OnWindows, windows: Windows) -> None:
    (roaming,) = (windows.drive / "users").glob("*/AppData/Roaming")
    home = windows.spelt(roaming / "fieldkit-not-there")
    findings = fieldkit("doctor", "--json", FIELDKIT_HOME=home).document["result"]
    assert [finding["severity"] for finding in findings if finding["id"] == "home-place"] == ["warning"]


def test_a_home_and_a_target_may_be_written_as_long_paths(
    windows: Windows, fieldkit: OnWindows, folder: Path
) -> None:
    home = "\\\\?\\" + windows.spelt(folder / "home")
    assert fieldkit(*BEGIN, FIELDKIT_HOME=home).document["ok"]
    assert fieldkit("store", "verify", "--json", FIELDKIT_HOME=home).result["verdict"] == "pass"
    assert fieldkit("visit", "list", "--json").result


@pytest.mark.parametrize("name", ["CON", "aux.pdf", "nul.txt"])
def test_a_record_goes_to_no_device(windows: Windows, fieldkit: OnWindows, folder: Path, name: str) -> None:
    visit = fieldkit(*BEGIN).result["visit"]
    out = windows.spelt(folder / name)
    ran = fieldkit("record", "export", visit, "--format", "json", "--out", out, "--json")
    assert ran.status != 0, ran.out
    assert ran.error["hint"]

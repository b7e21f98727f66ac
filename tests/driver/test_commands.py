"""`fieldkit driver` and `fieldkit doctor` as their users run them, and the procedures behind them."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fieldkit.action import check_machine
from fieldkit.driver import apt
from fieldkit.finding import Finding
from fieldkit.home import Home
from fieldkit.procedure import preflight
from fieldkit.profile.load import load
from tests.conftest import Run

pytestmark = pytest.mark.skipif(not apt.available(), reason="needs apt")


def test_the_list_says_which_drivers_are_here(fieldkit: Run) -> None:
    states = {state["profile"]: state for state in fieldkit("driver", "list", "--json").result}
    assert "softhsm2" in states
    assert set(states["softhsm2"]) >= {"profile", "packages", "missing", "modules", "enough"}


def test_detect_answers_where_nothing_is_plugged_in(fieldkit: Run) -> None:
    ran = fieldkit("driver", "detect", "--json")
    assert ran.status == 0
    assert isinstance(ran.result, list)


def detected(home: Home, with_card: Callable[..., str], atr: str) -> Any:
    """What `driver detect` says while a card with this ATR is in a reader."""
    environment = [f"FIELDKIT_HOME={home.path}", "FIELDKIT_LANG=en"]
    command = [sys.executable, "-m", "fieldkit", "driver", "detect", "--json"]
    return json.loads(with_card(atr, "env", *environment, *command))["result"]


def test_a_token_in_the_reader_leads_to_its_profile_and_to_what_is_missing(
    home: Home, with_card: Callable[..., str]
) -> None:
    (token,) = detected(home, with_card, "3BFF1800008131FE45006B150C03020101014234441031800D")
    assert (token["by"], token["known"]) == ("atr", "hypothesis")
    assert "Virtual PCD" in token["reader"]
    (driver,) = token["drivers"]
    assert (driver["profile"], driver["enough"], driver["here"]) == ("bit4id-vgca", False, [])
    assert token["conflicts"] == []


def test_a_token_whose_driver_is_here_is_told_with_its_version(
    home: Home, with_card: Callable[..., str]
) -> None:
    (token,) = detected(home, with_card, "3B9F958131FE9F00664653051234FF71DF0000112233AA")
    driver = next(driver for driver in token["drivers"] if driver["profile"] == "epass2003")
    if not driver["here"]:
        pytest.skip("needs opensc")
    (here,) = driver["here"]
    assert (driver["enough"], here["package"], here["fits"]) == (True, "opensc-pkcs11", True)
    assert here["version"] == apt.installed(["opensc-pkcs11"])["opensc-pkcs11"]


def test_a_token_that_nobody_knows_is_told_with_its_atr(home: Home, with_card: Callable[..., str]) -> None:
    (token,) = detected(home, with_card, "3B00")
    assert (token["atr"], token["drivers"]) == ("3B00", [])


def test_an_unknown_profile_is_wrong_use(fieldkit: Run) -> None:
    ran = fieldkit("driver", "plan", "no-such", "--json")
    assert (ran.status, ran.error["code"]) == (2, "profile-unknown")
    assert "softhsm2" in ran.error["hint"]


def test_doctor_lists_findings_and_writes_a_report_without_names(fieldkit: Run, tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    ran = fieldkit("doctor", "--json", "--report", report, HOME=str(tmp_path))
    assert ran.status in (0, 1)
    outcomes = {finding["id"]: finding["severity"] for finding in ran.result}
    assert {"system", "python", "disk", "home", "reader-service", "tokens", "profiles"} <= set(outcomes)
    text = report.read_text()
    assert str(tmp_path) not in text
    begin = text.index("\n[")
    assert len(json.loads(text[begin:])) == len(ran.result)


def test_preflight_sums_its_findings_up(home: Home) -> None:
    seen: list[Finding] = []
    findings = check_machine.check_machine(check_machine.subject_of(home, load(home)), seen.append)
    assert findings == seen
    assert str(check_machine.summary(findings)).startswith("The machine is")
    outcomes = preflight.facts(findings)["outcomes"]
    assert outcomes["disk"] in ("pass", "warning", "fail")


def test_a_system_without_the_program_that_knows_its_packages_is_told_so(
    home: Home, fieldkit: Run, tmp_path: Path
) -> None:
    folder = home.profiles / "tokens"
    folder.mkdir(parents=True)
    (folder / "trial.yaml").write_text(
        "id: trial\ntitle: {vi: Thử, en: Trial}\nknown: hypothesis\nmodules: {}\n"
        "pin_policy: {min: 4, max: 8}\n"
        "driver: {apt: [{packages: [dpkg], module: /usr/lib/x.so, least: {dpkg: '1'}}]}\n"
    )
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("apt-get", "dpkg-query"):  # dpkg itself is missing
        (programs / name).symlink_to(str(shutil.which(name)))
    ran = fieldkit("driver", "plan", "trial", "--json", PATH=str(programs))
    assert (ran.status, ran.error["code"]) == (4, "installer-missing")
    assert "dpkg" in ran.error["message"]

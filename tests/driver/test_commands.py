"""`fieldkit driver` and `fieldkit doctor` as their users run them, and the procedures behind them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from fieldkit.driver import apt
from fieldkit.driver.errors import ModuleUnproved
from fieldkit.home import Home
from fieldkit.operator import Finding, Plan, Progress
from fieldkit.procedure import preflight
from fieldkit.procedure.driver import bring
from fieldkit.profile.load import load
from tests.conftest import Run
from tests.driver.conftest import SIMPLE, SIMPLE_MODULE, TRIAL, TRIAL_LIBRARY

PROFILE = """\
id: trial
title: {{vi: Thử, en: Trial}}
known: hypothesis
modules: {{linux: [{{path: {module}}}]}}
driver:
  needs_reader: false
  apt: [{{packages: [{package}], module: {module}}}]
pin_policy: {{min: 4, max: 8}}
"""

pytestmark = pytest.mark.skipif(not apt.available(), reason="needs apt")


def with_profile(home: Home, package: str, module: str) -> None:
    folder = home.profiles / "tokens"
    folder.mkdir(parents=True)
    (folder / "trial.yaml").write_text(PROFILE.format(package=package, module=module))


def test_the_list_says_which_drivers_are_here(fieldkit: Run) -> None:
    found = {state["profile"]: state for state in fieldkit("driver", "list", "--json").result}
    assert "softhsm2" in found
    assert set(found["softhsm2"]) >= {"profile", "packages", "missing", "modules", "enough"}


def test_detect_answers_where_nothing_is_plugged_in(fieldkit: Run) -> None:
    ran = fieldkit("driver", "detect", "--json")
    assert ran.status == 0
    assert isinstance(ran.result, list)


def test_an_unknown_profile_is_wrong_use(fieldkit: Run) -> None:
    ran = fieldkit("driver", "plan", "no-such", "--json")
    assert (ran.status, ran.error["code"]) == (2, "profile-unknown")
    assert "softhsm2" in ran.error["hint"]


def test_a_driver_is_shown_installed_and_proved(fieldkit: Run, home: Home, trial: str) -> None:
    with_profile(home, SIMPLE, SIMPLE_MODULE)
    refused = fieldkit("driver", "install", "trial", "--json")
    assert (refused.status, refused.error["code"]) == (3, "not-consented")
    commands = [line.split("$ ", 1)[1] for line in refused.error["plan"] if "$ " in line]
    assert len(commands) == 1
    assert apt.traces([SIMPLE]) == {}

    done = fieldkit("driver", "install", "trial", "--yes", "--json").result
    assert (done["installed"], done["module"], done["verdict"]) == ("now", SIMPLE_MODULE, "pass")
    assert done["library"].endswith("64-bit")
    assert commands[0] in Path(done["log"]).read_text()

    again = fieldkit("driver", "install", "trial", "--json").result  # nothing to agree to
    assert again["installed"] == "already"


class Agreeing:
    """An operator that agrees to everything and remembers what it was told."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self.findings: list[Finding] = []

    async def consent(self, plan: Plan) -> bool:
        self.plans.append(plan)
        return True

    def progress(self, progress: Progress) -> None:
        pass

    def say(self, finding: Finding) -> None:
        self.findings.append(finding)


@pytest.mark.soak
def test_a_driver_whose_module_does_not_load_is_removed_again(home: Home, trial: str) -> None:
    with_profile(home, TRIAL, "/usr/lib/nothing/there.so")
    with pytest.raises(ModuleUnproved) as caught:
        asyncio.run(bring(load(home).tokens["trial"], home, Agreeing()))  # type: ignore[arg-type]
    assert apt.traces([TRIAL, TRIAL_LIBRARY]) == {}
    assert TRIAL in str(caught.value.unchanged)


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
    findings = preflight.look(preflight.of(home, load(home)), seen.append)
    assert findings == seen
    assert str(preflight.summary(findings)).startswith("The machine is")
    outcomes = preflight.facts(findings)["outcomes"]
    assert outcomes["disk"] in ("pass", "warning", "fail")

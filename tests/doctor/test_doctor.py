"""`fieldkit doctor` as its users run it: bare, closed, remote and cut-off machines, and what it may mend."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from fieldkit.action import check_machine
from fieldkit.doctor import mend, readers
from fieldkit.finding import Finding
from fieldkit.home import Home
from fieldkit.operator import Plan
from fieldkit.profile.load import load
from tests.conftest import Run
from tests.driver.machine import Machine


def outcomes(result: Iterable[dict[str, Any]]) -> dict[str, str]:
    return {finding["id"]: finding["severity"] for finding in result}


def test_looking_at_a_machine_makes_no_home_on_it(fieldkit: Run, home: Home) -> None:
    ran = fieldkit("doctor", "--json")
    assert outcomes(ran.result)["home"] == "pass"
    assert outcomes(ran.result)["tokens"] in ("pass", "warning")  # modules were loaded all the same
    assert not home.path.exists()


def test_without_a_terminal_its_size_is_not_checked_and_every_hint_is_there(fieldkit: Run) -> None:
    ran = fieldkit("doctor", "--json")
    assert outcomes(ran.result)["terminal-size"] == "not-checked"
    for finding in ran.result:
        assert set(finding) == {"id", "severity", "message", "detail", "hint", "mend"}
        assert finding["hint"] or finding["severity"] in ("pass", "info"), finding


def test_a_home_on_a_read_only_disk_is_said_so_and_the_rest_is_looked_at(fieldkit: Run, home: Home) -> None:
    home.path.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", home.path], capture_output=True
    ).returncode:
        pytest.skip("this account may not mount")
    try:
        ran = fieldkit("doctor", "--json")
    finally:
        subprocess.run(["umount", home.path], check=True)
    assert ran.status == 1
    assert outcomes(ran.result)["home"] == "fail"
    finding = next(finding for finding in ran.result if finding["id"] == "home")
    assert "read-only" in finding["message"]
    assert "rights" not in finding["hint"]
    assert outcomes(ran.result)["profiles"] == "pass"


def test_over_ssh_the_way_the_terminal_comes_is_told(fieldkit: Run) -> None:
    ran = fieldkit("doctor", "--json", SSH_CONNECTION="192.0.2.1 1 192.0.2.2 22")
    finding = next(finding for finding in ran.result if finding["id"] == "terminal-link")
    assert "SSH" in finding["message"]


def test_an_ordinary_account_may_look_and_is_told_that_it_may_not_install(machine: Machine) -> None:
    folders = " ".join(map(str, (*Path(sys.prefix).parents, *Path(sys.base_prefix).parents)))
    machine.run("sh", "-c", f"chmod o+x {folders}; rm -f /usr/bin/sudo")
    done = machine.run(
        *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
        *("env", "-u", "FIELDKIT_HOME", "HOME=/nonexistent"),
        *(sys.executable, "-m", "fieldkit", "doctor", "--json"),
    )
    findings = outcomes(json.loads(done.stdout)["result"])
    assert findings["rights"] == "warning"
    assert findings["home"] == "fail"
    assert findings["tokens"] in ("pass", "warning")
    assert all(not finding["mend"] for finding in json.loads(done.stdout)["result"])


def test_without_a_network_services_are_not_checked_and_that_is_no_fault(machine: Machine) -> None:
    folder = machine.folder / "home" / "profiles"
    folder.mkdir(parents=True, mode=0o700)
    (folder.parent).chmod(0o700)
    (folder / "services.yaml").write_text(
        "services:\n  - {id: tsa, kind: tsa, required: true, url: 'http://tsa.example.invalid/', "
        "title: {vi: Máy chủ, en: Server}}\n"
    )
    ran = machine.fieldkit("doctor", "--json", network=False)
    assert outcomes(ran.result)["network"] == "info"
    assert outcomes(ran.result)["service-tsa"] == "not-checked"
    assert ran.status == 0


def test_a_home_that_others_can_look_into_is_closed_when_agreed_to(machine: Machine) -> None:
    machine.run("rm", "-f", "/usr/sbin/pcscd")  # so that nothing else is offered
    home = machine.folder / "home"
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    offered = next(
        finding for finding in machine.fieldkit("doctor", "--json").result if finding["id"] == "home"
    )
    assert offered["mend"] == [f"chmod 700 {home}"]

    refused = machine.fieldkit("doctor", "--mend", "--json")
    assert (refused.status, refused.error["code"]) == (3, "not-consented")
    assert home.stat().st_mode & 0o777 == 0o755

    mended = machine.fieldkit("doctor", "--mend", "--yes", "--json")
    assert outcomes(mended.result)["home"] == "pass"
    assert home.stat().st_mode & 0o777 == 0o700


def test_the_reader_service_is_started_when_agreed_to(machine: Machine) -> None:
    if readers.daemon() is None:
        pytest.skip("needs pcscd")
    machine.run("sh", "-c", "rm -rf /etc/reader.conf.d/* /run/pcscd; rm -f /usr/lib/pcsc/drivers/serial/*")
    before = machine.fieldkit("doctor", "--json").result
    offered = next(finding for finding in before if finding["id"] == "reader-service")
    assert (offered["severity"], offered["mend"]) == ("warning", [readers.daemon()])
    try:
        after = outcomes(machine.fieldkit("doctor", "--mend", "--yes", "--json").result)
        assert after["reader-service"] == "pass"
    finally:
        number = machine.run("cat", "/run/pcscd/pcscd.pid").stdout.strip("\0 \n")
        if number:
            os.kill(int(number), signal.SIGTERM)


def test_a_reader_service_that_does_not_start_is_said_with_its_reason(machine: Machine) -> None:
    if readers.daemon() is None:
        pytest.skip("needs pcscd")
    broken = f"rm -rf /run/pcscd; printf '#!/bin/sh\\necho no bus; exit 1\\n' > {readers.daemon()}"
    machine.run("sh", "-c", broken)
    findings = machine.fieldkit("doctor", "--mend", "--yes", "--json").result
    failed = next(finding for finding in findings if finding["id"] == "mend")
    assert (failed["severity"], failed["detail"]) == ("warning", "no bus")
    assert outcomes(findings)["reader-service"] == "warning"


def test_a_home_that_went_away_cannot_be_closed_and_that_is_said(home: Home, tmp_path: Path) -> None:
    home.path.mkdir(mode=0o755)
    home.path.chmod(0o755)
    warned = [Finding("home", "warning", check_machine.summary(()))]
    (offer,) = mend.offers(check_machine.subject_of(home, load(home)), warned)
    home.path.rmdir()
    failed = mend.carry_out(offer, tmp_path / "log")
    assert failed is not None
    assert (failed.id, failed.detail) == ("mend", "No such file or directory")


def test_processes_hidden_from_each_other_are_warned_of(machine: Machine) -> None:
    if machine.run("mount", "-t", "proc", "-o", "hidepid=2", "proc", "/proc").returncode:
        pytest.skip("this kernel does not let it be mounted so")
    findings = outcomes(machine.fieldkit("doctor", "--json").result)
    assert findings["readers-hidepid"] == "warning"


class Refusing:
    """An operator that agrees to nothing and remembers what it was offered."""

    def __init__(self) -> None:
        self.offered: list[Plan] = []

    async def consent(self, plan: Plan) -> bool:
        self.offered.append(plan)
        return False

    def say(self, finding: Finding) -> None:
        pass


def test_what_is_not_agreed_to_is_not_mended(home: Home) -> None:
    home.path.mkdir()
    home.path.chmod(0o755)
    subject = check_machine.subject_of(home, load(home))
    findings = [Finding("home", "warning", check_machine.summary(()))]
    operator = Refusing()
    assert asyncio.run(check_machine.offer_mends(subject, findings, findings, operator)) == findings  # type: ignore[arg-type]
    assert [plan.commands for plan in operator.offered] == [(f"chmod 700 {home.path}",)]
    assert home.path.stat().st_mode & 0o777 == 0o755


def test_a_report_names_neither_the_person_nor_what_opens_the_proxy(fieldkit: Run, tmp_path: Path) -> None:
    person = tmp_path / "nguyenvanmau"
    person.mkdir(mode=0o700)
    report = tmp_path / "report.txt"
    fieldkit(
        *("doctor", "--report", report, "--home", person / "fieldkit"),
        HOME=str(person),
        LOGNAME="nguyenvanmau",
        http_proxy="http://nguyenvanmau:matkhau@proxy.example:3128",
    )
    text = report.read_text()
    assert "nguyenvanmau" not in text
    assert "matkhau" not in text
    assert "proxy.example:3128" in text
    assert "~/fieldkit" in text


def test_a_report_that_cannot_be_written_is_told(fieldkit: Run, tmp_path: Path) -> None:
    ran = fieldkit("doctor", "--json", "--report", tmp_path / "no" / "report.txt")
    assert (ran.status, ran.error["code"]) == (4, "system")


def test_profiles_that_are_wrong_are_told_with_their_place_and_nothing_is_guessed(
    fieldkit: Run, home: Home
) -> None:
    path = home.profiles / "tokens" / "trial.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("id: trial\nfoo: 1\n")
    ran = fieldkit("doctor", "--json")
    finding = next(finding for finding in ran.result if finding["id"] == "profiles")
    assert (ran.status, finding["severity"]) == (1, "fail")
    assert f"{path}:2:1" in finding["message"] + finding["detail"]
    assert outcomes(ran.result)["modules"] == "not-checked"


@pytest.mark.parametrize("language", ["vi", "en"])
def test_findings_come_in_the_language_asked_for(fieldkit: Run, language: str) -> None:
    ran = fieldkit("doctor", "--lang", language)
    assert ("[đạt]" in ran.err) is (language == "vi")
    assert ("[passed]" in ran.err) is (language == "en")
    assert ran.out.strip()

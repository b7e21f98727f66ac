"""`fieldkit doctor` on Windows: what is not there is said in words, with advice that helps there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.windows.bed import Windows


class Look(NamedTuple):
    """What doctor said: its findings by their ids, and its report."""

    findings: dict[str, dict[str, Any]]
    report: str


@pytest.fixture(scope="module")
def look(windows: Windows, program: Path) -> Look:
    folder = windows.drive / "tests" / f"Báo cáo {program.parent.parent.name}"
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "Máy tính.txt"
    report.unlink(missing_ok=True)
    home = windows.spelt(folder / "home")
    ran = windows.run(program, "doctor", "--json", "--report", report, FIELDKIT_HOME=home)
    assert "Traceback" not in ran.out + ran.err
    findings = {finding["id"]: finding for finding in ran.document["result"]}
    return Look(findings, report.read_text(encoding="utf-8"))


def test_everything_it_says_is_in_words_and_advises_nothing_of_linux(look: Look) -> None:
    assert {"system", "python", "rights", "home", "profiles", "fonts"} <= look.findings.keys()
    assert look.findings["system"]["message"].startswith("Windows")
    for finding in look.findings.values():
        assert finding["message"]
        assert finding["hint"] or finding["severity"] in ("pass", "info"), finding
        for word in ("sudo", "apt-get", "systemctl", "pcscd", "Errno"):
            assert word not in finding["message"] + str(finding["hint"]), finding


def test_programs_that_are_not_there_are_to_be_put_where_path_names_them(look: Look) -> None:
    for program in ("pdfsig", "openssl", "mutool", "qpdf"):
        finding = look.findings[f"validator-{program}"]
        assert finding["severity"] in ("warning", "info")
        assert finding["hint"] == f"Put {program} for Windows, whole, into a folder that PATH names."


def test_a_reader_service_that_is_not_there_is_said_with_its_name_on_windows(look: Look) -> None:
    finding = look.findings["reader-service"]
    assert finding["severity"] == "warning"
    assert "SCardSvr" in finding["message"]


def test_its_report_tells_every_finding(look: Look) -> None:
    assert "Traceback" not in look.report
    for finding in look.findings.values():
        assert finding["message"] in look.report

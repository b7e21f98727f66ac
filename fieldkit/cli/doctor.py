"""`fieldkit doctor`: what this machine can and cannot do, told as it is found out."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from fieldkit import __version__
from fieldkit.cli.frame import Call, Reply, option, verb
from fieldkit.errors import FieldkitError
from fieldkit.operator import Finding
from fieldkit.plain import finding_lines
from fieldkit.text import M


@option(
    "--report",
    type=str,
    said=M("Also write what was found to this file, to send to head office."),
)
def _doctor(call: Call, report: str | None) -> Reply:
    from fieldkit.procedure import preflight

    console = call.console()
    profiles = None
    with contextlib.suppress(FieldkitError):  # the finding on profiles tells what is wrong with them
        profiles = call.profiles()
    with contextlib.ExitStack() as stack:
        store = None
        if call.home.store.is_dir():
            with contextlib.suppress(FieldkitError, OSError):
                store = stack.enter_context(call.store())
        subject = preflight.of(call.home, profiles, call.modules, store)
        findings = preflight.look(subject, (lambda finding: None) if call.json else console.say)
    good = all(finding.severity != "fail" for finding in findings)
    lines: list[Any] = [preflight.summary(findings)]
    if report:
        path = Path(report)
        path.write_text(_report(findings), "utf-8")
        lines.append(M("The report is in {path}.", path=str(path)))
    return Reply(shapes(findings), lines, good=good)


doctor = verb("doctor", M("Say what this machine can and cannot do."), modules=True)(_doctor)


def shapes(findings: Sequence[Finding]) -> list[dict[str, str]]:
    """The findings for a program; their keys are part of the command line's contract."""
    return [
        {
            "id": finding.id,
            "severity": finding.severity,
            "message": str(finding.message),
            "detail": finding.detail,
            "hint": str(finding.hint) if finding.hint else "",
        }
        for finding in findings
    ]


def _report(findings: Sequence[Finding]) -> str:
    """The findings as a file for head office: folders of a person are written without the name."""
    made = datetime.now().astimezone().isoformat(timespec="seconds")
    lines = [f"fieldkit {__version__} doctor {made}", ""]
    for finding in findings:
        lines += finding_lines(finding)
        if finding.detail:
            lines.append(f"    {finding.detail}")
    lines += ["", json.dumps(shapes(findings), ensure_ascii=False, indent=1)]
    return impersonal("\n".join(lines)) + "\n"


def impersonal(text: str) -> str:
    """`text` with the person's home folder as `~` and their account's name as `<user>`."""
    home = Path.home()
    text = text.replace(str(home), "~").replace(str(home).replace("\\", "\\\\"), "~")
    if len(home.name) > 2 and home.name != "root":
        text = text.replace(home.name, "<user>")
    return text

"""`fieldkit doctor`: what this machine can and cannot do, told as it is found out."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from fieldkit import __version__
from fieldkit.cli.frame import Call, Reply, option, verb
from fieldkit.cli.output import Data, data
from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding
from fieldkit.text import M, Said
from fieldkit.text_output import finding_lines


@option(
    "--report",
    type=str,
    help=M("Also write what was found to this file, to send to head office."),
)
@option(
    "--mend",
    is_flag=True,
    help=M("Offer to mend what can be mended from here; each is asked for."),
)
def _doctor(call: Call, report: str | None, mend: bool) -> Reply:
    from fieldkit.action import check_machine as action
    from fieldkit.doctor.mend import commands, offers

    console = call.console()
    profiles = None
    with contextlib.suppress(FieldkitError):  # the finding on profiles tells what is wrong with them
        profiles = call.profiles()
    subject = action.subject_of(call.home, profiles, call.modules)
    findings = action.check_machine(subject, (lambda finding: None) if call.json else console.say)
    lines: list[str | Said] = []
    if mend:
        findings = asyncio.run(action.offer_mends(subject, findings, findings, console))
        offered: dict[str, list[str]] = {}
    else:
        offered = commands(offers(subject, findings))
        if offered:
            lines.append(M("`fieldkit doctor --mend` offers to mend: {names}.", names=", ".join(offered)))
    good = all(finding.severity != "fail" for finding in findings)
    lines.insert(0, action.summary(findings))
    if report:
        path = Path(report)
        path.write_text(_report(findings), "utf-8")
        lines.append(M("The report is in {path}.", path=str(path)))
    return Reply(_data(findings, offered), lines, good=good)


doctor = verb("doctor", M("Say what this machine can and cannot do."), modules=True)(_doctor)


def _data(findings: Sequence[Finding], offered: Mapping[str, list[str]] = {}) -> list[Data]:
    """The findings for a program; their keys are part of the command line's contract.

    offered: by the finding's id, the commands that `--mend` would run.
    """
    return [
        data(finding, "required", "judge")
        | {"hint": str(finding.hint or ""), "mend": offered.get(finding.id, [])}
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
    lines += ["", json.dumps(_data(findings), ensure_ascii=False, indent=1)]
    return impersonal("\n".join(lines)) + "\n"


def impersonal(text: str) -> str:
    """`text` with the person's home as `~`, their account as `<user>`, and logins in addresses gone."""
    names: set[str] = set()
    with contextlib.suppress(RuntimeError):  # an account without a home
        home = Path.home()
        text = text.replace(str(home), "~").replace(str(home).replace("\\", "\\\\"), "~")
        names.add(home.name)
    with contextlib.suppress(OSError, KeyError, ImportError):
        names.add(getpass.getuser())
    for name in names - {"root", ""}:
        text = re.sub(rf"(?<![\w]){re.escape(name)}(?![\w])", "<user>", text)
    return re.sub(r"(?<=://)[^/\s@]+@", "", text)

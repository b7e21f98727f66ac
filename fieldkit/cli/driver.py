"""`fieldkit driver`: which drivers there are, which token needs which, and installing one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.plain import finding_lines, plan_lines
from fieldkit.text import M, Said

INDENT = "    "

driver = noun("driver", M("Detect, plan and install the drivers of tokens."))


@driver.verb("list", M("The token profiles, and what of their drivers is here."))
def list_(call: Call) -> Reply:
    from fieldkit.driver import detect

    profiles = call.profiles().tokens
    states = [detect.state(profile) for profile in profiles.values()]
    lines: list[str | Said] = []
    for state in states:
        lines.append(f"{state.profile}  {profiles[state.profile].title}")
        if state.enough:
            lines.append(INDENT + str(M("driver here: {modules}", modules=", ".join(state.modules))))
        else:
            lines.append(INDENT + str(M("driver not here")))
        for finding in state.findings:
            lines += [INDENT + line for line in finding_lines(finding)]
    return Reply([_state(state) | {"title": str(profiles[state.profile].title)} for state in states], lines)


@driver.verb("detect", M("Which token is plugged in, and which driver it needs."))
def detect_(call: Call) -> Reply:
    from fieldkit.driver import detect, pcsc, usb

    profiles = call.profiles().tokens
    seen = pcsc.readers()
    tokens = detect.detect(profiles, seen.readers, usb.devices())
    conflicts = detect.conflicts(tokens, profiles)
    lines: list[str | Said] = []
    result: list[dict[str, Any]] = []
    for token in tokens:
        lines.append(f"{token.reader}  {token.atr or token.usb}")
        drivers = [detect.state(profiles[name]) for name in token.profiles]
        if not drivers:
            lines.append(INDENT + str(M("no profile serves this token")))
        for state in drivers:
            said = M("{profile}: driver here", profile=state.profile)
            lacking = M(
                "{profile}: driver not here; run fieldkit driver install {profile}", profile=state.profile
            )
            lines.append(INDENT + str(said if state.enough else lacking))
        result.append(
            {
                "reader": token.reader,
                "atr": token.atr,
                "usb": token.usb,
                "by": token.by,
                "drivers": [_state(state) for state in drivers],
                "conflicts": [
                    {"message": str(conflict.message), "detail": conflict.detail} for conflict in conflicts
                ],
            }
        )
    for conflict in conflicts:
        lines += finding_lines(conflict)
    if seen.trouble:
        lines.append(M("The reader service does not answer; `fieldkit doctor` says why."))
    if not tokens:
        lines.append(M("No token is plugged in."))
    return Reply(result, lines)


@driver.verb("plan", M("Show each command that installing a driver would run; nothing is changed."))
@click.argument("id")
@option("--kit", type=str, said=M("Install from this kit instead of the network."))
def plan_(call: Call, id: str, kit: str | None) -> Reply:
    return _planned(call, id, kit)


@driver.verb("install", M("Install a driver and prove that its module loads."))
@click.argument("id")
@option("--kit", type=str, said=M("Install from this kit instead of the network."))
@option("--dry-run", is_flag=True, said=M("Only show what would be done."))
def install(call: Call, id: str, kit: str | None, dry_run: bool) -> Reply:
    from fieldkit.procedure.driver import bring

    if dry_run:
        return _planned(call, id, kit)
    profile, files = _profile(call, id), _files(call, kit, id)
    evidence, log = asyncio.run(bring(profile, call.home, call.console(), files=files))
    result = dict(evidence.facts) | {"verdict": evidence.verdict, "log": str(log or "")}
    return Reply(result, [evidence.summary])


def _planned(call: Call, id: str, kit: str | None) -> Reply:
    from fieldkit.driver.plan import plan

    made = plan(_profile(call, id), _files(call, kit, id))
    shown = made.shown()
    lines: list[str | Said] = []
    if made.done:
        lines.append(
            M("The driver is installed already: {packages}.", packages=", ".join(map(str, made.present)))
        )
    else:
        lines += plan_lines(shown)
        if not made.rights:
            lines.append(M("This account may not install. An administrator would run:"))
            lines += [f"  $ {command}" for command in made.by_hand]
    return Reply(
        {
            "profile": made.profile,
            "already": made.done,
            "present": [str(package) for package in made.present],
            "new": [str(package) for package in made.new],
            "changed": [str(package) for package in made.changed],
            "commands": [step.command for step in made.steps],
            "download": made.download,
            "rights": made.rights,
            "by_hand": list(made.by_hand),
        },
        lines,
    )


def _profile(call: Call, id: str) -> Any:
    from fieldkit.driver.errors import ProfileUnknown

    profiles = call.profiles().tokens
    if id not in profiles:
        raise ProfileUnknown(
            M("There is no token profile {profile}.", profile=id),
            hint=M("Those there are: {profiles}.", profiles=", ".join(profiles)),
        )
    return profiles[id]


def _files(call: Call, kit: str | None, id: str) -> tuple[Path, ...]:
    """The packages for the driver in the kit, each verified."""
    if kit is None:
        return ()
    from fieldkit.kit.use import packages

    return packages(Path(kit), id, call.home)


def _state(state: Any) -> dict[str, Any]:
    return {
        "profile": state.profile,
        "packages": state.packages,
        "missing": list(state.missing),
        "modules": list(state.modules),
        "enough": state.enough,
        "findings": [str(finding.message) for finding in state.findings],
    }

"""`fieldkit driver`: which drivers there are, which token needs which, and installing one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fieldkit.cli import completion
from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.cli.output import Data, data, fields
from fieldkit.text import M, Said
from fieldkit.text_output import finding_lines, plan_lines

if TYPE_CHECKING:
    from fieldkit.driver.detect import DriverState
    from fieldkit.profile.model import TokenProfile

INDENT = "    "

driver = noun("driver", M("Detect, plan and install the drivers of tokens."))


@driver.verb("list", M("The token profiles, how well each fact is known, and what of their drivers is here."))
def list_(call: Call) -> Reply:
    from fieldkit.driver import detect

    profiles = call.profiles().tokens
    states = [detect.state(profile) for profile in profiles.values()]
    lines: list[str | Said] = []
    for state in states:
        profile = profiles[state.profile]
        lines.append(f"{state.profile}  {profile.title}")
        lines.append(INDENT + str(M("known: {known}", known=str(detect.explain(profile.known)))))
        lines += [INDENT + line for line in _here(state)]
        if state.way:
            way = M("installed by {way} ({known})", way=state.way, known=_known(state.known))
            lines.append(INDENT + str(way))
        else:
            lines.append(INDENT + str(M("fieldkit cannot install it on this system")))
        for name, facts in _facts(profile):
            lines.append(INDENT + f"{name}: " + ", ".join(f"{value} ({_known(how)})" for value, how in facts))
    return Reply([_listed(state, profiles[state.profile]) for state in states], lines)


@driver.verb("detect", M("Which token is plugged in, which driver it needs, and which one is here."))
def detect_(call: Call) -> Reply:
    from fieldkit.driver import detect, pcsc, usb

    profiles = call.profiles().tokens
    seen = pcsc.readers()
    tokens = detect.detect(profiles, seen.readers, usb.devices())
    lines: list[str | Said] = []
    result: list[Data] = []
    for token in tokens:
        lines.append(f"{token.reader}  {token.atr or token.usb}".strip())
        drivers = [detect.state(profiles[name]) for name in token.profiles]
        conflicts = detect.conflicts([token], profiles)
        if not drivers:
            lines.append(INDENT + str(M("no profile serves this token")))
            lines.append(INDENT + str(M("Send this line to head office, to have a profile made for it.")))
        for state in drivers:
            known = _known(token.known) if state.profile == token.profiles[0] else ""
            lines.append(
                INDENT
                + f"{state.profile}: {profiles[state.profile].title}"
                + (f" ({known})" if known else "")
            )
            lines += [2 * INDENT + line for line in _here(state)]
        for conflict in conflicts:
            lines += [INDENT + line for line in finding_lines(conflict)]
        if drivers and not any(state.enough for state in drivers):
            lines.append(
                INDENT + str(M("Run: fieldkit driver install {profile}", profile=drivers[0].profile))
            )
        result.append(
            {
                **fields(token, "reader", "atr", "usb", "by", "known"),
                "drivers": [_state(state) for state in drivers],
                "conflicts": [fields(conflict, "id", "message", "detail") for conflict in conflicts],
            }
        )
    if seen.trouble:
        lines.append(M("The reader service does not answer; `fieldkit doctor` says why."))
    if not tokens:
        lines.append(M("No token is plugged in."))
    return Reply(result, lines)


@driver.verb("plan", M("Show each command that installing a driver would run; nothing is changed."))
@click.argument("id", shell_complete=completion.drivers)
@option(
    "--kit",
    type=str,
    shell_complete=completion.files,
    help=M("Install from this kit instead of the network."),
)
def plan_(call: Call, id: str, kit: str | None) -> Reply:
    return _planned(call, id, kit)


@driver.verb("install", M("Install a driver and prove that its module loads."))
@click.argument("id", shell_complete=completion.drivers)
@option(
    "--kit",
    type=str,
    shell_complete=completion.files,
    help=M("Install from this kit instead of the network."),
)
@option("--dry-run", is_flag=True, help=M("Only show what would be done."))
def install(call: Call, id: str, kit: str | None, dry_run: bool) -> Reply:
    from fieldkit.action.install_driver import install_driver

    if dry_run:
        return _planned(call, id, kit)
    profile, files = _profile(call, id), _files(call, kit, id)
    done = asyncio.run(install_driver(profile, call.home, call.console(), files=files))
    result = dict(done.facts) | {"verdict": done.verdict, "log": str(done.log or "")}
    return Reply(result, [done.summary])


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
            "kind": made.kind,
            "files": [
                {"file": str(copy.source), "sha256": copy.sha256, "size": copy.size} for copy in made.copies
            ],
            "warnings": [str(finding.message) for finding in made.warnings],
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


def _profile(call: Call, id: str) -> TokenProfile:
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

    return packages(Path(kit), id, call.home, call.console().show_finding)


def _here(state: DriverState) -> list[str]:
    """What of a driver is here, line by line: module, version, kind of file, and whether it is enough."""
    lines = []
    for module in state.here:
        version = " ".join(filter(None, (module.package, module.version)))
        lines.append(
            str(M("driver here: {modules}", modules=module.path))
            + f" [{', '.join(filter(None, (version, module.kind)))}]"
        )
    if not state.here:
        lines.append(str(M("driver not here")))
    for name, least in state.wanted.items():
        lines.append(str(M("at least {version} of {name} is needed", version=least, name=name)))
    if state.here:
        lines.append(str(M("it is enough") if state.enough else M("it is not enough")))
    for finding in state.findings:
        lines += finding_lines(finding)
    return lines


def _facts(profile: TokenProfile) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The facts of a profile that this system can use, each with how well it is known."""
    facts: tuple[tuple[Said, list[tuple[str, str]]], ...] = (
        (M("modules"), [(module.path, module.known) for module in profile.modules_of()]),
        (M("USB ids"), [(usb.id, usb.known) for usb in profile.usb]),
        (M("ATRs"), [(atr.value, atr.known) for atr in profile.atr]),
    )
    for name, values in facts:
        if values:
            yield str(name), values


def _known(word: str) -> str:
    return str({"confirmed": M("confirmed"), "documented": M("documented")}.get(word, M("hypothesis")))


def _listed(state: DriverState, profile: TokenProfile) -> Data:
    return _state(state) | {
        "title": str(profile.title),
        "known": profile.known,
        "facts": {
            "modules": {module.path: module.known for module in profile.modules_of()},
            "usb": {usb.id: usb.known for usb in profile.usb},
            "atr": {atr.value: atr.known for atr in profile.atr},
            "way": {state.way: state.known} if state.way else {},
        },
    }


def _state(state: DriverState) -> Data:
    return {
        **fields(state, "profile", "packages", "missing", "modules", "wanted", "enough"),
        "here": [{"module": module.path, **data(module, "path")} for module in state.here],
        "findings": [str(finding.message) for finding in state.findings],
    }

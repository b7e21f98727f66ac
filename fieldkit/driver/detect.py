"""Which token is plugged in, which profile serves it, and which of its driver this machine has already.

By ATR through PC/SC where the reader service answers, by USB id in any case. No card is spoken to.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from fieldkit.driver import apt, pcsc, prove, usb
from fieldkit.driver.plan import chosen, places
from fieldkit.operator import Finding
from fieldkit.profile.model import TokenProfile
from fieldkit.text import M


class Detected(msgspec.Struct, frozen=True):
    """A token that is plugged in.

    by: "atr" or "usb". profiles: those that serve it, the best first; none means it is unknown.
    """

    by: str
    reader: str
    atr: str = ""
    usb: str = ""
    profiles: tuple[str, ...] = ()


class DriverState(msgspec.Struct, frozen=True):
    """What is here of a profile's driver. enough: a module of it is there that this process can load."""

    profile: str
    packages: dict[str, str]
    missing: tuple[str, ...]
    modules: tuple[str, ...]
    enough: bool
    findings: tuple[Finding, ...] = ()


def detect(
    profiles: Mapping[str, TokenProfile],
    readers: Sequence[pcsc.Reader] | None = None,
    devices: Sequence[usb.UsbDevice] | None = None,
) -> tuple[Detected, ...]:
    """Every token that is plugged in; `readers` and `devices` are looked up where they are not given."""
    present = [
        reader for reader in (pcsc.readers().readers if readers is None else readers) if reader.present
    ]
    plugged = list(usb.devices() if devices is None else devices)
    found = [
        Detected("atr", reader.name, atr=reader.atr, profiles=_ids(profiles, atr=reader.atr))
        for reader in present
    ]
    told = {name for token in found for name in token.profiles}
    for device in plugged:
        serving = _ids(profiles, device=device.id)
        if told.intersection(serving) or (found and not serving):
            continue  # the reader service has told of it
        if serving or device.smart_card:
            found.append(Detected("usb", device.name, usb=device.id, profiles=serving))
    return tuple(found)


def state(profile: TokenProfile) -> DriverState:
    """What of the driver of `profile` is on this machine."""
    way = chosen(profile)
    wanted = way.packages if way is not None else ()
    have = apt.installed(wanted) if wanted and apt.available() else {}
    looks = [(place, prove.examine(place)) for place in places(profile)]
    here = [(place, finding) for place, finding in looks if finding is not None]
    files = {os.path.realpath(place): place for place, _ in reversed(here)}  # one file may have two names
    return DriverState(
        profile.id,
        packages=have,
        missing=tuple(name for name in wanted if name not in have),
        modules=tuple(reversed(files.values())),
        enough=any(finding.severity == "pass" for _, finding in here),
        findings=tuple(finding for _, finding in here if finding.severity != "pass"),
    )


def conflicts(tokens: Iterable[Detected], profiles: Mapping[str, TokenProfile]) -> tuple[Finding, ...]:
    """Where modules of more than one profile would claim the same token."""
    findings = []
    for token in tokens:
        claims = [
            (name, place)
            for name in token.profiles
            for place in places(profiles[name])
            if (finding := prove.examine(place)) is not None and finding.severity == "pass"
        ]
        files = {Path(place).resolve() for _, place in claims}
        if len({name for name, _ in claims}) > 1 and len(files) > 1:
            findings.append(
                Finding(
                    "driver-conflict",
                    "warning",
                    M(
                        "Two drivers claim the token in {reader}: {profiles}.",
                        reader=token.reader,
                        profiles=", ".join(dict.fromkeys(name for name, _ in claims)),
                    ),
                    detail=", ".join(place for _, place in claims),
                    hint=M("Use the maker's module: name it with --module, or remove the other driver."),
                )
            )
    return tuple(findings)


def _ids(profiles: Mapping[str, TokenProfile], *, atr: str = "", device: str = "") -> tuple[str, ...]:
    def serves(profile: TokenProfile) -> bool:
        return profile.matches_atr(atr) if atr else profile.matches_usb(device)

    def rank(profile: TokenProfile) -> tuple[bool, str]:  # an ATR without wildcards says more than one with
        return (atr not in {known.value for known in profile.atr}, profile.id)

    return tuple(profile.id for profile in sorted(filter(serves, profiles.values()), key=rank))

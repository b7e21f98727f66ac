"""Which token is plugged in, which profile serves it, and which of its driver this machine has already.

By ATR and reader name through PC/SC where the reader service answers, by USB id in any case. No card is
spoken to.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath, PureWindowsPath
from typing import Literal

import msgspec

from fieldkit.driver import apt, pcsc, prove, services, usb, windows
from fieldkit.driver.methods import InstallMethod, chosen, installers, owner, places
from fieldkit.driver.steps import Package
from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding
from fieldkit.profile.model import TokenProfile
from fieldkit.text import M, Message
from fieldkit.token import library


class Detected(msgspec.Struct, frozen=True):
    """A token that is plugged in.

    by: what it was recognised by. profiles: those that serve it, the best first; none means it is
    unknown. known: how well it is known that the first of them serves it.
    """

    by: Literal["atr", "reader", "usb"]
    reader: str
    atr: str = ""
    usb: str = ""
    profiles: tuple[str, ...] = ()
    known: str = ""


class InstalledModule(msgspec.Struct, frozen=True):
    """A module of a driver that is on this machine. version, package: as its system knows it; "" if not."""

    path: str
    kind: str
    fits: bool
    version: str = ""
    package: str = ""
    known: str = ""


class DriverState(msgspec.Struct, frozen=True):
    """What is here of a profile's driver.

    packages: of those the profile names, with their versions. wanted: the oldest version that will
    do, by package or file. enough: a module is there that this process can load, and it is not too
    old. way: the kind of installer that would bring it, "" if none; known: how well that is known.
    """

    profile: str
    packages: dict[str, str]
    missing: tuple[str, ...]
    here: tuple[InstalledModule, ...]
    enough: bool
    findings: tuple[Finding, ...] = ()
    wanted: dict[str, str] = {}
    way: str = ""
    known: str = ""

    @property
    def modules(self) -> tuple[str, ...]:
        return tuple(module.path for module in self.here)


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
    tokens = [_in_reader(profiles, reader) for reader in present]
    served = {name for token in tokens for name in token.profiles}
    for device in plugged:
        serving = _serving(profiles, "usb", device.id)
        if served.intersection(serving) or (tokens and not serving):
            continue  # the reader service has told of it
        if serving or device.smart_card:
            tokens.append(
                Detected("usb", device.name, usb=device.id, profiles=tuple(serving), known=_first(serving))
            )
    return tuple(tokens)


def state(profile: TokenProfile) -> DriverState:
    """What of the driver of `profile` is on this machine."""
    way = chosen(profile)
    packages = way.apt.packages if way is not None and way.apt is not None else ()
    have = apt.installed(packages) if packages else {}
    known = {module.path: module.known for module in profile.modules_of()}
    if way is not None:
        known.setdefault(way.source.module, way.source.known)
    files: dict[str, InstalledModule] = {}
    findings: list[Finding] = []
    for place, finding in _examined(profile):
        real = os.path.realpath(place)
        if real in files:  # one file may have two names
            continue
        files[real] = _here(place, finding, known.get(place, ""))
        if finding.severity != "pass":
            findings.append(finding)
    wanted = _wanted(way)
    old = _too_old(way, have, tuple(files.values()))
    fits = any(module.fits for module in files.values())
    return DriverState(
        profile.id,
        packages=have,
        missing=tuple(name for name in packages if name not in have),
        here=tuple(files.values()),
        enough=fits and not old,
        findings=(*findings, *old),
        wanted=wanted,
        way=way.kind if way is not None else "",
        known=way.source.known if way is not None else "",
    )


def conflicts(tokens: Iterable[Detected], profiles: Mapping[str, TokenProfile]) -> tuple[Finding, ...]:
    """What stands in a driver's way: two modules for one token, only a 32-bit one, what the profile names."""
    findings: list[Finding] = []
    for token in tokens:
        findings += _two_claims(token, profiles)
        for name in token.profiles:
            findings += _wrong_size(profiles[name])
            findings += disturbing(profiles[name])
    return tuple({(finding.id, str(finding.message)): finding for finding in findings}.values())


def _examined(profile: TokenProfile) -> list[tuple[str, Finding]]:
    """The modules of the profile that are here, and what each file is."""
    looks = ((place, prove.examine(place)) for place in places(profile))
    return [(place, finding) for place, finding in looks if finding is not None]


def _in_reader(profiles: Mapping[str, TokenProfile], reader: pcsc.Reader) -> Detected:
    by: Literal["atr", "reader"] = "atr"
    serving = _serving(profiles, "atr", reader.atr)
    if not serving and (named := _serving(profiles, "reader", reader.name)):
        by, serving = "reader", named
    return Detected(by, reader.name, atr=reader.atr, profiles=tuple(serving), known=_first(serving))


def _serving(profiles: Mapping[str, TokenProfile], by: str, value: str) -> dict[str, str]:
    """The profiles that serve what shows `value`, the best first, each with how well that is known."""
    ranked: list[tuple[tuple[bool, int, str], str, str]] = []
    for profile in profiles.values():
        if by == "atr" and profile.matches_atr(value):
            # an ATR without wildcards says more than one with
            exact = {atr.value: atr.known for atr in profile.atr}
            masked = next((atr.known for atr in profile.atr if "?" in atr.value), "documented")
            known = exact.get(value, masked)
            ranked.append(((value not in exact, _RANK[known], profile.id), profile.id, known))
        elif by == "usb" and profile.matches_usb(value):
            known = next(device.known for device in profile.usb if device.id == value.lower())
            ranked.append(((False, _RANK[known], profile.id), profile.id, known))
        elif by == "reader" and any(_word(part, value) for part in profile.reader):
            ranked.append(((False, 0, profile.id), profile.id, "hypothesis"))
    return {id: known for _, id, known in sorted(ranked)}


_RANK = {"confirmed": 0, "documented": 1, "hypothesis": 2}


def _first(serving: Mapping[str, str]) -> str:
    return next(iter(serving.values()), "")


def _word(part: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(part)}", name, re.IGNORECASE) is not None


def _here(place: str, finding: Finding, known: str) -> InstalledModule:
    package = Package("")
    with contextlib.suppress(FieldkitError, OSError):
        package = owner(place)
    kind = finding.detail or ""
    with contextlib.suppress(OSError):
        kind = str(library.read_header(Path(place)))
    return InstalledModule(place, kind, finding.severity == "pass", package.version, package.name, known)


def _wanted(way: InstallMethod | None) -> dict[str, str]:
    if way is None:
        return {}
    if way.apt is not None:
        return dict(way.apt.least)
    return {way.file.file: way.file.version} if way.file is not None and way.file.version else {}


def _too_old(
    way: InstallMethod | None, have: Mapping[str, str], here: Sequence[InstalledModule]
) -> tuple[Finding, ...]:
    """Where the version that is here is older than the profile asks."""
    outdated: list[tuple[str, str, str]] = []
    if way is not None and way.apt is not None:
        outdated = [
            (name, have[name], least)
            for name, least in way.apt.least.items()
            if name in have and not apt.at_least(have[name], least)
        ]
    elif way is not None and way.file is not None and way.file.version:
        outdated = [
            (PurePath(module.path).name, module.version, way.file.version)
            for module in here
            if module.path == way.file.module and module.version and _older(module.version, way.file.version)
        ]
    return tuple(
        Finding(
            "driver-old",
            "warning",
            M(
                "{name} is too old: {version} is here, {least} is needed.",
                name=name,
                version=version,
                least=least,
            ),
            hint=M("Install the driver again with `fieldkit driver install`."),
        )
        for name, version, least in outdated
    )


def _older(version: str, least: str) -> bool:
    """`version` is older than `least`, number by number."""
    one, two = ([int(part) for part in re.findall(r"\d+", text)] for text in (version, least))
    return one < two


def _two_claims(token: Detected, profiles: Mapping[str, TokenProfile]) -> list[Finding]:
    claims = [
        (name, place)
        for name in token.profiles
        for place, finding in _examined(profiles[name])
        if finding.severity == "pass"
    ]
    files = {os.path.realpath(place) for _, place in claims}
    if len({name for name, _ in claims}) < 2 or len(files) < 2:
        return []
    return [
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
    ]


def _wrong_size(profile: TokenProfile) -> list[Finding]:
    """Modules are here, but none that this process could load: commonly only a 32-bit one."""
    examined = _examined(profile)
    if not examined or any(finding.severity == "pass" for _, finding in examined):
        return []
    place, finding = examined[0]
    return [Finding("driver-unloadable", "fail", finding.message, finding.detail or place, finding.hint)]


def disturbing(profile: TokenProfile) -> list[Finding]:
    """What the profile says must not be there beside its driver, where it is there."""
    own = {PureWindowsPath(place).name for place in places(profile)}
    findings = []
    for conflict in profile.driver.conflicts:
        place = ""
        if conflict.kind == "package":
            place = _package_here(conflict.name)
        elif conflict.kind == "provider" and sys.platform == "win32":
            place = conflict.name if conflict.name in windows.providers(64) else ""
        elif conflict.kind == "service":
            place = conflict.name if services.running(conflict.name) else ""
        elif conflict.kind == "module" and not any(conflict.name in name for name in own):
            place = _module_here(conflict.name)
        if place:
            findings.append(
                Finding(
                    "driver-conflict",
                    "warning",
                    M("{name} is on this machine and may disturb the driver of {profile}.",
                      name=conflict.name, profile=profile.id),
                    detail=f"{place}: {conflict.text} [{conflict.known}]",
                    hint=M("Remove it, or use only the maker's module (--module)."),
                )
            )  # fmt: skip
    return findings


def _package_here(name: str) -> str:
    packages = (installer.installed([name]) for installer in installers())
    return next((f"{name} {versions[name]}" for versions in packages if name in versions), "")


def _module_here(name: str) -> str:
    folders = _FOLDERS.get(sys.platform, _FOLDERS["linux"])
    for folder in folders:
        with contextlib.suppress(OSError):
            for entry in os.scandir(folder):
                if entry.name.startswith(name) and entry.is_file():
                    return entry.path
    return ""


_FOLDERS = {
    "win32": (r"C:\Windows\System32", r"C:\Program Files\OpenSC Project\OpenSC\pkcs11"),
    "darwin": ("/Library/OpenSC/lib", "/usr/local/lib", "/opt/homebrew/lib"),
    "linux": (
        "/usr/lib",
        "/usr/lib64",
        "/usr/lib/pkcs11",
        "/usr/lib64/pkcs11",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib/x86_64-linux-gnu/pkcs11",
    ),
}


def explain(known: str) -> Message:
    """How well a fact is known, in words."""
    return _WORDS.get(known, _WORDS["hypothesis"])


_WORDS = {
    "confirmed": M("confirmed: tried by this project"),
    "documented": M("documented: its maker or a public source says so"),
    "hypothesis": M("hypothesis: reported once, not tried"),
}

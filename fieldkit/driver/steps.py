"""The steps of an installation as values: what is there, what will run, what it brings.

Every system (apt, Windows, macOS) plans with these; nothing here runs anything.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import msgspec

from fieldkit.operator import Plan, Progress
from fieldkit.text import M, Message, Said

Tell = Callable[[Progress], None]


class Package(msgspec.Struct, frozen=True):
    """A package of the system by name and version; a version of "" is not known."""

    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


class Step(msgspec.Struct, frozen=True):
    """One command, exactly as it will be run, and what it does in words.

    required: where it fails, the rest is not run. installs: it is the one that brings packages.
    """

    said: Message
    argv: tuple[str, ...]
    required: bool = True
    installs: bool = False

    @property
    def command(self) -> str:
        return shlex.join(self.argv)


class DriverPlan(msgspec.Struct, frozen=True):
    """What installing a driver would do.

    present: what the profile asks for and this machine already has. new: what would be added, in
    all. changed: what would get another version. wanted: what the installer is told to install.
    steps: the commands, with rights in front where there is a way to them. rights: there is such a
    way. download: bytes to fetch, 0 if not known. by_hand: the same for an administrator at a prompt.
    """

    profile: str
    title: Said
    present: tuple[Package, ...] = ()
    new: tuple[Package, ...] = ()
    changed: tuple[Package, ...] = ()
    wanted: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    rights: bool = True
    download: int = 0
    by_hand: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Nothing is to be installed: everything is there."""
        return not self.steps

    def shown(self) -> Plan:
        """The plan as it is shown before consent is asked."""
        said: list[Said] = [step.said for step in self.steps]
        if self.new:
            said.append(M("New on this machine: {packages}.", packages=_listed(self.new)))
        if self.changed:
            said.append(M("Replaced by another version: {packages}.", packages=_listed(self.changed)))
        if self.download:
            said.append(M("To be downloaded: {size} kB.", size=-(-self.download // 1000)))
        if self.new:
            said.append(M("If it fails, what was new is removed again."))
        said.append(M("Afterwards the module is loaded, to prove that it works."))
        return Plan(
            M("Install the driver: {title}", title=str(self.title)),
            steps=tuple(said),
            commands=tuple(step.command for step in self.steps),
            keeps=M("Other packages, settings and tokens stay as they are."),
        )


class DebFile(msgspec.Struct, frozen=True):
    """A package in a file, as its own header names it."""

    path: Path
    name: str
    version: str
    architecture: str


def _listed(packages: tuple[Package, ...]) -> str:
    return ", ".join(str(package) for package in packages)

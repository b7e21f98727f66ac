"""The steps of an installation as values: what is there, what will run, what it brings.

Every system (apt, rpm, Windows, macOS) plans with these; nothing here runs anything.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from fieldkit.finding import Finding
from fieldkit.operator import Plan, Progress
from fieldkit.profile.driver import PackageFile
from fieldkit.text import M, Message, Said

Tell = Callable[[Progress], None]
Kind = Literal["apt", "deb", "rpm", "msi", "exe", "pkg"]


class Package(msgspec.Struct, frozen=True):
    """A package of the system by name and version; a version of "" is not known."""

    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


class PackageChanges(msgspec.Struct, frozen=True):
    """What an installation would change: packages new, upgraded, and the bytes to download."""

    new: tuple[Package, ...] = ()
    upgraded: tuple[Package, ...] = ()
    download: int = 0


class Step(msgspec.Struct, frozen=True):
    """One command, exactly as it will be run, and what it does in words.

    required: where it fails, the rest is not run. installs: it is the one that brings packages.
    quoting: how its words are quoted at that system's prompt.
    """

    message: Message
    argv: tuple[str, ...]
    required: bool = True
    installs: bool = False
    quoting: Literal["sh", "cmd"] = "sh"

    @property
    def command(self) -> str:
        return shlex.join(self.argv) if self.quoting == "sh" else subprocess.list2cmdline(self.argv)


class CopiedFile(msgspec.Struct, frozen=True):
    """A file that is used only after its bytes were compared with `sha256`, on the machine itself.

    source: in the kit. target: where it is copied to first; the same where it is used in place.
    """

    source: Path
    target: Path
    size: int
    sha256: str


class DriverPlan(msgspec.Struct, frozen=True):
    """What installing a driver would do.

    kind: which installer does it. present: what the profile asks for and this machine already has.
    new: what would be added, in all. changed: what would get another version. wanted: what the
    installer is told to install. copies: files that are checked, and copied, first. steps: the
    commands, with rights in front where there is a way to them. prefix: that way, None if there is none.
    download: bytes to fetch, 0 if not known. by_hand: the same for an administrator at a prompt.
    file: the maker's installer, where it is one. undoing: what would take away again what it brings.
    removes_new: the installer does so by itself. warnings: what the person should know before agreeing.
    """

    profile: str
    title: Said
    kind: Kind = "apt"
    present: tuple[Package, ...] = ()
    new: tuple[Package, ...] = ()
    changed: tuple[Package, ...] = ()
    wanted: tuple[str, ...] = ()
    copies: tuple[CopiedFile, ...] = ()
    steps: tuple[Step, ...] = ()
    prefix: tuple[str, ...] | None = ()
    download: int = 0
    by_hand: tuple[str, ...] = ()
    file: PackageFile | None = None
    undoing: tuple[Step, ...] = ()
    removes_new: bool = True
    warnings: tuple[Finding, ...] = ()

    @property
    def done(self) -> bool:
        """Nothing is to be installed: everything is there."""
        return not self.steps

    @property
    def rights(self) -> bool:
        """There is a way to an administrator's rights, or none are needed."""
        return self.prefix is not None

    def shown(self) -> Plan:
        """The plan as it is shown before consent is asked."""
        texts: list[Said] = []
        for copy in self.copies:
            if copy.source != copy.target:
                size = -(-copy.size // 1000)
                texts.append(
                    M("Copy {file} from the kit ({size} kB) and compare it with its SHA-256.",
                      file=copy.source.name, size=size)
                )  # fmt: skip
        texts += [step.message for step in self.steps]
        if self.new:
            texts.append(M("New on this machine: {packages}.", packages=listed(self.new)))
        if self.changed:
            texts.append(M("Replaced by another version: {packages}.", packages=listed(self.changed)))
        if self.download:
            texts.append(M("To be downloaded: {size} kB.", size=-(-self.download // 1000)))
        texts += [finding.message for finding in self.warnings]
        if self.undoing:
            texts += [
                M("If it fails, this removes it again: {command}", command=step.command)
                for step in self.undoing
            ]
        elif self.wanted and self.removes_new:
            texts.append(M("If it fails, what was new is removed again."))
        elif self.wanted:
            texts.append(M("If it fails, what it left is named, and nothing is removed."))
        texts.append(M("Afterwards the module is loaded, to prove that it works."))
        return Plan(
            M("Install the driver: {title}", title=str(self.title)),
            steps=tuple(texts),
            commands=tuple(step.command for step in self.steps),
            keeps=M("Other packages, settings and tokens stay as they are."),
        )


class DebFile(msgspec.Struct, frozen=True):
    """A package in a file, as its own header names it."""

    path: Path
    name: str
    version: str
    architecture: str


def listed(packages: tuple[Package, ...]) -> str:
    """The packages with their versions, for a sentence."""
    return ", ".join(str(package) for package in packages)

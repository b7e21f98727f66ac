"""Which of a profile's ways to install fits this machine, and where its module is afterwards."""

from __future__ import annotations

import shutil
import sys

import msgspec

from fieldkit.driver import apt, distribution
from fieldkit.driver.steps import Kind
from fieldkit.profile.driver import Apt, PackageFile
from fieldkit.profile.model import System, TokenProfile, this_system


class InstallMethod(msgspec.Struct, frozen=True):
    """One way to install a driver: by `apt` packages, or by a maker's `file`."""

    kind: Kind
    apt: Apt | None = None
    file: PackageFile | None = None

    @property
    def module(self) -> str:
        """The file that is there afterwards."""
        return self.apt.module if self.apt is not None else self.file.module if self.file is not None else ""

    @property
    def known(self) -> str:
        """How well the way is known."""
        return self.apt.known if self.apt is not None else self.file.known if self.file is not None else ""


def kinds() -> tuple[Kind, ...]:
    """The kinds of installers that this machine can run, those to be preferred first."""
    if sys.platform == "win32":
        return ("msi", "exe")
    if sys.platform == "darwin":
        return ("pkg",)
    if apt.available():
        return ("apt", "deb")
    return ("rpm",) if shutil.which("rpm") else ()


def ways(profile: TokenProfile) -> tuple[InstallMethod, ...]:
    """All ways of the profile that fit this machine; of makers' files those with a known SHA-256 first."""
    install_methods: list[InstallMethod] = []
    for kind in kinds():
        if kind == "apt":
            family = set(distribution.family())
            install_methods += [
                InstallMethod("apt", apt=each)
                for each in profile.driver.apt
                if not each.distributions or family & set(each.distributions)
            ]
        else:
            files: tuple[PackageFile, ...] = getattr(profile.driver, kind)
            install_methods += [
                InstallMethod(kind, file=file) for file in sorted(files, key=lambda file: not file.sha256)
            ]
    return tuple(install_methods)


def chosen(profile: TokenProfile) -> InstallMethod | None:
    """The way to take here; None where the profile has none for this system."""
    return next(iter(ways(profile)), None)


def places(profile: TokenProfile, system: System | None = None) -> tuple[str, ...]:
    """Where the profile's PKCS#11 module may be on this system, the best place first."""
    way = chosen(profile) if system in (None, this_system()) else None
    proving = (way.module,) if way is not None else ()
    return tuple(dict.fromkeys((*proving, *(module.path for module in profile.modules_of(system)))))

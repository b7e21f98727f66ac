"""Which of a profile's ways to install fits this machine, and where its module is afterwards."""

from __future__ import annotations

import os

import msgspec

from fieldkit.driver import distribution
from fieldkit.driver.apt import APT
from fieldkit.driver.installer import DriverInstaller
from fieldkit.driver.macos import PkgInstaller
from fieldkit.driver.rpm import RpmInstaller
from fieldkit.driver.steps import Kind, Package
from fieldkit.driver.windows import ExeInstaller, MsiInstaller
from fieldkit.profile.driver import Apt, PackageFile
from fieldkit.profile.model import System, TokenProfile, this_system


class InstallMethod(msgspec.Struct, frozen=True):
    """One way to install a driver: by `apt` packages, or by a maker's `file`."""

    kind: Kind
    apt: Apt | None = None
    file: PackageFile | None = None

    @property
    def source(self) -> Apt | PackageFile:
        """What the profile says of it: the file that is there afterwards, and how well that is known."""
        source = self.apt or self.file
        assert source is not None
        return source


INSTALLERS: dict[Kind, DriverInstaller] = {
    "apt": APT,
    "deb": APT,
    "rpm": RpmInstaller(),
    "msi": MsiInstaller(),
    "exe": ExeInstaller(),
    "pkg": PkgInstaller(),
}
"""What installs each kind; of those that a machine can run, the first is preferred."""


def kinds() -> tuple[Kind, ...]:
    """The kinds of installers that this machine can run, those to be preferred first."""
    return tuple(kind for kind, installer in INSTALLERS.items() if installer.available())


def installers() -> tuple[DriverInstaller, ...]:
    """Those that this machine can run, each once."""
    return tuple(dict.fromkeys(INSTALLERS[kind] for kind in kinds()))


def owner(path: str) -> Package:
    """The package and version that the system knows the file at `path` by; empty where it does not."""
    places = dict.fromkeys((os.path.realpath(path), path))
    owners = (installer.owner(place) for installer in installers() for place in places)
    return next((package for package in owners if package is not None), Package(""))


def ways(profile: TokenProfile) -> tuple[InstallMethod, ...]:
    """All ways of the profile that fit this machine; of makers' files those with a known SHA-256 first."""
    install_methods: list[InstallMethod] = []
    for kind in kinds():
        if kind == "apt":
            family = set(distribution.family())
            install_methods += [
                InstallMethod("apt", apt=packages)
                for packages in profile.driver.apt
                if not packages.distributions or family & set(packages.distributions)
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
    proving = (way.source.module,) if way is not None else ()
    return tuple(dict.fromkeys((*proving, *(module.path for module in profile.modules_of(system)))))

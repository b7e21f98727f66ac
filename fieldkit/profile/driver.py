"""A token's driver as data: what is installed on each system, what proves it, how it is taken away."""

from __future__ import annotations

from typing import Literal

import msgspec

from fieldkit.text import Words

Known = Literal["confirmed", "documented", "hypothesis"]


class Apt(msgspec.Struct, frozen=True, omit_defaults=True):
    """Packages of a Debian-like distribution.

    module: the file that is there afterwards and proves it. distributions: ids of os-release it is
    right for ("debian", "ubuntu"); any when empty. least: package to the oldest version that will do.
    """

    packages: tuple[str, ...]
    module: str
    distributions: tuple[str, ...] = ()
    least: dict[str, str] = {}
    known: Known = "documented"


class PackageFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A vendor's installer, taken from the kit.

    file: its name there. sha256, size: of the file that was examined; "" and 0 where nobody has put
    it into a kit yet, and then it is never run. silent: options that keep it from asking.
    publisher: who signed it, as the signature says. removal: the command that takes it away.
    provider: the name it registers itself under, by which Windows tells that it is there.
    """

    file: str
    module: str
    version: str = ""
    sha256: str = ""
    size: int = 0
    architecture: Literal["x86_64", "x86", "arm64", "any"] = "x86_64"
    publisher: str = ""
    silent: tuple[str, ...] = ()
    removal: tuple[str, ...] = ()
    provider: str = ""
    reboot: bool = False
    source: str = ""
    known: Known = "documented"


class Conflict(msgspec.Struct, frozen=True, omit_defaults=True):
    """What must not be there beside it. name: of the package, module file or registered provider."""

    kind: Literal["package", "module", "provider", "service"]
    name: str
    text: Words
    known: Known = "documented"


class Driver(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a token's module comes onto a machine.

    needs_reader: it speaks through PC/SC, so the reader service has to run. services: units that
    have to run on Linux. apt, deb, rpm, msi, exe, pkg: ways to install; the first that fits is taken.
    shown: proves the installation: "module" loads, "token" also sees the token.
    """

    needs_reader: bool = True
    services: tuple[str, ...] = ()
    apt: tuple[Apt, ...] = ()
    deb: tuple[PackageFile, ...] = ()
    rpm: tuple[PackageFile, ...] = ()
    msi: tuple[PackageFile, ...] = ()
    exe: tuple[PackageFile, ...] = ()
    pkg: tuple[PackageFile, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    shown: Literal["module", "token"] = "token"
    note: Words | None = None

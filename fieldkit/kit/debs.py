"""Driver packages for a kit: apt's closure, worked out as for a machine that has nothing, fetched by apt.

apt checks each file against the signed package lists as it fetches; a file kept from before is checked again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from fieldkit.driver import apt, distribution, methods
from fieldkit.driver.errors import ListsOutdated, PackageDamaged
from fieldkit.kit.install import hashed
from fieldkit.kit.manifest import DriverFiles
from fieldkit.operator import Progress
from fieldkit.profile.driver import Apt
from fieldkit.profile.model import TokenProfile
from fieldkit.text import M

HASHES = ("-o", "Acquire::ForceHash=SHA256")


class Closure(msgspec.Struct, frozen=True):
    """The package files of one token's driver, and what apt is asked for."""

    profile: str
    packages: tuple[str, ...]
    files: tuple[apt.Fetch, ...]


def way(profile: TokenProfile) -> Apt | None:
    """The packages of the profile's driver for this distribution; None: it has none, or no apt is here."""
    return next((method.apt for method in methods.ways(profile) if method.apt is not None), None)


def closures(profiles: Sequence[TokenProfile], cache: Path) -> tuple[Closure, ...]:
    """What each driver needs, from nothing on; nothing is fetched yet.

    :raises ListsOutdated: this machine has no package lists. Also raises what apt says.
    """
    ways = [(profile, source) for profile in profiles if (source := way(profile)) is not None]
    if ways and apt.lists_empty():
        raise ListsOutdated(
            M("This machine has no package lists."),
            unchanged=M("The kit was not begun."),
            hint=M("Run `sudo apt-get update`, then build again."),
        )
    bare = _bare(cache)
    return tuple(
        Closure(profile.id, source.packages, apt.fetches(source.packages, *bare, *HASHES))
        for profile, source in ways
    )


def size(closures: Sequence[Closure]) -> int:
    """Bytes of all the files, each once."""
    return sum({file.name: file.size for closure in closures for file in closure.files}.values())


def fetch(
    closures: Sequence[Closure], cache: Path, log: Path, tell: Callable[[Progress], None]
) -> dict[str, Path]:
    """The files of `closures` by name, fetched where they are not in `cache` yet.

    :raises PackageDamaged: one is not what the package lists say. Also raises what apt says.
    """
    files = {file.name: file for closure in closures for file in closure.files}
    archives = cache / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    for file in files.values():
        path = archives / file.name
        if path.exists() and not _right(path, file):
            path.unlink()
    if any(not (archives / name).exists() for name in files):
        packages = sorted({package for closure in closures for package in closure.packages})
        options = (*_bare(cache), *HASHES, "-o", f"Dir::Cache::archives={archives}", "--download-only")
        message = M("Download the drivers' packages, with all that they need.")
        apt.APT.carry_out(apt.install_step((), packages, message, *options), log, tell)
    for name, file in files.items():
        if not (archives / name).exists() or not _right(archives / name, file):
            raise PackageDamaged(
                M("{file} is not a Debian package, or it is damaged.", file=name),
                unchanged=M("The kit was not begun."),
                hint=M("Run `sudo apt-get update`, then build again."),
            )
    return {name: archives / name for name in files}


def listed(closures: Sequence[Closure]) -> tuple[DriverFiles, ...]:
    """How the manifest names them."""
    system, architecture = distribution.release(), apt.architecture()
    return tuple(
        DriverFiles(
            closure.profile, system, architecture, tuple(sorted(place(f.name) for f in closure.files))
        )
        for closure in closures
    )


def place(name: str) -> str:
    """Where a package file of this distribution lies in the kit."""
    return f"packages/{distribution.release()}-{apt.architecture()}/{name}"


def _right(path: Path, file: apt.Fetch) -> bool:
    size, sha256 = hashed(path)
    return size == file.size and file.sha256 in ("", sha256)


def _bare(cache: Path) -> tuple[str, ...]:
    """Options by which apt believes that nothing is installed or fetched, and locks nothing."""
    empty = cache / "nothing-fetched"  # apt leaves out of its list what its archives hold already
    (empty / "partial").mkdir(parents=True, exist_ok=True)
    status = cache / "nothing-installed"
    status.touch()
    archives = f"Dir::Cache::archives={empty}"
    return ("-o", f"Dir::State::status={status}", "-o", archives, "-o", "Debug::NoLocking=1")

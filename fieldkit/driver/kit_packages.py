"""Driver packages that a kit left in the home, so that a visit installs them without stick or network.

`fieldkit kit load` verifies and lists them; here each is compared with that list again before it is used.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from fieldkit.driver import distribution
from fieldkit.driver.errors import HashWrong, ProfileUnknown
from fieldkit.home import Home, below
from fieldkit.journal.files import OS, write_whole
from fieldkit.profile import names
from fieldkit.profile.model import this_system
from fieldkit.text import M

FOLDER = "driver-packages"


class DriverPackage(msgspec.Struct, frozen=True):
    """A file in the home's folder, by its path below it, with the SHA-256 in the kit's signed manifest."""

    name: str
    sha256: str


class DriverPackages(msgspec.Struct, frozen=True):
    """The packages of one token's driver. system: what they are for, as kits name it."""

    system: str
    files: tuple[DriverPackage, ...]


def systems() -> tuple[str, ...]:
    """What kits call this machine's system: "debian-12" and "linux", or "windows", "macos"."""
    own = this_system()
    return (distribution.release(), own) if own == "linux" else (own,)


def folder(home: Home) -> Path:
    """Where the packages are."""
    return home.path / FOLDER


def record_packages(home: Home, profile: str, packages: DriverPackages) -> None:
    """Write down what was brought for `profile`; the files are in the folder already.

    :raises ProfileUnknown: no profile can have this name.
    """
    write_whole(OS, _list(home, profile), [msgspec.json.encode(packages), b"\n"])


def tidy(home: Home) -> None:
    """Remove packages that an earlier kit left, and that no profile's driver needs any more."""
    lists = list(folder(home).glob("*.json"))
    needed = set(lists)
    for listed in [driver_packages for driver_packages in map(_read, lists) if driver_packages is not None]:
        needed |= {folder(home) / package.name for package in listed.files}
    for path in sorted(folder(home).rglob("*"), reverse=True):  # what is in a folder before the folder
        if path.is_symlink() or not path.is_dir():
            if path not in needed:
                path.unlink()
        elif not any(path.iterdir()):
            path.rmdir()


def brought(home: Home, profile: str) -> tuple[Path, ...]:
    """The packages for the driver of `profile` on this system; none where no kit left any.

    :raises HashWrong: one was changed since. :raises ProfileUnknown: no profile can have this name.
    """
    packages = _read(_list(home, profile))
    if packages is None or packages.system not in systems():
        return ()
    return tuple(_unchanged(home, package) for package in packages.files)


def _list(home: Home, profile: str) -> Path:
    if not names.ID.fullmatch(profile):
        raise ProfileUnknown(M("There is no token profile {profile}.", profile=profile))
    return folder(home) / f"{profile}.json"


def _read(path: Path) -> DriverPackages | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=DriverPackages)
    except (OSError, msgspec.MsgspecError):
        return None


def _unchanged(home: Home, package: DriverPackage) -> Path:
    try:
        path = below(folder(home), package.name)
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        path, actual = folder(home), ""
    if actual != package.sha256:
        raise HashWrong(
            M("{file} is no longer what the kit brought.", file=package.name.rpartition("/")[2]),
            unchanged=M("Nothing was installed."),
            hint=M("Take the kit's papers again: fieldkit kit load"),
            detail=f"wanted {package.sha256}\nfound  {actual}",
        )
    return path

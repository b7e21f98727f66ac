"""Driver packages that a kit left in the home, so that a visit installs them without stick or network.

`fieldkit kit load` verifies and lists them; here each is compared with that list again before it is used.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from fieldkit.driver import distribution
from fieldkit.driver.errors import HashWrong
from fieldkit.home import Home
from fieldkit.profile.model import this_system
from fieldkit.text import M

FOLDER = "driver-packages"


class Kept(msgspec.Struct, frozen=True):
    """A file in the home's folder, with the SHA-256 that the kit's signed manifest has for it."""

    name: str
    sha256: str


class Brought(msgspec.Struct, frozen=True):
    """The packages of one token's driver. system: what they are for, as kits name it."""

    system: str
    files: tuple[Kept, ...]


def systems() -> tuple[str, ...]:
    """What kits call this machine's system: "debian-12" and "linux", or "windows", "macos"."""
    own = this_system()
    return (distribution.release(), own) if own == "linux" else (own,)


def folder(home: Home) -> Path:
    """Where the packages are."""
    return home.path / FOLDER


def note(home: Home, profile: str, packages: Brought) -> None:
    """Write down what was brought for `profile`; the files are in the folder already.

    Packages that an earlier kit left, and no profile's driver needs any more, go.
    """
    path = _listing(home, profile)
    fresh = path.with_suffix(".part")
    fresh.write_bytes(msgspec.json.encode(packages) + b"\n")
    fresh.replace(path)
    needed = {path.name for path in folder(home).glob("*.json")}
    for listed in [each for each in map(_read, folder(home).glob("*.json")) if each is not None]:
        needed |= {kept.name for kept in listed.files}
    for other in folder(home).iterdir():
        if other.name not in needed:
            other.unlink()


def brought(home: Home, profile: str) -> tuple[Path, ...]:
    """The packages for the driver of `profile` on this system; none where no kit left any.

    :raises HashWrong: one was changed since.
    """
    packages = _read(_listing(home, profile))
    if packages is None or packages.system not in systems():
        return ()
    return tuple(_unchanged(folder(home) / kept.name, kept) for kept in packages.files)


def _listing(home: Home, profile: str) -> Path:
    path = folder(home) / f"{profile}.json"
    if path.parent != folder(home) or path.name != f"{profile}.json":
        raise ValueError(profile)  # a name that leaves the folder
    return path


def _read(path: Path) -> Brought | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Brought)
    except (OSError, msgspec.MsgspecError):
        return None


def _unchanged(path: Path, kept: Kept) -> Path:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        found = ""
    if found != kept.sha256:
        raise HashWrong(
            M("{file} is no longer what the kit brought.", file=path.name),
            unchanged=M("Nothing was installed."),
            hint=M("Take the kit's papers again: fieldkit kit load"),
            detail=f"wanted {kept.sha256}\nfound  {found}",
        )
    return path

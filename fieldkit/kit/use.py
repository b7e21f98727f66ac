"""Taking files from a kit: each is copied to this disk and hashed on the way; only the copy is used.

So what is used is what was checked, whatever happens to the stick meanwhile.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from fieldkit.access import make_private_folder
from fieldkit.driver.kit_packages import systems
from fieldkit.finding import Finding
from fieldkit.home import Home
from fieldkit.journal.files import OS
from fieldkit.kit import install, keys
from fieldkit.kit import manifest as manifests
from fieldkit.kit.errors import KitBusy, KitLacks, KitUnsound, stick_gone
from fieldkit.kit.stick import flush
from fieldkit.kit.verify import genuine
from fieldkit.text import M, Message

TAKEN = "kit-files"


def packages(
    kit: Path, profile: str, home: Home, say: Callable[[Finding], None] = lambda _: None
) -> tuple[Path, ...]:
    """The packages of a token's driver for this system, verified, on this disk.

    say: is told whose key signed the kit, and whether the home knows it.
    :raises KitUnsound: the signature or a file is wrong. :raises KitKeyUnknown: it is another's.
    :raises KitLacks: the kit has none for this profile on this system.
    """
    read = genuine(kit)
    severity, message = keys.judge(home, read.manifest.key)
    if severity == "fail":
        raise keys.refusal(message, read.manifest.key)
    fingerprint = read.manifest.fingerprint
    hint = M("Fingerprint of the kit's key: {fingerprint}", fingerprint=fingerprint)
    say(Finding("kit-key", severity, message, detail=fingerprint, hint=hint))
    older = keys.older(home, read.manifest)
    if older is not None:
        say(Finding("kit-age", "warning", older))
    fitting = [driver for driver in read.manifest.drivers if driver.profile == profile]
    here = [driver for driver in fitting if driver.system in systems()]
    if not here:
        others = sorted({driver.system for driver in fitting})
        raise KitLacks(
            M(
                "The kit has the driver of {profile} for {others}, not for {system}.",
                profile=profile,
                others=", ".join(others),
                system=systems()[0],
            )
            if others
            else M("The kit does not have the driver of {profile}.", profile=profile),
            unchanged=M("Nothing was installed."),
            hint=M("Build the kit with this driver on such a system, or install from the network."),
        )
    paths = list(dict.fromkeys(path for driver in here for path in driver.files))
    with alone(home):
        return take_files(kit, read, paths, home)


@contextlib.contextmanager
def alone(home: Home) -> Iterator[None]:
    """Let no other process take files from a kit into this home meanwhile.

    :raises KitBusy: one does.
    """
    folder = home.path / TAKEN
    make_private_folder(folder)
    lock = OS.open(folder / "lock", write=True)
    try:
        with contextlib.suppress(OSError):  # files cannot be locked here
            if not OS.lock(lock):
                raise KitBusy(
                    M("Another fieldkit is taking files from a kit into this home."),
                    unchanged=M("Nothing was taken from the kit."),
                    hint=M("Wait until it is done, then repeat."),
                )
        yield
    finally:
        OS.close(lock)


def take_files(kit: Path, read: manifests.ReadManifest, paths: Sequence[str], home: Home) -> tuple[Path, ...]:
    """Copy files of the kit into the home, verified; those there already are verified again."""
    folder = home.path / TAKEN / read.sha256[:16]
    make_private_folder(folder)
    return tuple(take_one(kit, read, path, folder) for path in paths)


def take_one(kit: Path, read: manifests.ReadManifest, path: str, folder: Path) -> Path:
    """Copy one file of the kit into `folder`, below its path in the kit, hashed on the way; the copy."""
    file = read.manifest.file(path)
    assert file is not None  # the manifest was checked to list what it names
    copy = folder / path
    copy.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        if install.hashed(copy) == (file.size, file.sha256):
            return copy
        copy.unlink()
    part = copy.with_name(copy.name + ".part")
    part.unlink(missing_ok=True)
    try:
        _no_links(kit, path)
        copied_as = install.hashed(kit / path, part)
    except OSError as error:
        part.unlink(missing_ok=True)
        if not (kit / path).exists():
            raise _unsound(M("missing: {path}", path=path)) from None
        raise stick_gone(kit, error) from None
    if copied_as != (file.size, file.sha256):
        part.unlink()
        raise _unsound(M("changed: {path}", path=path))
    with part.open("rb+") as copied:
        os.fsync(copied.fileno())
    part.replace(copy)
    flush(copy.parent)
    return copy


def _no_links(kit: Path, path: str) -> None:
    at = kit
    for part in path.split("/"):
        at = at / part
        if at.is_symlink():
            raise _unsound(M("a link, or no ordinary file: {path}", path=path))


def _unsound(what: Message) -> KitUnsound:
    return KitUnsound(
        M("A file of the kit is not as the manifest says."),
        unchanged=M("Nothing was taken from the kit."),
        hint=M("Check the kit with `fieldkit kit verify`, and get it from head office again."),
        detail=str(what),
    )

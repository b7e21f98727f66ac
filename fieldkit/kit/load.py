"""Taking a kit's papers into a home: profiles, checklists, plan, dossiers, anchors, recipients, samples.

Everything is checked before the first file is moved in; what the home had under the same name is kept aside.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path

import msgspec

from fieldkit import __version__
from fieldkit.access import make_private_folder
from fieldkit.checklist import load as checklists
from fieldkit.driver import kit_packages
from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding
from fieldkit.home import Home, shipped
from fieldkit.kit import install, keys, use
from fieldkit.kit import manifest as manifests
from fieldkit.kit.errors import KitBusy, KitForeign
from fieldkit.kit.manifest import DriverFiles
from fieldkit.kit.stick import PART, write_synced
from fieldkit.kit.verify import genuine
from fieldkit.operator import Plan
from fieldkit.profile import load as profiles
from fieldkit.text import M, Message, Said

TAKEN = ("profiles/", "checklists/", "recipients/", "samples/")
ASIDE = "replaced-by-kit"


class KitContents(msgspec.Struct, frozen=True):
    """What would be taken: paths in the kit, which are those in the home. same: files that need not be."""

    kit: Path
    read: manifests.ReadManifest
    key: Finding
    new: tuple[str, ...]
    replaced: tuple[str, ...]
    same: int
    drivers: tuple[DriverFiles, ...] = ()
    older: Message | None = None

    def shown(self, home: Home) -> Plan:
        """The plan as it is shown before consent is asked."""
        steps: list[Said] = [
            M("The kit is signed by the key {fingerprint}.", fingerprint=self.read.manifest.fingerprint),
            self.key.message,
        ]
        if self.older:
            steps.append(self.older)
        if self.new:
            steps.append(M("New in {home}: {files}", home=str(home.path), files=", ".join(self.new)))
        if self.replaced:
            steps.append(
                M("Replaced in {home}: {files}", home=str(home.path), files=", ".join(self.replaced))
            )
            steps.append(M("What is replaced is kept in the folder {folder}.", folder=ASIDE))
        if self.drivers:
            names = ", ".join(driver.profile for driver in self.drivers)
            message = M(
                "Keep the driver packages of {profiles} here, for visits without stick or network.",
                profiles=names,
            )
            steps.append(message)
        steps.append(M("Kits signed by this key are taken from now on."))
        keeps = M("Visits, answers, and every other file of the home stay as they are.")
        return Plan(
            M("Take the kit's papers into {home}", home=str(home.path)),
            steps=tuple(steps),
            keeps=keeps,
            confirm=(self.read.manifest.made[:10] or self.read.manifest.version) if self.older else "",
        )


def prepare(kit: Path, home: Home, *, fingerprint: str = "") -> KitContents:
    """Look what the kit would bring. Nothing is changed.

    :raises KitUnsound: the signature is wrong. :raises KitKeyUnknown: the key is not one to believe.
    :raises KitForeign: it is for another release.
    """
    read = genuine(kit)
    severity, message = keys.judge(home, read.manifest.key, fingerprint)
    if severity == "fail":
        raise keys.refusal(message, read.manifest.key)
    if read.manifest.version != __version__:
        raise KitForeign(
            M(
                "The kit is for fieldkit {theirs}; this is {ours}.",
                theirs=read.manifest.version,
                ours=__version__,
            ),
            unchanged=M("Nothing was taken from the kit."),
            hint=M("Run the kit's install.py first: it brings the fieldkit that belongs to it."),
        )
    new: list[str] = []
    replaced: list[str] = []
    same = 0
    for file in read.manifest.files:
        if not file.path.startswith(TAKEN):
            continue
        wanted = (file.size, file.sha256)
        if _is(home.path / file.path, wanted) or (
            not (home.path / file.path).exists() and _is(_shipped(file.path), wanted)
        ):
            same += 1
        else:
            (replaced if (home.path / file.path).exists() else new).append(file.path)
    key = Finding("key", severity, message)
    drivers = tuple(driver for driver in read.manifest.drivers if driver.system in kit_packages.systems())
    older = keys.older(home, read.manifest)
    return KitContents(kit, read, key, tuple(new), tuple(replaced), same, drivers, older)


class AgreedPapers(msgspec.Struct, frozen=True):
    """What was agreed to be taken, and lies checked beside it: what a kill leaves is finished later."""

    new: tuple[str, ...]
    replaced: tuple[str, ...]
    aside: str
    packages: dict[str, kit_packages.DriverPackages]
    key: str
    made: str


def load(loading: KitContents, home: Home) -> None:
    """Move the papers in, all or none. Consent was asked before.

    Killed before all is checked and written down, it leaves the home as it was; later, `finish` goes on.

    :raises KitUnsound: a file is not as the manifest says. Also raises what is wrong with one of them.
    :raises KitBusy: another process takes files from a kit.
    """
    work = home.agreed.parent
    with use.alone(home):
        if home.agreed.exists():
            # what it was about to take, and is not there or not known any more, is taken anew now
            with contextlib.suppress(msgspec.MsgspecError, FileNotFoundError):
                _move_in(home)
        shutil.rmtree(work, ignore_errors=True)
        try:
            _stage(loading, home, work)
            packages = _packages(loading, home)
        except (OSError, FieldkitError):
            shutil.rmtree(work, ignore_errors=True)
            kit_packages.tidy(home)
            raise
        read = loading.read
        agreed = AgreedPapers(
            loading.new,
            loading.replaced,
            _aside(home, read.sha256[:16]).name,
            packages,
            read.manifest.key,
            read.manifest.made,
        )
        make_private_folder(work)
        write_synced(home.agreed, msgspec.json.encode(agreed))
        try:
            _move_in(home)
        except OSError:
            _move_out(home)
            raise


def finish(home: Home) -> Message | None:
    """Go on with a taking that was broken off after it was agreed to; what was done, or what is left to do.

    None where there is nothing to finish, or another process is at it.
    """
    if not home.agreed.exists():
        return None
    try:
        with use.alone(home):
            if not home.agreed.exists():
                return None
            _move_in(home)
    except KitBusy:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        return M(
            "Taking a kit's papers was broken off, and cannot be finished ({reason}). "
            "Not yet in their places: {files}. Run `fieldkit kit load` again.",
            reason=getattr(error, "strerror", "") or str(error),
            files=", ".join(_waiting(home)),
        )
    return M("Taking a kit's papers was broken off; what had been agreed to is now finished.")


def _stage(loading: KitContents, home: Home, work: Path) -> None:
    """Copy the papers beside their places, and check each, and all of them together with the home's."""
    paths = [*loading.new, *loading.replaced]
    for path in paths:
        use.take_one(loading.kit, loading.read, path, work)
    for path in paths:
        if path.endswith(".yaml"):
            if path.startswith("checklists/"):
                checklists.load(work / path)
            elif path.startswith("profiles/"):
                profiles.check(work / path)
    profiles.load(home, work / "profiles")


def _move_in(home: Home) -> None:
    """Put every paper in its place that is not there yet, and write down what else was agreed to."""
    agreed = _agreed(home)
    work, aside = home.agreed.parent, home.path / ASIDE / agreed.aside
    for path in (*agreed.new, *agreed.replaced):
        if _moved(agreed, home, path):
            continue  # before it was broken off
        if not (work / path).exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        (home.path / path).parent.mkdir(parents=True, exist_ok=True)
        if path in agreed.replaced and not (aside / path).exists():
            _copy(home.path / path, aside / path)
        (work / path).replace(home.path / path)
    for profile, kept in agreed.packages.items():
        kit_packages.record_packages(home, profile, kept)
    keys.remember(home, agreed.key, agreed.made)
    home.agreed.unlink()
    shutil.rmtree(work, ignore_errors=True)
    kit_packages.tidy(home)


def _move_out(home: Home) -> None:
    """Have the home as it was before `_move_in`."""
    agreed = _agreed(home)
    work, aside = home.agreed.parent, home.path / ASIDE / agreed.aside
    for path in (*agreed.new, *agreed.replaced):
        if _moved(agreed, home, path):
            (home.path / path).replace(work / path)
            if path in agreed.replaced:
                _copy(aside / path, home.path / path)
    home.agreed.unlink()
    shutil.rmtree(work, ignore_errors=True)
    shutil.rmtree(aside, ignore_errors=True)
    kit_packages.tidy(home)


def _moved(agreed: AgreedPapers, home: Home, path: str) -> bool:
    """Whether a paper is in its place; one that is neither there nor beside it is lost, and in no place."""
    if (home.agreed.parent / path).exists() or not (home.path / path).exists():
        return False
    return path in agreed.new or (home.path / ASIDE / agreed.aside / path).exists()


def _copy(source: Path, target: Path) -> None:
    """A copy that appears whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + PART)
    shutil.copy2(source, part)
    part.replace(target)


def _waiting(home: Home) -> list[str]:
    """The papers that are not in their places yet; of a list that cannot be read, those that lie beside."""
    work = home.agreed.parent
    try:
        agreed = _agreed(home)
    except (OSError, msgspec.MsgspecError):
        staged = (path for path in work.rglob("*") if path.is_file() and path != home.agreed)
        return sorted(path.relative_to(work).as_posix() for path in staged)
    return sorted(path for path in (*agreed.new, *agreed.replaced) if not _moved(agreed, home, path))


def _agreed(home: Home) -> AgreedPapers:
    return msgspec.json.decode(home.agreed.read_bytes(), type=AgreedPapers)


def _aside(home: Home, name: str) -> Path:
    """A folder for what is replaced in which nothing is kept yet."""
    folder = home.path / ASIDE
    count = 1
    while (aside := folder / (name if count == 1 else f"{name}-{count}")).exists():
        count += 1
    return aside


def _packages(loading: KitContents, home: Home) -> dict[str, kit_packages.DriverPackages]:
    """The drivers' packages by profile, each copied to where the home keeps them, verified."""
    packages: dict[str, kit_packages.DriverPackages] = {}
    if loading.drivers:
        make_private_folder(kit_packages.folder(home))
    sha256 = {listed.path: listed.sha256 for listed in loading.read.listed}
    place = loading.read.sha256[:16]
    for driver in loading.drivers:
        for path in driver.files:
            use.take_one(loading.kit, loading.read, path, kit_packages.folder(home) / place)
        earlier = packages.get(driver.profile, kit_packages.DriverPackages(driver.system, ()))
        kept = (
            *earlier.files,
            *(kit_packages.DriverPackage(f"{place}/{path}", sha256[path]) for path in driver.files),
        )
        system = min(
            earlier.system, driver.system, key=kit_packages.systems().index
        )  # "debian-12" over "linux"
        packages[driver.profile] = kit_packages.DriverPackages(system, tuple(dict.fromkeys(kept)))
    return packages


def _shipped(path: str) -> Path:
    folder, _, rest = path.partition("/")
    return shipped(folder) / rest


def _is(path: Path, wanted: tuple[int, str]) -> bool:
    try:
        return path.is_file() and install.hashed(path) == wanted
    except OSError:
        return False

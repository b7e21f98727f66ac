"""Taking a kit's papers into a home: profiles, checklists, plan, dossiers, anchors, recipients, samples.

Everything is checked before the first file is moved in; what the home had under the same name is kept aside.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from fieldkit import __version__
from fieldkit.checklist import load as checklists
from fieldkit.driver import kit_packages
from fieldkit.errors import FieldkitError
from fieldkit.home import Home, shipped
from fieldkit.kit import install, keys, use
from fieldkit.kit import manifest as manifests
from fieldkit.kit.errors import KitForeign
from fieldkit.kit.manifest import DriverFiles
from fieldkit.kit.verify import genuine
from fieldkit.operator import Finding, Plan
from fieldkit.profile import load as profiles
from fieldkit.text import M, Message, Said

TAKEN = ("profiles/", "checklists/", "recipients/", "samples/")
ASIDE = "replaced-by-kit"


class Loading(msgspec.Struct, frozen=True):
    """What would be taken: paths in the kit, which are those in the home. same: files that need not be."""

    kit: Path
    read: manifests.Read
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
            said = M(
                "Keep the driver packages of {profiles} here, for visits without stick or network.",
                profiles=names,
            )
            steps.append(said)
        steps.append(M("Kits signed by this key are taken from now on."))
        keeps = M("Visits, answers, and every other file of the home stay as they are.")
        return Plan(
            M("Take the kit's papers into {home}", home=str(home.path)),
            steps=tuple(steps),
            keeps=keeps,
            confirm=(self.read.manifest.made[:10] or self.read.manifest.version) if self.older else "",
        )


def prepare(kit: Path, home: Home, *, fingerprint: str = "") -> Loading:
    """Look what the kit would bring. Nothing is changed.

    :raises KitUnsound: the signature is wrong. :raises KitKeyUnknown: the key is not one to believe.
    :raises KitForeign: it is for another release.
    """
    read = genuine(kit)
    severity, said = keys.judge(home, read.manifest.key, fingerprint)
    if severity == "fail":
        raise keys.refusal(said, read.manifest.key)
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
    key = Finding("key", severity, said)
    drivers = tuple(driver for driver in read.manifest.drivers if driver.system in kit_packages.systems())
    older = keys.older(home, read.manifest)
    return Loading(kit, read, key, tuple(new), tuple(replaced), same, drivers, older)


def load(loading: Loading, home: Home) -> None:
    """Move the papers in, all or none. Consent was asked before.

    :raises KitUnsound: a file is not as the manifest says. Also raises what is wrong with one of them.
    """
    paths = [*loading.new, *loading.replaced]
    work = home.path / use.TAKEN / "papers"
    shutil.rmtree(work, ignore_errors=True)
    for path in paths:
        use.take_one(loading.kit, loading.read, path, work)
    for path in paths:
        if path.endswith(".yaml"):
            if path.startswith("checklists/"):
                checklists.load(work / path)
            elif path.startswith("profiles/"):
                profiles.check(work / path)
    aside = _aside(home, loading.read.sha256[:16])
    moved: list[str] = []
    try:
        packages = _packages(loading, home)
        for path in paths:
            if path in loading.replaced:
                (aside / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(home.path / path, aside / path)
            (home.path / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).replace(home.path / path)
            moved.append(path)
        profiles.load(home)
    except (OSError, FieldkitError):
        for path in moved:
            if path in loading.replaced:
                (aside / path).replace(home.path / path)
            else:
                (home.path / path).unlink()
        kit_packages.tidy(home)
        raise
    shutil.rmtree(work, ignore_errors=True)
    for profile, kept in packages.items():
        kit_packages.note(home, profile, kept)
    kit_packages.tidy(home)
    keys.remember(home, loading.read.manifest.key, loading.read.manifest.made)


def _aside(home: Home, name: str) -> Path:
    """A folder for what is replaced in which nothing is kept yet."""
    folder = home.path / ASIDE
    count = 1
    while (aside := folder / (name if count == 1 else f"{name}-{count}")).exists():
        count += 1
    return aside


def _packages(loading: Loading, home: Home) -> dict[str, kit_packages.Brought]:
    """The drivers' packages by profile, each copied to where the home keeps them, verified."""
    packages: dict[str, kit_packages.Brought] = {}
    if loading.drivers:
        kit_packages.folder(home).mkdir(parents=True, exist_ok=True, mode=0o700)
    sha256 = {listed.path: listed.sha256 for listed in loading.read.listed}
    place = loading.read.sha256[:16]
    for driver in loading.drivers:
        for path in driver.files:
            use.take_one(loading.kit, loading.read, path, kit_packages.folder(home) / place)
        earlier = packages.get(driver.profile, kit_packages.Brought(driver.system, ()))
        kept = (
            *earlier.files,
            *(kit_packages.Kept(f"{place}/{path}", sha256[path]) for path in driver.files),
        )
        system = min(
            earlier.system, driver.system, key=kit_packages.systems().index
        )  # "debian-12" over "linux"
        packages[driver.profile] = kit_packages.Brought(system, tuple(dict.fromkeys(kept)))
    return packages


def _shipped(path: str) -> Path:
    folder, _, rest = path.partition("/")
    return shipped(folder) / rest


def _is(path: Path, wanted: tuple[int, str]) -> bool:
    try:
        return path.is_file() and install.hashed(path) == wanted
    except OSError:
        return False

"""Building a kit: what it would do, as a plan; then gather on this disk, copy to the stick, sign last."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from fieldkit import __version__
from fieldkit.access import make_private_folder
from fieldkit.finding import Finding
from fieldkit.home import PACKAGE, Home
from fieldkit.journal.store import Store
from fieldkit.kit import debs, install, keys, lists, own_wheel, payload, stick, targets, wheels
from fieldkit.kit.errors import ChoiceUnknown, NameUnfit, SourceDamaged
from fieldkit.kit.manifest import DriverFiles, File, Manifest, Target, encode
from fieldkit.operator import Plan, Progress
from fieldkit.profile.driver import PackageFile
from fieldkit.profile.model import Bureau, Profiles, TokenProfile
from fieldkit.text import M, Said

CACHE = "kit-cache"
KINDS = {"linux": ("deb", "rpm"), "windows": ("msi", "exe"), "macos": ("pkg",)}
STICKS_OWN = {"install.py": PACKAGE / "kit" / "install.py", "READ-ME.txt": PACKAGE / "kit" / "read-me.txt"}
FAT_LARGEST = 2**32 - 1
Tell = Callable[[Progress], None]


class KitChoice(msgspec.Struct, frozen=True):
    """What a person asked for; empty means: as fits this machine and the plan in force.

    vendor: a folder with makers' installers. samples: PDF files to take along.
    """

    pythons: Sequence[str] = ()
    platforms: Sequence[str] = ()
    bureaus: Sequence[str] = ()
    drivers: Sequence[str] = ()
    vendor: Path | None = None
    samples: Sequence[Path] = ()


class KitPlan(msgspec.Struct, frozen=True):
    """What building would do. vendor: makers' files by profile, system and place on this disk."""

    folder: Path
    targets: tuple[targets.WheelTarget, ...]
    bureaus: tuple[Bureau, ...]
    closures: tuple[debs.Closure, ...]
    vendor: tuple[tuple[str, str, PackageFile, Path], ...]
    samples: tuple[Path, ...]
    findings: tuple[Finding, ...]

    def shown(self) -> Plan:
        """The plan as it is shown before consent is asked."""
        steps: list[Said] = [own_wheel.origin()]
        names = ", ".join(map(str, self.targets))
        steps.append(M("Fetch the wheels it needs, by pip, for: {targets}.", targets=names))
        if self.closures:
            steps.append(
                M(
                    "Fetch {count} Debian packages, {size} MB, by apt, for the drivers {drivers}.",
                    count=len({file.name for closure in self.closures for file in closure.files}),
                    size=-(-debs.size(self.closures) // 10**6),
                    drivers=", ".join(closure.profile for closure in self.closures),
                )
            )
        steps += [
            M("Take the maker's file {file} for {profile}.", file=file.file, profile=profile)
            for profile, _, file, _ in self.vendor
        ]
        codes = ", ".join(bureau.code for bureau in self.bureaus)
        steps.append(
            M(
                "Take profiles, checklists, and the plan with the dossiers of these bureaus: {codes}.",
                codes=codes,
            )
        )
        steps.append(M("Fetch the revocation lists that the profiles name."))
        steps.append(
            M("Write all of it to {folder}, and sign it with this device's key.", folder=str(self.folder))
        )
        return Plan(
            M("Build an offline kit in {folder}", folder=str(self.folder)),
            steps=tuple(steps),
            keeps=M("An earlier kit in that folder is replaced; nothing else there is touched."),
        )


class BuiltKit(msgspec.Struct, frozen=True):
    """A finished kit. copied: files that were written; the others were there already."""

    manifest: Manifest
    data: bytes
    copied: int
    findings: tuple[Finding, ...]


def prepare(folder: Path, choice: KitChoice, profiles: Profiles, home: Home) -> KitPlan:
    """Check the choice and work out what is to be fetched. Nothing is fetched or written on the stick.

    :raises ChoiceUnknown: there is no such thing. :raises FolderTaken: the folder holds other files.
    """
    wanted = targets.chosen(choice.pythons, choice.platforms)
    bureaus = payload.bureaus(profiles, choice.bureaus)
    tokens = _tokens(choice, profiles, bureaus)
    for path in choice.samples:
        payload.sample(path)
    stick.free(folder)
    closures = debs.closures(tokens, home.path / CACHE / "packages")
    vendor, findings = _vendor(choice, tokens, wanted)
    served = {closure.profile for closure in closures} | {profile for profile, _, _, _ in vendor}
    for token in tokens:
        if token.id not in served:
            message = M("The kit will have no driver for {profile}.", profile=token.id)
            hint = M("Its profile names no packages for this system, and no maker's file with a SHA-256.")
            findings.append(Finding("driver-lacking", "warning", message, hint=hint))
    for name in payload.anchorless(profiles, bureaus):
        message = M("No trust anchor of {authority} is in place, so none goes along.", authority=name)
        hint = M("Put its certificate where its profile says, then build again.")
        findings.append(Finding("anchor-lacking", "warning", message, hint=hint))
    samples = tuple(choice.samples)
    return KitPlan(folder, wanted, bureaus, closures, tuple(vendor), samples, tuple(findings))


def _tokens(choice: KitChoice, profiles: Profiles, bureaus: Sequence[Bureau]) -> list[TokenProfile]:
    names = sorted(set(choice.drivers) or {bureau.token for bureau in bureaus})
    for name in names:
        if name not in profiles.tokens:
            raise ChoiceUnknown(
                M("There is no token profile {profile}.", profile=name),
                hint=M("Those there are: {profiles}.", profiles=", ".join(profiles.tokens)),
            )
    return [profiles.tokens[name] for name in names]


def _vendor(
    choice: KitChoice, tokens: Sequence[TokenProfile], wanted: Sequence[targets.WheelTarget]
) -> tuple[list[tuple[str, str, PackageFile, Path]], list[Finding]]:
    """Makers' files for the systems wanted; only those whose SHA-256 the profile has, and that match it."""
    files: list[tuple[str, str, PackageFile, Path]] = []
    findings: list[Finding] = []
    systems = sorted({wheel_target.platform.partition("-")[0] for wheel_target in wanted})
    for token in tokens:
        for system in systems:
            for file in (file for kind in KINDS[system] for file in getattr(token.driver, kind)):
                path = choice.vendor / file.file if choice.vendor is not None else None
                if not file.sha256 or path is None or not path.is_file():
                    message = M(
                        "The maker's file {file} for {profile} does not go along.",
                        file=file.file,
                        profile=token.id,
                    )
                    hint = M(
                        "It needs its SHA-256 in the profile, and to be in the folder named with --vendor."
                    )
                    findings.append(Finding("vendor-lacking", "info", message, hint=hint))
                elif install.hashed(path)[1] != file.sha256:
                    raise SourceDamaged(
                        M("{file} is not the file that the profile describes.", file=file.file),
                        unchanged=M("The kit was not begun."),
                        hint=M("Get it from its maker again, or examine it and correct the profile."),
                    )
                else:
                    files.append((token.id, system, file, path))
    return files, findings


def build(prepared: KitPlan, profiles: Profiles, home: Home, store: Store, tell: Tell) -> BuiltKit:
    """Fetch, copy and sign; goes on where an earlier run was broken off.

    :raises WheelsUnavailable, NoNetwork, PackageDamaged: something cannot be fetched; the stick is untouched.
    :raises StickFull, StickGone: the stick is full or went away; there is then no manifest on it.
    """
    cache = home.path / CACHE
    make_private_folder(cache)
    log = home.logs / "kit-build.log"
    tell(Progress(M("Making fieldkit's own wheel"), 0, 0))
    wheel = own_wheel.make(cache / "own")
    sources: dict[str, Path] = dict(STICKS_OWN)
    made: list[Target] = []
    pip = ""
    for wanted in prepared.targets:
        paths = [*wheels.fetch(wheel, wanted, cache / "wheels", log, tell), wheel]
        pip = f"wheels/{paths[0].name}"
        sources |= {f"wheels/{path.name}": path for path in paths}
        names = tuple(sorted(f"wheels/{path.name}" for path in paths))
        made.append(Target(wanted.python, wanted.platform, names))
    fetched = debs.fetch(prepared.closures, cache / "packages", log, tell) if prepared.closures else {}
    sources |= {debs.place(name): path for name, path in fetched.items()}
    drivers = list(debs.listed(prepared.closures))
    for profile, system, file, path in prepared.vendor:
        sources[f"packages/{system}/{file.file}"] = path
        place = (f"packages/{system}/{file.file}",)
        drivers.append(DriverFiles(profile, system, file.architecture, place))
    tell(Progress(M("Gathering profiles, checklists, plan and lists"), 0, 0))
    kit_papers = payload.gather(home, profiles, prepared.bureaus, prepared.samples)
    crls, findings = lists.fetch(profiles, {bureau.authority for bureau in prepared.bureaus}, kit_papers)
    sources |= _laid({paper.path: paper for paper in (*kit_papers, *crls)}.values(), cache / "papers")
    manifest = Manifest(
        install.KIND,
        install.FORMAT,
        __version__,
        store.public_key.hex(),
        pip,
        tuple(made),
        tuple(sorted(drivers, key=lambda driver: (driver.profile, driver.system, driver.files))),
        tuple(bureau.code for bureau in prepared.bureaus),
        files_of(sources),
    )
    manifest = _dated(manifest, cache / "made.json")
    copied = stick.fill(prepared.folder, manifest, sources, tell)
    data = stick.seal(prepared.folder, manifest, store.sign, tell)
    keys.remember(home, manifest.key, manifest.made)
    return BuiltKit(manifest, data, copied, (*prepared.findings, *findings))


def _dated(manifest: Manifest, note: Path) -> Manifest:
    """The manifest with the time it was made: of the first kit that was the same in all else."""
    sha256 = hashlib.sha256(encode(manifest)).hexdigest()
    with contextlib.suppress(OSError, ValueError, KeyError):
        before = json.loads(note.read_bytes())
        if before["sha256"] == sha256:
            return msgspec.structs.replace(manifest, made=before["made"])
    made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    stick.write_synced(note, json.dumps({"sha256": sha256, "made": made}).encode())
    return msgspec.structs.replace(manifest, made=made)


def _laid(kit_papers: Iterable[payload.KitPaper], folder: Path) -> dict[str, Path]:
    """Papers as files on this disk, so that all of a kit is copied in one way."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
    places: dict[str, Path] = {}
    for paper in kit_papers:
        _named(paper.path)
        path = folder / paper.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(paper.content)
        places[paper.path] = path
    return places


def files_of(sources: dict[str, Path]) -> tuple[File, ...]:
    """The manifest's rows for files by their path in the kit.

    :raises NameUnfit: a FAT stick cannot keep one, or not beside another.
    """
    folded: dict[str, str] = {}
    files: list[File] = []
    for path in sorted(sources):
        _named(path)
        if folded.setdefault(path.casefold(), path) != path:
            raise NameUnfit(
                M("{one} and {two} are one name on a FAT stick.", one=folded[path.casefold()], two=path),
                hint=M("Rename one of them."),
            )
        size, sha256 = install.hashed(Path(os.path.realpath(sources[path])))
        if size > FAT_LARGEST:
            raise NameUnfit(M("{name} is too large for a FAT stick.", name=path))
        files.append(File(path, size, sha256))
    return tuple(files)


def _named(path: str) -> None:
    if not install.fits(path):
        raise NameUnfit(
            M("{name} is no name that a FAT stick can keep.", name=path),
            unchanged=M("The kit was not begun."),
            hint=M(
                'Rename the file: none of < > : " | ? * \\, no dot or space at the end, no CON, NUL, COM1 …'
            ),
        )

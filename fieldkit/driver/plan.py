"""From a token's profile to the exact commands that install its driver on this machine. Runs only queries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from fieldkit.driver import apt, files, macos, prove, rights, rpm, services, windows
from fieldkit.driver.ask import SystemQuery, ask
from fieldkit.driver.detect import disturbing
from fieldkit.driver.errors import NoDriver, PackageForeign, PackageUnknown
from fieldkit.driver.methods import InstallMethod, chosen, places
from fieldkit.driver.steps import CopiedFile, DebFile, DriverPlan, Package, Step
from fieldkit.finding import Finding
from fieldkit.profile.driver import Apt, PackageFile
from fieldkit.profile.model import TokenProfile
from fieldkit.text import M

__all__ = ["chosen", "from_maker", "places", "plan"]


def plan(
    profile: TokenProfile,
    paths: Sequence[Path] = (),
    *,
    folder: Path | None = None,
    prefix: rights.Prefix | None = None,
) -> DriverPlan:
    """What installing the driver of `profile` would do here.

    given: files of a kit, verified by the caller; given any, nothing comes from a network. folder:
    in the home, where they are copied to before they are run; those in the home already, and all
    without it, are used where they are. prefix: what gives rights; found out where it is not given.
    """
    way = chosen(profile)
    if way is None:
        raise NoDriver(
            M("The profile {profile} has no driver to install on this system.", profile=profile.id),
            unchanged=M("Nothing was installed."),
            hint=M("Install it by hand as its maker says, then name its module with --module."),
            modules=list(places(profile)),
        )
    asleep = services.asleep(profile.driver.services)
    if way.apt is not None:
        made = _from_packages(profile, way.apt, paths, folder, prefix, asleep)
    elif _works(way):
        made = _started(profile, way, asleep, prefix)
    else:
        made = from_maker(profile, way, paths, folder, prefix=prefix)
    if not made.wanted:
        return made
    return msgspec.structs.replace(made, warnings=(*made.warnings, *disturbing(profile)))


def from_maker(
    profile: TokenProfile,
    way: InstallMethod,
    paths: Sequence[Path],
    folder: Path | None,
    *,
    prefix: rights.Prefix | None = None,
    answer: SystemQuery = ask,
) -> DriverPlan:
    """What installing from the maker's file of `way` would do; the file's SHA-256 is compared first."""
    file = way.file
    assert file is not None
    copy = files.take(file, paths, folder)
    warned: Finding | None = None
    entry = rights.prefix() if prefix is None else prefix
    new: tuple[Package, ...] = ()
    undoing: tuple[Step, ...] = ()
    if way.kind in ("msi", "exe"):
        warned = windows.check_publisher(file, copy.source, answer)
        undoing = windows.undoing(file, copy.source, way.kind, answer)
        step = windows.install_step(file, copy.target, way.kind)
        by_hand = windows.install_step(file, copy.source, way.kind)
    elif way.kind == "pkg":
        warned = macos.check_publisher(file, copy.source, answer)
        undoing = macos.undoing(file, entry or ())
        step = macos.install_step(entry or (), copy.target)
        by_hand = macos.install_step(("sudo",), copy.source)
    elif way.kind == "rpm":
        new = (rpm.header(copy.source, answer),)
        step = rpm.install_step(entry or (), copy.target)
        by_hand = rpm.install_step(("sudo",), copy.source)
    else:
        return _from_deb(profile, file, copy, entry)
    start = services.start_steps(entry or (), profile.driver.services)
    if file.publisher and way.kind == "rpm":
        warned = _unsigned(file)
    return DriverPlan(
        profile.id,
        profile.title,
        way.kind,
        new=new,
        wanted=(str(copy.target),),
        copies=(copy,),
        steps=(step, *start),
        rights=entry is not None,
        by_hand=(by_hand.command, *services.by_hand(profile.driver.services)),
        file=file,
        undoing=undoing,
        warnings=(warned,) if warned is not None else (),
    )


def _from_deb(
    profile: TokenProfile, file: PackageFile, copy: CopiedFile, entry: rights.Prefix | None
) -> DriverPlan:
    """A maker's .deb: apt brings what else it needs from this machine's sources."""
    changes = apt.changes((), files=[copy.source])
    message = M("Install {file}.", file=file.file)
    finish = apt.interrupted()
    steps = [apt.finish_step(entry or ())] if finish else []
    steps.append(apt.install_step(entry or (), (), message, files=[copy.target]))
    return DriverPlan(
        profile.id,
        profile.title,
        "deb",
        new=changes.new,
        changed=changes.upgraded,
        wanted=(str(copy.target.absolute()),),
        copies=(copy,),
        steps=(*steps, *services.start_steps(entry or (), profile.driver.services)),
        rights=entry is not None,
        download=changes.download,
        by_hand=(
            *apt.by_hand([str(copy.source.absolute())], finish=finish),
            *services.by_hand(profile.driver.services),
        ),
        file=file,
        warnings=(_unsigned(file),) if file.publisher else (),
    )


def _unsigned(file: PackageFile) -> Finding:
    return Finding(
        "driver-publisher",
        "not-checked",
        M("Who published {file} could not be checked; its SHA-256 is right.", file=file.file),
    )


def _works(way: InstallMethod) -> bool:
    """The module of the way is here, fits, and on Windows its provider is registered."""
    seen = prove.examine(way.module)
    here = seen is not None and seen.severity == "pass"
    if here and way.kind in ("msi", "exe") and way.file is not None and way.file.provider:
        return way.file.provider in windows.providers(64)
    return here


def _started(
    profile: TokenProfile, way: InstallMethod, asleep: tuple[str, ...], prefix: rights.Prefix | None
) -> DriverPlan:
    """The driver is here; only its services may have to be started."""
    here = (Package(way.module),)
    if not asleep:
        return DriverPlan(profile.id, profile.title, way.kind, present=here)
    entry = rights.prefix() if prefix is None else prefix
    return DriverPlan(
        profile.id,
        profile.title,
        way.kind,
        present=here,
        steps=services.start_steps(entry or (), asleep),
        rights=entry is not None,
        by_hand=services.by_hand(asleep),
    )


def _from_packages(
    profile: TokenProfile,
    way: Apt,
    paths: Sequence[Path],
    folder: Path | None,
    prefix: rights.Prefix | None,
    asleep: tuple[str, ...],
) -> DriverPlan:
    have = {
        name: version
        for name, version in apt.installed(way.packages).items()
        if name not in way.least or apt.at_least(version, way.least[name])
    }
    present = tuple(Package(name, have[name]) for name in way.packages if name in have)
    missing = tuple(name for name in way.packages if name not in have)
    if not missing and not asleep:
        return DriverPlan(profile.id, profile.title, present=present)
    entry = rights.prefix() if prefix is None else prefix
    start = services.start_steps(entry or (), profile.driver.services if missing else asleep)
    if not missing:
        by_hand = services.by_hand(asleep)
        return DriverPlan(
            profile.id, profile.title, present=present, steps=start, rights=entry is not None, by_hand=by_hand
        )
    if paths:
        return _from_kit(profile, present, missing, paths, folder, entry, start)
    return _from_network(profile, present, missing, entry, start)


def _from_network(
    profile: TokenProfile,
    present: tuple[Package, ...],
    missing: Sequence[str],
    way: rights.Prefix | None,
    start: tuple[Step, ...],
) -> DriverPlan:
    refresh = apt.lists_empty()
    changes = apt.PackageChanges()
    if not refresh:
        try:
            changes = apt.changes(missing)
        except PackageUnknown:  # newer lists may know it
            refresh = True
    finish = apt.interrupted()
    prefix = way or ()
    steps = [apt.finish_step(prefix)] if finish else []
    if refresh:
        steps.append(apt.refresh_step(prefix))
    message = M("Install {packages} from this machine's package sources.", packages=", ".join(missing))
    steps.append(apt.install_step(prefix, missing, message))
    return DriverPlan(
        profile.id,
        profile.title,
        present=present,
        new=changes.new,
        changed=changes.upgraded,
        wanted=tuple(missing),
        steps=(*steps, *start),
        rights=way is not None,
        download=changes.download,
        by_hand=(
            *apt.by_hand(missing, finish=finish, refresh=refresh),
            *services.by_hand(profile.driver.services),
        ),
    )


def _from_kit(
    profile: TokenProfile,
    present: tuple[Package, ...],
    missing: Sequence[str],
    paths: Sequence[Path],
    folder: Path | None,
    way: rights.Prefix | None,
    start: tuple[Step, ...],
) -> DriverPlan:
    fitting = _fitting([apt.header(path) for path in paths if path.suffix == ".deb"], missing)
    # apt chooses: a kit holds what a machine with nothing needs, and only what is lacking is to be added
    sources = [f"--with-source={file.path.absolute()}" for _, file in sorted(fitting.items())]
    changes = apt.changes(missing, *apt.FILES_ONLY, *sources)
    chosen_here = {package.name for package in (*changes.new, *changes.upgraded)}
    wanted = [file for name, file in sorted(fitting.items()) if name in chosen_here]
    copies = tuple(files.known(file.path.absolute(), folder) for file in wanted)
    targets = [copy.target for copy in copies]
    finish = apt.interrupted()
    prefix = way or ()
    message = M("Install {packages} from the kit.", packages=", ".join(missing))
    steps: list[Step] = [apt.finish_step(prefix)] if finish else []
    steps.append(apt.install_step(prefix, (), message, *apt.FILES_ONLY, files=targets))
    return DriverPlan(
        profile.id,
        profile.title,
        present=present,
        new=changes.new,
        changed=changes.upgraded,
        wanted=tuple(map(str, targets)),
        copies=copies,
        steps=(*steps, *start),
        rights=way is not None,
        by_hand=(
            *apt.by_hand([str(copy.source) for copy in copies], finish=finish),
            *services.by_hand(profile.driver.services),
        ),
    )


def _fitting(deb_files: Sequence[DebFile], missing: Sequence[str]) -> dict[str, DebFile]:
    """Name to file of the kit's packages for this machine; raises where one that is needed is not there."""
    here = apt.architecture()
    fitting = {file.name: file for file in deb_files if file.architecture in (here, "all")}
    for name in missing:
        if name in fitting:
            continue
        other = next((file.architecture for file in deb_files if file.name == name), None)
        if other is not None:
            raise PackageForeign(
                M(
                    "The kit has {package} for {other} machines only; this one is {here}.",
                    package=name,
                    other=other,
                    here=here,
                ),
                unchanged=M("Nothing was installed."),
                hint=M("Build the kit for this machine's architecture as well."),
            )
        raise PackageUnknown(
            M("The kit does not have the package {package}.", package=name),
            unchanged=M("Nothing was installed."),
            hint=M("Build the kit again with this token's profile, or install from the network."),
        )
    return fitting

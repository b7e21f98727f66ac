"""From a token's profile to the exact commands that install its driver on this machine. Runs only queries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from fieldkit.driver import apt, files, prove, rights, services
from fieldkit.driver.detect import disturbing
from fieldkit.driver.errors import NoDriver, PackageForeign, PackageUnknown
from fieldkit.driver.installer import DriverInstaller
from fieldkit.driver.methods import INSTALLERS, InstallMethod, chosen, kinds, places
from fieldkit.driver.steps import DebFile, DriverPlan, Package, PackageChanges, Step
from fieldkit.profile.driver import Apt
from fieldkit.profile.model import TokenProfile
from fieldkit.text import M


def plan(
    profile: TokenProfile,
    paths: Sequence[Path] = (),
    *,
    folder: Path | None = None,
    prefix: rights.Prefix | None = None,
) -> DriverPlan:
    """What installing the driver of `profile` would do here.

    paths: files of a kit, verified by the caller; given any, nothing comes from a network. folder:
    in the home, where they are copied to before they are run; those in the home already, and all
    without it, are used where they are. prefix: what gives rights; found out where it is not given.
    """
    way = chosen(profile)
    if way is None:
        by_hand = next(filter(_usable, places(profile)), None)
        if by_hand is not None:
            return DriverPlan(profile.id, profile.title, next(iter(kinds()), "apt"), (Package(by_hand),))
        raise NoDriver(
            M("The profile {profile} has no driver to install on this system.", profile=profile.id),
            unchanged=M("Nothing was installed."),
            hint=M("Install it by hand as its maker says, then name its module with --module."),
            modules=list(places(profile)),
        )
    units = profile.driver.services
    asleep = services.asleep(units)
    present, missing = _present(way.apt) if way.apt is not None else _module(way)
    made = DriverPlan(profile.id, profile.title, way.kind, present=present)
    if not missing and not asleep:
        return made
    made = msgspec.structs.replace(made, prefix=rights.prefix() if prefix is None else prefix)
    if not missing:  # only services have to be started
        return msgspec.structs.replace(
            made,
            steps=services.start_steps(made.prefix or (), asleep),
            by_hand=services.by_hand(asleep),
        )
    if way.apt is None:
        made = from_maker(made, way, paths, folder)
    elif paths:
        made = _from_kit(made, missing, paths, folder)
    else:
        made = _from_network(made, missing)
    return msgspec.structs.replace(
        made,
        steps=(*made.steps, *services.start_steps(made.prefix or (), units)),
        by_hand=(*made.by_hand, *services.by_hand(units)),
        warnings=(*made.warnings, *disturbing(profile)),
    )


def from_maker(
    made: DriverPlan,
    way: InstallMethod,
    paths: Sequence[Path],
    folder: Path | None,
    installer: DriverInstaller | None = None,
) -> DriverPlan:
    """`made`, with what installing from the maker's file of `way` would do; its SHA-256 is compared first."""
    file = way.file
    assert file is not None
    installer = installer or INSTALLERS[way.kind]
    copy = files.copy_verified(file, paths, folder)
    warned = installer.check_publisher(file, copy.source)
    prefix = made.prefix or ()
    return msgspec.structs.replace(
        _changed(made, installer.changes(copy.source)),
        wanted=(str(copy.target),),
        copies=(copy,),
        steps=installer.steps(file, copy.target, prefix),
        by_hand=installer.by_hand(file, copy.source),
        file=file,
        undoing=installer.undoing(file, copy.source, prefix),
        removes_new=installer.removes_new,
        warnings=(warned,) if warned is not None else (),
    )


def _changed(made: DriverPlan, changes: PackageChanges) -> DriverPlan:
    return msgspec.structs.replace(made, new=changes.new, changed=changes.upgraded, download=changes.download)


def _module(way: InstallMethod) -> tuple[tuple[Package, ...], tuple[str, ...]]:
    """The module of a maker's file, as what is here already, or as what is missing."""
    module = way.source.module
    if _usable(module) and way.file is not None and INSTALLERS[way.kind].registered(way.file):
        return (Package(module),), ()
    return (), (module,)


def _usable(module: str) -> bool:
    finding = prove.examine(module)
    return finding is not None and finding.severity == "pass"


def _present(way: Apt) -> tuple[tuple[Package, ...], tuple[str, ...]]:
    """The packages that are here already and new enough, and the names of those that are missing."""
    have = {
        name: version
        for name, version in apt.installed(way.packages).items()
        if name not in way.least or apt.at_least(version, way.least[name])
    }
    present = tuple(Package(name, have[name]) for name in way.packages if name in have)
    return present, tuple(name for name in way.packages if name not in have)


def _from_network(made: DriverPlan, missing: Sequence[str]) -> DriverPlan:
    prefix = made.prefix or ()
    refresh = apt.lists_empty()
    changes = PackageChanges()
    if not refresh:
        try:
            changes = apt.changes(missing)
        except PackageUnknown:  # newer lists may know it
            refresh = True
    fetch: tuple[Step, ...] = (apt.refresh_step(prefix),) if refresh else ()
    message = M("Install {packages} from this machine's package sources.", packages=", ".join(missing))
    return msgspec.structs.replace(
        _changed(made, changes),
        wanted=tuple(missing),
        steps=(*apt.finish_steps(prefix), *fetch, apt.install_step(prefix, missing, message)),
        by_hand=apt.by_hand(missing, refresh=refresh),
    )


def _from_kit(
    made: DriverPlan, missing: Sequence[str], paths: Sequence[Path], folder: Path | None
) -> DriverPlan:
    fitting = _fitting([apt.header(path) for path in paths if path.suffix == ".deb"], missing)
    # apt chooses: a kit holds what a machine with nothing needs, and only what is lacking is to be added
    sources = [f"--with-source={file.path.absolute()}" for _, file in sorted(fitting.items())]
    changes = apt.changes(missing, *apt.FILES_ONLY, *sources)
    lacking = {package.name for package in (*changes.new, *changes.upgraded)}
    wanted = [file for name, file in sorted(fitting.items()) if name in lacking]
    copies = tuple(files.known(file.path.absolute(), folder) for file in wanted)
    targets = [copy.target for copy in copies]
    prefix = made.prefix or ()
    message = M("Install {packages} from the kit.", packages=", ".join(missing))
    step = apt.install_step(prefix, (), message, *apt.FILES_ONLY, files=targets)
    return msgspec.structs.replace(
        _changed(made, changes),
        wanted=tuple(map(str, targets)),
        copies=copies,
        steps=(*apt.finish_steps(prefix), step),
        by_hand=apt.by_hand([str(copy.source) for copy in copies]),
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

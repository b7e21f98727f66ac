"""From a token's profile to the exact commands that install its driver on this machine. Runs only queries."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from fieldkit.driver import apt, distribution, rights, services
from fieldkit.driver.errors import NoDriver, PackageForeign, PackageUnknown
from fieldkit.driver.steps import DebFile, DriverPlan, Package, Step
from fieldkit.profile.driver import Apt
from fieldkit.profile.model import TokenProfile
from fieldkit.text import M


def plan(
    profile: TokenProfile, files: Sequence[Path] = (), *, prefix: rights.Prefix | None = None
) -> DriverPlan:
    """What installing the driver of `profile` would do here.

    files: package files from a kit, verified by the caller; given any, nothing comes from a network.
    prefix: what gives rights; found out where it is not given.
    """
    way = chosen(profile)
    if way is None:
        raise NoDriver(
            M("The profile {profile} has no driver to install on this system.", profile=profile.id),
            unchanged=M("Nothing was installed."),
            hint=M("Install it by hand as its maker says, then name its module with --module."),
            modules=list(places(profile)),
        )
    have = {
        name: version
        for name, version in apt.installed(way.packages).items()
        if name not in way.least or apt.at_least(version, way.least[name])
    }
    present = tuple(Package(name, have[name]) for name in way.packages if name in have)
    missing = tuple(name for name in way.packages if name not in have)
    asleep = services.asleep(profile.driver.services)
    if not missing and not asleep:
        return DriverPlan(profile.id, profile.title, present=present)
    entry = rights.prefix() if prefix is None else prefix
    start = services.start_steps(entry or (), profile.driver.services if missing else asleep)
    if not missing:
        by_hand = services.by_hand(asleep)
        return DriverPlan(
            profile.id, profile.title, present=present, steps=start, rights=entry is not None, by_hand=by_hand
        )
    if files:
        return _from_files(profile, present, missing, [apt.header(path) for path in files], entry, start)
    return _from_network(profile, present, missing, entry, start)


def chosen(profile: TokenProfile) -> Apt | None:
    """The profile's way for this distribution; None where it has none, or this machine has no apt."""
    if not sys.platform.startswith("linux") or not apt.available():
        return None
    family = set(distribution.family())
    ways = (way for way in profile.driver.apt if not way.distributions or family & set(way.distributions))
    return next(ways, None)


def places(profile: TokenProfile) -> tuple[str, ...]:
    """Where the profile's PKCS#11 module may be on this system, the best place first."""
    way = chosen(profile)
    proving = (way.module,) if way is not None else ()
    return tuple(dict.fromkeys((*proving, *(module.path for module in profile.modules_of()))))


def _from_network(
    profile: TokenProfile,
    present: tuple[Package, ...],
    missing: Sequence[str],
    way: rights.Prefix | None,
    start: tuple[Step, ...],
) -> DriverPlan:
    refresh = apt.lists_empty()
    changes = apt.Changes()
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
    said = M("Install {packages} from this machine's package sources.", packages=", ".join(missing))
    steps.append(apt.install_step(prefix, missing, said))
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


def _from_files(
    profile: TokenProfile,
    present: tuple[Package, ...],
    missing: Sequence[str],
    files: Sequence[DebFile],
    way: rights.Prefix | None,
    start: tuple[Step, ...],
) -> DriverPlan:
    here = apt.architecture()
    fitting = {file.name: file for file in files if file.architecture in (here, "all")}
    for name in missing:
        if name in fitting:
            continue
        other = next((file.architecture for file in files if file.name == name), None)
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
    have = apt.installed(fitting)
    wanted = [file for name, file in sorted(fitting.items()) if name not in have]  # those here are left alone
    paths = [str(file.path.absolute()) for file in wanted]
    changes = apt.changes(paths)
    finish = apt.interrupted()
    prefix = way or ()
    said = M("Install {packages} from the kit.", packages=", ".join(missing))
    steps: list[Step] = [apt.finish_step(prefix)] if finish else []
    steps.append(apt.install_step(prefix, paths, said))
    return DriverPlan(
        profile.id,
        profile.title,
        present=present,
        new=changes.new,
        changed=changes.upgraded,
        wanted=tuple(paths),
        steps=(*steps, *start),
        rights=way is not None,
        by_hand=(*apt.by_hand(paths, finish=finish), *services.by_hand(profile.driver.services)),
    )

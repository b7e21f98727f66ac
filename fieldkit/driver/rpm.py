"""Makers' .rpm files on a Linux with rpm: what is in them, installing them, taking them away again.

rpm fetches nothing: what a package needs has to be there, or is named as missing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from threading import Event

from fieldkit.driver import run
from fieldkit.driver.ask import SystemQuery, ask
from fieldkit.driver.errors import (
    DependenciesUnmet,
    InstallerBusy,
    InstallFailed,
    NoRights,
    NoSpace,
    PackageDamaged,
    PackageForeign,
)
from fieldkit.driver.steps import DriverPlan, Package, Step, Tell
from fieldkit.errors import Cancelled, FieldkitError
from fieldkit.operator import Progress
from fieldkit.text import M

SURROUNDINGS = ("env", "LANGUAGE=", "LC_ALL=C.UTF-8")
SHAPE = r"%{NAME}\t%{VERSION}-%{RELEASE}\t%{ARCH}\n"


def header(path: Path, answer: SystemQuery = ask) -> Package:
    """The package in the file `path`."""
    found = answer(
        (*SURROUNDINGS, "rpm", "--query", "--package", "--nosignature", f"--qf={SHAPE}", "--", str(path))
    )
    fields = found.out.strip().split("\t")
    if found.status or len(fields) != 3:
        raise PackageDamaged(
            M("{file} is not an RPM package, or it is damaged.", file=path.name),
            unchanged=M("Nothing was installed."),
            hint=M("Get the file again, and check it against its hash."),
            detail=found.err.strip(),
        )
    return Package(fields[0], fields[1])


def installed(names: Sequence[str], answer: SystemQuery = ask) -> dict[str, str]:
    """Name to version of those of `names` that are installed."""
    found = answer((*SURROUNDINGS, "rpm", "--query", f"--qf={SHAPE}", "--", *names)) if names else None
    rows = [line.split("\t") for line in found.out.splitlines()] if found is not None else []
    return {row[0]: row[1] for row in rows if len(row) == 3}


def owner(path: str, answer: SystemQuery = ask) -> Package | None:
    """The package that brought the file at `path`."""
    found = answer((*SURROUNDINGS, "rpm", "--query", f"--qf={SHAPE}", "--file", "--", path))
    fields = found.out.strip().split("\t")
    return Package(fields[0], fields[1]) if not found.status and len(fields) == 3 else None


def install_step(prefix: Sequence[str], path: Path) -> Step:
    """The step that installs the package in the file `path`."""
    return Step(
        M("Install {file}.", file=path.name),
        (*prefix, *SURROUNDINGS, "rpm", "--upgrade", "--percent", "--", str(path)),
        installs=True,
    )


def expected(plan: DriverPlan) -> tuple[str, ...]:
    """The packages that carrying out `plan` would touch."""
    return tuple(package.name for package in (*plan.new, *plan.changed))


def traces(names: Collection[str], answer: SystemQuery = ask) -> dict[str, str]:
    """Name to version of those of `names` that are on this machine."""
    return installed(sorted(names), answer)


def settings_of(names: Collection[str]) -> set[str]:
    """Nothing: rpm keeps settings beside the file's own, and takes no old ones away."""
    return set()


def removal(plan: DriverPlan, added: Mapping[str, str], keeping: Collection[str] = ()) -> tuple[Step, ...]:
    """The step that takes the packages `added` away again."""
    argv = next(step.argv for step in plan.steps if step.installs)
    prefix = argv[: argv.index(SURROUNDINGS[0])]
    return (Step(M("Remove again what was new."), (*prefix, *SURROUNDINGS, "rpm", "--erase", "--", *added)),)


def carry_out(step: Step, log: Path, tell: Tell | None = None, stop: Event | None = None) -> bool:
    """Run an rpm step to its end, never broken off; raise what went wrong. False: no restart is needed."""
    lines: list[str] = []

    def hear(line: str) -> None:
        share = re.fullmatch(r"%%\s+([\d.]+)", line.strip())
        if share is None:
            lines.append(line)
        elif tell is not None:
            tell(Progress(step.said, min(round(float(share[1])), 100), 100))

    status = run.run(step.argv, log, heard=hear)
    if stop is not None and stop.is_set():
        raise Cancelled(M("The installation was broken off."), hint=M("Run it again to go on."))
    if status and step.required:
        raise recognise(lines)
    return False


def recognise(lines: Sequence[str]) -> FieldkitError:
    """The error that the output `lines` of rpm (in English) tell of."""
    text = "\n".join(lines)
    detail = "\n".join(line.strip() for line in lines[-8:])
    for pattern, kind, message, hint in _KNOWN:
        if found := re.search(pattern, text, re.MULTILINE):
            said = M(message.text, **found.groupdict())
            return kind(said, hint=hint, detail=detail)
    return InstallFailed(
        M("The installation failed."), hint=M("Read the log, or send it to head office."), detail=detail
    )


_KNOWN = (
    (
        r"^\s+(?P<package>\S+).* is needed by ",
        DependenciesUnmet,
        M("The driver needs {package}, which is not on this machine."),
        M("Install it with this system's own means (dnf, zypper), then run this again."),
    ),
    (
        r"installing package \S+ needs \S+ (?:more space |inodes |more inodes )?on|No space left on device",
        NoSpace,
        M("There is not enough space on the disk."),
        M("Make room on the disk of fieldkit's folder, then run this again."),
    ),
    (
        r"is intended for a different architecture|is for a different architecture",
        PackageForeign,
        M("The package is for another kind of machine."),
        M("Take the package for this machine's architecture."),
    ),
    (
        r"(?i)permission denied|operation not permitted",
        NoRights,
        M("Installing needs an administrator's rights, and this account has none."),
        M("Have an administrator run the commands shown, then run this again."),
    ),
    (
        r"can't create transaction lock|waiting for transaction lock",
        InstallerBusy,
        M("Another program is installing packages."),
        M("Wait until it has finished, then run this again."),
    ),
    (
        r"not an rpm package|digest.*BAD|cpio: |unpacking of archive failed|payload",
        PackageDamaged,
        M("The package file is damaged."),
        M("Get the file again, and check it against its hash."),
    ),
)

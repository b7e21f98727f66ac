"""Makers' .rpm files on a Linux with rpm: what is in them, installing them, taking them away again.

rpm fetches nothing: what a package needs has to be there, or is named as missing.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from fieldkit.driver import apt
from fieldkit.driver.ask import Answer
from fieldkit.driver.errors import DependenciesUnmet, PackageDamaged
from fieldkit.driver.installer import BUSY, DAMAGED, FOREIGN, RIGHTS, SPACE, Cause, DriverInstaller, percent
from fieldkit.driver.steps import DriverPlan, Package, PackageChanges, Step
from fieldkit.operator import Progress
from fieldkit.profile.driver import PackageFile
from fieldkit.text import M

RPM = ("env", "LANGUAGE=", "LC_ALL=C.UTF-8", "rpm")
QUERY = (*RPM, "--query", r"--qf=%{NAME}\t%{VERSION}-%{RELEASE}\t%{ARCH}\n")


class RpmInstaller(DriverInstaller):
    """Installs a maker's .rpm where there is no apt."""

    complaints: Mapping[str, Cause] = {
        r"^(?P<package>\S+).* is needed by ": Cause(
            DependenciesUnmet,
            M("The driver needs {package}, which is not on this machine."),
            M("Install it with this system's own means (dnf, zypper), then run this again."),
        ),
        (
            r"installing package \S+ needs \S+ (?:more space |inodes |more inodes )?on"
            r"|No space left on device"
        ): SPACE,
        r"is intended for a different architecture|is for a different architecture": FOREIGN,
        r"(?i)permission denied|operation not permitted": RIGHTS,
        r"can't create transaction lock|waiting for transaction lock": BUSY,
        r"not an rpm package|digest.*BAD|cpio: |unpacking of archive failed|payload": DAMAGED,
    }

    def available(self) -> bool:
        linux = sys.platform.startswith("linux")
        return linux and not apt.available() and shutil.which("rpm") is not None

    def owner(self, path: str) -> Package | None:
        return next(iter(_packages(self.query((*QUERY, "--file", "--", path)))), None)

    def installed(self, names: Collection[str]) -> dict[str, str]:
        packages = _packages(self.query((*QUERY, "--", *sorted(names)))) if names else []
        return {package.name: package.version for package in packages}

    def changes(self, path: Path) -> PackageChanges:
        answer = self.query((*QUERY, "--package", "--nosignature", "--", str(path)))
        packages = _packages(answer)
        if answer.status or len(packages) != 1:
            raise PackageDamaged(
                M("{file} is not an RPM package, or it is damaged.", file=path.name),
                unchanged=M("Nothing was installed."),
                hint=M("Get the file again, and check it against its hash."),
                detail=answer.err.strip(),
            )
        return PackageChanges(new=tuple(packages))

    def steps(self, file: PackageFile, path: Path, prefix: Sequence[str]) -> tuple[Step, ...]:
        argv = (*prefix, *RPM, "--upgrade", "--percent", "--", str(path))
        return (Step(M("Install {file}.", file=path.name), argv, installs=True),)

    def progress(self, step: Step, line: str) -> Progress | None:
        return percent(step, re.fullmatch(r"%%\s+([\d.]+)", line.strip()))

    def expected(self, plan: DriverPlan) -> tuple[str, ...]:
        return tuple(package.name for package in (*plan.new, *plan.changed))

    def traces(self, names: Collection[str]) -> dict[str, str]:
        return self.installed(names)

    def removal(
        self, plan: DriverPlan, added: Mapping[str, str], keeping: Collection[str] = ()
    ) -> tuple[Step, ...]:
        """Its settings it keeps beside the file's own, and takes no old ones away."""
        argv = (*(plan.prefix or ()), *RPM, "--erase", "--", *added)
        return (Step(M("Remove again what was new."), argv),)


def _packages(answer: Answer) -> list[Package]:
    rows = (line.split("\t") for line in answer.out.splitlines())
    return [Package(row[0], row[1]) for row in rows if len(row) == 3]

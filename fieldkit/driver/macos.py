"""Makers' .pkg files on macOS: who signed them, installing them, taking them away again.

`installer` may exit with 0 though it failed: what it says counts. Nothing here was run on a Mac yet: see
docs/drivers.md.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from fieldkit.driver.installer import (
    DAMAGED,
    RIGHTS,
    SPACE,
    Cause,
    DriverInstaller,
    compare_publisher,
    percent,
)
from fieldkit.driver.steps import DriverPlan, Package, Step
from fieldkit.finding import Finding
from fieldkit.operator import Progress
from fieldkit.profile.driver import PackageFile
from fieldkit.text import M

TRUSTED = ("signed by a developer certificate issued by Apple", "signed by a certificate trusted by")


class PkgInstaller(DriverInstaller):
    """Runs Apple's `installer`."""

    removes_new = False
    complaints: Mapping[str, Cause] = {
        r"(?i)must be run as root": RIGHTS,
        r"(?i)not enough (?:free )?(?:disk )?space|requires \S+ .*of space|No space left": SPACE,
        (
            r"(?i)the package path specified was invalid|could not be opened|damaged"
            r"|Error - can't open package"
        ): DAMAGED,
    }

    def available(self) -> bool:
        return sys.platform == "darwin"

    def owner(self, path: str) -> Package | None:
        receipt = self.query(("pkgutil", "--file-info", path)).out
        name = re.search(r"^pkgid: (\S+)$", receipt, re.MULTILINE)
        version = re.search(r"^pkg-version: (\S+)$", receipt, re.MULTILINE)
        return Package(name[1], version[1] if version else "") if name else None

    def packages(self) -> tuple[str, ...]:
        """The ids of the packages that macOS keeps receipts of."""
        return tuple(self.query(("pkgutil", "--pkgs")).out.split())

    def check_publisher(self, file: PackageFile, path: Path) -> Finding | None:
        """None where all is well or no publisher is named."""
        if not file.publisher:
            return None
        signature = self.query(("pkgutil", "--check-signature", str(path))).out
        status = re.search(r"^\s*Status: (.+)$", signature, re.MULTILINE)
        signer = re.search(r"^\s*1\. Developer ID Installer: (.+?)(?: \(\w+\))?$", signature, re.MULTILINE)
        good = status is not None and status[1].startswith(TRUSTED)
        detail = " ".join(match[1] for match in (status, signer) if match)
        compare_publisher(file, (signer[1],) if good and signer else (), detail)
        return None

    def steps(self, file: PackageFile, path: Path, prefix: Sequence[str]) -> tuple[Step, ...]:
        argv = (*prefix, "installer", "-verboseR", "-pkg", str(path), "-target", "/")
        return (Step(M("Install {file}.", file=path.name), argv, installs=True),)

    def undoing(self, file: PackageFile, path: Path, prefix: Sequence[str]) -> tuple[Step, ...]:
        """The profile's own command: macOS itself removes no package."""
        return (Step(M("Remove again what was new."), (*prefix, *file.removal)),) if file.removal else ()

    def progress(self, step: Step, line: str) -> Progress | None:
        return percent(step, re.match(r"installer:%([\d.]+)", line.strip()))

    def judge(self, step: Step, status: int, lines: Collection[str]) -> bool:
        text = "\n".join(lines)
        success = re.search(r"install(?:ed|) .*successful|upgrade was successful", text)
        super().judge(step, status or (step.installs and not success), lines)
        return "restart" in text.lower() and "required" in text.lower()

    def traces(self, names: Collection[str]) -> dict[str, str]:
        files = {name: "file" for name in names if Path(name).exists()}
        return files | dict.fromkeys(self.packages(), "receipt")

    def removal(
        self, plan: DriverPlan, added: Mapping[str, str], keeping: Collection[str] = ()
    ) -> tuple[Step, ...]:
        """The step that the plan showed, where the module was not here before, and forgetting the receipt of
        the package that brought the module; receipts of other packages that are new stay."""
        if plan.file is None or plan.file.module not in added or not plan.undoing:
            return ()
        package = self.owner(plan.file.module)
        if package is None or added.get(package.name) != "receipt":
            return plan.undoing
        argv = (*(plan.prefix or ()), "pkgutil", "--forget", package.name)
        return (*plan.undoing, Step(M("Remove again what was new."), argv))

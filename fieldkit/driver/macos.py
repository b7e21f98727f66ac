"""Makers' .pkg files on macOS: who signed them, installing them, taking them away again.

`installer` may exit with 0 though it failed: what it says counts. Nothing here was run on a Mac yet: see
docs/drivers.md.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from threading import Event

from fieldkit.driver import run
from fieldkit.driver.ask import SystemQuery, ask
from fieldkit.driver.errors import InstallFailed, NoRights, NoSpace, PackageDamaged, PublisherWrong
from fieldkit.driver.steps import DriverPlan, Step, Tell
from fieldkit.errors import Cancelled, FieldkitError
from fieldkit.finding import Finding
from fieldkit.operator import Progress
from fieldkit.profile.driver import PackageFile
from fieldkit.text import M

TRUSTED = ("signed by a developer certificate issued by Apple", "signed by a certificate trusted by")


def packages(answer: SystemQuery = ask) -> tuple[str, ...]:
    """The ids of the packages that macOS keeps receipts of."""
    return tuple(answer(("pkgutil", "--pkgs")).out.split())


def owner(path: str, answer: SystemQuery = ask) -> tuple[str, str]:
    """The package that brought the file at `path`, and its version; both "" where none did."""
    said = answer(("pkgutil", "--file-info", path)).out
    name = re.search(r"^pkgid: (\S+)$", said, re.MULTILINE)
    told = re.search(r"^pkg-version: (\S+)$", said, re.MULTILINE)
    return (name[1] if name else "", told[1] if told else "")


def check_publisher(file: PackageFile, path: Path, answer: SystemQuery = ask) -> Finding | None:
    """Raise where somebody else signed the file, or nobody; None where all is well or none is named."""
    if not file.publisher:
        return None
    said = answer(("pkgutil", "--check-signature", str(path))).out
    status = re.search(r"^\s*Status: (.+)$", said, re.MULTILINE)
    signer = re.search(r"^\s*1\. Developer ID Installer: (.+?)(?: \(\w+\))?$", said, re.MULTILINE)
    good = status is not None and status[1].startswith(TRUSTED)
    if good and signer and re.match(rf"{re.escape(file.publisher)}(?!\w)", signer[1], re.IGNORECASE):
        return None
    raise PublisherWrong(
        M("{file} is not signed by {publisher}; it is not run.", file=file.file, publisher=file.publisher),
        unchanged=M("Nothing was installed."),
        hint=M("Ask head office for the right file; the profile says who publishes it."),
        detail=" ".join(filter(None, (status[1] if status else "", signer[1] if signer else ""))),
    )


def install_step(prefix: Sequence[str], path: Path) -> Step:
    """The step that installs the package in the file `path`."""
    return Step(
        M("Install {file}.", file=path.name),
        (*prefix, "installer", "-verboseR", "-pkg", str(path), "-target", "/"),
        installs=True,
    )


def expected(plan: DriverPlan) -> tuple[str, ...]:
    """The module; a maker's installer does not say beforehand what else it brings."""
    return (plan.file.module,) if plan.file is not None else ()


def traces(names: Collection[str], answer: SystemQuery = ask) -> dict[str, str]:
    """Those of the files `names` that are here, and every package that macOS keeps a receipt of."""
    found = {name: "file" for name in names if Path(name).exists()}
    return found | dict.fromkeys(packages(answer), "receipt")


def settings_of(names: Collection[str]) -> set[str]:
    """Nothing: receipts do not tell settings from the rest."""
    return set()


def undoing(file: PackageFile, prefix: Sequence[str]) -> tuple[Step, ...]:
    """The steps that would take away what the installer brings: macOS itself removes no package."""
    return (Step(M("Remove again what was new."), (*prefix, *file.removal)),) if file.removal else ()


def removal(
    plan: DriverPlan, added: Mapping[str, str], keeping: Collection[str] = (), answer: SystemQuery = ask
) -> tuple[Step, ...]:
    """The step that the plan showed, where the module was not here before, and forgetting the receipt of the
    package that brought the module; receipts of other packages that are new stay."""
    if plan.file is None or plan.file.module not in added or not plan.undoing:
        return ()
    argv = next(step.argv for step in plan.steps if step.installs)
    prefix = argv[: argv.index("installer")]
    package, _ = owner(plan.file.module, answer)
    forget = Step(M("Remove again what was new."), (*prefix, "pkgutil", "--forget", package))
    return (*plan.undoing, *((forget,) if added.get(package) == "receipt" else ()))


def carry_out(step: Step, log: Path, tell: Tell | None = None, stop: Event | None = None) -> bool:
    """Run an installer step to its end, never breaking it off; True where the Mac has to be restarted."""
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line.strip())
        share = re.match(r"installer:%([\d.]+)", line.strip())
        if share is not None and tell is not None:
            tell(Progress(step.said, min(round(float(share[1])), 100), 100))

    status = run.run(step.argv, log, heard=hear)
    if stop is not None and stop.is_set():
        raise Cancelled(M("The installation was broken off."), hint=M("Run it again to go on."))
    text = "\n".join(lines)
    failed = status or (
        step.installs and not re.search(r"install(?:ed|) .*successful|upgrade was successful", text)
    )
    if failed and step.required:
        raise recognise(lines)
    return "restart" in text.lower() and "required" in text.lower()


def recognise(lines: Sequence[str]) -> FieldkitError:
    """The error that the output `lines` of installer tell of."""
    text = "\n".join(lines)
    detail = "\n".join(line for line in lines if line)[-2000:]
    for pattern, kind, message, hint in _KNOWN:
        if re.search(pattern, text, re.IGNORECASE | re.MULTILINE):
            return kind(message, hint=hint, detail=detail)
    return InstallFailed(
        M("The installation failed."), hint=M("Read the log, or send it to head office."), detail=detail
    )


_KNOWN = (
    (
        r"must be run as root",
        NoRights,
        M("Installing needs an administrator's rights, and this account has none."),
        M("Have an administrator run the commands shown, then run this again."),
    ),
    (
        r"not enough (?:free )?(?:disk )?space|requires \S+ .*of space|No space left",
        NoSpace,
        M("There is not enough space on the disk."),
        M("Make room on the disk of fieldkit's folder, then run this again."),
    ),
    (
        r"the package path specified was invalid|could not be opened|damaged|Error - can't open package",
        PackageDamaged,
        M("The package file is damaged."),
        M("Get the file again, and check it against its hash."),
    ),
)

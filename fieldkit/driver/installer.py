"""What every installer of drivers can do, whatever the system: `methods.INSTALLERS` has one for each kind.

Some are complete by a table of complaints and a command; none has to know how the others do it.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from threading import Event

import msgspec

from fieldkit.driver import run
from fieldkit.driver.ask import SystemQuery, ask
from fieldkit.driver.errors import (
    InstallerBusy,
    InstallFailed,
    NoRights,
    NoSpace,
    PackageDamaged,
    PackageForeign,
    PublisherWrong,
)
from fieldkit.driver.steps import DriverPlan, Package, PackageChanges, Step, Tell
from fieldkit.errors import Cancelled, FieldkitError
from fieldkit.finding import Finding
from fieldkit.operator import Progress
from fieldkit.profile.driver import PackageFile
from fieldkit.text import M, Message

LINES = 200
"""So much of an installer's output is kept to recognise an error by."""


class Cause(msgspec.Struct, frozen=True):
    """Why an installation failed. `{name}` in message and hint is a group of its complaint's pattern."""

    kind: type[FieldkitError]
    message: Message
    hint: Message

    def error(self, groups: Mapping[str, str | None], detail: str) -> FieldkitError:
        # one name may stand in several places, and `re` wants a name for each: package, package_, …
        params = {name.rstrip("_"): value for name, value in groups.items() if value}
        return self.kind(
            Message(self.message.text, params), hint=Message(self.hint.text, params), detail=detail
        )


UNKNOWN = Cause(InstallFailed, M("The installation failed."), M("Read the log, or send it to head office."))
RIGHTS = Cause(
    NoRights,
    M("Installing needs an administrator's rights, and this account has none."),
    M("Have an administrator run the commands shown, then run this again."),
)
BUSY = Cause(
    InstallerBusy,
    M("Another program is installing packages."),
    M("Wait until it has finished, then run this again."),
)
SPACE = Cause(
    NoSpace,
    M("There is not enough space on the disk."),
    M("Make room on the disk of fieldkit's folder, then run this again."),
)
DAMAGED = Cause(
    PackageDamaged,
    M("The package file is damaged."),
    M("Get the file again, and check it against its hash."),
)
FOREIGN = Cause(
    PackageForeign,
    M("The package is for another kind of machine."),
    M("Take the package for this machine's architecture."),
)


class DriverInstaller(ABC):
    """How one system's installer is planned, run, read and undone.

    query: how the system is asked, or what stands in for one that is not at hand.
    """

    complaints: Mapping[str, Cause] = {}
    """What it prints when it fails, and why; the order counts: what is more particular comes first."""
    unpacking: re.Pattern[str] | None = None
    """The line from which on it is let finish; None: it is never broken off."""
    removes_new: bool = True
    """It takes away what it brought by itself, without a command of the profile."""

    def __init__(self, query: SystemQuery = ask) -> None:
        self.query = query

    @abstractmethod
    def available(self) -> bool:
        """This machine installs so."""

    # What is on this machine

    @abstractmethod
    def owner(self, path: str) -> Package | None:
        """The package that brought the file at `path`."""

    def installed(self, names: Collection[str]) -> dict[str, str]:
        """Name to version of those of the packages `names` that are installed."""
        return {}

    def registered(self, file: PackageFile) -> bool:
        """The system knows the driver of `file`, besides its module being there."""
        return True

    # Planning from a maker's file

    def changes(self, path: Path) -> PackageChanges:
        """What installing the file would change, as far as it says so."""
        return PackageChanges()

    def check_publisher(self, file: PackageFile, path: Path) -> Finding | None:
        """Raise where somebody else signed the file, or nobody; a finding where none could be read."""
        return unchecked_publisher(file) if file.publisher else None

    @abstractmethod
    def steps(self, file: PackageFile, path: Path, prefix: Sequence[str]) -> tuple[Step, ...]:
        """What installs the file at `path`. prefix: what gives rights."""

    def by_hand(self, file: PackageFile, path: Path) -> tuple[str, ...]:
        """The same as an administrator types it."""
        return tuple(step.command for step in self.steps(file, path, ("sudo",)))

    def undoing(self, file: PackageFile, path: Path, prefix: Sequence[str]) -> tuple[Step, ...]:
        """The steps, known beforehand, that would take away what it brings."""
        return ()

    # Carrying out

    def carry_out(self, step: Step, log: Path, tell: Tell | None = None, stop: Event | None = None) -> bool:
        """Run one step to a safe end and raise what went wrong; True where a restart is needed.

        stop: breaks off while that is safe; else the step is let finish, and then `Cancelled` is raised, so
        that the caller can undo.
        """
        lines: deque[str] = deque(maxlen=LINES)
        last = Progress(step.message, -1)
        safe = self.unpacking is not None

        def hear(line: str) -> None:
            nonlocal last, safe
            if self.unpacking is not None and self.unpacking.search(line):
                safe = False
            progress = self.progress(step, line)
            if progress is None:
                lines.append(line.strip())
            elif progress.done > last.done:
                last = progress
                if tell is not None:
                    tell(progress)

        status = run.run(step.argv, log, hear=hear, stop=stop, may_stop=lambda: safe)
        if stop is not None and stop.is_set():
            raise Cancelled(M("The installation was broken off."), hint=M("Run it again to go on."))
        restart = self.judge(step, status, lines)
        if tell is not None and 0 <= last.done < last.total:
            tell(Progress(step.message, last.total, last.total))
        return restart

    def progress(self, step: Step, line: str) -> Progress | None:
        """How far it is, where `line` says so."""
        return None

    def judge(self, step: Step, status: int, lines: Collection[str]) -> bool:
        """What its exit status and its output mean: True, a restart is needed; else it may raise."""
        if status and step.required:
            raise self.recognise(lines)
        return False

    def recognise(self, lines: Collection[str]) -> FieldkitError:
        """The error that the output `lines` tell of."""
        printed = [line.strip() for line in lines if line.strip()]
        return recognise("\n".join(printed), self.complaints, self.detail(printed))

    def detail(self, lines: Sequence[str]) -> str:
        """What of the output says most about an error."""
        return "\n".join(lines[-8:])

    # Undoing

    def expected(self, plan: DriverPlan) -> tuple[str, ...]:
        """Names of what the plan would touch: the module, where the installer does not say what it brings."""
        return (plan.file.module,) if plan.file is not None else ()

    @abstractmethod
    def traces(self, names: Collection[str]) -> dict[str, str]:
        """Name to state of those of `names` that are on the machine, and of all else that could be new."""

    def settings_of(self, names: Collection[str]) -> set[str]:
        """Those of `names` of which settings are left from earlier, where it tells them from the rest."""
        return set()

    @abstractmethod
    def removal(
        self, plan: DriverPlan, added: Mapping[str, str], keeping: Collection[str] = ()
    ) -> tuple[Step, ...]:
        """The steps that take away what was `added`; older settings of those in `keeping` stay."""


def recognise(text: str, complaints: Mapping[str, Cause], detail: str) -> FieldkitError:
    """The error by the first of `complaints` whose pattern is in `text`."""
    for pattern, cause in complaints.items():
        if match := re.search(pattern, text, re.MULTILINE):
            return cause.error(match.groupdict(), detail)
    return UNKNOWN.error({}, detail)


def percent(step: Step, share: re.Match[str] | None) -> Progress | None:
    """The progress that the first group of `share` says in per cent."""
    return Progress(step.message, min(round(float(share[1])), 100), 100) if share is not None else None


def unchecked_publisher(file: PackageFile, detail: str = "") -> Finding:
    """Nobody could look at who published the file."""
    return Finding(
        "driver-publisher",
        "not-checked",
        M("Who published {file} could not be checked; its SHA-256 is right.", file=file.file),
        detail=detail,
    )


def compare_publisher(file: PackageFile, signers: Collection[str], detail: str) -> None:
    """Raise where none of the `signers` is the profile's: its name begins one ("Bit4id", "Bit4id S.r.l.")."""
    own = re.compile(rf"{re.escape(file.publisher)}(?!\w)", re.IGNORECASE)
    if not any(own.match(signer) for signer in signers):
        raise PublisherWrong(
            M(
                "{file} is not signed by {publisher}; it is not run.",
                file=file.file,
                publisher=file.publisher,
            ),
            unchanged=M("Nothing was installed."),
            hint=M("Ask head office for the right file; the profile says who publishes it."),
            detail=detail,
        )

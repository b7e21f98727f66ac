"""Debian's packages: what is installed, what an installation would change, and installing them.

apt-get does the work and says how far it is on its status descriptor; dpkg is never interrupted.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from fieldkit.driver import apt_errors
from fieldkit.driver.ask import ask
from fieldkit.driver.errors import PackageDamaged, PackageUnknown
from fieldkit.driver.installer import DriverInstaller
from fieldkit.driver.steps import DebFile, DriverPlan, Package, PackageChanges, Step
from fieldkit.operator import Progress
from fieldkit.profile import names
from fieldkit.profile.driver import PackageFile
from fieldkit.text import M, Message

LOCK_WAIT = 30  # seconds apt waits for another installer to finish
# apt in English and without questions; `env` carries it through sudo and pkexec, which drop the environment.
SURROUNDINGS = ("env", "DEBIAN_FRONTEND=noninteractive", "LANGUAGE=", "LC_ALL=C.UTF-8")
QUIET = ("--yes", "--no-install-recommends", "--no-remove")
# The status goes to standard output, which dpkg's scripts write to as well: they need the terminal that apt
# gives them (its default), or every `echo` of theirs fails.
OPTIONS = (
    "-o",
    "APT::Status-Fd=1",
    "-o",
    f"DPkg::Lock::Timeout={LOCK_WAIT}",
    "-o",
    "Dpkg::Options::=--force-confold",
)
# From a kit's files only: where a package source knows the same package, apt would ask that first, and would
# then read the file as its own user, who may not look into the home.
FILES_ONLY = (
    "-o",
    "Dir::Etc::sourcelist=/dev/null",
    "-o",
    "Dir::Etc::sourceparts=/dev/null",
    "-o",
    "Dir::Cache::pkgcache=",
    "-o",
    "Dir::Cache::srcpkgcache=",
    "-o",
    "APT::Sandbox::User=root",
)
DPKG = Path("/var/lib/dpkg")
LISTS = Path("/var/lib/apt/lists")


class Fetch(msgspec.Struct, frozen=True):
    """A package file as the package lists know it: where it is, its name, size and hash."""

    uri: str
    name: str
    size: int
    sha256: str


def available() -> bool:
    """This machine installs with apt."""
    return shutil.which("apt-get") is not None and shutil.which("dpkg-query") is not None


def installed(packages: Iterable[str]) -> dict[str, str]:
    """Name to version of those of `packages` that are fully installed."""
    return {name: version for name, (version, state) in _known(packages).items() if state in ("ii", "hi")}


def states(packages: Iterable[str]) -> dict[str, str]:
    """Name to dpkg's state ("ii", "iU", "rc" …) of those of `packages` that it knows."""
    return {name: state for name, (_, state) in _known(packages).items() if state}


def _known(packages: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Name to version and state of those of `packages` that dpkg knows."""
    names = sorted(set(packages))
    if not names:
        return {}
    shape = "--showformat=${Package}\t${Version}\t${db:Status-Abbrev}\n"
    rows = (line.split("\t") for line in ask(("dpkg-query", "--show", shape, "--", *names)).out.splitlines())
    return {row[0]: (row[1], row[2].strip()) for row in rows if len(row) == 3}


def at_least(version: str, least: str) -> bool:
    """`version` is `least` or later, as Debian compares them."""
    return ask(("dpkg", "--compare-versions", version, "ge", least)).status == 0


def interrupted() -> bool:
    """An earlier dpkg run was broken off; apt refuses until it is finished."""
    updates = DPKG / "updates"
    return updates.is_dir() and any(entry.name.isdigit() for entry in updates.iterdir())


def lists_empty() -> bool:
    """This machine has no package lists, as on a fresh image."""
    return not LISTS.is_dir() or not any("Packages" in entry.name for entry in LISTS.iterdir())


def changes(wanted: Sequence[str], *options: str, files: Sequence[Path] = ()) -> PackageChanges:
    """What installing the packages `wanted` and the .deb `files` would change, as apt works it out.

    Raises the types of `errors` for what cannot be installed.
    """
    output = _planned(_arguments(wanted, files), options)
    return PackageChanges(
        _section(output, "NEW packages will be installed"),
        _section(output, "packages will be upgraded"),
        sum(fetch.size for fetch in _fetches(output)),
    )


def fetches(wanted: Sequence[str], *options: str) -> tuple[Fetch, ...]:
    """The files that installing the packages `wanted` would download."""
    return _fetches(_planned(_arguments(wanted), options))


def _arguments(wanted: Sequence[str], files: Sequence[Path] = ()) -> tuple[str, ...]:
    """What apt-get is told to install; a name that is none would be an option, a file or an address to it."""
    for name in wanted:
        if not names.PACKAGE.fullmatch(name):
            raise PackageUnknown(
                M("`{name}` is not the name of a package.", name=name),
                unchanged=M("Nothing was installed."),
                hint=M("Mend the token's profile."),
            )
    return ("--", *wanted, *(str(path.absolute()) for path in files))


def _planned(arguments: Sequence[str], options: Sequence[str]) -> str:
    done = ask((*SURROUNDINGS, "apt-get", "install", "--print-uris", "-V", *QUIET, *options, *arguments))
    if done.status:
        raise APT.recognise((done.out + done.err).splitlines())
    return done.out


def _section(output: str, title: str) -> tuple[Package, ...]:
    """The packages under one of apt's headings, each with the version it would have."""
    section = re.search(rf"^The following {title}:\n((?:   .*\n)*)", output, re.MULTILINE)
    rows = re.findall(r"^   (\S+) \((?:\S+ => )?([^)]+)\)", section[1] if section else "", re.MULTILINE)
    return tuple(Package(name, version) for name, version in rows)


def _fetches(output: str) -> tuple[Fetch, ...]:
    rows = re.finditer(r"^'([^']+)' (\S+) (\d+) (\S*)$", output, re.MULTILINE)
    return tuple(Fetch(row[1], row[2], int(row[3]), row[4].partition("SHA256:")[2]) for row in rows)


def header(path: Path) -> DebFile:
    """What the .deb file `path` says it is."""
    done = ask(("dpkg-deb", "--field", str(path), "Package", "Version", "Architecture"))
    fields = dict(re.findall(r"^(\w+): (.+)$", done.out, re.MULTILINE))
    if done.status or not {"Package", "Version", "Architecture"} <= fields.keys():
        raise PackageDamaged(
            M("{file} is not a Debian package, or it is damaged.", file=path.name),
            unchanged=M("Nothing was installed."),
            hint=M("Get the file again, and check it against its hash."),
            detail=done.err.strip(),
        )
    return DebFile(path, fields["Package"], fields["Version"], fields["Architecture"])


def architecture() -> str:
    """What dpkg calls this machine: "amd64", "arm64" …"""
    return ask(("dpkg", "--print-architecture")).out.strip()


def finish_steps(prefix: Sequence[str]) -> tuple[Step, ...]:
    """The step that finishes an installation that was broken off earlier; none where none was."""
    message = M("Finish the installation that was broken off earlier.")
    argv = (*prefix, *SURROUNDINGS, "dpkg", "--configure", "-a", "--force-confold")
    return (Step(message, argv),) if interrupted() else ()


def refresh_step(prefix: Sequence[str]) -> Step:
    """The step that fetches the package lists."""
    return Step(
        M("Fetch the package lists."),
        (*prefix, *SURROUNDINGS, "apt-get", "update", *OPTIONS),
        required=False,  # one source that does not answer does not matter if the rest has the package
    )


def install_step(
    prefix: Sequence[str],
    wanted: Sequence[str],
    message: Message,
    *options: str,
    files: Sequence[Path] = (),
) -> Step:
    """The step that installs the packages `wanted` and the .deb `files`."""
    command = ("apt-get", "install", *QUIET, *OPTIONS, *options, *_arguments(wanted, files))
    return Step(message, (*prefix, *SURROUNDINGS, *command), installs=True)


def remove_step(prefix: Sequence[str], gone: Sequence[str], verb: str = "purge") -> Step:
    """The step that removes the packages `gone`, with their settings unless `verb` is "remove"."""
    return Step(
        M("Remove again what was new."),
        (*prefix, *SURROUNDINGS, "apt-get", verb, "--yes", *OPTIONS, *_arguments(gone)),
    )


def by_hand(wanted: Sequence[str], *, refresh: bool = False) -> tuple[str, ...]:
    """The commands an administrator types at a prompt for the same."""
    return (
        *(("sudo dpkg --configure -a",) if interrupted() else ()),
        *(("sudo apt-get update",) if refresh else ()),
        "sudo apt-get install --no-install-recommends " + shlex.join(wanted),
    )


class AptInstaller(DriverInstaller):
    """Installs packages from this machine's sources or a kit, and makers' .deb files with what they need."""

    complaints = apt_errors.COMPLAINTS
    # dlstatus:<n>:<percent>:<words>  pmstatus:<package>:<percent>:<words>
    STATUS = re.compile(r"(dlstatus|pmstatus):([^:]*):([\d.]+):")
    unpacking = re.compile(r"pmstatus:[^:]*:[\d.]+:")

    def available(self) -> bool:
        return sys.platform.startswith("linux") and available()

    def owner(self, path: str) -> Package | None:
        name = self.query(("dpkg-query", "--search", "--", path)).out.partition(":")[0]
        packages = installed([name]) if name else {}
        return next((Package(name, version) for name, version in packages.items()), None)

    def installed(self, names: Collection[str]) -> dict[str, str]:
        return installed(names)

    def changes(self, path: Path) -> PackageChanges:
        return changes((), files=[path])

    def steps(self, file: PackageFile, path: Path, prefix: Sequence[str]) -> tuple[Step, ...]:
        message = M("Install {file}.", file=file.file)
        return (*finish_steps(prefix), install_step(prefix, (), message, files=[path]))

    def by_hand(self, file: PackageFile, path: Path) -> tuple[str, ...]:
        return by_hand([str(path.absolute())])

    def progress(self, step: Step, line: str) -> Progress | None:
        status = self.STATUS.search(line)
        if status is None:
            return None
        share = min(round(float(status[3])), 100)
        package = status[2].partition("/")[0]
        if status[1] == "dlstatus":  # downloading is the first half of the road
            return Progress(M("Downloading packages"), share, 200)
        if package == "dpkg-exec":  # dpkg itself, between packages
            return Progress(step.message, 100 + share, 200)
        return Progress(M("Installing {package}", package=package), 100 + share, 200)

    def judge(self, step: Step, status: int, lines: Collection[str]) -> bool:
        # apt-get update exits with 0 though every source failed
        if not step.required and (lists_empty() or apt_errors.captive(lines)):
            raise self.recognise(lines)
        return super().judge(step, status, lines)

    def detail(self, lines: Sequence[str]) -> str:
        marks = ("E:", "W:", "Err:", "dpkg:", "dpkg-deb:", "pmerror:")
        complaints = [line for line in lines if line.startswith(marks) or "error" in line.lower()]
        return "\n".join(list(dict.fromkeys(complaints))[-8:] or lines[-5:])

    def expected(self, plan: DriverPlan) -> tuple[str, ...]:
        packages = (*plan.new, *plan.changed)
        if not packages:  # the lists were fetched only now
            files = [copy.target for copy in plan.copies]
            made = changes((), files=files) if files else changes(plan.wanted)
            packages = (*made.new, *made.upgraded)
        return tuple(package.name for package in packages)

    def traces(self, names: Collection[str]) -> dict[str, str]:
        """Also of those that are only half here; of which only settings are left ("rc") is not."""
        return {name: state for name, state in states(names).items() if state[1:2] not in ("n", "c")}

    def settings_of(self, names: Collection[str]) -> set[str]:
        return {name for name, state in states(names).items() if state[1:2] == "c"}

    def removal(
        self, plan: DriverPlan, added: Mapping[str, str], keeping: Collection[str] = ()
    ) -> tuple[Step, ...]:
        with_settings = [name for name in added if name not in keeping]
        without = [name for name in added if name in keeping]
        return tuple(
            remove_step(plan.prefix or (), packages, verb)
            for packages, verb in ((with_settings, "purge"), (without, "remove"))
            if packages
        )


APT = AptInstaller()

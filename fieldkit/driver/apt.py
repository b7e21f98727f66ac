"""Debian's packages: what is installed, what an installation would change, and installing them.

apt-get does the work and says how far it is on its status descriptor; dpkg is never interrupted.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from threading import Event

import msgspec

from fieldkit.driver import apt_errors, run
from fieldkit.driver.ask import ask
from fieldkit.driver.errors import PackageDamaged, PackageUnknown
from fieldkit.driver.steps import DebFile, DriverPlan, Package, Step, Tell
from fieldkit.errors import Cancelled
from fieldkit.operator import Progress
from fieldkit.profile import names
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


class PackageChanges(msgspec.Struct, frozen=True):
    """What an installation would change: packages new, upgraded, and the bytes to download."""

    new: tuple[Package, ...] = ()
    upgraded: tuple[Package, ...] = ()
    download: int = 0


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
    wanted = list(packages)
    if not wanted:
        return {}
    shape = "--showformat=${Package}\t${Version}\t${db:Status-Abbrev}\n"
    answer = ask(("dpkg-query", "--show", shape, "--", *wanted))
    rows = (line.split("\t") for line in answer.out.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 3 and row[2].strip() in ("ii", "hi")}


def at_least(version: str, least: str) -> bool:
    """`version` is `least` or later, as Debian compares them."""
    return ask(("dpkg", "--compare-versions", version, "ge", least)).status == 0


def traces(names: Iterable[str]) -> dict[str, str]:
    """Name to dpkg's state ("ii", "iU", "iF" …) of those of `names` that are on this machine, if only half.

    A package of which only settings are left ("rc") is not.
    """
    return {name: state for name, state in _states(names).items() if state[1:2] not in ("n", "c")}


def settings_of(names: Iterable[str]) -> set[str]:
    """Those of `names` that were removed from this machine, but whose settings were kept."""
    return {name for name, state in _states(names).items() if state[1:2] == "c"}


def _states(names: Iterable[str]) -> dict[str, str]:
    wanted = sorted(set(names))
    if not wanted:
        return {}
    answer = ask(("dpkg-query", "--show", "--showformat=${Package}\t${db:Status-Abbrev}\n", "--", *wanted))
    rows = (line.split("\t") for line in answer.out.splitlines())
    return {row[0]: row[1].strip() for row in rows if len(row) == 2 and row[1].strip()}


def owner(path: str) -> Package | None:
    """The package that brought the file at `path`."""
    found = ask(("dpkg-query", "--search", "--", path)).out.partition(":")[0]
    return (
        next((Package(name, version) for name, version in installed([found]).items()), None)
        if found
        else None
    )


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
    said = _planned(_arguments(wanted, files), options)
    return PackageChanges(
        _section(said, "NEW packages will be installed"),
        _section(said, "packages will be upgraded"),
        sum(fetch.size for fetch in _fetches(said)),
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
        raise apt_errors.recognise((done.out + done.err).splitlines())
    return done.out


def _section(said: str, title: str) -> tuple[Package, ...]:
    """The packages under one of apt's headings, each with the version it would have."""
    found = re.search(rf"^The following {title}:\n((?:   .*\n)*)", said, re.MULTILINE)
    rows = re.findall(r"^   (\S+) \((?:\S+ => )?([^)]+)\)", found[1] if found else "", re.MULTILINE)
    return tuple(Package(name, version) for name, version in rows)


def _fetches(said: str) -> tuple[Fetch, ...]:
    rows = re.finditer(r"^'([^']+)' (\S+) (\d+) (\S*)$", said, re.MULTILINE)
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


def finish_step(prefix: Sequence[str]) -> Step:
    """The step that finishes an installation that was broken off earlier."""
    return Step(
        M("Finish the installation that was broken off earlier."),
        (*prefix, *SURROUNDINGS, "dpkg", "--configure", "-a", "--force-confold"),
    )


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


def expected(plan: DriverPlan) -> tuple[str, ...]:
    """The packages that carrying out `plan` would touch, asked of apt where the plan could not yet."""
    packages = (*plan.new, *plan.changed)
    if not packages:  # the lists were fetched only now
        files = [copy.target for copy in plan.copies]
        made = changes((), files=files) if files else changes(plan.wanted)
        packages = (*made.new, *made.upgraded)
    return tuple(package.name for package in packages)


def removal(plan: DriverPlan, added: Mapping[str, str], keeping: Collection[str] = ()) -> tuple[Step, ...]:
    """The steps that take the packages `added` away again; older settings of those in `keeping` stay."""
    argv = next(step.argv for step in plan.steps if step.installs)
    prefix = argv[: argv.index(SURROUNDINGS[0])]
    kept = [name for name in added if name in keeping]
    gone = [name for name in added if name not in keeping]
    steps = ((gone, "purge"), (kept, "remove"))
    return tuple(remove_step(prefix, which, verb) for which, verb in steps if which)


def by_hand(wanted: Sequence[str], *, finish: bool = False, refresh: bool = False) -> tuple[str, ...]:
    """The commands an administrator types at a prompt for the same."""
    return (
        *(("sudo dpkg --configure -a",) if finish else ()),
        *(("sudo apt-get update",) if refresh else ()),
        "sudo apt-get install --no-install-recommends " + shlex.join(wanted),
    )


def carry_out(step: Step, log: Path, tell: Tell | None = None, stop: Event | None = None) -> bool:
    """Run an apt or dpkg step to its end; raise what went wrong. False: no restart is needed.

    stop: breaks off while apt downloads; once dpkg works it is let finish, and then `Cancelled`
    is raised, so that the caller can undo.
    """
    reader = _Reader(step.said, tell)
    status = run.run(step.argv, log, heard=reader.hear, stop=stop, may_stop=lambda: not reader.unpacking)
    if stop is not None and stop.is_set():
        raise Cancelled(M("The installation was broken off."), hint=M("Run it again to go on."))
    # apt-get update exits with 0 though every source failed
    unread = not step.required and (lists_empty() or apt_errors.captive(reader.lines))
    if unread or (status and step.required):
        raise apt_errors.recognise(reader.lines)
    if tell is not None:
        tell(Progress(step.said, 200, 200))
    return False


class _Reader:
    """Reads apt's output: status lines become progress, the rest is kept to recognise an error by."""

    # dlstatus:<n>:<percent>:<words>  pmstatus:<package>:<percent>:<words>
    STATUS = re.compile(r"(dlstatus|pmstatus):([^:]*):([\d.]+):")

    def __init__(self, message: Message, tell: Tell | None) -> None:
        self._said = message
        self._tell = tell
        self._done = -1
        self.unpacking = False
        self.lines: list[str] = []

    def hear(self, line: str) -> None:
        found = self.STATUS.search(line)
        if found is None:
            self.lines = [*self.lines[-199:], line]
            return
        self.unpacking = self.unpacking or found[1] == "pmstatus"
        share = min(round(float(found[3])), 100)
        package = found[2].partition("/")[0]
        if found[1] == "dlstatus":  # downloading is the first half of the road
            self._say(M("Downloading packages"), share)
        elif package == "dpkg-exec":  # dpkg itself, between packages
            self._say(self._said, 100 + share)
        else:
            self._say(M("Installing {package}", package=package), 100 + share)

    def _say(self, text: Message, done: int) -> None:
        if self._tell is not None and done > self._done:
            self._done = done
            self._tell(Progress(text, done, 200))

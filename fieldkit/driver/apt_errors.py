"""apt's and dpkg's complaints, recognised and put into words a technician can act on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from fieldkit.driver.errors import (
    DependenciesUnmet,
    InstallerBusy,
    InstallerInterrupted,
    InstallFailed,
    ListsOutdated,
    NoNetwork,
    NoRights,
    NoSpace,
    PackageDamaged,
    PackageForeign,
    PackageUnknown,
    WouldRemove,
)
from fieldkit.errors import FieldkitError
from fieldkit.text import M, Message

# apt's own words for lists that are a web page
CAPTIVE = r"got 'NOSPLIT'|does the network require authentication\?"


def captive(lines: Iterable[str]) -> bool:
    """apt was given a web page where its lists should be."""
    return re.search(CAPTIVE, "\n".join(lines)) is not None


def recognise(lines: Iterable[str]) -> FieldkitError:
    """The error that the output `lines` of apt-get or dpkg (in English) tell of."""
    heard = [line.strip() for line in lines if line.strip()]
    text = "\n".join(heard)
    detail = "\n".join(_complaints(heard))
    for pattern, make in _KNOWN:
        found = pattern.search(text)
        if found:
            return make(found, detail)
    return InstallFailed(
        M("The installation failed."),
        hint=M("Read the log, or send it to head office."),
        detail=detail or "\n".join(heard[-5:]),
    )


def _complaints(lines: list[str]) -> list[str]:
    marks = ("E:", "W:", "Err:", "dpkg:", "dpkg-deb:", "pmerror:")
    said = [line for line in lines if line.startswith(marks) or "error" in line.lower()]
    return list(dict.fromkeys(said))[-8:]


def _maker(
    kind: type[FieldkitError], message: Message, hint: Message
) -> Callable[[re.Match[str], str], FieldkitError]:
    def make(found: re.Match[str], detail: str) -> FieldkitError:
        # one name may be found in several places, and `re` wants a name for each: package, package_, …
        named = {name.rstrip("_"): value for name, value in found.groupdict().items() if value}
        return kind(Message(message.text, named), hint=Message(hint.text, named), detail=detail)

    return make


# The order counts: what is more particular comes first (a full disk also gives a "dpkg-deb: error").
_KNOWN: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], str], FieldkitError]], ...] = tuple(
    (re.compile(pattern, re.MULTILINE), make)
    for pattern, make in (
        (
            r"dpkg was interrupted, you must manually run",
            _maker(
                InstallerInterrupted,
                M("An earlier installation on this machine was broken off and is not finished."),
                M("Run `sudo dpkg --configure -a`, then this again."),
            ),
        ),
        (
            r"are you root\?|^E: (?!Failed to fetch).*Permission denied"
            r"|requested operation requires superuser privilege",
            _maker(
                NoRights,
                M("Installing needs an administrator's rights, and this account has none."),
                M("Have an administrator run the commands shown, then run this again."),
            ),
        ),
        (
            r"Could not get lock(?s:.)*?held by process (?P<process>\d+ \(\S+\))"
            r"|locked by another process with pid (?P<process_>\d+)",
            _maker(
                InstallerBusy,
                M("Another program is installing packages: process {process}."),
                M("Wait until it has finished, then run this again."),
            ),
        ),
        (
            r"Could not get lock|Unable to acquire the dpkg frontend lock|Unable to lock"
            r"|locked by another process",
            _maker(
                InstallerBusy,
                M("Another program is installing packages."),
                M("Wait until it has finished, then run this again."),
            ),
        ),
        (
            r"No space left on device|don't have enough free space in (?P<folder>\S+)",
            _maker(
                NoSpace,
                M("There is not enough space on the disk."),
                M("Make room (`sudo apt-get clean` helps), then run this again."),
            ),
        ),
        (
            r"package architecture \((?P<found>\S+)\) does not match system \((?P<here>\S+)\)",
            _maker(
                PackageForeign,
                M("The package is for another kind of machine ({found}), not for this one ({here})."),
                M("Take the package for this machine's architecture."),
            ),
        ),
        (
            r"^\s*(?P<package>\S+):(?P<found>(?!all\b|any\b)[a-z0-9]+) : Depends: .* but it is not"
            r" installable",
            _maker(
                PackageForeign,
                M("{package} is for another kind of machine ({found})."),
                M("Take the package for this machine's architecture."),
            ),
        ),
        (
            CAPTIVE,
            _maker(
                NoNetwork,
                M("A login page answers in the package source's place, as in a hotel."),
                M("Open a web page in a browser, log in to the network, then try again."),
            ),
        ),
        (
            r"Hash Sum mismatch|is not a Debian format archive|unexpected end of file|not a valid archive"
            r"|Invalid archive|corrupted filesystem tarfile|lzma error|decompression failed"
            r"|Could not read meta data from|dpkg-deb: error|dpkg-deb --\S+ subprocess returned error",
            _maker(
                PackageDamaged,
                M("A package file is damaged, or is not what the package list says."),
                M("Get the file again; behind a proxy or a login page, open the network first."),
            ),
        ),
        (
            r"Unable to locate package (?P<package>\S+)"
            r"|Package '?(?P<package_>[^\s']+)'? has no installation candidate"
            r"|Couldn't find any package by (?:glob|regex) '(?P<package__>[^']+)'",
            _maker(
                PackageUnknown,
                M("This machine's package sources do not have {package}."),
                M("Run `sudo apt-get update`, check the package sources, or install from a kit (--kit)."),
            ),
        ),
        (
            r"^(?:E:|Err:?\d*).*(?:404\s+Not Found)|\b404  Not Found",
            _maker(
                ListsOutdated,
                M("The package lists of this machine are out of date."),
                M("Run `sudo apt-get update`, then this again."),
            ),
        ),
        (
            r"Temporary failure resolving|Could not resolve|Could not connect|Unable to connect"
            r"|Network is unreachable|Connection (?:failed|timed out|refused)|Cannot initiate the connection"
            r"|Failed to fetch",
            _maker(
                NoNetwork,
                M("The package source cannot be reached."),
                M("Check network and proxy, or install from a kit without a network (--kit)."),
            ),
        ),
        (
            r"Packages need to be removed but remove is disabled",
            _maker(
                WouldRemove,
                M("Installing the driver would remove other packages; nothing was changed."),
                M("Have an administrator look at what apt-get would remove, and decide."),
            ),
        ),
        (
            r"unmet dependencies|Unable to correct problems|held broken packages"
            r"|dependency problems prevent configuration",
            _maker(
                DependenciesUnmet,
                M("A package that the driver needs is not to be had."),
                M("Run `sudo apt-get update`, check the package sources, or install from a kit (--kit)."),
            ),
        ),
    )
)

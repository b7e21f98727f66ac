"""apt's and dpkg's complaints, in English, and what each means to a technician."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from fieldkit.driver.errors import (
    DependenciesUnmet,
    InstallerBusy,
    InstallerInterrupted,
    ListsOutdated,
    NoNetwork,
    NoSpace,
    PackageDamaged,
    PackageForeign,
    PackageUnknown,
    WouldRemove,
)
from fieldkit.driver.installer import BUSY, RIGHTS, Cause
from fieldkit.text import M

# apt's own words for lists that are a web page
CAPTIVE = r"got 'NOSPLIT'|does the network require authentication\?"


def captive(lines: Iterable[str]) -> bool:
    """apt was given a web page where its lists should be."""
    return re.search(CAPTIVE, "\n".join(lines)) is not None


# What is more particular comes first (a full disk also gives a "dpkg-deb: error").
COMPLAINTS: Mapping[str, Cause] = {
    r"dpkg was interrupted, you must manually run": Cause(
        InstallerInterrupted,
        M("An earlier installation on this machine was broken off and is not finished."),
        M("Run `sudo dpkg --configure -a`, then this again."),
    ),
    (
        r"are you root\?|^E: (?!Failed to fetch).*Permission denied"
        r"|requested operation requires superuser privilege"
    ): RIGHTS,
    (
        r"Could not get lock(?s:.)*?held by process (?P<process>\d+ \(\S+\))"
        r"|locked by another process with pid (?P<process_>\d+)"
    ): Cause(
        InstallerBusy,
        M("Another program is installing packages: process {process}."),
        M("Wait until it has finished, then run this again."),
    ),
    (
        r"Could not get lock|Unable to acquire the dpkg frontend lock|Unable to lock"
        r"|locked by another process"
    ): BUSY,
    r"No space left on device|don't have enough free space in (?P<folder>\S+)": Cause(
        NoSpace,
        M("There is not enough space on the disk."),
        M("Make room (`sudo apt-get clean` helps), then run this again."),
    ),
    r"package architecture \((?P<found>\S+)\) does not match system \((?P<here>\S+)\)": Cause(
        PackageForeign,
        M("The package is for another kind of machine ({found}), not for this one ({here})."),
        M("Take the package for this machine's architecture."),
    ),
    (
        r"^\s*(?P<package>\S+):(?P<found>(?!all\b|any\b)[a-z0-9]+) : Depends: .* but it is not"
        r" installable"
    ): Cause(
        PackageForeign,
        M("{package} is for another kind of machine ({found})."),
        M("Take the package for this machine's architecture."),
    ),
    CAPTIVE: Cause(
        NoNetwork,
        M("A login page answers in the package source's place, as in a hotel."),
        M("Open a web page in a browser, log in to the network, then try again."),
    ),
    (
        r"Hash Sum mismatch|is not a Debian format archive|unexpected end of file|not a valid archive"
        r"|Invalid archive|corrupted filesystem tarfile|lzma error|decompression failed"
        r"|Could not read meta data from|dpkg-deb: error|dpkg-deb --\S+ subprocess returned error"
    ): Cause(
        PackageDamaged,
        M("A package file is damaged, or is not what the package list says."),
        M("Get the file again; behind a proxy or a login page, open the network first."),
    ),
    (
        r"Unable to locate package (?P<package>\S+)"
        r"|Package '?(?P<package_>[^\s']+)'? has no installation candidate"
        r"|Couldn't find any package by (?:glob|regex) '(?P<package__>[^']+)'"
    ): Cause(
        PackageUnknown,
        M("This machine's package sources do not have {package}."),
        M("Run `sudo apt-get update`, check the package sources, or install from a kit (--kit)."),
    ),
    r"^(?:E:|Err:?\d*).*(?:404\s+Not Found)|\b404  Not Found": Cause(
        ListsOutdated,
        M("The package lists of this machine are out of date."),
        M("Run `sudo apt-get update`, then this again."),
    ),
    (
        r"Temporary failure resolving|Could not resolve|Could not connect|Unable to connect"
        r"|Network is unreachable|Connection (?:failed|timed out|refused)|Cannot initiate the connection"
        r"|Failed to fetch"
    ): Cause(
        NoNetwork,
        M("The package source cannot be reached."),
        M("Check network and proxy, or install from a kit without a network (--kit)."),
    ),
    r"Packages need to be removed but remove is disabled": Cause(
        WouldRemove,
        M("Installing the driver would remove other packages; nothing was changed."),
        M("Have an administrator look at what apt-get would remove, and decide."),
    ),
    (
        r"unmet dependencies|Unable to correct problems|held broken packages"
        r"|dependency problems prevent configuration"
    ): Cause(
        DependenciesUnmet,
        M("A package that the driver needs is not to be had."),
        M("Run `sudo apt-get update`, check the package sources, or install from a kit (--kit)."),
    ),
}

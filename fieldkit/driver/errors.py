"""What can go wrong with drivers, by what a person can do about it."""

from __future__ import annotations

from fieldkit.errors import Failed, Missing, Misused, Refused


class ProfileUnknown(Misused):
    """No token profile has this name."""

    code = "profile-unknown"


class NoDriver(Missing):
    """The profile has no driver for this system."""

    code = "driver-none"


class NoRights(Missing):
    """An administrator is needed; `commands` in the data are what they must run."""

    code = "no-rights"


class NoInstaller(Missing):
    """The program that installs packages on this system is not there."""

    code = "installer-missing"


class PackageUnknown(Missing):
    """The package sources of this machine, or the kit, do not have the package."""

    code = "package-unknown"


class ListsOutdated(Missing):
    """The machine's package lists name files that the source no longer has."""

    code = "package-lists-outdated"


class InstallerBusy(Missing):
    """Another program is installing packages."""

    code = "installer-busy"


class InstallerInterrupted(Missing):
    """An earlier installation was broken off and must be finished first."""

    code = "installer-interrupted"


class NoNetwork(Missing):
    """The package source cannot be reached."""

    code = "no-network"


class NoSpace(Missing):
    """The disk is full."""

    code = "no-space"


class DependenciesUnmet(Missing):
    """A package needs another one that is not to be had."""

    code = "dependencies-unmet"


class PackageUnreadable(Missing):
    """A file of the kit could not be read to its end: the stick was pulled, or is failing."""

    code = "package-unreadable"


class PackageDamaged(Failed):
    """A package file is not what it should be."""

    code = "package-damaged"


class PackageForeign(Failed):
    """A package is for another kind of machine."""

    code = "package-foreign"


class HashWrong(Failed):
    """A file is not the one whose SHA-256 is known."""

    code = "hash-wrong"


class FileUnverified(Refused):
    """A file without a known SHA-256 is never run."""

    code = "file-unverified"


class PublisherWrong(Refused):
    """A file is signed by somebody else than the profile says, or by nobody."""

    code = "publisher-wrong"


class WouldRemove(Refused):
    """Installing the driver would remove other packages."""

    code = "would-remove"


class InstallFailed(Failed):
    """The installation failed for a reason not known by name; the log has it."""

    code = "install-failed"


class ModuleUnproved(Failed):
    """The driver was installed, but its module is not there or does not load."""

    code = "module-unproved"

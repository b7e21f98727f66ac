"""What can go wrong with drivers, by what a person can do about it."""

from __future__ import annotations

from fieldkit.errors import Failed, Missing, Misused, Refused


class ProfileUnknown(Misused, code="profile-unknown"):
    """No token profile has this name."""


class NoDriver(Missing, code="driver-none"):
    """The profile has no driver for this system."""


class NoRights(Missing, code="no-rights"):
    """An administrator is needed; `commands` in the data are what they must run."""


class NoInstaller(Missing, code="installer-missing"):
    """The program that installs packages on this system is not there."""


class PackageUnknown(Missing, code="package-unknown"):
    """The package sources of this machine, or the kit, do not have the package."""


class ListsOutdated(Missing, code="package-lists-outdated"):
    """The machine's package lists name files that the source no longer has."""


class InstallerBusy(Missing, code="installer-busy"):
    """Another program is installing packages."""


class InstallerInterrupted(Missing, code="installer-interrupted"):
    """An earlier installation was broken off and must be finished first."""


class NoNetwork(Missing, code="no-network"):
    """The package source cannot be reached."""


class NoSpace(Missing, code="no-space"):
    """The disk is full."""


class DependenciesUnmet(Missing, code="dependencies-unmet"):
    """A package needs another one that is not to be had."""


class PackageUnreadable(Missing, code="package-unreadable"):
    """A file of the kit could not be read to its end: the stick was pulled, or is failing."""


class PackageDamaged(Failed, code="package-damaged"):
    """A package file is not what it should be."""


class PackageForeign(Failed, code="package-foreign"):
    """A package is for another kind of machine."""


class HashWrong(Failed, code="hash-wrong"):
    """A file is not the one whose SHA-256 is known."""


class FileUnverified(Refused, code="file-unverified"):
    """A file without a known SHA-256 is never run."""


class PublisherWrong(Refused, code="publisher-wrong"):
    """A file is signed by somebody else than the profile says, or by nobody."""


class WouldRemove(Refused, code="would-remove"):
    """Installing the driver would remove other packages."""


class InstallFailed(Failed, code="install-failed"):
    """The installation failed for a reason not known by name; the log has it."""


class ModuleUnproved(Failed, code="module-unproved"):
    """The driver was installed, but its module is not there or does not load."""

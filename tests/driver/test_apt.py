# ruff: noqa: E501 (outputs as they are printed)
"""Asking apt and dpkg, and reading what they complain of."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldkit.driver import apt, errors
from fieldkit.errors import FieldkitError
from tests.driver.machine import Machine

# What apt-get and dpkg print when something is wrong, and the error each is.
# fmt: off
COMPLAINTS = [
    ("E: Could not get lock /x/lock. It is held by process 1 (apt)\nE: Unable to lock", errors.InstallerBusy),
    ("E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend)", errors.InstallerBusy),
    (" x:armhf : Depends: libc6:armhf but it is not installable\nE: Unable to correct problems, you have held broken packages.", errors.PackageForeign),
    ("E: Couldn't find any package by glob 'x'", errors.PackageUnknown),
    ("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 4242 (unattended-upgr)", errors.InstallerBusy),
    ("dpkg: error: dpkg frontend lock was locked by another process with pid 7", errors.InstallerBusy),
    ("E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.", errors.InstallerInterrupted),
    ("E: Failed to fetch http://deb.example/x.deb  Temporary failure resolving 'deb.example'\nE: Unable to fetch some archives", errors.NoNetwork),
    ("E: Failed to fetch http://deb.example/x.deb  404  Not Found [IP: 192.0.2.1 80]", errors.ListsOutdated),
    ("E: Failed to fetch http://deb.example/x.deb  Hash Sum mismatch", errors.PackageDamaged),
    ("E: You don't have enough free space in /var/cache/apt/archives/.", errors.NoSpace),
    ("dpkg: error processing archive /x.deb (--unpack):\n cannot copy extracted data for './usr/lib/x' to '/usr/lib/x.dpkg-new': failed to write (No space left on device)\ndpkg-deb: error: paste subprocess was killed by signal (Broken pipe)", errors.NoSpace),
    ("dpkg: error processing archive x_armhf.deb (--install):\n package architecture (armhf) does not match system (amd64)", errors.PackageForeign),
    ("E: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied)\nE: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), are you root?", errors.NoRights),
    ("E: Failed to fetch file:/srv/x.deb  File not installed - /srv/x.deb (13: Permission denied)", errors.NoNetwork),
    ("E: Packages need to be removed but remove is disabled.", errors.WouldRemove),
    ("The following packages have unmet dependencies:\n x : Depends: y but it is not installable\nE: Unable to correct problems, you have held broken packages.", errors.DependenciesUnmet),
    ("E: Package 'x' has no installation candidate", errors.PackageUnknown),
    ("E: Sub-process /usr/bin/dpkg returned an error code (1)", errors.InstallFailed),
    ("", errors.InstallFailed),
]
# fmt: on

pytestmark = pytest.mark.skipif(not apt.available(), reason="needs apt")


def test_installed_packages_are_known_with_their_version_and_others_are_not() -> None:
    installed = apt.installed(["dpkg", "fieldkit-no-such-package"])
    assert set(installed) == {"dpkg"}
    assert installed["dpkg"]


def test_a_simulation_names_what_would_be_new_and_changes_nothing(connected: Machine) -> None:
    ask = (
        "from fieldkit.driver import apt; print(*(package.name for package in apt.changes(['coolkey']).new))"
    )
    printed = connected.run(sys.executable, "-c", ask)
    assert set(printed.stdout.split()) == {"coolkey", "libckyapplet1"}, printed.stderr
    assert connected.state("coolkey") == ""


def test_a_machine_of_the_tests_has_not_what_the_one_underneath_may_have(
    machine: Machine, package: Callable[..., Path]
) -> None:
    name = "fieldkit-sample-there"
    needing = package("fieldkit-sample-needing", depends=name)
    files = [shutil.copy(path, machine.folder) for path in (package(name), needing)]
    machine.run("dpkg", "--install", *files)
    assert machine.state(name) == "ii"
    machine.without(name, "fieldkit-no-such-package")
    assert machine.state(name) == ""


def test_what_apt_says_is_understood_on_a_vietnamese_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "vi:en")  # goes before LC_ALL for every locale but plain C
    with pytest.raises(errors.PackageUnknown):
        apt.changes(["fieldkit-no-such-package"])


def test_an_unknown_package_is_told_by_name() -> None:
    with pytest.raises(errors.PackageUnknown) as caught:
        apt.changes(["fieldkit-no-such-package"])
    assert caught.value.code == "package-unknown"
    assert "fieldkit-no-such-package" in str(caught.value)


def test_a_file_that_is_no_package_is_told_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "page.deb"
    path.write_text("<html>Please log in to the hotel's network</html>")
    with pytest.raises(errors.PackageDamaged):
        apt.header(path)


def test_a_package_file_says_its_name_version_and_architecture(package: Callable[..., Path]) -> None:
    header = apt.header(package("fieldkit-sample", version="2:1.0-3", architecture="arm64"))
    assert (header.name, header.version, header.architecture) == ("fieldkit-sample", "2:1.0-3", "arm64")


@pytest.mark.parametrize(("output", "kind"), COMPLAINTS)
def test_each_known_complaint_has_a_type_and_says_what_to_do(output: str, kind: type[FieldkitError]) -> None:
    error = apt.APT.recognise(output.splitlines())
    assert type(error) is kind
    assert error.hint is not None
    assert "{" not in f"{error} {error.hint}"
    assert "?" not in f"{error} {error.hint}"

# ruff: noqa: E501 (outputs as they are printed)
"""Installing Debian packages for real, and telling what went wrong."""

from __future__ import annotations

import fcntl
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldkit.driver import apt, apt_errors, errors
from fieldkit.errors import Cancelled, FieldkitError
from fieldkit.operator import Progress
from fieldkit.text import M

SAID = M("Install the packages.")

# What apt-get and dpkg print when something is wrong, and the error each is.
# fmt: off
COMPLAINTS = [
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
    ("E: Packages need to be removed but remove is disabled.", errors.WouldRemove),
    ("The following packages have unmet dependencies:\n x : Depends: y but it is not installable\nE: Unable to correct problems, you have held broken packages.", errors.DependenciesUnmet),
    ("E: Package 'x' has no installation candidate", errors.PackageUnknown),
    ("E: Sub-process /usr/bin/dpkg returned an error code (1)", errors.InstallFailed),
    ("", errors.InstallFailed),
]
# fmt: on

pytestmark = pytest.mark.skipif(not apt.available(), reason="needs apt")


def test_installed_packages_are_known_with_their_version_and_others_are_not() -> None:
    found = apt.installed(["dpkg", "fieldkit-no-such-package"])
    assert set(found) == {"dpkg"}
    assert found["dpkg"]


@pytest.mark.soak
def test_a_simulation_names_what_would_be_new_and_changes_nothing(trial: str) -> None:
    changes = apt.changes([trial])
    assert {package.name for package in changes.new} == {"coolkey", "libckyapplet1"}
    assert apt.installed([trial]) == {}


@pytest.mark.soak
def test_a_package_is_installed_with_progress_and_its_log_is_kept(trial: str, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "install.log"
    told: list[Progress] = []
    step = apt.install_step((), [trial], SAID)

    apt.carry_out(step, log, told.append)

    assert set(apt.installed([trial])) == {trial}
    assert [progress.done for progress in told] == sorted(progress.done for progress in told)
    assert told[-1].done == told[-1].total
    assert any("coolkey" in str(progress.text) for progress in told)
    assert step.command in log.read_text()
    apt.carry_out(apt.remove_step((), [trial, "libckyapplet1"]), log)
    assert apt.traces([trial, "libckyapplet1"]) == {}


def test_an_unknown_package_is_told_by_name() -> None:
    with pytest.raises(errors.PackageUnknown) as caught:
        apt.changes(["fieldkit-no-such-package"])
    assert caught.value.code == "package-unknown"
    assert "fieldkit-no-such-package" in str(caught.value)


@pytest.mark.soak
def test_a_script_that_fails_is_an_installation_that_failed(
    root_and_apt: None, package: Callable[..., Path], tmp_path: Path
) -> None:
    path = package("fieldkit-sample-broken", postinst="echo about to fail; exit 1")
    try:
        with pytest.raises(errors.InstallFailed) as caught:
            apt.carry_out(apt.install_step((), [str(path)], SAID), tmp_path / "log")
        assert "post-installation" in caught.value.detail
        assert apt.traces(["fieldkit-sample-broken"]) == {"fieldkit-sample-broken": "iF"}
    finally:
        subprocess.run(["dpkg", "--purge", "fieldkit-sample-broken"], capture_output=True)


def test_a_package_cut_short_is_told_as_damaged(
    root_and_apt: None, package: Callable[..., Path], tmp_path: Path
) -> None:
    path = package("fieldkit-sample-short")
    path.write_bytes(path.read_bytes()[:-2500])
    with pytest.raises(errors.PackageDamaged):
        apt.carry_out(apt.install_step((), [str(path)], SAID), tmp_path / "log")
    subprocess.run(["dpkg", "--purge", "fieldkit-sample-short"], capture_output=True)
    assert apt.traces(["fieldkit-sample-short"]) == {}


def test_a_file_that_is_no_package_is_told_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "page.deb"
    path.write_text("<html>Please log in to the hotel's network</html>")
    with pytest.raises(errors.PackageDamaged):
        apt.header(path)


def test_a_package_file_says_its_name_version_and_architecture(package: Callable[..., Path]) -> None:
    header = apt.header(package("fieldkit-sample", version="2:1.0-3", architecture="arm64"))
    assert (header.name, header.version, header.architecture) == ("fieldkit-sample", "2:1.0-3", "arm64")


@pytest.mark.soak
def test_breaking_off_while_dpkg_works_lets_it_finish(
    root_and_apt: None, package: Callable[..., Path], tmp_path: Path
) -> None:
    path = package("fieldkit-sample-slow", postinst="sleep 2")
    stop = threading.Event()

    def stop_when_unpacking(progress: Progress) -> None:
        if progress.done > 100:
            stop.set()

    try:
        with pytest.raises(Cancelled):
            apt.carry_out(
                apt.install_step((), [str(path)], SAID), tmp_path / "log", stop_when_unpacking, stop
            )
        assert apt.traces(["fieldkit-sample-slow"]) == {"fieldkit-sample-slow": "ii"}
    finally:
        subprocess.run(["dpkg", "--purge", "fieldkit-sample-slow"], capture_output=True)


def test_another_installer_at_work_is_told_with_its_process(root_and_apt: None, tmp_path: Path) -> None:
    step = apt.install_step((), ["dpkg"], SAID)
    impatient = apt.Step(
        step.said,
        tuple("DPkg::Lock::Timeout=0" if part.startswith("DPkg::Lock") else part for part in step.argv),
    )
    for _ in range(100):
        with open("/var/lib/dpkg/lock-frontend", "w") as lock:
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # a real one is at work: as good
                time.sleep(0.05)
                continue
            with pytest.raises(errors.InstallerBusy) as caught:
                apt.carry_out(impatient, tmp_path / "log")
            assert caught.value.hint is not None
            return
    pytest.skip("another installer was busy all the time")


@pytest.mark.parametrize(("output", "kind"), COMPLAINTS)
def test_each_known_complaint_has_a_type_and_says_what_to_do(output: str, kind: type[FieldkitError]) -> None:
    error = apt_errors.recognise(output.splitlines())
    assert type(error) is kind
    assert error.hint is not None
    assert "{" not in str(error)

# ruff: noqa: E501 (outputs as they are printed)
"""Makers' .rpm files, installed for real by rpm on a machine of the test's own that has no apt."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fieldkit.driver import errors
from fieldkit.driver.rpm import RpmInstaller
from fieldkit.errors import FieldkitError
from tests.driver.machine import Machine

LIBRARY = Path("/usr/lib/softhsm/libsofthsm2.so")
NAME = "fieldkit-sample-driver"
MODULE = "/opt/fieldkit-sample/module.so"
SPEC = """\
Name: {name}
Version: 1.0
Release: 1
Summary: a sample package made by a test
License: none
AutoReqProv: no
{requires}
%description
A sample.
%files
/opt/fieldkit-sample
"""

pytestmark = pytest.mark.skipif(
    shutil.which("rpmbuild") is None or not LIBRARY.exists(), reason="needs rpm, rpmbuild and softhsm2"
)


@pytest.fixture
def without_apt(machine: Machine) -> Machine:
    """A machine whose packages are rpm's."""
    machine.run("rm", "/usr/bin/apt-get")
    return machine


@pytest.fixture
def package(machine: Machine) -> Callable[..., Path]:
    """Builds a real .rpm with a module that loads."""

    def build(requires: str = "", module: bytes = LIBRARY.read_bytes()) -> Path:
        top = machine.folder / "rpmbuild"
        files = top / "root" / "opt/fieldkit-sample"
        files.mkdir(parents=True)
        (files / "module.so").write_bytes(module)
        spec = top / "sample.spec"
        spec.write_text(SPEC.format(name=NAME, requires=requires))
        subprocess.run(
            ["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {top}", "--buildroot", top / "root", spec],
            check=True,
            capture_output=True,
        )
        (made,) = top.glob("RPMS/*/*.rpm")
        return made.rename(machine.folder / "driver.rpm")

    return build


def bring(machine: Machine, path: Path, **more: Any) -> dict[str, Any]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    file = {"file": path.name, "sha256": digest, "architecture": "any"} | more
    return machine.bring(file={"rpm": file}, module=MODULE, files=[str(path)], network=False)


def test_a_makers_rpm_is_installed_with_progress_and_proved(
    without_apt: Machine, package: Callable[..., Path]
) -> None:
    outcome = bring(without_apt, package())
    assert outcome["verdict"] == "pass", outcome
    assert outcome["facts"]["installed"] == "now"
    assert "rpm --upgrade" in outcome["commands"][0]
    assert 100 in outcome["progress"]
    assert without_apt.run("rpm", "-q", NAME).stdout.startswith(NAME)


def test_what_an_rpm_needs_and_is_not_there_is_named(
    without_apt: Machine, package: Callable[..., Path]
) -> None:
    error = bring(without_apt, package(requires="Requires: pcsc-lite"))["error"]
    assert error["code"] == "dependencies-unmet"
    assert "pcsc-lite" in error["message"]
    assert without_apt.run("rpm", "-q", NAME).returncode != 0


def test_an_rpm_whose_module_does_not_load_goes_again(
    without_apt: Machine, package: Callable[..., Path]
) -> None:
    error = bring(without_apt, package(module=b"broken"))["error"]
    assert error["code"] == "module-unproved"
    assert NAME in error["unchanged"]
    assert without_apt.run("rpm", "-q", NAME).returncode != 0


def test_an_rpm_cut_short_is_told_as_damaged(without_apt: Machine, package: Callable[..., Path]) -> None:
    path = package()
    path.write_bytes(path.read_bytes()[:-5000])
    error = bring(without_apt, path)["error"]
    assert error["code"] == "package-damaged", error
    assert without_apt.run("rpm", "-q", NAME).returncode != 0


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ("error: Failed dependencies:\n\tpcsc-lite >= 1.8 is needed by x-1.0-1.x86_64", errors.DependenciesUnmet),
        ("error: can't create transaction lock on /var/lib/rpm/.rpm.lock (Permission denied)", errors.NoRights),
        ("error: can't create transaction lock on /x (Resource temporarily unavailable)", errors.InstallerBusy),
        ("installing package x-1.0-1.x86_64 needs 12MB more space on the / filesystem", errors.NoSpace),
        ("package x-1.0-1.aarch64 is intended for a different architecture", errors.PackageForeign),
        ("error: x.rpm: not an rpm package (or package manifest)", errors.PackageDamaged),
        ("error: something nobody has seen", errors.InstallFailed),
    ],
)  # fmt: skip
def test_each_known_complaint_of_rpm_has_a_type(output: str, kind: type[FieldkitError]) -> None:
    error = RpmInstaller().recognise(output.splitlines())
    assert type(error) is kind
    assert "{" not in f"{error} {error.hint}"

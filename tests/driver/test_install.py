"""From a profile to an installed driver: planned, carried out for real, undone when it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from fieldkit.driver import apt, errors, install, rights, services
from fieldkit.driver.plan import plan
from fieldkit.driver.steps import DriverPlan
from fieldkit.profile.driver import Apt, Conflict, Driver
from fieldkit.profile.model import Module, Modules, PinPolicy, TokenProfile
from fieldkit.text import M, Words

pytestmark = pytest.mark.skipif(not apt.available(), reason="needs apt")


def profile(*packages: str, module: str = "/nowhere.so", least: dict[str, str] | None = None) -> TokenProfile:
    return TokenProfile(
        id="trial",
        title=Words("Thử", "Trial"),
        known="hypothesis",
        modules=Modules(),
        driver=Driver(apt=(Apt(packages, module, least=least or {}),)),
        pin_policy=PinPolicy(),
    )


def test_what_is_installed_already_is_recognised_and_nothing_would_run() -> None:
    made = plan(profile("dpkg"))
    assert made.done
    assert [package.name for package in made.present] == ["dpkg"]
    assert made.shown().commands == ()


def test_a_version_that_is_too_old_is_not_enough(package: Callable[..., Path]) -> None:
    with pytest.raises(errors.PackageUnknown):  # the kit has no newer one
        plan(profile("dpkg", least={"dpkg": "999"}), [package("fieldkit-sample-other")])


@pytest.mark.parametrize("name", ["-oDir::Bin::apt-key=x", "./evil.deb", "/x/evil.deb", "dpkg-"])
def test_what_is_no_name_of_a_package_never_reaches_apt(tmp_path: Path, name: str) -> None:
    evil = tmp_path / "dpkg"
    evil.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    evil.chmod(0o755)
    for profile_ in (profile(name), profile(f"-oDir::Bin::dpkg={evil}"), profile("dpkg", name)):
        with pytest.raises(errors.PackageUnknown):
            plan(profile_)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("unit", ["/x/evil.service", "--root=/x", "pcscd"])
def test_what_is_no_name_of_a_unit_is_never_started(unit: str) -> None:
    with pytest.raises(errors.NoDriver):
        services.start_steps((), [unit])


def test_without_rights_the_commands_for_an_administrator_are_handed_over(tmp_path: Path) -> None:
    step = apt.install_step((), ["coolkey"], M("Install."))
    made = DriverPlan("trial", M("Trial"), steps=(step,), prefix=None, by_hand=apt.by_hand(["coolkey"]))
    with pytest.raises(errors.NoRights) as caught:
        install.install(made, tmp_path)
    assert caught.value.data["commands"] == ["sudo apt-get install --no-install-recommends coolkey"]
    assert list(tmp_path.iterdir()) == []


def test_an_account_without_rights_knows_it(root_and_apt: None) -> None:
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c",
         f"cd / && {sys.executable} -c 'from fieldkit.driver import rights; print(rights.prefix())'"],
        capture_output=True, text=True, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    if done.returncode:
        pytest.skip("the checkout cannot be read by another account")
    assert done.stdout.strip() == "None"


def test_a_kit_for_another_processor_is_told_as_such(package: Callable[..., Path]) -> None:
    other = "arm64" if apt.architecture() != "arm64" else "amd64"
    with pytest.raises(errors.PackageForeign) as caught:
        plan(profile("fieldkit-sample-foreign"), [package("fieldkit-sample-foreign", architecture=other)])
    assert other in str(caught.value)


def test_a_kit_without_the_package_is_told_as_such(package: Callable[..., Path]) -> None:
    with pytest.raises(errors.PackageUnknown):
        plan(profile("fieldkit-sample-absent"), [package("fieldkit-sample-other")])


def test_what_may_disturb_the_driver_is_said_before_consent_is_asked(package: Callable[..., Path]) -> None:
    plain = profile("fieldkit-sample-alone")
    words = Words("Không dùng chung.", "They do not go together.")
    driver = msgspec.structs.replace(plain.driver, conflicts=(Conflict("package", "dpkg", words),))
    made = plan(msgspec.structs.replace(plain, driver=driver), [package("fieldkit-sample-alone")])
    assert [finding.severity for finding in made.warnings] == ["warning"]
    assert any("dpkg" in str(line) and "disturb" in str(line) for line in made.shown().steps)


def test_a_profile_without_a_driver_for_this_system_says_so() -> None:
    empty = TokenProfile("none", Words("", ""), "hypothesis", Modules(), Driver(), PinPolicy())
    with pytest.raises(errors.NoDriver):
        plan(empty)


def test_a_driver_that_was_installed_by_hand_is_there_though_the_profile_installs_none() -> None:
    libc = os.path.realpath(next(Path("/lib").glob("*-linux-gnu/libc.so.6")))
    modules = Modules(linux=(Module(libc, "hypothesis"),))
    made = plan(TokenProfile("by-hand", Words("", ""), "hypothesis", modules, Driver(), PinPolicy()))
    assert made.done
    assert [package.name for package in made.present] == [libc]


def test_an_administrator_needs_nobody(root_and_apt: None) -> None:
    assert rights.prefix() == ()

"""The demo plays people, and never agrees in their place to what is installed on the machine."""

from __future__ import annotations

import pytest

from tests.driver.machine import Machine

PACKAGES = ("softhsm2", "libsofthsm2", "softhsm2-common")


@pytest.fixture
def bare(connected: Machine) -> Machine:
    """A machine without the software token, and with package lists that have it."""
    connected.run("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "purge", "--yes", *PACKAGES)
    assert {connected.state(name) for name in PACKAGES} == {""}
    return connected


def test_without_anybody_to_agree_nothing_is_installed_and_what_would_run_is_said(bare: Machine) -> None:
    ran = bare.fieldkit("demo", "--headless", "--json")
    assert (ran.status, ran.error["code"]) == (3, "not-consented"), ran.err
    assert "apt-get install" in ran.error["detail"]
    assert bare.state("softhsm2") == ""


def test_agreed_to_in_advance_the_driver_comes_and_the_visit_goes_on(bare: Machine) -> None:
    if bare.run("apt-get", "download", "--print-uris", "softhsm2").returncode:
        pytest.skip("the package lists have no softhsm2")
    ran = bare.fieldkit("demo", "--headless", "--json", "--yes")
    assert ran.status == 0, ran.err + ran.out
    assert bare.state("softhsm2") == "ii"
    assert ran.result["record"]

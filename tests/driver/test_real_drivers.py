"""The shipped drivers of Debian, on a machine without them: from the network, and offline from files."""

from __future__ import annotations

import pytest

from tests.driver.machine import Machine

OURS = ("opensc", "opensc-pkcs11", "pcscd", "libccid", "softhsm2", "libsofthsm2", "vsmartcard-vpcd")
MODULES = {
    "opensc": "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so",
    "softhsm2": "/usr/lib/softhsm/libsofthsm2.so",
}

pytestmark = pytest.mark.soak


@pytest.fixture
def bare(connected: Machine) -> Machine:
    """A machine without any of the drivers."""
    connected.run("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "purge", "--yes", *OURS)
    assert {connected.state(name) for name in OURS} == {""}
    if connected.run("apt-get", "download", "--print-uris", "softhsm2").returncode:
        pytest.skip("the package lists have no softhsm2")
    return connected


@pytest.mark.parametrize("profile", sorted(MODULES))
def test_a_driver_comes_from_the_network_and_its_module_loads(bare: Machine, profile: str) -> None:
    outcome = bare.bring(profile=profile)
    assert outcome.get("verdict") == "pass", outcome
    assert (outcome["facts"]["module"], outcome["facts"]["installed"]) == (MODULES[profile], "now")
    assert 200 in outcome["progress"]
    assert bare.fieldkit("driver", "install", profile, "--json").result["installed"] == "already"


@pytest.mark.parametrize("profile", sorted(MODULES))
def test_a_driver_comes_from_files_without_a_network_and_its_module_loads(
    bare: Machine, profile: str
) -> None:
    wanted = {"opensc": "pcscd libccid opensc", "softhsm2": "softhsm2"}[profile]
    options = f"--download-only --yes --no-install-recommends -o Dir::Cache::archives={bare.folder}"
    done = bare.run("sh", "-c", f"mkdir {bare.folder}/partial && apt-get install {options} {wanted}")
    files = [str(path) for path in bare.folder.glob("*.deb")]
    assert files, done.stderr
    bare.run("sh", "-c", "rm -rf /var/lib/apt/lists/*; apt-get clean")

    outcome = bare.bring(profile=profile, files=files, network=False)

    assert outcome.get("verdict") == "pass", outcome
    assert (outcome["facts"]["module"], outcome["facts"]["installed"]) == (MODULES[profile], "now")
    assert "from the kit" in " ".join(outcome["steps"])

"""Real surroundings for drivers: Debian packages made here, installed here, and a virtual reader."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from fieldkit.driver import pcsc
from tests.driver.machine import Machine

# A small package with a PKCS#11 module that nothing on a test machine needs.
SIMPLE = "p11-kit-modules"
SIMPLE_MODULE = "/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-trust.so"
# What tests install from the network, and so must not find on the machine they run on.
BROUGHT = (SIMPLE, "coolkey", "libckyapplet1")


@pytest.fixture
def root_and_apt() -> None:
    """Skips where packages cannot be installed for real."""
    if os.name == "nt" or os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip("needs root and apt")


@pytest.fixture
def machine(connected: Machine) -> Machine:
    """A machine of the test's own that never had a network: without package lists, nothing downloaded."""
    connected.run("sh", "-c", "rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb")
    return connected


@pytest.fixture
def connected(root_and_apt: None, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine of the test's own; `machine_size` marks how much can be written to it."""
    marked = request.node.get_closest_marker("machine_size")
    made = Machine(tmp_path, marked.args[0] if marked is not None else "512m")
    try:
        if not made.works:
            pytest.skip("this system gives no mount namespace or overlay to work in")
        made.without(*BROUGHT)
        made.run("rm", "-f", "/etc/apt/apt.conf.d/docker-clean")  # images' apt reads its lists anew each time
        yield made
    finally:
        made.close()


@pytest.fixture
def package(tmp_path: Path) -> Callable[..., Path]:
    """Builds a real .deb: `package(name, architecture=…, depends=…, postinst=…)` gives its path.

    payload: a file it brings as /usr/share/NAME/module.so. size: of another file in it, in bytes.
    """
    if shutil.which("dpkg-deb") is None:
        pytest.skip("needs dpkg-deb")

    def build(
        name: str,
        *,
        version: str = "1.0",
        architecture: str = "all",
        depends: str = "",
        conffile: str = "",
        payload: Path | None = None,
        size: int = 4096,
        **scripts: str,
    ) -> Path:
        folder = tmp_path / "packages" / f"{name}-{version}"
        control = folder / "DEBIAN"
        control.mkdir(parents=True)
        fields = {
            "Package": name,
            "Version": version,
            "Architecture": architecture,
            "Maintainer": "Sample <sample@example.org>",
            "Description": "a sample package made by a test",
        } | ({"Depends": depends} if depends else {})
        (control / "control").write_text("".join(f"{key}: {value}\n" for key, value in fields.items()))
        for kind, text in scripts.items():
            script = control / kind
            script.write_text(f"#!/bin/sh\n{text}\n")
            script.chmod(0o755)
        share = folder / "usr/share" / name
        share.mkdir(parents=True)
        (share / "payload").write_bytes(os.urandom(size))
        if payload is not None:
            shutil.copyfile(payload, share / "module.so")
        if conffile:
            (control / "conffiles").write_text(conffile + "\n")
            (folder / conffile.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            (folder / conffile.lstrip("/")).write_text("setting = 1\n")
        made = tmp_path / f"{name}_{version}_{architecture}.deb"
        subprocess.run(
            ["dpkg-deb", "-Znone", "--build", str(folder), str(made)], check=True, capture_output=True
        )
        return made

    return build


@pytest.fixture
def with_card(root_and_apt: None, tmp_path: Path) -> Callable[..., str]:
    """Puts a card with this ATR into a virtual reader of a real pcscd, runs a command, gives its output."""
    if shutil.which("pcscd") is None or not Path("/etc/reader.conf.d/vpcd").is_file():
        pytest.skip("needs pcscd and vsmartcard-vpcd")
    if subprocess.run(["unshare", "-mn", "true"], capture_output=True).returncode:
        pytest.skip("needs namespaces of its own")
    # A /run and a loopback device of their own: the machine's pcscd and its ports are not touched.
    up = "import fcntl,socket,struct as s;fcntl.ioctl(socket.socket(),0x8914,s.pack('16sh',b'lo',0x41))"
    script = f'''
        {sys.executable} -c "{up}"
        mount -t tmpfs tmpfs /run && mkdir /run/pcscd
        pcscd -f >{tmp_path}/pcscd.log 2>&1 & service=$!
        while [ ! -S /run/pcscd/pcscd.comm ]; do sleep 0.05; done
        {sys.executable} {Path(__file__).with_name("card.py")} "$@"; kill $service
    '''

    def run(atr: str, *command: str) -> str:
        done = subprocess.run(
            ["unshare", "-mn", "sh", "-c", script, "sh", atr, *command],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0 or done.stdout, done.stderr
        return done.stdout

    return run


@pytest.fixture
def read_card(with_card: Callable[..., str]) -> Callable[[str], pcsc.Readers]:
    """Puts a card with this ATR into a virtual reader; gives what PC/SC shows of it."""
    return lambda atr: msgspec.json.decode(with_card(atr), type=pcsc.Readers)

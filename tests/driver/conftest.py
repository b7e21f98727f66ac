"""Real surroundings for drivers: Debian packages made here, installed here, and a virtual reader."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from fieldkit.driver import pcsc

# Small packages with a PKCS#11 module that nothing on a test machine needs.
TRIAL, TRIAL_LIBRARY = "coolkey", "libckyapplet1"
SIMPLE = "p11-kit-modules"
SIMPLE_MODULE = "/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-trust.so"
OURS = (TRIAL, TRIAL_LIBRARY, SIMPLE)
LOCK = Path("/run/lock/fieldkit-tests-apt.lock")


@pytest.fixture
def root_and_apt() -> None:
    """Skips where packages cannot be installed for real."""
    if os.name == "nt" or os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip("needs root and apt")


@pytest.fixture
def trial(root_and_apt: None) -> Iterator[str]:
    """The name of a real package, not installed before nor after; one test at a time has it."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if any(
            subprocess.run(["dpkg", "--status", name], capture_output=True).returncode == 0 for name in OURS
        ):
            pytest.skip(f"one of {OURS} is installed on this machine and stays")
        if subprocess.run(["apt-get", "install", "--simulate", TRIAL], capture_output=True).returncode:
            pytest.skip(f"the package lists do not have {TRIAL}")
        try:
            yield TRIAL
        finally:
            subprocess.run(
                ["apt-get", "purge", "--yes", "-o", "DPkg::Lock::Timeout=60", *OURS],
                capture_output=True,
                env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            )


@pytest.fixture
def package(tmp_path: Path) -> Callable[..., Path]:
    """Builds a real .deb: `package(name, architecture=…, depends=…, postinst=…)` gives its path."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("needs dpkg-deb")

    def build(
        name: str, *, version: str = "1.0", architecture: str = "all", depends: str = "", postinst: str = ""
    ) -> Path:
        folder = tmp_path / "packages" / name
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
        if postinst:
            script = control / "postinst"
            script.write_text(f"#!/bin/sh\n{postinst}\n")
            script.chmod(0o755)
        (folder / "usr/share" / name).mkdir(parents=True)
        (folder / "usr/share" / name / "payload").write_bytes(os.urandom(4096))
        made = tmp_path / f"{name}_{version}_{architecture}.deb"
        subprocess.run(["dpkg-deb", "--build", str(folder), str(made)], check=True, capture_output=True)
        return made

    return build


@pytest.fixture
def read_card(root_and_apt: None, tmp_path: Path) -> Callable[[str], pcsc.Readers]:
    """Puts a card with this ATR into a virtual reader of a real pcscd; gives what PC/SC shows of it."""
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
        {sys.executable} {Path(__file__).with_name("card.py")} "$1"; kill $service
    '''

    def read(atr: str) -> pcsc.Readers:
        done = subprocess.run(
            ["unshare", "-mn", "sh", "-c", script, "sh", atr], capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0 or done.stdout, done.stderr
        return msgspec.json.decode(done.stdout, type=pcsc.Readers)

    return read

"""A pcscd of the test's own with a virtual reader: own socket, own port, the machine's is not touched."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

DRIVER = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"


@contextlib.contextmanager
def virtual_reader(folder: Path) -> Iterator[tuple[str, int]]:
    """The path of pcscd's socket (for PCSCLITE_CSOCK_NAME), and the port of the reader."""
    if os.geteuid() != 0 or shutil.which("pcscd") is None or not os.path.isfile(DRIVER):
        pytest.skip("needs root, pcscd and vsmartcard-vpcd")
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("needs a mount namespace of its own")
    run, configuration, port = folder / "run", folder / "readers", _free_port()
    run.mkdir(parents=True)
    configuration.mkdir()
    (configuration / "vpcd").write_text(
        f'FRIENDLYNAME "Virtual PCD"\nDEVICENAME /dev/null:{port:#x}\nLIBPATH {DRIVER}\nCHANNELID {port:#x}\n'
    )
    script = 'mkdir -p /run/pcscd && mount --bind "$1" /run/pcscd && exec pcscd -f -c "$2"'
    with (folder / "pcscd.log").open("wb") as log:
        service = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", script, "sh", run, configuration], stdout=log, stderr=log
        )
    try:
        path = run / "pcscd.comm"
        end = time.monotonic() + 20
        while not (path.exists() and _open(port)):
            if service.poll() is not None or time.monotonic() > end:
                pytest.fail((folder / "pcscd.log").read_text())
            time.sleep(0.02)
        yield str(path), port
    finally:
        service.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            service.wait(5)
        if service.poll() is None:
            service.kill()
            service.wait()


def _free_port() -> int:
    """A port that is free, and so is the next: the driver opens one for each of its two slots.

    Below those that systems give out by themselves, and by this process's number: other tests run beside it.
    """
    for attempt in range(6000):
        port = 20000 + 2 * ((os.getpid() + attempt) % 6000)
        with socket.socket() as first, socket.socket() as second, contextlib.suppress(OSError):
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 1))
            return port
    raise OSError("no port is free")


def _open(port: int) -> bool:
    """Somebody listens there; looked up, since a connection would be a card."""
    wanted = f":{port:04X} 00000000:0000 0A"
    return any(wanted in line for line in Path("/proc/net/tcp").read_text().splitlines())

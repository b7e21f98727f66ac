"""Over a real SSH connection: the screens work, and nothing that costs bytes for show is switched on."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldkit import settings
from fieldkit.home import Home
from fieldkit.settings import Settings
from tests.accounts import sitecustomize
from tests.conftest import python_path
from tests.tui.terminal import Pty

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
MOUSE, BLINK = (b"?1000h", b"?1002h", b"?1003h"), b"\x1b[5m"


@pytest.fixture
def login(tmp_path: Path) -> Iterator[list[str]]:
    """An SSH server of the test's own on loopback; the client's command up to the remote command."""
    if SSHD is None or os.geteuid() != 0:
        pytest.skip("needs sshd and root: the privilege separation folder is root's")
    keys = tmp_path / "ssh"
    keys.mkdir(mode=0o700)
    for name in ("host", "client"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name], check=True)
    (keys / "authorized").write_bytes((keys / "client.pub").read_bytes())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (keys / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {keys}/host\nAuthorizedKeysFile {keys}/authorized\n"
        f"StrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", keys / "sshd_config"], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while socket.socket().connect_ex(("127.0.0.1", port)) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield [
            "ssh", "-tt", "-q", "-F", "/dev/null", "-i", f"{keys}/client", "-p", str(port),
            "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={keys}/known",
            f"{getpass.getuser()}@127.0.0.1",
        ]  # fmt: skip
    finally:
        server.terminate()
        server.wait()


def accounts_of_the_test() -> str:
    """What a login does not hand on of the environment, as a shell sets it."""
    accounts = os.environ[sitecustomize.VARIABLE]
    return f"PYTHONPATH={python_path(os.getcwd())} {sitecustomize.VARIABLE}={accounts}"


def test_the_screens_over_ssh_without_mouse_or_animation_in_either_language(
    login: list[str], home: Home
) -> None:
    settings.save(home, Settings(who="Trần Kỹ Thuật"))
    program = f"LANG=C.UTF-8 {accounts_of_the_test()} FIELDKIT_HOME={home.path} {sys.executable} -m fieldkit"
    client = f"import os; os.execvp('ssh', {[*login, program]!r})"
    with Pty(["-c", client]) as terminal:
        terminal.wait_for("Chuyến mới")
        terminal.send(b"n")
        terminal.wait_for("MAU-01")
        terminal.send(b"\x1b")
        terminal.settle()
        terminal.send(b"\x1bOQ")  # F2
        terminal.wait_for("N New visit")
        before = terminal.received
        terminal.settle(1.5)
        assert terminal.received == before, "nothing is sent while nobody does anything"
        assert not any(sequence in terminal.raw for sequence in MOUSE)
        assert BLINK not in terminal.raw
        terminal.send(b"\x11")
        assert terminal.wait_end() == 0


def test_a_dropped_connection_ends_the_program_and_keeps_what_was_typed(login: list[str], home: Home) -> None:
    settings.save(home, Settings(who="Trần Kỹ Thuật"))
    environment = f"LANG=C.UTF-8 {accounts_of_the_test()} FIELDKIT_HOME={home.path} FIELDKIT_LANG=en"
    started = subprocess.run(
        [sys.executable, "-m", "fieldkit", "visit", "start", "--bureau", "MAU-01", "--checklist", "handover"],
        env=os.environ | {"FIELDKIT_HOME": str(home.path)},
        capture_output=True,
    )
    assert started.returncode == 0
    client = f"import os; os.execvp('ssh', {[*login, f'{environment} {sys.executable} -m fieldkit']!r})"
    with Pty(["-c", client]) as terminal:
        terminal.wait_for("1 visit(s) in this store.")
        terminal.send(b"\r")
        terminal.wait_for("required items settled.")
        terminal.send(*[b"\x1b[B"] * 7)
        terminal.wait_for("A number, for example")
        terminal.send(b"\r")
        terminal.settle()
        terminal.send(b"4", b"2")
        terminal.wait_for("draft, not saved")
        terminal.hang_up()
    with Pty(["-m", "fieldkit"], {"FIELDKIT_HOME": str(home.path), "FIELDKIT_LANG": "en"}) as terminal:
        terminal.wait_for("1 visit(s) in this store.")
        terminal.send(b"\r")
        terminal.wait_for("draft")

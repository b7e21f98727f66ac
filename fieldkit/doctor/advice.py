"""What to type on this system: the same advice is another command on another one."""

from __future__ import annotations

import sys

from fieldkit.driver import services
from fieldkit.text import M, Message


def start_readers() -> Message:
    """How the reader service is started."""
    if sys.platform == "win32":
        return M("Windows starts it when a reader is plugged in; else start the service SCardSvr.")
    if sys.platform == "darwin":
        return M("macOS starts it when a reader is plugged in; else restart this Mac.")
    if services.SYSTEMD.is_dir():
        return M("Run: sudo systemctl enable --now pcscd.socket")
    return M("Run: sudo pcscd")


def restart_readers() -> Message:
    """How the reader service is started anew."""
    if sys.platform.startswith("linux") and services.SYSTEMD.is_dir():
        return M("Restart it (sudo systemctl restart pcscd), then plug the token in again.")
    return M("Pull the token, restart this machine, then plug the token in again.")

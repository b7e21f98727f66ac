"""Which system this is, in a name for people and in the words profiles use for it."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path


def described() -> str:
    """The system's name for people: "Debian GNU/Linux 12 (bookworm)", "Windows 11 …"."""
    if os.name == "nt":
        return f"Windows {platform.release()} {platform.version()}"
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    return _os_release().get("PRETTY_NAME") or platform.system()


def family() -> tuple[str, ...]:
    """The ids of os-release that this distribution answers to, its own first: ("ubuntu", "debian")."""
    fields = _os_release()
    return tuple(f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".lower().split())


def release() -> str:
    """This distribution and its release, as a kit's folders are named: "debian-12"."""
    fields = _os_release()
    return "-".join(filter(None, (fields.get("ID", "linux"), fields.get("VERSION_ID", ""))))


def _os_release() -> dict[str, str]:
    for path in (Path("/etc/os-release"), Path("/usr/lib/os-release")):
        try:
            lines = path.read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
        pairs = (line.partition("=") for line in lines if "=" in line)
        return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}
    return {}

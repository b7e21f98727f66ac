"""Forms of names in a profile that installers and the service manager are told: nothing else can be meant.

apt, rpm and systemctl take options, paths and addresses in the place of names; a profile may not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath, PureWindowsPath

ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
# Debian Policy 5.6.1 and 5.6.12; apt takes a name that ends in "-" for one to remove
PACKAGE = re.compile(r"[a-z0-9](?:[a-z0-9+.-]{0,126}[a-z0-9+.])?")
VERSION = re.compile(r"(?:[0-9]{1,9}:)?[0-9][A-Za-z0-9.+~-]{0,126}")
# systemd.unit(5): never a path, never an option
UNIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_.@\\-]{0,240}\.(?:service|socket|target|timer|path)")
RPM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,126}")
SERVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 _.@-]{0,240}")
FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 _.,+~()-]{0,126}")
# where on Windows only an administrator can put a file: elsewhere any account may make the folder
PROTECTED = (r"c:\windows", r"c:\program files", r"c:\program files (x86)")


def is_posix_path(path: str) -> bool:
    """`path` leads to a file from the root on, without going up again."""
    parts = PurePosixPath(path).parts
    return path.startswith("/") and not path.startswith("//") and ".." not in parts and path.isprintable()


def is_windows_path(path: str) -> bool:
    """`path` leads to a file where only an administrator can put one."""
    whole = PureWindowsPath(path)
    return (
        ".." not in whole.parts
        and path.isprintable()
        and any(whole.is_relative_to(PureWindowsPath(place)) for place in PROTECTED)
    )


PATHS: dict[str, Callable[[str], bool]] = {
    "linux": is_posix_path,
    "macos": is_posix_path,
    "windows": is_windows_path,
}

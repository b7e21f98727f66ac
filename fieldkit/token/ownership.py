"""Who besides this account and the system's own may change a file: a module is code, and is given PINs."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

SYSTEM_FOLDERS = ("SystemRoot", "ProgramFiles", "ProgramFiles(x86)", "ProgramW6432")


def changeable_by_others(path: Path) -> Path | None:
    """The part of `path` that others may write or replace: the file, or a folder above it; else None.

    :raises OSError: it cannot be looked at.
    """
    real = path.resolve(strict=True)
    if sys.platform == "win32":
        safe = [Path(folder) for name in SYSTEM_FOLDERS if (folder := os.environ.get(name))]
        return None if any(real.is_relative_to(folder) for folder in safe) else real.parent
    for place in (real, *real.parents):
        if _open(place.stat(), place):
            return place
    return None


def _open(found: os.stat_result, place: Path) -> bool:
    if found.st_uid not in (0, os.geteuid()):
        return True
    if stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX:
        return False  # others may add to it, and change only what is theirs
    if found.st_mode & stat.S_IWOTH:
        return True
    return bool(found.st_mode & stat.S_IWGRP) and _shared(found.st_gid, place)


def _shared(group: int, place: Path) -> bool:
    """Somebody else is in the group, as far as this machine says."""
    if group == 0:
        return False
    import grp
    import pwd

    if hasattr(os, "listxattr") and "system.posix_acl_access" in os.listxattr(place):
        return True
    own = {"root", pwd.getpwuid(os.geteuid()).pw_name}
    try:
        members = set(grp.getgrgid(group).gr_mem)
    except KeyError:
        return True
    return not members <= own or any(
        each.pw_gid == group and each.pw_name not in own for each in pwd.getpwall()
    )

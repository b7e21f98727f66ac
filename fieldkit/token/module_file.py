"""Whether a module's file may be loaded: it is code, and is given PINs. None is loaded to find out."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import NamedTuple

from fieldkit.text import M, Message
from fieldkit.token import errors, library

SPY = b"PKCS11SPY_OUTPUT"  # what OpenSC's pkcs11-spy asks its environment for, whatever its file is called
SPY_SIZE = 1024 * 1024  # bytes looked at: it is a small library
SYSTEM_FOLDERS = ("SystemRoot", "ProgramFiles", "ProgramFiles(x86)", "ProgramW6432")


class Unusable(NamedTuple):
    """Why a module's file is not loaded, and what to do."""

    message: Message
    hint: Message | None = None
    detail: str = ""


def inspect(module: str, *, named: bool = False) -> None:
    """Look at a module's file before anything loads it. named: the person named it.

    :raises ModuleMissing: it is not there. :raises ModuleUnusable: this machine cannot, or must not, load it.
    """
    try:
        reason = unusable(module, named=named)
    except FileNotFoundError:
        raise errors.ModuleMissing(
            M("The module {module} is not there.", module=module),
            hint=M("Install the token's driver (`fieldkit driver detect`)."),
            module=module,
        ) from None
    if reason is not None:
        raise errors.ModuleUnusable(reason.message, hint=reason.hint, detail=reason.detail, module=module)


def unusable(module: str, *, named: bool = False) -> Unusable | None:
    """Why this machine cannot, or must not, load a module; None if nothing speaks against it.

    :raises FileNotFoundError: it is not there.
    """
    path = Path(module)
    name = path.name
    try:
        file_header = library.read_header(path)
        with path.open("rb") as file:
            spies = "pkcs11-spy" in path.resolve().name or SPY in file.read(SPY_SIZE)
        # of a folder of one's own Windows does not say here who else may write
        open_to = None if named and sys.platform == "win32" else changeable_by_others(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        return Unusable(
            M("The module {module} cannot be read.", module=module),
            M("Check the rights of the file."),
            error.strerror or "",
        )
    if open_to is not None:
        return Unusable(
            M(
                "The module {module} is not used: others may change {place}.",
                module=module,
                place=str(open_to),
            ),
            M("Have an administrator install it where only the system may write."),
            str(open_to),
        )
    if spies:
        return Unusable(M("The module {module} writes PINs into a log and is not used.", module=name))
    if file_header.format != library.own_format():
        return Unusable(
            M("The file {module} is not a library of this system.", module=module),
            M("Give the path of the driver's PKCS#11 module."),
            str(file_header),
        )
    if not file_header.fits:
        return Unusable(
            M(
                "The module {module} is for another kind of machine ({found}); this one needs {wanted}.",
                module=name,
                found=f"{'/'.join(file_header.machines)}, {file_header.bits} bit",
                wanted=f"{library.own_machine()}, {library.own_bits()} bit",
            ),
            M("Install the {bits}-bit driver.", bits=library.own_bits()),
            str(file_header),
        )
    return None


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


def _open(status: os.stat_result, place: Path) -> bool:
    if status.st_uid not in (0, os.geteuid()):
        return True
    if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX:
        return False  # others may add to it, and change only what is theirs
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and _shared(status.st_gid, place)


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
        account.pw_gid == group and account.pw_name not in own for account in pwd.getpwall()
    )

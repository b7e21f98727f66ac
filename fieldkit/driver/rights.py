"""How this process may act as administrator: it is one, or it asks sudo or pkexec.

No password is asked for here: sudo counts only while it lets us in without one, pkexec asks by
a window of its own. Without either, a person with rights is given the commands.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence

from fieldkit import program
from fieldkit.driver.errors import NoRights
from fieldkit.text import M

Prefix = tuple[str, ...]


def prefix(environment: Mapping[str, str] | None = None) -> Prefix | None:
    """What stands before a command to run it as administrator; None where there is no way."""
    if os.name == "nt":
        return () if _windows_administrator() else None
    if os.geteuid() == 0:
        return ()
    if shutil.which("sudo") and program.run(("sudo", "-n", "true"), timeout=5).status == 0:
        return ("sudo", "-n")
    seen = os.environ if environment is None else environment
    if shutil.which("pkexec") and (seen.get("DISPLAY") or seen.get("WAYLAND_DISPLAY")):
        return ("pkexec",)
    return None


def missing(commands: Sequence[str]) -> NoRights:
    """The error that hands `commands` to an administrator."""
    if os.name == "nt":
        hint = M(
            "Start the terminal with “Run as administrator”; or have an administrator run the commands shown."
        )
    elif shutil.which("sudo"):
        hint = M("Run `sudo -v`, then this again; or have an administrator run the commands shown.")
    else:
        hint = M("Have an administrator run the commands shown, then run this again.")
    return NoRights(
        M("Installing needs an administrator's rights, and this account has none."),
        unchanged=M("Nothing was installed."),
        hint=hint,
        detail="\n".join(commands),
        commands=list(commands),
    )


def _windows_administrator() -> bool:
    """The administrators' group is in force for this process, not only a group of the account's."""
    import ctypes

    security = getattr(ctypes, "windll").advapi32  # noqa: B009 (there on Windows only)
    group, size = ctypes.create_string_buffer(68), ctypes.c_ulong(68)
    security.CreateWellKnownSid(26, None, group, ctypes.byref(size))  # WinBuiltinAdministratorsSid
    member = ctypes.c_int()
    security.CheckTokenMembership(None, group, ctypes.byref(member))
    return bool(member.value)

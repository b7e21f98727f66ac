"""What some kinds of token want done in a way of their own; a token's profile names them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from fieldkit.profile.model import TokenProfile

STYLE = "user_pin_unblock_style"
SYSTEM = {"darwin": Path("/Library/OpenSC/etc/opensc.conf")}
LINUX = Path("/etc/opensc/opensc.conf")
BLOCK = """
app opensc-pkcs11 {
	pkcs11 {
		# C_SetPIN without a login then takes the PUK and a new PIN.
		user_pin_unblock_style = set_pin_in_unlogged_session;
	}
}
"""


def opensc_configuration(folder: Path) -> dict[str, str]:
    """OpenSC's configuration with PUKs allowed, kept in `folder`, as a variable of the environment.

    Where somebody has settled that already, or named another configuration, or `folder` cannot be written,
    nothing is added.
    """
    if "OPENSC_CONF" in os.environ or sys.platform == "win32":
        return {}
    try:
        theirs = SYSTEM.get(sys.platform, LINUX).read_text("utf-8", "replace")
    except OSError:
        theirs = ""
    if STYLE in theirs:
        return {}
    ours = folder / "opensc.conf"
    fresh = ours.with_name(f"{ours.name}.{os.getpid()}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(theirs + BLOCK)
        fresh.replace(ours)
    except OSError:  # it then takes no PUK; everything else works
        return {}
    return {"OPENSC_CONF": str(ours)}


def no_environment(folder: Path) -> dict[str, str]:
    """Most modules need nothing in their environment."""
    return {}


class Quirk(msgspec.Struct, frozen=True):
    """One way in which tokens differ, by what is done about it; a field that is not given does nothing.

    module: part of the name of the files that have it, whether a profile names them or not.
    environment: what such a module's process finds in its environment; takes the folder of the logs.
    tries: no more wrong PINs are counted on, whatever the profile says. wrong_pin: answers to a login that
    mean a wrong PIN. issuer_initialises: nobody else does, whatever the profile says.
    """

    module: str = ""
    environment: Callable[[Path], dict[str, str]] = no_environment
    tries: int = 0
    wrong_pin: frozenset[str] = frozenset()
    issuer_initialises: bool = False


QUIRKS: Mapping[str, Quirk] = {  # by `QuirkId`
    "opensc-puk": Quirk(module="opensc-pkcs11", environment=opensc_configuration),
    "personalised": Quirk(issuer_initialises=True),
    "tries-differ": Quirk(tries=3),
    "wrong-pin-general-error": Quirk(wrong_pin=frozenset({"CKR_GENERAL_ERROR", "CKR_FUNCTION_FAILED"})),
}


def of_profile(profile: TokenProfile) -> tuple[Quirk, ...]:
    """The quirks that a profile names."""
    return tuple(QUIRKS[named.id] for named in profile.quirks if named.id in QUIRKS)


def of_file(module: str) -> tuple[Quirk, ...]:
    """The quirks that a module has by its file's name."""
    return tuple(quirk for quirk in QUIRKS.values() if quirk.module and quirk.module in Path(module).name)

"""What OpenSC's module has to be told before it is loaded: by itself it takes no PUK."""

from __future__ import annotations

import os
import sys
from pathlib import Path

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


def environment(module: str, folder: Path) -> dict[str, str]:
    """The environment for `module`: for OpenSC's, its configuration with PUKs allowed, kept in `folder`.

    Where somebody has settled that already, or named another configuration, or `folder` cannot be written,
    nothing is added.
    """
    if "opensc-pkcs11" not in Path(module).name or "OPENSC_CONF" in os.environ or sys.platform == "win32":
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

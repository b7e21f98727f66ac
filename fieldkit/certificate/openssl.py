"""The program `openssl`, for PKCS#12 files whose encryption or encoding the library does not read any more.

The password goes through a pipe, the keys come through a pipe; neither is ever an argument or a file.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from fieldkit.program import run

PATIENCE = 30.0


def available() -> bool:
    """Whether the program is here."""
    return shutil.which("openssl") is not None


def pkcs12(data: bytes, password: bytes) -> bytes | None:
    """Everything in a PKCS#12 file as PEM; None where the password is wrong or the program cannot."""
    program = shutil.which("openssl")
    if program is None or b"\n" in password:
        return None
    with tempfile.TemporaryDirectory(prefix="fieldkit-p12-") as folder:
        path = Path(folder) / "encrypted.p12"  # as it came: nothing in it is readable without the password
        path.write_bytes(data)
        for legacy in (["-legacy"], []):  # OpenSSL 1.1.1 needs no such option and knows none
            command = [program, "pkcs12", "-in", str(path), "-passin", "stdin", "-nodes", *legacy]
            done = run(command, stdin=password + b"\n", timeout=PATIENCE)
            if done.status == 0:
                return done.output
            if b"legacy" not in done.errors:  # it knew the option, and the file did not open
                return None
    return None

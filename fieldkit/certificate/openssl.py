"""The program `openssl`, for PKCS#12 files whose encryption or encoding the library does not read any more.

The password goes through a pipe, the keys come through a pipe; neither is ever an argument or a file.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

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
            try:
                done = subprocess.run(command, input=password + b"\n", capture_output=True, timeout=PATIENCE)
            except (subprocess.TimeoutExpired, OSError):
                return None
            if done.returncode == 0:
                return done.stdout
            if b"legacy" not in done.stderr:  # it knew the option, and the file did not open
                return None
    return None

"""Files of the sample authority, written whole and with their rights from the first byte on."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a new file with these rights from its first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)


def replace(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file whole, or leave the old one as it is."""
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        write(fresh, content, mode)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)

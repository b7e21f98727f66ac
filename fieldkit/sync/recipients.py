"""Whom bundles are encrypted to and whose receipts are believed: public keys in the home's `recipients`.

HOME/recipients/head-office.age    an age public key (age1…), lines with # are comments
HOME/recipients/escrow.age         another one; bundles need at least two
HOME/recipients/head-office.hub    the key that signs receipts: "ed25519 " and 64 hexadecimal digits
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from fieldkit.home import Home
from fieldkit.sync import age
from fieldkit.sync.errors import RecipientInvalid, RecipientsMissing
from fieldkit.text import M

FOLDER = "recipients"
LEAST = 2
IDENTIFIER = re.compile(r"[0-9a-f]{16}")
HUB_KEY = re.compile(r"ed25519 ([0-9a-f]{64})")


def folder(home: Home) -> Path:
    """Where the public keys are."""
    return home.path / FOLDER


def load(home: Home) -> tuple[str, ...]:
    """The age public keys that bundles are encrypted to, by the order of their files.

    :raises RecipientsMissing: fewer than two are there. :raises RecipientInvalid: one is no public key.
    """
    recipients: list[str] = []
    for path in _files(home, "*.age"):
        lines = _lines(path)
        for line in lines:
            if not line.startswith("age1"):
                raise _invalid(path.name)
        recipients += lines
    return checked(recipients)


def hub_keys(home: Home) -> tuple[bytes, ...]:
    """The raw Ed25519 public keys whose receipts are believed; none where none was put in place."""
    keys: list[bytes] = []
    for path in _files(home, "*.hub"):
        for line in _lines(path):
            match = HUB_KEY.fullmatch(line)
            if match is None:
                raise _invalid(path.name)
            keys.append(bytes.fromhex(match[1]))
    return tuple(keys)


def hub_line(key: bytes) -> str:
    """A hub's public key as it stands in its file."""
    return f"ed25519 {key.hex()}"


def checked(recipients: Sequence[str]) -> tuple[str, ...]:
    """The keys, each once.

    :raises RecipientsMissing: fewer than two different ones. :raises RecipientInvalid: one is no public key.
    """
    distinct = tuple(dict.fromkeys(recipients))
    if len(distinct) < LEAST:
        raise RecipientsMissing(
            M(
                "A bundle is encrypted to at least two public keys; {count} known.",
                count=len(distinct),
            ),
            unchanged=M("Nothing was put."),
            hint=M("Put head office's *.age files into the folder {folder} of the home.", folder=FOLDER),
        )
    if not all(map(age.is_recipient, distinct)):
        raise _invalid("")
    return distinct


def identifier(key: str | bytes) -> str:
    """A short name for a public key, from its hash."""
    return hashlib.sha256(key.encode() if isinstance(key, str) else key).hexdigest()[:16]


def _files(home: Home, pattern: str) -> list[Path]:
    return sorted(folder(home).glob(pattern))


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="ascii")
    except (UnicodeDecodeError, OSError):
        raise _invalid(path.name) from None
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _invalid(name: str) -> RecipientInvalid:
    return RecipientInvalid(
        M("The recipients' file {name} does not hold public keys.", name=name)
        if name
        else M("One of the recipients is not an age public key."),
        unchanged=M("Nothing was put."),
        hint=M("Get the file from head office again; it holds public keys only, one a line."),
    )

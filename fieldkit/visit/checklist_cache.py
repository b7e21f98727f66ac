"""Pinned checklists as they were read and checked once: a large one takes seconds to be read from YAML.

What lies there is signed by the device's own key, so nothing else is taken for what was checked. It may be
lost at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

import msgspec

from fieldkit import __version__
from fieldkit.access import make_private_folder
from fieldkit.checklist.kinds import Item
from fieldkit.checklist.model import Checklist
from fieldkit.errors import FieldkitError
from fieldkit.journal.device import verify
from fieldkit.journal.store import Store

_CONTEXT = b"fieldkit checked checklist\n"
_SHAPE = hashlib.sha256(repr((__version__, Item.__struct_fields__)).encode()).hexdigest()[:12]
_SIGNATURE = 64  # bytes, Ed25519
LARGE = 32 * 1024
"""Bytes of YAML from which it is worth it."""


def cached(store: Store, folder: Path, sha256: str) -> Checklist | None:
    """The checklist of that SHA-256, if it was checked here by this release."""
    try:
        data = _path(folder, sha256).read_bytes()
    except OSError:
        return None
    signature, body = data[:_SIGNATURE], data[_SIGNATURE:]
    if store.key_fault is not None or not verify(store.public_key, signature, _statement(sha256, body)):
        return None
    try:
        return msgspec.msgpack.decode(body, type=Checklist)
    except msgspec.DecodeError:
        return None


def keep(store: Store, folder: Path, sha256: str, checklist: Checklist) -> None:
    """Keep a checklist that was read and checked; where it cannot be kept it is read again the next time."""
    if store.read_only is not None:
        return
    body = msgspec.msgpack.encode(checklist)
    with contextlib.suppress(OSError, FieldkitError):
        make_private_folder(folder)
        path = _path(folder, sha256)
        beside = path.with_suffix(".part")
        beside.write_bytes(store.sign(_statement(sha256, body)) + body)
        beside.replace(path)


def _path(folder: Path, sha256: str) -> Path:
    return folder / f"{sha256}-{_SHAPE}.checklist"


def _statement(sha256: str, body: bytes) -> bytes:
    return _CONTEXT + sha256.encode() + hashlib.sha256(body).digest()

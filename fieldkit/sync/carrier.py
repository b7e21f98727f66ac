"""The interface of carriers, which list, put and get files, going on at an offset where they were broken off.

A carrier knows nothing of what is in the files. Each is a file of this room and a line of `CARRIERS` in
`target.py`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

TRAVELLING = re.compile(r"fk1-[0-9a-f-]{1,100}\.(fkb|fkr)")
"""Names of the files that travel."""


class TargetFile(msgspec.Struct, frozen=True):
    """A file at the target. complete: False while it is being put; `size` is then how far that came."""

    name: str
    size: int
    complete: bool = True


class Carrier(Protocol):
    """A way to a place where files are left and fetched. Every call may raise the errors of this room.

    label: how a person calls the place, and the journal's name for it. mounted: what is put there is off this
    machine's own disk.
    """

    label: str

    @property
    def mounted(self) -> bool: ...

    def list(self) -> list[TargetFile]:
        """What is there of the files that travel."""

    def put(self, name: str, offset: int, chunks: Iterable[bytes], size: int, sha256: str) -> None:
        """Write `chunks` from `offset` on; once `size` bytes are there and their hash is right, publish them.

        :raises TargetDamaged: they do not read back as they should; the unfinished file is gone then.
        """

    def get(self, name: str, offset: int = 0) -> Iterator[bytes]:
        """The bytes of a file from `offset` on."""


def sha256_at(carrier: Carrier, name: str) -> str:
    """The SHA-256 of a file as it is at the target now."""
    digest = hashlib.sha256()
    for chunk in carrier.get(name):
        digest.update(chunk)
    return digest.hexdigest()

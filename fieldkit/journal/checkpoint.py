"""The checkpoint: the index as it was when the store was closed, so that opening need not read every entry.

It is disposable. It is believed only if its own hash holds and every segment has the size and time it
names; otherwise the segments are read as if there were none.
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from pathlib import Path

import msgspec

from fieldkit.journal.entry import Head
from fieldkit.journal.files import FileSystem, write_whole
from fieldkit.journal.index import NUMBER, Columns

NAME = "checkpoint"
KIND = f"fieldkit-checkpoint-1 {sys.byteorder} {array(NUMBER).itemsize}"
LEAST = 500
"""Fewer new entries than these are read faster than a checkpoint is written."""

_DIGEST = 32


class Documents(msgspec.Struct, frozen=True):
    """Where the documents of one TinyDB table are; columns of numbers."""

    ids: list[str]
    entries: bytes
    starts: bytes
    lengths: bytes
    checksums: bytes


class Tables(msgspec.Struct, frozen=True):
    """TinyDB's tables up to the entry `seq`, whose hash is `hash`."""

    seq: int
    hash: str
    documents: dict[str, Documents]


class Checkpoint(msgspec.Struct, frozen=True):
    """What a store knows of its journal without reading it. kind: what can read it."""

    kind: str
    device: str
    hash: str
    hlc: str
    columns: Columns
    tables: Tables | None = None

    @property
    def head(self) -> Head:
        """The last entry it knows."""
        return Head(self.device, len(self.columns.lengths) // array(NUMBER).itemsize, self.hash)


def load(folder: Path, files: FileSystem) -> Checkpoint | None:
    """The checkpoint in `folder`, if there is one and it is whole."""
    try:
        held = files.read_file(folder / NAME)
        if hashlib.sha256(held[_DIGEST:]).digest() != held[:_DIGEST]:
            return None
        checkpoint = msgspec.msgpack.decode(held[_DIGEST:], type=Checkpoint)
    except (OSError, msgspec.MsgspecError):
        return None
    return checkpoint if checkpoint.kind == KIND else None


def save(checkpoint: Checkpoint, folder: Path, files: FileSystem) -> None:
    """Keep it in `folder`."""
    packed = msgspec.msgpack.encode(checkpoint)
    write_whole(files, folder / NAME, [hashlib.sha256(packed).digest(), packed])

"""The mark: the head as it was when the store was last closed or its head was signed.

Without it a journal whose tail was cut, or whose last entry rotted, looks like one that was
interrupted. With it that is damage, and is said.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from fieldkit.journal.checkpoint import Checkpoint
from fieldkit.journal.entry import Head, canonical
from fieldkit.journal.files import FileSystem, write_whole
from fieldkit.journal.line import body_of, line

NAME = "head"
CONTEXT = b"fieldkit journal head\n"
"""What a signature over a head begins with, so that it can stand for nothing else."""


class SignedHead(msgspec.Struct, frozen=True):
    """A head and the device's Ed25519 signature over `statement(head)`, hexadecimal."""

    head: Head
    signature: str


class Mark(msgspec.Struct, frozen=True):
    """head: the last one known. signed: the last one that was signed."""

    head: Head
    signed: SignedHead | None = None


def statement(head: Head) -> bytes:
    """What is signed for a head: it stands for every entry up to it."""
    return CONTEXT + canonical(msgspec.structs.asdict(head))


def load(folder: Path, files: FileSystem) -> Mark | None:
    """The mark in `folder`; None where there is none.

    :raises ValueError: it is there and cannot be read.
    """
    try:
        held = files.read_file(folder / NAME)
    except FileNotFoundError:
        return None
    body = body_of(held[:-1]) if held.endswith(b"\n") else None
    if body is None:
        raise ValueError("checksum")
    return msgspec.json.decode(body, type=Mark)


def latest(noted: Mark | None, kept: Checkpoint | None) -> Head | None:
    """The last entry that the mark or a checkpoint knows of."""
    known = [noted.head] if noted is not None else []
    if kept is not None and (noted is None or noted.head.device == kept.device):
        known.append(kept.head)
    return max(known, key=lambda head: head.seq, default=None)


def save(mark: Mark, folder: Path, files: FileSystem) -> None:
    """Keep it in `folder`, durable."""
    write_whole(files, folder / NAME, [line(canonical(msgspec.to_builtins(mark)))])

"""Bundles: a contiguous range of one device's journal with its attachments, signed, compressed and encrypted.

A clear header signed by the device, then age(zstd(entries, attachments)) to at least two recipients. Made
and opened as a stream; nothing in it is believed before its hash, its signature and its chain were checked.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from fieldkit.access import close_to_others, make_private_folder
from fieldkit.journal.entry import decode, digest
from fieldkit.journal.errors import AttachmentDamaged, AttachmentMissing
from fieldkit.journal.store import Store
from fieldkit.operator import Progress
from fieldkit.sync import age
from fieldkit.sync.errors import BundleNotMade
from fieldkit.sync.recipients import checked, identifier
from fieldkit.sync.signed import frame
from fieldkit.text import M

KIND = "fieldkit-bundle 1"
CIPHER = "age+zstd"
NAME = re.compile(r"fk1-([0-9a-f]{12})-([1-9][0-9]*)-([1-9][0-9]*)-([0-9a-f]{12})\.fkb")
HASH = re.compile(r"[0-9a-f]{64}")

Tell = Callable[[Progress], None]


class BundledAttachment(msgspec.Struct, frozen=True):
    """An attachment in a bundle."""

    sha256: str
    size: int


class BundleHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What a courier may know of a bundle.

    device, key: who wrote it, and its Ed25519 public key (hexadecimal). first, last: entry numbers.
    prev: hash of the entry before the first; hash: of the last. entries: bytes of them. blobs: the
    attachments, in order. missing: those that entries name and the device no longer has whole.
    recipients: short names of the keys it is encrypted to. sha256, size: of the encrypted part.
    """

    device: str
    key: str
    first: int
    last: int
    prev: str
    hash: str
    entries: int
    blobs: tuple[BundledAttachment, ...]
    missing: tuple[str, ...]
    recipients: tuple[str, ...]
    sha256: str
    size: int
    cipher: str = CIPHER

    @property
    def body(self) -> int:
        """Bytes of entries and attachments together, unpacked."""
        return self.entries + sum(blob.size for blob in self.blobs)


class BundleName(msgspec.Struct, frozen=True):
    """What a bundle's file name says."""

    device: str
    first: int
    last: int
    sha12: str


class BuiltBundle(msgspec.Struct, frozen=True):
    """A bundle that was written. sha256, size: of the whole file."""

    path: Path
    header: BundleHeader
    sha256: str
    size: int

    @property
    def name(self) -> str:
        return self.path.name


def named(name: str) -> BundleName | None:
    """The parts of a bundle's file name, or None if it is no such name."""
    match = NAME.fullmatch(name)
    if match is None:
        return None
    return BundleName(match[1], int(match[2]), int(match[3]), match[4])


def make(
    store: Store,
    first: int,
    last: int,
    recipients: Sequence[str],
    folder: Path,
    progress: Tell | None = None,
) -> BuiltBundle:
    """Write the bundle of the entries `first` to `last` into `folder`; it appears there whole or not at all.

    recipients: age public keys, at least two.

    :raises RecipientsMissing, RecipientInvalid, BundleNotMade: it was not written.
    """
    keys = checked(recipients)
    aside = folder / f".making-{secrets.token_hex(6)}"
    body = _Body(store, first, last, progress or (lambda _: None))
    try:
        make_private_folder(folder)
        with aside.open("xb") as file:
            close_to_others(aside)
            hashed = _Hashing(file)
            age.pack(body, hashed, keys)
        header = BundleHeader(
            device=store.device,
            key=store.public_key.hex(),
            first=first,
            last=last,
            prev=body.prev,
            hash=body.hash,
            entries=body.entries,
            blobs=tuple(body.blobs),
            missing=tuple(body.missing),
            recipients=tuple(sorted(map(identifier, keys))),
            sha256=hashed.digest.hexdigest(),
            size=hashed.size,
        )
        return _joined(frame(KIND, header, store.sign), aside, header, folder)
    except OSError as error:
        raise BundleNotMade(
            M(
                "The bundle could not be written on this machine: {reason}.",
                reason=error.strerror or str(error),
            ),
            unchanged=M("Nothing was put anywhere; what was saved is still there."),
            hint=M("Free some space in the folder {folder}, then try again.", folder=str(folder)),
        ) from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()


def _joined(head: bytes, cipher: Path, header: BundleHeader, folder: Path) -> BuiltBundle:
    """The header and the encrypted part as one file, named by its own hash."""
    whole = hashlib.sha256(head)
    size = len(head)
    aside = folder / f".making-{secrets.token_hex(6)}"
    try:
        with aside.open("xb") as out, cipher.open("rb") as source:
            close_to_others(aside)
            out.write(head)
            while chunk := source.read(1 << 20):
                out.write(chunk)
                whole.update(chunk)
                size += len(chunk)
            out.flush()
            os.fsync(out.fileno())
        name = f"fk1-{header.device}-{header.first}-{header.last}-{whole.hexdigest()[:12]}.fkb"
        os.replace(aside, folder / name)
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()
    return BuiltBundle(folder / name, header, whole.hexdigest(), size)


def references(value: object, blob: str = "") -> tuple[set[str], set[str]]:
    """The hashes of attachments that an entry names: those it certainly means, and those it may mean."""
    certain, possible = ({blob} if HASH.fullmatch(blob) else set()), set()
    waiting = [value]
    while waiting:
        at = waiting.pop()
        if isinstance(at, dict):
            if {"sha256", "size", "name"} <= at.keys():
                sha256 = at["sha256"]
                if isinstance(sha256, str) and HASH.fullmatch(sha256):
                    certain.add(sha256)
            waiting += at.values()
        elif isinstance(at, list):
            waiting += at
        elif isinstance(at, str) and HASH.fullmatch(at):
            possible.add(at)
    return certain, possible


class _Body:
    """The unpacked bytes of a bundle as a file to read from, and what was seen on the way."""

    def __init__(self, store: Store, first: int, last: int, tell: Tell) -> None:
        self._store = store
        self._first = first
        self._last = last
        self._tell = tell
        self._parts = self._all()
        self._rest = memoryview(b"")
        self.prev = ""
        self.hash = ""
        self.entries = 0
        self.blobs: list[BundledAttachment] = []
        self.missing: list[str] = []

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            return b"".join((bytes(self._rest), *self._parts))
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return b""
            self._rest = memoryview(part)
        piece, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return piece

    def _all(self) -> Iterator[bytes]:
        certain: dict[str, None] = {}
        possible: dict[str, None] = {}
        total = self._last - self._first + 1
        for number, line in enumerate(self._store.lines(self._first, self._last)):
            entry = decode(line)
            self.prev = self.prev or entry.prev
            self.hash = digest(line)
            meant, perhaps = references(entry.value, entry.blob)
            certain.update(dict.fromkeys(sorted(meant)))
            possible.update(dict.fromkeys(sorted(perhaps)))
            self.entries += len(line) + 1
            if number % 256 == 0:
                self._tell(Progress(M("Packing entries"), number, total))
            yield line + b"\n"
        attachments = [*certain, *(sha256 for sha256 in possible if sha256 not in certain)]
        for number, sha256 in enumerate(attachments):
            if sha256 not in certain and not self._store.attachment_path(sha256).is_file():
                continue  # a hash of something else
            self._tell(Progress(M("Packing attachments"), number, len(attachments)))
            try:
                data = self._store.attachment(sha256)
            except (AttachmentMissing, AttachmentDamaged):
                self.missing.append(sha256)
                continue
            self.blobs.append(BundledAttachment(sha256, len(data)))
            yield data


class _Hashing:
    """A file to write to that keeps count and hash."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

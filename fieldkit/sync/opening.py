"""Opening a bundle: the header's signature and the hash first, then decrypted and unpacked within bounds.

For whoever holds a recipient's identity: head office, the escrow, a test.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from fieldkit.access import make_private_folder
from fieldkit.journal.device import name_of
from fieldkit.journal.entry import GENESIS, digest
from fieldkit.secret import Secret
from fieldkit.sync import age
from fieldkit.sync.bundle import CIPHER, HASH, KIND, BundledAttachment, BundleHeader, references
from fieldkit.sync.errors import BundleDamaged, BundleForged, BundleUnreadable
from fieldkit.sync.recipients import IDENTIFIER, identifier
from fieldkit.sync.signed import LARGEST as LARGEST_HEADER
from fieldkit.sync.signed import unframe, value_of
from fieldkit.text import M, Message

LARGEST_BODY = 4 * 1024**3  # bytes unpacked; more than a device can mean to send
LARGEST_ENTRIES = 256 * 1024 * 1024
SMALLEST_ENTRY = 3  # bytes: "{}" and the end of the line


class OpenedBundle(msgspec.Struct, frozen=True):
    """What was in a bundle, all of it checked. entries: the stored JSON of each. files: by SHA-256."""

    header: BundleHeader
    entries: tuple[bytes, ...]
    files: dict[str, Path]


def read_header(path: Path, *, device_key: bytes | None = None) -> BundleHeader:
    """The header, its signature and the file's hash checked; nothing is decrypted.

    device_key: the device's public key as it is known here; without it the header's own is taken,
    which shows that nothing changed, not who wrote it.

    :raises BundleUnreadable, BundleDamaged, BundleForged: it is not to be believed.
    """
    with _open(path) as file:
        header, start = _header(file, device_key)
        _check_hash(file, header, start)
    return header


def header_in(chunks: Iterator[bytes], device_key: bytes) -> BundleHeader:
    """The header of a bundle that begins with `chunks`, its signature checked; no more of them is read."""
    data = b""
    while data.count(b"\n") < 3 and len(data) <= LARGEST_HEADER and (chunk := next(chunks, b"")):
        data += chunk
    return _header(BytesIO(data), device_key)[0]


def open_bundle(
    path: Path,
    identity: Secret,
    *,
    into: Path | None = None,
    device_key: bytes | None = None,
    largest: int = LARGEST_BODY,
) -> OpenedBundle:
    """Decrypt and check all of it.

    identity: an age secret key (AGE-SECRET-KEY-1…). into: where the attachments are written, each
    under its SHA-256; without it they are checked and let go. largest: bytes unpacked that are allowed.

    :raises BundleUnreadable, BundleDamaged, BundleForged, BundleNotForYou: nothing was taken from it.
    """
    with _open(path) as file:
        header, start = _header(file, device_key)
        if header.body > largest or header.entries > LARGEST_ENTRIES:
            raise _damaged(M("The bundle unpacks to more than is allowed."), str(header.body))
        _check_hash(file, header, start)
        file.seek(start)
        with _Unpacking(header, into) as unpacking:
            age.unpack(file, unpacking, identity)
            entries = unpacking.finish()
            if identifier(age.public(identity)) not in header.recipients:
                raise _addressed_otherwise()
            return OpenedBundle(header, entries, unpacking.publish())


@contextlib.contextmanager
def _open(path: Path) -> Any:
    try:
        file = path.open("rb")
    except OSError as error:
        raise BundleUnreadable(
            M("The file {name} cannot be read: {reason}.", name=path.name, reason=error.strerror or ""),
            hint=M("Check the path and your rights."),
        ) from None
    with file:
        yield file


def _header(file: BinaryIO, device_key: bytes | None) -> tuple[BundleHeader, int]:
    unframed = unframe(file, KIND)
    header = value_of(unframed, BundleHeader)
    try:
        own = bytes.fromhex(header.key)
    except ValueError:
        own = b""
    if not unframed.signed_by(own):
        raise _damaged(M("The header of the bundle was changed: its signature does not hold."))
    if header.device != name_of(own):
        raise BundleForged(
            M(
                "The bundle says it is from device {device}, but its key is another device's.",
                device=header.device[:40],
            ),
            unchanged=M("Nothing was taken from it."),
            hint=M("Keep the file and find out where it came from."),
        )
    if device_key is not None and own != device_key:
        raise BundleForged(
            M(
                "The bundle says it is from device {device}, but another key signed it.",
                device=header.device[:40],
            ),
            unchanged=M("Nothing was taken from it."),
            hint=M("Keep the file and find out where it came from."),
        )
    attachments = [*header.missing, *(blob.sha256 for blob in header.blobs)]
    if (
        header.cipher != CIPHER
        or not 0 < header.first <= header.last
        or header.entries < SMALLEST_ENTRY * (header.last - header.first + 1)
        or min((header.size, *(blob.size for blob in header.blobs))) < 0
        or not all(map(HASH.fullmatch, (header.sha256, header.prev, header.hash, *attachments)))
        or len(set(attachments)) != len(attachments)
        or not all(map(IDENTIFIER.fullmatch, header.recipients))
        or len(set(header.recipients)) != len(header.recipients)
        or (header.first == 1) != (header.prev == GENESIS)
    ):
        raise BundleUnreadable(M("The header of the bundle contradicts itself."))
    return header, unframed.size


def _check_hash(file: BinaryIO, header: BundleHeader, start: int) -> None:
    """The encrypted part is as long as the header says, nothing follows it, its hash is right, and as many
    can open it as the header names; who they are, only each of them can tell."""
    if os.fstat(file.fileno()).st_size != start + header.size:
        raise _damaged(M("The bundle is cut off, or something was added to it."))
    if hashlib.file_digest(file, "sha256").hexdigest() != header.sha256:  # type: ignore[arg-type]
        raise _damaged(M("Bytes of the bundle changed on the way."))
    file.seek(start)
    if age.addressees(file) != len(header.recipients):
        raise _addressed_otherwise()


class _Link(msgspec.Struct):
    """What of an entry the chain and the list of attachments are checked with."""

    dev: str
    seq: int
    prev: str
    value: Any = None
    blob: str = ""


class _Unpacking:
    """Takes the unpacked bytes apart as they come: entries into memory, each checked when it is whole,
    attachments into files, never more than the header says. Files get their names when all is checked."""

    def __init__(self, header: BundleHeader, into: Path | None) -> None:
        self._header = header
        self._into = into
        self._entries: list[bytes] = []
        self._line = bytearray()
        self._prev = header.prev
        self._wanted: set[str] = set()
        self._blobs = list(reversed(header.blobs))
        self._blob: BundledAttachment | None = None
        self._left = header.entries
        self._digest = hashlib.sha256()
        self._file: BinaryIO | None = None
        self._aside: dict[str, Path] = {}

    def __enter__(self) -> _Unpacking:
        if self._into is not None:
            make_private_folder(self._into)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        for path in self._aside.values():
            with contextlib.suppress(OSError):
                path.unlink()

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        while rest:
            while self._left == 0:
                self._next()
            piece, rest = rest[: self._left], rest[self._left :]
            self._left -= len(piece)
            if self._blob is None:
                self._take(bytes(piece))
            else:
                self._digest.update(piece)
                if self._file is not None:
                    self._file.write(piece)
        return len(data)

    def flush(self) -> None:
        pass

    def _take(self, piece: bytes) -> None:
        """Some bytes of the entries."""
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            self._line += piece[start:end]
            self._entry(bytes(self._line))
            self._line.clear()
            start = end + 1
        self._line += piece[start:]

    def _entry(self, body: bytes) -> None:
        """The next entry follows the one before it."""
        seq = self._header.first + len(self._entries)
        try:
            at = msgspec.json.decode(body, type=_Link)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise _damaged(M("Entry {seq} of the bundle cannot be read.", seq=seq)) from None
        if (at.dev, at.seq, at.prev) != (self._header.device, seq, self._prev):
            raise _damaged(M("Entry {seq} of the bundle does not follow the one before it.", seq=seq))
        self._prev = digest(body)
        self._wanted |= references(at.value, at.blob)[0]
        self._entries.append(body)

    def _next(self) -> None:
        """Go on to the next attachment; beyond the last there may be nothing."""
        self._close_blob()
        if not self._blobs:
            raise _damaged(M("The bundle holds more than its header says."))
        self._blob = self._blobs.pop()
        self._left = self._blob.size
        self._digest = hashlib.sha256()
        if self._into is not None:
            aside = self._into / f".{self._blob.sha256[:12]}-{secrets.token_hex(4)}.part"
            self._aside[self._blob.sha256] = aside
            self._file = aside.open("xb")

    def _close_blob(self) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None
        if self._blob is not None and self._digest.hexdigest() != self._blob.sha256:
            raise _damaged(M("An attachment in the bundle is not what its header says."), self._blob.sha256)

    def finish(self) -> tuple[bytes, ...]:
        """All bytes came: the entries."""
        while self._left == 0 and self._blobs:
            self._next()
        if self._left:
            raise _damaged(M("The bundle holds less than its header says."))
        self._close_blob()
        count = self._header.last - self._header.first + 1
        if self._line or (len(self._entries), self._prev) != (count, self._header.hash):
            raise _damaged(M("The bundle does not hold the entries that its header names."))
        untold = self._wanted.difference(self._header.missing, (blob.sha256 for blob in self._header.blobs))
        if untold:
            raise _damaged(
                M("The bundle lacks an attachment that its entries name, and does not say so."), min(untold)
            )
        return tuple(self._entries)

    def publish(self) -> dict[str, Path]:
        """Give the attachments their names."""
        files = {}
        for sha256, aside in self._aside.items():
            assert self._into is not None
            os.replace(aside, self._into / sha256)
            files[sha256] = self._into / sha256
        self._aside.clear()
        return files


def _addressed_otherwise() -> BundleDamaged:
    return _damaged(M("The bundle is not encrypted to those, and only those, that its header names."))


def _damaged(message: Message, detail: str = "") -> BundleDamaged:
    return BundleDamaged(
        message,
        unchanged=M("Nothing was taken from it."),
        hint=M("Copy it again from where it came, or ask the technician to put it again."),
        detail=detail,
    )

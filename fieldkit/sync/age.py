"""The one place that knows age (pyrage) and zstd: streams in, streams out, errors as this room's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO, Protocol

from fieldkit.secret import Secret
from fieldkit.sync.errors import BundleDamaged, BundleNotForYou
from fieldkit.text import M

LEVEL = 9
LARGEST_WINDOW = 1 << 27  # bytes of memory that unpacking may take
CHUNK = 1 << 16
LARGEST_HEADER = 1 << 16  # bytes of an encrypted file's own; a key takes a hundred


class ByteSource(Protocol):
    """What bytes are read from."""

    def read(self, size: int = -1) -> bytes: ...


class ByteSink(Protocol):
    """What bytes are written to, at most `CHUNK` of them at once."""

    def write(self, data: bytes) -> int: ...

    def flush(self) -> None: ...


def is_recipient(key: str) -> bool:
    """Whether `key` is an age public key."""
    import pyrage

    try:
        pyrage.x25519.Recipient.from_str(key)  # type: ignore[attr-defined]
    except (pyrage.RecipientError, ValueError, TypeError):  # type: ignore[attr-defined]
        return False
    return True


def addressees(file: BinaryIO) -> int:
    """How many keys can open an encrypted file, by the header that it begins with."""
    return file.read(LARGEST_HEADER).partition(b"\n---")[0].count(b"\n-> X25519 ")


def public(identity: Secret) -> str:
    """The public key of an age secret key that opened something."""
    import pyrage

    return str(pyrage.x25519.Identity.from_str(identity.reveal().strip()).to_public())  # type: ignore[attr-defined]


def pack(source: ByteSource, sink: ByteSink, recipients: Sequence[str]) -> None:
    """Compress and encrypt all of `source` into `sink`."""
    import pyrage
    import zstandard

    reader: Any = source
    compressed = zstandard.ZstdCompressor(level=LEVEL).stream_reader(reader, read_size=CHUNK)
    keys = [pyrage.x25519.Recipient.from_str(key) for key in recipients]  # type: ignore[attr-defined]
    pyrage.encrypt_io(compressed, sink, keys)  # type: ignore[attr-defined]


def unpack(source: ByteSource, sink: ByteSink, identity: Secret) -> None:
    """Decrypt and unpack all of `source` into `sink`; what `sink` raises comes through.

    :raises BundleNotForYou: the identity is none of its recipients. :raises BundleDamaged: it is not whole.
    """
    import pyrage
    import zstandard

    try:
        key = pyrage.x25519.Identity.from_str(identity.reveal().strip())  # type: ignore[attr-defined]
    except (pyrage.IdentityError, ValueError):  # type: ignore[attr-defined]
        raise BundleNotForYou(
            M("What was given to open the bundle is no age secret key."),
            unchanged=M("Nothing was taken from it."),
        ) from None
    writer: Any = sink
    stream = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW).stream_writer(
        writer, write_size=CHUNK
    )
    try:
        pyrage.decrypt_io(source, _Through(stream), [key])  # type: ignore[attr-defined]
    except pyrage.DecryptError as error:  # type: ignore[attr-defined]
        if "matching" in str(error).lower():
            raise BundleNotForYou(
                M("The bundle is not encrypted to this key."),
                unchanged=M("Nothing was taken from it."),
                hint=M("Use the identity of one of its recipients."),
            ) from None
        raise _damaged(error) from None
    except (OSError, zstandard.ZstdError) as error:
        if isinstance(error, OSError) and error.errno:  # of the disk, not of the data
            raise
        raise _damaged(error) from None


class _Through:
    """What age writes to: the decompressor's bytes and nothing else of it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, data: bytes) -> int:
        self._stream.write(data)
        return len(data)

    def flush(self) -> None:
        pass


def _damaged(error: Exception) -> BundleDamaged:
    return BundleDamaged(
        M("The bundle cannot be decrypted and unpacked."),
        unchanged=M("Nothing was taken from it."),
        hint=M("Copy it again from where it came, or ask the technician to put it again."),
        detail=str(error)[:200],
    )

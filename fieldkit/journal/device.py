"""The device: its name in every entry, and the Ed25519 key it signs with. The key never leaves the store."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from fieldkit.journal import checkpoint, signed_head
from fieldkit.journal.errors import StoreDamaged, StoreUnavailable
from fieldkit.journal.files import FileSystem, write_whole
from fieldkit.journal.log import is_segment
from fieldkit.text import M

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY = "device.key"
SEED_SIZE = 32
PUBLIC_SIZE = 32


class Device:
    """The key in `folder`: seed and public key, 64 bytes, made on first use; never beside an old journal.

    id: what entries name the device by; from the public key, so that whoever has that can check it.
    public_key: raw Ed25519. Cryptography is loaded only to make the key and to sign.
    """

    def __init__(self, folder: Path, files: FileSystem, *, writable: bool) -> None:
        path = folder / KEY
        if KEY in files.names(folder):
            held = _read(path, files)
        elif holds_work(folder, files):
            raise _missing()
        elif writable:
            held = _generate()
            write_whole(files, path, [held])
        else:
            raise StoreUnavailable(
                M("The store has no device key, and nothing may be written to make one."),
                hint=M("Close the other fieldkit that has this store open."),
            )
        if len(held) != SEED_SIZE + PUBLIC_SIZE:
            raise _damaged()
        self._seed = held[:SEED_SIZE]
        self.public_key = held[SEED_SIZE:]
        self.id = name_of(self.public_key)

    def sign(self, data: bytes) -> bytes:
        """An Ed25519 signature over `data`, 64 bytes.

        :raises StoreDamaged: the key is not the one whose public key is kept with it.
        """
        return self._private().sign(data)

    @property
    def sound(self) -> bool:
        """Whether seed and public key belong together."""
        try:
            self._private()
        except StoreDamaged:
            return False
        return True

    def _private(self) -> Ed25519PrivateKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        private = Ed25519PrivateKey.from_private_bytes(self._seed)
        if private.public_key().public_bytes_raw() != self.public_key:
            raise _damaged()
        return private


def name_of(public_key: bytes) -> str:
    """The device that holds the key: 12 hexadecimal digits."""
    return hashlib.sha256(public_key).hexdigest()[:12]


def verify(public_key: bytes, signature: bytes, data: bytes) -> bool:
    """Whether `signature` over `data` was made by the holder of `public_key` (raw Ed25519)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def _generate() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    return private.private_bytes_raw() + private.public_key().public_bytes_raw()


def holds_work(folder: Path, files: FileSystem) -> bool:
    """Whether something was kept in the folder, key or no key: an entry, or a note of one."""
    names = files.names(folder)
    if signed_head.NAME in names or checkpoint.NAME in names:
        return True
    return any(is_segment(name) and files.status(folder / name).size for name in names)


def is_store(folder: Path, files: FileSystem) -> bool:
    """Whether there is a store in the folder, or what is left of one."""
    return KEY in files.names(folder) or holds_work(folder, files)


def _read(path: Path, files: FileSystem) -> bytes:
    try:
        return files.read_file(path)
    except OSError as error:
        if error.errno == errno.EIO:
            raise _damaged() from error
        raise


def _missing() -> StoreDamaged:
    return StoreDamaged(
        M("The device key of the store is missing ({file}); the store can only be read.", file=KEY),
        unchanged=M("No new key was made beside the journal that is there."),
        hint=M("Bring {file} back from a copy, or export the store and begin a new one.", file=KEY),
    )


def _damaged() -> StoreDamaged:
    return StoreDamaged(
        M("The device key of the store is damaged."),
        unchanged=M("Nothing was changed."),
        hint=M("Bring {file} back from a copy, or export the store and begin a new one.", file=KEY),
    )

"""The device: its name in every entry, and the Ed25519 key it signs with. The key never leaves the store."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from fieldkit.journal.errors import StoreDamaged, StoreUnavailable
from fieldkit.journal.files import FileSystem
from fieldkit.text import M

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY = "device.key"
SEED_SIZE = 32


class Device:
    """The key in `folder`, made on first use; Cryptography is loaded only to sign."""

    def __init__(self, folder: Path, files: FileSystem, *, writable: bool) -> None:
        path = folder / KEY
        if KEY in files.names(folder):
            self._seed = files.read(path)
        elif writable:
            self._seed = secrets.token_bytes(SEED_SIZE)
            files.create(path, self._seed)
            files.sync_folder(folder)
        else:
            raise StoreUnavailable(
                M("The store has no device key, and nothing may be written to make one."),
                hint=M("Close the other fieldkit that has this store open."),
            )
        if len(self._seed) != SEED_SIZE:
            raise StoreDamaged(
                M("The device key of the store is damaged."),
                unchanged=M("Nothing was changed."),
                hint=M("Restore {file} from a copy, or export the store and begin a new one.", file=KEY),
            )

    @property
    def id(self) -> str:
        """Its name: 12 hexadecimal digits, from a one-way function of the key."""
        return hashlib.sha256(b"fieldkit device " + self._seed).hexdigest()[:12]

    @property
    def public_key(self) -> bytes:
        """The raw Ed25519 public key, 32 bytes."""
        return self._key().public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """An Ed25519 signature over `data`, 64 bytes."""
        return self._key().sign(data)

    def _key(self) -> Ed25519PrivateKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self._seed)


def verify(public_key: bytes, signature: bytes, data: bytes) -> bool:
    """Whether `signature` over `data` was made by the holder of `public_key` (raw Ed25519)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True

"""What signs a document: a key with its certificate and chain."""

from __future__ import annotations

from typing import Protocol


class RawSigner(Protocol):
    """A key that signs, with its certificate and chain (DER). A token's session gives one."""

    certificate: bytes
    chain: tuple[bytes, ...]

    def sign(self, data: bytes, mechanism: str) -> bytes:
        """The signature of `data`; mechanism: "SHA256_RSA_PKCS" or "ECDSA_SHA256" (DER-encoded)."""

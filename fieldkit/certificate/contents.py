"""What a certificate file holds, as plain values, and how a key is called ("rsa:2048", "ec:p256")."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import msgspec

from fieldkit.secret import Secret

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

Kind = Literal["pkcs12", "pem", "certificate", "pkcs7", "key", "request", "revocation-list"]
CURVES = {"secp256r1": "p256", "secp384r1": "p384", "secp521r1": "p521"}


class PrivateKey(msgspec.Struct, frozen=True):
    """A private key from a file.

    pkcs8: unencrypted, DER. public: its SubjectPublicKeyInfo. kind: "rsa:2048", "ec:p256", …
    """

    pkcs8: Secret
    public: bytes
    kind: str
    name: str = ""


class Contents(msgspec.Struct, frozen=True):
    """Everything that was found in a file, or in several together.

    kind: what the (first) file is. certificates, requests, revocation_lists: DER, in the file's order.
    names: friendly names by the certificate's position. ignored: labels of PEM parts that were passed over.
    """

    kind: Kind
    keys: tuple[PrivateKey, ...] = ()
    certificates: tuple[bytes, ...] = ()
    requests: tuple[bytes, ...] = ()
    revocation_lists: tuple[bytes, ...] = ()
    names: dict[int, str] = {}
    ignored: tuple[str, ...] = ()

    def __add__(self, other: Contents) -> Contents:
        """Both together; what is in both is there once."""
        certificates = tuple(dict.fromkeys((*self.certificates, *other.certificates)))
        names = {
            certificates.index(contents.certificates[at]): name
            for contents in (other, self)
            for at, name in contents.names.items()
        }
        return Contents(
            kind=self.kind,
            keys=unique((*self.keys, *other.keys)),
            certificates=certificates,
            requests=tuple(dict.fromkeys((*self.requests, *other.requests))),
            revocation_lists=tuple(dict.fromkeys((*self.revocation_lists, *other.revocation_lists))),
            names=names,
            ignored=(*self.ignored, *other.ignored),
        )

    def wipe(self) -> None:
        """Overwrite every private key."""
        for key in self.keys:
            key.pkcs8.wipe()


def unique(keys: Iterable[PrivateKey]) -> tuple[PrivateKey, ...]:
    """Each key once, by its public half."""
    return tuple({key.public: key for key in reversed(list(keys))}.values())[::-1]


def private_key(loaded: PrivateKeyTypes, name: str = "") -> PrivateKey:
    """A key that `cryptography` loaded, as a value."""
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    public = loaded.public_key()
    return PrivateKey(
        Secret(loaded.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        key_kind(public),
        name,
    )


def public_key(certificate: x509.Certificate) -> bytes:
    """The SubjectPublicKeyInfo of a certificate, byte by byte as its key would write it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_kind(public: object) -> str:
    """The kind of a public key: its family and its size or curve."""
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

    if isinstance(public, rsa.RSAPublicKey):
        return f"rsa:{public.key_size}"
    if isinstance(public, ec.EllipticCurvePublicKey):
        return f"ec:{CURVES.get(public.curve.name, public.curve.name)}"
    if isinstance(public, dsa.DSAPublicKey):
        return f"dsa:{public.key_size}"
    return type(public).__name__.removesuffix("PublicKey").lstrip("_").lower()

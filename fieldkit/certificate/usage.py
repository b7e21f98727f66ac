"""What a certificate may be used for, by its key usage, basic constraints and kind of key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fieldkit.certificate.contents import key_kind

if TYPE_CHECKING:
    from cryptography import x509

NAMES = {  # RFC 5280 §4.2.1.3; the second bit is contentCommitment there and nonRepudiation everywhere else
    "digital_signature": "digitalSignature",
    "content_commitment": "nonRepudiation",
    "key_encipherment": "keyEncipherment",
    "data_encipherment": "dataEncipherment",
    "key_agreement": "keyAgreement",
    "key_cert_sign": "keyCertSign",
    "crl_sign": "cRLSign",
}


def key_usage(certificate: x509.Certificate) -> tuple[str, ...] | None:
    """The key usages allowed, by their names in the standard; None where the certificate does not say."""
    found = _extension(certificate, "KeyUsage")
    if found is None:
        return None
    names = [name for attribute, name in NAMES.items() if getattr(found, attribute)]
    if found.key_agreement:
        names += [name for name in ("encipherOnly", "decipherOnly") if _only(found, name)]
    return tuple(names)


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may issue certificates."""
    found = _extension(certificate, "BasicConstraints")
    return bool(found is not None and found.ca)


def may_sign(certificate: x509.Certificate) -> bool:
    """Whether documents may be signed with it. An authority's certificate is not for that."""
    allowed = key_usage(certificate)
    if is_authority(certificate):
        return False
    return allowed is None or "digitalSignature" in allowed or "nonRepudiation" in allowed


def kind_of(certificate: x509.Certificate) -> str:
    """The kind of a certificate's key: "rsa:2048", "ec:p256", or "unknown"."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return key_kind(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        return "unknown"


def _only(found: Any, name: str) -> bool:
    return bool(found.encipher_only if name == "encipherOnly" else found.decipher_only)


def _extension(certificate: x509.Certificate, name: str) -> Any:
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(getattr(x509, name)).value
    except (x509.ExtensionNotFound, ValueError):
        return None

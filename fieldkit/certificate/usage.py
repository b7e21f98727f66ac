"""What a certificate may be used for, by its key usage, basic constraints and kind of key."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, TypeVar

from fieldkit.certificate.contents import key_kind

if TYPE_CHECKING:
    from cryptography import x509

    Extension = TypeVar("Extension", bound=x509.ExtensionType)

NAMES = {  # RFC 5280 §4.2.1.3; the second bit is contentCommitment there and nonRepudiation everywhere else
    "digital_signature": "digitalSignature",
    "content_commitment": "nonRepudiation",
    "key_encipherment": "keyEncipherment",
    "data_encipherment": "dataEncipherment",
    "key_agreement": "keyAgreement",
    "key_cert_sign": "keyCertSign",
    "crl_sign": "cRLSign",
}
SIGNING = frozenset({"digital_signature", "non_repudiation"})
DOCUMENTS = {
    "2.5.29.37.0": "anyExtendedKeyUsage",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.36": "documentSigning",  # RFC 9336
    "1.3.6.1.4.1.311.10.3.12": "msDocumentSigning",
    "1.2.840.113583.1.1.5": "adobeAuthenticDocuments",
}
"""The extended key usages for documents: where a certificate names any, it names one of these."""


def key_usage(certificate: x509.Certificate) -> tuple[str, ...] | None:
    """The key usages allowed, by their names in the standard; None where the certificate does not say."""
    from cryptography import x509

    usage = _extension(certificate, x509.KeyUsage)
    if usage is None:
        return None
    names = [name for attribute, name in NAMES.items() if getattr(usage, attribute)]
    if usage.key_agreement:
        only = {"encipherOnly": usage.encipher_only, "decipherOnly": usage.decipher_only}
        names += [name for name, holds in only.items() if holds]
    return tuple(names)


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may issue certificates."""
    from cryptography import x509

    constraints = _extension(certificate, x509.BasicConstraints)
    return bool(constraints is not None and constraints.ca)


def may_sign(certificate: bytes, purposes: Collection[str] = ()) -> bool:
    """Whether documents may be signed with a certificate (DER). An authority's certificate is not for that.

    purposes: extended key usages that its authority's profile allows besides `DOCUMENTS`.
    """
    from asn1crypto.x509 import Certificate

    try:
        loaded: Certificate = Certificate.load(certificate, strict=True)
        allowed, extended = loaded.key_usage_value, loaded.extended_key_usage_value
        if loaded.ca or (allowed is not None and not SIGNING & set(allowed.native)):
            return False
        return extended is None or any(purpose.dotted in (*DOCUMENTS, *purposes) for purpose in extended)
    except (ValueError, TypeError, KeyError):  # extensions that cannot be read allow nothing
        return False


def extended_key_usage(certificate: bytes) -> str:
    """The extended key usages of a certificate (DER) for a person who helps; "" where it names none."""
    from asn1crypto.x509 import Certificate

    try:
        loaded: Certificate = Certificate.load(certificate, strict=True)
        held = loaded.extended_key_usage_value or ()
    except (ValueError, TypeError, KeyError):  # then `may_sign` says what that means
        return ""
    return ", ".join(DOCUMENTS.get(purpose.dotted, purpose.native) for purpose in held)


def kind_of(certificate: x509.Certificate) -> str:
    """The kind of a certificate's key: "rsa:2048", "ec:p256", or "unknown"."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return key_kind(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        return "unknown"


def _extension(certificate: x509.Certificate, kind: type[Extension]) -> Extension | None:
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError):
        return None

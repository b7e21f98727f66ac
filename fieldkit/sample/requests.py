"""What a certificate request asks the sample authority for."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from fieldkit import errors
from fieldkit.sample.issue import SIGNING, Usage
from fieldkit.text import M


class CertificateRequestInvalid(errors.Misused, code="certificate-request-invalid"):
    """It is not a certificate request, or not signed by its own key."""


def load(given: bytes) -> x509.CertificateSigningRequest:
    """The request in PEM or DER.

    :raises CertificateRequestInvalid: it is none, or not signed by its own key.
    """
    try:
        pem = b"-----BEGIN" in given
        loaded = (x509.load_pem_x509_csr if pem else x509.load_der_x509_csr)(given)
        good = loaded.is_signature_valid and loaded.extensions is not None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _not_a_request(str(error)) from None
    if not good:
        raise _not_a_request("")
    return loaded


def usage(request: x509.CertificateSigningRequest) -> tuple[Usage, ...]:
    """The key usage asked for, as far as a person may have it."""
    try:
        asked = request.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return SIGNING
    allowed: tuple[Usage, ...] = ("digital_signature", "content_commitment", "key_encipherment")
    return tuple(each for each in allowed if getattr(asked, each)) or SIGNING


def names(request: x509.CertificateSigningRequest) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    """The other names asked for."""
    try:
        return ((request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value, False),)
    except x509.ExtensionNotFound:
        return ()


def _not_a_request(detail: str) -> CertificateRequestInvalid:
    return CertificateRequestInvalid(
        M("This is not a certificate request signed by its own key."), detail=detail
    )

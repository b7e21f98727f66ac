"""What the sample authority issues for tests alone: what is not in force, and what was requested."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from fieldkit.sample import issue
from fieldkit.sample.authority import IssuedCertificate, SampleAuthority
from fieldkit.sample.issue import CertificateWish, days, seconds


def expired(authority: SampleAuthority, **wishes: Any) -> IssuedCertificate:
    """A certificate that ended yesterday."""
    now = seconds(None)
    return authority.issue(**{"not_before": now - days(366), "not_after": now - days(1)} | wishes)


def not_yet_valid(authority: SampleAuthority, **wishes: Any) -> IssuedCertificate:
    """A certificate that begins tomorrow."""
    now = seconds(None)
    return authority.issue(**{"not_before": now + days(1), "not_after": now + days(366)} | wishes)


def revoked(authority: SampleAuthority, **wishes: Any) -> IssuedCertificate:
    """A certificate that was revoked an hour ago; the issuing CA's revocation list names it."""
    issued = authority.issue(**wishes)
    revoke(authority, issued.certificate)
    return issued


def revoke(authority: SampleAuthority, certificate: bytes, since: datetime | None = None) -> None:
    """Name a certificate in the issuing CA's revocation list; since: an hour ago unless given."""
    serial = x509.load_der_x509_certificate(certificate).serial_number
    authority.renew_crl(more={serial: since or seconds(None) - days(1 / 24)})


def sign_csr(authority: SampleAuthority, request: bytes) -> bytes:
    """The certificate (DER) for a certificate request in PEM or DER, for signing."""
    pem = b"-----BEGIN" in request
    loaded = (x509.load_pem_x509_csr if pem else x509.load_der_x509_csr)(request)
    names = [
        extension.value
        for extension in loaded.extensions
        if extension.oid == ExtensionOID.SUBJECT_ALTERNATIVE_NAME
    ]
    addresses = [address for name in names for address in name.get_values_for_type(x509.RFC822Name)]
    wish = CertificateWish(
        subject=loaded.subject,
        not_before=seconds(None) - days(1),
        not_after=seconds(None) + days(730),
        email="".join(addresses),
    )
    public: Any = loaded.public_key()
    return issue.certificate(wish, public, authority.signer("issuing"))

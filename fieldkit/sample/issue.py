"""Certificates, revocation lists and PKCS#12 files as the sample authority issues them. Writes no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, cast

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from fieldkit.certificate import name

if TYPE_CHECKING:
    from fieldkit.secret import Secret

KeyKind = Literal["rsa:2048", "rsa:3072", "rsa:4096", "ec:p256", "ec:p384"]
Usage = Literal[
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
]
Purpose = Literal["timestamp", "ocsp", "email", "client"]
SIGNING: tuple[Usage, ...] = ("digital_signature", "content_commitment")

PURPOSES: Mapping[Purpose, x509.ObjectIdentifier] = {
    "timestamp": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp": ExtendedKeyUsageOID.OCSP_SIGNING,
    "email": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "client": ExtendedKeyUsageOID.CLIENT_AUTH,
}
CURVES: Mapping[str, ec.EllipticCurve] = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class CertificateWish(msgspec.Struct, frozen=True, kw_only=True):
    """What a certificate is to say.

    authority: it may issue others, through `depth` more (None: no limit). services: the address under
    which its revocation list, OCSP responder and issuer are found; none are named where it is empty.
    """

    subject: x509.Name
    not_before: datetime
    not_after: datetime
    usage: Sequence[Usage] = SIGNING
    purposes: Sequence[Purpose] = ()
    authority: bool = False
    depth: int | None = None
    email: str = ""
    services: str = ""


class Issuer(msgspec.Struct, frozen=True):
    """An authority's certificate and key. file: the name its certificate and list have at its services."""

    certificate: x509.Certificate
    key: PrivateKey
    file: str = "issuing"


def generate(kind: KeyKind | str) -> PrivateKey:
    """A new key."""
    family, _, size = kind.partition(":")
    if family == "ec":
        return ec.generate_private_key(CURVES[size])
    return rsa.generate_private_key(65537, int(size))


def certificate(
    wish: CertificateWish, public: PublicKey, issuer: Issuer | None, own: PrivateKey | None = None
) -> bytes:
    """The certificate (DER) for a public key, signed by `issuer`, or by its own key where there is none."""
    key = issuer.key if issuer else own
    assert key is not None
    builder = (
        x509.CertificateBuilder()
        .subject_name(wish.subject)
        .issuer_name(issuer.certificate.subject if issuer else wish.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(wish.not_before)
        .not_valid_after(wish.not_after)
        .add_extension(x509.BasicConstraints(wish.authority, wish.depth if wish.authority else None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False)
        .add_extension(key_usage(wish.usage), True)
    )
    if wish.purposes:
        purposes = x509.ExtendedKeyUsage([PURPOSES[purpose] for purpose in wish.purposes])
        builder = builder.add_extension(purposes, "timestamp" in wish.purposes)  # RFC 3161 §2.3
    if "ocsp" in wish.purposes:
        builder = builder.add_extension(x509.OCSPNoCheck(), False)
    if wish.email:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.RFC822Name(wish.email)]), False)
    if wish.services and issuer:
        for extension in _addresses(wish.services, issuer.file):
            builder = builder.add_extension(extension, False)
    return builder.sign(key, digest(key)).public_bytes(Encoding.DER)


def key_usage(wanted: Sequence[Usage]) -> x509.KeyUsage:
    """The key usage extension that allows what is `wanted` and nothing else."""
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment")
    more = ("key_agreement", "key_cert_sign", "crl_sign")
    allowed = {usage: usage in wanted for usage in (*names, *more)}
    return x509.KeyUsage(**allowed, encipher_only=False, decipher_only=False)


def revocation_list(
    issuer: Issuer,
    revoked: Mapping[int, datetime],
    number: int,
    this_update: datetime,
    next_update: datetime,
) -> bytes:
    """The revocation list (DER) of `issuer`: serial numbers, and since when."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(this_update)
        .next_update(next_update)
        .add_extension(x509.CRLNumber(number), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), False)
    )
    for serial, since in revoked.items():
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since)
        entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, digest(issuer.key)).public_bytes(Encoding.DER)


def pkcs12(
    key: PrivateKey, certificate: bytes, chain: Sequence[bytes], password: Secret, friendly: str
) -> bytes:
    """A PKCS#12 file (AES-256) with a key, its certificate and the authorities'."""
    return serialize_key_and_certificates(
        friendly.encode(),
        key,
        x509.load_der_x509_certificate(certificate),
        [x509.load_der_x509_certificate(der) for der in chain],
        BestAvailableEncryption(password.reveal_bytes()),
    )


def der_key(key: PrivateKey) -> bytes:
    """A key as unencrypted PKCS#8."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def load_key(der: bytes) -> PrivateKey:
    """The key in an unencrypted PKCS#8."""
    return cast(PrivateKey, load_der_private_key(der, None))


def pem(der: bytes) -> bytes:
    """A certificate as PEM, its subject in words above it."""
    loaded = x509.load_der_x509_certificate(der)
    return f"# {name.text(loaded.subject)}\n".encode() + loaded.public_bytes(Encoding.PEM)


def digest(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384:
    """The digest that goes with a key."""
    large = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size > 256
    return hashes.SHA384() if large else hashes.SHA256()


def seconds(moment: datetime | None) -> datetime:
    """`moment`, or now, as certificates keep time: UTC, whole seconds."""
    return (moment or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)


def days(number: float) -> timedelta:
    return timedelta(days=number)


def _addresses(services: str, file: str) -> tuple[x509.ExtensionType, ...]:
    """Where the revocation list, the responder and the issuer's certificate are."""
    base = services.rstrip("/")

    def at(path: str) -> x509.GeneralName:
        return x509.UniformResourceIdentifier(f"{base}/{path}")

    lists = x509.DistributionPoint([at(f"{file}.crl")], None, None, None)
    access = [
        x509.AccessDescription(AuthorityInformationAccessOID.OCSP, at("ocsp")),
        x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, at(f"{file}.crt")),
    ]
    return x509.CRLDistributionPoints([lists]), x509.AuthorityInformationAccess(access)

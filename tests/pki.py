"""A small authority made with `cryptography`, and keys that sign as a token does; all of it thrown away."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from asn1crypto import tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

DAY = timedelta(days=1)
NOW = datetime.now(UTC).replace(microsecond=0)


class SoftwareSigner:
    """A key in memory behind the interface of a token's session."""

    def __init__(self, key: Any, certificate: x509.Certificate, chain: Sequence[x509.Certificate]) -> None:
        self.key = key
        self.certificate = certificate.public_bytes(Encoding.DER)
        self.chain = tuple(each.public_bytes(Encoding.DER) for each in chain)
        self.asked: list[str] = []

    def sign(self, data: bytes, mechanism: str) -> bytes:
        self.asked.append(mechanism)
        if mechanism == "SHA256_RSA_PKCS":
            return bytes(self.key.sign(data, padding.PKCS1v15(), hashes.SHA256()))
        assert mechanism == "ECDSA_SHA256", mechanism
        return bytes(self.key.sign(data, ec.ECDSA(hashes.SHA256())))


class Pki:
    """Root and issuing authority with revocation lists; leaves on request."""

    def __init__(self, name: str = "SAMPLE", *, issuing: Any = None) -> None:
        self.root_key, self.root = self._authority(f"{name} root", None, None)
        self.issuing_key, self.issuing = self._authority(
            f"{name} issuing CA", self.root_key, self.root, issuing
        )
        self.anchors = (self.root.public_bytes(Encoding.DER),)

    def _authority(
        self, name: str, key: Any, issuer: x509.Certificate | None, own: Any = None
    ) -> tuple[Any, x509.Certificate]:
        own = own or rsa.generate_private_key(65537, 2048)
        certificate = (
            _builder(name, own, issuer.subject if issuer else None, NOW - 900 * DAY, NOW + 900 * DAY)
            .add_extension(x509.BasicConstraints(True, None if issuer is None else 0), True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), True)
            .sign(key or own, hashes.SHA256())
        )
        return own, certificate

    def signer(
        self,
        name: str = "Nguyễn Thị Mẫu",
        *,
        kind: str = "rsa",
        start: datetime = NOW - 30 * DAY,
        end: datetime = NOW + 300 * DAY,
        usage: x509.KeyUsage | None = None,
        purposes: Sequence[x509.ObjectIdentifier] = (),
        key: Any = None,
        services: str | Sequence[str] = (),
        more: Sequence[tuple[x509.ObjectIdentifier, str]] = (),
    ) -> SoftwareSigner:
        key = key or (
            ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
        )
        builder = (
            _builder(name, key, self.issuing.subject, start, end, more)
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(usage or _usage(digital_signature=True, content_commitment=True), True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.issuing_key.public_key()), False
            )
        )
        if purposes:
            builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), False)
        if services:  # an address below which nothing need answer
            named = [services] if isinstance(services, str) else services
            responders = [
                x509.AccessDescription(
                    AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(f"{each}/ocsp")
                )
                for each in named
            ]
            builder = builder.add_extension(x509.AuthorityInformationAccess(responders), False)
        certificate = builder.sign(self.issuing_key, hashes.SHA256())
        return SoftwareSigner(key, certificate, (self.issuing,))

    def crls(self, *revoked: SoftwareSigner, when: datetime = NOW - DAY) -> tuple[bytes, ...]:
        serials = [x509.load_der_x509_certificate(each.certificate).serial_number for each in revoked]
        return (
            _crl(self.root, self.root_key, [], when),
            _crl(self.issuing, self.issuing_key, serials, when),
        )


def only_encipherment() -> x509.KeyUsage:
    """A key usage that signs nothing."""
    return _usage(key_encipherment=True)


def _builder(
    name: str,
    key: Any,
    issuer: x509.Name | None,
    start: datetime,
    end: datetime,
    more: Sequence[tuple[x509.ObjectIdentifier, str]] = (),
) -> x509.CertificateBuilder:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "SAMPLE / MẪU"),
            *(x509.NameAttribute(kind, value) for kind, value in more),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    )


def _usage(**given: bool) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: given.get(name, False) for name in names})


def _crl(issuer: x509.Certificate, key: Any, serials: Sequence[int], when: datetime) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(NOW - timedelta(hours=1))
        .next_update(NOW + 30 * DAY)
        .add_extension(x509.CRLNumber(1), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False)
    )
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(when).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


class TimestampAuthority:
    """A timestamp authority on loopback: real RFC 3161 answers, or the wrong ones asked for."""

    def __init__(self, pki: Pki) -> None:
        from asn1crypto import keys
        from asn1crypto import x509 as asn1
        from cryptography.hazmat.primitives.serialization import NoEncryption, PrivateFormat
        from pyhanko.sign.timestamps import DummyTimeStamper
        from pyhanko_certvalidator.registry import SimpleCertificateStore

        key = rsa.generate_private_key(65537, 2048)
        certificate = (
            _builder("SAMPLE TSA", key, pki.issuing.subject, NOW - 30 * DAY, NOW + 300 * DAY)
            .add_extension(_usage(digital_signature=True), True)
            .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.TIME_STAMPING]), True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(pki.issuing_key.public_key()), False
            )
            .sign(pki.issuing_key, hashes.SHA256())
        )
        store = SimpleCertificateStore()
        store.register(asn1.Certificate.load(pki.issuing.public_bytes(Encoding.DER)))
        held = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        self.stamper = DummyTimeStamper(
            asn1.Certificate.load(certificate.public_bytes(Encoding.DER)),
            keys.PrivateKeyInfo.load(held),
            certs_to_embed=store,
        )
        self.wrong = False

    @contextlib.contextmanager
    def serving(self) -> Iterator[str]:
        """Its address, for as long as the block lasts."""
        authority = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = tsp.TimeStampReq.load(self.rfile.read(int(self.headers["Content-Length"])))
                answer = asyncio.run(authority.stamper.async_request_tsa_response(query)).dump()
                self.send_response(200)
                self.send_header(
                    "Content-Type", "text/html" if authority.wrong else "application/timestamp-reply"
                )
                self.end_headers()
                self.wfile.write(b"<html>" if authority.wrong else answer)

            def log_message(self, *arguments: Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            server.server_close()

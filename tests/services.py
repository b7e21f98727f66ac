"""The sample authority's services on loopback: timestamps, OCSP, revocation lists; and how they go wrong.

For the demonstration and the tests. They listen on this machine only, on a port the system chooses.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import http.server
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from fieldkit.sample import issue
from fieldkit.sample.authority import IssuedCertificate, SampleAuthority

Mode = Literal["good", "slow", "dripping", "captive", "failing", "cut"]
"""good: as it should be. slow: after `delay` seconds. dripping: a byte every `delay` seconds. captive: a web
page instead. failing: HTTP 500. cut: less than was announced."""
Stamps = Literal["good", "other-data", "other-nonce", "refused", "junk"]
"""How timestamps go wrong while the rest is good: for other data, for another query, none, or none at all."""
Statuses = Literal["good", "stale", "unknown", "foreign"]
"""How OCSP answers go wrong: over since yesterday, no knowledge, or made by somebody who may not."""
PAGE = (
    "<!doctype html><title>MẪU – SAMPLE</title><p>Vui lòng đăng nhập mạng / Please log in to the network.</p>"
)
LARGEST = 1024 * 1024


class SampleServices:
    """The services of one sample authority while they run.

    mode, stamps and statuses may be changed at any time. asked: the paths that were asked for. clock: how
    far the timestamps are off. stamper: who makes timestamps instead of the authority's own service.
    """

    def __init__(self, authority: SampleAuthority, mode: Mode = "good", delay: float = 2.0) -> None:
        self.authority = authority
        self.mode = mode
        self.delay = delay
        self.clock = timedelta()
        self.stamps: Stamps = "good"
        self.statuses: Statuses = "good"
        self.stamper: IssuedCertificate | None = None
        self.asked: list[str] = []
        self.url = ""
        self.ended = threading.Event()

    @property
    def tsa(self) -> str:
        return f"{self.url}/tsa"

    @property
    def ocsp(self) -> str:
        return f"{self.url}/ocsp"

    @property
    def crl(self) -> str:
        """The issuing CA's revocation list."""
        return f"{self.url}/issuing.crl"

    def answer(self, path: str, body: bytes | None) -> tuple[int, str, bytes]:
        """Status, content type and body for a request; `body` is None for a GET."""
        self.asked.append(path)
        if self.mode == "slow":
            self.ended.wait(self.delay)
        if self.mode == "captive":
            return 200, "text/html; charset=utf-8", PAGE.encode()
        if self.mode == "failing":
            return 500, "text/plain", b"SAMPLE: out of order"
        name = path.strip("/")
        if name == "tsa" and body is not None:
            try:
                return 200, "application/timestamp-reply", self._timestamp(body)
            except (ValueError, TypeError, KeyError):  # what the parsers raise for a wrong query
                return 400, "text/plain", b"SAMPLE: not a timestamp query"
        if name == "ocsp" and body is not None:
            return 200, "application/ocsp-response", self._status(body)
        if name.startswith("ocsp/"):
            return 200, "application/ocsp-response", self._status(_from_path(name))
        if name in ("root.crl", "issuing.crl"):
            return 200, "application/pkix-crl", (self.authority.folder / name).read_bytes()
        if name in ("root.crt", "issuing.crt"):
            held = self.authority.root if name == "root.crt" else self.authority.issuing
            return 200, "application/pkix-cert", held
        return 404, "text/plain", b"SAMPLE: nothing here"

    def _timestamp(self, body: bytes) -> bytes:
        from asn1crypto import keys, tsp
        from asn1crypto import x509 as asn1
        from pyhanko.sign.timestamps import DummyTimeStamper
        from pyhanko_certvalidator.registry import SimpleCertificateStore

        query = tsp.TimeStampReq.load(body)  # type: ignore[no-untyped-call]
        query.native  # noqa: B018 (parsed lazily: a wrong one shows here)
        if self.stamps == "refused":
            refused: Any = {"status": "rejection", "status_string": ["SAMPLE: refused"]}
            said = bytes(tsp.PKIStatusInfo(refused).dump())  # type: ignore[no-untyped-call]
            return b"\x30" + bytes([len(said)]) + said  # asn1crypto knows no answer without a timestamp
        if self.stamps == "junk":
            return b"SAMPLE: junk"
        if self.stamps == "other-data":
            query["message_imprint"]["hashed_message"] = bytes(32)
        if self.stamps == "other-nonce":
            query["nonce"] = 4711
        held, key, chain = self._stamping()
        store = SimpleCertificateStore()  # type: ignore[no-untyped-call]
        for each in chain:
            store.register(asn1.Certificate.load(each))  # type: ignore[no-untyped-call]
        stamper = DummyTimeStamper(
            asn1.Certificate.load(held),  # type: ignore[no-untyped-call]
            keys.PrivateKeyInfo.load(key),  # type: ignore[no-untyped-call]
            certs_to_embed=store,
            fixed_dt=issue.seconds(None) + self.clock if self.clock else None,
        )
        return bytes(asyncio.run(stamper.async_request_tsa_response(query)).dump())  # type: ignore[no-untyped-call]

    def _stamping(self) -> tuple[bytes, bytes, tuple[bytes, ...]]:
        """Certificate, key (PKCS#8) and issuing authorities of whoever makes the timestamps."""
        if self.stamper is not None:
            return self.stamper.certificate, self.stamper.key.reveal_bytes(), self.stamper.chain[:1]
        own = self.authority.signer("tsa")
        return own.certificate.public_bytes(Encoding.DER), issue.der_key(own.key), (self.authority.issuing,)

    def _status(self, body: bytes) -> bytes:
        """The OCSP answer, from the revocation list as it is now."""
        try:
            asked = ocsp.load_der_ocsp_request(body)
        except ValueError:
            failed = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
            return failed.public_bytes(Encoding.DER)
        issuer = x509.load_der_x509_certificate(self.authority.issuing)
        listed = x509.load_der_x509_crl(self.authority.crls[1])
        entry = listed.get_revoked_certificate_by_serial_number(asked.serial_number)
        status = _known(asked, issuer, entry)
        if self.statuses == "unknown":
            status = ocsp.OCSPCertStatus.UNKNOWN
        revoked = status is ocsp.OCSPCertStatus.REVOKED
        # who made it counts: a certificate for timestamps may not answer for others
        responder = self.authority.signer("tsa" if self.statuses == "foreign" else "ocsp")
        now = issue.seconds(None) - timedelta(days=2 if self.statuses == "stale" else 0)
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            issuer_name_hash=asked.issuer_name_hash,
            issuer_key_hash=asked.issuer_key_hash,
            serial_number=asked.serial_number,
            algorithm=asked.hash_algorithm,
            cert_status=status,
            this_update=now,
            next_update=now + timedelta(days=1),
            revocation_time=entry.revocation_date_utc if revoked and entry else None,
            revocation_reason=x509.ReasonFlags.key_compromise if revoked else None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
        builder = builder.certificates([responder.certificate])
        with contextlib.suppress(x509.ExtensionNotFound):
            nonce = asked.extensions.get_extension_for_class(x509.OCSPNonce)
            builder = builder.add_extension(nonce.value, False)
        return builder.sign(responder.key, issue.digest(responder.key)).public_bytes(Encoding.DER)


@contextlib.contextmanager
def serving(
    authority: SampleAuthority, mode: Mode = "good", *, delay: float = 2.0
) -> Iterator[SampleServices]:
    """Run the services until the end of the block."""
    services = SampleServices(authority, mode, delay)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(None)

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self._reply(self.rfile.read(min(length, LARGEST)))

        def _reply(self, body: bytes | None) -> None:
            status, kind, content = services.answer(urllib.parse.urlsplit(self.path).path, body)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # nobody waited for a slow one
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self._send(content)

        def _send(self, content: bytes) -> None:
            if services.mode == "cut":
                self.wfile.write(content[: len(content) // 2])
                self.close_connection = True
            elif services.mode == "dripping":
                for at in range(len(content)):
                    self.wfile.write(content[at : at + 1])
                    self.wfile.flush()
                    if services.ended.wait(services.delay):
                        return
            else:
                self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass  # a test's or the demonstration's output is not for this

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    services.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield services
    finally:
        services.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def unreachable() -> Iterator[str]:
    """An address on which nothing listens, and nothing else can until the end of the block."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def _known(
    asked: ocsp.OCSPRequest, issuer: x509.Certificate, entry: x509.RevokedCertificate | None
) -> ocsp.OCSPCertStatus:
    """The status: of what another authority issued, nothing is known."""
    digest = hashes.Hash(asked.hash_algorithm)
    digest.update(issuer.subject.public_bytes())
    if digest.finalize() != asked.issuer_name_hash:
        return ocsp.OCSPCertStatus.UNKNOWN
    return ocsp.OCSPCertStatus.REVOKED if entry else ocsp.OCSPCertStatus.GOOD


def _from_path(name: str) -> bytes:
    """The request in the path of a GET (RFC 6960, appendix A.1)."""
    try:
        return base64.b64decode(urllib.parse.unquote(name.removeprefix("ocsp/")))
    except (binascii.Error, ValueError):
        return b""

"""The pyHanko signer whose raw signature is made by a token, and the timestamps from an authority.

Imported late: this loads pyHanko.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asn1crypto import tsp
from pyhanko.sign.signers.pdf_cms import Signer
from pyhanko.sign.timestamps import TimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from fieldkit import web
from fieldkit.pdf import boundary
from fieldkit.validation.trust import certificates

if TYPE_CHECKING:
    from fieldkit.signature.raw_signer import RawSigner

LARGEST_RESPONSE = 1024 * 1024


class TokenSigner(Signer):
    """Hands the signed attributes to `raw` and nothing else: a token's time does not grow with the file."""

    def __init__(self, raw: RawSigner) -> None:
        certificate, *chain = certificates((raw.certificate, *raw.chain))
        store = SimpleCertificateStore()  # type: ignore[no-untyped-call]
        store.register_multiple(chain)
        super().__init__(signing_cert=certificate, cert_registry=store, embed_roots=False)
        self.raw = raw
        public_key: Any = certificate.public_key
        self._elliptic: bool = public_key.algorithm == "ec"
        self._key_bytes: int = public_key.byte_size
        self._held = len(raw.certificate) + sum(map(len, raw.chain))

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        if dry_run:
            return bytes(2 * self._key_bytes + 16)
        digest = digest_algorithm.upper()
        mechanism = f"ECDSA_{digest}" if self._elliptic else f"{digest}_RSA_PKCS"
        return self.raw.sign(data, mechanism)  # nothing else runs meanwhile: a thread would only cost time

    def room(self, *, timestamped: bool) -> int:
        """Bytes to keep free for the signature, hexadecimal as they stand in the file.

        Enough beforehand, so that pyHanko need not make a whole trial signature to find out.
        """
        needed = self._held + self._key_bytes + 2048 + (12288 if timestamped else 0)
        return 2 * needed


class HttpTimeStamper(TimeStamper):  # type: ignore[misc, unused-ignore]
    """RFC 3161 over HTTP with a deadline and a limit, and without a further library."""

    def __init__(self, url: str, *, timeout: float = 20.0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.url = url
        self.timeout = timeout

    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        answer: tsp.TimeStampResp = self._ask(req.dump())  # type: ignore[no-untyped-call]
        self._fits(req, answer)
        return answer

    def _fits(self, req: tsp.TimeStampReq, answer: Any) -> None:
        """The timestamp is for this very query (RFC 3161 §2.2); pyHanko compares the nonce alone."""
        try:
            made = answer["time_stamp_token"]["content"]["encap_content_info"]["content"].parsed
            fits = all(made[part].dump() == req[part].dump() for part in ("message_imprint", "nonce"))
        except (ValueError, TypeError, KeyError) as error:
            raise boundary.timestamp_failed(f"{self.url}: {boundary.kind_of(error)}") from None
        if not fits:
            raise boundary.timestamp_failed(f"{self.url}: a timestamp for something else")

    def _ask(self, query: bytes) -> Any:
        try:
            request = web.request(self.url, query, "application/timestamp-query")
            response = web.exchange(request, seconds=self.timeout, largest=LARGEST_RESPONSE)
        except web.FAULTS as error:
            raise boundary.timestamp_failed(f"{self.url}: {boundary.kind_of(error)}") from None
        kind = response.headers.get_content_type()
        if kind != "application/timestamp-reply":
            raise boundary.timestamp_failed(f"{self.url}: {kind}, {len(response.body)} bytes")
        try:
            answer = tsp.TimeStampResp.load(response.body, strict=True)  # type: ignore[no-untyped-call]
            status = answer["status"]["status"].native
        except (ValueError, TypeError, KeyError) as error:
            raise boundary.timestamp_failed(f"{self.url}: {boundary.kind_of(error)}") from None
        if status not in ("granted", "granted_with_mods"):
            raise boundary.timestamp_failed(f"{self.url}: {status}")
        return answer

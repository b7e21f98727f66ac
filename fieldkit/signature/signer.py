"""The pyHanko signer whose raw signature is made by a token, and the timestamps from an authority.

Imported late: this loads pyHanko.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asn1crypto import tsp
from pyhanko.sign.signers.pdf_cms import Signer
from pyhanko.sign.timestamps import TimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from fieldkit.signature import timestamp
from fieldkit.validation.trust import certificates

if TYPE_CHECKING:
    from asn1crypto.keys import PublicKeyInfo

    from fieldkit.signature.raw_signer import RawSigner


class TokenSigner(Signer):
    """Hands the signed attributes to `raw` and nothing else: a token's time does not grow with the file."""

    def __init__(self, raw: RawSigner) -> None:
        certificate, *chain = certificates((raw.certificate, *raw.chain))
        store = SimpleCertificateStore()
        store.register_multiple(chain)
        super().__init__(signing_cert=certificate, cert_registry=store, embed_roots=False)
        self.raw = raw
        public_key: PublicKeyInfo = certificate.public_key
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
    """The authority at `url`, for pyHanko."""

    def __init__(self, url: str, *, timeout: float = 20.0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.url = url
        self.timeout = timeout

    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        return timestamp.request(self.url, req, self.timeout)

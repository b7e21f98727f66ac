"""Ask the authorities' servers what a document leaves open: issuing certificates, OCSP answers, CRLs.

Every request has a deadline and a limit, is made once per run, and is written down with its outcome. What a
certificate names is chosen by whoever made it: few addresses each, none inside unless a profile names it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from fieldkit import web
from fieldkit.pdf import boundary
from fieldkit.validation import opener
from fieldkit.validation.trust import Trust

if TYPE_CHECKING:
    from asn1crypto.ocsp import OCSPResponse
    from asn1crypto.x509 import Certificate

LARGEST = 32 * 1024 * 1024  # bytes; national revocation lists do grow to several megabytes
LONGEST_CHAIN = 6
MOST_URLS = 4
"""So many addresses of one certificate are asked."""


class FetchedAnswer(msgspec.Struct, frozen=True):
    """One request. outcome: "ok", or what went wrong. sha256: of the answer, hexadecimal."""

    url: str
    outcome: str
    size: int = 0
    milliseconds: int = 0
    sha256: str = ""


class Online:
    """The network, with a memory for one run. asked: every request in order.

    patience: seconds for one server, however slowly it answers; one that let it run out is not asked again.
    All that one certificate names has twice as long. named: the addresses of profiles, which may lie inside
    the network; None where every one may.
    """

    def __init__(self, *, patience: float = 8.0, named: Iterable[str] | None = ()) -> None:
        self.patience = patience
        self._opener = opener.opener(None if named is None else opener.places(named))
        self._chosen: dict[bytes, list[str]] = {}
        self._ends: dict[bytes, float] = {}
        self.asked: list[FetchedAnswer] = []
        self._known: dict[tuple[str, bytes | None], object] = {}
        self._silent: set[opener.Place | None] = set()

    def failures(self) -> str:
        """What did not answer, for a person who helps."""
        return "; ".join(f"{answer.url}: {answer.outcome}" for answer in self.asked if answer.outcome != "ok")

    def issuers(self, certificate: Certificate, believed: Trust) -> tuple[Certificate, ...]:
        """The authorities above `certificate` that are not here, fetched from where it says they are."""
        here = {certificate.subject.dump() for certificate in (*believed.others, *believed.anchors)}
        issuers: list[Certificate] = []
        at = certificate
        for _ in range(LONGEST_CHAIN):
            if at.issuer.dump() in here or at.self_issued:
                break
            answers = (self._ask(url, _certificate, of=at) for url in _issuer_urls(at))
            fetched = next(
                (answer for answer in answers if answer and answer.subject.dump() == at.issuer.dump()), None
            )
            if fetched is None:
                break
            issuers.append(fetched)
            at = fetched
        return tuple(issuers)

    def revocation(self, certificate: Certificate, believed: Trust) -> Trust:
        """OCSP answers, and revocation lists where no responder answers, for the whole path."""
        crls: list[bytes] = []
        ocsps: list[OCSPResponse] = []
        for at, issuer in _path(certificate, believed):
            request = _ocsp_request(at, issuer)
            answers = (
                self._ask(url, _ocsp_answer, request, "application/ocsp-request", of=at)
                for url in at.ocsp_urls
            )
            answer = next((response for response in answers if response is not None), None)
            if answer is not None:
                ocsps.append(answer)
                continue
            for point in at.crl_distribution_points:
                listed = self._ask(point.url, _revocation_list, of=at) if point.url else None
                if listed is not None:
                    crls.append(listed)
        return Trust(crls=tuple(crls), ocsps=tuple(ocsps))

    def lists(self, urls: Iterable[str]) -> Trust:
        """The revocation lists at these addresses, for a certificate that names none."""
        fetched = (self._ask(url, _revocation_list) for url in urls)
        return Trust(crls=tuple(der for der in fetched if der is not None))

    def _ask(
        self,
        url: str,
        read: Callable[[bytes], Any],
        body: bytes | None = None,
        kind: str = "",
        *,
        of: Certificate | None = None,
    ) -> Any:
        """What `read` makes of the answer, asked for once; None where there is none, or not such a one.

        of: the certificate that names the address; None where a profile does.
        """
        key = (url, body)
        if key not in self._known:
            began = time.monotonic()
            refused, end = self._bounds(url, of)
            data, outcome = (None, refused) if refused else self._fetched(url, body, kind, end)
            took = round(1000 * (time.monotonic() - began))
            parsed = None
            if data is not None:
                try:
                    parsed = read(data)
                except (ValueError, TypeError, KeyError):  # what asn1crypto raises
                    outcome = "not the answer that was asked for"
            digest = hashlib.sha256(data).hexdigest() if data else ""
            self.asked.append(FetchedAnswer(url, outcome, len(data or b""), took, digest))
            self._known[key] = parsed
        return self._known[key]

    def _bounds(self, url: str, of: Certificate | None) -> tuple[str, float]:
        """Why the address is not asked, or ""; and until when an answer is waited for."""
        now = time.monotonic()
        if of is None:
            return "", now + self.patience
        name = of.sha256
        chosen = self._chosen.setdefault(name, [])
        if url not in chosen:
            if len(chosen) >= MOST_URLS:
                return "not asked: the certificate names too many addresses", now
            chosen.append(url)
        end = self._ends.setdefault(name, now + 2 * self.patience)
        return ("not asked: no time is left", now) if end <= now else ("", min(end, now + self.patience))

    def _fetched(self, url: str, body: bytes | None, kind: str, end: float) -> tuple[bytes | None, str]:
        server = opener.place(url)
        if server in self._silent:
            return None, "not asked again: it let the deadline pass"
        try:
            request = web.request(url, body, kind)
            seconds = end - time.monotonic()
            answer = web.exchange(request, seconds=seconds, largest=LARGEST, opener=self._opener.open)
        except web.FAULTS as error:
            if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
                self._silent.add(server)
            return None, str(error) if isinstance(error, web.NotWhole) else boundary.kind_of(error)
        return answer.body, "ok"


def _path(certificate: Certificate, believed: Trust) -> Iterator[tuple[Certificate, Certificate]]:
    """Each certificate from `certificate` up to below the anchor, with its issuer."""
    known = {authority.subject.dump(): authority for authority in (*believed.others, *believed.anchors)}
    anchors = {anchor.sha256 for anchor in believed.anchors}
    at = certificate
    for _ in range(LONGEST_CHAIN):
        issuer = known.get(at.issuer.dump())
        if issuer is None or at.sha256 in anchors:
            return
        yield at, issuer
        at = issuer


def _issuer_urls(certificate: Certificate) -> Iterator[str]:
    """Where the certificate says that its issuer's is (authority information access)."""
    for access in certificate.authority_information_access_value or ():
        place = access["access_location"]
        if access["access_method"].native == "ca_issuers" and place.name == "uniform_resource_identifier":
            yield str(place.native)


def _ocsp_request(certificate: Certificate, issuer: Certificate) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import ocsp

    subject, above = (x509.load_der_x509_certificate(loaded.dump()) for loaded in (certificate, issuer))
    # SHA-1 only names the certificate here (RFC 5019 §2.1.1); many responders know no other
    builder = ocsp.OCSPRequestBuilder().add_certificate(subject, above, SHA1())  # noqa: S303
    return builder.build().public_bytes(Encoding.DER)


def _unarmoured(data: bytes) -> bytes:
    from asn1crypto import pem

    try:
        return pem.unarmor(data)[2] if pem.detect(data) else data
    except ValueError:
        return data


def _certificate(data: bytes) -> Certificate:
    from asn1crypto import x509

    certificate: Certificate = x509.Certificate.load(_unarmoured(data), strict=True)
    certificate.native  # noqa: B018 (parsed lazily: a wrong one shows here)
    return certificate


def _revocation_list(data: bytes) -> bytes:
    from asn1crypto import crl

    der = _unarmoured(data)
    revocations = crl.CertificateList.load(der, strict=True)
    revocations["tbs_cert_list"]["this_update"].native  # noqa: B018 (parsed lazily: a wrong one shows here)
    return der


def _ocsp_answer(data: bytes) -> OCSPResponse:
    from asn1crypto import ocsp

    response: OCSPResponse = ocsp.OCSPResponse.load(data, strict=True)
    if response["response_status"].native != "successful":
        raise ValueError("the responder gives no status")
    response.native  # noqa: B018 (parsed lazily: a wrong one shows here)
    return response

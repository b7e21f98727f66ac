"""Ask the services of a certificate's authority for a timestamp, and whether the certificate is revoked.

    answer = ask_timestamp(["http://tsa.example/"])
    answer = ask_revocation(certificate, chain, material)

A service that does not answer is "not-checked", never a failure.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from fieldkit.action.trust_material import TrustMaterial
from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding
from fieldkit.pdf import boundary
from fieldkit.text import M, Message

if TYPE_CHECKING:
    from fieldkit.validation.online import FetchedAnswer

SKEW = 120  # seconds a clock may be off before it is worth a word


class ServiceAnswer(msgspec.Struct, frozen=True):
    """What a service answered. requests: each with its outcome, size, time and digest. tsa: who answered."""

    findings: tuple[Finding, ...]
    requests: tuple[FetchedAnswer, ...] = ()
    tsa: str = ""


def ask_timestamp(urls: Sequence[str]) -> ServiceAnswer:
    """Ask the timestamp authorities until one answers, and compare its clock with this machine's."""
    if not urls:
        missing = M("No timestamp authority is configured for this certificate's authority.")
        return ServiceAnswer((_open("timestamp-authority", missing, M("Add its address to the profile.")),))
    from fieldkit.signature.timestamp import genuine_time

    faults = []
    for url in urls:
        began = time.monotonic()
        try:
            moment = genuine_time(url)
        except FieldkitError as error:
            faults.append(error.detail or str(error))
            continue
        took = round(1000 * (time.monotonic() - began))
        off = round((moment - datetime.now(UTC)).total_seconds())
        findings = [
            Finding(
                "timestamp-authority",
                "pass",
                M("The timestamp authority {url} answered in {time} ms.", url=url, time=took),
                moment.isoformat(timespec="seconds"),
            )
        ]
        if abs(off) > SKEW:
            findings.append(
                Finding(
                    "clock",
                    "fail",
                    M(
                        "This machine's clock is {seconds} seconds off the timestamp authority's.",
                        seconds=abs(off),
                    ),
                    f"{off:+d}",
                    hint=M("Set the clock, then run this step again."),
                )
            )
        return ServiceAnswer(tuple(findings), tsa=url)
    unreached = M("No timestamp authority could be reached: {urls}.", urls=", ".join(urls))
    hint = M("Run this step again with a network, or try the signature's timestamp later.")
    return ServiceAnswer((_open("timestamp-authority", unreached, hint, "; ".join(faults)),))


def ask_revocation(
    certificate: bytes, chain: Sequence[bytes], material: TrustMaterial, lists: Sequence[str] = ()
) -> ServiceAnswer:
    """Ask the services that the certificate names, or else the `lists` of the profile, for its status."""
    from pyhanko_certvalidator.errors import RevokedError

    from fieldkit.validation.online import Online
    from fieldkit.validation.trust import certificates, trust

    believed = trust(material.anchors, (certificate, *chain, *material.others))
    (holder,) = certificates((certificate,))
    online = Online(named=None)  # the token's own authority may well answer inside
    fetched = online.revocation(holder, believed)
    if not online.asked and lists:
        fetched = online.lists(lists)
    requests = tuple(online.asked)
    if not requests:
        unnamed = M("Neither the certificate nor the profile names a revocation service.")
        return ServiceAnswer((_open("revocation-service", unnamed, M("Add its address to the profile.")),))
    if not any(answer.outcome == "ok" for answer in requests):
        unreached = M(
            "No revocation service could be reached: {urls}.",
            urls=", ".join(answer.url for answer in requests),
        )
        hint = M("Run this step again with a network, or bring revocation lists in the kit.")
        return ServiceAnswer((_open("revocation-service", unreached, hint, online.said()),), requests)
    known = msgspec.structs.replace(believed, crls=fetched.crls, ocsps=fetched.ocsps)
    fault = known.path_fault(holder, datetime.now(UTC), "require")
    detail = "; ".join(
        f"{answer.url}: {answer.milliseconds} ms" for answer in requests if answer.outcome == "ok"
    )
    if fault is None:
        message = M("The revocation services say that the certificate is not revoked.")
        return ServiceAnswer((Finding("revocation-service", "pass", message, detail),), requests)
    if isinstance(fault, RevokedError):
        message = M("The certificate, or one of its authorities, is revoked.")
        return ServiceAnswer(
            (Finding("revocation-service", "fail", message, boundary.kind_of(fault)),), requests
        )
    unclear = M("The revocation services answered, and do not settle whether the certificate is revoked.")
    return ServiceAnswer((_open("revocation-service", unclear, None, boundary.kind_of(fault)),), requests)


def _open(name: str, message: Message, hint: Message | None, detail: str = "") -> Finding:
    return Finding(name, "not-checked", message, detail, required=False, hint=hint)

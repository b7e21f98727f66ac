"""Revocation lists fetched for a kit: taken only when an authority in place signed them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fieldkit import web
from fieldkit.finding import Finding
from fieldkit.kit.payload import KitPaper
from fieldkit.profile.model import Authority, Profiles
from fieldkit.text import M

if TYPE_CHECKING:
    from cryptography import x509

PATIENCE = 10.0  # seconds for a whole answer
LARGEST = 64 * 1024 * 1024


def fetch(
    profiles: Profiles, names: Iterable[str], have: Sequence[KitPaper] = ()
) -> tuple[list[KitPaper], list[Finding]]:
    """The lists that the authorities' profiles name; and, of each list of theirs, what is to be said.

    have: papers already in the kit; a list of theirs is judged like one that was fetched.
    """
    fetched: list[KitPaper] = []
    findings: list[Finding] = []
    for name in sorted(set(names) & set(profiles.authorities)):
        authority = profiles.authorities[name]
        signers = _certificates((*profiles.anchors(name), *profiles.intermediates(name)))
        for endpoint in authority.crl:
            paper, finding = _fetch(authority, endpoint.url, signers)
            findings.append(finding)
            if paper is not None:
                fetched.append(paper)
        ours = [paper for paper in have if _is_list(paper.path, name)]
        taken = [paper.path for paper in fetched if _is_list(paper.path, name)]
        findings += [
            _judged(paper.path.rpartition("/")[2], paper.content, signers)
            for paper in ours
            if paper.path not in taken
        ]
        if not ours and not taken:
            message = M("No revocation list of {authority} goes into the kit.", authority=name)
            hint = M("Without one, revocation is not checked where there is no network.")
            findings.append(Finding("crl", "warning", message, hint=hint))
    return fetched, findings


def _is_list(path: str, authority: str) -> bool:
    return path.startswith(f"profiles/authorities/{authority}/") and path.endswith(".crl")


def _fetch(
    authority: Authority, url: str, signers: Sequence[x509.Certificate]
) -> tuple[KitPaper | None, Finding]:
    try:
        content = web.exchange(web.request(url), seconds=PATIENCE, largest=LARGEST).body
    except web.FAULTS as error:
        message = M("The revocation list at {url} could not be fetched.", url=url)
        hint = M("An earlier one in the home goes along instead, if there is one.")
        return None, Finding("crl", "warning", message, detail=str(error)[:200], hint=hint)
    finding = _judged(url, content, signers)
    if finding.severity == "fail":
        return None, finding
    file = re.sub(r"[^A-Za-z0-9._-]", "-", url.rpartition("/")[2]).strip(".")[:80] or "list"
    file = file if file.endswith(".crl") else f"{file}.crl"
    return KitPaper(f"profiles/authorities/{authority.id}/{file}", content), finding


def _judged(name: str, content: bytes, signers: Sequence[x509.Certificate]) -> Finding:
    from cryptography import x509

    try:
        loader = x509.load_pem_x509_crl if b"-----BEGIN" in content[:100] else x509.load_der_x509_crl
        certificate_revocation_list = loader(content)
        genuine = any(
            certificate_revocation_list.issuer == signer.subject
            and certificate_revocation_list.is_signature_valid(signer.public_key())  # type: ignore[arg-type]
            for signer in signers
        )
    except (ValueError, TypeError) as error:
        message = M("What {name} gave is no revocation list.", name=name)
        return Finding("crl", "fail", message, detail=str(error)[:200])
    if not genuine:
        message = M(
            "The revocation list {name} is signed by no authority in place; it does not count.", name=name
        )
        return Finding("crl", "fail", message)
    until = certificate_revocation_list.next_update_utc
    if until is not None and until < datetime.now(UTC):
        message = M("The revocation list {name} ran out on {day}.", name=name, day=until.date().isoformat())
        return Finding("crl", "warning", message, hint=M("Fetch a new one before the stick is handed out."))
    day = until.date().isoformat() if until is not None else "-"
    return Finding("crl", "pass", M("The revocation list {name} holds until {day}.", name=name, day=day))


def _certificates(paths: Iterable[Path]) -> list[x509.Certificate]:
    from cryptography import x509

    certificates: list[x509.Certificate] = []
    for path in paths:
        content = path.read_bytes()
        if b"-----BEGIN" in content:
            certificates += x509.load_pem_x509_certificates(content)
        else:
            certificates.append(x509.load_der_x509_certificate(content))
    return certificates

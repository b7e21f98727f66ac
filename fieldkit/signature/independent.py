"""What other programs say of a document's signatures: pdfsig, openssl and mutool share no code with fieldkit.

A program that is missing, or that cannot judge a kind of signature, is "not-checked" with its reason.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from fieldkit.signature import document
from fieldkit.signature.ranges import SignedRange, signed_ranges
from fieldkit.signature.trust import certificates
from fieldkit.text import M
from fieldkit.verdict import Check

PATIENCE = 60.0  # seconds for one program and one document
TRUSTED = "Certificate is Trusted."
VALID = "Signature is Valid."
UNVERIFIED = "Signature has not yet been verified."


def pdfsig(path: Path, trust: Sequence[bytes]) -> list[Check]:
    """What poppler's pdfsig says, with `trust` (DER or PEM) as its only anchors."""
    program = shutil.which("pdfsig")
    if program is None:
        return [_missing("pdfsig", "poppler-utils")]
    with tempfile.TemporaryDirectory(prefix="fieldkit-nss-") as folder:
        database = _anchor_database(Path(folder), trust) if trust else ""
        done = _run([program, "-nssdir", folder, str(path)])
    if done is None:
        return [_silent("pdfsig")]
    return _read_pdfsig(done.stdout, database, bool(trust))


def _anchor_database(folder: Path, trust: Sequence[bytes]) -> str:
    """Make an NSS database of the anchors; what went wrong, or ""."""
    names = []
    for number, certificate in enumerate(certificates(trust)):
        name = folder / f"{number}.der"
        name.write_bytes(certificate.dump())  # type: ignore[no-untyped-call]
        names.append(str(name))
    done = _run([sys.executable, "-m", "fieldkit.signature.nss", str(folder), *names])
    if done is None:
        return "no answer"
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["failed"])[-1]


def _read_pdfsig(text: str, database: str, anchored: bool) -> list[Check]:
    blocks = re.split(r"^Signature #\d+:$", text, flags=re.MULTILINE)[1:]
    if not blocks:
        return [Check("pdfsig-integrity", "fail", M("pdfsig finds no signature."), text.strip()[:200])]
    checks = []
    for number, block in enumerate(blocks, 1):
        values = {
            key.strip(" -"): value.strip()
            for key, _, value in (line.partition(":") for line in block.splitlines())
        }
        validity = values.get("Signature Validation", "")
        if "is not signed" in block and not validity:
            continue  # an empty field
        trusted = values.get("Certificate Validation", "")
        if values.get("Signature Type") in ("unknown", "ETSI.RFC3161") and validity == UNVERIFIED:
            checks.append(
                Check(
                    "pdfsig-integrity",
                    "not-checked",
                    M("pdfsig cannot judge signature {number}: it is a timestamp.", number=number),
                    validity,
                    required=False,
                )
            )
            continue
        checks.append(
            Check(
                "pdfsig-integrity", "pass", M("pdfsig: signature {number} is valid.", number=number), validity
            )
            if validity == VALID
            else Check(
                "pdfsig-integrity",
                "fail",
                M("pdfsig: signature {number} is not valid.", number=number),
                validity or block.strip()[:200],
            )
        )
        if validity == VALID:
            checks.append(_pdfsig_path(number, trusted, database, anchored))
    return checks


def _pdfsig_path(number: int, said: str, database: str, anchored: bool) -> Check:
    if not anchored:
        return Check(
            "pdfsig-path", "not-checked", M("No trust anchor was given to pdfsig."), said, required=False
        )
    if database:
        return Check(
            "pdfsig-path",
            "not-checked",
            M("The anchors could not be given to pdfsig; its word on the certificate does not count."),
            database,
            required=False,
        )
    if said == TRUSTED:
        return Check(
            "pdfsig-path",
            "pass",
            M("pdfsig: the certificate of signature {number} is trusted.", number=number),
            said,
            required=False,
        )
    if re.search(r"revoked|isn't Trusted|issuer", said, re.IGNORECASE):
        return Check(
            "pdfsig-path",
            "fail",
            M("pdfsig: the certificate of signature {number} is not trusted.", number=number),
            said,
            required=False,
        )
    return Check(
        "pdfsig-path",
        "not-checked",
        M("pdfsig has no clear word on the certificate of signature {number}.", number=number),
        said,
        required=False,
    )


def openssl_cms(path: Path, trust: Sequence[bytes], *, at: datetime | None = None) -> list[Check]:
    """What `openssl cms -verify` says of each signature's bytes, cut out of the file."""
    program = shutil.which("openssl")
    if program is None:
        return [_missing("openssl", "openssl")]
    found = signed_ranges(path)
    if not found:
        return [Check("openssl-integrity", "fail", M("There is no signature in the document."))]
    data = document.read(path)
    with tempfile.TemporaryDirectory(prefix="fieldkit-cms-") as name:
        folder = Path(name)
        anchors = folder / "anchors.pem"
        anchors.write_text(_pem(trust))
        return [
            _openssl(program, folder, anchors if trust else None, number, each, data, at)
            for number, each in enumerate(found, 1)
        ]


def _openssl(
    program: str,
    folder: Path,
    anchors: Path | None,
    number: int,
    signed: SignedRange,
    data: bytes,
    at: datetime | None,
) -> Check:
    if signed.timestamp:
        return Check(
            "openssl-integrity",
            "not-checked",
            M("openssl cms does not judge signature {number}: it is a timestamp.", number=number),
            required=False,
        )
    cms, content = folder / f"{number}.cms", folder / f"{number}.bin"
    cms.write_bytes(signed.cms)
    content.write_bytes(signed.content(data))
    line = [program, "cms", "-verify", "-inform", "DER", "-binary", "-in", str(cms)]
    line += ["-content", str(content), "-out", os.devnull, "-purpose", "any", "-no-CApath", "-no-CAstore"]
    line += ["-CAfile", str(anchors)] if anchors else ["-noverify", "-no-CAfile"]
    if at is not None:
        line += ["-attime", str(int(at.timestamp()))]
    done = _run(line)
    content.unlink()
    if done is None:
        return _silent("openssl")
    detail = (done.stderr.strip().splitlines() or [""])[-1][:200]
    if done.returncode == 0:
        return Check(
            "openssl-integrity",
            "pass",
            M("openssl: signature {number} is valid, and its path too.", number=number)
            if anchors
            else M(
                "openssl: signature {number} is valid; without anchors its path was not looked at.",
                number=number,
            ),
            detail,
        )
    return Check(
        "openssl-integrity", "fail", M("openssl: signature {number} is not valid.", number=number), detail
    )


def mutool(path: Path) -> list[Check]:
    """Whether MuPDF finds the document unchanged; it knows no anchors, so its word is on integrity alone."""
    program = shutil.which("mutool")
    if program is None:
        return [_missing("mutool", "mupdf-tools", required=False)]
    done = _run([program, "sign", "-v", str(path)])
    if done is None:
        return [_silent("mutool", required=False)]
    text = done.stdout + done.stderr
    good = len(re.findall(r"unchanged since signing|but there have been edits", text))
    detail = " / ".join(line.strip() for line in text.splitlines() if "sign" in line.lower())[:200]
    if re.search(r"digest (?:failure|is invalid|mismatch)|invalidated|did not verify", text, re.IGNORECASE):
        return [
            Check("mutool-integrity", "fail", M("mutool: the document was changed."), detail, required=False)
        ]
    if good:
        return [
            Check(
                "mutool-integrity",
                "pass",
                M("mutool: the signatures fit the document."),
                detail,
                required=False,
            )
        ]
    return [
        Check("mutool-integrity", "not-checked", M("mutool has no clear word on it."), detail, required=False)
    ]


def _pem(blobs: Sequence[bytes]) -> str:
    from asn1crypto import pem

    return "".join(pem.armor("CERTIFICATE", each.dump()).decode() for each in certificates(blobs))  # type: ignore[no-untyped-call]


def _run(line: Sequence[str]) -> subprocess.CompletedProcess[str] | None:
    """Run a program in English, without input; None if it does not come to an end."""
    try:
        return subprocess.run(
            list(line),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            env=os.environ | {"LC_ALL": "C"},
        )
    except (subprocess.TimeoutExpired, OSError):
        return None


def _missing(program: str, package: str, *, required: bool = True) -> Check:
    return Check(
        f"{program}-integrity",
        "not-checked",
        M("{program} is not on this machine. Install it: {package}", program=program, package=package),
        required=required,
    )


def _silent(program: str, *, required: bool = True) -> Check:
    return Check(
        f"{program}-integrity",
        "not-checked",
        M("{program} came to no end and was stopped.", program=program),
        required=required,
    )

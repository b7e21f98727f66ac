"""What other programs say of a document's signatures: pdfsig, openssl and mutool share no code with fieldkit.

A program that is missing, cannot be started, comes to no end, or cannot judge a kind of signature is
"not-checked" with its reason and what would settle it.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding
from fieldkit.pdf import document
from fieldkit.pdf.byte_ranges import SignedRange, signed_ranges
from fieldkit.text import M, Message
from fieldkit.validation.trust import certificates

if TYPE_CHECKING:
    from fieldkit.secret import Secret

PATIENCE = 60.0  # seconds for one program and one document
TRUSTED = "Certificate is Trusted."
VALID = "Signature is Valid."
UNTRUSTED = "certificate verify error"
UNKNOWN = "Unknown Validation Failure."
OCSP = bytes.fromhex("06082b06010505073001")  # id-ad-ocsp, in a certificate's authority information access
UNVERIFIED = "Signature has not yet been verified."


def by(judge: str, checks: Iterable[Finding]) -> list[Finding]:
    """The checks as the word of `judge`."""
    return [msgspec.structs.replace(check, judge=judge) for check in checks]


def pdfsig(path: Path, trust: Sequence[bytes]) -> list[Finding]:
    """What poppler's pdfsig says, with `trust` (DER or PEM) as its only anchors."""
    return by("pdfsig", _pdfsig(path, trust))


def _pdfsig(path: Path, trust: Sequence[bytes]) -> list[Finding]:
    program = shutil.which("pdfsig")
    if program is None:
        return [_missing("pdfsig", "poppler-utils")]
    with tempfile.TemporaryDirectory(prefix="fieldkit-nss-") as folder:
        # without anchors too: pdfsig judges nothing at all without a database
        database = _anchor_database(Path(folder), trust)
        offline = ["-no-ocsp"] if _names_responder(path) else []
        done = _run([program, "-nssdir", folder, *offline, str(path.absolute())])
    if isinstance(done, Message):
        return [_silent("pdfsig", done)]
    return _read_pdfsig(done.stdout, database, bool(trust))


def _names_responder(path: Path) -> bool:
    """Whether a certificate in the document names an OCSP responder, which pdfsig would ask by itself.

    Where none does, that is not forbidden, since some releases then have no word on the certificate.
    """
    try:
        return any(OCSP in signed_range.cms for signed_range in signed_ranges(path))
    except FieldkitError:
        return True


def _anchor_database(folder: Path, trust: Sequence[bytes]) -> str:
    """Put an NSS database of the anchors into `folder`; what went wrong, or "".

    One is made for each set of anchors and run, since a process of its own makes it.
    """
    try:
        found = _made_database(tuple(trust))
    except _NotMade as error:
        return str(error)
    for name, data in found.items():
        (folder / name).write_bytes(data)
    return ""


class _NotMade(Exception):
    """The database could not be made; raised, so that it is tried again for the next document."""


@functools.lru_cache(maxsize=8)
def _made_database(trust: tuple[bytes, ...]) -> dict[str, bytes]:
    """The files of an NSS database that trusts the anchors.

    :raises _NotMade: with what went wrong.
    """
    with tempfile.TemporaryDirectory(prefix="fieldkit-anchors-") as place:
        given, made = Path(place) / "given", Path(place) / "made"
        given.mkdir()
        made.mkdir()
        names = []
        for number, certificate in enumerate(certificates(trust)):
            name = given / f"{number}.der"
            name.write_bytes(certificate.dump())  # type: ignore[no-untyped-call]
            names.append(str(name))
        done = _run([sys.executable, "-m", "fieldkit.validation.nss", str(made), *names])
        if isinstance(done, Message):
            raise _NotMade(done.text.format_map(done.params))
        if done.returncode != 0:
            raise _NotMade((done.stderr.strip().splitlines() or ["failed"])[-1])
        return {path.name: path.read_bytes() for path in made.iterdir()}


def _read_pdfsig(text: str, database: str, anchored: bool) -> list[Finding]:
    blocks = re.split(r"^Signature #\d+:$", text, flags=re.MULTILINE)[1:]
    if not blocks:
        return [Finding("pdfsig-integrity", "fail", M("pdfsig finds no signature."), text.strip()[:200])]
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
                Finding(
                    "pdfsig-integrity",
                    "not-checked",
                    M("pdfsig cannot judge signature {number}: it is a timestamp.", number=number),
                    validity,
                    required=False,
                )
            )
            continue
        if database and validity == UNKNOWN:
            checks.append(
                Finding(
                    "pdfsig-integrity",
                    "not-checked",
                    M("pdfsig could not judge signature {number}: it got no database.", number=number),
                    database,
                    required=False,
                )
            )
            continue
        checks.append(
            Finding(
                "pdfsig-integrity", "pass", M("pdfsig: signature {number} is valid.", number=number), validity
            )
            if validity == VALID
            else Finding(
                "pdfsig-integrity",
                "fail",
                M("pdfsig: signature {number} is not valid.", number=number),
                validity or block.strip()[:200],
            )
        )
        if validity == VALID:
            checks.append(_pdfsig_path(number, trusted, database, anchored))
    return checks


def _pdfsig_path(number: int, said: str, database: str, anchored: bool) -> Finding:
    if not anchored:
        return Finding(
            "pdfsig-path", "not-checked", M("No trust anchor was given to pdfsig."), said, required=False
        )
    if database:
        return Finding(
            "pdfsig-path",
            "not-checked",
            M("The anchors could not be given to pdfsig; its word on the certificate does not count."),
            database,
            required=False,
        )
    if said == TRUSTED:
        return Finding(
            "pdfsig-path",
            "pass",
            M("pdfsig: the certificate of signature {number} is trusted.", number=number),
            said,
            required=False,
        )
    if re.search(r"revoked|isn't Trusted|issuer", said, re.IGNORECASE):
        return Finding(
            "pdfsig-path",
            "fail",
            M("pdfsig: the certificate of signature {number} is not trusted.", number=number),
            said,
            required=False,
        )
    return Finding(
        "pdfsig-path",
        "not-checked",
        M("pdfsig has no clear word on the certificate of signature {number}.", number=number),
        said,
        required=False,
    )


def openssl_cms(
    path: Path,
    trust: Sequence[bytes],
    *,
    at: datetime | None = None,
    times: Mapping[str, datetime] | None = None,
    password: Secret | None = None,
) -> list[Finding]:
    """What `openssl cms -verify` says of each signature's bytes, cut out of the file.

    at: the moment to judge for. times: by field, the moment that a timestamp proves, which goes before it:
    openssl looks at no timestamp.
    """
    return by("openssl", _openssl_cms(path, trust, at, times or {}, password))


def _openssl_cms(
    path: Path,
    trust: Sequence[bytes],
    at: datetime | None,
    times: Mapping[str, datetime],
    password: Secret | None,
) -> list[Finding]:
    program = shutil.which("openssl")
    if program is None:
        return [_missing("openssl", "openssl")]
    found = signed_ranges(path, password)
    if not found:
        return [Finding("openssl-integrity", "fail", M("There is no signature in the document."))]
    data = document.read(path)
    with tempfile.TemporaryDirectory(prefix="fieldkit-cms-") as name:
        folder = Path(name)
        anchors = folder / "anchors.pem"
        anchors.write_text(_pem(trust))
        return [
            check
            for number, signed_range in enumerate(found, 1)
            for check in _openssl(
                program,
                folder,
                anchors if trust else None,
                number,
                signed_range,
                data,
                times.get(signed_range.field, at),
            )
        ]


def _openssl(
    program: str,
    folder: Path,
    anchors: Path | None,
    number: int,
    signed: SignedRange,
    data: bytes,
    at: datetime | None,
) -> list[Finding]:
    """Its word on the signature's bytes; one of its own on the path, where that alone is at fault."""
    if signed.timestamp:
        return [
            Finding(
                "openssl-integrity",
                "not-checked",
                M("openssl cms does not judge signature {number}: it is a timestamp.", number=number),
                required=False,
            )
        ]
    cms, content = folder / f"{number}.cms", folder / f"{number}.bin"
    cms.write_bytes(signed.cms)
    content.write_bytes(signed.content(data))
    line = [program, "cms", "-verify", "-inform", "DER", "-binary", "-in", str(cms)]
    line += ["-content", str(content), "-out", os.devnull, "-purpose", "any", "-no-CApath", "-no-CAstore"]
    alone = ["-noverify", "-no-CAfile"]
    # an anchor need not be a root: it is what the person trusts
    done = _run([*line, *(["-CAfile", str(anchors), "-partial_chain", *_moment(at)] if anchors else alone)])
    detail = "" if isinstance(done, Message) else (done.stderr.strip().splitlines() or [""])[-1][:200]
    path_fault = not isinstance(done, Message) and done.returncode != 0 and UNTRUSTED in done.stderr
    if path_fault:
        done = _run([*line, *alone])
    content.unlink()
    if isinstance(done, Message):
        return [_silent("openssl", done)]
    if done.returncode != 0:
        wrong = M("openssl: signature {number} is not valid.", number=number)
        return [Finding("openssl-integrity", "fail", wrong, detail)]
    if path_fault:
        return [
            Finding("openssl-integrity", "pass", M("openssl: signature {number} is valid.", number=number)),
            Finding(
                "openssl-path",
                "fail",
                M("openssl: the certificate of signature {number} is not trusted.", number=number),
                detail,
                required=False,
            ),
        ]
    good = (
        M("openssl: signature {number} is valid, and its path too.", number=number)
        if anchors
        else M(
            "openssl: signature {number} is valid; without anchors its path was not looked at.", number=number
        )
    )
    return [Finding("openssl-integrity", "pass", good, detail)]


def _moment(at: datetime | None) -> list[str]:
    return [] if at is None else ["-attime", str(int(at.timestamp()))]


def mutool(path: Path) -> list[Finding]:
    """Whether MuPDF finds the document unchanged; it knows no anchors, so its word is on integrity alone."""
    return by("mutool", _mutool(path))


def _mutool(path: Path) -> list[Finding]:
    program = shutil.which("mutool")
    if program is None:
        return [_missing("mutool", "mupdf-tools", required=False)]
    done = _run([program, "sign", "-v", str(path.absolute())])
    if isinstance(done, Message):
        return [_silent("mutool", done, required=False)]
    text = done.stdout + done.stderr
    good = len(re.findall(r"unchanged since signing|but there have been edits", text))
    detail = " / ".join(line.strip() for line in text.splitlines() if "sign" in line.lower())[:200]
    if re.search(r"digest (?:failure|is invalid|mismatch)|invalidated|did not verify", text, re.IGNORECASE):
        return [
            Finding(
                "mutool-integrity", "fail", M("mutool: the document was changed."), detail, required=False
            )
        ]
    if good:
        return [
            Finding(
                "mutool-integrity",
                "pass",
                M("mutool: the signatures fit the document."),
                detail,
                required=False,
            )
        ]
    return [
        Finding(
            "mutool-integrity", "not-checked", M("mutool has no clear word on it."), detail, required=False
        )
    ]


def _pem(blobs: Sequence[bytes]) -> str:
    from asn1crypto import pem

    return "".join(
        pem.armor("CERTIFICATE", certificate.dump()).decode()  # type: ignore[no-untyped-call]
        for certificate in certificates(blobs)
    )


def locked(judge: str) -> list[Finding]:
    """The word of a program on a document that needs a password: programs are not given any."""
    return [
        Finding(
            f"{judge}-integrity",
            "not-checked",
            M(
                "{judge} was not asked: the document needs a password, and programs are not given any.",
                judge=judge,
            ),
            required=False,
            hint=M("Ask the document's author for a copy without a password."),
            judge=judge,
        )
    ]


def _run(line: Sequence[str]) -> subprocess.CompletedProcess[str] | Message:
    """Run a program in English, without input; why there is no result where there is none."""
    name = Path(line[0]).name
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
    except subprocess.TimeoutExpired:
        return M(
            "{program} came to no end within {seconds} seconds and was stopped.",
            program=name,
            seconds=int(PATIENCE),
        )
    except OSError as error:
        return M(
            "{program} could not be started: {reason}.", program=name, reason=error.strerror or str(error)
        )


def _missing(program: str, package: str, *, required: bool = True) -> Finding:
    return Finding(
        f"{program}-integrity",
        "not-checked",
        M("{program} is not on this machine.", program=program),
        required=required,
        hint=M("Install the package {package}.", package=package),
    )


def _silent(program: str, why: Message, *, required: bool = True) -> Finding:
    return Finding(
        f"{program}-integrity",
        "not-checked",
        why,
        required=required,
        hint=M("Judge the document again; if it stays so, install {program} anew.", program=program),
    )

"""poppler's pdfsig, with the person's anchors as its only ones: in a database of NSS made for that."""

from __future__ import annotations

import functools
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding
from fieldkit.pdf.byte_ranges import signed_ranges
from fieldkit.program import run
from fieldkit.text import M
from fieldkit.validation.judges.judge import PATIENCE, Case, Judge
from fieldkit.validation.trust import certificates

TRUSTED = "Certificate is Trusted."
VALID = "Signature is Valid."
UNKNOWN = "Unknown Validation Failure."
UNVERIFIED = "Signature has not yet been verified."
OCSP = bytes.fromhex("06082b06010505073001")  # id-ad-ocsp, in a certificate's authority information access


class Pdfsig(Judge):
    name = program = "pdfsig"
    package = "poppler-utils"
    version = ("-v",)

    def examine(self, program: str, case: Case) -> list[Finding]:
        with tempfile.TemporaryDirectory(prefix="fieldkit-nss-") as folder:
            # without anchors too: pdfsig judges nothing at all without a database
            no_database = _put_database(Path(folder), case.trust)
            offline = ["-no-ocsp"] if _names_responder(case.path) else []
            done = self.run(program, "-nssdir", folder, *offline, str(case.path.absolute()))
        if done.problem is not None:
            return [self.silent(done.problem)]
        blocks = re.split(r"^Signature #\d+:$", done.text, flags=re.MULTILINE)[1:]
        if not blocks:
            return [self.integrity("fail", M("pdfsig finds no signature."), done.text.strip()[:200])]
        return [
            finding
            for number, block in enumerate(blocks, 1)
            for finding in self._signature(number, block, no_database, bool(case.trust))
        ]

    def _signature(self, number: int, block: str, no_database: str, anchored: bool) -> list[Finding]:
        """What it printed of one signature. no_database: why it got no anchors, or ""."""
        values = {
            key.strip(" -"): value.strip()
            for key, _, value in (line.partition(":") for line in block.splitlines())
        }
        validity = values.get("Signature Validation", "")
        if "is not signed" in block and not validity:
            return []  # an empty field
        if values.get("Signature Type") in ("unknown", "ETSI.RFC3161") and validity == UNVERIFIED:
            message = M("pdfsig cannot judge signature {number}: it is a timestamp.", number=number)
            return [self.integrity("not-checked", message, validity, required=False)]
        if no_database and validity == UNKNOWN:
            message = M("pdfsig could not judge signature {number}: it got no database.", number=number)
            return [self.integrity("not-checked", message, no_database, required=False)]
        if validity != VALID:
            message = M("pdfsig: signature {number} is not valid.", number=number)
            return [self.integrity("fail", message, validity or block.strip()[:200])]
        return [
            self.integrity("pass", M("pdfsig: signature {number} is valid.", number=number), validity),
            self._path(number, values.get("Certificate Validation", ""), no_database, anchored),
        ]

    def _path(self, number: int, word: str, no_database: str, anchored: bool) -> Finding:
        if not anchored:
            return self.path("not-checked", M("No trust anchor was given to pdfsig."), word)
        if no_database:
            message = M(
                "The anchors could not be given to pdfsig; its word on the certificate does not count."
            )
            return self.path("not-checked", message, no_database)
        if word == TRUSTED:
            message = M("pdfsig: the certificate of signature {number} is trusted.", number=number)
            return self.path("pass", message, word)
        if re.search(r"revoked|isn't Trusted|issuer", word, re.IGNORECASE):
            message = M("pdfsig: the certificate of signature {number} is not trusted.", number=number)
            return self.path("fail", message, word)
        message = M("pdfsig has no clear word on the certificate of signature {number}.", number=number)
        return self.path("not-checked", message, word)


def _names_responder(path: Path) -> bool:
    """Whether a certificate in the document names an OCSP responder, which pdfsig would ask by itself.

    Where none does, that is not forbidden, since some releases then have no word on the certificate.
    """
    try:
        return any(OCSP in signature.cms for signature in signed_ranges(path))
    except FieldkitError:
        return True


def _put_database(folder: Path, trust: Sequence[bytes]) -> str:
    """Put an NSS database of the anchors into `folder`; what went wrong, or "".

    One is made for each set of anchors and run, since a process of its own makes it.
    """
    try:
        database = _database(tuple(trust))
    except _DatabaseFailed as error:
        return str(error)
    for name, data in database.items():
        (folder / name).write_bytes(data)
    return ""


class _DatabaseFailed(Exception):
    """The database could not be made; raised, so that it is tried again for the next document."""


@functools.lru_cache(maxsize=8)
def _database(trust: tuple[bytes, ...]) -> dict[str, bytes]:
    """The files of an NSS database that trusts the anchors.

    :raises _DatabaseFailed: with what went wrong.
    """
    with tempfile.TemporaryDirectory(prefix="fieldkit-anchors-") as place:
        anchors, made = Path(place) / "anchors", Path(place) / "made"
        anchors.mkdir()
        made.mkdir()
        names = []
        for number, certificate in enumerate(certificates(trust)):
            name = anchors / f"{number}.der"
            name.write_bytes(certificate.dump())
            names.append(str(name))
        command = [sys.executable, "-m", "fieldkit.validation.judges.nss", str(made), *names]
        done = run(command, timeout=PATIENCE)
        if done.status != 0:
            raise _DatabaseFailed((done.complaint.splitlines() or ["failed"])[-1])
        return {path.name: path.read_bytes() for path in made.iterdir()}

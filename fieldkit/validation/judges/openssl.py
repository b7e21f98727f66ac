"""`openssl cms -verify`: each signature's bytes, cut out of the file, and its path; never a timestamp."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from fieldkit.finding import Finding
from fieldkit.pdf import document
from fieldkit.pdf.byte_ranges import SignedRange, signed_ranges
from fieldkit.text import M
from fieldkit.validation.judges.judge import Case, Judge
from fieldkit.validation.trust import certificates

UNTRUSTED = "certificate verify error"


class Openssl(Judge):
    name = program = package = "openssl"
    version = ("version",)
    after_fieldkit = True
    opens_locked = True
    judges_path = True

    def examine(self, program: str, case: Case) -> list[Finding]:
        signatures = signed_ranges(case.path, case.password)
        if not signatures:
            return [self.integrity("fail", M("There is no signature in the document."))]
        data = document.read_bytes(case.path)
        with tempfile.TemporaryDirectory(prefix="fieldkit-cms-") as name:
            anchors = Path(name) / "anchors.pem"
            anchors.write_text(_pem(case.trust), "ascii")
            return [
                finding
                for number, signature in enumerate(signatures, 1)
                for finding in self._signature(
                    program,
                    anchors if case.trust else None,
                    number,
                    signature,
                    signature.content(data) if not signature.timestamp else b"",
                    case.times.get(signature.field, case.at),
                    Path(name),
                )
            ]

    def _signature(
        self,
        program: str,
        anchors: Path | None,
        number: int,
        signature: SignedRange,
        signed: bytes,
        at: datetime | None,
        folder: Path,
    ) -> list[Finding]:
        """Its word on the signature's bytes; one of its own on the path, where that alone is at fault."""
        if signature.timestamp:
            message = M("openssl cms does not judge signature {number}: it is a timestamp.", number=number)
            return [self.integrity("not-checked", message, required=False)]
        cms, content = folder / f"{number}.cms", folder / f"{number}.bin"
        cms.write_bytes(signature.cms)
        content.write_bytes(signed)
        line = [program, "cms", "-verify", "-inform", "DER", "-binary", "-in", str(cms)]
        line += ["-content", str(content), "-out", os.devnull, "-purpose", "any", "-no-CApath", "-no-CAstore"]
        alone = ["-noverify", "-no-CAfile"]
        moment = [] if at is None else ["-attime", str(int(at.timestamp()))]
        # an anchor need not be a root: it is what the person trusts
        anchored = ["-CAfile", str(anchors), "-partial_chain", *moment] if anchors is not None else alone
        done = self.run(*line, *anchored)
        detail = (done.complaint.splitlines() or [""])[-1][:200] if done.problem is None else ""
        path_fault = done.status > 0 and UNTRUSTED in done.complaint
        if path_fault:
            done = self.run(*line, *alone)
        content.unlink()
        if done.problem is not None:
            return [self.silent(done.problem)]
        if done.status != 0:
            message = M("openssl: signature {number} is not valid.", number=number)
            return [self.integrity("fail", message, detail)]
        if path_fault:
            untrusted = M("openssl: the certificate of signature {number} is not trusted.", number=number)
            return [
                self.integrity("pass", M("openssl: signature {number} is valid.", number=number)),
                self.path("fail", untrusted, detail),
            ]
        good = (
            M("openssl: signature {number} is valid, and its path too.", number=number)
            if anchors
            else M(
                "openssl: signature {number} is valid; without anchors its path was not looked at.",
                number=number,
            )
        )
        return [self.integrity("pass", good, detail)]


def _pem(blobs: Sequence[bytes]) -> str:
    from asn1crypto import pem

    return "".join(
        pem.armor("CERTIFICATE", certificate.dump()).decode() for certificate in certificates(blobs)
    )

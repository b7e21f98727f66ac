"""Whether a document can be signed, told before a PIN is asked for; and a rewrite where only that helps."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from fieldkit.errors import FieldkitError
from fieldkit.operator import Finding
from fieldkit.signature import boundary, document, errors
from fieldkit.text import M

if TYPE_CHECKING:
    from fieldkit.secret import Secret

PATIENCE = 60.0


class Preflight(msgspec.Struct, frozen=True):
    """What was found. verdict: "rewrite" when the file can be signed only after `rewrite`.

    fields: signature fields that are still empty. signatures: how many it already has.
    problem: why it cannot be signed as it is.
    """

    verdict: Literal["ready", "rewrite", "no"]
    findings: tuple[Finding, ...] = ()
    fields: tuple[str, ...] = ()
    signatures: int = 0
    pages: int = 0
    problem: FieldkitError | None = None


def preflight(path: Path, *, password: Secret | None = None) -> Preflight:
    """Look at the document as signing will; nothing is changed and no error is raised."""
    try:
        with document.opened(path) as file, boundary.reading(path.name):
            return _look(file, path.name, password)
    except FieldkitError as error:
        return _refused(error, path)


def _look(file: Any, name: str, password: Secret | None) -> Preflight:
    from pyhanko.pdf_utils.crypt import AuthStatus
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign import fields
    from pyhanko.sign.fields import MDPPerm
    from pyhanko.sign.validation.pdf_embedded import read_certification_data

    reader = PdfFileReader(file)
    findings = []
    if reader.encrypted:
        outcome = reader.decrypt(password.reveal() if password else "")
        if getattr(outcome, "status", outcome) == AuthStatus.FAILED:
            raise boundary.needs_password(name)
        findings.append(
            Finding(
                "document-encrypted", "info", M("The document is encrypted; it can be signed all the same.")
            )
        )
    if reader.xrefs.hybrid_xrefs_present:
        raise _hybrid(name)
    certified = read_certification_data(reader)
    if certified is not None:
        if certified.permission == MDPPerm.NO_CHANGES:
            raise errors.DocumentLocked(
                M("An earlier signature in {name} forbids this signature.", name=name),
                unchanged=boundary.UNCHANGED,
                hint=M("Ask its signer for a copy that still allows signatures."),
            )
        findings.append(
            Finding(
                "document-certified",
                "warning",
                M("The document is certified: only fields that are already in it may be signed."),
            )
        )
    signed = len(list(reader.embedded_signatures))
    empty = tuple(each for each, value, _ in fields.enumerate_sig_fields(reader) if value is None)
    if certified is not None and not empty:
        raise errors.DocumentLocked(
            M("The document {name} is certified and has no empty field left to sign.", name=name),
            unchanged=boundary.UNCHANGED,
            hint=M("Ask its signer for a copy with a field for this signature."),
        )
    pages = int(reader.root["/Pages"]["/Count"])
    if pages < 1:
        raise errors.DocumentUnfit(M("The document {name} has no pages.", name=name))
    findings.append(
        Finding(
            "document-ready",
            "pass",
            M(
                "The document can be signed: {pages} page(s), {signatures} signature(s).",
                pages=pages,
                signatures=signed,
            ),
        )
    )
    return Preflight("ready", tuple(findings), empty, signed, pages)


def _hybrid(name: str) -> FieldkitError:
    return errors.DocumentLocked(
        M(
            "The file {name} holds two tables of contents (hybrid), which viewers read differently.",
            name=name,
        ),
        unchanged=boundary.UNCHANGED,
        hint=M("Save it as PDF again, or agree to have it rewritten before it is signed."),
    )


def _refused(error: FieldkitError, path: Path) -> Preflight:
    """Not as it is; perhaps after a rewrite, which only a file without signatures may get."""
    helps = (
        isinstance(error, errors.DocumentUnfit | errors.DocumentLocked)
        and shutil.which("qpdf") is not None
        and path.is_file()
        and b"/ByteRange" not in _raw(path)
        and b"%PDF-" in _raw(path)[:1024]
    )
    finding = Finding("document-refused", "fail", error.message, error.detail)  # type: ignore[arg-type]
    return Preflight("rewrite" if helps else "no", (finding,), problem=error)


def _raw(path: Path) -> bytes:
    try:
        return document.read(path)
    except FieldkitError:
        return b""


def rewrite(source: Path, out: Path) -> None:
    """Write a repaired copy of an unsigned document with qpdf. What it looks like stays the same.

    :raises DocumentUnfit: qpdf cannot repair it. :raises DocumentLocked: it is signed.
    """
    program = shutil.which("qpdf")
    if program is None:
        raise errors.DocumentMissing(
            M("{program} is not on this machine. Install it: {package}", program="qpdf", package="qpdf")
        )
    data = document.read(source)
    if b"/ByteRange" in data:
        raise errors.DocumentLocked(
            M("The document {name} is signed; rewriting it would break its signatures.", name=source.name),
            unchanged=boundary.UNCHANGED,
        )
    with document.written(out) as file:
        try:
            done = subprocess.run(
                [program, "--object-streams=disable", str(source), "-"],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.PIPE,
                timeout=PATIENCE,
            )
        except (subprocess.TimeoutExpired, OSError) as error:
            raise _beyond(source, boundary.kind_of(error)) from None
        if done.returncode not in (0, 3):  # 3: repaired, with warnings
            raise _beyond(source, done.stderr.decode(errors="replace").strip()[-200:])


def _beyond(source: Path, detail: str) -> FieldkitError:
    return errors.DocumentUnfit(
        M("The document {name} is damaged beyond repair.", name=source.name),
        unchanged=boundary.UNCHANGED,
        hint=M("Ask for it again, or print it to PDF from a viewer that shows it."),
        detail=detail,
    )

"""Whether a document can be signed, told before a PIN is asked for; and a rewrite where only that helps."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import msgspec

from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding
from fieldkit.pdf import boundary, document
from fieldkit.pdf.errors import DocumentLocked, DocumentMissing, DocumentUnfit, SigningFailed
from fieldkit.program import run
from fieldkit.signature import permission
from fieldkit.text import M, Message

if TYPE_CHECKING:
    from fieldkit.secret import Secret

PATIENCE = 60.0
IN_MEMORY = 8 * 1024 * 1024  # bytes; the copy of a larger document is rehearsed on the disk


class Preflight(msgspec.Struct, frozen=True):
    """What was found. verdict: "rewrite" when the file can be signed only after `rewrite`.

    fields: signature fields that are still empty. signatures: how many it already has. field: the one
    that will be signed. problem: why it cannot be signed as it is.
    """

    verdict: Literal["ready", "rewrite", "no"]
    findings: tuple[Finding, ...] = ()
    fields: tuple[str, ...] = ()
    signatures: int = 0
    pages: int = 0
    field: str = ""
    problem: FieldkitError | None = None


def preflight(
    path: Path,
    *,
    password: Secret | None = None,
    field: str = "",
    kind: str = "",
    reserve: Sequence[str] = (),
) -> Preflight:
    """Look at the document as signing will; nothing is changed and no error is raised.

    field, kind, reserve: the field, the kind of stamp and the further fields that signing will be given.
    """
    try:
        with document.opened(path) as file, boundary.reading(path.name):
            return _look(file, path.name, password, field, kind, reserve)
    except FieldkitError as error:
        return _refused(error, path)


def _look(
    file: BinaryIO, name: str, password: Secret | None, field: str, kind: str, reserve: Sequence[str]
) -> Preflight:
    from pyhanko.pdf_utils.reader import PdfFileReader

    reader = PdfFileReader(file, strict=False)
    findings = []
    if reader.encrypted:
        boundary.unlock(reader.decrypt, name, password)
        findings.append(
            Finding(
                "document-encrypted", "info", M("The document is encrypted; it can be signed all the same.")
            )
        )
    signature_state = permission.standing(reader, name)
    if signature_state.certified:
        findings.append(
            Finding(
                "document-certified",
                "warning",
                M("The document is certified: only fields that are already in it may be signed."),
            )
        )
        if not signature_state.empty:
            raise DocumentLocked(
                M("The document {name} is certified and has no empty field left to sign.", name=name),
                unchanged=boundary.UNCHANGED,
                hint=M("Ask its signer for a copy with a field for this signature."),
            )
    chosen = permission.choose(signature_state, field, kind, reserve, name)
    pages = int(reader.root["/Pages"]["/Count"])
    if pages < 1:
        raise DocumentUnfit(M("The document {name} has no pages.", name=name))
    form = reader.root.get("/AcroForm", None)
    if isinstance(form, dict) and "/XFA" in form:
        findings.append(
            Finding(
                "document-xfa",
                "warning",
                M("The document is an XFA form: some viewers will not show the signature."),
                hint=M("Print it to PDF first if the receiver has to see the stamp."),
            )
        )
    if signature_state.field(chosen) is None:
        _rehearse(file, name, chosen, password)
    findings.append(
        Finding(
            "document-ready",
            "pass",
            M(
                "The document can be signed: {pages} page(s), {signatures} signature(s).",
                pages=pages,
                signatures=signature_state.signatures,
            ),
        )
    )
    return Preflight(
        "ready", tuple(findings), signature_state.empty, signature_state.signatures, pages, chosen
    )


def _rehearse(file: BinaryIO, name: str, field: str, password: Secret | None) -> None:
    """Add the empty field to a copy and look for it: some damaged files lose what is added, in silence.

    :raises DocumentUnfit: this is one of them.
    """
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign import fields

    from fieldkit.pdf.form import leave_out_nothings

    with boundary.signing(name), tempfile.SpooledTemporaryFile(IN_MEMORY) as copy:
        file.seek(0)
        writer = IncrementalPdfFileWriter(file, strict=False)
        if writer.prev.encrypted:
            writer.encrypt(password.reveal() if password else "")
        leave_out_nothings(writer, (0,))
        fields.append_signature_field(writer, fields.SigFieldSpec(field))
        writer.write(copy)
        copy.seek(0)
        reader = PdfFileReader(copy, strict=False)
        if reader.encrypted:
            reader.decrypt(password.reveal() if password else "")
        if field not in [field_name for field_name, _, _ in fields.enumerate_sig_fields(reader)]:
            raise DocumentUnfit(
                M("The file {name} is damaged: what is added to it cannot be found again.", name=name),
                unchanged=boundary.UNCHANGED,
                hint=M("Save it again as PDF, or agree to have it rewritten before it is signed."),
            )


def _refused(error: FieldkitError, path: Path) -> Preflight:
    """Not as it is; perhaps after a rewrite, which only a file without signatures may get.

    Whether the rewrite would help is tried on a copy, so that nothing is offered in vain.
    """
    helps = (
        isinstance(error, DocumentUnfit | DocumentLocked | SigningFailed)
        and shutil.which("qpdf") is not None
        and path.is_file()
        and b"/ByteRange" not in _raw(path)
        and b"%PDF-" in _raw(path)[:1024]
        and _would_help(path)
    )
    assert isinstance(error.message, Message)
    hint = error.hint if isinstance(error.hint, Message) else None
    finding = Finding("document-refused", "fail", error.message, error.detail, hint)
    return Preflight("rewrite" if helps else "no", (finding,), problem=error)


def _would_help(path: Path) -> bool:
    with tempfile.TemporaryDirectory(prefix="fieldkit-rewrite-") as folder:
        copy = Path(folder) / "copy.pdf"
        try:
            rewrite(path, copy)
            with document.opened(copy) as file, boundary.reading(path.name):
                _look(file, path.name, None, "", "", ())
        except FieldkitError:
            return False
    return True


def _raw(path: Path) -> bytes:
    try:
        return document.read_bytes(path)
    except FieldkitError:
        return b""


def rewrite(source: Path, out: Path) -> None:
    """Write a repaired copy of an unsigned document with qpdf; what it shows stays the same.

    :raises DocumentUnfit: qpdf cannot repair it. :raises DocumentLocked: it is signed.
    """
    program = shutil.which("qpdf")
    if program is None:
        raise DocumentMissing(
            M("{program} is not on this machine. Install it: {package}", program="qpdf", package="qpdf")
        )
    data = document.read_bytes(source)
    if b"/ByteRange" in data:
        raise DocumentLocked(
            M("The document {name} is signed; rewriting it would break its signatures.", name=source.name),
            unchanged=boundary.UNCHANGED,
        )
    argv = [program, "--warning-exit-0", "--object-streams=disable", str(source.absolute()), "-"]
    done = run(argv, timeout=PATIENCE, largest=document.LARGEST)
    if done.status != 0:
        raise _beyond(source, done.complaint[-200:])
    with document.written(out) as file:
        file.write(done.output)


def _beyond(source: Path, detail: str) -> FieldkitError:
    return DocumentUnfit(
        M("The document {name} is damaged beyond repair.", name=source.name),
        unchanged=boundary.UNCHANGED,
        hint=M("Ask for it again, or print it to PDF from a viewer that shows it."),
        detail=detail,
    )

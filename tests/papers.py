"""Documents of every build that offices meet, made on the spot with Typst, qpdf and pyHanko."""

from __future__ import annotations

import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

NAME, TITLE = "Nguyễn Thị Mẫu", "Trưởng cơ quan thường trú"


def letter_on(width: str, height: str, size: str = "12pt", gap: str = "20mm", turn: int = 0) -> bytes:
    """A page of that size as shown, with a signer's title and name at the lower right.

    turn: the page is written turned by this, and says so, as landscape pages and scans do.
    """
    import typst

    text = f"""
    #set page(width: {width}, height: {height}, margin: 0pt)
    #set text(font: "Libertinus Serif", size: {size})
    #let shown = box(width: {width}, height: {height}, inset: 5%, {{
      place(bottom + right, align(center)[*{TITLE.upper()}* #v({gap}) *{NAME}*])
      [Số: 07/MẪU]
    }})
    #set page(width: {height}, height: {width}) if {"true" if turn in (90, 270) else "false"}
    #place(top + left, rotate(-{turn}deg, reflow: true, shown))
    """
    made = typst.compile(text.encode())
    assert isinstance(made, bytes)
    return with_page(made, Rotate=turn) if turn else made


def built(folder: Path, source: bytes, *options: str) -> bytes:
    """The document as qpdf writes it with these options, through files."""
    before, after = folder / "qpdf-in.pdf", folder / "qpdf-out.pdf"
    before.write_bytes(source)
    subprocess.run(["qpdf", str(before), *options, str(after)], check=True)
    return after.read_bytes()


def with_page(source: bytes, **entries: Any) -> bytes:
    """The document with entries of its first page changed (lists become arrays of numbers)."""
    from pyhanko.pdf_utils import generic
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.pdf_utils.writer import copy_into_new_writer

    writer = copy_into_new_writer(PdfFileReader(BytesIO(source)))
    page = writer.root["/Pages"]["/Kids"][0]
    for name, value in entries.items():
        page[f"/{name}"] = (
            generic.ArrayObject([generic.FloatObject(each) for each in value])
            if isinstance(value, list)
            else generic.NumberObject(value)
        )
    made = BytesIO()
    writer.write(made)
    return made.getvalue()


def hybrid() -> bytes:
    """A page whose font only the second table of contents names, as Office's older exports have it."""
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    held = b"5 0 " + font
    text = b"BT /F1 20 Tf 60 700 Td (SAMPLE) Tj ET"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>"
    bodies = {
        1: b"<</Type/Catalog/Pages 2 0 R>>",
        2: b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        3: page,
        4: _stream(b"", text),
        6: _stream(b"/Type/ObjStm/N 1/First 4", held),
    }
    made, at = b"%PDF-1.5\n", {}
    for number, body in bodies.items():
        at[number] = len(made)
        made += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    at[7] = len(made)
    made += b"7 0 obj\n%s\nendobj\n" % _stream(b"/Type/XRef/Size 8/W[1 2 1]/Index[5 1]", b"\x02\x00\x06\x00")
    table = len(made)
    made += b"xref\n0 8\n0000000005 65535 f \n"
    for number in range(1, 8):
        made += b"%010d 00000 n \n" % at[number] if number in at else b"0000000000 00000 f \n"
    made += b"trailer\n<</Size 8/Root 1 0 R/XRefStm %d>>\nstartxref\n%d\n%%%%EOF\n" % (at[7], table)
    return made


def _stream(entries: bytes, data: bytes) -> bytes:
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (entries, len(data), data)


def fields(source: bytes, *names: str, box: tuple[int, int, int, int] | None = None) -> bytes:
    """The document with empty signature fields of these names."""
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign.fields import SigFieldSpec, append_signature_field

    writer = IncrementalPdfFileWriter(BytesIO(source))
    for number, name in enumerate(names):
        shifted = (box[0], box[1] - 80 * number, box[2], box[3] - 80 * number) if box else None
        append_signature_field(writer, SigFieldSpec(name, on_page=0, box=shifted))
    made = BytesIO()
    writer.write(made)
    return made.getvalue()


def certified(source: bytes, raw: Any, permission: int, field: str = "Author") -> bytes:
    """The document certified by its author, who allows 1 nothing, 2 signatures, 3 notes as well."""
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
    from pyhanko.sign.signers import PdfSignatureMetadata, sign_pdf

    from fieldkit.signature.signer import TokenSigner

    meta = PdfSignatureMetadata(
        field_name=field,
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        certify=True,
        docmdp_permissions=MDPPerm(permission),
        signer_key_usage=set(),
    )
    return bytes(sign_pdf(IncrementalPdfFileWriter(BytesIO(source)), meta, TokenSigner(raw)).getvalue())


OPAQUE = b"1 1 1 rg 0 0 1000 1000 re f 0 0 1 RG 4 w 10 10 m 150 70 l S"


def stamped(
    data: bytes,
    signer: Any,
    field: str,
    content: bytes,
    rect: tuple[float, ...] | None = None,
) -> bytes:
    """Signed in the field, which is made if `rect` says where; its appearance is drawn by `content`."""
    from pyhanko.pdf_utils.content import RawContent
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.pdf_utils.layout import AxisAlignment, BoxConstraints, Margins, SimpleBoxLayoutRule
    from pyhanko.sign import fields, signers
    from pyhanko.stamp import StaticStampStyle

    from fieldkit.signature.signer import TokenSigner

    width, height = (rect[2] - rect[0], rect[3] - rect[1]) if rect else (160, 80)
    style = StaticStampStyle(
        background=RawContent(content, box=BoxConstraints(width, height)),
        background_layout=SimpleBoxLayoutRule(AxisAlignment.ALIGN_MIN, AxisAlignment.ALIGN_MIN, Margins()),
        border_width=0,
        background_opacity=1,
    )
    meta = signers.PdfSignatureMetadata(
        field_name=field,
        md_algorithm="sha256",
        subfilter=fields.SigSeedSubFilter.PADES,
        signer_key_usage=set(),
    )
    spec = fields.SigFieldSpec(field, on_page=0, box=tuple(map(int, rect))) if rect else None
    made = signers.PdfSigner(meta, TokenSigner(signer), stamp_style=style, new_field_spec=spec).sign_pdf(
        IncrementalPdfFileWriter(BytesIO(data), strict=False), bytes_reserved=20000
    )
    return bytes(made.getvalue())

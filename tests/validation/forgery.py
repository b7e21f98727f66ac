"""Documents as an attacker, or careless software, leaves them: from a signed file's bytes to other bytes.

The names are those of the published attacks on PDF signatures (pdf-insecurity.org).
"""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko.sign.signers.pdf_cms import Signer

from fieldkit.signature.signer import TokenSigner
from tests.pki import SoftwareSigner

ROOM = 20000


def signed(
    data: bytes,
    signer: SoftwareSigner,
    *,
    by: Signer | None = None,
    field: str = "Signature1",
    certify: fields.MDPPerm | None = None,
    digest: str = "sha256",
    subfilter: fields.SigSeedSubFilter = fields.SigSeedSubFilter.PADES,
    strict: bool = True,
) -> bytes:
    """`data` signed by pyHanko itself, with what fieldkit's own signing does not offer."""
    meta = signers.PdfSignatureMetadata(
        field_name=field,
        md_algorithm=digest,
        subfilter=subfilter,
        certify=certify is not None,
        docmdp_permissions=certify or fields.MDPPerm.FILL_FORMS,
        signer_key_usage=set(),
    )
    writer = IncrementalPdfFileWriter(BytesIO(data), strict=strict)
    made = signers.sign_pdf(writer, meta, by or TokenSigner(signer), bytes_reserved=ROOM)
    return bytes(made.getvalue())


def by_openssl(data: bytes, signer: SoftwareSigner, folder: Path, *options: str, time: str = "") -> bytes:
    """`data` with a signature whose CMS was made by `openssl cms -sign`, as other software makes it.

    time: what stands in the document as the time of signing.
    """
    from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup
    from pyhanko.sign.signers.pdf_byterange import SignatureObject

    place = fields.SigSeedSubFilter.ADOBE_PKCS7_DETACHED
    steps = PdfCMSEmbedder().write_cms("Foreign", IncrementalPdfFileWriter(BytesIO(data)))
    next(steps)
    held = SignatureObject(bytes_reserved=ROOM, subfilter=place)
    if time:
        held[pdf_name("/M")] = generic.pdf_string(time)
    steps.send(SigObjSetup(held))
    digest, output = steps.send(SigIOSetup(md_algorithm="sha256", in_place=True))
    whole = output.getvalue()
    content, key, certificate = folder / "content", folder / "key.pem", folder / "certificate.pem"
    content.write_bytes(whole[: digest.reserved_region_start] + whole[digest.reserved_region_end :])
    key.write_bytes(signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    certificate.write_bytes(x509.load_der_x509_certificate(signer.certificate).public_bytes(Encoding.PEM))
    chain = folder / "chain.pem"
    chain.write_bytes(
        b"".join(x509.load_der_x509_certificate(each).public_bytes(Encoding.PEM) for each in signer.chain)
    )
    line = ["openssl", "cms", "-sign", "-binary", "-outform", "DER", "-md", "sha256", "-in", content]
    line += ["-signer", certificate, "-inkey", key, "-certfile", chain, *options]
    made = subprocess.run(line, capture_output=True, check=True).stdout
    steps.send(made)
    return bytes(output.getvalue())


def with_text_field(data: bytes, name: str = "Note") -> bytes:
    """A form field is there to be filled in."""

    def change(writer: IncrementalPdfFileWriter) -> None:
        page_ref, _ = writer.find_page_for_modification(0)
        page = page_ref.get_object()
        field = writer.add_object(
            generic.DictionaryObject(
                {
                    pdf_name("/Type"): pdf_name("/Annot"),
                    pdf_name("/Subtype"): pdf_name("/Widget"),
                    pdf_name("/FT"): pdf_name("/Tx"),
                    pdf_name("/T"): generic.pdf_string(name),
                    pdf_name("/V"): generic.pdf_string(""),
                    pdf_name("/Rect"): generic.ArrayObject(
                        [generic.NumberObject(each) for each in (50, 50, 250, 70)]
                    ),
                    pdf_name("/P"): page_ref,
                }
            )
        )
        page[pdf_name("/Annots")] = generic.ArrayObject([field])
        writer.mark_update(page_ref)
        form = generic.DictionaryObject({pdf_name("/Fields"): generic.ArrayObject([field])})
        writer.root[pdf_name("/AcroForm")] = writer.add_object(form)
        writer.update_root()

    return later(data, change)


def filled(data: bytes, text: str, number: int = 0) -> bytes:
    """The form field is filled in after the signature."""

    def change(writer: IncrementalPdfFileWriter) -> None:
        reference = writer.root["/AcroForm"]["/Fields"].raw_get(number)
        field = reference.get_object()
        field[pdf_name("/V")] = generic.pdf_string(text)
        writer.mark_update(reference)

    return later(data, change)


def written_over(data: bytes) -> bytes:
    """Incremental saving: a further content stream on the first page."""

    def change(writer: IncrementalPdfFileWriter) -> None:
        stream = writer.add_object(generic.StreamObject(stream_data=b"0 0 500 700 re f"))
        writer.add_stream_to_page(0, stream)

    return later(data, change)


def replaced(data: bytes) -> bytes:
    """Shadow attack, replace: the signed page's content is another object now."""

    def change(writer: IncrementalPdfFileWriter) -> None:
        page_ref, _ = writer.find_page_for_modification(0)
        page = page_ref.get_object()
        page[pdf_name("/Contents")] = writer.add_object(generic.StreamObject(stream_data=b"q Q"))
        writer.mark_update(page_ref)

    return later(data, change)


def swapped(data: bytes) -> bytes:
    """Shadow attack, hide and replace: the catalog points to another tree of pages."""

    def change(writer: IncrementalPdfFileWriter) -> None:
        box = generic.ArrayObject([generic.NumberObject(each) for each in (0, 0, 595, 842)])
        page = generic.DictionaryObject({pdf_name("/Type"): pdf_name("/Page"), pdf_name("/MediaBox"): box})
        page_ref = writer.add_object(page)
        tree = generic.DictionaryObject(
            {
                pdf_name("/Type"): pdf_name("/Pages"),
                pdf_name("/Count"): generic.NumberObject(1),
                pdf_name("/Kids"): generic.ArrayObject([page_ref]),
            }
        )
        tree_ref = writer.add_object(tree)
        page[pdf_name("/Parent")] = tree_ref
        writer.root[pdf_name("/Pages")] = tree_ref
        writer.update_root()

    return later(data, change)


def hidden(data: bytes) -> bytes:
    """Shadow attack, hide: the pages' resources change under what was signed."""

    def change(writer: IncrementalPdfFileWriter) -> None:
        page_ref, _ = writer.find_page_for_modification(0)
        page = page_ref.get_object()
        page[pdf_name("/Resources")] = generic.DictionaryObject()
        writer.mark_update(page_ref)

    return later(data, change)


def annotated(data: bytes) -> bytes:
    """Evil annotation: a free text over the page."""

    def change(writer: IncrementalPdfFileWriter) -> None:
        page_ref, _ = writer.find_page_for_modification(0)
        page = page_ref.get_object()
        note = generic.DictionaryObject(
            {
                pdf_name("/Type"): pdf_name("/Annot"),
                pdf_name("/Subtype"): pdf_name("/FreeText"),
                pdf_name("/Contents"): generic.pdf_string("1.000.000.000"),
                pdf_name("/Rect"): generic.ArrayObject(
                    [generic.NumberObject(each) for each in (50, 400, 500, 500)]
                ),
            }
        )
        before = list(page["/Annots"]) if "/Annots" in page else []
        page[pdf_name("/Annots")] = generic.ArrayObject([*before, writer.add_object(note)])
        writer.mark_update(page_ref)

    return later(data, change)


def later(data: bytes, change: Callable[[IncrementalPdfFileWriter], None]) -> bytes:
    """A further revision."""
    writer = IncrementalPdfFileWriter(BytesIO(data), strict=False)
    change(writer)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def without_byte_range(data: bytes) -> bytes:
    """Universal signature forgery: no range, so nothing to compare."""
    return data.replace(b"/ByteRange", b"/ByteRangX")


def with_byte_range(data: bytes, numbers: str) -> bytes:
    """Universal signature forgery: another range in the same room."""

    def other(found: re.Match[bytes]) -> bytes:
        return f"/ByteRange [{numbers}]".encode().ljust(len(found[0]))

    return re.sub(rb"/ByteRange \[[^]]*\] *", other, data)


def with_contents(data: bytes, digits: str) -> bytes:
    """Universal signature forgery: another signature value in the same room."""

    def other(found: re.Match[bytes]) -> bytes:
        return b"/Contents <" + digits.encode().ljust(len(found[1]), b"0") + b">"

    return re.sub(rb"/Contents <([0-9a-fA-F]{1000,})>", other, data)


def wrapped(data: bytes) -> bytes:
    """Signature wrapping: the second part of the range moves back, and something else stands in between."""
    (found,) = re.finditer(rb"/ByteRange \[0 (\d+) (\d+) (\d+)\]( *)", data)
    first, second, rest = (int(found[at]) for at in (1, 2, 3))
    evil = b"\n% something else that nobody signed\n".ljust(400)
    numbers = f"0 {first} {second + len(evil)} {rest}"
    made = f"/ByteRange [{numbers}]".encode().ljust(len(found[0]))
    start = data[: found.start()] + made + data[found.end() :]
    return start[:second] + evil + start[second:]


class Without(TokenSigner):
    """A signer that leaves attributes out of what is signed."""

    def __init__(self, raw: SoftwareSigner, names: Iterable[str]) -> None:
        super().__init__(raw)
        self.left_out = set(names)

    async def signed_attrs(self, *arguments: Any, **more: Any) -> Any:
        from asn1crypto import cms

        made = await super().signed_attrs(*arguments, **more)
        return cms.CMSAttributes([each for each in made if each["type"].native not in self.left_out])


class Sha1(TokenSigner):
    """A signer whose token still makes SHA-1 signatures."""

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        if dry_run:
            return bytes(512)
        key = self.raw.key  # type: ignore[attr-defined]
        return bytes(await asyncio.to_thread(key.sign, data, padding.PKCS1v15(), hashes.SHA1()))


def with_empty_field(
    data: bytes, rect: tuple[float, ...] = (500, 700, 20, 20), picture: bytes = b"1 0 0 rg 0 0 600 842 re f"
) -> bytes:
    """Evil field: an empty signature field is added whose appearance is a picture over the page."""

    def change(writer: IncrementalPdfFileWriter) -> None:
        page_ref, _ = writer.find_page_for_modification(0)
        page = page_ref.get_object()
        field = writer.add_object(
            generic.DictionaryObject(
                {
                    pdf_name("/Type"): pdf_name("/Annot"),
                    pdf_name("/Subtype"): pdf_name("/Widget"),
                    pdf_name("/FT"): pdf_name("/Sig"),
                    pdf_name("/T"): generic.pdf_string("Later"),
                    pdf_name("/F"): generic.NumberObject(4),
                    pdf_name("/Rect"): generic.ArrayObject([generic.FloatObject(each) for each in rect]),
                    pdf_name("/P"): page_ref,
                    pdf_name("/AP"): generic.DictionaryObject(
                        {pdf_name("/N"): writer.add_object(drawing(picture))}
                    ),
                }
            )
        )
        before = [page["/Annots"].raw_get(at) for at in range(len(page.get("/Annots", ())))]
        page[pdf_name("/Annots")] = generic.ArrayObject([*before, field])
        writer.mark_update(page_ref)
        form = writer.root["/AcroForm"]
        held = form["/Fields"]
        form[pdf_name("/Fields")] = generic.ArrayObject([*map(held.raw_get, range(len(held))), field])
        writer.update_container(form)

    return later(data, change)


def drawing(content: bytes, width: int = 600, height: int = 842) -> generic.StreamObject:
    """A form XObject that draws `content`."""
    box = generic.ArrayObject([generic.NumberObject(each) for each in (0, 0, width, height)])
    entries = {
        pdf_name("/Type"): pdf_name("/XObject"),
        pdf_name("/Subtype"): pdf_name("/Form"),
        pdf_name("/BBox"): box,
    }
    return generic.StreamObject(entries, stream_data=content)

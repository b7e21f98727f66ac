"""What a record's PDF holds besides its text: the attachment, its fields, the signatures and their revisions.

Whether that is as it should be is judged in `verify`.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

import msgspec

from fieldkit.certificate import name as names
from fieldkit.pdf import boundary
from fieldkit.record.content import LARGEST
from fieldkit.record.errors import RecordUnreadable
from fieldkit.record.signing import Revision
from fieldkit.text import M

if TYPE_CHECKING:
    from asn1crypto.cms import ContentInfo
    from pyhanko.pdf_utils.generic import DictionaryObject, PdfObject
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

DEEPEST = 16
END = b"%%EOF"
EARLIEST = 2000  # a year; what says it was signed before that is not told the time by any machine


class RecordField(msgspec.Struct, frozen=True):
    """Something that stands over a page: a signature field, or anything else where name is "".

    box: left, bottom, right, top as they are written, swapped or without any height if so.
    """

    name: str
    page: int
    box: tuple[float, ...]


class RecordPdf(msgspec.Struct, frozen=True):
    """A record's PDF, taken apart.

    attached: name and content of every file in it. fields: everything that stands over a page. revisions:
    each signature with what came with it, the first one first. loose: which signature's bytes could be
    other than they are, or "".
    """

    attached: tuple[tuple[str, bytes], ...]
    fields: tuple[RecordField, ...]
    revisions: tuple[Revision, ...]
    loose: str


def read(data: bytes, name: str) -> RecordPdf:
    """Take the PDF `data` apart.

    :raises DocumentUnfit: it is no PDF that can be read.
    """
    with boundary.reading(name):
        from pyhanko.pdf_utils.reader import PdfFileReader

        reader = PdfFileReader(BytesIO(data))
        return RecordPdf(
            attached=tuple(_attached(reader)),
            fields=tuple(_fields(reader)),
            revisions=tuple(_revisions(reader, data)),
            loose=_loose(reader, data),
        )


def _attached(reader: PdfFileReader) -> Iterator[tuple[str, bytes]]:
    names = _resolved(_resolved(reader.root.get("/Names", {})).get("/EmbeddedFiles", {}))
    for name, spec in _leaves(names, 0):
        stream = _resolved(spec)["/EF"]["/F"]
        content = stream.data
        if len(content) > LARGEST:
            raise RecordUnreadable(M("A file attached to the record is too large."))
        yield str(name), bytes(content)


def _leaves(node: DictionaryObject, depth: int) -> Iterator[tuple[PdfObject, PdfObject]]:
    """The leaves of a name tree."""
    if depth > DEEPEST:
        raise RecordUnreadable(M("The list of attached files is damaged."))
    for kid in node.get("/Kids", ()):
        yield from _leaves(_resolved(kid), depth + 1)
    flat = list(node.get("/Names", ()))
    yield from zip(flat[::2], flat[1::2], strict=True)


def _fields(reader: PdfFileReader) -> Iterator[RecordField]:
    """Everything that stands over a page."""
    for number in range(int(reader.root["/Pages"]["/Count"])):
        page = _resolved(reader.find_page_for_modification(number)[0])
        for annotation in map(_resolved, _resolved(page.get("/Annots", ()))):
            signature = annotation.get("/Subtype") == "/Widget" and annotation.get("/FT") == "/Sig"
            name = str(annotation.get("/T", "")) if signature else ""
            yield RecordField(name, number, tuple(float(value) for value in annotation["/Rect"]))


def _revisions(reader: PdfFileReader, data: bytes) -> Iterator[Revision]:
    """Each signature, the first one first, with the bytes appended for it."""
    start: int | None = None
    for signature in reader.embedded_signatures:  # the first one first
        _, _, end = _gap(signature)
        if start is None:  # what people wrote may hold the mark too, so the last one before its own counts
            start = data.rindex(END, 0, end - len(END)) + len(END)
        at = signature.self_reported_timestamp
        certificate = bytes(signature.signer_cert.dump())
        _read_through(certificate)
        if at is None or at.tzinfo is None or at.year < EARLIEST:
            raise RecordUnreadable(M("A signature on the record does not say when it was made."))
        yield Revision(str(signature.field_name), start, end, at, certificate)
        start = end


def _read_through(certificate: bytes) -> None:
    """Whether every part of the certificate (DER) that is looked at later can be read."""
    from cryptography import x509

    held = x509.load_der_x509_certificate(certificate)
    held.public_key()
    names.text(held.subject)
    names.text(held.issuer)
    assert held.not_valid_before_utc < held.not_valid_after_utc


def _loose(reader: PdfFileReader, data: bytes) -> str:
    """Where the bytes of a signature itself could be other than they are, or "".

    A signature cannot cover its own bytes, so nothing but one way to write them is let through:
    upper-case hexadecimal, zeros after the end, and DER, within which every value is accounted for.
    """
    from asn1crypto import cms

    last = reader.xrefs.total_revisions - 1
    for signature in reader.embedded_signatures:
        gap_start, gap_end, end = _gap(signature)
        if signature.signed_revision == last and end != len(data):
            return f"{signature.field_name}: end"
        written = data[gap_start:gap_end]
        held = bytes(signature.pkcs7_content)
        info = cms.ContentInfo.load(held)
        length = len(info.dump())
        if written != b"<" + held.hex().upper().encode() + b">" or any(held[length:]):
            return f"{signature.field_name}: hex"
        if _rebuilt(info) != held[:length]:
            return f"{signature.field_name}: cms"
    return "" if data.endswith(b"%%EOF\n") or last == 0 else "end"


def _gap(signature: EmbeddedPdfSignature) -> tuple[int, int, int]:
    """Where the signature's own bytes begin and end, and where what it covers ends."""
    first, length, second, rest = (int(number) for number in signature.byte_range)
    return first + length, second, second + rest


def _rebuilt(info: ContentInfo) -> bytes:
    """The CMS with what no check looks at written as it has to be."""
    from asn1crypto import algos

    made = info.copy()
    signed = made["content"]
    signed["version"] = "v1"
    sha256 = {"algorithm": "sha256"}
    signed["digest_algorithms"] = [algos.DigestAlgorithm(sha256)]
    signed["encap_content_info"] = {"content_type": "data"}
    for signer in signed["signer_infos"]:
        signer["version"] = "v1"
        signer["digest_algorithm"] = algos.DigestAlgorithm(sha256)
    return bytes(made.dump(force=True))


def _resolved(value: Any) -> Any:
    """What a reference stands for."""
    return value.get_object() if hasattr(value, "get_object") else value

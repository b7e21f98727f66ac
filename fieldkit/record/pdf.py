"""What a record's PDF holds besides its text: the attachment, what was added later, its fields.

Whether that is as it should be is judged in `verify`.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import msgspec

from fieldkit.record.content import LARGEST
from fieldkit.record.errors import RecordUnreadable
from fieldkit.signature import boundary
from fieldkit.signature.place import Place
from fieldkit.text import M

DEEPEST = 16


class Field(msgspec.Struct, frozen=True):
    """A signature field and its place; a name of "" is something else that stands over a page."""

    name: str
    place: Place

    @property
    def shows(self) -> bool:
        left, bottom, right, top = self.place.box
        return right > left and top > bottom


class Paper(msgspec.Struct, frozen=True):
    """A record's PDF, taken apart.

    attached: name and content of every file in it. added: what the revisions after the first changed
    besides adding signatures, or "". fields: everything that stands over a page. loose: which signature's
    bytes could be other than they are, or "".
    """

    attached: tuple[tuple[str, bytes], ...]
    added: str
    fields: tuple[Field, ...]
    loose: str


def read(data: bytes, name: str) -> Paper:
    """Take the PDF `data` apart.

    :raises DocumentUnfit: it is no PDF that can be read.
    """
    with boundary.reading(name), _quiet():
        from pyhanko.pdf_utils.reader import PdfFileReader

        reader = PdfFileReader(BytesIO(data))
        return Paper(
            attached=tuple(_attached(reader)),
            added=_added(reader),
            fields=tuple(_fields(reader)),
            loose=_loose(reader, data),
        )


def _attached(reader: Any) -> Iterator[tuple[str, bytes]]:
    names = _seen(_seen(reader.root.get("/Names", {})).get("/EmbeddedFiles", {}))
    for name, spec in _leaves(names, 0):
        stream = _seen(spec)["/EF"]["/F"]
        content = stream.data
        if len(content) > LARGEST:
            raise RecordUnreadable(M("A file attached to the record is too large."))
        yield str(name), bytes(content)


def _leaves(node: Any, depth: int) -> Iterator[tuple[Any, Any]]:
    """The leaves of a name tree."""
    if depth > DEEPEST:
        raise RecordUnreadable(M("The list of attached files is damaged."))
    for kid in node.get("/Kids", ()):
        yield from _leaves(_seen(kid), depth + 1)
    flat = list(node.get("/Names", ()))
    yield from zip(flat[::2], flat[1::2], strict=True)


# what a signature adds to objects that were there before; everything else has to stay as it was rendered
MAY_CHANGE: dict[str, frozenset[str]] = {
    "catalog": frozenset(("/AcroForm", "/DSS", "/Extensions", "/Version")),
    "page": frozenset(("/Annots",)),
    "information": frozenset(("/ModDate", "/Producer")),
}
FORM_KEYS = frozenset(("/Fields", "/SigFlags"))


def _added(reader: Any) -> str:
    """What revisions after the first changed besides adding signatures, or "" for nothing.

    pyHanko's own comparison wants a form in the older revision, and a record has none before it is signed.
    """
    base = reader.get_historical_resolver(0)
    known = sorted(reader.xrefs.explicit_refs_in_revision(0), key=lambda ref: int(ref.idnum))
    for revision in range(1, reader.xrefs.total_revisions):
        now = reader.get_historical_resolver(revision)
        for name in ("/Root", "/Info"):
            if now.trailer_view.raw_get(name) != base.trailer_view.raw_get(name):
                return f"revision {revision}: {name}"
        if "/Encrypt" in now.trailer_view:
            return f"revision {revision}: /Encrypt"
        for ref in known:
            if not _same(base.get_object(ref), now.get_object(ref), _role(base, ref)):
                return f"revision {revision}: object {ref.idnum}"
    form = _seen(reader.root.get("/AcroForm", {}))
    strange = set(form) - FORM_KEYS
    return f"form: {', '.join(sorted(strange))}" if strange else ""


def _role(base: Any, ref: Any) -> str:
    if ref == base.trailer_view.raw_get("/Root").reference:
        return "catalog"
    if ref == base.trailer_view.raw_get("/Info").reference:
        return "information"
    kind = getattr(base.get_object(ref), "get", lambda _: "")("/Type")
    return {"/Page": "page", "/Metadata": "metadata"}.get(str(kind), "")


def _same(before: Any, after: Any, role: str) -> bool:
    if type(before) is not type(after):
        return False
    if role == "metadata":  # the XMP is written anew, with the new date
        return bool(after.get("/Type") == before.get("/Type"))
    if not hasattr(before, "keys"):
        return bool(before == after)
    free = MAY_CHANGE.get(role, frozenset())
    kept = set(before) - free
    if kept != set(after) - free or any(before.raw_get(key) != after.raw_get(key) for key in kept):
        return False
    return not hasattr(before, "encoded_data") or bool(before.encoded_data == after.encoded_data)


def _fields(reader: Any) -> Iterator[Field]:
    """Everything that stands over a page: its annotations, of which only signatures' are looked for."""
    for number in range(int(reader.root["/Pages"]["/Count"])):
        page = _seen(reader.find_page_for_modification(number)[0])
        for annotation in map(_seen, _seen(page.get("/Annots", ()))):
            left, bottom, right, top = (round(float(value)) for value in annotation["/Rect"])
            signature = annotation.get("/Subtype") == "/Widget" and annotation.get("/FT") == "/Sig"
            name = str(annotation.get("/T", "")) if signature else ""
            yield Field(name, Place(number, (left, bottom, right, top)))


def _loose(reader: Any, data: bytes) -> str:
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
        info = cms.ContentInfo.load(held)  # type: ignore[no-untyped-call]
        length = len(info.dump())
        if written != b"<" + held.hex().upper().encode() + b">" or any(held[length:]):
            return f"{signature.field_name}: hex"
        if _rebuilt(info) != held[:length]:
            return f"{signature.field_name}: cms"
    return "" if data.endswith(b"%%EOF\n") or last == 0 else "end"


def _gap(signature: Any) -> tuple[int, int, int]:
    """Where the signature's own bytes begin and end, and where what it covers ends."""
    first, length, second, rest = (int(number) for number in signature.byte_range)
    return first + length, second, second + rest


def _rebuilt(info: Any) -> bytes:
    """The CMS with what no check looks at written as it has to be."""
    from asn1crypto import algos

    made = info.copy()
    signed = made["content"]
    signed["version"] = "v1"
    sha256 = {"algorithm": "sha256"}
    signed["digest_algorithms"] = [algos.DigestAlgorithm(sha256)]  # type: ignore[no-untyped-call]
    signed["encap_content_info"] = {"content_type": "data"}
    for signer in signed["signer_infos"]:
        signer["version"] = "v1"
        signer["digest_algorithm"] = algos.DigestAlgorithm(sha256)  # type: ignore[no-untyped-call]
    return bytes(made.dump(force=True))


def _seen(value: Any) -> Any:
    """What a reference stands for."""
    return value.get_object() if hasattr(value, "get_object") else value


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """pyHanko logs a traceback for every suspicious change; it is said in words here."""
    log = logging.getLogger("pyhanko.sign.diff_analysis")
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before

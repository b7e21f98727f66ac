"""What signatures already in a document allow: which field may be signed, and whether they still hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import msgspec

from fieldkit.pdf import boundary, document
from fieldkit.pdf.errors import DocumentLocked, FieldUnfit
from fieldkit.profile.rules import StampKind
from fieldkit.text import M

if TYPE_CHECKING:
    from pyhanko.pdf_utils.generic import Reference
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

    from fieldkit.secret import Secret
    from fieldkit.stamp.place import Place

# the fields of the two who sign one letter, made together by whoever signs first (a field that is added
# to a certified document breaks the certification)
FIELDS: dict[str, str] = {kind: kind.capitalize() for kind in get_args(StampKind)}


class SignatureField(msgspec.Struct, frozen=True):
    """A signature field of a document. place: None where it shows nothing."""

    name: str
    filled: bool
    place: Place | None = None


class SignatureState(msgspec.Struct, frozen=True):
    """A document's fields in order, its number of signatures, and whether one certifies it.

    hybrid: it has two tables of contents, which viewers read differently.
    """

    fields: tuple[SignatureField, ...] = ()
    signatures: int = 0
    certified: bool = False
    hybrid: bool = False

    @property
    def empty(self) -> tuple[str, ...]:
        """The names of the fields that can still be signed."""
        return tuple(field.name for field in self.fields if not field.filled)

    def field(self, name: str) -> SignatureField | None:
        """The field of that name."""
        return next((field for field in self.fields if field.name == name), None)


def standing(reader: PdfFileReader, name: str) -> SignatureState:
    """How things stand in the open document called `name`.

    :raises DocumentLocked: a signature forbids every further one.
    """
    from pyhanko.sign import fields
    from pyhanko.sign.fields import MDPPerm
    from pyhanko.sign.validation.pdf_embedded import read_certification_data

    certified = read_certification_data(reader)
    if certified is not None and certified.permission == MDPPerm.NO_CHANGES:
        raise DocumentLocked(
            M("An earlier signature in {name} forbids this signature.", name=name),
            unchanged=boundary.UNCHANGED,
            hint=M("Ask its signer for a copy that still allows signatures."),
        )
    places = _places(reader)
    signature_fields = tuple(
        SignatureField(
            str(field_name), value is not None, places.get(reference.reference) if reference else None
        )
        for field_name, value, reference in fields.enumerate_sig_fields(reader)
    )
    signatures = len(list(reader.embedded_signatures))
    return SignatureState(
        signature_fields, signatures, certified is not None, bool(reader.xrefs.hybrid_xrefs_present)
    )


def place_of(path: Path, field: str, password: Secret | None = None) -> Place | None:
    """Where the field of a document is shown; None where it shows nothing, or there is no such field.

    :raises DocumentUnfit, DocumentEncrypted: the document cannot be read.
    """
    from pyhanko.pdf_utils.reader import PdfFileReader

    with document.opened(path) as file, boundary.reading(path.name):
        reader = PdfFileReader(file, strict=False)
        if reader.encrypted:
            boundary.unlock(reader.decrypt, path.name, password)
        signature_field = standing(reader, path.name).field(field)
    return signature_field.place if signature_field is not None else None


def _places(reader: PdfFileReader) -> dict[Reference, Place]:
    """Where each signature field shows, by its reference."""
    from pyhanko.pdf_utils.generic import ArrayObject

    from fieldkit.pdf.page import entry, leaves, sheet
    from fieldkit.stamp.place import Place

    places: dict[Reference, Place] = {}
    if "/AcroForm" not in reader.root:
        return places
    for number, (page, inherited) in enumerate(leaves(reader.root["/Pages"])):
        annotations = entry(page, "/Annots")
        if not isinstance(annotations, ArrayObject):
            continue
        for at in range(len(annotations)):
            reference = annotations.raw_get(at)
            widget = annotations[at]
            if not hasattr(reference, "reference") or not isinstance(widget, dict) or "/Rect" not in widget:
                continue
            x1, y1, x2, y2 = (round(float(widget["/Rect"][side])) for side in range(4))
            box = (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
            if box[2] > box[0] and box[3] > box[1]:
                paper = sheet(page, inherited)
                places[reference.reference] = Place(number, box, paper.turn, paper.unit)
    return places


def choose(
    signature_state: SignatureState, wanted: str, kind: str, reserved: Sequence[str], name: str
) -> str:
    """The field to sign: the one `wanted`, else the one made for this kind of stamp, else a new one.

    :raises FieldUnfit: it is signed already. :raises DocumentLocked: it may not be added.
    """
    if (
        signature_state.hybrid and not signature_state.signatures
    ):  # a signed one stays as its first signer agreed to it
        raise _hybrid(name)
    chosen = wanted
    if not chosen and FIELDS.get(kind) in signature_state.empty:
        chosen = FIELDS[kind]
    if not chosen and signature_state.certified and signature_state.empty:
        chosen = signature_state.empty[0]
    if not chosen:
        chosen = _free(signature_state, kind, reserved)
    field = signature_state.field(chosen)
    if field is not None and field.filled:
        raise FieldUnfit(
            M("The field {field} of {name} is signed already.", field=chosen, name=name),
            unchanged=boundary.UNCHANGED,
            hint=M("Name another field, or none for a new one."),
        )
    added = [field_name for field_name in (chosen, *reserved) if signature_state.field(field_name) is None]
    if signature_state.certified and added:
        raise DocumentLocked(
            M(
                "The document {name} is certified: adding the field {field} would break its first signature.",
                name=name,
                field=added[0],
            ),
            unchanged=boundary.UNCHANGED,
            hint=M("Sign one of its empty fields: {fields}.", fields=", ".join(signature_state.empty))
            if signature_state.empty
            else M("Ask its signer for a copy with a field for this signature."),
        )
    return chosen


def _hybrid(name: str) -> DocumentLocked:
    return DocumentLocked(
        M(
            "The file {name} holds two tables of contents (hybrid), which viewers read differently.",
            name=name,
        ),
        unchanged=boundary.UNCHANGED,
        hint=M("Save it as PDF again, or agree to have it rewritten before it is signed."),
    )


def invisible(field: str, name: str) -> FieldUnfit:
    """The field has no room on a page, so no stamp can be shown in it."""
    return FieldUnfit(
        M(
            "The field {field} of {name} has no place on a page: no stamp can be shown in it.",
            field=field,
            name=name,
        ),
        unchanged=boundary.UNCHANGED,
        hint=M("Sign it without a stamp, or name another field."),
    )


def _free(signature_state: SignatureState, kind: str, reserved: Sequence[str]) -> str:
    taken = {*(field.name for field in signature_state.fields), *reserved}
    if kind in FIELDS and FIELDS[kind] not in taken:
        return FIELDS[kind]
    return next(name for number in range(1, 10**6) if (name := f"Signature{number}") not in taken)


def broken(reader: PdfFileReader, before: PdfFileReader) -> str:
    """The field of a signature that held in `before` and no longer does in `reader`, or "".

    A lock of a field, or a reader's way to count changes, may forbid what nothing above foresaw.
    """
    held = {
        str(embedded_signature.field_name)
        for embedded_signature in before.embedded_signatures
        if _holds(embedded_signature)
    }
    return next(
        (
            str(embedded_signature.field_name)
            for embedded_signature in reader.embedded_signatures
            if str(embedded_signature.field_name) in held and not _holds(embedded_signature)
        ),
        "",
    )


def _holds(signature: EmbeddedPdfSignature) -> bool:
    """Whether the signature covers its revision, and allows everything after it; bytes are only added."""
    from pyhanko.sign.validation.status import SignatureCoverageLevel

    try:
        signature.compute_integrity_info()
        summary = signature.summarise_integrity_info()
    except Exception:  # a foreign signature that cannot even be read holds nothing
        return False
    return summary["coverage"] >= SignatureCoverageLevel.ENTIRE_REVISION and summary["docmdp_ok"] is not False

"""What somebody may do to a record who has the file and a certificate of the authority, but no device."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import msgspec
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from fieldkit.record.content import FIRST_SCHEMA, RecordContent, encode
from tests.pki import SoftwareSigner

Change = Callable[[IncrementalPdfFileWriter], None]
Edit = Callable[[RecordContent, SoftwareSigner], RecordContent]

RECTS = {
    "plain": (50, 50, 550, 800),
    "swapped": (550, 800, 50, 50),
    "flat": (50, 400, 550, 400.4),
    "empty": (0, 0, 0, 0),
}


def appended(data: bytes, *changes: Change) -> bytes:
    """The PDF with one more revision, as a PDF editor would save it."""
    writer = IncrementalPdfFileWriter(BytesIO(data), strict=False)
    for change in changes:
        change(writer)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def _names(**members: Any) -> generic.DictionaryObject:
    return generic.DictionaryObject({generic.NameObject(f"/{key}"): value for key, value in members.items()})


def _name(text: str) -> generic.NameObject:
    return generic.NameObject(f"/{text}")


def _page(writer: IncrementalPdfFileWriter) -> Any:
    reference, _ = writer.find_page_for_modification(0)
    return reference.get_object()


def _picture(writer: IncrementalPdfFileWriter) -> Any:
    """A picture that covers the page it is put on."""
    picture = generic.StreamObject(
        _names(
            Type=_name("XObject"),
            Subtype=_name("Form"),
            BBox=generic.ArrayObject(map(generic.NumberObject, (0, 0, 100, 100))),
        ),
        stream_data=b"0.9 0.2 0.2 rg 0 0 100 100 re f",
    )
    return writer.add_object(picture)


def _annotate(writer: IncrementalPdfFileWriter, annotation: generic.DictionaryObject) -> Any:
    page = _page(writer)
    reference = writer.add_object(annotation)
    standing = page["/Annots"] if "/Annots" in page else generic.ArrayObject()
    page[_name("Annots")] = generic.ArrayObject(
        [*(standing.raw_get(at) for at in range(len(standing))), reference]
    )
    writer.update_container(page)
    return reference


def _form(writer: IncrementalPdfFileWriter) -> Any:
    if "/AcroForm" not in writer.root:
        writer.root[_name("AcroForm")] = writer.add_object(_names(Fields=generic.ArrayObject()))
        writer.update_root()
    return writer.root["/AcroForm"]


def annotation(subtype: str, rect: str) -> Change:
    """Something drawn over the first page."""

    def change(writer: IncrementalPdfFileWriter) -> None:
        _annotate(
            writer,
            _names(
                Type=_name("Annot"),
                Subtype=_name(subtype),
                Rect=generic.ArrayObject(map(generic.FloatObject, RECTS[rect])),
                F=generic.NumberObject(4),
                Contents=generic.pdf_string("another text"),
                AP=_names(N=_picture(writer)),
            ),
        )

    return change


def field(kind: str, rect: str, name: str = "Witness") -> Change:
    """A form field with a picture of its own; one for a signature stays empty."""

    def change(writer: IncrementalPdfFileWriter) -> None:
        widget = _names(
            Type=_name("Annot"),
            Subtype=_name("Widget"),
            FT=_name(kind),
            T=generic.pdf_string(name),
            Rect=generic.ArrayObject(map(generic.FloatObject, RECTS[rect])),
            F=generic.NumberObject(4),
            AP=_names(N=_picture(writer)),
        )
        form = _form(writer)
        form["/Fields"].append(_annotate(writer, widget))
        writer.update_container(form)

    return change


def script(place: str) -> Change:
    """JavaScript that a viewer runs by itself."""

    def change(writer: IncrementalPdfFileWriter) -> None:
        action = _names(S=_name("JavaScript"), JS=generic.pdf_string("app.alert('PAID')"))
        if place == "Names":
            names = writer.root["/Names"]
            names[_name("JavaScript")] = _names(
                Names=generic.ArrayObject([generic.pdf_string("a"), writer.add_object(action)])
            )
        elif place == "page":
            page = _page(writer)
            page[_name("AA")] = _names(O=action)
            writer.update_container(page)
        else:
            writer.root[_name(place)] = action if place == "OpenAction" else _names(WC=action)
        writer.update_root()

    return change


def title(writer: IncrementalPdfFileWriter) -> None:
    """What a viewer shows above the page."""
    information = writer.trailer["/Info"]
    information[_name("Title")] = generic.pdf_string("Another record")
    writer.update_container(information)


def metadata(writer: IncrementalPdfFileWriter) -> None:
    """The same by XMP."""
    stream = generic.StreamObject(
        _names(Type=_name("Metadata"), Subtype=_name("XML")), stream_data=b"<x>Another record</x>"
    )
    writer.root[_name("Metadata")] = writer.add_object(stream)
    writer.update_root()


def form_key(writer: IncrementalPdfFileWriter) -> None:
    """A viewer that is told to draw the fields anew."""
    form = _form(writer)
    form[_name("NeedAppearances")] = generic.BooleanObject(True)
    writer.update_container(form)


def page_text(writer: IncrementalPdfFileWriter) -> None:
    """More on the page itself."""
    page = _page(writer)
    stream = generic.StreamObject(stream_data=b"BT /F0 40 Tf 100 400 Td (PAID) Tj ET")
    page[_name("Contents")] = generic.ArrayObject([page.raw_get("/Contents"), writer.add_object(stream)])
    writer.update_container(page)


def second_attachment(writer: IncrementalPdfFileWriter) -> None:
    """Another file beside the data."""
    spec = _names(
        Type=_name("Filespec"),
        F=generic.pdf_string("other.json"),
        EF=_names(F=writer.add_object(generic.StreamObject(stream_data=b"{}"))),
    )
    names = writer.root["/Names"]["/EmbeddedFiles"]["/Names"]
    names.append(generic.pdf_string("other.json"))
    names.append(writer.add_object(spec))
    writer.update_root()


def other_attachment(content: RecordContent) -> Change:
    """The data replaced by what says something else."""

    def change(writer: IncrementalPdfFileWriter) -> None:
        data = encode(msgspec.structs.replace(content, place="elsewhere"))
        spec = writer.root["/Names"]["/EmbeddedFiles"]["/Names"][1]
        spec["/EF"][_name("F")] = writer.add_object(generic.StreamObject(stream_data=data))
        writer.update_container(spec)

    return change


def unlisted(writer: IncrementalPdfFileWriter) -> None:
    """An object that nothing refers to."""
    writer.add_object(generic.StreamObject(stream_data=b"0 0 100 100 re f"))


CHANGES: dict[str, Change] = {
    **{f"{kind}, {rect}": annotation(kind, rect) for kind in ("FreeText", "Stamp") for rect in RECTS},
    **{f"field {kind}, {rect}": field(kind, rect) for kind in ("Sig", "Tx") for rect in RECTS},
    "field named as the giver's": field("Sig", "plain", "Giver"),
    **{f"script in {place}": script(place) for place in ("OpenAction", "AA", "Names", "page")},
    "title": title,
    "metadata": metadata,
    "form key": form_key,
    "page text": page_text,
    "second attachment": second_attachment,
    "unlisted object": unlisted,
}


ONE_OF_EACH = [
    name for name in CHANGES if not name.startswith(("Stamp", "field Tx")) or name.endswith("plain")
]


def _held(content: RecordContent, signer: SoftwareSigner) -> Any:
    from tests.record.sample import handing_over

    return handing_over(signer.certificate).devices


EDITS: dict[str, Edit] = {
    "another certificate": lambda c, own: msgspec.structs.replace(c, devices=_held(c, own)),
    "no device": lambda c, own: msgspec.structs.replace(c, devices=()),
    "no hash": lambda c, own: msgspec.structs.replace(
        c, devices=tuple(msgspec.structs.replace(each, sha256="") for each in c.devices)
    ),
    "one more device": lambda c, own: msgspec.structs.replace(c, devices=(*c.devices, *_held(c, own))),
    "another place": lambda c, own: msgspec.structs.replace(c, devices=_held(c, own), place="elsewhere"),
    "another officer": lambda c, own: msgspec.structs.replace(
        c, devices=_held(c, own), receiver=msgspec.structs.replace(c.receiver, person="Somebody Else")
    ),
    "no signature": lambda c, own: msgspec.structs.replace(c, devices=_held(c, own), signature=""),
    "the first form": lambda c, own: msgspec.structs.replace(
        c, devices=_held(c, own), schema=FIRST_SCHEMA, signature=""
    ),
    "the first form, as it was": lambda c, own: msgspec.structs.replace(c, schema=FIRST_SCHEMA, signature=""),
    "a draft": lambda c, own: msgspec.structs.replace(c, draft=True),
    "another release's paper": lambda c, own: msgspec.structs.replace(
        c, devices=_held(c, own), renderer=msgspec.structs.replace(c.renderer, typst="0.14.0")
    ),
}

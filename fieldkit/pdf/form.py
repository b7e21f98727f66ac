"""A PDF page held in memory as the appearance of a signature field. Imported late: this loads pyHanko."""

from __future__ import annotations

import io
from collections.abc import Iterable

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.content import PdfContent, RawContent
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.layout import AxisAlignment, BoxConstraints, Margins, SimpleBoxLayoutRule
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.stamp import StaticStampStyle


class FormXObject(PdfContent):  # type: ignore[misc, unused-ignore]
    """The first page of the PDF `form`."""

    def __init__(self, form: bytes) -> None:
        super().__init__()
        self._form = form

    def render(self) -> bytes:
        page = self._ensure_writer.import_page_as_xobject(PdfFileReader(io.BytesIO(self._form)))
        self.resources.xobject["/FieldkitStamp"] = page
        left, bottom, right, top = page.get_object()["/BBox"]
        self.box = BoxConstraints(width=abs(right - left), height=abs(top - bottom))
        return b"/FieldkitStamp Do"


def nothing() -> StaticStampStyle:
    """The style that shows nothing: without one pyHanko writes English words over a field that has room."""
    empty = RawContent(b"", box=BoxConstraints(width=100, height=100))
    return StaticStampStyle(background=empty, border_width=0)


def style(form: bytes) -> StaticStampStyle:
    """The style that shows `form` in the whole of the field."""
    # without pyHanko's own margins of 5 points, which would show a seal smaller than it is
    whole = SimpleBoxLayoutRule(
        x_align=AxisAlignment.ALIGN_MID, y_align=AxisAlignment.ALIGN_MID, margins=Margins()
    )
    return StaticStampStyle(background=FormXObject(form), background_layout=whole, border_width=0)


def leave_out_nothings(writer: IncrementalPdfFileWriter, pages: Iterable[int]) -> None:
    """An entry that is null is as good as none; pyHanko takes it for what belongs there."""
    if writer._info is not None and isinstance(writer._info.get_object(), generic.NullObject):
        writer._info = None
    for number in pages:
        reference, _ = writer.find_page_for_modification(number)
        page = reference.get_object()
        if "/Annots" in page and isinstance(page.raw_get("/Annots").get_object(), generic.NullObject):
            del page["/Annots"]
            writer.mark_update(reference)
    form = writer.root.get("/AcroForm", None)
    fields = form.get("/Fields", None) if isinstance(form, dict) else None
    if not isinstance(fields, generic.ArrayObject):
        return
    nothings = [at for at in range(len(fields)) if isinstance(fields[at], generic.NullObject)]
    for at in reversed(nothings):
        del fields[at]
    if nothings:
        writer.update_container(fields)

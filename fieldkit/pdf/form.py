"""A PDF page held in memory as the appearance of a signature field. Imported late: this loads pyHanko."""

from __future__ import annotations

import io

from pyhanko.pdf_utils.content import PdfContent, RawContent
from pyhanko.pdf_utils.layout import AxisAlignment, BoxConstraints, Margins, SimpleBoxLayoutRule
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.stamp import StaticStampStyle


class Form(PdfContent):  # type: ignore[misc, unused-ignore]
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
    return StaticStampStyle(background=Form(form), background_layout=whole, border_width=0)

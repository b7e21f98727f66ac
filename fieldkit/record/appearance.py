"""What a signature shows on the record: who signed and when, as a stamp for the signature room to place."""

from __future__ import annotations

import json
from datetime import datetime

from fieldkit.record.content import RecordContent
from fieldkit.record.errors import RecordNotRendered
from fieldkit.record.labels import label
from fieldkit.record.render import printable
from fieldkit.record.typeset import FONTS, HERE
from fieldkit.stamp.place import Place
from fieldkit.stamp.stamp import Stamp
from fieldkit.text import M

TEMPLATE = HERE / "appearance.typ"


def draw(content: RecordContent, place: Place, certificate: bytes, at: datetime) -> Stamp:
    """The appearance for the holder of `certificate` (DER), as large as `place`."""
    import typst

    language = "en" if content.language == "en" else "vi"
    left, bottom, right, top = place.box
    data = {
        "width": right - left,
        "height": top - bottom,
        "mark": label("sample", language) if content.sample else "",
        "lines": [
            (label("signed-by", language), printable(_holder(certificate))[:120]),
            (label("signed-at", language), at.isoformat(timespec="seconds")),
            (label("record", language), printable(content.number)),
        ],
    }
    try:
        form: object = typst.compile(
            str(TEMPLATE),
            font_paths=[str(FONTS)],
            ignore_system_fonts=True,
            sys_inputs={"data": json.dumps(data)},
            timestamp=0,
            pdf_tags=False,
        )
    except Exception as error:  # typst raises its own and Rust's
        raise RecordNotRendered(
            M("The signature's picture could not be drawn."),
            unchanged=M("Nothing was signed."),
            detail=str(error).splitlines()[0][:200] if str(error) else type(error).__name__,
        ) from None
    assert isinstance(form, bytes)
    return Stamp("person", place, form)


def _holder(certificate: bytes) -> str:
    """The common name of the certificate's subject, or all of it."""
    from fieldkit.validation.trust import certificates

    (own,) = certificates((certificate,))
    name = own.subject.native.get("common_name", "")
    return name if isinstance(name, str) and name else str(own.subject.human_friendly)

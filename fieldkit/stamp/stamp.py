"""Signature images as the rules ask for them, drawn by Typst as a PDF form, and how a field shows them.

pyHanko's own text stamps space Vietnamese letters wrongly in Times-like fonts, so none of them is used.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fieldkit.home import PACKAGE
from fieldkit.profile.rules import StampKind, StampRule, StampText
from fieldkit.stamp import picture
from fieldkit.stamp.errors import StampUnfit
from fieldkit.stamp.place import Place
from fieldkit.text import M, nfc

if TYPE_CHECKING:
    from pyhanko.stamp import StaticStampStyle

TEMPLATE = Path(__file__).with_name("stamp.typ")
VIETNAM = timezone(timedelta(hours=7))
# Tinos has the widths of Times New Roman and every Vietnamese letter. The system's fonts are left alone: some
# that call themselves a Times lack most of the letters (fonts-liberation 1), and what is drawn would differ
FONTS = ("Tinos", "Libertinus Serif")
FONT_FOLDERS = (PACKAGE / "record" / "fonts",)
TOO_LONG = "stamp-does-not-fit"
RING = "★ CƠ QUAN MẪU ★ KHÔNG CÓ GIÁ TRỊ ★"


class Stamp(msgspec.Struct, frozen=True):
    """What a field shows and where. form: a PDF of one page, as large as the place."""

    kind: StampKind
    place: Place
    form: bytes

    def style(self) -> StaticStampStyle:
        """The style by which pyHanko draws it."""
        from fieldkit.pdf.form import style

        return style(self.form)


def draw(
    rule: StampRule,
    place: Place,
    *,
    image: Path | None = None,
    number: str = "",
    name: str = "",
    copy_form: str = "",
    at: datetime | None = None,
) -> Stamp:
    """Draw the stamp that `rule` asks for, to fill `place`.

    image: a transparent PNG; without one a sample is drawn and marked as such. number: the document's
    number and sign. name, copy_form: the copying agency and the form of the copy. at: the time shown.

    :raises StampUnfit: the picture is not as the rule wants it, or the text does not fit.
    """
    shown = ""
    lines: tuple[str, ...] = ()
    files: dict[str, bytes] = {}
    if rule.image == "none":
        lines = text_lines(rule, number=number, name=name, copy_form=copy_form, at=at)
    elif image is None:
        shown = "sample-seal" if rule.image == "seal" else "sample-handwriting"
    else:
        files["image.png"] = picture.checked(image, rule, place)
        shown = "image.png"
    form = _render(place, shown, lines, rule.size or 10, files)
    return Stamp(rule.kind, place, form)


def text_lines(
    rule: StampRule, *, number: str = "", name: str = "", copy_form: str = "", at: datetime | None = None
) -> tuple[str, ...]:
    """The lines of a stamp without a picture, in the order of the rule; what is not known is left out."""
    moment = (at or datetime.now(VIETNAM)).astimezone(VIETNAM)
    known: dict[StampText, str] = {
        "number": nfc(number),
        "time": moment.isoformat(timespec="seconds"),  # ISO 8601 with +07:00, as the rule says
        "name": nfc(name),
        "copy-form": nfc(copy_form),
    }
    return tuple(known[part] for part in rule.content if known[part])


def _render(place: Place, shown: str, lines: Sequence[str], size: int, files: dict[str, bytes]) -> bytes:
    """The form as PDF. What people typed goes in as data and is never part of the markup."""
    import typst

    width, height = place.size
    data = {
        "width": width,
        "height": height,
        "turn": place.turn,
        "picture": shown,
        "lines": list(lines),
        "size": size / place.unit,
        "fonts": FONTS,
        "ring": RING,
        "too-long": TOO_LONG,
    }
    with tempfile.TemporaryDirectory(prefix="fieldkit-stamp-") as name:
        folder = Path(name)
        main = folder / "stamp.typ"
        main.write_bytes(TEMPLATE.read_bytes())
        for file, content in files.items():
            (folder / file).write_bytes(content)
        try:
            form = typst.compile(
                str(main),
                root=name,
                sys_inputs={"data": json.dumps(data)},
                font_paths=[str(path) for path in FONT_FOLDERS if path.is_dir()],
                ignore_system_fonts=True,
                timestamp=0,
                pdf_tags=False,
            )
        except Exception as error:  # typst raises its own and Rust's
            raise _not_drawn(str(error)) from None
    assert isinstance(form, bytes)
    return form


def _not_drawn(reason: str) -> StampUnfit:
    if TOO_LONG in reason:  # it would be cut off, or stand outside of its place
        return StampUnfit(
            M("The stamp's text does not fit its place."), hint=M("Shorten it, or give a larger place.")
        )
    return StampUnfit(
        M("The stamp could not be drawn."),
        hint=M("Give another picture, or sign without a stamp."),
        detail=reason.splitlines()[0][:200] if reason else "",
    )

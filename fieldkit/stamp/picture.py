"""Whether a picture may stand for a signature or a seal: transparent PNG, fine, in the rule's colour."""

from __future__ import annotations

import struct
import warnings
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from fieldkit.pdf import boundary, document
from fieldkit.profile.rules import StampRule
from fieldkit.stamp.errors import StampUnfit
from fieldkit.stamp.place import Place
from fieldkit.text import M, Message

if TYPE_CHECKING:
    from PIL.Image import Image

LEAST_DPI = 150
LARGEST_SIDE = 4000  # pixels
LARGEST_FILE = 16 * 1024 * 1024  # bytes
SIGNATURE = b"\x89PNG\r\n\x1a\n"
CLEAR = 10  # percent of the picture that at least has to be transparent
LEANING = 24  # of 255: by how much a colour has to stand out; less is the grey of a scan
COLOURS = {"blue": M("blue"), "red": M("red"), "black": M("black or grey"), "green": M("green")}


def checked(path: Path, rule: StampRule, place: Place) -> bytes:
    """The picture as PNG, if it is as `rule` wants it; a seal without the empty rim that would shrink it.

    :raises StampUnfit: it is not, and why.
    """
    data = document.read(path)
    name = path.name
    _measure(data, name)
    picture = _opened(data, name)
    alpha = picture.getchannel("A")
    seen = alpha.getbbox()
    clear = sum(alpha.histogram()[:32]) * 100 // (picture.width * picture.height)
    if clear < CLEAR or seen is None:
        raise _unfit(
            M("The background of the picture {name} is not transparent.", name=name)
            if seen is not None
            else M("The picture {name} is empty: all of it is transparent.", name=name),
            hint=M("Take the paper out of the background in a picture editor, and save it as PNG."),
        )
    colour = _colour(picture, alpha)
    if rule.colour in ("blue", "red") and colour != rule.colour:
        raise _unfit(
            M(
                "The picture {name} is {seen}, and the rules ask for {wanted}.",
                name=name,
                seen=COLOURS[colour],
                wanted=COLOURS[rule.colour],
            ),
            hint=M("Sign or stamp in that colour on white paper, and scan it in colour."),
        )
    if rule.image == "seal" and seen != (0, 0, picture.width, picture.height):
        picture = picture.crop(seen)  # the rule wants the seal, not its paper, in its actual size
        data = _png(picture)
    _fine_enough(picture, name, place)
    return data


def _measure(data: bytes, name: str) -> None:
    """What the file's head says, before anything is unpacked."""
    if not data.startswith(SIGNATURE):
        raise _unfit(
            M("The picture {name} is not a PNG.", name=name),
            hint=M("Only a PNG can be transparent. Open the picture in an editor and save it as PNG."),
        )
    if len(data) > LARGEST_FILE:
        raise _unfit(
            M(
                "The picture {name} is too large a file: {size} MB, and at most {most} MB are taken.",
                name=name,
                size=-(-len(data) // 1024**2),
                most=LARGEST_FILE // 1024**2,
            ),
            hint=M("Save it smaller: 300 dpi are enough."),
        )
    try:
        kind, width, height = struct.unpack_from(">4sII", data, 12)
    except struct.error:
        kind = b""
    if kind != b"IHDR":
        raise _damaged(name)
    if min(width, height) < 1:
        raise _unfit(
            M(
                "The picture {name} is empty: {width} by {height} pixels.",
                name=name,
                width=width,
                height=height,
            )
        )
    if max(width, height) > LARGEST_SIDE:
        raise _unfit(
            M(
                "The picture {name} is too large: {width} by {height} pixels; a side has at most {most}.",
                name=name,
                width=width,
                height=height,
                most=LARGEST_SIDE,
            ),
            hint=M("Save it smaller: 300 dpi are enough."),
        )


def _opened(data: bytes, name: str) -> Image:
    """The pixels with their transparency, however the PNG stores them (palette, 16 bits, interlaced)."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd chunk is no fault of the picture
            with Image.open(BytesIO(data), formats=("PNG",)) as image_file:
                image_file.load()
                if "A" not in image_file.getbands() and "transparency" not in image_file.info:
                    raise _unfit(
                        M("The background of the picture {name} is not transparent.", name=name),
                        hint=M(
                            "Take the paper out of the background in a picture editor, and save it as PNG."
                        ),
                    )
                return image_file.convert("RGBA")
    except StampUnfit:
        raise
    except Exception as error:  # Pillow raises almost anything for a damaged one
        raise _damaged(name, boundary.kind_of(error)) from None


def _colour(picture: Image, alpha: Image) -> str:
    """The colour of what is drawn, by its mean: "blue", "red", "green", or "black" for every grey."""
    from PIL import ImageStat

    inked = alpha.point(lambda value: 255 if value >= 128 else 0)
    if inked.getbbox() is None:
        inked = alpha
    means = dict(
        zip(("red", "green", "blue"), ImageStat.Stat(picture.convert("RGB"), inked).mean, strict=True)
    )
    first, second = sorted(means, key=lambda colour: means[colour], reverse=True)[:2]
    return first if means[first] - means[second] >= LEANING else "black"


def _fine_enough(picture: Image, name: str, place: Place) -> None:
    width, height = place.size
    shown = place.unit * min(width / picture.width, height / picture.height)  # points a pixel, fitted in
    dpi = int(72 / shown) if shown > 0 else LEAST_DPI
    if dpi < LEAST_DPI:
        raise _unfit(
            M(
                "The picture {name} is too coarse: {width} by {height} pixels make {dpi} dpi in its place, "
                "and {least} are needed.",
                name=name,
                width=picture.width,
                height=picture.height,
                dpi=dpi,
                least=LEAST_DPI,
            ),
            hint=M("Scan it again at 300 dpi."),
        )


def _png(picture: Image) -> bytes:
    written = BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


def _damaged(name: str, detail: str = "") -> StampUnfit:
    return _unfit(M("The picture {name} is damaged.", name=name), detail=detail)


def _unfit(message: Message, *, hint: Message | None = None, detail: str = "") -> StampUnfit:
    return StampUnfit(
        message,
        unchanged=boundary.UNCHANGED,
        hint=hint
        or M("Give a PNG with a transparent background, scanned at 300 dpi, blue or red as the rules ask."),
        detail=detail,
    )

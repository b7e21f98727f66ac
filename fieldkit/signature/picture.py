"""Whether a picture may stand for a signature or a seal: transparent PNG, fine, in the rule's colour."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from fieldkit.profile.rules import StampRule
from fieldkit.signature import boundary, document, errors
from fieldkit.signature.place import Place
from fieldkit.text import M, Message

LEAST_DPI = 150
LARGEST_SIDE = 4000  # pixels
LARGEST_FILE = 16 * 1024 * 1024
SIGNATURE = b"\x89PNG\r\n\x1a\n"
# colour type to samples a pixel, for 8 bits a sample; only these two carry transparency of their own
CHANNELS = {6: 4, 4: 2}


def checked(path: Path, rule: StampRule, place: Place) -> bytes:
    """The picture's bytes, if it is as `rule` wants it.

    :raises StampUnfit: it is not, and why.
    """
    data = document.read(path)
    if len(data) > LARGEST_FILE or not data.startswith(SIGNATURE):
        raise _unfit(M("The picture {name} is not a PNG.", name=path.name))
    try:
        width, height, depth, kind, interlaced, packed = _chunks(data)
    except (struct.error, ValueError):
        raise _unfit(M("The picture {name} is damaged.", name=path.name)) from None
    if max(width, height) > LARGEST_SIDE or min(width, height) < 1:
        raise _unfit(M("The picture {name} is too large.", name=path.name))
    if kind not in CHANNELS or depth != 8 or interlaced:
        raise _unfit(M("The picture {name} has no transparent background.", name=path.name))
    left, bottom, right, top = place.box
    inches = max(right - left, top - bottom) / 72
    if max(width, height) < LEAST_DPI * inches:
        raise _unfit(
            M(
                "The picture {name} is too coarse: {width} by {height} pixels.",
                name=path.name,
                width=width,
                height=height,
            )
        )
    try:
        pixels = _pixels(packed, width, height, CHANNELS[kind])
    except (zlib.error, ValueError, IndexError):
        raise _unfit(M("The picture {name} is damaged.", name=path.name)) from None
    _look(path.name, pixels, CHANNELS[kind], rule)
    return data


def _look(name: str, pixels: bytes, channels: int, rule: StampRule) -> None:
    alpha = pixels[channels - 1 :: channels]
    clear = sum(1 for value in alpha if value < 32)
    if clear * 10 < len(alpha):
        raise _unfit(M("The picture {name} has no transparent background.", name=name))
    if channels != 4:
        raise _unfit(M("The picture {name} is not in the colour that the rules ask for.", name=name))
    inked = [at for at, value in enumerate(alpha) if value >= 128]
    red = sum(pixels[4 * at] for at in inked)
    blue = sum(pixels[4 * at + 2] for at in inked)
    if not inked or (rule.colour == "blue" and blue <= red) or (rule.colour == "red" and red <= blue):
        raise _unfit(M("The picture {name} is not in the colour that the rules ask for.", name=name))


def _unfit(message: Message) -> errors.StampUnfit:
    return errors.StampUnfit(
        message,
        unchanged=boundary.UNCHANGED,
        hint=M("Give a PNG with a transparent background, scanned at 300 dpi, blue or red as the rules ask."),
    )


def _chunks(data: bytes) -> tuple[int, int, int, int, int, bytes]:
    """Width, height, depth, colour type, interlacing and the packed pixels."""
    at, head, packed = len(SIGNATURE), b"", bytearray()
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        if len(body) != length:
            raise ValueError("cut off")
        if kind == b"IHDR":
            head = body
        elif kind == b"IDAT":
            packed += body
        elif kind == b"IEND":
            break
        at += 12 + length
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head)
    return width, height, depth, colour, interlaced, bytes(packed)


def _pixels(packed: bytes, width: int, height: int, channels: int) -> bytes:
    """The pixels unpacked and unfiltered (PNG specification, clause 9)."""
    row = width * channels
    expected = height * (row + 1)
    unpacker = zlib.decompressobj()
    raw = unpacker.decompress(packed, expected + 1)
    if len(raw) != expected:
        raise ValueError("wrong size")
    made, before = bytearray(), bytes(row)
    for at in range(0, expected, row + 1):
        line = bytearray(raw[at + 1 : at + 1 + row])
        _unfilter(raw[at], line, before, channels)
        made += line
        before = bytes(line)
    return bytes(made)


def _unfilter(kind: int, line: bytearray, before: bytes, channels: int) -> None:
    if kind > 4:
        raise ValueError("unknown filter")
    if kind == 0:
        return
    for at in range(len(line)):
        left = line[at - channels] if at >= channels else 0
        up = before[at]
        corner = before[at - channels] if at >= channels else 0
        guess = (left, up, (left + up) // 2, _paeth(left, up, corner))[kind - 1]
        line[at] = (line[at] + guess) & 0xFF


def _paeth(left: int, up: int, corner: int) -> int:
    estimate = left + up - corner
    return min((left, up, corner), key=lambda value: abs(estimate - value))

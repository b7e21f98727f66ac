"""Change one byte of a signed document's copy, so that whoever judges it must refuse it."""

from __future__ import annotations

from pathlib import Path

from fieldkit.pdf import boundary, document
from fieldkit.pdf.errors import NotSigned
from fieldkit.text import M


def flip(path: Path, out: Path) -> int:
    """Write a copy of `path` with one byte of a signed range changed; the byte's offset.

    The byte is inside a stream where there is one, so that the copy still opens: what is noticed is
    the change and not a broken file.

    :raises NotSigned: the document holds no signature.
    """
    from fieldkit.pdf.byte_ranges import signed_ranges

    data = bytearray(document.read(path))
    signed = signed_ranges(path)
    if not signed:
        raise NotSigned(M("There is no signature in {name}.", name=path.name))
    start, end = signed[-1].ranges[0]
    offset = _inside(bytes(data), start, end)
    data[offset] ^= 0x01
    with document.written(out, overwrite=True) as file, boundary.signing(out.name):
        file.write(data)
    return offset


def _inside(data: bytes, start: int, end: int) -> int:
    """The middle of the first stream in the range; else the header's second line, which nobody reads."""
    begins = data.find(b"stream", start, end)
    ends = data.find(b"endstream", begins, end)
    if begins >= 0 and ends > begins + 16:
        return (begins + 6 + ends) // 2
    return min(start + 10, end - 1)

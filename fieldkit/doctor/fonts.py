"""The fonts that records and stamps are drawn with: fieldkit's own, whole, with all Vietnamese letters."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from fieldkit.doctor.probe import Probe, Subject
from fieldkit.finding import Finding
from fieldkit.home import PACKAGE
from fieldkit.text import M

LETTERS = "ăâđêôơưĂÂĐÊÔƠƯáàảãạấầẩẫậắằẳẵặéèẻẽẹếềểễệíìỉĩịóòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵ"


def probe_fonts(subject: Subject) -> Iterable[Finding]:
    paths = sorted(PACKAGE.glob("*/fonts/*.ttf"))
    broken = [path.name for path in paths if not _good(path)]
    if not paths or broken:
        yield Finding(
            "fonts",
            "fail",
            M("Records cannot be printed: fonts of fieldkit are missing or damaged."),
            detail=", ".join(broken) or str(PACKAGE),
            hint=M("Install fieldkit again."),
        )
    else:
        yield Finding(
            "fonts",
            "pass",
            M("The fonts for records have all Vietnamese letters: {count}.", count=len(paths)),
        )


def _good(path: Path) -> bool:
    try:
        have = covered(path.read_bytes())
    except (OSError, struct.error, IndexError, KeyError):
        return False
    return all(ord(letter) in have for letter in LETTERS)


def covered(font: bytes) -> set[int]:
    """The characters a TrueType font draws, by its cmap (format 4). Raises struct.error or KeyError."""
    (count,) = struct.unpack_from(">H", font, 4)
    tables = {
        font[at : at + 4]: struct.unpack_from(">II", font, at + 8) for at in range(12, 12 + 16 * count, 16)
    }
    if any(offset + length > len(font) for offset, length in tables.values()):
        raise KeyError("cut short")
    start, _ = tables[b"cmap"]
    (subtables,) = struct.unpack_from(">H", font, start + 2)
    have: set[int] = set()
    for number in range(subtables):
        platform, _, offset = struct.unpack_from(">HHI", font, start + 4 + 8 * number)
        if platform in (0, 3):
            have |= _segments(font, start + offset)
    return have


def _segments(font: bytes, at: int) -> set[int]:
    (form,) = struct.unpack_from(">H", font, at)
    if form != 4:
        return set()
    (twice,) = struct.unpack_from(">H", font, at + 6)
    ends = struct.unpack_from(f">{twice // 2}H", font, at + 14)
    starts = struct.unpack_from(f">{twice // 2}H", font, at + 16 + twice)
    return {code for first, last in zip(starts, ends, strict=True) for code in range(first, last + 1)} - {
        0xFFFF
    }


PROBES = (Probe("fonts", probe_fonts),)

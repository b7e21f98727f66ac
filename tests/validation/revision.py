"""A further revision of a document, written byte by byte: right, or wrong in any one respect."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any, Literal

from pyhanko.pdf_utils.reader import PdfFileReader

Kind = Literal["table", "stream", "hybrid", "repeated"]


def read(data: bytes) -> PdfFileReader:
    return PdfFileReader(BytesIO(data), strict=False)


def written(value: Any) -> bytes:
    """An object as it is written into a file."""
    out = BytesIO()
    value.write_to_stream(out, None)
    return out.getvalue()


def stream(content: bytes, entries: bytes = b"") -> bytes:
    return b"<<%s/Length %d>>\nstream\n%s\nendstream" % (entries, len(content), content)


def last_table(data: bytes) -> int:
    return int(re.findall(rb"startxref\s+(\d+)", data)[-1])


def appended(
    data: bytes,
    objects: Mapping[int, bytes],
    *,
    kind: Kind = "table",
    packed: Mapping[int, bytes] | None = None,
    unlisted: Mapping[int, bytes] | None = None,
    unlisted_packed: Mapping[int, bytes] | None = None,
    generations: Mapping[int, int] | None = None,
    free: Mapping[int, int] | None = None,
    between: bytes = b"",
    before_table: bytes = b"",
    off: Mapping[int, int] | None = None,
    prev: int | None = None,
    start: int | None = None,
    size: int | None = None,
    trailer: bytes = b"",
    root: bytes | None = None,
    known: int | None = None,
    padding: bytes = b"",
    shifted: int = 0,
    differing: Mapping[int, int] | None = None,
    widths: tuple[int, int, int] = (1, 4, 2),
    listing_itself: bool = False,
) -> bytes:
    """`data` and a revision of these objects, right unless told otherwise.

    packed: objects in an object stream. unlisted: objects that lie before the listed ones and that no table
    lists; unlisted_packed: the same in the object stream. free: given up, with their generation. between:
    bytes before each object. off: how far from an object its entry points. start: where startxref points.
    padding: what a table in a stream holds beside its entries.
    known: the size of the document's table, where it cannot be read any more.
    shifted: how many bytes too far the whole table points.
    kind: "repeated" is a table in a stream and the same once more as text, as PDFBox writes it.
    differing: how far from an object its entry in that stream alone points.
    widths: of the table in a stream; without a first one its entries are all in use.
    listing_itself: so does that stream where the table is repeated.
    """
    if known is None or root is None:
        reader = read(data)
        known = known or int(reader.trailer["/Size"])
        root = root or _root(reader)
    numbers = {*objects, *(packed or {}), *(unlisted or {}), *(unlisted_packed or {}), known}
    spare = max(numbers) + 1
    made = data if data.endswith(b"\n") else data + b"\n"
    for number, body in (unlisted or {}).items():
        made += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    entries: dict[int, tuple[int, int, int]] = {}
    for number, body in objects.items():
        made += between
        generation = (generations or {}).get(number, 0)
        entries[number] = (1, len(made) + (off or {}).get(number, 0) + shifted, generation)
        made += b"%d %d obj\n%s\nendobj\n" % (number, generation, body)
    held = {**(packed or {}), **(unlisted_packed or {})}
    if held:
        heads, bodies = b"", b""
        for number, body in held.items():
            heads += b"%d %d " % (number, len(bodies))
            bodies += body + b"\n"
        container, spare = spare, spare + 1
        entries[container] = (1, len(made), 0)
        content = stream(heads + bodies, b"/Type/ObjStm/N %d/First %d" % (len(held), len(heads)))
        made += b"%d 0 obj\n%s\nendobj\n" % (container, content)
        for place, number in enumerate(packed or {}):
            entries[number] = (2, container, place)
    for number, generation in (free or {}).items():
        entries[number] = (0, 0, generation)
    made += before_table
    previous = last_table(data) if prev is None else prev
    whole = (spare + 1 if size is None else size, root, previous, trailer)
    extra = b"/Size %d/Root %s/Prev %d%s" % whole
    if kind == "stream":
        table = len(made)
        entries[spare] = (1, table, 0)
        made += b"%d 0 obj\n%s\nendobj\n" % (spare, _packed_table(entries, extra, padding, widths))
    else:
        packed_entries = {number: entry for number, entry in entries.items() if entry[0] == 2}
        if kind == "hybrid":
            extra += b"/XRefStm %d" % len(made)
            made += b"%d 0 obj\n%s\nendobj\n" % (spare, _packed_table(packed_entries, extra))
        if kind == "repeated":
            same = {n: (k, at + (differing or {}).get(n, 0), rest) for n, (k, at, rest) in entries.items()}
            entries[spare] = (1, len(made), 0)
            if listing_itself:
                same[spare] = entries[spare]
            made += b"%d 0 obj\n%s\nendobj\n" % (spare, _packed_table(same, extra, widths=widths))
        table = len(made)
        plain = {number: entry for number, entry in entries.items() if entry[0] != 2}
        made += _table(plain) + b"trailer\n<<%s>>\n" % extra
    return made + b"startxref\n%d\n%%%%EOF\n" % (table if start is None else start)


def _root(reader: PdfFileReader) -> bytes:
    reference = reader.root_ref
    return b"%d %d R" % (reference.idnum, reference.generation)


def _table(entries: Mapping[int, tuple[int, int, int]]) -> bytes:
    made = b"xref\n"
    for number, (kind, at, generation) in sorted(entries.items()):
        made += b"%d 1\n%010d %05d %s \n" % (number, at, generation, b"n" if kind else b"f")
    return made


def _packed_table(
    entries: Mapping[int, tuple[int, int, int]],
    extra: bytes,
    padding: bytes = b"",
    widths: tuple[int, int, int] = (1, 4, 2),
) -> bytes:
    rows, index = b"", b""
    for number, (kind, at, rest) in sorted(entries.items()):
        first, second, third = widths
        rows += kind.to_bytes(first, "big") if first else b""
        rows += at.to_bytes(second, "big") + rest.to_bytes(third, "big")
        index += b"%d 1 " % number
    packed = zlib.compress(rows + padding)
    return stream(packed, b"/Type/XRef/W[%d %d %d]/Index[%s]/Filter/FlateDecode%s" % (*widths, index, extra))

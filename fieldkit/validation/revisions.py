"""Whether every byte that was appended to a document is accounted for by its own table of contents.

Viewers mend what does not fit, each in its way, so that an object that no table lists, or a table that is not
where it is said to be, is shown by one and not by another. What follows a signature leaves no room for that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from fieldkit.pdf import boundary

BLANK = rb"[\0\t\n\f\r ]"
BLANKS = re.compile(rb"(?:[\0\t\n\f\r ]+|%[^\r\n]*)*")
ATOM = re.compile(rb"[^\0\t\n\f\r ()<>\[\]{}/%]+")
NAME = re.compile(rb"/[^\0\t\n\f\r ()<>\[\]{}/%]*")
HEXADECIMAL = re.compile(rb"<[0-9A-Fa-f\0\t\n\f\r ]*>")
NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)\Z")
OBJECT = re.compile(rb"(\d{1,10})" + BLANK + rb"+(\d{1,5})" + BLANK + rb"+obj")
STREAM = re.compile(rb"stream\r?\n")
END_STREAM = re.compile(rb"(?:\r\n|\r|\n)?endstream")
REFERS = re.compile(BLANK + rb"+\d+" + BLANK + rb"+R\b")
IN_LITERAL = re.compile(rb"\\.|[()]", re.DOTALL)
TABLE = re.compile(rb"xref *(?:\r\n|\n|\r)")
SECTION = re.compile(rb"(\d{1,10}) (\d{1,10}) *(?:\r\n|\n|\r)")
ENTRY = re.compile(rb"(\d{10}) (\d{5}) ([nf])(?: \r| \n|\r\n)")
START = re.compile(rb"startxref" + BLANK + rb"+(\d{1,12})" + BLANK + rb"+%%EOF")
LAST_START = re.compile(rb"startxref\s+(\d{1,12})\s+%%EOF\s*\Z")
HIDING = re.compile(rb"\bobj\b|stream|xref|trailer|%EOF", re.IGNORECASE)
"""What stands in no honest comment, and what a viewer that mends files looks for."""

DEEPEST = 60
LONGEST_ROW = 32  # bytes of an entry in a table that is a stream
MOST_PACKED = 100_000  # objects in one stream


class _Unfit(Exception):
    """The bytes are not what a writer of PDF appends; where, and why not."""

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(f"{reason}, byte {at}")


class _Revision:
    """An appended revision as it lies in the file. objects: number to generation, place and value.

    stream: the number of the object that is a table; where `entries` follow, it says the same once more.
    """

    def __init__(self) -> None:
        self.objects: dict[int, tuple[int, int, Any]] = {}
        self.stream: int | None = None
        self.table: int | None = None
        self.entries: dict[int, tuple[int, int, bool]] | None = None
        self.trailer: dict[bytes, Any] = {}
        self.start = 0


def unaccounted(reader: Any, end: int, revision: int) -> str:
    """What the revisions after number `revision`, which ends at `end`, hold that no table lists, or ""."""
    file = reader.stream
    file.seek(0)
    head = file.read(5)
    file.seek(max(0, end - 64))
    start = LAST_START.search(file.read(end - file.tell()))
    data = file.read()
    if not data.strip(b"\0\t\n\f\r "):
        return ""
    if head != b"%PDF-" or start is None:
        return "the file does not begin, or the signed part does not end, as a PDF does"
    try:
        _judge(reader, data, end, revision, int(start[1]))
    except _Unfit as error:
        return str(error)
    except Exception as error:  # what the library stumbles over is not accounted for either
        return boundary.kind_of(error)
    return ""


def _judge(reader: Any, data: bytes, end: int, revision: int, previous: int) -> None:
    xrefs = reader.xrefs
    generations: dict[int, int] = {}
    for number in range(revision + 1):
        _remember(generations, xrefs.get_xref_data(number))
    number = revision
    for appended in _walk(reader, data, end):
        number += 1
        if number >= xrefs.total_revisions:
            raise _Unfit(appended.start, "a revision is in no table's line of predecessors")
        _match(reader, appended, number, previous, generations)
        _remember(generations, xrefs.get_xref_data(number))
        previous = appended.start
    if number != xrefs.total_revisions - 1:
        raise _Unfit(end + len(data), "a table's line of predecessors holds more than the file appends")


def _remember(generations: dict[int, int], section: Any) -> None:
    generations.update({number: generation for number, (generation, _) in section.standard_xrefs.items()})
    generations.update(dict.fromkeys(section.xrefs_in_objstm, 0))


def _match(reader: Any, appended: _Revision, number: int, previous: int, generations: dict[int, int]) -> None:
    """Table and objects of one revision are one to one."""
    at, xrefs = appended.start, reader.xrefs
    meta, section = xrefs.get_xref_container_info(number), xrefs.get_xref_data(number)
    if appended.start != appended.table or meta.declared_startxref != appended.table:
        raise _Unfit(at, "startxref does not lead to the table")
    if appended.trailer.get(b"/Prev") != previous:
        raise _Unfit(at, "/Prev does not lead to the table before")
    listed = {held: (generation, place) for held, (generation, place) in section.standard_xrefs.items()}
    if appended.entries is not None:
        _match_second_table(reader, appended)
        there = {held: entry[:2] for held, entry in appended.entries.items() if entry[2]}
        if there != listed:
            raise _Unfit(at, "the table is not read alike")
    if any(freed for freed in section.freed):
        raise _Unfit(at, "objects are given up")
    lying = {held: (generation, place) for held, (generation, place, _) in appended.objects.items()}
    if meta.stream_ref is not None:  # need not list itself
        _rows(reader, appended, meta.stream_ref.idnum)
        listed.setdefault(meta.stream_ref.idnum, lying[meta.stream_ref.idnum])
    if lying != listed:
        strange = sorted({held for held in {*lying, *listed} if lying.get(held) != listed.get(held)})
        raise _Unfit(at, f"the table and the objects differ: {strange[:5]}")
    if meta.size < max((xrefs.get_xref_container_info(number - 1).size, *(held + 1 for held in listed))):
        raise _Unfit(at, "the table is longer than it says")
    for held, (generation, _) in listed.items():
        if generation != generations.get(held, 0):
            raise _Unfit(at, f"object {held} has another generation")
    _match_packed(reader, appended, number, section)
    before, after = (reader.get_historical_resolver(at).trailer_view for at in (number - 1, number))
    for key in ("/Root", "/Encrypt"):
        if _raw(before, key) != _raw(after, key):
            raise _Unfit(at, f"the trailer's {key} was changed")


def _match_second_table(reader: Any, appended: _Revision) -> None:
    """Some writers give a table in a stream and the same once more as text: then both say the same."""
    assert appended.entries is not None
    if appended.stream is None:
        if b"/XRefStm" in appended.trailer:
            raise _Unfit(appended.start, "a revision has two tables")
        return
    _, place, value = appended.objects[appended.stream]
    there = {held: entry for held, entry in appended.entries.items() if entry[2]}
    there.pop(appended.stream, None)
    rows = _rows(reader, appended, appended.stream)
    rows.pop(appended.stream, None)
    alike = all(appended.trailer.get(key) == value.get(key) for key in (b"/Root", b"/Prev", b"/Encrypt"))
    if rows != there or not alike or appended.trailer.get(b"/XRefStm", place) != place:
        raise _Unfit(appended.start, "a revision has two tables")


def _rows(reader: Any, appended: _Revision, number: int) -> dict[int, tuple[int, int, bool]]:
    """What a table in a stream lists: as many entries as it says, each as wide as it says."""
    from pyhanko.pdf_utils.generic import Reference, StreamObject
    from pyhanko.pdf_utils.xref import read_object_header

    _, place, value = appended.objects[number]
    reader.stream.seek(place)
    read_object_header(reader.stream, strict=False)
    table = StreamObject.read_from_stream(reader.stream, Reference(number)).data
    widths, index = value.get(b"/W"), value.get(b"/Index", [0, value.get(b"/Size")])
    if (
        not isinstance(widths, list)
        or len(widths) != 3
        or not 0 < sum(widths) <= LONGEST_ROW
        or len(index) % 2
        or any(count < 0 for count in index[1::2])
        or sum(index[1::2]) * sum(widths) != len(table)
    ):
        raise _Unfit(appended.start, "the table is not as long as it says")
    width = sum(widths)
    numbers = (held for at in range(0, len(index), 2) for held in range(index[at], index[at] + index[at + 1]))
    rows = {}
    for row, held in enumerate(numbers):
        kind, second, third = _fields(table[row * width : (row + 1) * width], widths)
        if kind:
            rows[held] = (third, second, kind == 1)
    return rows


def _fields(row: bytes, widths: list[int]) -> tuple[int, int, int]:
    """A row's kind, place and generation; a kind that takes no room is that of an object in use."""
    first, second, _ = widths
    kind, place, generation = row[:first], row[first : first + second], row[first + second :]
    number = int.from_bytes
    return number(kind) if first else 1, number(place), number(generation)


def _raw(trailer: Any, key: str) -> Any:
    return trailer.raw_get(key) if key in trailer else None


def _match_packed(reader: Any, appended: _Revision, number: int, section: Any) -> None:
    """Every object in an object stream is listed, at its place, and no table lists another."""
    from pyhanko.pdf_utils.generic import Reference

    listed: dict[int, dict[int, int]] = {}
    for held, place in section.xrefs_in_objstm.items():
        listed.setdefault(place.obj_stream_id, {})[place.ix_in_stream] = held
    streams = {
        held
        for held, (_, _, value) in appended.objects.items()
        if isinstance(value, dict) and value.get(b"/Type") == b"/ObjStm"
    }
    if streams != set(listed):
        raise _Unfit(appended.start, f"object streams and the table differ: {sorted(streams ^ {*listed})}")
    resolver = reader.get_historical_resolver(number)
    for held in streams:
        value = appended.objects[held][2]
        count, first = value.get(b"/N"), value.get(b"/First")
        if (
            b"/Extends" in value
            or not isinstance(count, int)
            or not 0 <= count <= MOST_PACKED
            or not isinstance(first, int)
        ):
            raise _Unfit(appended.start, f"object stream {held} is not built as it must be")
        content = resolver.get_object(Reference(held)).data
        pairs = [int(part) for part in content[:first].split()]
        if dict(enumerate(pairs[::2])) != listed[held] or len(pairs) != 2 * count:
            raise _Unfit(appended.start, f"object stream {held} holds what the table does not list")
        at = first
        for place in pairs[1::2]:
            if _skip(content, at, 0) != _skip(content, first + place, 0):
                raise _Unfit(appended.start, f"object stream {held} holds something between its objects")
            _, at = _value(content, first + place, 0)
        if content[at:].strip(b"\0\t\n\f\r "):
            raise _Unfit(appended.start, f"object stream {held} holds something after its objects")


def _walk(reader: Any, data: bytes, shift: int) -> Iterator[_Revision]:
    """The appended revisions, one after the other, to the last byte."""
    at = 0
    while (at := _skip(data, at, shift)) < len(data):
        revision = _Revision()
        at = _body(reader, data, at, shift, revision)
        start = START.match(data, at)
        if start is None or revision.table is None:
            raise _Unfit(shift + at, "something stands between the objects")
        revision.start = int(start[1])
        at = start.end()
        yield revision


def _body(reader: Any, data: bytes, at: int, shift: int, revision: _Revision) -> int:
    """Objects and the table, up to startxref."""
    while not data.startswith(b"startxref", at):
        if revision.table is not None and (revision.entries is not None or not TABLE.match(data, at)):
            raise _Unfit(shift + at, "something follows the table")
        head = OBJECT.match(data, at)
        if head is not None:
            number, generation = int(head[1]), int(head[2])
            if number in revision.objects:
                raise _Unfit(shift + at, f"object {number} is there twice")
            place = shift + at
            value, at = _object(reader, data, head.end(), shift)
            revision.objects[number] = (generation, place, value)
            if isinstance(value, dict) and value.get(b"/Type") == b"/XRef":
                revision.table, revision.trailer, revision.stream = place, value, number
        elif TABLE.match(data, at):
            revision.table = shift + at
            at = _table(data, at, shift, revision)
        else:
            raise _Unfit(shift + at, "something stands between the objects")
        at = _skip(data, at, shift)
    return at


def _table(data: bytes, at: int, shift: int, revision: _Revision) -> int:
    head = TABLE.match(data, at)
    assert head is not None
    at, entries = head.end(), {}
    while (section := SECTION.match(data, at)) is not None:
        at = section.end()
        for number in range(int(section[1]), int(section[1]) + int(section[2])):
            entry = ENTRY.match(data, at)
            if entry is None or number in entries:
                raise _Unfit(shift + at, "the table is not written as it must be")
            entries[number] = (int(entry[2]), int(entry[1]), entry[3] == b"n")
            at = entry.end()
    at = _skip(data, at, shift)
    if not data.startswith(b"trailer", at):
        raise _Unfit(shift + at, "the table is not written as it must be")
    trailer, at = _value(data, _skip(data, at + 7, shift), shift)
    revision.entries, revision.trailer = entries, trailer
    return _skip(data, at, shift)


def _object(reader: Any, data: bytes, at: int, shift: int) -> tuple[Any, int]:
    """An object's value, and where it ends after "endobj"."""
    value, at = _value(data, _skip(data, at, shift), shift)
    at = _skip(data, at, shift)
    if data.startswith(b"stream", at):
        head = STREAM.match(data, at)
        if head is None or not isinstance(value, dict):
            raise _Unfit(shift + at, "a stream does not begin as it must")
        end = END_STREAM.match(data, head.end() + _length(reader, value, shift + at))
        if end is None:
            raise _Unfit(shift + at, "a stream is not as long as it says")
        at = _skip(data, end.end(), shift)
    if not data.startswith(b"endobj", at):
        raise _Unfit(shift + at, "an object does not end as it must")
    return value, at + 6


def _length(reader: Any, value: dict[bytes, Any], at: int) -> int:
    length = value.get(b"/Length")
    if isinstance(length, _Reference):
        from pyhanko.pdf_utils.generic import Reference

        length = reader.get_object(Reference(length.number, length.generation))
    if not isinstance(length, int) or length < 0:
        raise _Unfit(at, "a stream does not say how long it is")
    return int(length)


class _Reference(NamedTuple):
    number: int
    generation: int


class _Open:
    """An array or dictionary that is being read."""

    def __init__(self, *, named: bool) -> None:
        self.named, self.items = named, list[Any]()


def _value(data: bytes, at: int, shift: int) -> tuple[Any, int]:
    """One value, read the one way that there is to read it; a key that is there twice is none."""
    waiting = [_Open(named=False)]
    while True:
        at = _skip(data, at, shift)
        items = waiting[-1].items
        if data.startswith(b"<<", at) or data[at : at + 1] == b"[":
            waiting.append(_Open(named=data[at : at + 1] == b"<"))
            at += 2 if waiting[-1].named else 1
            if len(waiting) > DEEPEST:
                raise _Unfit(shift + at, "values are nested too deep")
            continue
        if data.startswith(b">>", at) or data[at : at + 1] == b"]":
            closed = waiting.pop()
            if not waiting or closed.named != (data[at : at + 1] == b">"):
                raise _Unfit(shift + at, "brackets do not match")
            at += 2 if closed.named else 1
            waiting[-1].items.append(_closed(closed, shift + at))
        else:
            item, at = _scalar(data, at, shift)
            if item == b"R":
                if len(items) < 2 or not all(type(item) is int for item in items[-2:]):
                    raise _Unfit(shift + at, "a reference is none")
                items[-2:] = [_Reference(*items[-2:])]
            else:
                items.append(item)
        if len(waiting) == 1 and not _refers(data, at, waiting[0].items):
            return waiting[0].items[0], at


def _refers(data: bytes, at: int, items: list[Any]) -> bool:
    """Whether a number that stands alone is the beginning of a reference."""
    if len(items) == 1:
        return type(items[0]) is int and REFERS.match(data, at) is not None
    return len(items) == 2


def _closed(closed: _Open, at: int) -> Any:
    if not closed.named:
        return closed.items
    keys, values = closed.items[::2], closed.items[1::2]
    names = [_plain(key) if isinstance(key, bytes) and key.startswith(b"/") else None for key in keys]
    if len(keys) != len(values) or None in names or len(set(names)) != len(names):
        raise _Unfit(at, "a dictionary has a key twice, or what is none")
    return dict(zip(names, values, strict=True))


def _plain(name: bytes) -> bytes:
    """A name with its escapes resolved."""
    return re.sub(rb"#([0-9A-Fa-f]{2})", lambda match: bytes.fromhex(match[1].decode()), name)


def _scalar(data: bytes, at: int, shift: int) -> tuple[Any, int]:
    name = NAME.match(data, at)
    if name is not None:
        return _plain(name[0]), name.end()
    if data[at : at + 1] == b"(":
        return _literal(data, at, shift)
    text = HEXADECIMAL.match(data, at)
    if text is not None:
        return text[0], text.end()
    atom = ATOM.match(data, at)
    if atom is None:
        raise _Unfit(shift + at, "a value is none")
    if NUMBER.match(atom[0]):
        return (float if b"." in atom[0] else int)(atom[0]), atom.end()
    if atom[0] not in (b"true", b"false", b"null", b"R"):
        raise _Unfit(shift + at, "a value is none")
    return atom[0], atom.end()


def _literal(data: bytes, at: int, shift: int) -> tuple[bytes, int]:
    depth, start = 0, at
    for match in IN_LITERAL.finditer(data, at):
        depth += {b"(": 1, b")": -1}.get(match[0], 0)
        if depth == 0:
            return data[start : match.end()], match.end()
    raise _Unfit(shift + at, "a text has no end")


def _skip(data: bytes, at: int, shift: int) -> int:
    """Past blanks and comments; a comment that a viewer could take for more is none."""
    match = BLANKS.match(data, at)
    assert match is not None
    if HIDING.search(match[0]):
        raise _Unfit(shift + at, "a comment hides something")
    return match.end()

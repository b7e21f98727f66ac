"""Lines as they stand in a segment, `crc32 SP canonical-JSON LF`, and what is read of an entry in passing.

Opening a store looks at every line, so here nothing is decoded that the chain and the index do not need.
"""

from __future__ import annotations

import re
from binascii import crc32

import msgspec

PREFIX = 9
"""Bytes before the JSON: eight of checksum, one space."""

_TEXT = rb'"(?:[^"\\]|\\.)*"'
_HEAD = re.compile(
    rb'\{(?:"base":' + _TEXT + rb',)?(?:"blob":' + _TEXT + rb',)?"dev":"([^"\\]+)","hlc":"([0-9-]+)",'
    rb'(?:"item":' + _TEXT + rb',)?"kind":"([^"\\]+)","prev":"([0-9a-f]{64})","seq":([1-9][0-9]*),'
    rb'"v":([1-9][0-9]*)[,}]'
)
PREV = b',"prev":"'
KIND = b'"kind":"'
WALL = b',"wall":"'
VISIT = b',"visit":"'
"""Members as they begin. No text in an entry holds such bytes: a quote in a text has a stroke before it."""

_START = re.compile(rb'[0-9a-f]{8} \{"')


class ChainLink(msgspec.Struct, frozen=True):
    """What of an entry it is chained and found by."""

    v: int
    dev: str
    seq: int
    prev: str
    hlc: str
    kind: str
    visit: str = ""


_links = msgspec.json.Decoder(ChainLink)


def line(body: bytes) -> bytes:
    """The entry as it stands in a segment."""
    return b"%08x %b\n" % (crc32(body), body)


def body_of(line: bytes) -> bytes | None:
    """The JSON in a line without its end, or None if the checksum is not that of the bytes."""
    body = line[PREFIX:]
    # compared as it was written: a number read from the text would let "+", "_" and capitals pass
    return body if body and line[:PREFIX] == b"%08x " % crc32(body) else None


def link(body: bytes) -> ChainLink | None:
    """The entry's place in the chain and its topic; None if the JSON is not an entry's.

    Members stand in the order of their names: all but `visit` come before the value, `visit` right after.
    """
    head = _HEAD.match(body)
    visit = visit_of(body)
    if head is None or visit is None:
        try:
            return _links.decode(body)
        except msgspec.DecodeError:
            return None
    dev, hlc, kind, prev, seq, v = head.groups()
    return ChainLink(
        int(v), dev.decode(), int(seq), prev.decode(), hlc.decode(), kind.decode(), visit.decode()
    )


def visit_of(body: bytes) -> bytes | None:
    """The visit, taken from the end of the entry; None where only decoding it all can tell."""
    end = body.rfind(WALL)
    if end < 0:
        return None
    if body[end - 1] != 0x22:  # a number, a list or an object stands there: the value, and no visit
        return b""
    start = body.rfind(VISIT, 0, end)
    if start < 0:
        return b""
    visit = body[start + len(VISIT) : end - 1]
    return None if b'"' in visit or b"\\" in visit else visit


def hlc_of(body: bytes) -> str:
    """The hybrid logical clock of an entry."""
    chain_link = link(body)
    return chain_link.hlc if chain_link is not None else ""


def next_line(data: bytes, start: int) -> int:
    """Where the first good line begins at or after `start`, wherever on a line that is; -1 if none does.

    A line that lost its end runs into the next one, so a beginning is looked for everywhere.
    """
    for match in _START.finditer(data, start):
        end = data.find(b"\n", match.end())
        if end < 0:
            return -1
        if body_of(data[match.start() : end]) is not None:
            return match.start()
    return -1

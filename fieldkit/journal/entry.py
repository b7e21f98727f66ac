"""Entries and their bytes: one line each, `crc32 SP canonical-JSON LF`, and the hash that chains them.

The stored bytes are what is hashed; nothing is ever serialised again to be verified.
"""

from __future__ import annotations

import binascii
import hashlib
from typing import Any

import msgspec

from fieldkit.journal.errors import NotStorable
from fieldkit.text import M, nfc

FORMAT = 1
GENESIS = "0" * 64
LARGEST_INTEGER = 2**53 - 1


class Draft(msgspec.Struct, frozen=True):
    """What is to be said; the journal adds when, where and after what.

    kind: "answer", "evidence", … visit, item: what it is about. value: JSON-able, without fractions.
    blob: SHA-256 of an attachment. base: hash of the entry it replaces. who: the person.
    """

    kind: str
    visit: str = ""
    item: str = ""
    value: Any = None
    blob: str = ""
    base: str = ""
    who: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable statement of one device.

    v: format. dev, seq: which device, and its how-manieth entry. prev: hash of the one before.
    hlc: hybrid logical clock, orders entries of several devices. wall: RFC 3339 with offset, for people.
    hash: SHA-256 of the stored JSON, hexadecimal. The others are as in `Draft`.
    """

    v: int
    dev: str
    seq: int
    prev: str
    hlc: str
    wall: str
    kind: str
    who: str = ""
    visit: str = ""
    item: str = ""
    value: Any = None
    blob: str = ""
    base: str = ""
    hash: str = ""

    @property
    def id(self) -> str:
        """Its name across all devices."""
        return f"{self.dev}:{self.seq}"


class Head(msgspec.Struct, frozen=True):
    """The last entry of a device's journal; seq 0 and a hash of zeros before the first."""

    device: str
    seq: int
    hash: str


class Link(msgspec.Struct, frozen=True):
    """What of an entry the chain is checked with."""

    v: int
    dev: str
    seq: int
    prev: str


class Topic(msgspec.Struct, frozen=True):
    """What of an entry it is found by."""

    kind: str
    visit: str = ""


_encoder = msgspec.json.Encoder(order="sorted")
_entries = msgspec.json.Decoder(Entry)
_links = msgspec.json.Decoder(Link)
_topics = msgspec.json.Decoder(Topic)


def canonical(value: Any) -> bytes:
    """The one JSON form of `value`: sorted ASCII keys, composed text, integers within ±(2⁵³−1).

    :raises NotStorable: it has none.
    """
    return _encoder.encode(_plain(value))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return nfc(value)
    if isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            raise NotStorable(M("The number {number} is too large to be stored.", number=str(value)[:40]))
        return value
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str) or not key.isascii():
                raise NotStorable(M("{key} cannot be the name of a value.", key=str(key)[:40]))
        return {key: _plain(each) for key, each in value.items()}
    raise NotStorable(M("A value of type {type} cannot be stored.", type=type(value).__name__))


def encode(draft: Draft, *, dev: str, seq: int, prev: str, hlc: str, wall: str) -> bytes:
    """The canonical JSON of the entry that `draft` becomes; members that say nothing are left out."""
    said = {name: getattr(draft, name) for name in ("visit", "item", "value", "blob", "base", "who")}
    members = {
        "v": FORMAT,
        "dev": dev,
        "seq": seq,
        "prev": prev,
        "hlc": hlc,
        "wall": wall,
        "kind": draft.kind,
    }
    members |= {name: value for name, value in said.items() if value is not None and value != ""}
    return canonical(members)


def decode(body: bytes | memoryview) -> Entry:
    """The entry in its stored JSON; members of later formats are passed over."""
    return msgspec.structs.replace(_entries.decode(body), hash=digest(body))


def link(body: bytes | memoryview) -> Link:
    """The entry's place in the chain."""
    return _links.decode(body)


def topic(body: bytes | memoryview) -> Topic:
    """What the entry is about."""
    return _topics.decode(body)


def digest(body: bytes | memoryview) -> str:
    """The entry's hash."""
    return hashlib.sha256(body).hexdigest()


def line(body: bytes) -> bytes:
    """The entry as it stands in a segment."""
    return b"%08x %b\n" % (binascii.crc32(body), body)


def body_of(line: memoryview | bytes) -> memoryview | None:
    """The JSON in a line without its end, or None if the checksum is not that of the bytes."""
    view = memoryview(line)
    if len(view) < 11 or view[8] != 0x20:
        return None
    try:
        wanted = int(bytes(view[:8]), 16)
    except ValueError:
        return None
    body = view[9:]
    # int() takes "+", "_" and capitals too; only the form that is written may pass
    return body if bytes(view[:8]) == b"%08x" % wanted and binascii.crc32(body) == wanted else None

"""Entries: what is said, its one canonical JSON form, and how an older form is read.

The stored bytes are what is hashed; nothing is ever serialised again to be verified.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import msgspec

from fieldkit.journal.errors import NotStorable
from fieldkit.text import M, Message, nfc

FORMAT = 1
GENESIS = "0" * 64
LARGEST_INTEGER = 2**53 - 1
LARGEST_ENTRY = 64 * 1024 * 1024

TABLE: Final = "table"
"""The kind of entry in which TinyDB's tables keep their changes."""
REPAIR: Final = "repair"
"""The kind of entry by which a person accepted that entries are lost."""

EntryKind = Literal[
    "start", "answer", "evidence", "attempt", "note", "signoff", "record", "amend",
    "sent", "receipt", "repair", "table",
]  # fmt: skip


class KindTraits(msgspec.Struct, frozen=True):
    """What the store and those who read it do with entries of a kind.

    visit: the fold of a visit counts it. held_back: added after a sign-off, it counts from the next amendment
    on. finishing: it ends a visit: the reserve is for it, and after it the head is signed. bookkeeping: it
    alone is no reason to put a bundle, since putting one adds such an entry itself.
    """

    visit: bool = False
    held_back: bool = False
    finishing: bool = False
    bookkeeping: bool = False


KINDS: Mapping[str, KindTraits] = {
    "start": KindTraits(visit=True),
    "answer": KindTraits(visit=True, held_back=True),
    "evidence": KindTraits(visit=True, held_back=True),
    "attempt": KindTraits(visit=True, held_back=True),
    "note": KindTraits(visit=True, held_back=True),
    "signoff": KindTraits(visit=True, finishing=True),
    "record": KindTraits(visit=True, finishing=True),
    "amend": KindTraits(visit=True),
    "sent": KindTraits(finishing=True, bookkeeping=True),
    "receipt": KindTraits(bookkeeping=True),
    REPAIR: KindTraits(),
    TABLE: KindTraits(bookkeeping=True),
}


def traits(kind: str) -> KindTraits:
    """Those of a kind; one of a later release has none, and is kept and passed over."""
    return KINDS.get(kind, KindTraits())


class Draft(msgspec.Struct, frozen=True):
    """What is to be said; the journal adds when, where and after what.

    visit, item: what it is about. value: JSON-able, without fractions.
    blob: SHA-256 of an attachment. base: hash of the entry it replaces. who: the person.
    """

    kind: EntryKind
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


Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: Mapping[int, Upcaster] = {}
"""From the members of an entry of one format to those of the next, by the older one's number.

Stored entries never change; a release that changes the format adds a line here.
"""

_encoder = msgspec.json.Encoder(order="sorted")
_entries = msgspec.json.Decoder(Entry)


def canonical(value: object) -> bytes:
    """The one JSON form of `value`: sorted ASCII keys, composed text, integers within ±(2⁵³−1).

    :raises NotStorable: it has none.
    """
    return _bytes(plain(value))


def plain(value: object) -> object:
    """`value` as it will be read back: text composed, tuples as lists; nothing shared with the caller.

    :raises NotStorable: it has no canonical form.
    """
    try:
        return _plain(value)
    except RecursionError:
        raise NotStorable(M("The value is nested too deeply to be stored.")) from None


def _plain(value: Any) -> object:
    kind = type(value)
    if kind is str:
        return value if value.isascii() else nfc(value)
    if value is None or kind is bool or kind is msgspec.Raw:
        return value
    if kind is dict:
        for key in value:
            if type(key) is not str or not key.isascii():
                shown = str(key)[:40].encode(errors="backslashreplace").decode()
                raise NotStorable(
                    M("`{key}` cannot name a value: names are text of ASCII characters.", key=shown),
                    hint=M("Write the name as text without accents."),
                )
        return {key: _plain(member) for key, member in value.items()}
    if kind is list or kind is tuple:
        return [_plain(member) for member in value]
    if kind is int:
        if not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
            raise NotStorable(M("A number is too large to be stored."), hint=M("Store it as text."))
        return value
    if isinstance(value, str):  # what behaves as one of these is stored as one
        return _plain(str.__str__(value))
    if isinstance(value, int):
        return _plain(int(value))
    if isinstance(value, dict):
        return _plain(dict(value))
    if isinstance(value, list | tuple):
        return _plain(list(value))
    raise NotStorable(M("A value of type {type} cannot be stored.", type=kind.__name__), hint=_instead(value))


def _instead(value: object) -> Message:
    if isinstance(value, bytes | bytearray | memoryview):
        return M("Attach it as a file.")
    if hasattr(value, "as_integer_ratio"):
        return M("Store a fraction as text.")
    return M("Store it as text.")


def _bytes(value: object) -> bytes:
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        raise NotStorable(M("A text holds half a character and cannot be stored.")) from None


def encode(draft: Draft, *, dev: str, seq: int, prev: str, hlc: str, wall: str) -> tuple[bytes, Entry]:
    """The canonical JSON of the entry that `draft` becomes, and the entry; empty members are left out.

    :raises NotStorable: a member has no canonical form, or the whole is too large.
    """
    members: dict[str, Any] = {
        "v": FORMAT,
        "dev": dev,
        "seq": seq,
        "prev": prev,
        "hlc": hlc,
        "wall": wall,
        "kind": draft.kind,
    }
    for name in ("who", "visit", "item", "blob", "base"):
        text = getattr(draft, name)
        if text:
            members[name] = plain(text)
    if draft.value is not None:
        members["value"] = plain(draft.value)
    body = _bytes(members)
    if len(body) > LARGEST_ENTRY:
        raise NotStorable(
            M("The entry is too large to be stored ({size} MB).", size=len(body) // 1_000_000),
            hint=M("Attach it as a file."),
        )
    return body, Entry(**members, hash=digest(body))


def decode(body: bytes, *, newest: int = FORMAT, upcasters: Mapping[int, Upcaster] = UPCASTERS) -> Entry:
    """The entry in its stored JSON, brought to the format `newest` where it is older."""
    entry = _entries.decode(body)
    if entry.v < newest:
        members = msgspec.json.decode(body)
        for version in range(entry.v, newest):
            members = upcasters[version](members)
        entry = msgspec.convert(members, Entry)
    return msgspec.structs.replace(entry, hash=digest(body))


def digest(body: bytes) -> str:
    """The entry's hash."""
    return hashlib.sha256(body).hexdigest()

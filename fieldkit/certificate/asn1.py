"""Enough of BER and DER to tell what a file is before anything is parsed. Values are left to real parsers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

INTEGER, BIT_STRING, OCTET_STRING, OID, SEQUENCE, SET = 0x02, 0x03, 0x04, 0x06, 0x30, 0x31
CONTEXT_0 = 0xA0
CONSTRUCTED = 0x20
DEEPEST = 48

Kind = Literal["pkcs12", "pkcs7", "certificate-like", "encrypted-key", "key", "unknown"]


class MalformedAsn1(ValueError):
    """It is not ASN.1 in a binary encoding, or it ends too early."""


class TLV(msgspec.Struct, frozen=True):
    """One tag with its content. The content of an indefinite length has had its end marker removed."""

    tag: int
    content: bytes
    end: int

    @property
    def constructed(self) -> bool:
        return bool(self.tag & CONSTRUCTED)

    def children(self) -> list[TLV]:
        """The elements inside; empty for a primitive one.

        :raises MalformedAsn1: they do not add up to the content.
        """
        return list(elements(self.content)) if self.constructed else []


def first(data: bytes) -> TLV:
    """The element at the start of `data`.

    :raises MalformedAsn1: there is none.
    """
    tag, start, length = _header(data, 0)
    if length is None:
        body, end = _until_end(data, start, 0)
        return TLV(tag, body, end)
    return TLV(tag, data[start : start + length], start + length)


def elements(data: bytes) -> Iterator[TLV]:
    """The elements that `data` is made of, one after the other.

    :raises MalformedAsn1: something is left over, or cut off.
    """
    offset = 0
    while offset < len(data):
        tag, start, length = _header(data, offset)
        if length is None:
            body, end = _until_end(data, start, 0)
            yield TLV(tag, body, end)
        else:
            end = start + length
            yield TLV(tag, data[start:end], end)
        offset = end


def definite(data: bytes, depth: int = 0) -> bytes:
    """`data` with every length definite and every octet string in one piece, as DER has them.

    :raises MalformedAsn1: it is not BER.
    """
    if depth > DEEPEST:
        raise MalformedAsn1("nested too deeply")
    made = bytearray()
    for element in elements(data):
        if element.tag == OCTET_STRING | CONSTRUCTED:
            body = octets(element, depth)
            made += _encode(OCTET_STRING, body)
        elif element.constructed:
            made += _encode(element.tag, definite(element.content, depth + 1))
        else:
            made += _encode(element.tag, element.content)
    return bytes(made)


def octets(element: TLV, depth: int = 0) -> bytes:
    """The content of an octet string, whole, even where it came in pieces."""
    if depth > DEEPEST:
        raise MalformedAsn1("nested too deeply")
    if not element.constructed:
        return element.content
    return b"".join(octets(piece, depth + 1) for piece in element.children())


def kind(data: bytes) -> Kind:
    """What the element at the start of `data` looks like from its first members."""
    try:
        outer = first(data)
        inside = outer.children() if outer.tag == SEQUENCE else []
        tags = [element.tag for element in inside[:3]]
        inner = [element.tag for element in inside[0].children()[:1]] if tags[:1] == [SEQUENCE] else []
        second = [element.tag for element in inside[1].children()[:1]] if tags[1:2] == [SEQUENCE] else []
    except MalformedAsn1:
        return "unknown"
    if tags[:2] == [INTEGER, SEQUENCE] and inside[0].content == b"\x03" and second == [OID]:
        return "pkcs12"
    if tags[:2] == [OID, CONTEXT_0]:
        return "pkcs7"
    if tags == [SEQUENCE, SEQUENCE, BIT_STRING]:
        return "certificate-like"
    if tags[:2] == [SEQUENCE, OCTET_STRING] and inner == [OID]:
        return "encrypted-key"
    if tags[:1] == [INTEGER] and tags[1:2] in ([SEQUENCE], [INTEGER], [OCTET_STRING]):
        return "key"
    return "unknown"


class DerivationCost(msgspec.Struct, frozen=True):
    """What deriving keys from a password asks of a machine. rounds: of all. memory: at most, in bytes."""

    rounds: int = 0
    memory: int = 0

    def __add__(self, other: DerivationCost) -> DerivationCost:
        return DerivationCost(self.rounds + other.rounds, max(self.memory, other.memory))


def work(data: bytes, depth: int = 0, under: int = 0) -> DerivationCost:
    """The work of every derivation that `data` asks for.

    Every one in use keeps its numbers after its salt, which is the first of its parts, or the second after
    the digest that it is for: SEQUENCE { OCTET STRING, INTEGER, … }. scrypt has three numbers, the others
    at most two.

    :raises MalformedAsn1: it is not ASN.1, so that another parser may see more in it.
    """
    if depth > DEEPEST:
        raise MalformedAsn1("nested too deeply")
    derivation_cost = DerivationCost()
    inside = list(elements(data))
    for at, element in enumerate(inside):
        if element.tag not in (OCTET_STRING, OCTET_STRING | CONSTRUCTED):
            if element.constructed:
                derivation_cost += work(element.content, depth + 1, element.tag)
            continue
        if at == 0 or (at == 1 and inside[0].tag == SEQUENCE):
            derivation_cost += _derivation(inside[at + 1 :])
        content = octets(element)
        if content[:1] == b"\x30":
            try:
                derivation_cost += work(content, depth + 1)
            except MalformedAsn1:
                if under == CONTEXT_0:  # what stands there is read as ASN.1; elsewhere it may be anything
                    raise
    return derivation_cost


def _derivation(after: list[TLV]) -> DerivationCost:
    """What the numbers after a salt ask for."""
    numbers = []
    for element in after:
        if element.tag != INTEGER:
            break
        numbers.append(int.from_bytes(element.content[:16], "big"))
    if len(numbers) < 3:
        return DerivationCost(numbers[0] if numbers else 0)
    cost, block, parallel = numbers[:3]
    return DerivationCost(cost * block * parallel, 128 * cost * block)


def _header(data: bytes, offset: int) -> tuple[int, int, int | None]:
    """Tag, where the content begins, and its length (None: until an end marker)."""
    try:
        tag = data[offset]
        length = data[offset + 1]
    except IndexError:
        raise MalformedAsn1("ends in a tag") from None
    if tag & 0x1F == 0x1F or tag == 0:
        raise MalformedAsn1("a tag that no certificate file has")
    start = offset + 2
    if length == 0x80:
        if not tag & CONSTRUCTED:
            raise MalformedAsn1("a primitive of indefinite length")
        return tag, start, None
    if length & 0x80:
        count = length & 0x7F
        if count > 4:
            raise MalformedAsn1("a length beyond any file")
        length = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + length > len(data):
        raise MalformedAsn1("cut off")
    return tag, start, length


def _until_end(data: bytes, start: int, depth: int) -> tuple[bytes, int]:
    """The content of an element of indefinite length, and where the element ends."""
    if depth > DEEPEST:
        raise MalformedAsn1("nested too deeply")
    offset = start
    while data[offset : offset + 2] != b"\0\0":
        _, inner, length = _header(data, offset)
        offset = _until_end(data, inner, depth + 1)[1] if length is None else inner + length
    return data[start:offset], offset + 2


def _encode(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content

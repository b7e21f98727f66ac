"""The clear part of the files that travel: a line that says what it is, a line of JSON, a signature.

What is signed are the stored bytes; there is one way to write each part, so no byte can differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import BinaryIO, TypeVar

import msgspec

from fieldkit.journal.device import verify
from fieldkit.journal.entry import canonical
from fieldkit.sync.errors import BundleUnreadable
from fieldkit.text import M

LARGEST = 8 * 1024 * 1024  # bytes of JSON
SIGNATURE = re.compile(rb"[0-9a-f]{128}")

Value = TypeVar("Value")


def frame(kind: str, value: object, sign: Callable[[bytes], bytes]) -> bytes:
    """`value` under the heading `kind` ("fieldkit-bundle 1"), signed by `sign` over both."""
    statement = kind.encode() + b"\n" + canonical(msgspec.to_builtins(value)) + b"\n"
    return statement + sign(statement).hex().encode() + b"\n"


class SignedFrame(msgspec.Struct, frozen=True):
    """The clear part of a file. statement: what is signed. size: of all of it, in bytes."""

    json: bytes
    statement: bytes
    signature: bytes
    size: int

    def signed_by(self, key: bytes) -> bool:
        """Whether the holder of the raw Ed25519 public key `key` signed it."""
        return verify(key, self.signature, self.statement)


def unframe(file: BinaryIO, kind: str) -> SignedFrame:
    """Read the clear part; `file` then stands behind it.

    :raises BundleUnreadable: it is none, or of another kind or release.
    """
    heading = kind.encode() + b"\n"
    first = file.readline(64)
    if first != heading:
        name, _, _ = kind.partition(" ")
        if first.startswith(name.encode() + b" ") and first.endswith(b"\n"):
            raise BundleUnreadable(
                M("The file is of a newer form than this release knows."),
                hint=M("Open it with a newer fieldkit."),
            )
        raise _unreadable()
    body = file.readline(LARGEST + 1)
    signature = file.readline(130)
    if not body.endswith(b"\n") or signature[-1:] != b"\n" or not SIGNATURE.fullmatch(signature[:-1]):
        raise _unreadable()
    statement = first + body
    return SignedFrame(
        body[:-1], statement, bytes.fromhex(signature[:-1].decode()), len(statement) + len(signature)
    )


def value_of(unframed: SignedFrame, type: type[Value]) -> Value:
    """The JSON as a value; to be believed only after `signed_by`."""
    try:
        return msgspec.json.decode(unframed.json, type=type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(str(error).splitlines()[0][:200]) from None


def _unreadable(detail: str = "") -> BundleUnreadable:
    return BundleUnreadable(
        M("The file is not one that fieldkit wrote, or its beginning is damaged."),
        unchanged=M("Nothing was taken from it."),
        hint=M("Copy it again from where it came."),
        detail=detail,
    )

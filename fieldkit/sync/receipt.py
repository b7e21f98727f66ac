"""Receipts: head office's signed word that it has a device's entries up to a number, and with which hash."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from io import BytesIO

import msgspec

from fieldkit.errors import FieldkitError
from fieldkit.journal.entry import digest
from fieldkit.journal.store import Store
from fieldkit.sync.errors import JournalForked, ReceiptInvalid
from fieldkit.sync.recipients import identifier
from fieldkit.sync.signed import frame, unframe, value_of
from fieldkit.sync.status import hash_of
from fieldkit.text import M

KIND = "fieldkit-receipt 1"
NAME = re.compile(r"fk1-([0-9a-f]{12})-([1-9][0-9]*)-([0-9a-f]{12})\.fkr")
LARGEST = 64 * 1024  # bytes


class Receipt(msgspec.Struct, frozen=True):
    """Head office has every entry of `device` from 1 to `seq`, and `hash` is that of entry `seq`.

    issued: RFC 3339. hub: short name of the key that signed it.
    """

    device: str
    seq: int
    hash: str
    issued: str
    hub: str


def issue(
    device: str, seq: int, hash: str, issued: str, key: bytes, sign: Callable[[bytes], bytes]
) -> tuple[str, bytes]:
    """A receipt as head office writes it: its file name and its bytes.

    key: the raw Ed25519 public key of `sign`.
    """
    data = frame(KIND, Receipt(device, seq, hash, issued, identifier(key)), sign)
    return f"fk1-{device}-{seq}-{digest(data)[:12]}.fkr", data


def is_for(name: str, device: str) -> bool:
    """Whether a file's name is that of a receipt for `device`."""
    match = NAME.fullmatch(name)
    return match is not None and match[1] == device


def read(data: bytes, hub_keys: Sequence[bytes], store: Store) -> Receipt:
    """The receipt in `data`, signed by one of `hub_keys` and true of the journal in `store`.

    Of an entry that is lost here, head office's signature alone is what there is to go by.

    :raises ReceiptInvalid: it is not. :raises JournalForked: head office has other entries than this journal.
    """
    file = BytesIO(data)
    try:
        unframed = unframe(file, KIND)
        receipt = value_of(unframed, Receipt)
    except FieldkitError as error:
        raise _invalid(error.detail) from None
    signer = next((key for key in hub_keys if unframed.signed_by(key)), None)
    if signer is None or file.read(1):
        raise _invalid()
    if receipt.device != store.device or receipt.hub != identifier(signer) or receipt.seq < 1:
        raise _invalid(receipt.device[:40])
    if receipt.seq > store.head().seq or hash_of(store, receipt.seq) not in (receipt.hash, None):
        raise JournalForked(
            M("Head office has another entry {seq} of this device than this store.", seq=receipt.seq),
            unchanged=M("Nothing was changed."),
            hint=M("This store was copied or brought back from a backup. Ask head office before working on."),
            detail=f"{receipt.device}:{receipt.seq}:{receipt.hash}"[:120],
        )
    return receipt


def _invalid(detail: str = "") -> ReceiptInvalid:
    return ReceiptInvalid(
        M("The receipt was not signed by a head office that is known here, or it was changed."),
        unchanged=M("It was not taken."),
        hint=M("Ask head office for the receipt again; its public key belongs into the folder recipients."),
        detail=detail,
    )

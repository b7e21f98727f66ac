"""What was put where, what head office has confirmed, and what still has to go: computed from the journal."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from fieldkit.journal.store import Store
from fieldkit.sync.carrier import Carrier

BOOKKEEPING = ("sent", "receipt", "table")
"""Kinds of entries that alone are no reason to put a bundle: putting one adds such an entry itself."""


class Sent(msgspec.Struct, frozen=True):
    """A bundle that was put. target: where, as the person called it. wall: when."""

    bundle: str
    first: int
    last: int
    size: int
    target: str
    wall: str


class Status(msgspec.Struct, frozen=True):
    """Where this device's entries are.

    received: head office has all up to this number. sent: every bundle that was put. waiting: those
    without a receipt. here: those of them at the target asked about. pending: entries not at that
    target yet (without a target: not put anywhere), those that only keep such accounts left out.
    last: the newest entry's number.
    """

    received: int
    sent: tuple[Sent, ...]
    waiting: tuple[Sent, ...]
    here: tuple[Sent, ...]
    pending: int
    last: int
    receipts: tuple[str, ...] = ()


def status(store: Store, carrier: Carrier | None = None) -> Status:
    """What is put, what waits for a receipt, and what is not put yet."""
    received, receipts, sent = 0, [], []
    for entry in store.entries():
        if entry.kind == "sent":
            sent.append(msgspec.convert(entry.value | {"wall": entry.wall}, Sent))
        elif entry.kind == "receipt":
            received = max(received, int(entry.value["seq"]))
            receipts.append(entry.blob)
    there = None if carrier is None else {each.name: each.size for each in carrier.list() if each.complete}
    here = tuple(each for each in sent if there is None or there.get(each.bundle) == each.size)
    last = store.head().seq
    return Status(
        received=received,
        sent=tuple(sent),
        waiting=tuple(each for each in sent if each.last > received),
        here=here,
        pending=news(store, covered(received, here) + 1, last),
        last=last,
        receipts=tuple(receipts),
    )


def covered(received: int, bundles: Iterable[Sent]) -> int:
    """How far entries are there without a gap: those confirmed, then bundle by bundle."""
    upto = received
    for each in sorted(bundles, key=lambda bundle: bundle.first):
        if each.first <= upto + 1:
            upto = max(upto, each.last)
    return upto


def news(store: Store, first: int, last: int) -> int:
    """How many entries from `first` to `last` say something of the work."""
    return sum(_kinds.decode(line).kind not in BOOKKEEPING for line in store.lines(first, last))


class _Kind(msgspec.Struct):
    """All that is looked at of an entry here."""

    kind: str


_kinds = msgspec.json.Decoder(_Kind)

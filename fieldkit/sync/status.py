"""What was put where, what head office has confirmed, and what still has to go: computed from the journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from fieldkit.journal.scan import REPAIR
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


class Gap(msgspec.Struct, frozen=True):
    """Entries that are lost, both ends included; the journal goes on after them."""

    first: int
    last: int


class Status(msgspec.Struct, frozen=True):
    """Where this device's entries are.

    received: head office has all up to this number. sent: every bundle that was put. waiting: those
    without a receipt. here: those of them at the target asked about. pending: entries not at that
    target yet (without a target: not put anywhere), those that only keep such accounts left out.
    last: the newest entry's number. gaps: numbers of entries that were lost, and whose loss was accepted.
    """

    received: int
    sent: tuple[Sent, ...]
    waiting: tuple[Sent, ...]
    here: tuple[Sent, ...]
    pending: int
    last: int
    receipts: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()


def status(store: Store, carrier: Carrier | None = None) -> Status:
    """What is put, what waits for a receipt, and what is not put yet."""
    received = 0
    receipts: list[str] = []
    sent: list[Sent] = []
    lost: list[Gap] = []
    for entry in store.entries():
        if entry.kind == "sent":
            sent.append(msgspec.convert(entry.value | {"wall": entry.wall}, Sent))
        elif entry.kind == "receipt":
            received = max(received, int(entry.value["seq"]))
            receipts.append(entry.blob)
        elif entry.kind == REPAIR:
            lost += [Gap(first, last) for first, last, _ in entry.value["holes"] if first <= last]
    there = None if carrier is None else {each.name: each.size for each in carrier.list() if each.complete}
    here = tuple(each for each in sent if there is None or there.get(each.bundle) == each.size)
    last = store.head().seq
    gaps = tuple(sorted(lost, key=lambda gap: gap.first))
    return Status(
        received=received,
        sent=tuple(sent),
        waiting=tuple(each for each in sent if each.last > received),
        here=here,
        pending=news(store, covered(received, here, gaps) + 1, last, gaps),
        last=last,
        receipts=tuple(receipts),
        gaps=gaps,
    )


def covered(received: int, bundles: Iterable[Sent], gaps: Iterable[Gap] = ()) -> int:
    """How far entries are there: those confirmed, then bundle by bundle; what is lost here is passed over."""
    upto = received
    spans = [(each.first, each.last) for each in bundles] + [(each.first, each.last) for each in gaps]
    for first, last in sorted(spans):
        if first <= upto + 1:
            upto = max(upto, last)
    return upto


def runs(first: int, last: int, gaps: Iterable[Gap]) -> Iterator[tuple[int, int]]:
    """The ranges between `first` and `last` that are not lost."""
    for gap in sorted(gaps, key=lambda each: each.first):
        if first < gap.first <= last:
            yield first, gap.first - 1
        first = max(first, gap.last + 1)
    if first <= last:
        yield first, last


def news(store: Store, first: int, last: int, gaps: Iterable[Gap] = ()) -> int:
    """How many entries from `first` to `last` say something of the work."""
    return sum(
        _kinds.decode(line).kind not in BOOKKEEPING
        for start, end in runs(first, last, gaps)
        for line in store.lines(start, end)
    )


class _Kind(msgspec.Struct):
    """All that is looked at of an entry here."""

    kind: str


_kinds = msgspec.json.Decoder(_Kind)

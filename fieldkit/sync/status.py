"""What was put where, what head office has confirmed, and what still has to go: computed from the journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import msgspec

from fieldkit.errors import FieldkitError
from fieldkit.journal.entry import GENESIS, REPAIR, decode, digest, traits
from fieldkit.journal.errors import StoreDamaged
from fieldkit.journal.store import Store
from fieldkit.sync import bundle, opening
from fieldkit.sync.carrier import Carrier, sha256_at
from fieldkit.sync.errors import JournalForked, TargetMissing
from fieldkit.text import M


class SentBundle(msgspec.Struct, frozen=True):
    """A bundle that was put. target: where. wall: when. mounted: on another file system than the root's."""

    bundle: str
    first: int
    last: int
    size: int
    target: str
    wall: str
    mounted: bool = False


class Gap(msgspec.Struct, frozen=True):
    """Entries that are lost here, both ends included; the journal goes on after them."""

    first: int
    last: int


class SyncStatus(msgspec.Struct, frozen=True):
    """Where this device's entries are.

    received: head office has all up to this number. sent: every bundle that was put. waiting: those without
    a receipt, of several with the same entries the last. here: those of them at the target asked about, as
    they were put. damaged: those there that are not, and are missed. forked: bundles there that this device's
    key signed and this journal did not write. pending: entries not at that target yet (without a target: not
    put anywhere), those that only keep such accounts left out. last: the newest entry's number. gaps: numbers
    of entries that were lost, and whose loss was accepted.
    """

    received: int
    sent: tuple[SentBundle, ...]
    waiting: tuple[SentBundle, ...]
    here: tuple[SentBundle, ...]
    pending: int
    last: int
    receipts: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()
    damaged: tuple[SentBundle, ...] = ()
    forked: tuple[str, ...] = ()


def status(store: Store, carrier: Carrier | None = None) -> SyncStatus:
    """What is put, what waits for a receipt, and what is not put yet."""
    received = 0
    receipts: list[str] = []
    sent: list[SentBundle] = []
    lost: list[Gap] = []
    for entry in store.entries():
        if entry.kind == "sent":
            sent.append(msgspec.convert(entry.value | {"wall": entry.wall}, SentBundle))
        elif entry.kind == "receipt":
            received = max(received, int(entry.value["seq"]))
            receipts.append(entry.blob)
        elif entry.kind == REPAIR:
            lost += [gap for first, last, _ in entry.value["holes"] for gap in _lost(store, first, last)]
    last = store.head().seq
    gaps = tuple(sorted(lost, key=lambda gap: gap.first))
    here = tuple(sent)
    changed: tuple[SentBundle, ...] = ()
    forked: tuple[str, ...] = ()
    if carrier is not None:
        check_mounted(carrier, sent)
        there = {stored.name: stored.size for stored in carrier.list() if stored.complete}
        whole = {name for name in there if _as_put(carrier, name, there[name], sent, received)}
        here = tuple(sent_bundle for sent_bundle in sent if sent_bundle.bundle in whole)
        changed = tuple(sent_bundle for sent_bundle in sent if sent_bundle.bundle in there.keys() - whole)
        known = {sent_bundle.bundle for sent_bundle in sent}
        forked = tuple(name for name in sorted(there.keys() - known) if _is_foreign(store, carrier, name))
    upto = covered(received, here, gaps)
    return SyncStatus(
        received=received,
        sent=tuple(sent),
        waiting=_waiting(sent, received),
        here=here,
        pending=news(store, upto + 1, last, gaps),
        last=last,
        receipts=tuple(receipts),
        gaps=gaps,
        damaged=tuple(
            {sent_bundle.bundle: sent_bundle for sent_bundle in changed if sent_bundle.last > upto}.values()
        ),
        forked=forked,
    )


def _lost(store: Store, first: int, last: int) -> Iterator[Gap]:
    """What of a loss that was accepted is still so: an entry may have come back since."""
    for lost, run in groupby(range(first, last + 1), key=store.is_lost):
        if lost:
            numbers = list(run)
            yield Gap(numbers[0], numbers[-1])


def check_mounted(carrier: Carrier, sent: Iterable[SentBundle]) -> None:
    """Raise where a target that was a stick or a share is now a folder of this machine's own disk."""
    if not carrier.mounted and any(
        sent_bundle.mounted and sent_bundle.target == carrier.label for sent_bundle in sent
    ):
        raise TargetMissing(
            M("{target} was a stick or a share, and nothing is mounted there now.", target=carrier.label),
            unchanged=M("What was saved here is still there. Nothing was put."),
            hint=M("Plug the stick in, wait until it shows, check the path, then push again."),
        )


def check_fork(now: SyncStatus, carrier: Carrier) -> None:
    """Raise where the target has other entries of this device than this journal."""
    if now.forked:
        raise JournalForked(
            M(
                "At {target} there are entries of this device that this store never wrote.",
                target=carrier.label,
            ),
            unchanged=M("Nothing was put, and nothing there was changed."),
            hint=M("This store was copied or brought back from a backup. Ask head office before working on."),
            detail="\n".join(now.forked),
            bundles=list(now.forked),
        )


def hash_of(store: Store, seq: int) -> str | None:
    """The hash of an entry, by itself or by the one that follows it; None where both are lost."""
    try:
        return digest(next(store.lines(seq, seq)))
    except (StoreDamaged, StopIteration):
        pass
    try:
        return decode(next(store.lines(seq + 1, seq + 1))).prev
    except (StoreDamaged, StopIteration):
        return None


def _as_put(carrier: Carrier, name: str, size: int, sent: Iterable[SentBundle], received: int) -> bool:
    """A bundle is at the target as it was put; those that head office has need not be read for it."""
    put = [sent_bundle for sent_bundle in sent if sent_bundle.bundle == name]
    known = bundle.named(name)
    if known is None or size not in {sent_bundle.size for sent_bundle in put}:
        return False
    return known.last <= received or sha256_at(carrier, name).startswith(known.sha12)


def _is_foreign(store: Store, carrier: Carrier, name: str) -> bool:
    """A bundle at the target is signed by this device's key, and has other entries than this journal."""
    known = bundle.named(name)
    if known is None or known.device != store.device:
        return False
    try:
        header = opening.header_in(carrier.get(name), store.public_key)
    except FieldkitError:  # damaged, or made by somebody else: no entry of this device
        return False
    ends = ((header.last, header.hash), (header.first - 1, header.prev))
    own = [(hash_of(store, seq) if seq else GENESIS, hash) for seq, hash in ends]
    return header.last > store.head().seq or any(one not in (None, other) for one, other in own)


def _waiting(sent: Iterable[SentBundle], received: int) -> tuple[SentBundle, ...]:
    """Of bundles whose entries are all in another one too, only the other; of equal ones the last put."""
    waiting = [sent_bundle for sent_bundle in sent if sent_bundle.last > received]
    return tuple(
        sent_bundle
        for at, sent_bundle in enumerate(waiting)
        if not any(
            other.first <= sent_bundle.first
            and sent_bundle.last <= other.last
            and ((other.first, other.last) != (sent_bundle.first, sent_bundle.last) or number > at)
            for number, other in enumerate(waiting)
            if number != at
        )
    )


def covered(received: int, bundles: Iterable[SentBundle], gaps: Iterable[Gap] = ()) -> int:
    """How far entries are there: those confirmed, then bundle by bundle; what is lost here is passed over."""
    upto = received
    spans = [(sent_bundle.first, sent_bundle.last) for sent_bundle in bundles] + [
        (gap.first, gap.last) for gap in gaps
    ]
    for first, last in sorted(spans):
        if first <= upto + 1:
            upto = max(upto, last)
    return upto


def runs(first: int, last: int, gaps: Iterable[Gap]) -> Iterator[tuple[int, int]]:
    """The ranges between `first` and `last` that are not lost."""
    for gap in sorted(gaps, key=lambda gap: gap.first):
        if first < gap.first <= last:
            yield first, gap.first - 1
        first = max(first, gap.last + 1)
    if first <= last:
        yield first, last


def news(store: Store, first: int, last: int, gaps: Iterable[Gap] = ()) -> int:
    """How many entries from `first` to `last` say something of the work."""
    return sum(
        not traits(_kinds.decode(line).kind).bookkeeping
        for start, end in runs(first, last, gaps)
        for line in store.lines(start, end)
    )


class _Kind(msgspec.Struct):
    """All that is looked at of an entry here."""

    kind: str


_kinds = msgspec.json.Decoder(_Kind)

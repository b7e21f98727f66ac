"""Put what a target does not have yet into bundles there, and note in the journal what was put.

A bundle that was broken off is kept and gone on with; the same thing twice changes nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from fieldkit.errors import FieldkitError
from fieldkit.home import Home
from fieldkit.journal.entry import Draft, decode
from fieldkit.journal.errors import StoreReadOnly
from fieldkit.journal.store import Store
from fieldkit.operator import Operator, Plan, Progress, Question, must_agree
from fieldkit.sync import bundle, opening
from fieldkit.sync.carrier import Carrier, sha256_at
from fieldkit.sync.errors import TargetDamaged
from fieldkit.sync.recipients import checked, identifier, load
from fieldkit.sync.status import Gap, SentBundle, check_fork, covered, hash_of, news, runs, status
from fieldkit.sync.target import carrier as carrier_of
from fieldkit.text import M, Message, Said

LARGEST_BODY = 1 << 30  # bytes of entries and attachments in one bundle, so that any file system takes it
OUTBOX = "outbox"
CHUNK = 1 << 20

Tell = Callable[[Progress], None]


class PushResult(msgspec.Struct, frozen=True):
    """What a push did. bundle: the (last) file that was put, "" when the target had everything already.

    first, last: the entries in it. waiting: everything put so far, here or elsewhere, without a receipt.
    missing: attachments that entries name and that are damaged or gone here. damaged: bundles that were no
    longer there as they were put, and whose entries were put again. lost: entries that are lost here.
    """

    bundle: str
    first: int
    last: int
    waiting: tuple[SentBundle, ...]
    bundles: tuple[str, ...] = ()
    size: int = 0
    missing: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    lost: tuple[Gap, ...] = ()


def announce(store: Store, carrier: Carrier, recipients: Sequence[str]) -> Plan | None:
    """What a push would put there, for a person to agree to; None when the target has everything.

    :raises JournalForked: other entries of this device are there.
    """
    now = status(store, carrier)
    check_fork(now, carrier)
    if not now.pending:
        return None
    first = covered(now.received, now.here, now.gaps) + 1
    more: list[Said] = [
        M("{name} is damaged there: its entries are put again.", name=damaged.bundle)
        for damaged in now.damaged
    ]
    more += [lost_words(gap) for gap in now.gaps if gap.last >= first]
    if not carrier.mounted and os.name != "nt":  # a drive of Windows that is not plugged in has no path
        more.append(M("This folder is on this computer's own disk, not on a stick or share."))
    return Plan(
        title=M("Put this device's work into {target} for head office", target=carrier.label),
        steps=(
            M("Entries {first} to {last} of the journal, with their attachments", first=first, last=now.last),
            M("Encrypted to {count} recipients and signed by this device", count=len(checked(recipients))),
            *more,
        ),
        keeps=M("Everything stays here too, until head office's receipt has arrived."),
    )


def lost_words(gap: Gap) -> Message:
    """That entries are lost here."""
    if gap.first == gap.last:
        return M("Entry {first} is lost here, and cannot be put.", first=gap.first)
    return M(
        "The entries {first} to {last} are lost here, and cannot be put.", first=gap.first, last=gap.last
    )


async def push_agreed(
    store: Store, carrier: Carrier, recipients: Sequence[str], operator: Operator
) -> PushResult:
    """Show the person what would be put, and put it if they agree; see `push`.

    :raises NotConsented: the target is as it was.
    """
    plan = await asyncio.to_thread(announce, store, carrier, recipients)
    if plan is not None:
        refused = M("Nothing was put: not agreed to.")
        await must_agree(operator, plan, refused, M("The target is as it was."))
    return await asyncio.to_thread(push, store, carrier, recipients, progress=operator.progress)


async def push_asked(store: Store, home: Home, operator: Operator) -> PushResult:
    """Ask for the folder, the one of the last bundle unless another is said, then as `push_agreed`."""
    recipients = await asyncio.to_thread(load, home)
    sent = (await asyncio.to_thread(status, store)).sent
    target = await operator.ask(
        Question(
            "target",
            M("Into which folder? A USB stick, a share."),
            default=sent[-1].target if sent else "",
            path=True,
        )
    )
    return await push_agreed(store, carrier_of(target), recipients, operator)


def push(
    store: Store, carrier: Carrier, recipients: Sequence[str], *, progress: Tell | None = None
) -> PushResult:
    """Put every entry that the target has not into bundles there, from the last receipt on.

    recipients: age public keys, at least two.

    :raises StoreReadOnly: what was put could not be noted. :raises TargetMissing, TargetFull: as said.
    :raises JournalForked: other entries of this device are there.
    """
    tell = progress or (lambda _: None)
    keys = checked(recipients)
    if store.read_only is not None:
        raise StoreReadOnly(store.read_only, unchanged=M("Nothing was put."))
    before = status(store, carrier)
    check_fork(before, carrier)
    at = covered(before.received, before.here, before.gaps) + 1
    outbox = store.folder / OUTBOX
    made: list[bundle.BuiltBundle] = []
    while news(store, at, before.last, before.gaps):
        at, end = next(runs(at, before.last, before.gaps))
        ready = _left_over(store, outbox, at, keys) or bundle.make(
            store, at, _until(store, at, end), keys, outbox, tell
        )
        deliver(carrier, ready, tell)
        _note(store, carrier, ready)
        ready.path.unlink(missing_ok=True)
        made.append(ready)
        at = ready.header.last + 1
    after = status(store)
    if not made:
        return PushResult("", 0, 0, after.waiting, lost=after.gaps)
    return PushResult(
        bundle=made[-1].name,
        first=made[-1].header.first,
        last=made[-1].header.last,
        waiting=after.waiting,
        bundles=tuple(built_bundle.name for built_bundle in made),
        size=sum(built_bundle.size for built_bundle in made),
        missing=tuple(sha256 for built_bundle in made for sha256 in built_bundle.header.missing),
        damaged=tuple(sent.bundle for sent in before.damaged),
        lost=after.gaps,
    )


def deliver(carrier: Carrier, made: bundle.BuiltBundle, tell: Tell) -> None:
    """Put one bundle, going on where an earlier attempt was broken off."""
    there = {(target_file.name, target_file.complete): target_file.size for target_file in carrier.list()}
    if there.get((made.name, True)) == made.size and sha256_at(carrier, made.name) == made.sha256:
        return
    begun = there.get((made.name, False), 0)
    offset = begun if begun <= made.size else 0
    try:
        carrier.put(made.name, offset, _chunks(made, offset, tell), made.size, made.sha256)
    except TargetDamaged:
        if offset == 0:
            raise
        carrier.put(made.name, 0, _chunks(made, 0, tell), made.size, made.sha256)


def _chunks(made: bundle.BuiltBundle, offset: int, tell: Tell) -> Iterator[bytes]:
    done = offset
    with made.path.open("rb") as file:
        file.seek(offset)
        while chunk := file.read(CHUNK):
            tell(Progress(M("Putting {name}", name=made.name), done, made.size))
            yield chunk
            done += len(chunk)
    tell(Progress(M("Reading back {name}", name=made.name), done, made.size))


def _note(store: Store, carrier: Carrier, made: bundle.BuiltBundle) -> None:
    store.append(
        Draft(
            kind="sent",
            value={
                "bundle": made.name,
                "first": made.header.first,
                "last": made.header.last,
                "size": made.size,
                "target": carrier.label,
                "mounted": carrier.mounted,
            },
        )
    )


def _until(store: Store, first: int, last: int) -> int:
    """The last entry of the bundle that begins at `first`: as many as its size allows, at least one."""
    size = entries = 0
    for seq, line in enumerate(store.lines(first, last), first):
        entry = decode(line)
        entries += len(line) + 1
        attachments = set[str]().union(*bundle.references(entry.value, entry.blob))
        size += len(line) + sum(_size(store.attachment_path(sha256)) for sha256 in attachments)
        if (size > LARGEST_BODY or entries > opening.LARGEST_ENTRIES) and seq > first:
            return seq - 1
    return last


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _left_over(store: Store, outbox: Path, first: int, keys: Sequence[str]) -> bundle.BuiltBundle | None:
    """A bundle that an earlier push made and could not put, if it still is what would be made; others go."""
    if not outbox.is_dir():
        return None
    built_bundle = None
    wanted = tuple(sorted(map(identifier, keys)))
    for path in sorted(outbox.iterdir()):
        made = _made(path)
        if (
            built_bundle is None
            and made is not None
            and (made.header.device, made.header.first) == (store.device, first)
            and made.header.recipients == wanted
            and made.header.last <= store.head().seq
            and made.header.hash == hash_of(store, made.header.last)
        ):
            built_bundle = made
        elif not path.is_dir() or path.is_symlink():
            path.unlink(missing_ok=True)
    return built_bundle


def _made(path: Path) -> bundle.BuiltBundle | None:
    """The bundle in a file of the outbox, if it is whole."""
    known = bundle.named(path.name)
    if known is None:
        return None
    try:
        header = opening.read_header(path)
    except FieldkitError:
        return None
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if not sha256.startswith(known.sha12):
        return None
    return bundle.BuiltBundle(path, header, sha256, path.stat().st_size)

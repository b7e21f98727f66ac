"""What a person is told of bundles, by commands and screens alike: what was put, what waits, what is lost."""

from __future__ import annotations

from collections.abc import Sequence

from fieldkit.sync.push import PushResult, lost_words
from fieldkit.sync.status import SentBundle, SyncStatus
from fieldkit.text import M, Said


def pushed(result: PushResult) -> list[Said | str]:
    """What a push did, and what still waits."""
    lines: list[Said | str] = [M("Put: {name}", name=name) for name in result.bundles]
    if result.bundles:
        lines.append(M("Head office gets the entries up to {last}.", last=result.last))
    else:
        lines.append(M("Nothing new: the target has everything already."))
    lines += [M("Damaged there, so its entries were put again: {name}", name=name) for name in result.damaged]
    lines += map(lost_words, result.lost)
    if result.missing:
        count = len(result.missing)
        lines.append(M("Attachments that are damaged or gone here and were not put: {count}.", count=count))
    return [*lines, *waiting(result.waiting)]


def sync_status(now: SyncStatus, target: str = "") -> list[Said | str]:
    """Where this device's entries are, and what is wrong at `target`, if one was asked about."""
    lines: list[Said | str] = []
    if now.forked:
        lines += [
            M("At {target} there are entries of this device that this store never wrote.", target=target),
            *(f"  {name}" for name in now.forked),
            M("This store was copied or brought back from a backup. Ask head office before working on."),
        ]
    if now.damaged:
        lines += [
            M("Damaged at {target}: {name}", target=target, name=bundle.bundle) for bundle in now.damaged
        ]
        lines.append(M("`fieldkit sync push` puts their entries there again."))
    return [
        *lines,
        *map(lost_words, now.gaps),
        M("Entries not put yet: {count}.", count=now.pending),
        M("Head office has every entry up to {seq}.", seq=now.received)
        if now.received
        else M("No receipt from head office yet."),
        *waiting(now.waiting),
    ]


def waiting(bundles: Sequence[SentBundle]) -> list[Said | str]:
    """The bundles that head office has not confirmed."""
    if not bundles:
        return [M("Nothing waits for a receipt.")]
    return [
        M("Waiting for a receipt from head office: {count}", count=len(bundles)),
        *(
            M(
                "{bundle}, put {when} into {target}",
                bundle=sent.bundle,
                when=sent.wall[:16],
                target=sent.target,
            )
            for sent in bundles
        ),
    ]

"""`fieldkit sync`: put bundles for head office, fetch receipts, see what waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from fieldkit.cli.frame import Call, Reply, noun
from fieldkit.text import M, Said

if TYPE_CHECKING:
    from fieldkit.sync.status import Gap, SentBundle

sync = noun("sync", M("Send this device's work to head office, and see what arrived."))


@sync.verb("push", M("Put what the target does not have yet, encrypted, into bundles there."))
@click.argument("target")
def push(call: Call, target: str) -> Reply:
    from fieldkit.sync.push import lost_words, push_agreed
    from fieldkit.sync.recipients import load
    from fieldkit.sync.target import carrier

    way = carrier(target)
    recipients = load(call.home)
    with call.store() as store:
        done = asyncio.run(push_agreed(store, way, recipients, call.console()))
    lines: list[str | Said] = []
    if done.bundles:
        lines += [M("Put: {name}", name=name) for name in done.bundles]
        lines.append(M("Head office gets the entries up to {last}.", last=done.last))
    else:
        lines.append(M("Nothing new: the target has everything already."))
    lines += [M("Damaged there, so its entries were put again: {name}", name=name) for name in done.damaged]
    lines += map(lost_words, done.lost)
    if done.missing:
        lines.append(
            M("Attachments that are damaged or gone here and were not put: {count}.", count=len(done.missing))
        )
    result = {
        "bundle": done.bundle,
        "bundles": done.bundles,
        "first": done.first,
        "last": done.last,
        "size": done.size,
        "missing": done.missing,
        "damaged": done.damaged,
        "lost": [_range(gap) for gap in done.lost],
        "waiting": [shape(bundle) for bundle in done.waiting],
    }
    return Reply(result, [*lines, *_waiting(done.waiting)])


@sync.verb("pull", M("Fetch head office's receipts from the target."))
@click.argument("target")
def pull(call: Call, target: str) -> Reply:
    from fieldkit.sync.pull import pull as fetch
    from fieldkit.sync.recipients import hub_keys
    from fieldkit.sync.target import carrier

    way = carrier(target)
    keys = hub_keys(call.home)
    with call.store() as store:
        done = fetch(store, way, keys)
    lines: list[str | Said] = [M("Receipts taken: {count}.", count=len(done.taken))]
    lines += [
        M("Not taken: {name}. {reason}", name=refused_receipt.name, reason=str(refused_receipt.reason))
        for refused_receipt in done.refused
    ]
    lines += [
        M("Entry {seq} is lost here: only head office's signature says that it has it.", seq=seq)
        for seq in done.unproved
    ]
    if done.received:
        lines.append(M("Head office has every entry up to {seq}.", seq=done.received))
    result = {
        "taken": [
            {"seq": receipt.seq, "hash": receipt.hash, "issued": receipt.issued} for receipt in done.taken
        ],
        "refused": [
            {"name": refused_receipt.name, "reason": str(refused_receipt.reason)}
            for refused_receipt in done.refused
        ],
        "received": done.received,
        "unproved": done.unproved,
        "waiting": [shape(bundle) for bundle in done.waiting],
    }
    return Reply(result, [*lines, *_waiting(done.waiting)], good=not done.refused)


@sync.verb("status", M("What was put, what waits for a receipt, what is not at the target yet."))
@click.argument("target", default="")
def status(call: Call, target: str) -> Reply:
    from fieldkit.sync.push import lost_words
    from fieldkit.sync.status import status as look
    from fieldkit.sync.target import carrier

    with call.store() as store:
        now = look(store, carrier(target) if target else None)
    lines: list[str | Said] = []
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
    lines += map(lost_words, now.gaps)
    lines += [
        M("Entries not put yet: {count}.", count=now.pending),
        M("Head office has every entry up to {seq}.", seq=now.received)
        if now.received
        else M("No receipt from head office yet."),
    ]
    result = {
        "received": now.received,
        "last": now.last,
        "pending": now.pending,
        "sent": [shape(bundle) for bundle in now.sent],
        "waiting": [shape(bundle) for bundle in now.waiting],
        "here": [bundle.bundle for bundle in now.here],
        "damaged": [shape(bundle) for bundle in now.damaged],
        "forked": now.forked,
        "lost": [_range(gap) for gap in now.gaps],
    }
    return Reply(result, [*lines, *_waiting(now.waiting)], good=not now.damaged and not now.forked)


def _range(gap: Gap) -> dict[str, int]:
    return {"first": gap.first, "last": gap.last}


def shape(sent: SentBundle) -> dict[str, Any]:
    """The JSON shape of a bundle that was put."""
    return {
        "bundle": sent.bundle,
        "first": sent.first,
        "last": sent.last,
        "size": sent.size,
        "target": sent.target,
        "put": sent.wall,
    }


def _waiting(waiting: Sequence[SentBundle]) -> list[str | Said]:
    if not waiting:
        return [M("Nothing waits for a receipt.")]
    lines: list[str | Said] = [M("Waiting for a receipt from head office: {count}", count=len(waiting))]
    return lines + [f"  {bundle.bundle}  {bundle.wall}  {bundle.target}" for bundle in waiting]

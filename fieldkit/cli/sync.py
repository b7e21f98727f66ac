"""`fieldkit sync`: put bundles for head office, fetch receipts, see what waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from fieldkit.cli import completion
from fieldkit.cli.frame import Call, Reply, noun
from fieldkit.cli.output import Data, data, fields
from fieldkit.text import M, Said

if TYPE_CHECKING:
    from fieldkit.sync.status import SentBundle

sync = noun("sync", M("Send this device's work to head office, and see what arrived."))


@sync.verb("push", M("Put what the target does not have yet, encrypted, into bundles there."))
@click.argument("target", shell_complete=completion.files)
def push(call: Call, target: str) -> Reply:
    from fieldkit.sync import messages
    from fieldkit.sync.push import push_agreed
    from fieldkit.sync.recipients import load
    from fieldkit.sync.target import carrier

    way = carrier(target)
    recipients = load(call.home)
    with call.store() as store:
        pushed = asyncio.run(push_agreed(store, way, recipients, call.console()))
    return Reply(data(pushed) | {"waiting": _bundles(pushed.waiting)}, messages.pushed(pushed))


@sync.verb("pull", M("Fetch head office's receipts from the target."))
@click.argument("target", shell_complete=completion.files)
def pull(call: Call, target: str) -> Reply:
    from fieldkit.sync import messages
    from fieldkit.sync.pull import pull as fetch
    from fieldkit.sync.recipients import hub_keys
    from fieldkit.sync.target import carrier

    way = carrier(target)
    keys = hub_keys(call.home)
    with call.store() as store:
        pulled = fetch(store, way, keys)
    lines: list[str | Said] = [M("Receipts taken: {count}.", count=len(pulled.taken))]
    lines += [
        M("Not taken: {name}. {reason}", name=refused.name, reason=str(refused.reason))
        for refused in pulled.refused
    ]
    lines += [
        M("Entry {seq} is lost here: only head office's signature says that it has it.", seq=seq)
        for seq in pulled.unproved
    ]
    if pulled.received:
        lines.append(M("Head office has every entry up to {seq}.", seq=pulled.received))
    result = data(pulled) | {
        "taken": [fields(receipt, "seq", "hash", "issued") for receipt in pulled.taken],
        "waiting": _bundles(pulled.waiting),
    }
    return Reply(result, [*lines, *messages.waiting(pulled.waiting)], good=not pulled.refused)


@sync.verb("status", M("What was put, what waits for a receipt, what is not at the target yet."))
@click.argument("target", default="", shell_complete=completion.files)
def status(call: Call, target: str) -> Reply:
    from fieldkit.sync import messages
    from fieldkit.sync.status import status as state_of
    from fieldkit.sync.target import carrier

    with call.store() as store:
        now = state_of(store, carrier(target) if target else None)
    result = data(now, "receipts", "gaps") | {
        "sent": _bundles(now.sent),
        "waiting": _bundles(now.waiting),
        "here": [bundle.bundle for bundle in now.here],
        "damaged": _bundles(now.damaged),
        "lost": [data(gap) for gap in now.gaps],
    }
    return Reply(result, messages.sync_status(now, target), good=not now.damaged and not now.forked)


def _bundles(sent: Sequence[SentBundle]) -> list[Data]:
    """Bundles that were put; their keys are part of the command line's contract."""
    return [data(bundle, "wall", "mounted") | {"put": bundle.wall} for bundle in sent]

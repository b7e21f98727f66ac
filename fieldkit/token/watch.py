"""Which tokens come and go, by asking again and again: modules' own event calls block, or crash."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from fieldkit.errors import Internal
from fieldkit.finding import Finding
from fieldkit.text import M
from fieldkit.token.agents import Agents, Listing
from fieldkit.token.model import Token

INTERVAL = 0.4  # seconds between listings: a change shows within one
STOPPING = 0.1  # seconds until it is noticed that nobody wants to know any more


class Change(msgspec.Struct, frozen=True):
    """A token came, went, or is not what it was (its PIN's state, its label)."""

    kind: Literal["inserted", "removed", "changed"]
    token: Token


def watch(
    agents: Agents,
    *,
    stop: threading.Event | None = None,
    interval: float = INTERVAL,
    known: tuple[Token, ...] = (),
) -> Iterator[Change]:
    """Changes as they happen, beginning with the tokens that are there; until `stop` is set.

    A module that hangs does not hold up the others, and one that could not be asked has not lost its tokens.
    """
    stop = stop or threading.Event()
    seen = {_identity(token): token for token in known}
    latest: dict[str, Listing] = {}
    asking: set[str] = set()
    answers: queue.SimpleQueue[Listing] = queue.SimpleQueue()

    def ask(module: str) -> None:
        listing = Listing(
            module, problem=Internal(M("The module {module} could not be asked.", module=module))
        )
        try:
            listing = agents.listing(module)
        finally:
            answers.put(listing)

    while not stop.is_set():
        for module in agents.modules:
            if module not in asking:
                asking.add(module)
                threading.Thread(target=ask, args=(module,), daemon=True).start()
        end = time.monotonic() + interval
        while not stop.is_set() and (left := end - time.monotonic()) > 0:
            try:
                answer = answers.get(timeout=min(left, STOPPING))
            except queue.Empty:
                continue
            asking.discard(answer.module)
            before = latest.get(answer.module)
            if answer.problem is not None and before is not None:
                answer = msgspec.structs.replace(answer, tokens=before.tokens)
            latest[answer.module] = answer
            now = {_identity(token): token for token in agents.merged(tuple(latest.values()))}
            if known and not latest.keys() >= set(agents.modules):
                continue  # what was known is not gone before everybody was asked
            yield from compare(seen, now)
            seen = now


def compare(
    before: dict[tuple[object, ...], Token], after: dict[tuple[object, ...], Token]
) -> Iterator[Change]:
    """What happened between two listings, removals first."""
    for identity, token in before.items():
        if identity not in after:
            yield Change("removed", token)
    for identity, token in after.items():
        if identity not in before:
            yield Change("inserted", token)
        elif _shape(token) != _shape(before[identity]):
            yield Change("changed", token)


def wait_for(
    agents: Agents,
    fits: Callable[[Token], bool],
    *,
    stop: threading.Event,
    interval: float = INTERVAL,
) -> Token | None:
    """The first token that fits, there or coming; None once `stop` is set."""
    for change in watch(agents, stop=stop, interval=interval):
        if change.kind != "removed" and fits(change.token):
            return change.token
    return None


def finding_of(change: Change) -> Finding:
    """A change as a person is told of it."""
    token = change.token
    if not token.serial:
        empty = {
            "inserted": M(
                "Empty token plugged in: {model}, slot {slot}.", model=token.model, slot=token.slot
            ),
            "removed": M("Empty token pulled out: {model}, slot {slot}.", model=token.model, slot=token.slot),
            "changed": M("Token changed: {model}, slot {slot}.", model=token.model, slot=token.slot),
        }
        return Finding(f"token-{change.kind}", "info", empty[change.kind])
    messages = {
        "inserted": M(
            "Token plugged in: {token}, serial number {serial}.", token=token.name, serial=token.serial
        ),
        "removed": M(
            "Token pulled out: {token}, serial number {serial}.", token=token.name, serial=token.serial
        ),
        "changed": M(
            "Token changed: {token}, serial number {serial}.", token=token.name, serial=token.serial
        ),
    }
    return Finding(f"token-{change.kind}", "info", messages[change.kind], token.serial)


def _identity(token: Token) -> tuple[object, ...]:
    if token.raw_serial:
        return (token.raw_serial, token.raw_label)
    return (token.module, token.slot)


def _shape(token: Token) -> tuple[object, ...]:
    return (token.pin_state, token.so_pin_state, token.initialized, token.raw_label)

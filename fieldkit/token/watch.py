"""Which tokens come and go, by asking again and again: modules' own event calls block, or crash."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from fieldkit.token.agents import Agents
from fieldkit.token.model import Token

INTERVAL = 0.4  # seconds between listings: a change shows within one


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

    A module that could not be asked this time has not lost its tokens.
    """
    stop = stop or threading.Event()
    seen = {_identity(token): token for token in known}
    while not stop.is_set():
        found = agents.tokens(mechanisms=False)
        silent = {str(problem.data.get("module", "")) for problem in agents.problems}
        now = {_identity(token): token for token in found}
        now |= {
            identity: token
            for identity, token in seen.items()
            if identity not in now and token.module in silent
        }
        yield from compare(seen, now)
        seen = now
        stop.wait(interval)


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


def _identity(token: Token) -> tuple[object, ...]:
    if token.raw_serial:
        return (token.raw_serial, token.raw_label)
    return (token.module, token.slot)


def _shape(token: Token) -> tuple[object, ...]:
    return (token.pin_state, token.so_pin_state, token.initialized, token.raw_label)

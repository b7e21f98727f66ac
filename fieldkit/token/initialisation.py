"""Erase a token, give it a label, an SO PIN and the first PIN."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fieldkit.secret import Secret
from fieldkit.text import M, nfc
from fieldkit.token import errors, faults, guard, protocol
from fieldkit.token.agents import Agents
from fieldkit.token.model import Token
from fieldkit.token.policy import PinRules, demand
from fieldkit.token.process import ModuleCallFailed
from fieldkit.token.session import entered

if TYPE_CHECKING:
    from fieldkit.token.attempts import TokenIdentity

LABEL_BYTES = 32


def initialise(
    agents: Agents,
    token: Token,
    label: str,
    so_pin: Secret,
    pin: Secret,
    *,
    rules: PinRules | None = None,
    confirmed_last_try: bool = False,
    erased: Callable[[], None] = lambda: None,
    planned: TokenIdentity | None = None,
) -> Token:
    """Erase `token`, give it a label and a user PIN. One that is in use already wants its present SO PIN.

    erased: called as soon as what was on it is gone. planned: what the person agreed to erase; no other
    token of the same name is.

    :raises PinPolicy: the PINs do not meet the rules; nothing was changed.
    :raises PinIncorrect: the SO PIN is not the token's; nothing was changed.
    """
    rules = rules or PinRules()
    now = agents.again(token)
    name = nfc(label.strip())
    if not name or len(name.encode()) > LABEL_BYTES:
        raise errors.PinPolicyViolated(
            M("The label must have 1 to {most} bytes.", most=LABEL_BYTES),
            unchanged=M("Nothing was changed on the token."),
        )
    demand(rules.check(now), pin)
    if not now.initialized:
        demand(rules.so_check(now), so_pin)
    with agents.attempt(now, so=True, confirmed_last_try=confirmed_last_try, planned=planned) as attempt:
        attempt.begin(blank=True)  # some have an SO PIN before they have anything else
        made = _erased(agents, attempt.token, name, so_pin)
        attempt.erased()
    erased()
    _first_pin(agents, now, made, so_pin, pin)
    fresh = agents.fresh(made.serial, now.module)
    agents.pin_was_set(fresh)
    return agents.again(fresh)


def _erased(agents: Agents, now: Token, label: str, so_pin: Secret) -> protocol.SlotToken:
    """C_InitToken: the token as it is then, empty."""
    agent = agents.agent(now)
    request = protocol.InitToken(
        slot=now.slot,
        serial=now.raw_serial,
        old_label=now.raw_label,
        initialized=now.initialized,
        label=label.encode(),
    )
    try:
        return agent.call(request, protocol.SlotToken, entered(so_pin))
    except ModuleCallFailed as fault:
        agent.restart()
        if fault.name == "CKR_PIN_LOCKED":
            raise guard.locked(now, so=True) from None
        if fault.name in faults.WRONG_PIN:
            raise guard.incorrect(agents.again(now), so=True) from None
        raise faults.meaning(fault, now) from None


def _first_pin(agents: Agents, before: Token, made: protocol.SlotToken, so_pin: Secret, pin: Secret) -> None:
    """Set the user PIN right after C_InitToken, in the same process and slot."""
    agent = agents.agent(before)
    try:
        number = agent.call(protocol.OpenSession(slot=made.slot, serial=made.serial, label=made.label), int)
        agent.call(protocol.Login(number, so=True), type(None), entered(so_pin))
        agent.call(protocol.InitPin(number), type(None), entered(pin))
        agent.call(protocol.Close(number), type(None))
    except ModuleCallFailed as fault:
        agent.restart()
        raise errors.PinPolicyViolated(
            M("The token was initialised, but it refused the user PIN."),
            unchanged=M("The token is empty and has its SO PIN, but no user PIN."),
            hint=M("Choose another PIN and set it with `fieldkit token unblock`."),
            detail=fault.name,
        ) from None

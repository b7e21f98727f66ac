"""Change a PIN, or set a new one with the SO PIN or PUK."""

from __future__ import annotations

from fieldkit.secret import Secret
from fieldkit.text import M
from fieldkit.token import errors, faults, guard
from fieldkit.token.agents import Agents
from fieldkit.token.model import Token
from fieldkit.token.policy import PinRules, demand
from fieldkit.token.process import ModuleCallFailed


def change_pin(
    agents: Agents,
    token: Token,
    old: Secret,
    new: Secret,
    *,
    so: bool = False,
    rules: PinRules | None = None,
    confirmed_last_try: bool = False,
) -> Token:
    """Change the user PIN (or the SO PIN) of `token`; what it is like afterwards is returned."""
    rules = rules or PinRules()
    demand(rules.so_check(token) if so else rules.check(token), new)
    if new and new == old:
        raise errors.PinPolicyViolated(
            M("The new PIN is the old one."),
            unchanged=M("Nothing was changed on the token."),
            hint=M("Choose another PIN."),
        )
    try:
        session = agents.session(token, old, so=so, confirmed_last_try=confirmed_last_try)
    except errors.PinChangeNeeded:
        session = agents.session(token)  # C_SetPIN needs no login, and this token allows none before it
    with session, agents.attempt(token, so=so, confirmed_last_try=confirmed_last_try) as attempt:
        attempt.begin()  # the old PIN is judged again, and on some tokens typed again
        try:
            session.set_pin(old, new)
        except ModuleCallFailed as fault:
            if fault.name in faults.JUDGED:
                raise guard.incorrect(agents.again(token), so=so) from None
            raise faults.meaning(fault, token) from None
        except errors.PinPolicyViolated:
            attempt.not_judged()
            raise
        attempt.accepted()
    return agents.again(token)


def unblock(
    agents: Agents,
    token: Token,
    code: Secret,
    new: Secret,
    *,
    rules: PinRules | None = None,
    confirmed_last_try: bool = False,
) -> Token:
    """Set a new user PIN with `code`, the SO PIN or on some tokens the PUK; the old one may be locked.

    :raises PinIncorrect, PinLocked: the code is not the token's, or is locked itself.
    """
    demand((rules or PinRules()).check(token), new)
    if token.unblock != "puk" or not _by_puk(agents, token, code, new, confirmed_last_try):
        with agents.session(token, code, so=True, confirmed_last_try=confirmed_last_try) as session:
            session.init_pin(new)
    agents.pin_was_set(token)
    return agents.again(token)


def _by_puk(agents: Agents, token: Token, puk: Secret, new: Secret, confirmed: bool) -> bool:
    """C_SetPIN without a login, by which modules take a PUK; False, if this one cannot: nothing was tried."""
    with agents.attempt(token, so=True, confirmed_last_try=confirmed) as attempt:
        now = attempt.token
        if not puk and not now.protected_path:
            raise errors.PinNeeded(M("No PUK was entered."), unchanged=guard.NOTHING_CHANGED)
        attempt.begin()
        try:
            with agents.session(now) as session:
                session.set_pin(puk, new)
        except ModuleCallFailed as fault:
            if fault.name == "CKR_FUNCTION_NOT_SUPPORTED":
                attempt.not_judged()
                return False
            if fault.name == "CKR_PIN_LOCKED":
                raise guard.locked(now, so=True) from None
            raise guard.incorrect(agents.again(now), so=True) from None
        except errors.PinPolicyViolated:
            attempt.not_judged()
            raise
        attempt.accepted()
    return True

"""Change a token's PIN, or set a new one with the SO PIN or PUK. The officer types them; none is kept."""

from __future__ import annotations

from collections.abc import Callable

from fieldkit.action.token_access import (
    TokenAccess,
    ask_new_pin,
    ask_pin,
    ask_unblocking_code,
    confirm_last_try,
    finish,
)
from fieldkit.operator import Plan
from fieldkit.profile.model import TokenProfile
from fieldkit.text import M
from fieldkit.token import pins
from fieldkit.token.guard import OPENS
from fieldkit.token.model import Token


async def change_pin(
    tokens: TokenAccess,
    token: Token,
    *,
    expected: TokenProfile | None = None,
    changed: Callable[[], None] = lambda: None,
) -> Token:
    """Ask for the present PIN and twice for the new one, and change it; the token as it is then.

    expected: the kind of token that the bureau is to have. changed: called as soon as the PIN is another.

    :raises NotConsented, PinPolicy, PinIncorrect: the PIN is what it was.
    """
    plan = Plan(
        title=M("Change the PIN of the token {token}", token=token.name),
        steps=(
            M("The officer enters the PIN the token came with, then a new one, twice."),
            M("A wrong PIN costs one attempt; nothing is tried again by itself."),
        ),
        keeps=M("Keys and certificates stay as they are. No PIN is written down."),
    )
    await tokens.consent(plan, M("The PIN was not changed: not agreed to."))
    rules = tokens.rules(token, expected)
    confirmed = await confirm_last_try(tokens.operator, token)
    title = M("Present PIN of the token {token}", token=token.name)
    with (
        await ask_pin(tokens.operator, token, title) as old,
        await ask_new_pin(tokens.operator, token, rules) as new,
    ):

        def change() -> Token:
            after = pins.change_pin(tokens.agents, token, old, new, rules=rules, confirmed_last_try=confirmed)
            changed()
            return after

        return await finish(change)


async def unblock_pin(tokens: TokenAccess, token: Token) -> Token:
    """Set a new PIN with the code that unblocks it; the token as it is then.

    :raises NotConsented, PinPolicy, PinIncorrect: the PIN is what it was.
    """
    # as far as the profile knows: somebody may have a code all the same
    steps = (OPENS["authority"],) if token.unblock == "authority" else ()
    plan = Plan(title=M("Set a new PIN on the token {token}", token=token.name), steps=steps)
    await tokens.consent(plan, M("The PIN was not changed: not agreed to."))
    rules = tokens.rules(token)
    confirmed = await confirm_last_try(tokens.operator, token, so=True)
    with (
        await ask_unblocking_code(tokens.operator, token) as code,
        await ask_new_pin(tokens.operator, token, rules) as new,
    ):
        return await finish(
            pins.unblock, tokens.agents, token, code, new, rules=rules, confirmed_last_try=confirmed
        )

"""Erase a token, or prepare an empty one, with a label, an SO PIN and a PIN:

    made = await initialise_token(tokens, token, "MAU-01")

Of a token that is in use, the person types the serial number before anything is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Literal

import msgspec

from fieldkit.action.token_access import (
    UNCHANGED,
    TokenAccess,
    ask_new_pin,
    ask_unblocking_code,
    confirm_last_try,
    finish,
)
from fieldkit.operator import Operator, Plan, Progress, SecretRequest
from fieldkit.profile.model import TokenProfile
from fieldkit.secret import Secret
from fieldkit.text import M
from fieldkit.token import initialisation
from fieldkit.token.agents import Agents
from fieldkit.token.errors import TokenAmbiguous, TokenNotFound
from fieldkit.token.kinds import may_initialise
from fieldkit.token.model import Token
from fieldkit.token.policy import PinRules


async def initialise_token(
    tokens: TokenAccess,
    token: Token,
    label: str,
    *,
    expected: TokenProfile | None = None,
    pin_role: Literal["pin", "new-pin"] = "new-pin",
    erased: Callable[[], None] = lambda: None,
) -> Token:
    """Show what is lost, ask for the SO PIN and a new PIN, and initialise `token`; the token as it is then.

    expected: the kind of token that the bureau is to have. pin_role: what the new PIN is called by whoever
    gives it in advance. erased: called as soon as what was on the token is gone.

    :raises InitialisationNotAllowed: tokens of its kind are initialised by their issuer alone.
    :raises NotConsented, PinPolicy, PinIncorrect: nothing was changed.
    """
    may_initialise(token, tokens.profiles.tokens.values(), expected)
    operator = tokens.operator
    planned = await asyncio.to_thread(tokens.agents.identity, token)
    await tokens.consent(plan(token, label), M("The token was not initialised: not agreed to."))
    rules = tokens.rules(token, expected)
    confirmed = await confirm_last_try(operator, token, so=True)
    with (
        await _ask_so_pin(operator, token, rules) as so_pin,
        await ask_new_pin(operator, token, rules, pin_role) as pin,
    ):
        operator.progress(Progress(M("Initialising the token"), 0, 0))
        return await finish(
            initialisation.initialise,
            tokens.agents,
            token,
            label,
            so_pin,
            pin,
            rules=rules,
            confirmed_last_try=confirmed,
            erased=erased,
            planned=planned,
        )


async def _ask_so_pin(operator: Operator, token: Token, rules: PinRules) -> Secret:
    """The present SO PIN of a token that is in use, or a new one for an empty token."""
    if token.initialized:
        return await ask_unblocking_code(operator, msgspec.structs.replace(token, unblock="so-pin"))
    if token.protected_path:
        return Secret("")
    return await operator.secret(
        SecretRequest(
            role="so-pin",
            title=M("New SO PIN (head office keeps it; it unblocks the token)"),
            new=True,
            check=rules.so_check(token),
        )
    )


def plan(token: Token, label: str) -> Plan:
    """What initialising `token` does to it."""
    name = token.label or token.serial
    if not token.initialized:
        return Plan(
            title=M("Initialise the empty token in slot {slot}", slot=token.slot),
            steps=(
                M("Give it the label {label}.", label=label),
                M("Set a new SO PIN and a new PIN, which you enter next."),
            ),
            keeps=M("The token is empty; nothing is lost."),
        )
    return Plan(
        title=M("Erase and initialise the token {name}", name=name),
        steps=(
            M(
                "Everything on token {name} ({serial}) is erased: keys and certificates.",
                name=name,
                serial=token.serial,
            ),
            M("Give it the label {label}.", label=label),
            M("The SO PIN stays as it is and is asked for; a new PIN is set, which you enter next."),
        ),
        confirm=token.serial or name,
    )


def token_to_initialise(agents: Agents, slot: int | None, modules: Collection[str] = ()) -> Token:
    """The token in `slot`, else the only one there or the only empty one; of these modules, if any are named.

    :raises TokenNotFound: there is none. :raises TokenAmbiguous: there are several.
    """
    tokens = agents.tokens()
    if modules:
        tokens = [token for token in tokens if set(token.modules) & set(modules)]
    fits = [token for token in tokens if token.slot == slot] if slot is not None else tokens
    if slot is None and len(fits) > 1:
        fits = [token for token in fits if not token.initialized]
    if len(fits) == 1:
        return fits[0]
    if fits or (slot is None and tokens):
        raise TokenAmbiguous(
            M("More than one token could be meant."),
            unchanged=UNCHANGED,
            hint=M("Say which with --slot; `fieldkit token list` shows them."),
            candidates=[{"slot": token.slot, "uri": token.uri} for token in fits or tokens],
        )
    if agents.problems and not tokens:
        raise agents.problems[0]
    raise TokenNotFound(
        M("There is no token to initialise here."),
        unchanged=UNCHANGED,
        hint=M("Plug it in and wait for its light; `fieldkit token list` shows what is there."),
    )

"""Reaching the visit's token: which modules to ask, which token found is meant, which PIN is asked for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from fieldkit import errors
from fieldkit.operator import Operator, Option, Question, SecretRequest
from fieldkit.procedure.context import Context
from fieldkit.secret import Secret
from fieldkit.text import M, Said
from fieldkit.token.agents import Agents
from fieldkit.token.attempts import StoredAttempts
from fieldkit.token.errors import TokenNotFound
from fieldkit.token.model import Token


def modules(context: Context) -> tuple[str, ...]:
    """The modules to ask: named ones first, then those of the bureau's token profile that are here."""
    profile = context.profiles.tokens.get(context.bureau.token)
    here = profile.installed_modules() if profile is not None else ()
    return tuple(dict.fromkeys((*context.modules, *here)))


@contextlib.asynccontextmanager
async def agents(context: Context) -> AsyncIterator[Agents]:
    """The agents for the visit's modules, ended with the block."""
    running = Agents(modules(context), context.home.logs, StoredAttempts(context.store.db))
    try:
        yield running
    finally:
        await asyncio.to_thread(running.close)


async def choose(found: Sequence[Token], operator: Operator, title: Said) -> Token:
    """The token meant: the only one, or the one the person picks.

    :raises TokenNotFound: there is none.
    """
    if not found:
        raise TokenNotFound(
            M("No token that would do is here."),
            unchanged=M("Nothing was changed."),
            hint=M("Plug the token in, wait for its light, and run this step again."),
        )
    if len(found) == 1:
        return found[0]
    options = tuple(
        Option(token.uri, token.label or token.serial or M("slot {slot}", slot=token.slot), token.model)
        for token in found
    )
    picked = await operator.ask(Question(id="token", title=title, options=options, default=options[0].value))
    return next(token for token in found if token.uri == picked)


async def visit_token(context: Context, running: Agents, operator: Operator) -> Token:
    """The visit's token: the one an earlier step used, else the only one here, else the person's choice."""
    for step in ("token_setup", "certificate_check", "certificate_import", "pin_change"):
        serial = context.fact(step, "serial")
        if serial:
            return await asyncio.to_thread(running.find, str(serial))
    found = [token for token in await asyncio.to_thread(running.tokens) if token.initialized]
    return await choose(found, operator, M("Which token?"))


async def ask_pin(operator: Operator, token: Token) -> Secret:
    """The user PIN of `token`, with what its state warns of."""
    warning = None
    if token.pin_state == "low":
        warning = M("A wrong PIN was entered before. Few attempts are left.")
    name = token.label or token.serial
    return await operator.secret(
        SecretRequest(role="pin", title=M("PIN of the token {name}", name=name), warning=warning)
    )


async def confirm_last_try(operator: Operator, token: Token) -> bool:
    """On a token's last attempt, True only if the person typed the token's serial number to go on."""
    if token.pin_state != "final":
        return False
    with contextlib.suppress(errors.Missing):  # nobody is here: the token's guard will refuse
        typed = await operator.ask(
            Question(
                id="confirm-last-try",
                title=M(
                    "This is the last attempt: one more wrong PIN locks the token for good. "
                    "To go on, type its serial number {serial}",
                    serial=token.serial,
                ),
            )
        )
        return typed.strip() == token.serial
    return False

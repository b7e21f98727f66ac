"""Initialise a token and set its PIN. What was on it is gone then, so the person types its serial number."""

from __future__ import annotations

import asyncio

import msgspec

from fieldkit import errors
from fieldkit.operator import Finding, Operator, Plan, Progress, Question, SecretRequest
from fieldkit.procedure import reach
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence
from fieldkit.secret import Secret
from fieldkit.text import M
from fieldkit.token import policy, provision
from fieldkit.token.model import Token
from fieldkit.token.policy import PinRules


async def run(context: Context, operator: Operator) -> Evidence:
    """Choose a token, show what will be erased, then initialise it with its SO PIN and a new user PIN."""
    profile = context.profiles.tokens.get(context.bureau.token)
    async with reach.agents(context) as running:
        found = await asyncio.to_thread(running.tokens)
        blank = [token for token in found if not token.initialized]
        token = await reach.choose(blank or found, operator, M("Which token is to be initialised?"))
        policy.may_initialise(token, context.profiles.tokens.values(), profile)
        label = await operator.ask(
            Question(id="token-label", title=M("Label of the token"), default=context.bureau.code)
        )
        if not await operator.consent(_plan(token, label)):
            raise errors.NotConsented(
                M("The token was not initialised: not agreed to."), unchanged=M("Nothing was changed.")
            )
        rules = policy.for_profile(profile)
        confirmed = await reach.confirm_last_try(operator, token, so=True)
        with (
            await _so_pin(operator, token, rules) as so_pin,
            await _pin(operator, token, rules) as pin,
        ):
            operator.progress(Progress(M("Initialising the token"), 0, 0))
            made = await reach.whole(
                provision.initialise,
                running,
                token,
                label,
                so_pin,
                pin,
                rules=rules,
                confirmed_last_try=confirmed,
                erased=lambda: context.changed(
                    M("The token {token} was initialised.", token=label), erased=token.serial
                ),
            )
    return Evidence(
        verdict="pass",
        summary=M(
            "Token {label} ({serial}) is initialised and its PIN is set.",
            label=made.label,
            serial=made.serial,
        ),
        findings=(
            Finding(
                "token-initialised", "pass", M("Initialised: {model}", model=made.model or "?"), made.serial
            ),
            Finding("pin-set", "pass", M("The PIN was set by the person; it is kept nowhere.")),
        ),
        facts={
            "serial": made.serial,
            "label": made.label,
            "model": made.model,
            "manufacturer": made.manufacturer,
            "uri": made.uri,
            "module": made.module,
            "pin_set": True,
        },
    )


async def _so_pin(operator: Operator, token: Token, rules: PinRules) -> Secret:
    """The present SO PIN of a token that is in use, or a new one for an empty token."""
    if token.initialized:
        return await reach.ask_unblocking_code(operator, msgspec.structs.replace(token, unblock="so-pin"))
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


async def _pin(operator: Operator, token: Token, rules: PinRules) -> Secret:
    if token.protected_path:
        return Secret("")
    return await operator.secret(
        SecretRequest(role="new-pin", title=M("New PIN"), new=True, check=rules.check(token))
    )


def _plan(token: Token, label: str) -> Plan:
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

"""Change the PIN that a token was delivered with. The officer types both; neither is kept anywhere."""

from __future__ import annotations

import contextlib

from fieldkit import errors
from fieldkit.operator import Finding, Operator, Plan, SecretRequest
from fieldkit.procedure import reach
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence
from fieldkit.secret import Secret
from fieldkit.text import M
from fieldkit.token import policy, provision
from fieldkit.token.model import Token


async def run(context: Context, operator: Operator) -> Evidence:
    """Ask for the present PIN and twice for the new one, by the rules of the token's profile."""
    rules = policy.for_profile(context.profiles.tokens.get(context.bureau.token))
    async with reach.agents(context) as running:
        token = await reach.visit_token(context, running, operator)
        plan = Plan(
            title=M("Change the PIN of the token {token}", token=token.name),
            steps=(
                M("The officer enters the PIN the token came with, then a new one, twice."),
                M("A wrong PIN costs one attempt; nothing is tried again by itself."),
            ),
            keeps=M("Keys and certificates stay as they are. No PIN is written down."),
        )
        if not await operator.consent(plan):
            raise errors.NotConsented(
                M("The PIN was not changed: not agreed to."), unchanged=M("Nothing was changed on the token.")
            )
        confirmed = await reach.confirm_last_try(operator, token)
        with contextlib.ExitStack() as secrets:
            old = secrets.enter_context(
                await reach.ask_pin(operator, token, M("Present PIN of the token {token}", token=token.name))
            )
            new = secrets.enter_context(
                Secret("")
                if token.protected_path
                else await operator.secret(
                    SecretRequest(role="new-pin", title=M("New PIN"), new=True, check=rules.check(token))
                )
            )

            def change() -> Token:
                after = provision.change_pin(
                    running, token, old, new, rules=rules, confirmed_last_try=confirmed
                )
                context.changed(M("The PIN of {token} was changed.", token=token.name))
                return after

            after = await reach.whole(change)
    changed = Finding("pin-changed", "pass", M("The token accepted the new PIN; it is kept nowhere."))
    operator.say(changed)
    return Evidence(
        verdict="pass",
        summary=M("The PIN of {token} was changed.", token=after.name),
        findings=(changed,),
        facts={"serial": after.serial, "token_label": after.label, "pin_set": True},
    )

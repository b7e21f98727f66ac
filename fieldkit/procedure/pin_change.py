"""Change the PIN that the visit's token was delivered with."""

from __future__ import annotations

from fieldkit.action.change_pin import change_pin
from fieldkit.finding import Finding
from fieldkit.operator import Operator
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence, token_facts
from fieldkit.text import M


async def run(context: Context, operator: Operator) -> Evidence:
    """Have the officer change it, by the rules of the token's profile."""
    async with context.tokens(operator) as tokens:
        token = await context.token(tokens)
        after = await change_pin(
            tokens,
            token,
            expected=context.token_profile,
            changed=lambda: context.changed(M("The PIN of {token} was changed.", token=token.name)),
        )
    changed = Finding("pin-changed", "pass", M("The token accepted the new PIN; it is kept nowhere."))
    operator.say(changed)
    return Evidence(
        verdict="pass",
        summary=M("The PIN of {token} was changed.", token=after.name),
        findings=(changed,),
        facts=token_facts(after) | {"pin_set": True},
    )

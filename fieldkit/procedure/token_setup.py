"""Initialise the visit's token and set its PIN."""

from __future__ import annotations

from fieldkit.action.initialise_token import initialise_token
from fieldkit.finding import Finding
from fieldkit.operator import Operator, Question
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence, token_facts
from fieldkit.text import M
from fieldkit.token.kinds import may_initialise


async def run(context: Context, operator: Operator) -> Evidence:
    """Choose a token, an empty one first, and have it initialised with the label the person gives it."""
    async with context.tokens(operator) as tokens:
        present = await tokens.list()
        empty = [token for token in present if not token.initialized]
        token = await tokens.choose(empty or present, M("Which token is to be initialised?"))
        may_initialise(token, context.profiles.tokens.values(), context.token_profile)
        label = await operator.ask(
            Question(id="token-label", title=M("Label of the token"), default=context.bureau.code)
        )
        made = await initialise_token(
            tokens,
            token,
            label,
            expected=context.token_profile,
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
        facts=token_facts(made)
        | {"label": made.label, "uri": made.uri, "module": made.module, "pin_set": True},
    )

"""The token that came personalised: is it the one that was asked for, and does its key sign?"""

from __future__ import annotations

import asyncio

from fieldkit.operator import Finding, Operator, Plan
from fieldkit.procedure import reach
from fieldkit.procedure.certificate_facts import described, facts
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence, verdict_of
from fieldkit.text import M
from fieldkit.token import provision
from fieldkit.token.agents import Agents
from fieldkit.token.errors import PinChangeNeeded
from fieldkit.token.model import StoredCertificate, Token


async def run(context: Context, operator: Operator) -> Evidence:
    """Compare token and certificate with the dossier without a login; only what fits is asked to sign."""
    async with reach.agents(context) as running:
        token = await reach.visit_token(context, running, operator)
        present, own = await reach.looking(
            running, operator, token, lambda session: (session.certificates(), session.certificate())
        )
        found = await asyncio.to_thread(
            described,
            context,
            own.der,
            [each.der for each in present if each.der != own.der],
            has_private_key=own.has_private_key,
        )
        findings = [_device(context, token), *found.findings]
        for finding in findings:
            operator.say(finding)
        known = facts(token, own.id, found)
        if verdict_of(findings) == "fail":
            return Evidence(
                "fail",
                M("The token or its certificate is not the one that was asked for. Do not hand it over."),
                tuple(findings),
                known,
            )
        proved = await _proved(operator, token, own, running)
    operator.say(proved)
    findings.append(proved)
    if proved.severity == "not-checked":
        said = M("Token and certificate are those of the dossier; the key did not sign yet.")
    else:
        said = M("Token and certificate are those of the dossier, and the key signs.")
    return Evidence("pass", said, tuple(findings), known)


def _device(context: Context, token: Token) -> Finding:
    """The token's own serial number against the dossier's."""
    wanted = context.bureau.dossier.token_serial
    if not wanted:
        return Finding(
            "token-serial",
            "not-checked",
            M("The dossier names no serial number for the token: {serial}.", serial=token.serial),
            hint=M("Compare it with the delivery note."),
        )
    same = wanted.strip().casefold().lstrip("0") == token.serial.strip().casefold().lstrip("0")
    return Finding(
        "token-serial",
        "pass" if same else "fail",
        M("The token's serial number is as in the dossier: {serial}.", serial=token.serial)
        if same
        else M(
            "The token's serial number differs. Dossier: {wanted}. Token: {serial}.",
            wanted=wanted,
            serial=token.serial,
        ),
    )


async def _proved(operator: Operator, token: Token, own: StoredCertificate, running: Agents) -> Finding:
    """The key signs once and the certificate verifies it, unless the person leaves that for later."""
    plan = Plan(
        title=M("Prove the key on the token {name}", name=token.name),
        steps=(M("The key signs once, and the certificate must verify it."),),
        keeps=M("Nothing is written to the token."),
    )
    later = Finding(
        "key-proved",
        "not-checked",
        M("The key was not asked to sign."),
        hint=M("The test signature proves it."),
    )
    if not await operator.consent(plan):
        return later
    try:
        await reach.with_login(
            running, operator, token, lambda session: asyncio.to_thread(provision.prove, session, own)
        )
    except PinChangeNeeded:
        return Finding(
            "key-proved",
            "not-checked",
            M("The PIN is right, but the token {token} wants it changed first.", token=token.name),
            hint=M("Change the PIN in the next step; the test signature then proves the key."),
        )
    return Finding("key-proved", "pass", M("A signature by the token verifies with the certificate."))

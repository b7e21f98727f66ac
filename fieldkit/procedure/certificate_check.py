"""The token that came personalised: is it the one that was asked for, and does its key sign?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fieldkit import errors
from fieldkit.action.token_access import TokenAccess
from fieldkit.certificate import inspect
from fieldkit.finding import Finding
from fieldkit.operator import Operator, Option, Plan, Question
from fieldkit.procedure.certificate_facts import PROVED, described, facts, kind
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence, verdict_of
from fieldkit.text import M
from fieldkit.token import proof
from fieldkit.token.errors import PinChangeNeeded
from fieldkit.token.model import StoredCertificate, Token
from fieldkit.token.session import choose


async def run(context: Context, operator: Operator) -> Evidence:
    """Compare token and certificate with the dossier without a login; only what fits is asked to sign."""
    async with context.tokens(operator) as tokens:
        token = await context.token(tokens)
        present = await tokens.look(token, lambda session: session.certificates())
        own = await _own(context, operator, token, present)
        description = await asyncio.to_thread(
            described,
            context,
            own.der,
            [certificate.der for certificate in present if certificate.der != own.der],
            has_private_key=own.has_private_key,
        )
        findings = [*filter(None, (kind(context),)), _device(context, token), *description.findings]
        for finding in findings:
            operator.say(finding)
        known = facts(token, own.id, description)
        if verdict_of(findings) == "fail":
            return Evidence(
                "fail",
                M("The token or its certificate is not the one that was asked for. Do not hand it over."),
                tuple(findings),
                known,
            )
        proved = await _proved(tokens, token, own)
    operator.say(proved)
    findings.append(proved)
    if proved.severity == "not-checked":
        message = M("Token and certificate are those of the dossier; the key did not sign yet.")
        return Evidence("not-checked", message, tuple(findings), known)
    message = M("Token and certificate are those of the dossier, and the key signs.")
    return Evidence("pass", message, tuple(findings), known)


async def _own(
    context: Context, operator: Operator, token: Token, present: Sequence[StoredCertificate]
) -> StoredCertificate:
    """The person's certificate: the only one with a key, else the person's choice, the dossier's first."""
    held = [certificate for certificate in present if certificate.has_private_key]
    if len(held) < 2:
        return choose(present, "", token)
    descriptions = [await asyncio.to_thread(described, context, certificate.der) for certificate in held]
    held = [held[at] for at in sorted(range(len(held)), key=lambda at: _differs(descriptions[at].findings))]
    names = {description.sha256: description for description in descriptions}
    options = tuple(
        Option(
            certificate.sha256,
            names[certificate.sha256].subject,
            str(inspect.valid(names[certificate.sha256])),
        )
        for certificate in held
    )
    picked = await operator.ask(
        Question(
            id="certificate",
            title=M(
                "The token {token} has several certificates. Which one is the dossier's?", token=token.name
            ),
            options=options,
            default=options[0].value,
        )
    )
    return next(certificate for certificate in held if certificate.sha256 == picked)


def _differs(findings: Sequence[Finding]) -> int:
    return sum(finding.severity == "fail" for finding in findings)


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


async def _proved(tokens: TokenAccess, token: Token, own: StoredCertificate) -> Finding:
    """The key signs once and the certificate verifies it; without that the step is not done.

    :raises NotConsented: the person did not agree to it.
    """
    plan = Plan(
        title=M("Prove the key on the token {name}", name=token.name),
        steps=(M("The key signs once, and the certificate must verify it."),),
        keeps=M("Nothing is written to the token."),
    )
    if not await tokens.operator.consent(plan):
        raise errors.NotConsented(
            M("The key was not asked to sign, so the token is not checked yet."),
            unchanged=M("The step is still to be done; nothing was written to the token."),
            hint=M("Run the step again when the officer can enter the PIN."),
        )
    try:
        await tokens.log_in(token, lambda session: asyncio.to_thread(proof.prove, session, own))
    except PinChangeNeeded:
        return Finding(
            "key-proved",
            "not-checked",
            M("The PIN is right, but the token {token} wants it changed first.", token=token.name),
            hint=M("Change the PIN in the next step; the test signature then proves the key."),
        )
    return PROVED

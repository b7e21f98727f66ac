"""Put a certificate file with its key onto the token, as a transaction, and prove the key by a signature."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from fieldkit import errors
from fieldkit.certificate import files, identity, inspect
from fieldkit.certificate.identity import Identity
from fieldkit.operator import Finding, Operator, Plan, Progress, Question, SecretRequest
from fieldkit.procedure import reach
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence
from fieldkit.secret import Secret
from fieldkit.text import M
from fieldkit.token import provision
from fieldkit.token.intents import StoredIntents
from fieldkit.token.model import Token


async def run(context: Context, operator: Operator) -> Evidence:
    """Read the file, show what it holds and what will be written, then import and prove it."""
    path = Path(
        await operator.ask(
            Question(id="certificate-file", title=M("The certificate file (PKCS#12)"), path=True)
        )
    ).expanduser()
    anchors = context.anchors()
    holder = await _read(path, operator, anchors)
    with holder.key:
        described = inspect.describe(
            holder.certificate,
            at=datetime.now(UTC),
            anchors=anchors,
            chain=holder.chain,
            has_private_key=True,
        )
        for finding in described.findings:
            operator.say(finding)
        async with reach.agents(context) as running:
            token = await reach.visit_token(context, running, operator)
            if not await operator.consent(_plan(token, path, described, len(holder.chain))):
                raise errors.NotConsented(
                    M("The certificate was not imported: not agreed to."),
                    unchanged=M("The token is as it was."),
                )
            confirmed = await reach.confirm_last_try(operator, token)
            with await reach.ask_pin(operator, token) as pin:
                session = await asyncio.to_thread(running.session, token, pin, confirmed_last_try=confirmed)
            try:
                operator.progress(Progress(M("Writing the key and the certificate"), 0, 2))
                report = await asyncio.to_thread(
                    provision.import_identity,
                    session,
                    holder,
                    context.bureau.code,
                    intents=StoredIntents(context.store.db),
                )
                operator.progress(Progress(M("The key signed, and the certificate verified it"), 2, 2))
            finally:
                await asyncio.to_thread(session.close)
    return Evidence(
        verdict="pass",
        summary=M("The certificate of {subject} is on the token and proved.", subject=described.subject),
        findings=(
            *described.findings,
            Finding("key-proved", "pass", M("A signature by the token verifies with the certificate.")),
        ),
        facts={
            "serial": token.serial,
            "token_label": token.label,
            "key_id": report.id,
            "subject": described.subject,
            "issuer": described.issuer,
            "serial_number": described.serial_number,
            "not_before": described.not_before,
            "not_after": described.not_after,
            "sha256": described.sha256,
            "key": described.key,
            "chain": len(holder.chain),
        },
    )


async def _read(path: Path, operator: Operator, anchors: tuple[bytes, ...]) -> Identity:
    """The file's identity; its password is asked for once, and only if the file wants one."""
    data = await asyncio.to_thread(files.load, path)
    if not files.wants_password(data):
        return identity.identity(files.read(data, None, name=path.name), at=datetime.now(UTC))
    with await operator.secret(
        SecretRequest(role="password", title=M("Password of the file {name}", name=path.name))
    ) as password:
        return await asyncio.to_thread(_open, data, password, path.name)


def _open(data: bytes, password: Secret, name: str) -> Identity:
    return identity.identity(files.read(data, password, name=name), at=datetime.now(UTC))


def _plan(token: Token, path: Path, described: inspect.Description, chain: int) -> Plan:
    return Plan(
        title=M("Import a certificate onto the token {name}", name=token.label or token.serial),
        steps=(
            M("Certificate: {subject}", subject=described.subject),
            M("Issuer: {issuer}", issuer=described.issuer),
            M("Valid: {start} to {end}", start=described.not_before, end=described.not_after),
            M("Key: {key}; it can never leave the token again.", key=described.key),
            M(
                "Written from {file}: the key, the certificate, {chain} authority certificate(s).",
                file=path.name,
                chain=chain,
            ),
            M("The key then signs once, and the certificate must verify it."),
        ),
        keeps=M("If anything fails, what was written is removed and you are told."),
    )

"""Put a certificate file with its key onto the token, as a transaction, and prove the key by a signature."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from fieldkit import errors
from fieldkit.certificate import files, identity, inspect
from fieldkit.certificate.acceptance import admit
from fieldkit.certificate.identity import Identity
from fieldkit.certificate.inspect import Description
from fieldkit.operator import Finding, Operator, Plan, Question, SecretRequest
from fieldkit.procedure import reach
from fieldkit.procedure.certificate_facts import described, facts, on_it
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence
from fieldkit.secret import Secret
from fieldkit.text import M
from fieldkit.token import provision
from fieldkit.token.errors import DuplicateKey
from fieldkit.token.intents import Intent, StoredIntents
from fieldkit.token.model import StoredCertificate, Token
from fieldkit.token.provision import ImportReport
from fieldkit.token.session import Session


async def run(context: Context, operator: Operator) -> Evidence:
    """Read the file, show what it holds and what will be written, then import and prove it."""
    path = Path(
        await operator.ask(
            Question(id="certificate-file", title=M("The certificate file (PKCS#12)"), path=True)
        )
    ).expanduser()
    holder = await _read(path, operator, context.material().purposes)
    with holder.key:
        found = await asyncio.to_thread(
            described, context, holder.certificate, holder.chain, has_private_key=True
        )
        for finding in found.findings:
            operator.say(finding)
        admit(found, holder.name)
        async with reach.agents(context) as running:
            token = await reach.visit_token(context, running, operator)
            present = await reach.looking(running, operator, token, lambda session: session.certificates())
            intents = StoredIntents(context.store.db)
            leftovers = await asyncio.to_thread(provision.leftovers, token, intents)
            plan = _plan(token, path, found, len(holder.chain), present, leftovers)
            if not await operator.consent(plan):
                raise errors.NotConsented(
                    M("The certificate was not imported: not agreed to."),
                    unchanged=M("The token is as it was."),
                )
            report = await reach.with_login(
                running,
                operator,
                token,
                lambda session: reach.whole(_written, context, operator, session, holder, intents, leftovers),
            )
    proved = Finding("key-proved", "pass", M("A signature by the token verifies with the certificate."))
    operator.say(proved)
    return Evidence(
        verdict="pass",
        summary=M("The certificate of {subject} is on the token and proved.", subject=holder.name),
        findings=(*found.findings, proved),
        facts=facts(token, report.id, found) | {"chain": len(holder.chain)},
    )


def _written(
    context: Context,
    operator: Operator,
    session: Session,
    holder: Identity,
    intents: StoredIntents,
    agreed: Sequence[Intent],
) -> ImportReport:
    """The import; where an earlier run had finished it and was then broken off, what that left."""
    try:
        report = provision.import_identity(
            session,
            holder,
            context.bureau.code,
            intents=intents,
            agreed=agreed,
            progress=operator.progress,
        )
    except DuplicateKey:
        done = provision.there_already(session, holder.certificate)
        if done is None:
            raise
        return done
    context.changed(M("The certificate of {subject} is on the token and proved.", subject=holder.name))
    return report


async def _read(path: Path, operator: Operator, purposes: tuple[str, ...]) -> Identity:
    """The file's identity; its password is asked for once, and only if the file wants one."""
    data = await asyncio.to_thread(files.load, path)
    if not files.wants_password(data):
        return await asyncio.to_thread(_open, data, None, path.name, purposes)
    with await operator.secret(
        SecretRequest(role="password", title=M("Password of the file {name}", name=path.name))
    ) as password:
        return await asyncio.to_thread(_open, data, password, path.name, purposes)


def _open(data: bytes, password: Secret | None, name: str, purposes: tuple[str, ...]) -> Identity:
    contents = files.read(data, password, name=name)
    return identity.identity(contents, at=datetime.now(UTC), purposes=purposes)


def _plan(
    token: Token,
    path: Path,
    found: Description,
    chain: int,
    present: Sequence[StoredCertificate],
    leftovers: Sequence[Intent],
) -> Plan:
    return Plan(
        title=M("Import a certificate onto the token {name}", name=token.name),
        steps=(
            M("Certificate: {subject}", subject=found.subject),
            M("Issuer: {issuer}", issuer=found.issuer),
            inspect.valid(found),
            *(each.message for each in found.findings if each.severity in ("fail", "warning", "not-checked")),
            M("Key: {key}; it can never leave the token again.", key=found.key),
            M(
                "Written from {file}: the key, the certificate, {chain} authority certificate(s).",
                file=path.name,
                chain=chain,
            ),
            M("The key then signs once, and the certificate must verify it."),
            on_it(present),
            *map(provision.removal, leftovers),
        ),
        keeps=M("If anything fails, what was written is removed and you are told."),
    )

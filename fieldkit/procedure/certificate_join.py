"""Put the certificate that the authority issued onto the token where its key was made."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from fieldkit import errors
from fieldkit.certificate import files, identity, inspect
from fieldkit.certificate.acceptance import admit
from fieldkit.certificate.identity import Identity
from fieldkit.operator import Finding, Operator, Plan, Question
from fieldkit.procedure import reach
from fieldkit.procedure.certificate_facts import described, facts, on_it
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence
from fieldkit.text import M
from fieldkit.token import provision
from fieldkit.token.errors import DuplicateKey
from fieldkit.token.intents import Intent, StoredIntents
from fieldkit.token.provision import ImportReport
from fieldkit.token.session import Session


async def run(context: Context, operator: Operator) -> Evidence:
    """Find the key by the certificate's public half, join them, and prove that they fit."""
    path = Path(
        await operator.ask(
            Question(id="issued-certificate", title=M("The certificate the authority issued"), path=True)
        )
    ).expanduser()
    holder = await asyncio.to_thread(_read, path, context.material().purposes)
    found = await asyncio.to_thread(described, context, holder.certificate, holder.chain)
    for finding in found.findings:
        operator.say(finding)
    admit(found, holder.name)
    async with reach.agents(context) as running:
        token = await reach.visit_token(context, running, operator)
        present = await reach.looking(running, operator, token, lambda session: session.certificates())
        intents = StoredIntents(context.store.db)
        leftovers = await asyncio.to_thread(provision.leftovers, token, intents)
        plan = Plan(
            title=M("Import a certificate onto the token {name}", name=token.name),
            steps=(
                M("Certificate: {subject}", subject=found.subject),
                M("Issuer: {issuer}", issuer=found.issuer),
                inspect.valid(found),
                M("Written from {file}: the certificate, for the key on the token.", file=path.name),
                M("The key then signs once, and the certificate must verify it."),
                on_it(present),
                *map(provision.removal, leftovers),
            ),
            keeps=M("If anything fails, what was written is removed and you are told."),
        )
        if not await operator.consent(plan):
            raise errors.NotConsented(
                M("The certificate was not imported: not agreed to."), unchanged=M("The token is as it was.")
            )
        report = await reach.with_login(
            running,
            operator,
            token,
            lambda session: reach.whole(_joined, context, session, holder, intents, leftovers),
        )
    proved = Finding("key-proved", "pass", M("A signature by the token verifies with the certificate."))
    operator.say(proved)
    return Evidence(
        verdict="pass",
        summary=M("The certificate of {subject} is on the token and proved.", subject=holder.name),
        findings=(*found.findings, proved),
        facts=facts(token, report.id, found) | {"chain": len(report.chain)},
    )


def _joined(
    context: Context, session: Session, holder: Identity, intents: StoredIntents, agreed: Sequence[Intent]
) -> ImportReport:
    """The join; where an earlier run had finished it and was then broken off, what that left."""
    try:
        report = provision.import_certificate(
            session,
            holder.certificate,
            context.bureau.code,
            holder.chain,
            intents=intents,
            agreed=agreed,
        )
    except DuplicateKey:
        done = provision.there_already(session, holder.certificate)
        if done is None:
            raise
        return done
    context.changed(M("The certificate of {subject} is on the token and proved.", subject=holder.name))
    return report


def _read(path: Path, purposes: tuple[str, ...]) -> Identity:
    contents = files.read(files.load(path), None, name=path.name)
    return identity.joined(contents, at=datetime.now(UTC), purposes=purposes)

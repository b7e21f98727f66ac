"""Make a key on the token and the request for its certificate, with the dossier's subject."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

from fieldkit import errors
from fieldkit.certificate import name, request
from fieldkit.operator import Finding, Operator, Plan
from fieldkit.procedure import reach
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence
from fieldkit.text import M
from fieldkit.token import provision
from fieldkit.token.intents import StoredIntents
from fieldkit.token.session import Session

KIND = "rsa:2048"


class DossierIncomplete(errors.Missing):
    """The dossier does not say whom the certificate is to be for."""

    code = "dossier-incomplete"


async def run(context: Context, operator: Operator) -> Evidence:
    """Show subject, kind of key and file; then make the key, have it sign the request, and keep that."""
    dossier = context.bureau.dossier
    if not dossier.subject:
        raise DossierIncomplete(
            M("The dossier of {bureau} names no subject for the certificate.", bureau=context.bureau.code),
            unchanged=M("Nothing was changed on the token."),
            hint=M("Have head office complete the dossier, or use `fieldkit certificate request --subject`."),
        )
    subject = name.build(dossier.subject)
    kind = dossier.key or KIND
    out = context.folder / f"request-{secrets.token_hex(3)}.csr.pem"
    async with reach.agents(context) as running:
        token = await reach.visit_token(context, running, operator)
        plan = Plan(
            title=M("Make a certificate request on the token {token}", token=token.name),
            steps=(
                M("Subject: {subject}", subject=name.text(subject)),
                M("Key: {key}, made on the token; it can never leave it", key=kind),
                M("Request: {file}", file=str(out)),
            ),
            keeps=M("What is on the token stays. If it fails, the new key is removed."),
        )
        if not await operator.consent(plan):
            raise errors.NotConsented(
                M("No request was made: not agreed to."), unchanged=M("Nothing was changed on the token.")
            )
        out.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        intents = StoredIntents(context.store.db)

        def make(session: Session) -> request.Made:
            made = provision.requested(
                session,
                intents,
                lambda key_id, begin: request.make(
                    session,
                    subject,
                    out,
                    kind=kind,
                    key_id=key_id,
                    label=context.bureau.code,
                    email=dossier.email,
                    begin=begin,
                ),
                owner=f"{context.visit}/{context.item.id}",
            )
            context.changed(M("A key was made on the token {token}.", token=token.name))
            return made

        made = await reach.with_login(running, operator, token, lambda session: reach.whole(make, session))
    kept = await asyncio.to_thread(context.attach, Path(out), out.name)
    finding = Finding("request-made", "pass", M("Written: {file}", file=str(out)), made.sha256)
    operator.say(finding)
    return Evidence(
        verdict="pass",
        summary=M(
            "The key is on the token {token}; the request goes to the authority: {file}",
            token=token.name,
            file=out.name,
        ),
        findings=(finding,),
        facts={
            "serial": token.serial,
            "token_label": token.label,
            "key_id": made.id,
            "key": made.key,
            "request_sha256": made.sha256,
        },
        files=(kept,),
    )

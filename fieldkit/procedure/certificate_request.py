"""Make a key on the visit's token and the request for its certificate, with the dossier's subject."""

from __future__ import annotations

import asyncio
import secrets

from fieldkit import errors
from fieldkit.action.request_certificate import request_certificate
from fieldkit.certificate import name, request
from fieldkit.finding import Finding
from fieldkit.operator import Operator
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence, token_facts
from fieldkit.text import M


class DossierIncomplete(errors.Missing, code="dossier-incomplete"):
    """The dossier does not say whom the certificate is to be for."""


async def run(context: Context, operator: Operator) -> Evidence:
    """Have the key made and the request written into the visit's folder, and keep the request."""
    dossier = context.bureau.dossier
    if not dossier.subject:
        raise DossierIncomplete(
            M("The dossier of {bureau} names no subject for the certificate.", bureau=context.bureau.code),
            unchanged=M("Nothing was changed on the token."),
            hint=M("Have head office complete the dossier, or use `fieldkit certificate request --subject`."),
        )
    kind = request.kind_asked(dossier.key)
    out = context.folder / f"request-{secrets.token_hex(3)}.csr.pem"
    async with context.tokens(operator) as tokens:
        token = await context.token(tokens)
        made = await request_certificate(
            tokens,
            token,
            name.build(dossier.subject),
            out,
            kind=kind,
            label=context.bureau.code,
            email=dossier.email,
            owner=f"{context.visit}/{context.item.id}",
            made=lambda: context.changed(M("A key was made on the token {token}.", token=token.name)),
        )
    attached = await asyncio.to_thread(context.attach, out, out.name)
    finding = Finding("request-made", "pass", M("Written: {file}", file=str(out)), made.sha256)
    operator.show_finding(finding)
    return Evidence(
        verdict="pass",
        summary=M(
            "The key is on the token {token}; the request goes to the authority: {file}",
            token=token.name,
            file=out.name,
        ),
        findings=(finding,),
        facts=token_facts(token) | {"key_id": made.id, "key": made.key, "request_sha256": made.sha256},
        files=(attached,),
    )

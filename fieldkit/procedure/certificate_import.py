"""Put a certificate file with its key onto the visit's token, and prove the key by a signature."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fieldkit.action.import_certificate import import_certificate, read_identity
from fieldkit.certificate.acceptance import admit
from fieldkit.certificate.identity import Identity
from fieldkit.operator import Operator, ask_for_file
from fieldkit.procedure.certificate_facts import PROVED, described, facts
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence
from fieldkit.text import M


async def run(context: Context, operator: Operator) -> Evidence:
    """Read the file the person names, show what it holds and what will be written, import and prove it."""
    path = await ask_for_file(operator, "certificate-file", M("The certificate file (PKCS#12)"))
    holder = await read_identity(path, operator, context.material().purposes)
    with holder.key:
        return await put_on_token(context, operator, holder, path)


async def put_on_token(context: Context, operator: Operator, holder: Identity, path: Path) -> Evidence:
    """The evidence of an import of `holder`, which was read from `path`.

    :raises CertificateRevoked, DossierMismatch: it is not the certificate that may be handed over.
    """
    description = await asyncio.to_thread(
        described, context, holder.certificate, holder.chain, has_private_key=bool(holder.key)
    )
    for finding in description.findings:
        operator.say(finding)
    admit(description, holder.name)
    with_key = bool(holder.key)
    done = M("The certificate of {subject} is on the token and proved.", subject=holder.name)
    async with context.tokens(operator) as tokens:
        token = await context.token(tokens)
        report = await import_certificate(
            tokens,
            token,
            holder,
            description,
            source=path.name,
            label=context.bureau.code,
            again=True,
            imported=lambda: context.changed(done),
        )
    operator.say(PROVED)
    return Evidence(
        verdict="pass",
        summary=done,
        findings=(*description.findings, PROVED),
        facts=facts(token, report.id, description)
        | {"chain": len(holder.chain) if with_key else len(report.chain)},
    )

"""Put a certificate onto a token: with its key from a file, or joined to the key that was made there.

    done = await import_certificate(tokens, token, holder, description, source="mau.p12", label="MAU-01")

It is a transaction: checked first, written, proved by a signature; what fails is removed or named.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from fieldkit.action.token_access import TokenAccess, finish
from fieldkit.certificate import files, identity, inspect
from fieldkit.certificate.identity import Identity
from fieldkit.certificate.inspect import Description
from fieldkit.operator import Operator, Plan, SecretRequest
from fieldkit.secret import Secret
from fieldkit.text import M, Message
from fieldkit.token import importing, settling
from fieldkit.token.errors import DuplicateKey
from fieldkit.token.intents import Intent, Intents
from fieldkit.token.model import StoredCertificate, Token
from fieldkit.token.session import Session
from fieldkit.token.settling import ImportReport


async def read_identity(path: Path, operator: Operator, purposes: tuple[str, ...] = ()) -> Identity:
    """Key, certificate and chain of a file; its password is asked for once, and only if the file wants one.

    :raises FileUnreadable, PasswordIncorrect, ...: see `certificate.files.read_contents`.
    """
    data = await asyncio.to_thread(files.load, path)

    def unlocked(password: Secret | None) -> Identity:
        contents = files.read_contents(data, password, name=path.name)
        return identity.identity(contents, at=datetime.now(UTC), purposes=purposes)

    if not files.wants_password(data):
        return await asyncio.to_thread(unlocked, None)
    title = M("Password of the file {name}", name=path.name)
    with await operator.secret(SecretRequest(role="password", title=title)) as password:
        return await asyncio.to_thread(unlocked, password)


async def read_issued(path: Path, purposes: tuple[str, ...] = ()) -> Identity:
    """The certificate that an authority issued for a key on a token, with the chain beside it."""

    def joined() -> Identity:
        contents = files.read_contents(files.load(path), None, name=path.name)
        return identity.joined(contents, at=datetime.now(UTC), purposes=purposes)

    return await asyncio.to_thread(joined)


async def import_certificate(
    tokens: TokenAccess,
    token: Token,
    holder: Identity,
    description: Description,
    *,
    source: str,
    label: str,
    again: bool = False,
    imported: Callable[[], None] = lambda: None,
) -> ImportReport:
    """Show what will be written, ask for the PIN, write it and prove it.

    holder: without a key, its certificate is joined to the key on the token that it belongs to. source: the
    file's name. again: where an earlier run finished the same import, prove that and report it.
    imported: called as soon as the certificate is on the token and proved.

    :raises NotConsented: the token is as it was.
    :raises DuplicateKey, ForeignCertificate, KeyNotFound, TokenFull: nothing was written.
    :raises ImportIncomplete: it failed, and what is named could not be removed.
    """
    present = await tokens.in_session(token, lambda session: session.certificates())
    with tokens.intents() as intents:
        leftovers = await asyncio.to_thread(settling.leftovers, token, intents)
        await tokens.consent(
            plan(token, holder, description, source, present, leftovers),
            M("The certificate was not imported: not agreed to."),
        )

        def write(session: Session) -> ImportReport:
            try:
                report = _write(tokens, session, holder, label, intents, leftovers)
            except DuplicateKey:
                done = importing.there_already(session, holder.certificate) if again else None
                if done is None:
                    raise
                return done
            imported()
            return report

        return await tokens.log_in(token, lambda session: finish(write, session))


def _write(
    tokens: TokenAccess,
    session: Session,
    holder: Identity,
    label: str,
    intents: Intents,
    agreed: Sequence[Intent],
) -> ImportReport:
    if not holder.key:
        return importing.import_certificate(
            session, holder.certificate, label, holder.chain, intents=intents, agreed=agreed
        )
    return importing.import_identity(
        session, holder, label, intents=intents, agreed=agreed, progress=tokens.operator.progress
    )


def plan(
    token: Token,
    holder: Identity,
    description: Description,
    source: str,
    present: Sequence[StoredCertificate],
    leftovers: Sequence[Intent],
) -> Plan:
    """What the import writes, and what of an earlier one it removes."""
    doubts = [
        finding.message
        for finding in description.findings
        if finding.severity in ("fail", "warning", "not-checked")
    ]
    written: tuple[Message, ...] = (
        M("Written from {file}: the certificate, for the key on the token.", file=source),
    )
    if holder.key:
        written = (
            M("Key: {key}; it can never leave the token again.", key=description.key),
            M(
                "Written from {file}: the key, the certificate, {chain} authority certificate(s).",
                file=source,
                chain=len(holder.chain),
            ),
        )
    return Plan(
        title=M("Import a certificate onto the token {name}", name=token.name),
        steps=(
            M("Certificate: {subject}", subject=description.subject),
            M("Issuer: {issuer}", issuer=description.issuer),
            inspect.valid(description),
            *doubts,
            *written,
            M("The key then signs once, and the certificate must verify it."),
            present_certificates(present),
            *map(settling.removal, leftovers),
        ),
        keeps=M("If anything fails, what was written is removed and you are told."),
    )


def present_certificates(present: Sequence[StoredCertificate]) -> Message:
    """What is on a token before something is written to it."""
    if not present:
        return M("There is no certificate on the token yet.")
    names = ", ".join(certificate.label or certificate.id for certificate in present)
    return M("On the token already: {names}.", names=names)

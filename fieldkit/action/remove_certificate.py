"""Remove a certificate and its key from a token, for good. A key that another certificate needs stays."""

from __future__ import annotations

import asyncio

import msgspec

from fieldkit.action.token_access import TokenAccess, finish
from fieldkit.operator import Plan
from fieldkit.text import M
from fieldkit.token.errors import CertificateNotFound
from fieldkit.token.model import Token
from fieldkit.token.session import Session, needed_by_others


class Removal(msgspec.Struct, frozen=True):
    """What was removed. id: CKA_ID or SHA-256 of it. gone, left: objects removed, and that the token kept."""

    id: str
    name: str
    gone: int
    left: int


class _Target(msgspec.Struct, frozen=True):
    """spec: what `Session.remove` is given. key_stays: another certificate needs the key."""

    spec: str
    id: str
    name: str
    key_stays: bool = False


async def remove_certificate(tokens: TokenAccess, token: Token, spec: str) -> Removal:
    """Show what is destroyed, have its identifier typed, ask for the PIN, and remove it.

    spec: CKA_ID, label or SHA-256; "" is the only certificate with a key.

    :raises NotConsented, CertificateNotFound, CertificateAmbiguous: nothing was changed.
    """
    planned = await asyncio.to_thread(tokens.agents.identity, token)
    target = await tokens.in_session(token, lambda session: _target(session, spec))
    plan = Plan(
        title=M("Remove {what} from the token {token}", what=target.name, token=token.name),
        steps=(
            M("The certificate is removed. Its key stays: another certificate on the token needs it.")
            if target.key_stays
            else M("Key and certificate are destroyed. Signatures made with them stay valid."),
            M("Identifier: {id}", id=target.id),
        ),
        keeps=M("Everything else on the token stays."),
        confirm=target.id[:8],
    )
    await tokens.consent(plan, M("Nothing was done: not agreed to."))
    async with tokens.logged_in(token, planned) as session:
        removed = await finish(session.remove, target.spec, key_stays=target.key_stays)
    return Removal(target.id, target.name, len(removed.gone), len(removed.left))


def _target(session: Session, spec: str) -> _Target:
    try:
        chosen = session.certificate(spec)
    except CertificateNotFound:
        if not spec:
            raise
        return _Target(spec, spec, spec)  # it may be a key without a certificate, which a login shows
    key_stays = needed_by_others(chosen, session.certificates())
    identifier = chosen.id if chosen.has_private_key and chosen.id and not key_stays else chosen.sha256
    return _Target(chosen.sha256, identifier, chosen.label or chosen.id, key_stays)

"""Make a key on a token and the request for its certificate:

    made = await request_certificate(tokens, token, subject, Path("mau.csr.pem"), kind="rsa:2048")

An interrupted request's key is used again by the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fieldkit.access import make_private_folder
from fieldkit.action.token_access import TokenAccess, finish
from fieldkit.certificate import name, request
from fieldkit.operator import Plan
from fieldkit.text import M
from fieldkit.token import importing
from fieldkit.token.model import Token
from fieldkit.token.session import Session

if TYPE_CHECKING:
    from cryptography import x509


async def request_certificate(
    tokens: TokenAccess,
    token: Token,
    subject: x509.Name,
    out: Path,
    *,
    kind: request.RequestedKind = "rsa:2048",
    key_id: str = "",
    label: str = "",
    email: str = "",
    owner: str = "",
    made: Callable[[], None] = lambda: None,
) -> request.CertificateRequest:
    """Show subject, kind of key and file; make the key, have it sign the request, and write that to `out`.

    key_id: use this key of the token instead of making one. owner: the step of a visit that asks.
    made: called as soon as the key is on the token.

    :raises RequestInvalid, NotConsented: nothing was changed.
    :raises CertificateRequestFailed: the new key was removed.
    """
    request.check_email(email)
    plan = Plan(
        title=M("Make a certificate request on the token {token}", token=token.name),
        steps=(
            M("Subject: {subject}", subject=name.text(subject)),
            M("Key: {key}, already on the token", key=key_id)
            if key_id
            else M("Key: {key}, made on the token; it can never leave it", key=kind),
            M("Request: {file}", file=str(out)),
        ),
        keeps=M("What is on the token stays. If it fails, the new key is removed."),
    )
    await tokens.consent(plan, M("No request was made: not agreed to."))
    make_private_folder(out.parent)
    with tokens.intents() as intents:

        def make(session: Session) -> request.CertificateRequest:
            def with_key(key: str, begin: Callable[[str], None] | None = None) -> request.CertificateRequest:
                return request.make(
                    session, subject, out, kind=kind, key_id=key, label=label, email=email, begin=begin
                )

            report = (
                with_key(key_id) if key_id else importing.requested(session, intents, with_key, owner=owner)
            )
            made()
            return report

        return await tokens.log_in(token, lambda session: finish(make, session))

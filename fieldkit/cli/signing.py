"""One signature's worth of a token, for commands that sign something beside PDFs given to `fieldkit sign`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fieldkit import errors
from fieldkit.cli.frame import Call
from fieldkit.operator import Plan
from fieldkit.text import M, Said

if TYPE_CHECKING:
    from fieldkit.signature.sign import RawSigner


@contextlib.contextmanager
def token_signer(call: Call, token: str, certificate: str, what: Said) -> Iterator[RawSigner]:
    """The key of `certificate` on `token`, after one PIN. what: what it will sign, shown to whoever is there.

    A script that gives the PIN has agreed by giving it.
    """
    from fieldkit.cli.sign import material
    from fieldkit.cli.token import agents, ask_pin, last_try
    from fieldkit.validation.trust import chain_of

    known = material(call, call.profiles())
    with agents(call) as running:
        found = running.find(token)
        with running.session(found) as session:  # its certificate first: no PIN goes to a wrong token
            chosen = session.certificate(certificate)
            issuers = [each.der for each in session.certificates() if each.der != chosen.der]
        console = call.console()
        plan = Plan(title=M("Sign with the token {token}", token=found.name), steps=(what,))
        if console.attended and not asyncio.run(console.consent(plan)):
            raise errors.NotConsented(
                M("Nothing was signed: not agreed to."), unchanged=M("Nothing was changed.")
            )
        confirmed = last_try(call, found)
        with (
            ask_pin(call, found) as pin,
            running.session(found, pin, confirmed_last_try=confirmed) as session,
        ):
            chain = chain_of(chosen.der, (*issuers, *known.others, *known.anchors))
            yield session.signer(session.certificate(chosen.sha256), chain)

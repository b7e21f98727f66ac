"""One signature's worth of a token, for commands that sign something beside PDFs given to `fieldkit sign`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from fieldkit.cli.frame import Call
from fieldkit.text import Said

if TYPE_CHECKING:
    from fieldkit.action.exchange_documents import Signing
    from fieldkit.signature.raw_signer import RawSigner


Result = TypeVar("Result")


def signing_with(call: Call, token: str, certificate: str, what: Said) -> Signing:
    """Does a work with the key of `certificate` on `token`, after one PIN. what: what it signs, shown before.

    A script that gives the PIN has agreed by giving it.
    """

    async def signing(work: Callable[[RawSigner], Result]) -> Result:
        from fieldkit.action.sign_documents import one_signature
        from fieldkit.action.trust_material import gather
        from fieldkit.cli.token import access

        profiles = call.profiles()
        material = gather(call.home, profiles, profiles.trusted)
        consented = not call.console().attended
        async with (
            access(call) as tokens,
            one_signature(tokens, token, certificate, what, material, consented=consented) as signer,
        ):
            return await asyncio.to_thread(work, signer)

    return signing

"""What a procedure works with: the visit's answers so far, the profiles, folders and attachments."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import msgspec

from fieldkit.action.token_access import TokenAccess, chained_signer, open_tokens
from fieldkit.action.trust_material import TrustMaterial, gather
from fieldkit.checklist.kinds import Item, Role
from fieldkit.home import Home
from fieldkit.journal.store import Store
from fieldkit.operator import Operator
from fieldkit.procedure.evidence import TOKEN_STEPS, Evidence
from fieldkit.profile.model import Bureau, Profiles, TokenProfile
from fieldkit.text import M, Message
from fieldkit.token.model import StoredCertificate, Token
from fieldkit.token.session import Session, Signer

PATIENCE = 600.0  # seconds until a step without anybody in front of it ends; it can be run again


class TokenChanged(Protocol):
    """Takes what a step did to a token the moment it is done; may be called from any thread."""

    def __call__(self, done: Message, *, erased: str = "") -> None: ...


def _of_no_step(done: Message, *, erased: str = "") -> None:
    """Where no step of a visit runs, nobody has to be told what one left behind."""


class Context(msgspec.Struct, frozen=True):
    """The surroundings of one run of one procedure.

    visit, item: whose evidence is made. bureau, profiles: for whom and with what.
    answers: item id to value, of the items in force; roles: the same by what fieldkit itself does with it.
    evidence: the latest that counts of each item before this one, with the procedure that left it: what
    failed, or is about another token, is not among it.
    folder: the visit's working files. modules: PKCS#11 modules named besides the profiles'.
    changed: called as `context.changed(M("…"))` as soon as something on a token is no longer as it was; it is
    on disk when that returns, so that a step that is stopped or killed afterwards leaves its trace, and is
    said when the step is run again. erased: the serial number of a token that was initialised: what the
    visit knew of it counts no more. Evidence that the step leaves in the end takes the place of both.
    """

    home: Home
    store: Store
    profiles: Profiles
    visit: str
    item: Item
    bureau: Bureau
    folder: Path
    answers: Mapping[str, Any]
    evidence: tuple[tuple[str, Evidence], ...]
    modules: tuple[str, ...] = ()
    roles: Mapping[Role, Any] = {}
    changed: TokenChanged = _of_no_step

    def fact(self, name: str, procedures: Sequence[str] = TOKEN_STEPS) -> Any:
        """The fact `name` that the first of `procedures` left which knows it; None if none does."""
        for procedure in procedures:
            for left_by, evidence in self.evidence:
                if left_by == procedure and evidence.facts.get(name):
                    return evidence.facts[name]
        return None

    @property
    def token_profile(self) -> TokenProfile | None:
        """The kind of token that the bureau is to have."""
        return self.profiles.tokens.get(self.bureau.token)

    def tokens(self, operator: Operator) -> AbstractAsyncContextManager[TokenAccess]:
        """The tokens of the modules named, and of the bureau's kind of token."""
        profile = self.token_profile
        return open_tokens(
            self.home,
            self.profiles,
            operator,
            named=self.modules,
            kinds=(profile,) if profile is not None else (),
            store=lambda: contextlib.nullcontext(self.store),
            patience=PATIENCE,
        )

    async def token(self, tokens: TokenAccess) -> Token:
        """The visit's token: an earlier step's, else the only one here, else the person's choice."""
        serial = self.fact("serial")
        if serial:
            return await tokens.find(str(serial))
        ready = [token for token in await tokens.list() if token.initialized]
        return await tokens.choose(ready, M("Which token?"))

    async def certificate(self, tokens: TokenAccess, token: Token, sha256: str = "") -> StoredCertificate:
        """The certificate on `token` that an earlier step settled, unless another is named."""
        return await tokens.certificate(token, sha256 or str(self.fact("sha256") or ""))

    def signer(self, session: Session, certificate: StoredCertificate) -> Signer:
        """A signer with the key of `certificate` and the chain that token or profiles hold for it."""
        return chained_signer(session, certificate, self.material())

    def material(self) -> TrustMaterial:
        """What the bureau's certificate is judged by, as far as it is here."""
        return gather(self.home, self.profiles, (self.bureau.authority,))

    def attach(self, source: Path | bytes, name: str) -> dict[str, str | int]:
        """Keep a file with the visit for good; return its reference for `Evidence.files`."""
        attachment = self.store.attach(source, name)
        return {"sha256": attachment.sha256, "size": attachment.size, "name": attachment.name}

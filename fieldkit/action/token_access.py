"""Reaching tokens for one person: which modules are asked, which token is meant, which PIN is asked for.

    async with open_tokens(home, profiles, operator, store=open_store) as tokens:
        token = await tokens.find("MAU-01")
        present = await tokens.in_session(token, lambda session: session.certificates())
        await tokens.log_in(token, lambda session: asyncio.to_thread(prove, session, present[0]))

Nothing is asked or told but through the operator.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Literal, ParamSpec, TypeVar

from fieldkit import errors
from fieldkit.action.trust_material import TrustMaterial
from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding
from fieldkit.home import Home
from fieldkit.journal.errors import StoreDamaged, StoreUnavailable
from fieldkit.journal.store import Store
from fieldkit.operator import Operator, Option, Plan, Progress, Question, SecretRequest
from fieldkit.profile.model import Profiles, TokenProfile
from fieldkit.secret import Secret
from fieldkit.text import M, Message, Said
from fieldkit.token import faults, guard, policy
from fieldkit.token.agents import Agents
from fieldkit.token.attempts import Attempts, TokenIdentity, recorded
from fieldkit.token.errors import TokenNotFound, TokenRemoved
from fieldkit.token.intents import Intents, MemoryIntents, StoredIntents
from fieldkit.token.kinds import modules, profile_of, traits
from fieldkit.token.model import StoredCertificate, Token, Unblock
from fieldkit.token.policy import PinRules
from fieldkit.token.session import Session, Signer
from fieldkit.token.watch import wait_for

Result = TypeVar("Result")
P = ParamSpec("P")
OpenStore = Callable[[], contextlib.AbstractContextManager[Store]]
POLL = 0.3  # seconds between looks for a token that was pulled out
UNCHANGED = M("Nothing was changed on the token.")


@contextlib.contextmanager
def open_agents(
    home: Home,
    profiles: Profiles,
    *,
    named: Sequence[str] = (),
    kinds: Iterable[TokenProfile] | None = None,
    store: OpenStore | None = None,
) -> Iterator[Agents]:
    """The agents of the modules to ask: those named first, then the installed ones of these kinds of token.

    kinds: every kind there is a profile of unless given. store: opens the local store, in which release 0.1
    counted wrong PINs.
    """
    attempts = Attempts()
    if store is not None and os.path.lexists(home.store):
        opened = store

        def earlier() -> dict[str, int]:
            with opened() as local:
                return recorded(local)

        attempts.adopt(str(home.store), earlier)
    every = profiles.tokens.values()
    with Agents(
        modules(every if kinds is None else kinds, named),
        home.logs,
        attempts,
        traits=traits(every),
        named=named,
    ) as agents:
        yield agents


@contextlib.asynccontextmanager
async def open_tokens(
    home: Home,
    profiles: Profiles,
    operator: Operator,
    *,
    named: Sequence[str] = (),
    kinds: Iterable[TokenProfile] | None = None,
    store: OpenStore | None = None,
    patience: float = 0,
) -> AsyncIterator[TokenAccess]:
    """The tokens that are here, for `operator`; see `open_agents`. The agents end with the block.

    patience: seconds in which a token that was pulled out is waited for; 0 ends the work at once.
    """
    with contextlib.ExitStack() as stack:
        agents = stack.enter_context(open_agents(home, profiles, named=named, kinds=kinds, store=store))
        try:
            yield TokenAccess(agents, profiles, operator, store, patience)
        finally:
            await asyncio.to_thread(stack.close)


class TokenAccess:
    """The tokens of some modules, and the person who enters their PINs. Made by `open_tokens`."""

    def __init__(
        self,
        agents: Agents,
        profiles: Profiles,
        operator: Operator,
        store: OpenStore | None = None,
        patience: float = 0,
    ) -> None:
        self.agents = agents
        self.profiles = profiles
        self.operator = operator
        self._store = store
        self._patience = patience

    async def list(self) -> list[Token]:
        """Every token of the modules."""
        return await asyncio.to_thread(self.agents.tokens)

    async def find(self, name: str) -> Token:
        """The token of this URI, label or serial number.

        :raises TokenNotFound, TokenAmbiguous: none is, or several are.
        """
        return await asyncio.to_thread(self.agents.find, name)

    async def choose(self, tokens: Sequence[Token], title: Said) -> Token:
        """The only one of `tokens`, or the one the person picks.

        :raises TokenNotFound: there is none.
        """
        if not tokens:
            raise TokenNotFound(
                M("No token that would do is here."),
                unchanged=M("Nothing was changed."),
                hint=M("Plug the token in, wait for its light, and run this step again."),
            )
        if len(tokens) == 1:
            return tokens[0]
        options = tuple(
            Option(token.uri, token.label or token.serial or M("slot {slot}", slot=token.slot), token.model)
            for token in tokens
        )
        picked = await self.operator.ask(
            Question(id="token", title=title, options=options, default=options[0].value)
        )
        return next(token for token in tokens if token.uri == picked)

    def profile_of(self, token: Token) -> TokenProfile | None:
        """The profile of the kind of token that `token` is."""
        return profile_of(token, self.profiles.tokens.values())

    def rules(self, token: Token, expected: TokenProfile | None = None) -> PinRules:
        """The rules for a new PIN of `token`, and of the kind that the bureau is expected to have."""
        kinds = filter(None, (self.profile_of(token), expected))
        return policy.rules_of(tuple(kinds), self.profiles.tokens.values())

    @contextlib.contextmanager
    def intents(self) -> Iterator[Intents]:
        """Where imports under way are kept: in the store, or for this run where it cannot be written."""
        with contextlib.ExitStack() as stack:
            intents: Intents = MemoryIntents()
            if self._store is not None:
                with contextlib.suppress(StoreDamaged, StoreUnavailable):
                    store = stack.enter_context(self._store())
                    if store.read_only is None:
                        intents = StoredIntents(store.db)
            yield intents

    async def consent(self, plan: Plan, refused: Message) -> None:
        """Show `plan` to the person, and go on only if they agree.

        :raises NotConsented: they do not; `refused` says what was not done.
        """
        if not await self.operator.consent(plan):
            raise errors.NotConsented(refused, unchanged=UNCHANGED)

    async def in_session(self, token: Token, work: Callable[[Session], Result]) -> Result:
        """Do `work` in a thread, in a session without a login; again if the token is pulled and put back."""

        def once(now: Token) -> Result:
            with self.agents.session(now) as session:
                return work(session)

        return await self._until_done(token, lambda now: asyncio.to_thread(once, now))

    async def certificate(self, token: Token, spec: str = "") -> StoredCertificate:
        """The certificate that `spec` means, without a login: no PIN goes to a token that lacks it."""
        return await self.in_session(token, lambda session: session.certificate(spec))

    async def log_in(self, token: Token, work: Callable[[Session], Awaitable[Result]]) -> Result:
        """Do `work` in a session for which the person entered the PIN; if the token is pulled, wait for it.

        When the same token is back the person is asked for the PIN again, and `work` is done again: it has
        to be such that what it did before is seen and not done twice. A token pulled out while it judged
        the PIN ends the step: that attempt may have counted, and no other is made unasked.
        """

        async def once(now: Token) -> Result:
            try:
                async with self.logged_in(now) as session:
                    return await work(session)
            except TokenRemoved as error:
                if error.data.get("counted"):
                    raise _RemovedWhileJudging(error) from error
                raise

        try:
            return await self._until_done(token, once)
        except _RemovedWhileJudging as ended:
            raise ended.error from None

    @contextlib.asynccontextmanager
    async def logged_in(self, token: Token, planned: TokenIdentity | None = None) -> AsyncIterator[Session]:
        """A session for which the person entered the PIN, once; closed with the block.

        planned: what the person was shown; no other token of the same name gets the PIN.
        """
        confirmed = await confirm_last_try(self.operator, token)
        with await ask_pin(self.operator, token) as pin:
            session = await asyncio.to_thread(
                self.agents.session, token, pin, confirmed_last_try=confirmed, planned=planned
            )
        try:
            yield session
        finally:
            await asyncio.to_thread(session.close)

    async def _until_done(self, token: Token, once: Callable[[Token], Awaitable[Result]]) -> Result:
        while True:
            try:
                return await once(token)
            except FieldkitError as error:
                if not self._patience or not was_removal(error) or error.data.get("stopped"):
                    raise
                token = await self.back(token)

    async def back(self, token: Token) -> Token:
        """Wait until `token` is plugged in again; break it off by cancelling the step.

        :raises TokenRemoved: nobody did in time, or it has no serial number to know it again by.
        """
        if not token.numbered:
            raise faults.removed(token)
        self.operator.show_finding(
            Finding(
                "token-removed",
                "warning",
                M("The token {token} was pulled out; the step waits for it.", token=token.name),
                token.serial,
                M("Plug the same token in again. The step then goes on and asks for the PIN once more."),
            )
        )
        self.operator.progress(Progress(M("Waiting for the token {token}", token=token.name)))
        stop = threading.Event()
        patience = threading.Timer(self._patience, stop.set)
        patience.daemon = True
        patience.start()
        try:
            returned = await asyncio.to_thread(
                wait_for, self.agents, lambda other: same_device(other, token), stop=stop, interval=POLL
            )
        finally:
            patience.cancel()
            stop.set()
        if returned is None:
            raise faults.removed(token)
        self.operator.show_finding(
            Finding("token-back", "info", M("The token {token} is back; the step goes on.", token=token.name))
        )
        return await asyncio.to_thread(self.agents.again, returned)


class _RemovedWhileJudging(Exception):
    """The token was pulled out while it judged a PIN."""

    def __init__(self, error: TokenRemoved) -> None:
        super().__init__()
        self.error = error


def was_removal(error: FieldkitError) -> bool:
    """Whether it failed because the token was pulled out."""
    return isinstance(error, TokenRemoved) or error.data.get("cause") == TokenRemoved.code


def same_device(one: Token, other: Token) -> bool:
    """Two listings show the same token, by serial number and label; without a number nobody can tell."""
    return one.numbered and (one.raw_serial, one.raw_label) == (other.raw_serial, other.raw_label)


def chained_signer(session: Session, certificate: StoredCertificate, material: TrustMaterial) -> Signer:
    """A signer with the key of `certificate`, and the chain that the token or the profiles hold for it."""
    from fieldkit.validation.trust import chain_of

    own = session.certificate(certificate.sha256)
    issuers = [stored.der for stored in session.certificates() if stored.der != own.der]
    return session.signer(own, chain_of(own.der, (*issuers, *material.others, *material.anchors)))


async def finish(work: Callable[P, Result], *arguments: P.args, **options: P.kwargs) -> Result:
    """Do in a thread what must not be broken off half way.

    A cancellation waits for its end; what was done then is told and recorded as if nobody had stopped it.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work, *arguments, **options))
    stopped = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            stopped = True
            if (current := asyncio.current_task()) is not None:
                current.uncancel()
    try:
        return task.result()
    except FieldkitError as error:
        if stopped:
            error.data["stopped"] = True
        raise


async def ask_pin(operator: Operator, token: Token, title: Said | None = None) -> Secret:
    """The user PIN of `token`, with what its state warns of; empty where it is typed on the token itself."""
    if token.protected_path:
        return _typed_on(operator, token)
    warning = None
    if token.pin_state == "low":
        warning = guard.in_words(M("A wrong {code} was entered before. Few attempts are left."), "pin")
    return await operator.secret(
        SecretRequest(
            role="pin", title=title or M("PIN of the token {name}", name=token.name), warning=warning
        )
    )


async def ask_new_pin(
    operator: Operator, token: Token, rules: PinRules, role: Literal["pin", "new-pin"] = "new-pin"
) -> Secret:
    """A user PIN that `rules` allow, typed twice; empty where it is typed on the token itself."""
    if token.protected_path:
        return Secret("")
    return await operator.secret(
        SecretRequest(role=role, title=M("New PIN"), new=True, check=rules.check(token))
    )


async def ask_unblocking_code(operator: Operator, token: Token) -> Secret:
    """The code that unblocks the PIN of `token`, or initialises it, by the name it has on such tokens."""
    if token.protected_path:
        return _typed_on(operator, token)
    name = guard.code(token, so=True)
    title = M("SO PIN or PUK of the token {token}", token=token.name)
    if token.unblock in ("puk", "so-pin"):
        title = guard.in_words(M("{code} of the token {token}"), name, token=token.name)
    warning = None
    if token.so_pin_state == "low":
        warning = guard.in_words(M("A wrong {code} was entered before. Few attempts are left."), name)
    return await operator.secret(SecretRequest(role=name, title=title, warning=warning))


def _typed_on(operator: Operator, token: Token) -> Secret:
    operator.progress(Progress(M("Enter the PIN on the keypad of the token {name}", name=token.name)))
    return Secret("")


LAST_PIN: dict[Unblock, Message] = {
    "so-pin": M(
        "This is the last attempt: one more wrong PIN locks the PIN, and then only the SO PIN unblocks it."
    ),
    "puk": M(
        "This is the last attempt: one more wrong PIN locks the PIN, and then only the PUK unblocks it."
    ),
    "authority": M(
        "This is the last attempt: one more wrong PIN locks the PIN, "
        "and then only the token's issuer unblocks it."
    ),
    "unknown": M(
        "This is the last attempt: one more wrong PIN locks the PIN, "
        "and then only the SO PIN or PUK unblocks it."
    ),
}
LAST_CODE = M("This is the last attempt: one more wrong {code} locks it for good.")


async def confirm_last_try(operator: Operator, token: Token, *, so: bool = False) -> bool:
    """On a token's last attempt, True if the person typed the token's serial number to go on.

    False where nobody is here to type it: the token's guard refuses then.

    :raises PinFinalTry: something else was typed; no PIN is asked for.
    """
    if (token.so_pin_state if so else token.pin_state) != "final":
        return False
    wanted = token.serial or token.name
    if token.uncounted:
        warning = M(
            "Wrong PINs for the token {token} cannot be counted here ({reason}): "
            "this may be its last attempt.",
            token=token.name,
            reason=token.uncounted,
        )
    elif so:
        warning = guard.in_words(LAST_CODE, guard.code(token, so))
    else:
        warning = LAST_PIN[token.unblock]
    title = M("{warning} To go on, type the token's serial number {serial}", warning=warning, serial=wanted)
    try:
        typed = await operator.ask(Question(id="confirm-last-try", title=title))
    except errors.Missing:
        return False
    if typed.strip() != wanted:
        raise guard.final_try(token, so=so)
    return True

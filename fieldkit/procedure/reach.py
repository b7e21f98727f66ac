"""How procedures reach a token: which modules are asked, which token is meant, which PIN is asked for."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Literal, TypeVar

from fieldkit import errors
from fieldkit.errors import FieldkitError
from fieldkit.home import Home
from fieldkit.operator import Finding, Operator, Option, Progress, Question, SecretRequest
from fieldkit.procedure.context import Context
from fieldkit.profile.model import Profiles
from fieldkit.secret import Secret
from fieldkit.text import M, Message, Said
from fieldkit.token import faults, guard, policy
from fieldkit.token.agents import Agents
from fieldkit.token.attempts import Attempts, recorded
from fieldkit.token.errors import TokenNotFound, TokenRemoved
from fieldkit.token.model import StoredCertificate, Token, Unblock
from fieldkit.token.session import Session, Signer
from fieldkit.token.watch import told, wait_for, watch

Result = TypeVar("Result")
PATIENCE = 600.0  # seconds until a step without anybody in front of it ends; it can be run again
POLL = 0.3  # seconds between looks for a token that was pulled out

HOLDERS = (
    "token_setup",
    "certificate_check",
    "certificate_import",
    "certificate_join",
    "certificate_request",
    "pin_change",
)
"""The items whose evidence says which token, and which certificate, the visit is about."""


def modules(context: Context) -> tuple[str, ...]:
    """The modules to ask: named ones first, then those of the bureau's token profile that are here."""
    profile = context.profiles.tokens.get(context.bureau.token)
    here = profile.installed_modules() if profile is not None else ()
    return tuple(dict.fromkeys((*context.modules, *here)))


@contextlib.asynccontextmanager
async def agents(context: Context) -> AsyncIterator[Agents]:
    """The agents for the visit's modules, ended with the block."""
    attempts = Attempts()
    attempts.adopt(str(context.home.store), lambda: recorded(context.store))
    running = Agents(
        modules(context),
        context.home.logs,
        attempts,
        tries=policy.tries(context.profiles.tokens.values()),
        unblock=policy.unblock(context.profiles.tokens.values()),
        named=context.modules,
    )
    try:
        yield running
    finally:
        await asyncio.to_thread(running.close)


def plugged(
    home: Home, profiles: Profiles, modules: Sequence[str], stop: threading.Event
) -> Iterator[Finding]:
    """Each token that is plugged in or pulled out, beginning with those that are there; until `stop` is set.

    It blocks: run it in a thread of its own, and not while a step of the visit uses the same modules.
    """
    here = [path for profile in profiles.tokens.values() for path in profile.installed_modules()]
    with Agents(tuple(dict.fromkeys((*modules, *here))), home.logs, named=modules) as running:
        for change in watch(running, stop=stop):
            yield told(change)


async def choose(found: Sequence[Token], operator: Operator, title: Said) -> Token:
    """The token meant: the only one, or the one the person picks.

    :raises TokenNotFound: there is none.
    """
    if not found:
        raise TokenNotFound(
            M("No token that would do is here."),
            unchanged=M("Nothing was changed."),
            hint=M("Plug the token in, wait for its light, and run this step again."),
        )
    if len(found) == 1:
        return found[0]
    options = tuple(
        Option(token.uri, token.label or token.serial or M("slot {slot}", slot=token.slot), token.model)
        for token in found
    )
    picked = await operator.ask(Question(id="token", title=title, options=options, default=options[0].value))
    return next(token for token in found if token.uri == picked)


async def visit_token(context: Context, running: Agents, operator: Operator) -> Token:
    """The visit's token: the one an earlier step used, else the only one here, else the person's choice."""
    for step in HOLDERS:
        serial = context.fact(step, "serial")
        if serial:
            return await asyncio.to_thread(running.find, str(serial))
    found = [token for token in await asyncio.to_thread(running.tokens) if token.initialized]
    return await choose(found, operator, M("Which token?"))


async def visit_certificate(
    context: Context, running: Agents, token: Token, wanted: str = ""
) -> StoredCertificate:
    """The certificate the visit is about, found without a login: no PIN goes to a token that lacks it.

    wanted: its SHA-256; the one that an earlier step settled unless given.
    """
    wanted = wanted or next((found for step in HOLDERS if (found := context.fact(step, "sha256"))), "")
    with await asyncio.to_thread(running.session, token) as looking:
        return await asyncio.to_thread(looking.certificate, str(wanted))


@contextlib.asynccontextmanager
async def logged_in(running: Agents, operator: Operator, token: Token) -> AsyncIterator[Session]:
    """A session for which the person entered the PIN, once; closed with the block."""
    confirmed = await confirm_last_try(operator, token)
    with await ask_pin(operator, token) as pin:
        session = await asyncio.to_thread(running.session, token, pin, confirmed_last_try=confirmed)
    try:
        yield session
    finally:
        await asyncio.to_thread(session.close)


async def with_login(
    running: Agents, operator: Operator, token: Token, work: Callable[[Session], Awaitable[Result]]
) -> Result:
    """Do `work` in a session for which the person entered the PIN; if the token is pulled out, wait for it.

    When the same token is back the person is asked for the PIN again, and `work` is done again: it has to
    be such that what it did before is found and not done twice. A token pulled out while it judged the PIN
    ends the step: that attempt may have counted, and no other is made unasked.
    """

    async def once(now: Token) -> Result:
        try:
            async with logged_in(running, operator, now) as session:
                return await work(session)
        except TokenRemoved as error:
            if error.data.get("counted"):
                raise _Judging(error) from error
            raise

    try:
        return await _until_done(running, operator, token, once)
    except _Judging as ended:
        raise ended.error from None


async def looking(
    running: Agents, operator: Operator, token: Token, work: Callable[[Session], Result]
) -> Result:
    """Do `work` in a thread, in a session without a login; again if the token is pulled out and put back."""

    def look(now: Token) -> Result:
        with running.session(now) as session:
            return work(session)

    return await _until_done(running, operator, token, lambda now: asyncio.to_thread(look, now))


async def _until_done(
    running: Agents, operator: Operator, token: Token, once: Callable[[Token], Awaitable[Result]]
) -> Result:
    while True:
        try:
            return await once(token)
        except FieldkitError as error:
            if not was_removal(error) or error.data.get("stopped"):
                raise
            token = await back(running, operator, token)


class _Judging(Exception):
    """The token was pulled out while it judged a PIN."""

    def __init__(self, error: TokenRemoved) -> None:
        super().__init__()
        self.error = error


def was_removal(error: FieldkitError) -> bool:
    """Whether it failed because the token was pulled out."""
    return isinstance(error, TokenRemoved) or error.data.get("cause") == TokenRemoved.code


async def back(running: Agents, operator: Operator, token: Token) -> Token:
    """Wait until `token` is plugged in again; break it off by cancelling the step.

    :raises TokenRemoved: nobody did for ten minutes, or it has no serial number to know it again by.
    """
    if not token.raw_serial:
        raise faults.removed(token)
    operator.say(
        Finding(
            "token-removed",
            "warning",
            M("The token {token} was pulled out; the step waits for it.", token=token.name),
            token.serial,
            M("Plug the same token in again. The step then goes on and asks for the PIN once more."),
        )
    )
    operator.progress(Progress(M("Waiting for the token {token}", token=token.name)))
    stop = threading.Event()
    patience = threading.Timer(PATIENCE, stop.set)
    patience.daemon = True
    patience.start()
    try:
        found = await asyncio.to_thread(
            wait_for, running, lambda each: same_device(each, token), stop=stop, interval=POLL
        )
    finally:
        patience.cancel()
        stop.set()
    if found is None:
        raise faults.removed(token)
    operator.say(
        Finding("token-back", "info", M("The token {token} is back; the step goes on.", token=token.name))
    )
    return await asyncio.to_thread(running.again, found)


def same_device(one: Token, other: Token) -> bool:
    """Two listings show the same token, by serial number and label; without a number nobody can tell."""
    return one.numbered and (one.raw_serial, one.raw_label) == (other.raw_serial, other.raw_label)


async def whole(work: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
    """Do in a thread what must not be broken off half way.

    A cancellation waits for its end; what was done then is told and recorded as if nobody had stopped it.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work, *arguments, **named))
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


def signer(context: Context, session: Session, certificate: StoredCertificate) -> Signer:
    """A signer with the key of `certificate`, and the chain that the token or the profiles hold for it."""
    from fieldkit.signature.trust import chain_of

    own = session.certificate(certificate.sha256)
    material = context.material()
    issuers = [each.der for each in session.certificates() if each.der != own.der]
    return session.signer(own, chain_of(own.der, (*issuers, *material.others, *material.anchors)))


async def ask_pin(operator: Operator, token: Token, title: Said | None = None) -> Secret:
    """The user PIN of `token`, with what its state warns of; empty where it is typed on the token itself."""
    if token.protected_path:
        operator.progress(Progress(M("Enter the PIN on the keypad of the token {name}", name=token.name)))
        return Secret("")
    warning = None
    if token.pin_state == "low":
        warning = M("A wrong PIN was entered before. Few attempts are left.")
    return await operator.secret(
        SecretRequest(
            role="pin", title=title or M("PIN of the token {name}", name=token.name), warning=warning
        )
    )


async def ask_unblocking_code(operator: Operator, token: Token) -> Secret:
    """The code that unblocks the PIN of `token`, or initialises it, by the name it has on such tokens."""
    if token.protected_path:
        operator.progress(Progress(M("Enter the PIN on the keypad of the token {name}", name=token.name)))
        return Secret("")
    title: dict[str, Said] = {
        "puk": M("PUK of the token {token}", token=token.name),
        "so-pin": M("SO PIN of the token {token}", token=token.name),
        "unknown": M("SO PIN or PUK of the token {token}", token=token.name),
    }
    warning = None
    if token.so_pin_state == "low":
        warning = (
            M("A wrong PUK was entered before. Few attempts are left.")
            if guard.code(token, so=True) == "puk"
            else M("A wrong SO PIN was entered before. Few attempts are left.")
        )
    role: Literal["puk", "so-pin"] = "puk" if token.unblock == "puk" else "so-pin"
    return await operator.secret(
        SecretRequest(role=role, title=title.get(token.unblock, title["unknown"]), warning=warning)
    )


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
LAST_CODE: dict[guard.Code, Message] = {
    "so-pin": M("This is the last attempt: one more wrong SO PIN locks it for good."),
    "puk": M("This is the last attempt: one more wrong PUK locks it for good."),
}


async def confirm_last_try(operator: Operator, token: Token, *, so: bool = False) -> bool:
    """On a token's last attempt, True only if the person typed the token's serial number to go on."""
    if (token.so_pin_state if so else token.pin_state) != "final":
        return False
    wanted = token.serial or token.name
    asked = guard.code(token, so)
    if token.uncounted:
        warning = M(
            "Wrong PINs for the token {token} cannot be counted here ({reason}): "
            "this may be its last attempt.",
            token=token.name,
            reason=token.uncounted,
        )
    else:
        warning = LAST_PIN[token.unblock] if asked == "pin" else LAST_CODE[asked]
    title = M("{warning} To go on, type the token's serial number {serial}", warning=warning, serial=wanted)
    with contextlib.suppress(errors.Missing):  # nobody is here: the token's guard will refuse
        typed = await operator.ask(Question(id="confirm-last-try", title=title))
        return typed.strip() == wanted
    return False

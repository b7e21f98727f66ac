"""The client of all agents: which tokens are there, which one is meant, and sessions with it.

One agent per module, asked at the same time, so that a module that hangs does not hold up the others.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import msgspec

from fieldkit.errors import FieldkitError, Internal
from fieldkit.secret import Secret
from fieldkit.text import M, nfc, visible
from fieldkit.token import errors, faults, guard, protocol, uri
from fieldkit.token.attempts import LOST, UNKNOWN, Attempts, TokenIdentity, identify
from fieldkit.token.kinds import TokenTraits
from fieldkit.token.model import Token, numbered
from fieldkit.token.process import KEYPAD, Agent, ModuleCallFailed
from fieldkit.token.session import Session

PATIENCE = 2.0  # seconds that other modules still get once a token that fits was found
NOTICE = 1.0  # seconds that a reader may need to notice that its card is gone
REST = 15.0  # seconds a module that hung is left alone


class Listing(msgspec.Struct, frozen=True):
    """One module's answer: its tokens, or the problem it had."""

    module: str
    tokens: tuple[Token, ...] = ()
    problem: FieldkitError | None = None


class Agents:
    """Every module's agent. Use it as a context manager, or call `close`.

    modules: paths of PKCS#11 modules; the first that shows a token is the one it is used through.
    logs: the folder for what modules print. attempts: where wrong PINs are counted; the account's own counts
    unless given. traits: what is known of the tokens of each module. named: those that the person named.
    """

    def __init__(
        self,
        modules: Sequence[str],
        logs: Path,
        attempts: Attempts | None = None,
        *,
        traits: Mapping[str, TokenTraits] | None = None,
        named: Sequence[str] = (),
        deadlines: dict[type, float] | None = None,
    ) -> None:
        places = [os.path.abspath(module) for module in modules]  # looked at and loaded: the same file
        unique = {os.path.realpath(place): place for place in reversed(places)}
        by_hand = {os.path.realpath(module) for module in named}
        known = {os.path.realpath(module): of_kind for module, of_kind in (traits or {}).items()}
        self._agents = [
            Agent(
                unique[real],
                logs,
                named=real in by_hand,
                traits=known.get(real, TokenTraits()),
                deadlines=deadlines,
            )
            for real in reversed(unique)
        ]
        self.attempts = attempts or Attempts()
        self.problems: list[FieldkitError] = []
        self._resting: dict[str, tuple[float, FieldkitError]] = {}

    def __enter__(self) -> Agents:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every agent; sessions end with them."""
        threads = [threading.Thread(target=agent.close) for agent in self._agents]  # one may be starting
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @property
    def modules(self) -> tuple[str, ...]:
        return tuple(agent.module for agent in self._agents)

    def listings(self, *, mechanisms: bool = True) -> Iterator[Listing]:
        """Each module's tokens or problem, as soon as it has answered."""
        answers: queue.SimpleQueue[Listing] = queue.SimpleQueue()
        for agent in self._agents:
            threading.Thread(
                target=lambda one=agent: answers.put(self._list(one, mechanisms)), daemon=True
            ).start()
        for _ in self._agents:
            yield answers.get()

    def tokens(self, *, mechanisms: bool = True) -> list[Token]:
        """Every token now, each once; modules that failed are in `problems`."""
        return self.merged(list(self.listings(mechanisms=mechanisms)))

    def warm(self) -> None:
        """Have every module loaded meanwhile: it takes as long as reading a certificate file."""
        for agent in self._agents:
            threading.Thread(target=self._list, args=(agent, False), daemon=True).start()

    def listing(self, module: str) -> Listing:
        """The tokens of one module now, or its problem."""
        return self._list(next(agent for agent in self._agents if agent.module == module), mechanisms=False)

    def find(self, spec: str) -> Token:
        """The token that `spec` names: a `pkcs11:` URI, a serial number or a label.

        :raises TokenNotFound: none does; `problems` says which modules could not be asked.
        :raises TokenAmbiguous: several do.
        """
        pattern = uri.parse(spec)
        wanted = nfc(spec.strip())

        def fits(token: Token) -> bool:
            if pattern is not None:
                return pattern.matches(token)
            return wanted in (token.serial, nfc(token.label)) and bool(wanted)

        tokens = [token for token in self.merged(self._patiently(fits)) if fits(token)]
        by_serial = [token for token in tokens if token.serial == wanted]
        if len(by_serial) == 1:
            return by_serial[0]
        if len(tokens) == 1:
            return tokens[0]
        if tokens:
            raise errors.TokenAmbiguous(
                M("More than one token is called {spec}.", spec=spec),
                hint=M("Name it by its URI or serial number; `fieldkit token list` shows them."),
                candidates=[token.uri for token in tokens],
            )
        raise self._not_found(spec)

    def again(self, token: Token) -> Token:
        """`token` as it is now.

        :raises TokenRemoved: it is not there any more.
        """
        listing = self._list(self.agent(token), mechanisms=False)
        if listing.problem is not None:
            raise listing.problem
        same = (token.raw_serial, token.raw_label, token.initialized)
        for now in sorted(listing.tokens, key=lambda listed: listed.slot != token.slot):
            if (now.raw_serial, now.raw_label, now.initialized) == same and (
                now.numbered or now.slot == token.slot
            ):
                return msgspec.structs.replace(now, modules=token.modules, mechanisms=token.mechanisms)
        raise faults.removed(token)

    def pulled(self, token: Token) -> bool:
        """Whether `token` is gone, once its reader has had the time to notice."""
        end = time.monotonic() + NOTICE
        while True:
            try:
                self.again(token)
            except errors.TokenRemoved:
                return True
            except FieldkitError:
                return False
            if time.monotonic() > end:
                return False
            time.sleep(NOTICE / 10)

    def session(
        self,
        token: Token,
        pin: Secret | None = None,
        *,
        so: bool = False,
        confirmed_last_try: bool = False,
        planned: TokenIdentity | None = None,
    ) -> Session:
        """Open a session with `token`, and log in where `pin` is given.

        An empty PIN is never sent; for a token with its own keypad it means that the PIN is typed there.
        so: log in as security officer. confirmed_last_try: the person typed that the last try may be used.
        planned: what the person was shown; no other token of the same name gets the PIN.

        :raises PinIncorrect: the token refused the PIN. :raises PinLocked: no PIN can be tried.
        :raises PinFinalTry: one attempt is left, and it was not confirmed.
        """
        if pin is None:
            now = self.again(token)
            return Session(self, self.agent(now), now, self._open(self.agent(now), now), logged_in=False)
        with self.attempt(token, so=so, confirmed_last_try=confirmed_last_try, planned=planned) as attempt:
            now = attempt.token
            keypad = not pin and now.protected_path
            if not pin and not keypad:
                raise errors.PinNeeded(
                    M("No PIN was entered."), unchanged=M("The PIN was not sent to the token.")
                )
            attempt.begin()
            return self._logged_in(attempt, pin, so=so, keypad=keypad)

    @contextlib.contextmanager
    def attempt(
        self,
        token: Token,
        *,
        so: bool,
        confirmed_last_try: bool,
        identity: TokenIdentity | None = None,
        planned: TokenIdentity | None = None,
    ) -> Iterator[guard.PinAttempt]:
        """Have `token` for one PIN: nobody else sends it one until the end of the block.

        Its flags are read after everybody else was shut out. An error that leaves the attempt counted says
        so: `data`: `counted`. identity: by what it is counted, if that is known already. planned: as for
        `session`.

        :raises PinInUse: somebody else enters a PIN for it. :raises TokenRemoved: it is not there any more.
        """
        identity = identity or self.identity(token)
        with self.attempts.held(identity) as held:
            now = self.again(token)
            if planned is not None and planned.certificates != self.identity(now).certificates:
                raise faults.replaced(now)
            tries = self.agent(now).traits.tries
            attempt = guard.PinAttempt(
                now, held, tries, identity, so=so, confirmed_last_try=confirmed_last_try
            )
            try:
                yield attempt
            except FieldkitError as error:
                if attempt.counted:
                    error.data["counted"] = True
                raise

    def pin_was_set(self, token: Token) -> None:
        """Its user PIN is a new one: what was counted of the old one is over."""
        with self.attempts.held(self.identity(token)) as held:
            held.clear(so=False)

    def identity(self, token: Token) -> TokenIdentity:
        """By what its wrong PINs are counted, its certificates among it as far as they are seen."""
        if not token.initialized:
            return identify(token)
        try:
            agent = self.agent(token)
            with Session(self, agent, token, self._open(agent, token), logged_in=False) as session:
                return identify(token, [certificate.der for certificate in session.certificates()])
        except FieldkitError:
            return msgspec.structs.replace(identify(token), certain=False)

    def _logged_in(self, attempt: guard.PinAttempt, pin: Secret, *, so: bool, keypad: bool) -> Session:
        now = attempt.token
        agent = self.agent(now)
        try:
            number = self._open(agent, now)
        except FieldkitError:
            attempt.not_judged()
            raise
        session = Session(
            self,
            agent,
            now,
            number,
            logged_in=True,
            identity=attempt.identity,
            confirmed_last_try=attempt.confirmed,
        )
        try:
            agent.call(
                protocol.Login(number, so),
                type(None),
                () if keypad else (pin,),
                deadline=KEYPAD if keypad else None,
            )
        except ModuleCallFailed as fault:
            agent.restart()  # its session is in no state to be used
            raise self.refusal(attempt, fault, so=so) from None
        if attempt.follows_failures and not attempt.identity.may_hold(
            [stored.der for stored in session.certificates()]
        ):
            attempt.not_judged()  # it was put in the place of the one that is meant: nothing of that is over
            session.close()
            raise faults.replaced(now)
        attempt.accepted()
        if attempt.confirmed:  # what its flags show from now on is news
            with contextlib.suppress(FieldkitError):
                session.token = self.again(now)
        return session

    def fresh(self, serial: bytes, module: str) -> Token:
        """The token with this serial number after its agent has started anew, as after initialising it."""
        agent = next(agent for agent in self._agents if agent.module == module)
        agent.restart()
        listing = self._list(agent, mechanisms=True)
        if listing.problem is not None:
            raise listing.problem
        for token in listing.tokens:
            if token.raw_serial == serial:
                return token
        raise self._not_found(serial.decode("utf-8", "replace"))

    def _open(self, agent: Agent, token: Token) -> int:
        try:
            return agent.call(
                protocol.OpenSession(
                    slot=token.slot,
                    serial=token.raw_serial,
                    label=token.raw_label,
                    initialized=token.initialized,
                    write=not token.write_protected,
                ),
                int,
            )
        except ModuleCallFailed as fault:
            raise faults.meaning(fault, token) from None

    def refusal(self, attempt: guard.PinAttempt, fault: ModuleCallFailed, *, so: bool) -> FieldkitError:
        """What it means that a login failed, or a signature that logs in."""
        token = attempt.token
        if fault.name == "CKR_PIN_LOCKED":
            return guard.locked(token, so=so)
        if fault.name == "CKR_USER_PIN_NOT_INITIALIZED":
            attempt.not_judged()
            return guard.unset(token)
        if fault.name == "CKR_PIN_EXPIRED":
            attempt.accepted()
            return errors.PinChangeNeeded(
                M("The PIN is right, but the token {token} wants it changed first.", token=token.name),
                unchanged=guard.NOTHING_CHANGED,
                hint=M("Change it: `fieldkit token change-pin`."),
            )
        if fault.name == "CKR_FUNCTION_CANCELED":
            attempt.not_judged()
            return errors.PinNeeded(M("No PIN was entered."), unchanged=guard.NOTHING_CHANGED)
        if fault.name in faults.NOT_JUDGED:
            attempt.not_judged()
            return faults.meaning(fault, token)
        wrong_pin = faults.WRONG_PIN | self.agent(token).traits.wrong_pin
        if fault.name not in wrong_pin | faults.VAGUE:
            return faults.meaning(fault, token)
        try:
            if fault.name in faults.VAGUE and self.pulled(token):
                return faults.removed(token)
            after = self.again(token)
        except FieldkitError as error:
            return error
        if fault.name in wrong_pin or guard.worse(token, after, so=so):
            return guard.incorrect(after, so=so)
        return guard.unexplained(token, so=so, detail=f"{fault.name} {token.module}")

    def _patiently(self, fits: Callable[[Token], bool]) -> list[Listing]:
        """Listings; once one holds what is wanted the other modules get `PATIENCE` more and no longer."""
        answers: queue.SimpleQueue[Listing] = queue.SimpleQueue()

        def collect() -> None:
            for listing in self.listings():
                answers.put(listing)

        threading.Thread(target=collect, daemon=True).start()
        listings: list[Listing] = []
        end: float | None = None
        while len(listings) < len(self._agents):
            try:
                left = None if end is None else max(0.0, end - time.monotonic())
                listings.append(answers.get(timeout=left))
            except queue.Empty:
                break
            if end is None and any(fits(token) for token in listings[-1].tokens):
                end = time.monotonic() + PATIENCE
        return listings

    def _list(self, agent: Agent, mechanisms: bool) -> Listing:
        until, problem = self._resting.get(agent.module, (0.0, None))
        if problem is not None and time.monotonic() < until:
            return Listing(agent.module, problem=problem)
        try:
            slot_tokens = agent.call(protocol.List(mechanisms), list[protocol.SlotToken])
        except ModuleCallFailed as fault:
            return Listing(agent.module, problem=_listing_failed(agent, fault))
        except errors.ModuleTimeout as error:
            self._resting[agent.module] = (time.monotonic() + REST, error)
            return Listing(agent.module, problem=error)
        except FieldkitError as error:
            return Listing(agent.module, problem=error)
        except OSError as error:
            return Listing(
                agent.module,
                problem=Internal(
                    M("The agent for the module {module} cannot be started.", module=agent.name),
                    detail=error.strerror or type(error).__name__,
                    module=agent.module,
                ),
            )
        self._resting.pop(agent.module, None)
        return Listing(agent.module, tuple(self._token(agent, slot_token) for slot_token in slot_tokens))

    def _token(self, agent: Agent, raw: protocol.SlotToken) -> Token:
        label, serial, model, manufacturer = (
            visible(field.decode("utf-8", "replace"))
            for field in (raw.label, raw.serial, raw.model, raw.manufacturer)
        )
        initialized = bool(raw.flags & guard.TOKEN_INITIALIZED)
        named = uri.make(
            label=raw.label,
            serial=raw.serial,
            model=raw.model,
            manufacturer=raw.manufacturer,
            slot=None if numbered(raw.serial) and initialized else raw.slot,
        )
        tries = agent.traits.tries
        listed = Token(
            uri=named,
            label=label,
            serial=serial,
            model=model,
            manufacturer=manufacturer,
            module=agent.module,
            modules=(agent.module,),
            slot=raw.slot,
            initialized=initialized,
            login_required=bool(raw.flags & guard.LOGIN_REQUIRED),
            pin_state="unknown",
            protected_path=bool(raw.flags & guard.PROTECTED_PATH),
            write_protected=bool(raw.flags & guard.WRITE_PROTECTED),
            pin_min=raw.pin_min,
            pin_max=raw.pin_max,
            free_memory=raw.free_memory,
            firmware=raw.firmware,
            mechanisms=raw.mechanisms,
            raw_label=raw.label,
            raw_serial=raw.serial,
            flags=raw.flags,
            unblock=agent.traits.unblock,
        )
        count = self.attempts.count(identify(listed))
        so_flags = raw.flags if initialized else guard.TOKEN_INITIALIZED
        so = guard.state(so_flags, count.of(so=True), tries, so=True)
        return msgspec.structs.replace(
            listed,
            pin_state=guard.state(raw.flags, count.of(so=False), tries),
            so_pin_state=so if initialized or so == "final" else "unset",
            uncounted=count.trouble or (LOST if max(count.pin, count.so) >= UNKNOWN else ""),
        )

    def merged(self, listings: Sequence[Listing]) -> list[Token]:
        """The tokens of these listings, in the modules' order; one seen through two modules is one.

        Problems are in `problems`.
        """
        order = {agent.module: place for place, agent in enumerate(self._agents)}
        merged: list[Token] = []
        self.problems = []
        for listing in sorted(listings, key=lambda listing: order[listing.module]):
            if listing.problem is not None:
                self.problems.append(listing.problem)
            for token in listing.tokens:
                place = _same(merged, token)
                if place is None:
                    merged.append(token)
                else:
                    seen = merged[place]
                    merged[place] = msgspec.structs.replace(seen, modules=(*seen.modules, token.module))
        return merged

    def agent(self, token: Token) -> Agent:
        """The agent that `token` is used through."""
        return next(agent for agent in self._agents if agent.module == token.module)

    def _not_found(self, spec: str) -> errors.TokenNotFound:
        failed = [str(problem.data.get("module", "")) for problem in self.problems]
        if failed:
            hint = M("These modules could not be asked: {modules}.", modules=", ".join(filter(None, failed)))
        elif not self._agents:
            hint = M("No driver's module is known here: install one, or name it with --module.")
        else:
            hint = M("Plug it in and wait for its light; `fieldkit token list` shows what is there.")
        return errors.TokenNotFound(
            M("There is no token {spec} here.", spec=spec),
            unchanged=M("Nothing was changed."),
            hint=hint,
            detail="; ".join(str(problem) for problem in self.problems),
        )


def _same(merged: Sequence[Token], token: Token) -> int | None:
    """Where the same device stands in `merged`, seen through another module."""
    if not token.numbered:
        return None
    others = [
        place
        for place, other in enumerate(merged)
        if other.raw_serial == token.raw_serial and token.module not in other.modules
    ]
    exact = [place for place in others if merged[place].raw_label == token.raw_label]
    chosen = exact or others
    return chosen[0] if len(chosen) == 1 else None


def _listing_failed(agent: Agent, fault: ModuleCallFailed) -> FieldkitError:
    return errors.ModuleFault(
        M("The module {module} cannot list its tokens.", module=agent.name),
        hint=M("Is the smart-card service running? If it is, install the driver anew."),
        detail=" ".join(filter(None, (fault.name, fault.detail))),
        module=agent.module,
    )

"""Who removes, imports or settles loses no key and no certificate but those that were named."""

from __future__ import annotations

import asyncio
import codecs
import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from fieldkit.action.initialise_token import initialise_token
from fieldkit.action.remove_certificate import remove_certificate
from fieldkit.action.token_access import TokenAccess
from fieldkit.home import Home
from fieldkit.operator import Plan
from fieldkit.profile import load
from fieldkit.secret import Secret
from fieldkit.token import importing, initialisation, settling
from fieldkit.token.agents import Agents
from fieldkit.token.attempts import HeldCount, TokenIdentity
from fieldkit.token.errors import CertificateNotFound, PinIncorrect, TokenRemoved
from fieldkit.token.intents import Intent, MemoryIntents
from fieldkit.token.model import Token
from fieldkit.token.session import Session, key_id, public_key
from tests.conftest import Run
from tests.procedure.conftest import People
from tests.token.conftest import PIN, SO_PIN, Contrary, issue, pin
from tests.token.test_commands import Desk

if TYPE_CHECKING:
    from fieldkit.certificate.identity import Identity

Identities = Callable[..., "Identity"]
NEW = "864209"
ONE, TWO = "01" * 4, "02" * 4


def opened(agents: Agents, token: Token) -> Session:
    return agents.session(agents.find(token.serial), pin())


def sha256(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()


def publics(session: Session) -> set[bytes]:
    """The public halves of the private keys on the token."""
    keys = session.list_keys()
    by_id = {key.id: key.public for key in keys if not key.private}
    return {key.public or by_id.get(key.id, b"") for key in keys if key.private}


@pytest.fixture
def made(authority: tuple[object, object]) -> Callable[..., bytes]:
    """A certificate of the sample authority for a public key."""

    def make(public: bytes, name: str = "SAMPLE") -> bytes:
        return issue(name, load_der_public_key(public), authority)  # type: ignore[arg-type]

    return make


@pytest.mark.parametrize("kind", ["rsa:2048", "ec:p256"])
def test_a_key_that_only_shares_its_identifier_with_what_is_removed_stays(
    agents: Agents, token: Token, made: Callable[..., bytes], kind: str
) -> None:
    with opened(agents, token) as session:
        first = session.generate_key(kind, ONE, "first").public
        certificate = made(first)
        session.create_certificate(certificate, ONE, "first")
        waiting = session.generate_key(kind, ONE, "its certificate is still to come").public
        session.remove(sha256(certificate))
        left = session.list_keys()
        assert session.certificates() == []
        assert waiting in {key.public for key in left}
        assert sum(key.private for key in left) >= 1
        if kind.startswith("rsa"):
            assert publics(session) == {waiting}


def test_a_key_that_a_certificate_with_another_identifier_needs_is_not_removed_by_its_own(
    agents: Agents, token: Token, made: Callable[..., bytes]
) -> None:
    with opened(agents, token) as session:
        public = session.generate_key("rsa:2048", ONE, "key").public
        session.create_certificate(made(public), TWO, "by another program")
        with pytest.raises(CertificateNotFound):
            session.remove(ONE)
        assert publics(session) == {public}


def test_a_key_goes_with_no_certificate_but_its_own(
    agents: Agents, token: Token, made: Callable[..., bytes], identity: Identities
) -> None:
    foreign = identity("ec:p256").certificate
    with opened(agents, token) as session:
        public = session.generate_key("rsa:2048", ONE, "key").public
        session.create_certificate(foreign, ONE, "filed under the key's identifier")
        session.remove(sha256(foreign))
        assert session.certificates() == []
        assert publics(session) == {public}


def test_a_key_that_was_to_stay_stays_although_what_needed_it_went_meanwhile(
    agents: Agents, token: Token, made: Callable[..., bytes]
) -> None:
    with opened(agents, token) as session:
        public = session.generate_key("rsa:2048", ONE, "key").public
        old, renewed = made(public), made(public, "SAMPLE renewed")
        for der in (old, renewed):
            session.create_certificate(der, ONE, "key")
        session.destroy([session.certificate(sha256(renewed)).handle])
        session.remove(sha256(old), key_stays=True)
        assert publics(session) == {public}


def broken_off(token: Token, holder: Identity, label: str = "Sample") -> MemoryIntents:
    """What is kept of an import that was killed."""
    digests = tuple(map(sha256, (holder.certificate, *holder.chain)))
    intents = MemoryIntents()
    intents.begin(Intent(token.key, key_id(public_key(holder.certificate)), digests, label=label))
    return intents


def test_an_authority_s_certificate_that_another_import_relies_on_is_no_leftover(
    agents: Agents, token: Token, identity: Identities
) -> None:
    lost, other = identity("rsa:2048"), identity("ec:p256", "SAMPLE Another")
    intents = broken_off(token, lost)
    with opened(agents, token) as session:
        session.create_key(lost.key, key_id(public_key(lost.certificate)), "Sample")
        for der in lost.chain:
            session.create_certificate(der, ONE, "authority", authority=True)
        importing.import_identity(session, other, "Another")  # elsewhere: nobody knows of the other there
        assert settling.settle(session, intents, settling.leftovers(token, intents))
        assert {stored.der for stored in session.certificates()} == {other.certificate, *other.chain}
        assert publics(session) == {public_key(other.certificate)}


@pytest.mark.parametrize("renewed", [False, True])
@pytest.mark.parametrize("filed", ["", ONE])
def test_a_key_that_proves_a_certificate_filed_under_another_identifier_is_no_leftover(
    agents: Agents, token: Token, identity: Identities, filed: str, renewed: bool
) -> None:
    holder = identity("rsa:2048")
    intents = broken_off(token, holder)
    ours = key_id(public_key(holder.certificate))
    certificate = identity("rsa:2048", "SAMPLE renewed").certificate if renewed else holder.certificate
    with opened(agents, token) as session:
        session.create_key(Secret(holder.key.reveal_bytes()), ours, "Sample")
        session.create_certificate(certificate, filed, "by another program")
        settling.settle(session, intents, settling.leftovers(token, intents))
        assert publics(session) == {public_key(certificate)}
        assert [stored.der for stored in session.certificates()] == [certificate]


class Twins:
    """Two tokens with one serial number and one label; only one of them is plugged in."""

    def __init__(self, agents: Agents, folder: Path, identities: Sequence[Identity]) -> None:
        self._agents = agents
        self._folder = folder
        self._plugged = ""
        for name, holder in zip("ab", identities, strict=True):
            self.plug(name)
            blank = agents.tokens()[0]
            made = initialisation.initialise(agents, blank, "Twin", pin(SO_PIN), pin())
            with agents.session(made, pin()) as session:
                importing.import_identity(session, holder, "Sample")

    def plug(self, name: str) -> None:
        """Pull out the other and plug this one in."""
        plugged, listed = self._folder / "tokens", self._agents.tokens()
        if self._plugged:
            plugged.rename(self._folder / self._plugged)
        away = self._folder / name
        if away.exists():
            away.rename(plugged)
        else:
            plugged.mkdir(exist_ok=True)
        self._plugged = name
        self._agents.agent(listed[0]).restart()

    def certificates(self) -> set[bytes]:
        with self._agents.session(self._agents.find("Twin"), pin()) as session:
            return {stored.der for stored in session.certificates()}


class Swapping(People):
    """Somebody who agrees, and puts the other token in before entering anything."""

    def __init__(self, twins: Twins) -> None:
        super().__init__(new_pin=["Sample#2026x"])
        self._twins = twins

    async def consent(self, plan: Plan) -> bool:
        self._twins.plug("b")
        return await super().consent(plan)


@pytest.fixture
def twins(contrary: Contrary, contrary_agents: Agents, identity: Identities, tmp_path: Path) -> Twins:
    contrary.behave(f"serial {b'TWIN01'.hex()}")
    return Twins(contrary_agents, tmp_path, [identity("rsa:2048"), identity("ec:p256", "SAMPLE Another")])


def test_a_token_that_was_put_in_the_place_of_another_is_not_erased(
    twins: Twins, contrary_agents: Agents, home: Home
) -> None:
    tokens = TokenAccess(contrary_agents, load.load(home), Swapping(twins))
    twins.plug("a")
    shown = contrary_agents.find("Twin")
    twins.plug("b")
    there = twins.certificates()
    twins.plug("a")
    with pytest.raises(TokenRemoved):
        asyncio.run(initialise_token(tokens, shown, "Erased"))
    assert twins.certificates() == there


def test_a_key_on_a_token_that_was_put_in_the_place_of_another_is_not_removed(
    twins: Twins, contrary_agents: Agents, home: Home
) -> None:
    twins.plug("a")
    shown = contrary_agents.find("Twin")
    with contrary_agents.session(shown, pin()) as session:
        session.generate_key("ec:p256", ONE, "waits for its certificate")
    twins.plug("b")
    with contrary_agents.session(contrary_agents.find("Twin"), pin()) as session:
        session.generate_key("ec:p256", ONE, "waits for its certificate")
        there = len(session.list_keys())
    twins.plug("a")
    tokens = TokenAccess(contrary_agents, load.load(home), Swapping(twins))
    with pytest.raises(TokenRemoved):
        asyncio.run(remove_certificate(tokens, shown, ONE))
    with contrary_agents.session(contrary_agents.find("Twin"), pin()) as session:
        assert len(session.list_keys()) == there


def test_what_was_counted_of_a_token_is_not_cleared_by_its_twin_s_right_pin(
    twins: Twins, contrary_agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    twins.plug("a")
    shown = contrary_agents.find("Twin")
    with pytest.raises(PinIncorrect):
        contrary_agents.session(shown, pin("111222"))
    waiting = contrary_agents.attempts.held

    def swapped_meanwhile(identity: TokenIdentity) -> AbstractContextManager[HeldCount]:
        twins.plug("b")  # while another window has the token
        return waiting(identity)

    with monkeypatch.context() as patch:
        patch.setattr(contrary_agents.attempts, "held", swapped_meanwhile)
        with pytest.raises(TokenRemoved):
            contrary_agents.session(shown, pin())
    twins.plug("a")
    assert contrary_agents.find("Twin").pin_state == "low"


def test_no_module_is_asked_to_write_down_what_it_gets(
    contrary: Contrary, contrary_agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = (
        *("YKCS11_DBG", "PKCS11_LOGGER_LIBRARY_PATH", "OPENCRYPTOKI_TRACE_LEVEL"),
        *("TSS2_LOG", "TPM2_PKCS11_LOG_LEVEL", "NSS_DEBUG_PKCS11_MODULE", "NSPR_LOG_MODULES", "MOZ_LOG"),
    )
    for name in asked:
        monkeypatch.setenv(name, "9")
    contrary_agents.tokens()
    (running,) = (path for path in Path("/proc").glob("[0-9]*/maps") if contrary.path in text_of(path))
    environment = text_of(running.with_name("environ"))
    assert "SOFTHSM2_CONF=" in environment
    assert [name for name in asked if f"{name}=" in environment] == []


def text_of(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


@pytest.fixture
def desk(fieldkit: Run, tmp_path: Path, softhsm_module: str) -> Desk:
    return Desk(fieldkit, tmp_path, softhsm_module)


def test_a_file_that_an_editor_marked_as_utf_8_holds_the_pin_and_no_more(desk: Desk, tmp_path: Path) -> None:
    serial, marked = desk.ready(), tmp_path / "marked"
    marked.write_bytes(codecs.BOM_UTF8 + PIN.encode() + b"\r\n")
    done = desk(
        "token", "change-pin", serial, "--yes", "--pin-file", marked, "--new-pin-file", desk.secret(NEW)
    )
    assert done.result["pin_state"] == "ok"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_file_that_is_no_plain_text_costs_no_attempt(desk: Desk, tmp_path: Path, encoding: str) -> None:
    serial, wide = desk.ready(), tmp_path / "wide"
    wide.write_bytes(
        ("" if encoding == "utf-16" else "\ufeff").encode(encoding) + f"{PIN}\r\n".encode(encoding)
    )
    done = desk(
        "token", "change-pin", serial, "--yes", "--pin-file", wide, "--new-pin-file", desk.secret(NEW)
    )
    assert (done.status, done.error["code"]) == (2, "secret-unfit")
    assert desk.token(serial)["pin_state"] == "ok"

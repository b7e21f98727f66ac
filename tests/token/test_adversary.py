"""Who removes, imports or settles loses no key and no certificate but those that were named."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from fieldkit.secret import Secret
from fieldkit.token import importing, settling
from fieldkit.token.agents import Agents
from fieldkit.token.errors import CertificateNotFound
from fieldkit.token.intents import Intent, MemoryIntents
from fieldkit.token.model import Token
from fieldkit.token.session import Session, key_id, public_key
from tests.token.conftest import issue, pin

if TYPE_CHECKING:
    from fieldkit.certificate.identity import Identity

Identities = Callable[..., "Identity"]
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

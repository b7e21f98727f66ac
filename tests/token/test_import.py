"""An import is whole or not at all: every kind of key, every call that can fail, a run that is killed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from fieldkit.home import Home
from fieldkit.secret import Secret
from fieldkit.token import errors, importing, proof, settling
from fieldkit.token.agents import Agents
from fieldkit.token.intents import Intent, MemoryIntents
from fieldkit.token.model import Token
from fieldkit.token.session import Session, key_id, public_key
from tests.conftest import Run
from tests.token.conftest import PIN, Contrary, issue, pin

if TYPE_CHECKING:
    from fieldkit.certificate.identity import Identity

Objects = Callable[[Token], list[str]]
KINDS = ("rsa:2048", "rsa:3072", "rsa:4096", "ec:p256", "ec:p384")
CERTIFICATE, PUBLIC_KEY, PRIVATE_KEY = 1, 2, 3


def opened(agents: Agents, token: Token) -> Session:
    return agents.session(agents.find(token.serial), pin())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_key_is_written_with_its_chain_proved_and_can_never_leave(
    agents: Agents, token: Token, identity: Callable[..., Identity], objects: Objects, kind: str
) -> None:
    holder = identity(kind)
    with opened(agents, token) as session:
        report = importing.import_identity(session, holder, "Cán bộ mẫu")
        keys = {key.private: key for key in session.list_keys()}
        certificates = session.certificates()
    assert (keys[True].id, keys[True].kind, keys[True].kept) == (report.id, kind, True)
    assert keys[False].public == public_key(holder.certificate)
    assert {each.der for each in certificates} == {holder.certificate, *holder.chain}
    own = next(each for each in certificates if each.der == holder.certificate)
    assert (own.id, own.label, own.has_private_key) == (report.id, "Cán bộ mẫu", True)
    assert len(report.chain) == 1
    listed = "\n".join(objects(token))
    assert listed.count("Private Key Object") == 1
    assert listed.count("Certificate Object") == 2


def test_the_key_says_of_itself_that_it_stays(
    agents: Agents, token: Token, identity: Callable[..., Identity], softhsm: str
) -> None:
    with opened(agents, token) as session:
        importing.import_identity(session, identity(), "Sample")
    shown = subprocess.run(
        [
            *("pkcs11-tool", "--module", softhsm, "--token-label", token.label),
            *("--login", "--pin", PIN, "--list-objects", "--type", "privkey"),
        ],
        capture_output=True,
        text=True,
    ).stdout
    assert "sensitive" in shown
    assert "extractable" not in shown.replace("never extractable", "")


def test_a_second_copy_is_refused(
    agents: Agents, token: Token, identity: Callable[..., Identity], objects: Objects
) -> None:
    holder = identity()
    with opened(agents, token) as session:
        importing.import_identity(session, holder, "Sample")
        before = objects(token)
        with pytest.raises(errors.DuplicateKey) as caught:
            importing.import_identity(session, identity(), "Again")
        assert caught.value.unchanged
        with pytest.raises(errors.DuplicateKey):
            importing.import_certificate(session, holder.certificate, "Again")
    assert objects(token) == before


def test_a_certificate_of_another_key_is_refused_before_anything_is_written(
    agents: Agents, token: Token, identity: Callable[..., Identity], objects: Objects
) -> None:
    from fieldkit.certificate.identity import Identity as Pair

    mixed = Pair(Secret(identity("ec:p256").key.reveal_bytes()), identity("rsa:2048").certificate)
    before = objects(token)
    with opened(agents, token) as session, pytest.raises(errors.ForeignCertificate):
        importing.import_identity(session, mixed, "Sample")
    assert objects(token) == before


@pytest.mark.parametrize("refused", [PRIVATE_KEY, CERTIFICATE])
@pytest.mark.parametrize("code", ["54", "d1", "13", "31"])
def test_a_token_that_refuses_an_object_is_left_as_it_was(
    contrary: Contrary,
    contrary_agents: Agents,
    contrary_token: Token,
    identity: Callable[..., Identity],
    objects: Objects,
    refused: int,
    code: str,
) -> None:
    contrary.behave(f"refuse-class {refused:x} {code}")
    with opened(contrary_agents, contrary_token) as session:
        with pytest.raises((errors.KeyImportRefused, errors.TokenFull, errors.ModuleFault)) as caught:
            importing.import_identity(session, identity(), "Sample")
        assert session.list_keys() == []
        assert session.certificates() == []
    if refused == PRIVATE_KEY and code != "31":
        assert isinstance(caught.value, errors.KeyImportRefused)
        assert "certificate request" in str(caught.value.hint)


def test_a_public_key_that_is_refused_is_done_without(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token, identity: Callable[..., Identity]
) -> None:
    contrary.behave(f"refuse-class {PUBLIC_KEY:x} 13")
    with opened(contrary_agents, contrary_token) as session:
        importing.import_identity(session, identity(), "Sample")


def test_a_full_token_is_found_to_be_full_before_anything_is_written(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token, identity: Callable[..., Identity]
) -> None:
    contrary.behave("memory 900", "print C_CreateObject 0 CREATE SEEN")
    with opened(contrary_agents, contrary_token) as session, pytest.raises(errors.TokenFull) as caught:
        importing.import_identity(session, identity(), "Sample")
    assert "900" in str(caught.value)


def test_a_token_that_lets_keys_out_is_noticed_and_left_clean(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token, identity: Callable[..., Identity]
) -> None:
    contrary.behave("extractable")
    with opened(contrary_agents, contrary_token) as session:
        with pytest.raises(errors.ProofFailed) as caught:
            importing.import_identity(session, identity(), "Sample")
        assert caught.value.unchanged
        assert session.list_keys() == []


def calls_of_an_import(contrary: Contrary, agents: Agents, token: Token, holder: Identity) -> int:
    """How many PKCS#11 calls one import makes, so that each of them can be made to fail."""
    contrary.behave("count")
    with opened(agents, token) as session:
        importing.import_identity(session, holder, "Sample")
        count = contrary.counted()
        session.destroy(
            [key.handle for key in session.list_keys()]
            + [certificate.handle for certificate in session.certificates()]
        )
    return count


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.soak)])
def test_whichever_call_fails_the_token_is_as_it_was_or_what_is_left_is_named(
    contrary: Contrary,
    contrary_agents: Agents,
    contrary_token: Token,
    identity: Callable[..., Identity],
    step: int,
) -> None:
    holder = identity("ec:p256")
    total = calls_of_an_import(contrary, contrary_agents, contrary_token, holder)
    assert total > 40
    outcomes = [
        outcome_of_a_failure(contrary, contrary_agents, contrary_token, holder, number)
        for number in range(1, total + 1, step)
    ]
    assert "clean" in outcomes


def outcome_of_a_failure(
    contrary: Contrary, agents: Agents, token: Token, holder: Identity, number: int
) -> str:
    """What an import leaves whose call `number` answers CKR_DEVICE_ERROR; the token is empty afterwards."""
    intents = MemoryIntents()
    with opened(agents, token) as session:
        contrary.behave(f"fail-any {number} 30")
        try:
            importing.import_identity(session, holder, "Sample", intents=intents)
            outcome, named = "whole", True
        except errors.ImportIncomplete as error:
            outcome, named = "named", bool(error.data["left"] and intents.open(token.serial))
        except errors.ModuleFault:
            outcome, named = "clean", True
    contrary.behave()
    with opened(agents, token) as session:
        there = len(session.list_keys()) + len(session.certificates())
        assert named
        assert bool(there) == (outcome != "clean"), number
        if outcome == "named":
            settled = settling.settle(session, intents, intents.open(token.serial))
            there = len(session.list_keys()) + len(session.certificates())
            assert there == (4 if settled.completed else 0), number
        session.destroy(
            [key.handle for key in session.list_keys()]
            + [certificate.handle for certificate in session.certificates()]
        )
    return outcome


def test_a_module_that_crashes_in_mid_import_leaves_what_the_next_run_cleans(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token, identity: Callable[..., Identity]
) -> None:
    intents = MemoryIntents()
    with opened(contrary_agents, contrary_token) as session:
        contrary.behave("crash C_CreateObject 3")
        with pytest.raises(errors.ImportIncomplete) as caught:
            importing.import_identity(session, identity(), "Sample", intents=intents)
    assert caught.value.data["cause"] == "module-crashed"
    contrary.behave()
    with opened(contrary_agents, contrary_token) as session:
        assert session.list_keys()
        agreed = settling.leftovers(contrary_token, intents)
        report = importing.import_identity(session, identity(), "Sample", intents=intents, agreed=agreed)
        assert report.resumed
        assert sum(key.private for key in session.list_keys()) == 1
        assert len(session.certificates()) == 2
    assert intents.open(contrary_token.serial) == []


def test_an_import_that_was_complete_when_its_run_ended_is_kept(
    agents: Agents, token: Token, identity: Callable[..., Identity]
) -> None:
    intents = MemoryIntents()
    holder = identity()
    with opened(agents, token) as session:
        report = importing.import_identity(session, holder, "Sample")
        intents.begin(Intent(token.serial, report.id, (report.sha256, *report.chain)))
        assert settling.settle(session, intents)
        assert len(session.certificates()) == 2


@pytest.mark.parametrize(
    ("function", "number"), [("C_CreateObject", 1), ("C_CreateObject", 3), ("C_Sign", 1)]
)
def test_a_run_that_is_killed_is_settled_by_the_next(
    contrary: Contrary,
    contrary_token: Token,
    identity: Callable[..., Identity],
    tmp_path: Path,
    function: str,
    number: int,
) -> None:
    """kill -9 of the program itself, at a call that its agent has just begun."""
    from fieldkit.certificate.files import pem
    from fieldkit.home import Home
    from tests.conftest import clean_environment

    holder = identity()
    parts = tmp_path / "officer.pem", tmp_path / "officer.key", tmp_path / "pin"
    parts[0].write_bytes(pem(holder.certificate) + b"".join(map(pem, holder.chain)))
    parts[1].write_bytes(holder.key.reveal_bytes())
    parts[2].write_text(PIN)
    environment = clean_environment(Home(tmp_path / "home"))
    environment["SOFTHSM2_CONF"] = str(tmp_path / "softhsm2.conf")
    command = [sys.executable, "-m", "fieldkit", "certificate", "import", parts[0], "--key", parts[1]]
    command += ["--token", contrary_token.serial, "--pin-file", parts[2], "--module", contrary.path]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, "--yes", "--json"], env=environment, capture_output=True, text=True)

    contrary.behave(f"kill-parent {function} {number}")
    assert run().returncode == -9
    contrary.behave()
    done = run()
    assert done.returncode == 0, done.stdout
    assert '"resumed":true' in done.stdout
    with Agents([contrary.path], tmp_path / "logs") as fresh, opened(fresh, contrary_token) as session:
        assert sum(key.private for key in session.list_keys()) == 1
        assert len(session.certificates()) == 2


def test_a_certificate_is_joined_to_the_key_made_on_the_token(
    agents: Agents,
    token: Token,
    authority: tuple[object, object],
) -> None:
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    with opened(agents, token) as session:
        written = session.generate_key("ec:p384", "ab" * 20, "Sample")
        public = load_der_public_key(written.public)
        certificate = issue("SAMPLE joined", public, authority)  # type: ignore[arg-type]
        report = importing.import_certificate(session, certificate, "Sample")
        assert (report.id, report.mechanism) == ("ab" * 20, "ECDSA_SHA384")


def test_a_join_that_fails_leaves_the_key_and_no_certificate(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token, authority: tuple[object, object]
) -> None:
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    intents = MemoryIntents()
    with opened(contrary_agents, contrary_token) as session:
        public = load_der_public_key(session.generate_key("ec:p256", "ab" * 20, "Sample").public)
        certificate = issue("SAMPLE joined", public, authority)  # type: ignore[arg-type]
        contrary.behave("fail C_SignInit 0 5")
        with pytest.raises(errors.ModuleFault):
            importing.import_certificate(session, certificate, "Sample", intents=intents)
        contrary.behave("fail C_SignInit 0 5", "fail C_DestroyObject 0 5")
        with pytest.raises(errors.ImportIncomplete) as caught:
            importing.import_certificate(session, certificate, "Sample", intents=intents)
        assert caught.value.data["left"]
    contrary.behave()
    with opened(contrary_agents, contrary_token) as session:
        agreed = settling.leftovers(contrary_token, intents)
        assert importing.import_certificate(
            session, certificate, "Sample", intents=intents, agreed=agreed
        ).resumed
        assert sum(key.private for key in session.list_keys()) == 1
        assert len(session.certificates()) == 1
    assert intents.open(contrary_token.serial) == []


def forgotten(token: Token, holder: Identity) -> MemoryIntents:
    """The intent of an import that was killed before it wrote anything."""
    digests = tuple(hashlib.sha256(der).hexdigest() for der in (holder.certificate, *holder.chain))
    intents = MemoryIntents()
    intents.begin(Intent(token.serial, key_id(public_key(holder.certificate)), digests))
    return intents


@pytest.mark.parametrize("agreed", [False, True])
def test_a_forgotten_intent_harms_no_key_that_proves_a_certificate(
    agents: Agents, token: Token, identity: Callable[..., Identity], objects: Objects, agreed: bool
) -> None:
    from fieldkit.certificate.identity import Identity as Pair

    holder, other = identity(), identity("ec:p256", "SAMPLE Another")
    intents = forgotten(token, holder)
    with opened(agents, token) as session:
        without_chain = Pair(Secret(holder.key.reveal_bytes()), holder.certificate)
        importing.import_identity(session, without_chain, "Elsewhere")
        before = objects(token)
        pending = settling.leftovers(token, intents) if agreed else ()
        importing.import_identity(session, other, "Unrelated", intents=intents, agreed=pending)
        assert set(before) <= set(objects(token))
        kept = session.certificate(hashlib.sha256(holder.certificate).hexdigest())
        assert proof.prove(session, kept)
    assert intents.open(token.serial) == []


def test_a_forgotten_intent_harms_no_key_whose_certificate_was_renewed(
    agents: Agents, token: Token, identity: Callable[..., Identity], authority: tuple[object, object]
) -> None:
    from fieldkit.certificate.identity import Identity as Pair

    holder = identity()
    intents = forgotten(token, holder)
    with opened(agents, token) as session:
        renewed = identity(name="SAMPLE renewed").certificate
        importing.import_identity(session, Pair(Secret(holder.key.reveal_bytes()), renewed), "Elsewhere")
        settled = settling.settle(session, intents, settling.leftovers(token, intents))
        assert settled
        assert proof.prove(session, session.certificate(hashlib.sha256(renewed).hexdigest()))
    assert intents.open(token.serial) == []


def test_what_was_missing_of_a_chain_is_written_by_the_import_that_brings_it(
    agents: Agents, token: Token, identity: Callable[..., Identity]
) -> None:
    from fieldkit.certificate.identity import Identity as Pair

    holder = identity()
    intents = forgotten(token, holder)
    with opened(agents, token) as session:
        importing.import_identity(
            session, Pair(Secret(holder.key.reveal_bytes()), holder.certificate), "Sample"
        )
        report = importing.import_identity(session, holder, "Sample", intents=intents)
        assert report.resumed
        assert {each.der for each in session.certificates()} == {holder.certificate, *holder.chain}


def test_what_nobody_agreed_to_remove_stays_and_is_asked_about_again(
    contrary: Contrary,
    contrary_agents: Agents,
    contrary_token: Token,
    identity: Callable[..., Identity],
) -> None:
    intents = MemoryIntents()
    with opened(contrary_agents, contrary_token) as session:
        contrary.behave("crash C_CreateObject 3")
        with pytest.raises(errors.ImportIncomplete):
            importing.import_identity(session, identity(), "Sample", intents=intents)
    contrary.behave()
    other = identity("ec:p256", "SAMPLE Another")
    with opened(contrary_agents, contrary_token) as session:
        importing.import_identity(session, other, "Unrelated", intents=intents)
        assert sum(key.private for key in session.list_keys()) == 2
        (pending,) = settling.leftovers(contrary_token, intents)
        assert pending.key_id in str(settling.removal(pending))
        settling.settle(session, intents, [pending])
        assert sum(key.private for key in session.list_keys()) == 1


def test_a_key_that_another_program_called_otherwise_is_not_taken_for_a_leftover(
    agents: Agents, token: Token, identity: Callable[..., Identity]
) -> None:
    holder = identity()
    (intent,) = forgotten(token, holder).open(token.serial)
    intents = MemoryIntents()
    intents.begin(msgspec.structs.replace(intent, label="MAU-01"))
    with opened(agents, token) as session:
        session.create_key(holder.key, intent.key_id, "By another program")
        settling.settle(session, intents, intents.open(token.serial))
        assert sum(key.private for key in session.list_keys()) == 1


def test_the_plan_of_an_import_says_what_an_earlier_one_left(
    contrary: Contrary,
    contrary_token: Token,
    identity: Callable[..., Identity],
    fieldkit: Run,
    home: Home,
    tmp_path: Path,
) -> None:
    from fieldkit.certificate.files import pem
    from fieldkit.journal.store import Store
    from fieldkit.token.intents import StoredIntents

    holder = identity()
    file = tmp_path / "officer.pem"
    file.write_bytes(pem(holder.certificate))
    key = tmp_path / "officer.key"
    key.write_bytes(holder.key.reveal_bytes())
    (intent,) = forgotten(contrary_token, holder).open(contrary_token.serial)
    with Store.open(home.store) as store:
        StoredIntents(store.db).begin(intent)
    ran = fieldkit(
        "certificate", "import", file, "--key", key, "--token", contrary_token.serial, "--json",
        "--module", contrary.path, SOFTHSM2_CONF=str(tmp_path / "softhsm2.conf"),
    )  # fmt: skip
    assert ran.error["code"] == "not-consented"
    assert any("broken off" in line and intent.key_id in line for line in ran.error["plan"])


def test_a_module_that_takes_no_false_in_a_template_still_makes_keys(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token
) -> None:
    contrary.behave("refuse-false 104", "refuse-false 105", "refuse-false 106", "refuse-false 107")
    with opened(contrary_agents, contrary_token) as session:
        for number, kind in enumerate(("rsa:2048", "ec:p256")):
            assert session.generate_key(kind, f"{number:02x}" * 20, "Sample").public  # type: ignore[arg-type]
        assert all(key.kept for key in session.list_keys())


def test_a_private_key_that_shows_no_public_half_is_no_place_for_another(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token, identity: Callable[..., Identity]
) -> None:
    """It is known by its CKA_ID alone; an import over it that fails would take it along."""
    holder = identity("ec:p256")
    ours = key_id(public_key(holder.certificate))
    with opened(contrary_agents, contrary_token) as session:
        session.create_key(Secret(holder.key.reveal_bytes()), ours, "Sample")
        session.destroy([key.handle for key in session.list_keys() if not key.private])
        contrary.behave("fail C_CreateObject 3 31")
        with pytest.raises(errors.DuplicateKey):
            importing.import_identity(session, identity("ec:p256"), "Sample")
        contrary.behave()
        assert [(key.id, key.private) for key in session.list_keys()] == [(ours, True)]
        assert not session.certificates()

"""A card in a reader through the whole real stack: agent, OpenSC, pcscd, and a PIV card that counts."""

from __future__ import annotations

import errno
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fieldkit.certificate.files import pem
from fieldkit.errors import FieldkitError
from fieldkit.text import nfc
from fieldkit.token import errors, importing, pins, proof
from fieldkit.token.agents import Agents
from fieldkit.token.attempts import HeldCount, identify
from fieldkit.token.watch import watch
from tests.conftest import Run
from tests.token.conftest import PIN, inserted, pin
from tests.token.piv import PivCard

if TYPE_CHECKING:
    from fieldkit.certificate.identity import Identity

PUK = "13572468"
GENERAL_AUTHENTICATE, VERIFY = 0x87, 0x20


def test_insertion_and_removal_are_seen(card: PivCard, card_agents: Agents) -> None:
    stop = threading.Event()
    changes = watch(card_agents, stop=stop, interval=0.05)
    card.insert()
    first = next(changes)
    card.remove()
    second = next(changes)
    assert (first.kind, second.kind) == ("inserted", "removed")
    assert first.token.serial == second.token.serial != ""


def test_certificates_are_read_without_a_pin(card: PivCard, card_agents: Agents) -> None:
    token = inserted(card, card_agents)
    with card_agents.session(token) as session:
        found = session.certificates()
    assert [each.has_private_key for each in found] == [True, True]
    assert card.attempts() == 0


def test_both_keys_sign_also_the_one_that_wants_the_pin_each_time(card: PivCard, card_agents: Agents) -> None:
    token = inserted(card, card_agents)
    with card_agents.session(token, pin()) as session:
        first, second = session.certificates()
        assert proof.prove(session, first) == "SHA256_RSA_PKCS"
        assert proof.prove(session, second) == "ECDSA_SHA256"
        assert proof.prove(session, second) == "ECDSA_SHA256"
    assert card.pin.left == card.pin.tries


def test_a_pin_that_a_signature_was_refused_with_is_not_sent_again_whatever_the_refusal(
    card: PivCard, card_agents: Agents
) -> None:
    token = inserted(card, card_agents)
    with card_agents.session(token, pin()) as session:
        _, second = session.certificates()
        card.vague = 0x6F00  # "no precise diagnosis"
        card.seen.clear()
        for _ in range(3):
            with pytest.raises(FieldkitError):
                session.sign(second.id, "ECDSA_SHA256", b"data")
    assert card.attempts() == 1


def test_a_pin_that_a_signature_was_refused_with_is_counted(card: PivCard, card_agents: Agents) -> None:
    token = inserted(card, card_agents)
    card_agents.attempts.adopt("a store", lambda: {token.serial + ":so": 1})
    with card_agents.session(token, pin()) as session:
        first, second = session.certificates()
        session.sign(second.id, "ECDSA_SHA256", b"data")
        assert card_agents.find(token.serial).pin_state == "ok"
        card.pin.value = b"864209\xff\xff"  # changed by another program meanwhile
        with pytest.raises(errors.PinIncorrect) as caught:
            session.sign(second.id, "ECDSA_SHA256", b"data")
        assert caught.value.data["counted"]
        assert card.pin.left == 2
        assert card_agents.attempts.count(identify(token)).pin == 1
        with pytest.raises(FieldkitError):
            session.sign(second.id, "ECDSA_SHA256", b"data")
        with pytest.raises(FieldkitError):
            session.sign(first.id, "no such mechanism", b"data")
    assert card.pin.left == 2
    assert card_agents.attempts.count(identify(token)).pin == 1


def test_a_signature_that_needs_the_pin_again_is_not_made_on_the_last_try_unasked(
    card: PivCard, card_agents: Agents
) -> None:
    token = inserted(card, card_agents)
    with card_agents.session(token, pin()) as session:
        second = session.certificates()[1]
        with card_agents.attempts.held(identify(token)) as held:  # as others of this account count
            held.add(so=False)
            held.add(so=False)
        card.seen.clear()
        with pytest.raises(errors.PinFinalTry):
            session.sign(second.id, "ECDSA_SHA256", b"data")
    assert card.attempts() == 0


def test_a_last_try_that_was_confirmed_at_the_login_is_not_confirmed_for_a_later_signature(
    card: PivCard, card_agents: Agents
) -> None:
    token = inserted(card, card_agents)
    for _ in range(2):
        with pytest.raises(errors.PinIncorrect):
            card_agents.session(card_agents.find(token.serial), pin("111111"))
    with card_agents.session(token, pin(), confirmed_last_try=True) as session:
        second = session.certificates()[1]
        session.sign(second.id, "ECDSA_SHA256", b"data")
        with card_agents.attempts.held(identify(token)) as held:  # another window uses up the tries meanwhile
            held.add(so=False)
            held.add(so=False)
        card.seen.clear()
        with pytest.raises(errors.PinFinalTry):
            session.sign(second.id, "ECDSA_SHA256", b"data")
    assert card.attempts() == 0


def test_where_nothing_can_be_counted_one_confirmation_is_enough_to_sign(
    card: PivCard, card_agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = inserted(card, card_agents)
    monkeypatch.setattr(HeldCount, "add", refuse_to_count)
    with card_agents.session(token, pin(), confirmed_last_try=True) as session:
        second = session.certificates()[1]
        assert session.sign(second.id, "ECDSA_SHA256", b"data")
        assert session.sign(second.id, "ECDSA_SHA256", b"data")


def refuse_to_count(held: HeldCount, *, so: bool) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_wrong_pin_costs_one_attempt_on_the_card_and_no_more(card: PivCard, card_agents: Agents) -> None:
    token = inserted(card, card_agents)
    with pytest.raises(errors.PinIncorrect):
        card_agents.session(token, pin("111111"))
    assert (card.attempts(), card.pin.left) == (1, 2)
    card_agents.session(card_agents.find(token.serial), pin()).close()
    assert card.pin.left == 3


def test_the_last_attempt_is_not_spent_unasked_then_locks_and_the_puk_opens(
    card: PivCard, card_agents: Agents
) -> None:
    token = inserted(card, card_agents)
    for left in ("low", "final"):
        with pytest.raises(errors.PinIncorrect) as caught:
            card_agents.session(card_agents.find(token.serial), pin("111111"))
        assert caught.value.data["left"] == left
    with pytest.raises(errors.PinFinalTry):
        card_agents.session(token, pin())
    assert (card.attempts(), card.pin.left) == (2, 1)
    with pytest.raises(errors.PinLocked) as locked:
        card_agents.session(token, pin("111111"), confirmed_last_try=True)
    assert "PUK" in str(locked.value.hint)
    assert card.pin.left == 0
    assert card_agents.find(token.serial).pin_state == "locked"
    with pytest.raises(errors.PinLocked):
        card_agents.session(token, pin())
    assert card.attempts() == 3

    with pytest.raises(errors.PinIncorrect) as wrong:
        pins.unblock(card_agents, token, pin("00000000"), pin("864209"))
    assert "PUK" in str(wrong.value)
    assert (card.puk.left, card.pin.left) == (2, 0)
    after = pins.unblock(card_agents, token, pin(PUK), pin("864209"))
    assert after.pin_state == "ok"
    assert (card.puk.left, card.pin.left) == (3, 3)
    card_agents.session(after, pin("864209")).close()


def test_a_locked_card_is_known_to_be_locked_by_somebody_who_never_saw_it(
    card: PivCard, card_agents: Agents
) -> None:
    """OpenSC's flags show nothing before a first attempt; the card refuses it, and nothing is lost."""
    card.pin.left = 0
    token = inserted(card, card_agents)
    with pytest.raises(errors.PinLocked):
        card_agents.session(token, pin())


def test_a_pin_is_changed_on_the_card(card: PivCard, card_agents: Agents) -> None:
    token = inserted(card, card_agents)
    pins.change_pin(card_agents, token, pin(), pin("864209"))
    assert card.pin.value.startswith(b"864209")
    card_agents.session(token, pin("864209")).close()


def test_a_card_pulled_out_in_mid_signature_is_said_so_and_works_when_it_is_back(
    card: PivCard, card_agents: Agents
) -> None:
    token = inserted(card, card_agents)
    with card_agents.session(token, pin()) as session:
        own = session.certificates()[0]
        card.before = lambda instruction: card.remove() if instruction == GENERAL_AUTHENTICATE else None
        with pytest.raises(errors.TokenRemoved) as caught:
            proof.prove(session, own)
    assert caught.value.code == "token-removed"
    card.before = lambda instruction: None
    again = inserted(card, card_agents)
    assert (again.serial, card.pin.left) == (token.serial, 3)
    assert card.attempts() == 0, "no PIN is sent again by itself"
    with card_agents.session(again, pin()) as session:
        proof.prove(session, own)


def test_a_card_pulled_out_while_the_pin_is_judged_is_not_asked_again(
    card: PivCard, card_agents: Agents
) -> None:
    token = inserted(card, card_agents)
    card.before = lambda instruction: card.remove() if instruction == VERIFY and card.attempts() else None
    with pytest.raises((errors.TokenRemoved, errors.ModuleFault)) as caught:
        card_agents.session(token, pin())
    assert caught.value.data["counted"]
    card.before = lambda instruction: None
    again = inserted(card, card_agents)
    assert card.attempts() == 0
    assert again.pin_state == "low", "the attempt may have counted, so it does"
    card_agents.session(again, pin()).close()
    assert card_agents.find(token.serial).pin_state == "ok"


def test_a_card_that_takes_no_private_key_names_the_way_out(
    card: PivCard, card_agents: Agents, identity: Callable[..., Identity]
) -> None:
    token = inserted(card, card_agents)
    with card_agents.session(token, pin()) as session:
        before = {certificate.sha256 for certificate in session.certificates()}
        with pytest.raises(errors.KeyImportRefused) as caught:
            importing.import_identity(session, identity("ec:p384"), "Sample")
        assert {certificate.sha256 for certificate in session.certificates()} == before
    assert "certificate request" in str(caught.value.hint)


def test_what_another_program_writes_onto_the_card_is_read(
    card: PivCard, card_agents: Agents, identity: Callable[..., Identity], tmp_path: Path
) -> None:
    inserted(card, card_agents)
    card_agents.close()
    secret, written = tmp_path / "management.hex", tmp_path / "certificate.pem"
    secret.write_text(":".join(f"{byte:02X}" for byte in card.management))
    certificate = identity("ec:p384", "SAMPLE other").certificate
    written.write_bytes(pem(certificate))
    subprocess.run(  # its exit status is the length it wrote, as in OpenSC 0.23
        ["piv-tool", "-A", "M:9B:08", "-C", "9E", "-i", str(written)],
        env=os.environ | {"PIV_EXT_AUTH_KEY": str(secret)},
        capture_output=True,
    )
    with Agents(card_agents.modules, tmp_path / "logs") as fresh, fresh.session(fresh.tokens()[0]) as session:
        found = [certificate.der for certificate in session.certificates()]
    assert certificate in found


def test_the_command_line_signs_with_a_card_and_leaves_nothing_when_it_is_pulled_out(
    card: PivCard, card_agents: Agents, opensc: str, fieldkit: Run, tmp_path: Path
) -> None:
    import typst

    token = inserted(card, card_agents)
    letter, secret, out = tmp_path / "letter.pdf", tmp_path / "pin", tmp_path / "out.pdf"
    letter.write_bytes(typst.compile(nfc("Công văn mẫu").encode()))
    secret.write_text(PIN)
    command = ("sign", letter, "--token", token.uri, "--certificate", "01", "--module", opensc)
    command += ("--pin-file", secret, "--out", out, "--json", "--yes")
    card.before = lambda instruction: card.remove() if instruction == GENERAL_AUTHENTICATE else None
    ran = fieldkit(*command)
    assert (ran.status, ran.error["code"]) == (4, "token-removed")
    assert not out.exists()
    card.before = lambda instruction: None
    card.insert()
    while not card_agents.tokens():
        time.sleep(0.05)
    assert fieldkit(*command).result["sha256"]
    assert card.pin.left == 3

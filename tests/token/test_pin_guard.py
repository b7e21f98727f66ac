"""The PIN guard: no PIN is spent by accident, and every refusal says what is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldkit.secret import Secret
from fieldkit.token import errors, pins
from fieldkit.token.agents import Agents
from fieldkit.token.attempts import identify
from fieldkit.token.kinds import TokenTraits
from fieldkit.token.model import Token
from fieldkit.token.policy import PinRules
from fieldkit.token.quirks import QUIRKS
from tests.token.conftest import PIN, SO_PIN, Contrary, pin

LOW, FINAL, LOCKED, TO_BE_CHANGED = 0x10000, 0x20000, 0x40000, 0x80000


def logins(contrary: Contrary, folder: Path) -> int:
    """How many logins reached the module since it was told to print them."""
    return sum(path.read_text().count("LOGIN SEEN") for path in folder.glob("*.log")) // 2


def counted(agents: Agents, token: Token) -> int:
    return agents.attempts.count(identify(token)).pin


def test_a_wrong_pin_is_sent_once_and_the_error_says_what_is_left(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token, tmp_path: Path
) -> None:
    contrary.behave("print C_Login 0 LOGIN SEEN")
    with pytest.raises(errors.PinIncorrect) as caught:
        contrary_agents.session(contrary_token, pin("111222"))
    assert caught.value.code == "pin-incorrect"
    assert caught.value.status == 1
    assert caught.value.data["left"] == "low"
    assert "does not try again" in str(caught.value.hint)
    assert "111222" not in repr(caught.value.as_dict())
    assert logins(contrary, tmp_path / "logs") == 1


def test_a_right_pin_after_a_wrong_one_works_and_clears_the_count(agents: Agents, token: Token) -> None:
    with pytest.raises(errors.PinIncorrect):
        agents.session(token, pin("111222"))
    assert agents.find(token.serial).pin_state == "low"
    with agents.session(token, pin()) as session:
        assert session.logged_in
    assert counted(agents, token) == 0
    assert agents.find(token.serial).pin_state == "ok"


def test_the_last_try_needs_a_confirmation_and_the_pin_is_not_sent_without(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token, tmp_path: Path
) -> None:
    contrary.behave(f"set-flags {FINAL | LOW:x}", "print C_Login 0 LOGIN SEEN")
    with pytest.raises(errors.PinFinalTry) as caught:
        contrary_agents.session(contrary_token, pin())
    assert caught.value.status == 3
    assert logins(contrary, tmp_path / "logs") == 0
    with contrary_agents.session(contrary_token, pin(), confirmed_last_try=True) as session:
        assert session.list_keys() == []


def test_a_module_whose_flags_never_change_is_guarded_by_the_local_count(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token
) -> None:
    contrary.behave(f"clear-flags {LOW | FINAL | LOCKED:x}", "fail C_Login 0 5")  # GENERAL_ERROR, always
    with pytest.raises(errors.ModuleFault):
        contrary_agents.session(contrary_token, pin("111222"))
    assert contrary_agents.find(contrary_token.serial).pin_state == "low"
    with pytest.raises(errors.ModuleFault):
        contrary_agents.session(contrary_token, pin("111223"))
    with pytest.raises(errors.PinFinalTry):
        contrary_agents.session(contrary_token, pin())


def test_a_profile_with_more_tries_is_warned_later(softhsm: str, tmp_path: Path, token: Token) -> None:
    with Agents([softhsm], tmp_path / "logs", traits={softhsm: TokenTraits(tries=10)}) as agents:
        for _ in range(3):
            with pytest.raises(errors.PinIncorrect):
                agents.session(token, pin("111222"))
        assert agents.find(token.serial).pin_state == "low"


def test_a_crash_while_a_pin_is_checked_counts_as_an_attempt(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token
) -> None:
    contrary.behave("crash C_Login 0")
    with pytest.raises(errors.ModuleCrashed):
        contrary_agents.session(contrary_token, pin())
    contrary.behave()
    assert contrary_agents.find(contrary_token.serial).pin_state == "low"


def test_a_session_that_cannot_be_opened_costs_no_attempt(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token
) -> None:
    contrary.behave("fail C_OpenSession 0 e0")
    with pytest.raises(errors.TokenRemoved):
        contrary_agents.session(contrary_token, pin())
    assert counted(contrary_agents, contrary_token) == 0


@pytest.mark.parametrize("way", [f"set-flags {LOCKED:x}", "fail C_Login 0 a4"])
def test_a_locked_pin_says_who_can_unlock_it(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token, way: str
) -> None:
    contrary.behave(way)
    with pytest.raises(errors.PinLocked) as caught:
        contrary_agents.session(contrary_token, pin())
    assert caught.value.status == 3
    assert "unblock" in str(caught.value.hint)


def test_a_token_without_a_user_pin_is_told_apart(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token
) -> None:
    contrary.behave("clear-flags 8")
    assert contrary_agents.find(contrary_token.serial).pin_state == "unset"
    with pytest.raises(errors.TokenNotInitialized):
        contrary_agents.session(contrary_token, pin())


def test_a_delivery_pin_is_a_state_of_its_own_and_can_be_changed(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token
) -> None:
    contrary.behave(f"set-flags {TO_BE_CHANGED:x}")
    found = contrary_agents.find(contrary_token.serial)
    assert found.pin_state == "default"
    contrary.behave("fail C_Login 1 a3")  # CKR_PIN_EXPIRED: it was right, and must be changed
    with pytest.raises(errors.PinChangeNeeded):
        contrary_agents.session(found, pin())
    assert counted(contrary_agents, found) == 0
    pins.change_pin(contrary_agents, found, pin(), pin("864209"))
    contrary.behave()
    contrary_agents.session(found, pin("864209")).close()


def test_a_token_known_to_answer_a_wrong_pin_with_a_general_error_has_refused_the_pin(
    contrary: Contrary, contrary_token: Token, tmp_path: Path
) -> None:
    contrary.behave("fail C_Login 0 5")  # CKR_GENERAL_ERROR
    traits = TokenTraits(wrong_pin=QUIRKS["wrong-pin-general-error"].wrong_pin)
    kinds: tuple[dict[str, TokenTraits], ...] = ({}, {contrary.path: traits})
    for number, known in enumerate(kinds, 1):
        with Agents([contrary.path], tmp_path / "logs", traits=known) as running:
            with pytest.raises(errors.PinIncorrect if known else errors.ModuleFault) as caught:
                running.session(contrary_token, pin())
            assert caught.value.data["counted"]
            assert counted(running, contrary_token) == number


def test_an_empty_pin_is_never_sent(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token, tmp_path: Path
) -> None:
    contrary.behave("print C_Login 0 LOGIN SEEN")
    with pytest.raises(errors.PinNeeded):
        contrary_agents.session(contrary_token, pin(""))
    assert logins(contrary, tmp_path / "logs") == 0


def test_a_keypad_on_the_device_is_used_when_no_pin_is_given(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token
) -> None:
    contrary.behave("set-flags 100", f"keypad {PIN.encode().hex()}", f"keypad-new {b'864209'.hex()}")
    found = contrary_agents.find(contrary_token.serial)
    assert found.protected_path
    contrary_agents.session(found, pin("")).close()
    pins.change_pin(contrary_agents, found, pin(""), pin(""))
    contrary.behave("set-flags 100", "fail C_Login 0 50")
    with pytest.raises(errors.PinNeeded):  # CKR_FUNCTION_CANCELED: the person pressed cancel on the device
        contrary_agents.session(found, pin(""))
    assert counted(contrary_agents, found) == 0


def test_the_so_pin_has_a_count_and_a_guard_of_its_own(agents: Agents, token: Token) -> None:
    for _ in range(2):
        with pytest.raises(errors.PinIncorrect) as caught:
            pins.unblock(agents, agents.find(token.serial), pin("00000000"), pin("135790"))
    assert caught.value.data["left"] == "final"
    with pytest.raises(errors.PinFinalTry):
        pins.unblock(agents, token, pin(SO_PIN), pin("135790"))
    assert agents.find(token.serial).pin_state == "ok"
    pins.unblock(agents, token, pin(SO_PIN), pin("135790"), confirmed_last_try=True)
    agents.session(token, pin("135790")).close()


def test_a_pin_is_changed_and_the_old_one_refused(agents: Agents, token: Token) -> None:
    pins.change_pin(agents, token, pin(), pin("864209"))
    with pytest.raises(errors.PinIncorrect):
        agents.session(token, pin())
    agents.session(token, pin("864209")).close()


def test_a_wrong_old_pin_changes_nothing(agents: Agents, token: Token) -> None:
    with pytest.raises(errors.PinIncorrect):
        pins.change_pin(agents, token, pin("111222"), pin("864209"))
    agents.session(token, pin()).close()


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ("12", "characters"),
        ("111111", "repeated"),
        ("23456789", "in a row"),
        ("mật khẩu 1", "accents"),
        ("", "characters"),
        ("Abcdefgh", "digit"),
        ("abcd1234", "capital"),
        (PIN, "old one"),
    ],
)
def test_a_new_pin_that_breaks_a_rule_is_refused_before_anything_is_sent(
    agents: Agents, token: Token, new: str, why: str
) -> None:
    rules = (
        PinRules(guessable=False)
        if new in (PIN, "111111", "23456789")
        else PinRules(min=6, max=16, classes=("upper", "lower", "digit"))
    )
    with pytest.raises(errors.PinPolicyViolated) as caught:
        pins.change_pin(agents, token, pin(), pin(new), rules=rules)
    assert why in str(caught.value)
    assert caught.value.status == 2
    agents.session(token, pin()).close()


def test_the_serial_number_is_no_pin(token: Token) -> None:
    check = PinRules().check(token)
    assert check(pin(token.serial)) is not None
    assert check(pin(token.serial[-6:])) is not None
    assert check(pin("Hoa-Sen-7")) is None


def test_no_log_holds_a_pin(agents: Agents, token: Token, tmp_path: Path) -> None:
    with pytest.raises(errors.PinIncorrect):
        agents.session(token, pin("998877"))
    pins.change_pin(agents, token, pin(), pin("864209"))
    pins.unblock(agents, token, pin(SO_PIN), pin("135790"))
    for log in (tmp_path / "logs").iterdir():
        text = log.read_text()
        assert not any(secret in text for secret in (PIN, SO_PIN, "998877", "864209", "135790"))


def test_a_secret_is_not_wiped_by_a_session_that_borrowed_it(agents: Agents, token: Token) -> None:
    secret = Secret(PIN)
    agents.session(token, secret).close()
    assert secret.reveal() == PIN

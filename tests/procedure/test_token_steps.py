"""Initialising a token and changing its PIN as steps of a visit."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldkit.errors import NotConsented
from fieldkit.home import Home
from fieldkit.procedure.token_setup import InitialisationNotAllowed
from fieldkit.token import errors
from fieldkit.token.agents import Agents
from fieldkit.token.model import Token
from tests.procedure.conftest import PIN, People, Road, only_through, prepared, takes
from tests.token.conftest import Contrary, pin

FINAL_SO = 0x20000 << 4


def test_an_empty_token_is_given_new_pins_and_is_named_in_the_evidence(road: Road, agents: Agents) -> None:
    road.answer("delivery", "file")
    people = People({"token-label": "Sông Mơ"}, new_pin=["864209"])
    kept = road.run("token_setup", people)
    (made,) = [each for each in agents.tokens() if each.initialized]
    assert kept.verdict == "pass"
    assert (kept.facts["serial"], kept.facts["label"]) == (made.serial, "Sông Mơ")
    assert [request.new for request in people.requests] == [True, True]
    assert people.plans[0].confirm == ""
    agents.session(made, pin("864209")).close()


def test_a_token_in_use_is_asked_for_the_so_pin_it_has(
    road: Road, contrary: Contrary, tmp_path: Path
) -> None:
    token = in_use(road, contrary, tmp_path)
    with pytest.raises(errors.PinIncorrect):
        road.run("token_setup", People(so_pin=["00000000"], new_pin=["864209"]))
    assert takes(contrary.path, tmp_path / "logs", token.serial, PIN)
    people = People({"token-label": "New"}, new_pin=["864209"])
    kept = road.run("token_setup", people)
    (so_pin,) = [each for each in people.requests if each.role == "so-pin"]
    assert not so_pin.new
    assert so_pin.warning is not None, "a wrong one was entered before"
    assert people.plans[0].confirm == token.serial
    assert kept.facts["label"] == "New"
    assert takes(contrary.path, tmp_path / "logs", kept.facts["serial"], "864209")


def in_use(road: Road, contrary: Contrary, folder: Path) -> Token:
    """The only token that is here: one that is in use."""
    token = prepared(contrary.path, folder / "logs")
    only_through(road, contrary.path)
    contrary.behave("hide-blank")
    road.answer("delivery", "file")
    return token


def test_nothing_is_erased_without_agreement(road: Road, contrary: Contrary, tmp_path: Path) -> None:
    token = in_use(road, contrary, tmp_path)
    people = People()
    people.agrees = False
    with pytest.raises(NotConsented):
        road.run("token_setup", people)
    assert people.requests == []
    assert takes(contrary.path, tmp_path / "logs", token.serial, PIN)


def test_the_last_try_of_the_so_pin_needs_the_serial_number_typed(
    road: Road, home: Home, contrary: Contrary, tmp_path: Path
) -> None:
    token = in_use(road, contrary, tmp_path)
    contrary.behave(f"set-flags {FINAL_SO:x}", "print C_InitToken 0 INIT SEEN", "hide-blank")
    people = People({"confirm-last-try": "no"}, new_pin=["864209"])
    with pytest.raises(errors.PinFinalTry) as caught:
        road.run("token_setup", people)
    assert "SO PIN" in str(caught.value)
    assert not any("INIT SEEN" in path.read_text() for path in home.logs.glob("*.log"))
    people.answers["confirm-last-try"] = token.serial
    assert road.run("token_setup", people).verdict == "pass"


def test_a_token_that_only_its_issuer_initialises_is_left_alone(road: Road, home: Home, softhsm: str) -> None:
    only_through(road, softhsm, init="false")
    road.answer("delivery", "file")
    people = People()
    with pytest.raises(InitialisationNotAllowed):
        road.run("token_setup", people)
    assert people.plans == []


def test_the_delivery_pin_is_changed_by_the_rules_of_the_profile(
    road: Road, token: Token, softhsm: str, tmp_path: Path
) -> None:
    only_through(road, softhsm, tries="0\n  delivery: ['13579135']")
    road.answer("delivery", "personalised")
    with pytest.raises(AssertionError, match="delivered with"):
        road.run("pin_change", People(new_pin=["13579135"]))
    people = People(new_pin=["864209"])
    kept = road.run("pin_change", people)
    assert (kept.facts["serial"], kept.facts["pin_set"]) == (token.serial, True)
    assert people.said() == ["pin-changed"]
    assert takes(softhsm, tmp_path / "logs", token.serial, "864209")


def test_a_wrong_present_pin_costs_one_attempt_and_the_next_run_warns(
    road: Road, token: Token, softhsm: str, tmp_path: Path
) -> None:
    road.answer("delivery", "personalised")
    with pytest.raises(errors.PinIncorrect):
        road.run("pin_change", People(pin=["111222"], new_pin=["864209"]))
    people = People(new_pin=["864209"])
    road.run("pin_change", people)
    assert people.requests[0].warning is not None
    assert takes(softhsm, tmp_path / "logs", token.serial, "864209")

"""Initialising a token and changing its PIN as steps of a visit."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from fieldkit.action.token_access import confirm_last_try
from fieldkit.errors import NotConsented
from fieldkit.home import Home
from fieldkit.procedure.evidence import Evidence
from fieldkit.token import errors
from fieldkit.token.agents import Agents
from fieldkit.token.errors import InitialisationNotAllowed
from fieldkit.token.model import Token, Unblock
from fieldkit.visit.visits import Visits
from tests.procedure.conftest import PIN, People, Road, only_through, prepared, takes
from tests.token.conftest import Contrary, pin

FINAL_SO = 0x20000 << 4


def test_an_empty_token_is_given_new_pins_and_is_named_in_the_evidence(road: Road, agents: Agents) -> None:
    road.answer("delivery", "file")
    people = People({"token-label": "Sông Mơ"}, new_pin=["864209"])
    kept = road.run("token_setup", people)
    (made,) = [listed for listed in agents.tokens() if listed.initialized]
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
    (so_pin,) = [request for request in people.requests if request.role == "so-pin"]
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


def test_where_the_token_s_own_profile_is_stricter_than_the_bureau_s_its_rules_hold(
    road: Road, token: Token, softhsm: str
) -> None:
    only_through(road, softhsm)
    profiles = road.visits.home.profiles / "tokens"
    text = (profiles / "softhsm2.yaml").read_text("utf-8").replace("id: softhsm2\n", "id: its-own\n")
    (profiles / "its-own.yaml").write_text(text.replace("min: 4", "min: 4\n  classes: [upper]"), "utf-8")
    road.visits = Visits(road.visits.store, road.visits.home, who="Trần Kỹ Thuật")
    road.answer("delivery", "personalised")
    with pytest.raises(AssertionError, match="capital letter"):
        road.run("pin_change", People(new_pin=["864209"]))


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


def stopped_at(
    road: Road, item: str, people: People, contrary: Contrary, function: str, logs: Path
) -> Evidence:
    """The evidence of a step that somebody stops while its token is busy with `function`."""
    contrary.behave(f"print {function} 1 BUSY NOW", f"slow {function} 1 700", "hide-blank")

    async def run() -> Evidence:
        step = asyncio.create_task(road.visits.run(road.id, item, people, road.modules))
        while not any("BUSY NOW" in path.read_text() for path in logs.glob("*.log")):
            await asyncio.sleep(0.02)
        step.cancel()
        await asyncio.sleep(0.05)
        step.cancel()
        return await step

    return asyncio.run(run())


def test_a_pin_that_was_changed_while_the_step_was_stopped_is_recorded_as_changed(
    road: Road, home: Home, contrary: Contrary, tmp_path: Path
) -> None:
    token = in_use(road, contrary, tmp_path)
    road.answer("delivery", "personalised")
    people = People(new_pin=["864209"])
    evidence = stopped_at(road, "pin_change", people, contrary, "C_SetPIN", home.logs)
    assert evidence.verdict == "pass"
    assert road.visits.load(road.id).evidence["pin_change"].facts["pin_set"] is True
    assert takes(contrary.path, tmp_path / "logs", token.serial, "864209")


def test_what_fails_while_the_step_was_stopped_is_told_and_nobody_waits_for_the_token(
    road: Road, home: Home, contrary: Contrary, tmp_path: Path
) -> None:
    in_use(road, contrary, tmp_path)
    road.answer("delivery", "personalised")
    with pytest.raises(errors.PinIncorrect):
        stopped_at(
            road, "pin_change", People(pin=["111222"], new_pin=["864209"]), contrary, "C_Login", home.logs
        )


def test_a_token_that_was_erased_and_refuses_the_new_pin_leaves_that_in_the_visit(
    road: Road, contrary: Contrary, tmp_path: Path
) -> None:
    token = in_use(road, contrary, tmp_path)
    contrary.behave("hide-blank", "fail C_InitPIN 0 a1")
    with pytest.raises(errors.PinPolicyViolated):
        road.run("token_setup", People(new_pin=["864209"]))
    kept = [str(entry.value) for entry in road.visits.store.entries(visit=road.id) if entry.kind == "attempt"]
    assert any("was initialised" in value for value in kept)
    assert any(token.serial in value for value in kept)


@pytest.mark.parametrize(
    ("unblock", "words"), [("so-pin", "only the SO PIN"), ("puk", "only the PUK"), ("authority", "issuer")]
)
def test_the_last_try_says_what_opens_a_locked_pin(token: Token, unblock: Unblock, words: str) -> None:
    people = People({"confirm-last-try": token.serial})
    last = msgspec.structs.replace(token, pin_state="final", unblock=unblock)
    assert asyncio.run(confirm_last_try(people, last))
    (question,) = people.questions
    assert words in str(question.title)
    assert "for good" not in str(question.title)

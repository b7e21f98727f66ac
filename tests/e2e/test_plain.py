"""`fieldkit visit run`: the same steps as plain prompts, for screen readers and hopeless lines."""

from __future__ import annotations

import datetime
import sys

import pytest

from fieldkit.home import Home
from fieldkit.journal.store import Store
from fieldkit.visit.visits import Visits
from tests.conftest import Run, clean_environment
from tests.e2e.terminal import Terminal
from tests.record.test_form import surveyed

FIELDKIT = (sys.executable, "-m", "fieldkit")


@pytest.fixture
def visit(fieldkit: Run) -> str:
    started = fieldkit("visit", "start", "--bureau", "MAU-01", "--checklist", "handover", "--json")
    return str(started.result["visit"])


def test_a_section_is_answered_at_prompts_and_a_wrong_answer_asked_again(
    visit: str, home: Home, fieldkit: Run
) -> None:
    with _plain(home, "visit", "run", visit, "training") as terminal:
        terminal.wait_for("Date of the training")
        terminal.type("tomorrow\n")
        terminal.wait_for("Date of the training", "✗")
        terminal.type(f"{datetime.date.today():%d/%m/%Y}\n")
        terminal.wait_for("Number of people trained")
        terminal.type("3\n")
        for _ in range(6):
            terminal.type("1\n")  # the number of a line: Yes
        terminal.wait_for("ended with 0")
    shown = fieldkit("visit", "show", visit, "--json").result
    assert shown["answers"]["trainees"] == "3"
    assert shown["answers"]["training_date"] == datetime.date.today().isoformat()
    assert shown["answers"]["signing_practised"] == "yes"


def test_a_procedure_shows_its_plan_and_asks(visit: str, home: Home, fieldkit: Run) -> None:
    fieldkit("visit", "answer", visit, "delivery", "file")
    with _plain(home, "visit", "run", visit, "token_setup") as terminal:
        terminal.wait_for("Label of the token")
        terminal.type("\n")
        terminal.wait_for("Do this? [y/N]")
        terminal.type("n\n")
        terminal.wait_for("not agreed to", "ended with 3")
    with _plain(home, "visit", "run", visit, "token_setup") as terminal:
        terminal.wait_for("Label of the token")
        terminal.type("\n")
        terminal.wait_for("Do this? [y/N]")
        terminal.type("y\n")
        for title in ("New SO PIN", "Once more", "New PIN", "Once more"):
            terminal.wait_for(title)
            terminal.type("13572468\n")
        shown = terminal.wait_for("ended with 0")
    assert "13572468" not in shown
    assert fieldkit("visit", "show", visit, "--json").result["answers"]["delivery"] == "file"


def test_a_survey_is_finished_at_prompts_and_the_name_is_asked_once(home: Home, fieldkit: Run) -> None:
    with Store.open(home.store) as store:
        first, second = (surveyed(Visits(store, home)) for _ in range(2))
    with _plain(home, "visit", "finish", first) as terminal:
        terminal.wait_for("Your full name, as it stands in records")
        terminal.type("Lê Văn Thợ\n")
        terminal.wait_for("Close the form", "Do this? [y/N]")
        terminal.type("y\n")
        terminal.wait_for("The record was made, unsigned", "ended with 0")
    with _plain(home, "visit", "finish", second) as terminal:
        shown = terminal.wait_for("Do this? [y/N]")
        assert "Your full name" not in shown
        terminal.type("y\n")
        terminal.wait_for("ended with 0")


def test_without_a_terminal_it_stops_and_says_what_it_would_do(visit: str, fieldkit: Run) -> None:
    fieldkit("visit", "answer", visit, "delivery", "file")
    ran = fieldkit("visit", "run", visit, "token_setup", "--json")
    assert (ran.status, ran.error["code"]) == (3, "not-consented")
    assert "MAU-01" in ran.error["detail"]


def _plain(home: Home, *arguments: str) -> Terminal:
    wanted = clean_environment(home)
    names = ("FIELDKIT_HOME", "FIELDKIT_LANG", "SOFTHSM2_CONF")
    environment = {name: wanted[name] for name in names} | {"LANG": "C.UTF-8"}
    return Terminal([*FIELDKIT, *arguments], environment=environment, rows=60)

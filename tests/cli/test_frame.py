"""The frame of every command: two languages, one JSON document, an exit status for each kind of error."""

from __future__ import annotations

import json
import os

import pytest

from fieldkit.cli import click_words
from tests.conftest import Run


def test_help_and_mistakes_are_told_in_the_language_in_force(fieldkit: Run) -> None:
    vietnamese = fieldkit("--lang", "vi", "visit", "start", "--help")
    assert "Cách dùng:" in vietnamese.out
    assert "Hiện trợ giúp này rồi thoát." in vietnamese.out
    english = fieldkit("--lang", "en", "visit", "start", "--help")
    assert "Usage:" in english.out
    assert "Show this message and exit." in english.out
    assert "Không có lệnh 'walk'." in fieldkit("--lang", "vi", "visit", "walk").err
    assert "No such command 'walk'." in fieldkit("visit", "walk").err


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("visit", "show", "nowhere"), 4, "visit-not-found"),
        (("visit", "walk"), 2, "usage"),
        (("visit", "start", "--bureau", "NOWHERE", "--checklist", "handover"), 4, "bureau-not-found"),
        (("verify", "nowhere.pdf"), 4, "document-missing"),
        (("certificate", "inspect", "nowhere.p12"), 4, "file-not-found"),
        (("record", "verify", "nowhere.pdf"), 4, "document-missing"),
    ],
)
def test_an_error_is_one_json_document_with_a_stable_code(
    fieldkit: Run, arguments: tuple[str, ...], status: int, code: str
) -> None:
    ran = fieldkit(*arguments, "--json")
    assert ran.status == status, ran.out
    assert json.loads(ran.out)["ok"] is False
    assert ran.error["code"] == code
    assert ran.error["message"]
    assert "Traceback" not in ran.out + ran.err


def test_what_changes_something_stops_where_nobody_is_there_to_agree(fieldkit: Run) -> None:
    ran = fieldkit("token", "init", "--label", "X", "--module", "/usr/lib/softhsm/libsofthsm2.so", "--json")
    assert (ran.status, ran.error["code"]) == (3, "not-consented")
    assert "X" in ran.error["detail"]


def test_what_makes_click_speak_does_not_reach_programs_that_are_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANGUAGE", "de")
    with click_words.spoken():
        assert os.environ["LANGUAGE"] == "en"
        with click_words.unspoken():
            assert os.environ["LANGUAGE"] == "de"


def test_the_version_comes_at_once(fieldkit: Run) -> None:
    ran = fieldkit("--version")
    assert ran.status == 0
    assert ran.out.strip()[0].isdigit()

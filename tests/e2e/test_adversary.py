"""What is typed on the screens goes nowhere, whatever the environment asks their library to write down."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldkit.home import Home
from tests.e2e.terminal import Terminal
from tests.e2e.test_screens import FIELDKIT, _environment

TYPED = "13572468"


@pytest.mark.parametrize(
    "asked",
    [{"TEXTUAL_DEBUG": "1"}, {"TEXTUAL": "debug,devtools", "TEXTUAL_LOG": "textual.log"}],
    ids=["keys", "log"],
)
def test_no_environment_has_the_screens_write_down_what_is_typed(
    tmp_path: Path, asked: dict[str, str]
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    environment = {**_environment(Home(tmp_path / "home"), "en"), **asked}
    with Terminal(("env", "-C", here, *FIELDKIT), environment=environment) as terminal:
        terminal.wait_for("The store is empty.", "N New visit")
        terminal.type(TYPED)
        terminal.press("C-q")
        terminal.wait_for("ended with 0")
    assert list(here.iterdir()) == []


def test_no_environment_has_the_screens_draw_themselves_into_a_file(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    asked = {"TEXTUAL_SCREENSHOT": "0", "TEXTUAL_SCREENSHOT_LOCATION": str(here)}
    environment = {**_environment(Home(tmp_path / "home"), "en"), **asked}
    with Terminal(("env", "-C", here, *FIELDKIT), environment=environment) as terminal:
        terminal.wait_for("The store is empty.", "N New visit")
        terminal.press("Down", "C-q")
        terminal.wait_for("ended with 0")
    assert list(here.iterdir()) == []

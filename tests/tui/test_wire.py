"""What the screens cost on the line, counted in a pseudo-terminal: bytes repeat, so they are held to."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldkit.home import Home
from tests.conftest import python_path
from tests.tui.terminal import Pty

ROOT = Path(__file__).parent.parent.parent
DOWN, UP, ESC = b"\x1b[B", b"\x1b[A", b"\x1b"


@pytest.fixture
def screens(home: Home, visit: str) -> Iterator[Pty]:
    """The program at home, with one visit, in English, over a line with 256 colours."""
    environment = {
        "FIELDKIT_HOME": str(home.path),
        "FIELDKIT_LANG": "en",
        "PYTHONPATH": python_path(str(ROOT)),
    }
    with Pty(["-m", "fieldkit"], environment | {"SSH_CONNECTION": "there", "COLORTERM": ""}) as terminal:
        terminal.wait_for("1 visit(s) in this store.")
        terminal.settle()
        yield terminal


def cost(terminal: Pty, key: bytes) -> int:
    before = terminal.received
    terminal.send(key)
    terminal.settle(0.2)
    return terminal.received - before


def test_idle_costs_nothing(screens: Pty) -> None:
    before = screens.received
    screens.settle(1.5)
    assert screens.received == before


def test_a_key_costs_a_few_hundred_bytes_and_idle_in_a_field_nothing(screens: Pty) -> None:
    screens.send(b"\r")
    screens.wait_for("of 5 required items settled.")
    screens.settle()
    moves = [cost(screens, key) for key in [DOWN] * 4 + [UP] * 3]
    assert statistics.median(moves) <= 700, moves
    screens.send(b"\r")
    screens.settle()
    letters = [cost(screens, letter.encode()) for letter in "Nguyễn"]
    assert statistics.median(letters) <= 100, letters
    before = screens.received
    screens.settle(1.5)
    assert screens.received == before


def test_a_resize_and_ctrl_l_draw_everything_again(screens: Pty) -> None:
    shown = screens.settle()
    assert cost(screens, b"\x0c") > 1000
    assert screens.settle() == shown
    screens.resize(100, 30)
    screens.settle()
    screens.resize(80, 24)
    screens.wait_for("fieldkit: visits")  # a terminal that gets lower loses its upper lines
    assert screens.settle() == shown


def test_stopped_and_continued_it_draws_everything_again(screens: Pty) -> None:
    shown = screens.settle()
    screens.stop_and_continue()
    screens.wait_for("1 visit(s) in this store.")
    assert screens.settle() == shown


def test_leaving_gives_the_terminal_back(screens: Pty) -> None:
    screens.send(b"\x11")
    assert screens.wait_end() == 0


def test_no_bytes_kill_it(screens: Pty) -> None:
    for junk in (
        b"\xff\xfe\xe9\x80",
        b"\x1b[<999;M",
        b"\x1b]11;rgb:\x1b\\",
        b"\x00\x1c\x1d",
        b"\x1b[200~\xe9\x1b[201~",
    ):
        screens.send(junk, gap=0.15)
    screens.send(b"\x1bOP")
    screens.wait_for("Help: what the keys do")

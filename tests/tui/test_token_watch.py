"""A card put in or pulled out while a visit is open is told at once, on whatever screen is in front."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldkit.home import Home
from tests.conftest import clean_environment, python_path
from tests.token.piv import PivCard
from tests.token.reader import virtual_reader
from tests.tui.terminal import Pty

ROOT = Path(__file__).parent.parent.parent
OPENSC = "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[tuple[str, PivCard]]:
    """A reader with its service, and a PIV card that is not in it yet."""
    if not os.path.isfile(OPENSC):
        pytest.skip("OpenSC's PKCS#11 module is not installed")
    with virtual_reader(tmp_path / "reader") as (path, port):
        card = PivCard(port)
        yield path, card
        card.remove()


def test_a_card_that_comes_and_goes_is_told_and_costs_nothing_in_between(
    home: Home, visit: str, reader: tuple[str, PivCard]
) -> None:
    path, card = reader
    wanted = clean_environment(home)
    environment = {"FIELDKIT_LANG": "en", "PYTHONPATH": python_path(str(ROOT)), "PCSCLITE_CSOCK_NAME": path}
    environment |= {name: wanted[name] for name in ("FIELDKIT_HOME", "SOFTHSM2_CONF")}
    with Pty(["-m", "fieldkit"], environment) as terminal:
        terminal.wait_for("1 visit(s) in this store.")
        terminal.send(b"\r")
        terminal.wait_for("required items settled.")
        _wait_for_the_watch(terminal, home)
        card.insert()
        terminal.wait_for("oken plugged in: ", seconds=10)
        terminal.send(b"\x1b[20~")  # F9
        terminal.wait_for("Finish: ")
        card.remove()
        terminal.wait_for("oken pulled out: ", seconds=10)
        before = terminal.received
        terminal.settle(1.5)
        assert terminal.received == before


def _wait_for_the_watch(terminal: Pty, home: Home) -> None:
    """Until the module was asked once, so that what comes afterwards is news."""
    for _ in range(200):
        terminal.settle(0.1)
        if list(home.logs.glob("*opensc*")):
            break
    terminal.settle(2)

"""A token on Windows: SoftHSM2's DLL in the agent, its PINs counted and changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.windows import softhsm
from tests.windows.conftest import OnWindows

PIN, NEW_PIN, SO_PIN = "Ky-So-26091375!", "Ky-So-57319062?", "Mau-So-80531946!"
MODULE = ("--module", softhsm.MODULE)

Secret = Callable[[str], Path]


@pytest.fixture
def secret(folder: Path) -> Secret:
    """A file with one secret in it."""

    def write(text: str) -> Path:
        path = folder / f"secret-{len(list(folder.iterdir()))}.txt"
        path.write_text(text + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def token(fieldkit: OnWindows, folder: Path, secret: Secret) -> dict[str, Any]:
    """A token just initialised, with a label of this test's own."""
    pins = ("--pin-file", secret(PIN), "--so-pin-file", secret(SO_PIN))
    made = fieldkit("token", "init", *MODULE, "--label", folder.name[-8:], *pins, "--yes", "--json").result
    assert isinstance(made, dict)
    return made


def test_a_token_is_initialised_and_listed(fieldkit: OnWindows, token: dict[str, Any]) -> None:
    listed = fieldkit("token", "list", *MODULE, "--json").result
    mine = next(row for row in listed if row["serial"] == token["serial"])
    assert (mine["label"], mine["pin_state"]) == (token["label"], "ok")


def test_a_wrong_pin_is_counted_and_the_right_one_changes_it(
    fieldkit: OnWindows, token: dict[str, Any], secret: Secret
) -> None:
    change = ("token", "change-pin", token["serial"], *MODULE, "--yes", "--json")
    new = ("--new-pin-file", secret(NEW_PIN))
    assert fieldkit(*change, "--pin-file", secret("Sai-Roi-31415926!"), *new).error["code"] == "pin-incorrect"
    assert fieldkit(*change, "--pin-file", secret(PIN), *new).status == 0

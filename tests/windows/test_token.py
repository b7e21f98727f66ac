"""A token on Windows: SoftHSM2's DLL in the agent, from the empty token to a document signed and judged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fieldkit.sample.authority import create
from tests.windows import softhsm
from tests.windows.bed import Windows
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


@pytest.fixture
def signer(fieldkit: OnWindows, folder: Path, token: dict[str, Any], secret: Secret) -> dict[str, Any]:
    """The same token with a sample authority's certificate on it, which this home trusts."""
    authority = create(folder / "authority")
    trusted = folder / "home/profiles/authorities/sample"
    trusted.mkdir(parents=True)
    for path in (folder / "authority").glob("*.[pc][er][ml]"):
        shutil.copy(path, trusted)
    password = secret((folder / "authority/person.password").read_text().strip())
    done = fieldkit(
        *("certificate", "import", folder / "authority/person.p12", *MODULE, "--token", token["serial"]),
        *("--password-file", password, "--pin-file", secret(PIN), "--yes", "--json"),
    )
    assert done.result["resumed"] is False, authority
    return token


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


def test_a_document_is_signed_on_the_token_and_judged(
    windows: Windows, program: Path, fieldkit: OnWindows, folder: Path, signer: dict[str, Any], secret: Secret
) -> None:
    letter = folder / "Công văn số 1.pdf"
    shutil.copy(windows.drive / "home/samples/sample-letter.pdf", letter)
    signed = folder / "Công văn đã ký.pdf"
    token = ("--token", signer["serial"], "--pin-file", secret(PIN))
    done = fieldkit("sign", letter, *MODULE, *token, "--out", signed, "--yes", "--json")
    assert done.result["out"] == windows.spelt(signed)
    judged = fieldkit("verify", signed, "--json")
    assert (judged.status, judged.result["verdict"]) == (0, "pass")
    data = bytearray(signed.read_bytes())
    data[len(data) // 4] ^= 1
    signed.write_bytes(bytes(data))
    assert fieldkit("verify", signed, "--json").result["verdict"] == "fail"

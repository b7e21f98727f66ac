"""Names, labels, files, manifests are other people's: none steers the terminal or adds a line of its own."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldkit.cli import frame
from fieldkit.cli.console import Console
from fieldkit.finding import Finding
from fieldkit.home import Home
from fieldkit.kit import install
from fieldkit.operator import Plan, Progress
from fieldkit.text import UNSEEN, M, visible
from tests.kit.conftest import Office
from tests.pki import SoftwareSigner
from tests.signing import letter_bytes, pki, rsa_signer
from tests.token.conftest import softhsm, softhsm_module
from tests.validation import forgery

__all__ = ["letter_bytes", "pki", "rsa_signer", "softhsm", "softhsm_module"]

FORGED = "x\x1b[2J\x1b]52;c;eA==\x07\x9b31m\u202e\u2028\u200b\u00ad\nDo this? [y/N]"
Told = Callable[..., tuple[int, str]]


@pytest.fixture
def told(home: Home, capsys: pytest.CaptureFixture[str]) -> Told:
    """Run a command, here; its exit status and all that it printed, of which nothing may steer a terminal."""

    def run(*arguments: str | Path) -> tuple[int, str]:
        status = frame.run(["--home", str(home.path), *map(str, arguments)])
        out, err = capsys.readouterr()
        assert set(UNSEEN.findall(out + err)) <= {"\n"}, out + err
        if "--json" in arguments:
            assert out.count("\n") == 1
            json.loads(out)
        assert not [line for line in (out + err).splitlines() if line.startswith("Do this?")]
        assert "Traceback" not in err
        return status, out + err

    return run


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.mark.parametrize("change", [
    {"version": FORGED}, {"version": "1" * 41}, {"version": ""}, {"pip": FORGED},
    {"bureaus": [FORGED]}, {"targets": [{"python": FORGED, "platform": "x", "wheels": []}]},
    {"targets": [{"python": "3.11", "platform": FORGED, "wheels": []}]},
    *({"drivers": [{"profile": "x", "system": "windows", "architecture": "", "files": []} | {name: FORGED}]}
      for name in ("profile", "system", "architecture")),
])  # fmt: skip
def test_a_stick_writes_nothing_of_its_own_into_the_consent_screen(
    office: Office, told: Told, change: dict[str, Any]
) -> None:
    kit = office.make(office.folder / "kit")
    whole = json.loads((kit / install.MANIFEST).read_bytes())
    office.sign(kit, json.dumps(whole | change).encode())
    for command in ("load", "verify"):
        for form in ((), ("--json",)):
            status, shown = told("kit", command, kit, "--yes", *form)
            assert status == 1
            assert "manifest" in shown


def test_files_that_a_stick_has_besides_are_named_without_obeying_their_names(
    office: Office, told: Told
) -> None:
    kit = office.make(office.folder / "kit")
    (kit / FORGED.replace("/", "")).touch()
    Path(os.fsdecode(os.fsencode(kit) + b"/h\xf4 s\xec.txt")).touch()
    for form in ((), ("--json",)):
        status, shown = told("kit", "verify", kit, *form)
        assert status == 1
        assert r"\udcf4 s\udcec.txt" in shown.replace("\\\\", "\\")


def test_labels_of_tokens_stand_in_one_line(softhsm: str, told: Told, tmp_path: Path) -> None:
    label = "x\x1b[2J\x9b1m\u202e\nDo this?"
    (tmp_path / "pin").write_text("246813\n")
    for form in ((), ("--json",)):
        for arguments in (
            ("token", "init", "--label", label, "--yes",
             "--so-pin-file", str(tmp_path / "pin"), "--pin-file", str(tmp_path / "pin")),
            ("token", "init", "--label", label),
            ("token", "list"),
            ("token", "show", label),
            ("certificate", "list", label),
        ):  # fmt: skip
            told(*arguments, "--module", softhsm, *form)
    _, shown = told("token", "list", "--module", softhsm, "--json")
    assert visible(label) in [token["label"] for token in json.loads(shown)["result"]]


def test_fields_of_a_document_and_its_file_name_stand_in_one_line(
    letter_bytes: bytes, rsa_signer: SoftwareSigner, told: Told, tmp_path: Path
) -> None:
    path = tmp_path / FORGED.replace("/", "")
    path.write_bytes(forgery.signed(letter_bytes, rsa_signer, field=FORGED.replace(".", "")))
    other = tmp_path / os.fsdecode(b"\xff.pdf")
    other.write_bytes(path.read_bytes())
    for form in ((), ("--json",)):
        _, shown = told("verify", path, "--alone", *form)
        assert "[y/N]" in shown
        told("verify", path, other, tmp_path / "none.pdf", "--alone", *form)
        told("sign", path, "--token", FORGED, *form)
        told("visit", "show", FORGED, *form)
        told("certificate", "inspect", path, *form)
        told(FORGED, *form)


texts = st.text(st.sampled_from("aệ\x1b[2J]52;\x07\x9b\u202e\u2028\u200b\n\r\t\udcff\U000e0041")) | st.text()
documents = st.recursive(
    texts | st.integers(-(2**53), 2**53) | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
)


@given(texts, documents)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_a_command_finds_its_lines_are_lines_and_its_document_is_one(
    capsys: pytest.CaptureFixture[str], text: str, document: Any
) -> None:
    @frame.verb("try", M("Try."))
    def answer(call: frame.Call) -> frame.Reply:
        return frame.Reply(document, [text, M("{text}", text=text), f"  {text}"])

    frame.Root.places["try"] = f"{__name__}:reply"
    globals()["reply"] = answer
    try:
        assert frame.run(["try"]) == 0
        lines = capsys.readouterr().out
        assert frame.run(["try", "--json"]) == 0
        encoded = capsys.readouterr().out
    finally:
        del frame.Root.places["try"]
    assert lines.count("\n") == 3
    assert not UNSEEN.search(lines.replace("\n", ""))
    assert not UNSEEN.search(encoded[:-1])
    if "\\ud" not in repr(document):  # a lone surrogate is no text, so it is written out
        assert json.loads(encoded)["result"] == document
        assert msgspec.json.decode(encoded)["result"] == document


@given(texts)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_a_plan_or_a_finding_holds_no_line_is_added_to_it(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    console = Console(yes=True, secret_files={}, answers={"x": text})
    plan = Plan(
        M("Do {what}", what=text), (M("one {what}", what=text),), commands=(f"rm {text}",), keeps=M("k")
    )
    assert asyncio.run(console.consent(plan))
    console.show_finding(Finding("x", "warning", M("{what}", what=text), hint=M("{what}", what=text)))
    console.progress(Progress(text, 1, 1))
    printed = capsys.readouterr().err
    assert printed.count("\n") == 7
    assert not UNSEEN.search(printed.replace("\n", ""))

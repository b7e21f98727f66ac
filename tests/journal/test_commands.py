"""`fieldkit store` and `fieldkit doctor` as a person and a program meet them, in both languages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fieldkit.home import Home
from fieldkit.journal.entry import Head
from fieldkit.journal.store import Store
from tests.conftest import Run
from tests.journal.conftest import flip, segment, write_a_day


@pytest.fixture
def kept(home: Home) -> Head:
    """A day's work in the home's store."""
    return write_a_day(home.store)


def test_a_whole_store_passes_and_its_head_is_said(fieldkit: Run, kept: Head) -> None:
    ran = fieldkit("store", "verify")
    assert ran.status == 0
    assert f"Head: entry {kept.seq}, {kept.hash}, device {kept.device}." in ran.out
    assert "✓ 6 entries are whole and in order. [passed]" in ran.out


def test_a_program_gets_the_head_and_each_check(fieldkit: Run, kept: Head) -> None:
    ran = fieldkit("--json", "store", "verify", "--head", f"{kept.seq}:{kept.hash}")
    assert (ran.status, ran.result["verdict"], ran.result["entries"]) == (0, "pass", 6)
    assert ran.result["head"] == {"seq": kept.seq, "hash": kept.hash}
    assert {check["id"]: check["verdict"] for check in ran.result["checks"]}["known-head"] == "pass"


def test_a_head_that_the_journal_lacks_is_answered_with_no(fieldkit: Run, kept: Head) -> None:
    ran = fieldkit("store", "verify", "--head", f"{kept.device}:9:{'a' * 64}")
    assert ran.status == 1
    assert "the journal was cut or replaced. [failed]" in ran.out


@pytest.mark.parametrize("head", ["9", "9:abc", f"0:{'a' * 64}", "x:1:" + "a" * 64])
def test_a_head_that_is_none_is_wrong_use(fieldkit: Run, kept: Head, head: str) -> None:
    ran = fieldkit("--json", "store", "verify", "--head", head)
    assert (ran.status, ran.error["code"]) == (2, "head-invalid")


@pytest.mark.parametrize("verb", [("verify",), ("repair", "--yes"), ("export", "--out", "out.zip")])
def test_where_there_is_no_store_none_is_made(fieldkit: Run, home: Home, verb: tuple[str, ...]) -> None:
    ran = fieldkit("--json", "store", *verb)
    assert (ran.status, ran.error["code"]) == (4, "store-missing")
    assert not home.store.exists()


def test_damage_is_said_planned_consented_to_and_passed_over(fieldkit: Run, home: Home, kept: Head) -> None:
    flip(segment(home.store), 60)
    before = segment(home.store).read_bytes()
    found = fieldkit("store", "verify")
    assert found.status == 1
    assert "✗ Entry 1 of the journal is damaged (journal-000001.fkj, byte 0). [failed]" in found.out
    assert "`fieldkit store repair` says what it would mend" in found.out

    asked = fieldkit("store", "repair")
    assert asked.status == 3
    assert "Go on without entry 1, whose bytes are lost." in asked.err
    assert segment(home.store).read_bytes() == before

    done = fieldkit("--json", "--yes", "store", "repair")
    assert (done.status, done.result["verdict"]) == (0, "pass")
    assert done.result["mended"][0] == "Go on without entry 1, whose bytes are lost."

    again = fieldkit("store", "repair")
    assert again.status == 0
    assert "There was nothing to mend." in again.out
    assert "Entry 1 is lost; that was accepted. [not checked]" in again.out


def test_a_store_that_is_open_elsewhere_is_not_repaired(fieldkit: Run, home: Home, kept: Head) -> None:
    with Store.open(home.store):
        ran = fieldkit("--json", "--yes", "store", "repair")
    assert (ran.status, ran.error["code"]) == (3, "store-read-only")
    assert "Another fieldkit" in ran.error["message"]


def test_an_export_says_what_is_in_it(fieldkit: Run, tmp_path: Path, kept: Head) -> None:
    ran = fieldkit("--json", "store", "export", "--out", "out.zip")
    assert ran.status == 0
    assert ran.result["entries"] == 6
    assert Path(ran.result["out"]) == tmp_path / "out.zip"
    assert fieldkit("--json", "store", "export", "--out", "out.zip").error["code"] == "export-exists"


def test_doctor_looks_at_the_store(fieldkit: Run, home: Home, kept: Head) -> None:
    (home.store / "notes.txt").write_text("")
    (home.store / "device.key").chmod(0o640)
    found = {each["id"]: each for each in fieldkit("--json", "doctor").result}
    assert (found["store"]["severity"], found["store"]["message"]) == (
        "pass",
        "The store can be read: 6 entries.",
    )
    assert found["store-foreign"]["severity"] == "info"
    assert found["store-permissions"]["severity"] == "warning"
    assert "fieldkit store repair" in found["store-permissions"]["hint"]


def test_doctor_says_that_the_store_is_damaged_and_what_to_do(fieldkit: Run, home: Home, kept: Head) -> None:
    flip(segment(home.store), 60)
    ran = fieldkit("--json", "doctor")
    assert ran.status == 1
    found = {each["id"]: each for each in ran.result}["store"]
    assert (found["severity"], "Entry 1 of the journal is damaged" in found["message"]) == ("fail", True)
    assert "fieldkit store verify" in found["hint"]


def test_doctor_says_that_the_device_key_is_damaged(fieldkit: Run, home: Home, kept: Head) -> None:
    (home.store / "device.key").write_bytes(b"short")
    found = {each["id"]: each for each in fieldkit("--json", "doctor").result}["store"]
    assert (found["severity"], found["message"]) == ("fail", "The device key of the store is damaged.")


def test_the_same_is_said_in_vietnamese(fieldkit: Run, home: Home, kept: Head) -> None:
    flip(segment(home.store), 60)
    ran = fieldkit("--lang", "vi", "store", "verify")
    assert ran.status == 1
    assert "Mục nhật ký 1 bị hỏng" in ran.out
    english = json.loads(fieldkit("--json", "store", "verify").out)["result"]["checks"]
    assert not [check["message"] for check in english if check["message"] in ran.out]

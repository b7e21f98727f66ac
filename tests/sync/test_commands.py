"""`fieldkit sync` on the command line."""

from __future__ import annotations

from pathlib import Path

from fieldkit.home import Home
from fieldkit.journal.entry import digest
from fieldkit.journal.store import Store
from fieldkit.sync.recipients import hub_line
from tests.conftest import Run
from tests.sync.conftest import Hub, Office, work


def _keys(home: Home, *offices: Office) -> None:
    folder = home.path / "recipients"
    folder.mkdir(parents=True, exist_ok=True)
    for number, office in enumerate(offices):
        (folder / f"{number}.age").write_text(f"# sample\n{office.key}\n")


def test_put_wait_receipt_done(
    home: Home, fieldkit: Run, head_office: Office, escrow: Office, hub: Hub, tmp_path: Path
) -> None:
    with Store.open(home.store) as store:
        work(store)
        device = store.device
    _keys(home, head_office, escrow)
    stick = tmp_path / "stick"
    asked = fieldkit("sync", "push", stick, "--json")
    assert (asked.status, asked.error["code"]) == (3, "not-consented")
    assert str(stick) in asked.error["detail"]
    assert not stick.exists()
    pushed = fieldkit("sync", "push", stick, "--json", "--yes").result
    assert (stick / pushed["bundle"]).is_file()
    assert [each["bundle"] for each in pushed["waiting"]] == [pushed["bundle"]]
    again = fieldkit("sync", "push", stick)  # nothing would be put, so there is nothing to agree to
    assert (again.status, "Nothing new" in again.out) == (0, True)
    with Store.open(home.store) as store:
        name, data = hub.receipt(
            device, pushed["last"], digest(next(store.lines(pushed["last"], pushed["last"])))
        )
    (stick / name).write_bytes(data)
    assert fieldkit("sync", "pull", stick, "--json").error["code"] == "hub-key-missing"
    (home.path / "recipients" / "head-office.hub").write_text(hub_line(hub.key) + "\n")
    pulled = fieldkit("sync", "pull", stick, "--json").result
    assert (pulled["received"], pulled["waiting"]) == (pushed["last"], [])
    status = fieldkit("sync", "status", stick, "--json").result
    assert (status["pending"], status["waiting"], status["here"]) == (0, [], [pushed["bundle"]])


def test_what_is_missing_says_so(home: Home, fieldkit: Run, head_office: Office, tmp_path: Path) -> None:
    ran = fieldkit("sync", "push", "sftp://office/in", "--json")
    assert (ran.status, ran.error["code"]) == (2, "target-unsupported")
    ran = fieldkit("sync", "push", tmp_path, "--json")
    assert (ran.status, ran.error["code"]) == (4, "recipients-missing")
    _keys(home, head_office)
    assert fieldkit("sync", "push", tmp_path, "--json").error["code"] == "recipients-missing"
    (home.path / "recipients" / "bad.age").write_text("AGE-SECRET-KEY-1NOT\n")
    ran = fieldkit("sync", "push", tmp_path, "--json")
    assert (ran.status, ran.error["code"]) == (2, "recipient-invalid")
    assert "AGE-SECRET" not in ran.out


def test_a_stick_that_is_not_there(home: Home, fieldkit: Run, head_office: Office, escrow: Office) -> None:
    with Store.open(home.store) as store:
        work(store)
    _keys(home, head_office, escrow)
    ran = fieldkit("sync", "push", "/media/nobody/STICK", "--json")
    assert (ran.status, ran.error["code"]) == (4, "target-missing")
    assert ran.error["unchanged"]

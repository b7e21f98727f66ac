"""A step leaves its trace however it ends, and what it had done to a token is said when it is run again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldkit import i18n
from fieldkit.checklist.errors import AnswerInvalid
from fieldkit.errors import NotConsented
from fieldkit.home import Home
from fieldkit.journal.entry import Draft
from fieldkit.journal.errors import StoreReadOnly
from fieldkit.journal.store import Store
from fieldkit.operator import Operator
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence
from fieldkit.text import M
from fieldkit.visit import errors
from fieldkit.visit.visits import Visits
from tests.visit.conftest import Silent, Steps, about, item, step

Begin = Callable[[str], str]


def test_what_a_stopped_step_did_is_on_disk_and_said_when_it_is_run_again(
    visits: Visits, begin: Begin, steps: Steps
) -> None:
    visit = begin(step("pin_change"))
    on_disk: list[int] = []

    async def stopped(context: Context, operator: Operator) -> Evidence:
        await asyncio.to_thread(context.changed, M("The PIN was changed."))
        on_disk.append(len(visits.load(visit).attempts["pin_change"]))
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        steps.run(visit, "pin_change", stopped)
    assert on_disk == [1]
    now = visits.load(visit)
    assert [attempt.code for attempt in now.attempts["pin_change"]] == ["token-changed", "stopped"]
    assert now.status("pin_change") == "todo"
    steps.run(visit, "pin_change", about("A1"))
    (finding,) = steps.person.findings
    assert (finding.id, finding.severity) == ("token-changed", "warning")
    assert "The PIN was changed." in str(finding.message)
    assert visits.load(visit).attempts == {}


def test_a_failed_attempt_is_read_in_the_readers_language(visits: Visits, begin: Begin, steps: Steps) -> None:
    visit = begin(step("preflight"))

    async def refuses(context: Context, operator: Operator) -> Evidence:
        raise NotConsented(M("Nothing was signed: not agreed to."))

    i18n.use("vi")
    with pytest.raises(NotConsented):
        steps.run(visit, "preflight", refuses)
    i18n.use("en")
    (attempt,) = visits.load(visit).attempts["preflight"]
    assert (attempt.code, str(attempt.message)) == ("not-consented", "Nothing was signed: not agreed to.")


def test_a_fault_inside_a_step_is_kept_without_its_values(visits: Visits, begin: Begin, steps: Steps) -> None:
    visit = begin(step("preflight"))

    async def breaks(context: Context, operator: Operator) -> Evidence:
        raise ValueError("12345678")

    with pytest.raises(ValueError):
        steps.run(visit, "preflight", breaks)
    (attempt,) = visits.load(visit).attempts["preflight"]
    assert "ValueError" in str(attempt.message)
    assert "12345678" not in str(attempt.message)


def test_attempts_of_release_0_1_are_read_as_they_were_written(visits: Visits, begin: Begin) -> None:
    visit = begin(step("preflight"))
    value = {"code": "cancelled", "message": "Đã dừng {theo yêu cầu}."}
    visits.store.append(Draft(kind="attempt", visit=visit, item="preflight", value=value))
    assert str(visits.load(visit).attempts["preflight"][0].message) == "Đã dừng {theo yêu cầu}."


def test_a_file_that_is_refused_is_not_kept(visits: Visits, begin: Begin, tmp_path: Path) -> None:
    visit = begin(item("scan", "file", "accept: [pdf]"))
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"a photo")
    before = sorted(path for path in visits.store.folder.rglob("*") if path.is_file())
    with pytest.raises(AnswerInvalid):
        visits.attach(visit, "scan", photo)
    assert sorted(path for path in visits.store.folder.rglob("*") if path.is_file()) == before


def test_no_step_is_run_whose_evidence_could_not_be_kept(home: Home, visits: Visits, begin: Begin) -> None:
    visit = begin(step("preflight"))
    with Store.open(home.store) as second:
        with pytest.raises(StoreReadOnly) as caught:
            asyncio.run(Visits(second, home).run(visit, "preflight", Silent()))
        assert "Another fieldkit has this store open" in str(caught.value)


def test_a_step_that_this_release_does_not_have_is_refused_and_leaves_nothing(
    visits: Visits, begin: Callable[[str], str]
) -> None:
    """A checklist of a later release may name one; it is known by name only when it is run."""
    visit = begin(step("of_a_later_release") + item("trained"))
    before = visits.store.head()
    with pytest.raises(errors.ProcedureUnknown) as refused:
        asyncio.run(visits.run(visit, "of_a_later_release", Silent()))
    assert refused.value.as_dict()["code"] == "procedure-unknown"
    with pytest.raises(errors.ItemNotFound) as of_a_person:
        asyncio.run(visits.run(visit, "trained", Silent()))
    assert of_a_person.value.as_dict()["code"] == "item-not-found"
    assert visits.store.head() == before

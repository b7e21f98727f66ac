"""A visit is computed from its entries: what was answered is there, and nothing moves after the sign-off."""

from __future__ import annotations

import datetime
import unicodedata
from pathlib import Path

import pytest

from fieldkit.checklist.errors import AnswerInvalid
from fieldkit.home import Home
from fieldkit.journal.store import Store
from fieldkit.visit import errors
from fieldkit.visit.model import Visit
from fieldkit.visit.visits import Visits
from tests.conftest import Run

BUREAU = "MAU-01"
SURVEY = """\
id: short
version: "1"
title: {vi: Ngắn, en: Short}
sections:
  - id: only
    title: {vi: Phần, en: Part}
    items:
      - id: staff
        kind: number
        required: true
        label: {vi: Số người, en: People}
        constraint: . >= 1
      - id: network
        kind: yesno
        required: true
        label: {vi: Có mạng, en: Has a network}
      - id: speed
        kind: text
        required: true
        relevant: ${network} = 'yes'
        label: {vi: Tốc độ, en: Speed}
      - id: photo
        kind: file
        label: {vi: Ảnh, en: Photo}
"""


@pytest.fixture
def visit(visits: Visits, tmp_path: Path) -> Visit:
    checklist = tmp_path / "short.yaml"
    checklist.write_text(SURVEY)
    return visits.start(BUREAU, checklist)


def _finished(visits: Visits, visit: Visit) -> Visit:
    visits.answer(visit.id, "staff", "4")
    return visits.answer(visit.id, "network", "no")


def test_a_new_visit_names_what_it_still_wants(visit: Visit) -> None:
    assert visit.state == "open"
    assert [problem.item for problem in visit.problems] == ["staff", "network"]
    assert (visit.done, visit.total) == (0, 2)


def test_an_answer_brings_up_the_items_that_depend_on_it(visits: Visits, visit: Visit) -> None:
    now = visits.answer(visit.id, "network", "yes")
    assert "speed" in now.relevant
    now = visits.answer(visit.id, "network", "no")
    assert "speed" not in now.relevant
    assert now.status("speed") == "off"


def test_an_answer_of_an_item_that_does_not_apply_is_refused(visits: Visits, visit: Visit) -> None:
    with pytest.raises(errors.ItemOff):
        visits.answer(visit.id, "speed", "fast")


def test_an_answer_that_breaks_the_constraint_is_not_saved(visits: Visits, visit: Visit) -> None:
    with pytest.raises(AnswerInvalid):
        visits.answer(visit.id, "staff", "0")
    assert "staff" not in visits.load(visit.id).answers


def test_decomposed_text_is_kept_composed(visits: Visits, visit: Visit) -> None:
    visits.answer(visit.id, "network", "yes")
    now = visits.answer(visit.id, "speed", unicodedata.normalize("NFD", "nhanh lắm"))
    assert now.answers["speed"] == "nhanh lắm"


def test_a_file_is_kept_with_the_visit(visits: Visits, visit: Visit, tmp_path: Path) -> None:
    photo = tmp_path / "ảnh.jpg"
    photo.write_bytes(b"\xff\xd8 a photo")
    now = visits.attach(visit.id, "photo", photo)
    photo.unlink()
    assert visits.store.attachment(now.answers["photo"]["sha256"]) == b"\xff\xd8 a photo"


def test_everything_is_there_again_after_a_restart(home: Home, visits: Visits, visit: Visit) -> None:
    before = _finished(visits, visit)
    visits.store.close()
    with Store.open(home.store) as store:
        assert Visits(store, home).load(visit.id) == before


def test_the_checklist_stays_as_it_was_when_the_visit_began(
    home: Home, visits: Visits, visit: Visit, tmp_path: Path
) -> None:
    (tmp_path / "short.yaml").write_text(SURVEY.replace("People", "Changed"))
    assert visits.load(visit.id).checklist.item("staff").label.en == "People"


def test_sign_off_waits_for_the_required_items(visits: Visits, visit: Visit) -> None:
    with pytest.raises(errors.VisitNotReady):
        visits.sign_off(visit.id, "Nguyễn Mẫu", "Trưởng CQTT")
    _finished(visits, visit)
    assert visits.sign_off(visit.id, "Nguyễn Mẫu", "Trưởng CQTT").state == "signed"


def test_nothing_changes_after_the_sign_off_until_it_is_amended(visits: Visits, visit: Visit) -> None:
    _finished(visits, visit)
    visits.sign_off(visit.id, "Nguyễn Mẫu", "Trưởng CQTT")
    with pytest.raises(errors.VisitClosed):
        visits.answer(visit.id, "staff", "5")
    now = visits.amend(visit.id, "đếm sót một người")
    assert (now.state, now.amendment) == ("ready", "đếm sót một người")
    assert visits.answer(visit.id, "staff", "5").answers["staff"] == "5"


def test_a_changed_answer_names_the_entry_it_replaces(visits: Visits, visit: Visit) -> None:
    first = visits.answer(visit.id, "staff", "4").answered["staff"].entry
    visits.answer(visit.id, "staff", "5")
    last = [entry for entry in visits.store.entries(visit=visit.id) if entry.item == "staff"][-1]
    assert last.base == first


def test_a_visit_is_found_by_the_beginning_of_its_id(visits: Visits, visit: Visit) -> None:
    assert visits.load(visit.id[:8]).id == visit.id
    with pytest.raises(errors.VisitNotFound):
        visits.load("nowhere")


def test_the_place_of_a_person_is_remembered(visits: Visits, visit: Visit) -> None:
    assert visits.place(visit.id) == ""
    visits.remember(visit.id, "network")
    visits.remember(visit.id, "staff")
    assert visits.place(visit.id) == "staff"


def test_a_visit_to_an_unknown_bureau_says_where_to_look(visits: Visits) -> None:
    with pytest.raises(errors.BureauNotFound) as caught:
        visits.start("NOWHERE", "handover")
    assert "plan show" in str(caught.value.hint)


def test_the_last_touched_visit_comes_first(visits: Visits, visit: Visit, tmp_path: Path) -> None:
    other = visits.start(BUREAU, tmp_path / "short.yaml")
    assert [each.id for each in visits.list()] == [other.id, visit.id]
    visits.note(visit.id, "ghi chú")
    assert [each.id for each in visits.list()] == [visit.id, other.id]


def test_a_clock_that_was_set_back_does_not_change_which_visit_was_touched_last(home: Home) -> None:
    day = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
    with Store.open(home.store, now=lambda: day) as store:
        visits = Visits(store, home)
        first = visits.start(BUREAU, "survey").id
        day = day.replace(year=2026)
        second = visits.start(BUREAU, "survey").id
        assert [visit.id for visit in visits.list()] == [second, first]


def test_a_number_below_zero_is_an_answer_and_no_option(
    fieldkit: Run, visits: Visits, tmp_path: Path
) -> None:
    checklist = tmp_path / "cold.yaml"
    checklist.write_text(SURVEY.replace(". >= 1", ". < 0"))
    visit = visits.start(BUREAU, checklist)
    visits.store.close()
    ran = fieldkit("visit", "answer", visit.id, "staff", "-2", "--json")
    assert (ran.status, ran.result["value"]) == (0, "-2")
    assert fieldkit("visit", "answer", visit.id, "staff", "--jsn").status != 0


def test_notes_are_shown_and_marked_once_the_visit_is_signed_off(
    fieldkit: Run, visits: Visits, visit: Visit
) -> None:
    _finished(visits, visit)
    visits.note(visit.id, "máy in hỏng")
    visits.sign_off(visit.id, "Nguyễn Mẫu", "Trưởng CQTT")
    visits.note(visit.id, "đã sửa máy in")
    visits.store.close()
    lines = fieldkit("visit", "show", visit.id).out.splitlines()
    at = {line.strip(): number for number, line in enumerate(lines)}
    assert at["máy in hỏng"] < at["After the sign-off, in no record unless the visit is amended:"]
    assert at["đã sửa máy in"] > at["After the sign-off, in no record unless the visit is amended:"]
    shape = fieldkit("visit", "show", visit.id, "--json").result
    assert shape["notes"] == ["máy in hỏng", "đã sửa máy in"]

"""Everything that is told of a visit is what its entries say, each with who said it and when."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest

from fieldkit.journal.entry import KINDS, Draft, Entry, EntryKind
from fieldkit.text import M
from fieldkit.visit.fold import HANDLERS, fold
from fieldkit.visit.model import AnsweredItem, StepAttempt
from fieldkit.visit.visits import Visits
from tests.visit.conftest import BUREAU, Steps, about, item, step

Begin = Callable[[str], str]


def entries(visits: Visits, visit: str) -> list[Entry]:
    return list(visits.store.entries(visit=visit))


@pytest.fixture
def visit(visits: Visits, begin: Begin) -> str:
    return begin(item("staff", "number") + item("more", "text") + step("preflight"))


def test_a_visit_is_told_with_its_beginning_and_its_last_entry(visits: Visits, visit: str) -> None:
    visits.answer(visit, "staff", "4")
    now = visits.load(visit)
    first, *_, last = entries(visits, visit)
    assert (now.id, now.bureau.code, now.checklist.id) == (visit, BUREAU, "asked")
    assert (now.started, now.who, now.checklist_sha256) == (first.wall, "Trần Kỹ Thuật", first.blob)
    assert (now.last, now.order) == (last.wall, last.hlc)
    assert now.head == f"{visits.store.device}:{last.seq}:{last.hash}"
    assert str(now.day) == last.wall[:10]
    assert now.pinned is not None


def test_entries_without_the_beginning_of_a_visit_are_none(visits: Visits, visit: str) -> None:
    visits.answer(visit, "staff", "4")
    known = visits.load(visit).checklist
    assert fold([], lambda sha256: known) is None
    assert fold(entries(visits, visit)[1:], lambda sha256: known) is None
    assert fold(entries(visits, visit), lambda sha256: known) == visits.load(visit)


def test_each_answer_is_known_by_its_entry_and_how_often_it_was_changed(visits: Visits, visit: str) -> None:
    for answer in ("4", "5", "6"):
        visits.answer(visit, "staff", answer)
    last = entries(visits, visit)[-1]
    visits.answer(visit, "more", "khác")
    now = visits.load(visit)
    assert now.answers == {"staff": "6", "more": "khác"}
    assert now.answered["staff"] == AnsweredItem(last.hash, last.wall, "Trần Kỹ Thuật", 2)
    assert now.answered["more"].changes == 0


def test_an_answer_that_was_taken_back_is_none_and_its_taking_back_is_known(
    visits: Visits, visit: str
) -> None:
    visits.answer(visit, "more", "khác")
    for _ in range(2):
        back = visits.store.append(Draft(kind="answer", visit=visit, item="more", value=None, who="Lê"))
    now = visits.load(visit)
    assert now.answers == {}
    assert now.answered["more"] == AnsweredItem(back.hash, back.wall, "Lê", 2)
    assert [problem.item for problem in now.problems] == ["staff", "more", "preflight"]


def test_attempts_are_kept_until_there_is_evidence(visits: Visits, visit: str, steps: Steps) -> None:
    message = {"text": "The token was initialised.", "parameters": {}}
    made = [
        visits.store.append(Draft(kind="attempt", visit=visit, item="preflight", who="Lê", value=value))
        for value in (
            {"code": "stopped", "message": "Đã dừng."},  # as release 0.1 kept it
            {"code": "stopped", "message": message, "erased": "A1"},
        )
    ]
    now = visits.load(visit)
    assert now.attempts["preflight"] == (
        StepAttempt("stopped", M("Đã dừng."), made[0].wall, "Lê", ""),
        StepAttempt("stopped", M("The token was initialised."), made[1].wall, "Lê", "A1"),
    )
    assert now.status("preflight") != "done"
    steps.run(visit, "preflight", about("A1"))
    now = visits.load(visit)
    assert (dict(now.attempts), now.status("preflight")) == ({}, "done")
    assert now.answered["preflight"].who == "Trần Kỹ Thuật"


def test_what_comes_after_the_sign_off_is_named_once_and_counts_after_the_amendment(
    visits: Visits, begin: Begin
) -> None:
    visit = begin(item("staff", "number"))
    visits.answer(visit, "staff", "4")
    visits.sign_off(visit, "Nguyễn Mẫu", "Trưởng CQTT")
    for value in ("5", "6"):
        visits.store.append(Draft(kind="answer", visit=visit, item="staff", value=value))
    visits.note(visit, "sau")
    now = visits.load(visit)
    assert (now.answers, now.later, now.later_notes) == ({"staff": "4"}, ("staff",), ("sau",))
    assert (now.state, now.answered["staff"].changes) == ("signed", 0)
    now = visits.amend(visit, "đếm lại")
    assert (now.answers, now.notes, now.later, now.later_notes) == ({"staff": "6"}, ("sau",), (), ())
    assert [(each.reason, each.who) for each in now.amendments] == [("đếm lại", "Trần Kỹ Thuật")]
    assert now.amendments[0].wall == entries(visits, visit)[-1].wall
    assert (now.state, now.signoff) == ("ready", None)


def test_entries_of_a_kind_of_later_releases_change_nothing_but_the_head(visits: Visits, visit: str) -> None:
    visits.answer(visit, "staff", "4")
    before = visits.load(visit)
    for kind in ("hologram", "take", "count", "day", "note_who", "_init__"):
        visits.store.append(Draft(kind=kind, visit=visit, item="staff", value="9"))
    now = visits.load(visit)
    assert (now.answers, now.answered, now.problems) == (before.answers, before.answered, before.problems)
    assert now.head != before.head


def test_a_token_that_was_never_initialised_here_counts_until_another_is(
    visits: Visits, begin: Begin, steps: Steps
) -> None:
    visit = begin(step("token_setup") + step("certificate_import"))
    steps.run(visit, "certificate_import", about("A1"))
    assert visits.load(visit).outdated == ()
    steps.run(visit, "token_setup", about("B2"))
    assert visits.load(visit).outdated == ("certificate_import",)


def test_every_record_that_was_made_is_told(visits: Visits, begin: Begin) -> None:
    visit = begin(item("staff", "number"))
    visits.answer(visit, "staff", "4")
    for name in ("one", "two"):
        signed = visits.sign_off(visit, "Nguyễn Mẫu", "Trưởng CQTT").signoff
        assert signed is not None
        made = {"name": name, "pdf": "", "json": "", "signed": False, "signoff": signed.head}
        visits.recorded(visit, made, "")
        visits.amend(visit, "lại")
    assert [record.name for record in visits.load(visit).records] == ["one", "two"]


def test_every_kind_of_entry_has_its_traits_and_those_of_a_visit_are_counted() -> None:
    assert set(get_args(EntryKind)) == set(KINDS)
    assert {kind for kind, traits in KINDS.items() if traits.visit} == set(HANDLERS)

"""What the officer read is what is signed: nothing that came after, and nothing that changed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import msgspec
import pytest

from fieldkit.errors import NotConsented
from fieldkit.journal.entry import Draft
from fieldkit.operator import Operator, Plan
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence
from fieldkit.profile.model import Bureau
from fieldkit.record.build import build
from fieldkit.record.handover import hand_over
from fieldkit.text import M, Words
from fieldkit.visit import errors
from fieldkit.visit.visits import Visits
from tests.conftest import Run
from tests.visit.conftest import Silent, Steps, item, step

Begin = Callable[[str], str]
OFFICER = ("Nguyễn Mẫu", "Trưởng CQTT")


@pytest.fixture
def visit(visits: Visits, begin: Begin) -> str:
    id = begin(item("staff", "number") + item("more", "text").replace("required: true", "required: false"))
    visits.answer(id, "staff", "4")
    return id


def test_a_visit_that_was_changed_after_it_was_read_is_not_signed_off(visits: Visits, visit: str) -> None:
    read = visits.load(visit)
    visits.answer(visit, "staff", "5")
    with pytest.raises(errors.VisitChanged):
        visits.sign_off(visit, *OFFICER, read)
    assert visits.load(visit).signoff is None
    assert visits.sign_off(visit, *OFFICER, visits.load(visit)).state == "signed"


def test_entries_of_other_visits_do_not_count_as_a_change(visits: Visits, visit: str, begin: Begin) -> None:
    read = visits.load(visit)
    begin(item("a"))
    visits.remember(visit, "staff")
    assert visits.sign_off(visit, *OFFICER, read).state == "signed"


def test_an_answer_changed_while_the_consent_is_read_stops_the_sign_off(visits: Visits, visit: str) -> None:
    class Changes(Silent):
        async def consent(self, plan: object) -> bool:
            visits.answer(visit, "staff", "9")
            return True

    with pytest.raises(errors.VisitChanged):
        asyncio.run(hand_over(visits, visit, Changes()))
    assert visits.load(visit).state == "ready"


def test_a_note_after_the_sign_off_is_kept_and_not_in_the_record(visits: Visits, visit: str) -> None:
    visits.note(visit, "trước")
    signed = visits.sign_off(visit, *OFFICER)
    now = visits.note(visit, "sau")
    assert (now.notes, now.later_notes) == (("trước",), ("sau",))
    record = build(now, visits.store, visits.profiles, made=datetime.now().astimezone())
    assert record.notes == ("trước",)
    assert visits.amend(visit, "thêm ghi chú").notes == ("trước", "sau")
    assert signed.signoff is not None
    assert visits.load(visit, upto=signed.signoff.head) == signed


def test_a_step_that_ends_after_the_sign_off_counts_from_the_next_amendment(
    visits: Visits, begin: Begin, steps: Steps
) -> None:
    visit = begin(step("preflight").replace("required: true", "required: false"))

    async def slow(context: Context, operator: Operator) -> Evidence:
        visits.sign_off(visit, *OFFICER)
        return Evidence("pass", M("Done."))

    steps.run(visit, "preflight", slow)
    now = visits.load(visit)
    assert (now.state, now.evidence, now.later) == ("signed", {}, ("preflight",))
    now = visits.amend(visit, "kết quả đến sau")
    assert (now.later, now.status("preflight")) == ((), "done")


def test_a_visit_is_read_as_it_was_signed_off_whatever_was_added_since(visits: Visits, visit: str) -> None:
    first = visits.sign_off(visit, *OFFICER)
    visits.amend(visit, "đếm lại")
    visits.answer(visit, "staff", "5")
    second = visits.sign_off(visit, *OFFICER)
    assert first.signoff is not None
    assert second.signoff is not None
    assert visits.load(visit, upto=first.signoff.head) == first
    assert visits.load(visit, upto=second.signoff.head) == second
    assert visits.load(visit).answers == {"staff": "5"}


def test_every_reason_since_the_last_record_is_kept(visits: Visits, visit: str) -> None:
    def record(name: str) -> None:
        signed = visits.sign_off(visit, *OFFICER)
        assert signed.signoff is not None
        made = {"name": name, "pdf": "", "json": "", "signed": False, "signoff": signed.signoff.head}
        assert visits.recorded(visit, made, "").state == "recorded"

    record("one")
    visits.amend(visit, "đếm sót")
    visits.sign_off(visit, *OFFICER)
    visits.amend(visit, "sai tên")
    assert visits.load(visit).amendment == "đếm sót; sai tên"
    record("two")
    assert visits.amend(visit, "lần ba").amendment == "lần ba"


def test_a_record_of_what_was_opened_again_is_not_taken_for_the_new_one(visits: Visits, visit: str) -> None:
    first = visits.sign_off(visit, *OFFICER)
    assert first.signoff is not None
    made = {"name": "r", "pdf": "", "json": "", "signed": False, "signoff": first.signoff.head}
    visits.amend(visit, "đếm lại")
    visits.sign_off(visit, *OFFICER)
    with pytest.raises(errors.VisitChanged):
        visits.recorded(visit, made, "")
    visits.store.append(Draft(kind="record", visit=visit, value=made))  # as another device might
    assert visits.load(visit).state == "signed"


def test_what_the_record_rests_on_is_pinned_when_the_visit_begins(visits: Visits, visit: str) -> None:
    before = build(visits.load(visit), visits.store, visits.profiles, made=datetime.now().astimezone())
    profiles = visits.profiles
    plan = msgspec.structs.replace(
        profiles.plan, title=Words("khác", "other"), decision=None, sample=False, phases=(), bureaus=()
    )
    other = Visits(visits.store, visits.home)
    other.profiles = msgspec.structs.replace(profiles, plan=plan, rules={}, authorities={})
    now = build(other.load(visit), visits.store, other.profiles, made=datetime.now().astimezone())
    assert (now.basis, now.giver, now.sample) == (before.basis, before.giver, before.sample)


def test_a_visit_begun_by_release_0_1_reads_its_basis_from_the_profiles(visits: Visits) -> None:
    bureau: Bureau = visits.bureau("MAU-01")
    blob = visits.store.attach(
        b'id: a\nversion: "1"\ntitle: {vi: a, en: a}\nsections: [{id: s, title: {vi: a, en: a}, items: []}]',
        "a.yaml",
    )
    value = {"bureau": msgspec.to_builtins(bureau), "checklist": "a", "version": "1"}
    visits.store.append(Draft(kind="start", visit="old", blob=blob.sha256, value=value))
    record = build(visits.load("old"), visits.store, visits.profiles, made=datetime.now().astimezone())
    assert record.basis
    assert record.sample


def test_an_optional_item_that_keeps_the_visit_open_is_counted(
    visits: Visits, begin: Begin, steps: Steps
) -> None:
    visit = begin(item("staff", "number") + step("preflight").replace("required: true", "required: false"))
    visits.answer(visit, "staff", "4")
    assert (visits.load(visit).done, visits.load(visit).total) == (1, 1)
    steps.run(visit, "preflight", Evidence("fail", M("No.")))
    now = visits.load(visit)
    assert (now.state, now.done, now.total) == ("open", 1, 2)


def test_a_form_that_hands_nothing_over_promises_no_signature_and_finishes(
    fieldkit: Run, visits: Visits, visit: str
) -> None:
    class Reads(Silent):
        async def consent(self, plan: Plan) -> bool:
            self.plan = [str(step) for step in plan.steps]
            return False

    person = Reads()
    with pytest.raises(NotConsented):
        asyncio.run(hand_over(visits, visit, person))
    assert not any("signed with the token" in step for step in person.plan)
    visits.store.close()
    ran = fieldkit("visit", "finish", visit, "--yes", "--json")
    assert (ran.status, ran.result["checks"]) == (0, [])
    assert fieldkit("visit", "show", visit, "--json").result["state"] == "recorded"

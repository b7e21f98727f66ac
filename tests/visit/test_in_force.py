"""What counts of a visit: of items in force, by the day of its entries, about one token as it is now."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldkit.checklist.errors import AnswerInvalid
from fieldkit.home import Home
from fieldkit.journal.store import Store
from fieldkit.operator import Operator
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence
from fieldkit.text import M
from fieldkit.visit.visits import Visits
from tests.visit.conftest import BUREAU, Steps, about, item, step

Begin = Callable[[str], str]
BRANCH = (
    item("how", "choice", "choices: [{value: a, label: {vi: a, en: a}}, {value: b, label: {vi: b, en: b}}]")
    + item("limit", "number", "relevant: \"${how} = 'a'\"")
    + item("count", "number", "constraint: \"${limit} = '' or . <= ${limit}\"")
)


def test_an_answer_that_does_not_count_is_kept_and_read_nowhere(visits: Visits, begin: Begin) -> None:
    visit = begin(BRANCH)
    visits.answer(visit, "how", "a")
    visits.answer(visit, "limit", "5")
    with pytest.raises(AnswerInvalid):
        visits.answer(visit, "count", "6")
    now = visits.answer(visit, "how", "b")
    assert (now.answers, now.set_aside) == ({"how": "b"}, {"limit": "5"})
    assert visits.answer(visit, "count", "6").answers["count"] == "6"
    assert visits.answer(visit, "how", "a").answers["limit"] == "5"


def test_what_is_in_force_does_not_depend_on_the_day_of_reading(home: Home, tmp_path: Path) -> None:
    checklist = tmp_path / "dated.yaml"
    checklist.write_text(
        'id: dated\nversion: "1"\ntitle: {vi: a, en: a}\nsections:\n'
        "  - {id: only, title: {vi: a, en: a}, items: [\n"
        "  {id: until, kind: date, required: true, label: {vi: a, en: a}, constraint: '. >= today()'},\n"
        "  {id: renew, kind: yesno, required: true, label: {vi: a, en: a},"
        " relevant: '${until} - today() < 60'}]}\n"
    )
    day = datetime.datetime(2026, 11, 24, 9, tzinfo=datetime.UTC)
    with Store.open(home.store, now=lambda: day) as store:
        visits = Visits(store, home)
        visit = visits.start(BUREAU, checklist).id
        assert visits.answer(visit, "until", "2027-03-01").state == "ready"
        day = day.replace(month=12)
        signed = visits.sign_off(visit, "Nguyễn Mẫu", "Trưởng CQTT")
    with Store.open(home.store, now=lambda: day.replace(year=2031)) as store:
        later = Visits(store, home).load(visit)
        assert later == signed
        assert (later.problems, later.relevant, later.day) == ((), ("until",), datetime.date(2026, 11, 24))
        later = Visits(store, home).note(visit, "xem lại")
        assert (later.relevant, later.notes, later.later_notes) == (("until",), (), ("xem lại",))
        assert Visits(store, home).amend(visit, "hết hạn").relevant == ("until", "renew")


TOKEN = step("token_setup") + step("certificate_import") + step("test_signature") + step("preflight")


def test_what_was_proved_of_a_token_counts_no_more_once_it_is_initialised_again(
    visits: Visits, begin: Begin, steps: Steps
) -> None:
    visit = begin(TOKEN)
    steps.run(visit, "preflight", Evidence("pass", M("Done.")))
    steps.run(visit, "token_setup", about("A1"))
    steps.run(visit, "certificate_import", about("A1"))
    steps.run(visit, "test_signature", Evidence("pass", M("Done.")))  # names none: it is the one before
    assert visits.load(visit).state == "ready"
    steps.run(visit, "token_setup", about("a1 "))
    now = visits.load(visit)
    assert (now.state, now.outdated) == ("open", ("certificate_import", "test_signature"))
    assert [now.status(name) for name in now.relevant] == ["done", "todo", "todo", "done"]
    assert "initialised anew" in str(now.problems[0].message)
    assert (now.done, now.total) == (2, 4)
    steps.run(visit, "certificate_import", about("A1"))
    steps.run(visit, "test_signature", about("A1"))
    assert visits.load(visit).state == "ready"


def test_what_was_proved_of_another_token_counts_no_more(visits: Visits, begin: Begin, steps: Steps) -> None:
    visit = begin(TOKEN)
    for name in ("token_setup", "certificate_import"):
        steps.run(visit, name, about("A1"))
    steps.run(visit, "token_setup", about("B2"))
    assert visits.load(visit).outdated == ("certificate_import",)
    steps.run(visit, "certificate_import", about("B2", verdict="fail"))
    now = visits.load(visit)
    assert (now.outdated, now.status("certificate_import")) == ((), "failed")


def test_a_token_erased_by_a_step_that_was_stopped_proves_nothing_any_more(
    visits: Visits, begin: Begin, steps: Steps
) -> None:
    visit = begin(TOKEN)
    for name in ("token_setup", "certificate_import"):
        steps.run(visit, name, about("A1"))

    async def erases(context: Context, operator: Operator) -> Evidence:
        context.changed(M("The token was initialised."), erased="A1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        steps.run(visit, "token_setup", erases)
    assert visits.load(visit).outdated == ("token_setup", "certificate_import")


def test_a_step_builds_on_what_succeeded_before_it_and_counts(
    visits: Visits, begin: Begin, steps: Steps
) -> None:
    visit = begin(item("own") + TOKEN)
    seen: list[Context] = []

    async def looks(context: Context, operator: Operator) -> Evidence:
        seen.append(context)
        return about("B2")

    steps.run(visit, "token_setup", about("A1"))
    steps.run(visit, "certificate_import", about("A1", verdict="fail"))
    steps.run(visit, "test_signature", looks)
    steps.run(visit, "token_setup", looks)
    steps.run(visit, "certificate_import", looks)
    test, setup, imported = (dict(context.evidence) for context in seen)
    assert (list(test), list(setup), list(imported)) == (["token_setup"], [], ["token_setup"])
    assert imported["token_setup"].facts["serial"] == "B2"


def test_evidence_of_a_token_that_nobody_named_counts_still(
    visits: Visits, begin: Begin, steps: Steps
) -> None:
    visit = begin(TOKEN)
    steps.run(visit, "test_signature", Evidence("pass", M("Done.")))  # as release 0.1 kept it
    steps.run(visit, "token_setup", about("A1"))
    assert visits.load(visit).outdated == ()


def test_what_a_look_at_the_machine_says_of_tokens_settles_on_none(
    visits: Visits, begin: Begin, steps: Steps
) -> None:
    visit = begin(TOKEN)
    steps.run(visit, "token_setup", about("A1"))
    steps.run(visit, "preflight", about("B2"))
    steps.run(visit, "test_signature", Evidence("pass", M("Done.")))
    assert visits.load(visit).outdated == ()

"""What cannot be read of one visit is said of that one, and harms no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fieldkit.home import Home
from fieldkit.journal.entry import Draft
from fieldkit.visit.errors import VisitUnreadable
from fieldkit.visit.visits import Visits
from tests.conftest import Run
from tests.visit.conftest import BUREAU, item

Begin = Callable[[str], str]


def _chain(count: int) -> str:
    """Items each asked if the next one is "yes", the last one always."""
    asked = [item(f"i{n}", more=f"relevant: \"${{i{n + 1}}} = 'yes'\"") for n in range(count - 1)]
    return "".join(asked) + item(f"i{count - 1}")


def test_items_each_asked_if_the_next_is_yes_can_be_answered(visits: Visits, begin: Begin) -> None:
    visit = begin(_chain(600))
    assert visits.load(visit).relevant == ("i599",)
    for name in ("i599", "i598", "i597"):
        visits.answer(visit, name, "yes")
    assert visits.load(visit).relevant == ("i596", "i597", "i598", "i599")
    visits.answer(visit, "i599", "no")
    assert visits.load(visit).relevant == ("i599",)


def test_a_damaged_checklist_of_one_visit_hides_no_other(visits: Visits, begin: Begin) -> None:
    damaged, sound = begin(item("a")), begin(item("b"))
    blob = visits.load(damaged).checklist_sha256
    visits.store.attachment_path(blob).chmod(0o600)
    visits.store.attachment_path(blob).write_bytes(b"something else")
    fresh = Visits(visits.store, visits.home)
    overview = fresh.overview()
    assert [visit.id for visit in overview.visits] == [sound]
    (unreadable,) = overview.unreadable
    assert (unreadable.id, unreadable.error.code) == (damaged, "visit-unreadable")
    assert unreadable.error.hint is not None
    with pytest.raises(VisitUnreadable):
        fresh.load(damaged)
    assert fresh.load(sound).id == sound


def test_a_checklist_of_an_older_release_that_this_one_refuses_is_told_with_its_place(
    visits: Visits, begin: Begin
) -> None:
    visit = begin(item("a"))
    text = visits.store.attachment(visits.load(visit).checklist_sha256).decode()
    older = text.replace("required: true", "constraint: \"regex(., '(?=a)b')\"")
    value = next(visits.store.entries(visit=visit)).value
    blob = visits.store.attach(older.encode(), "asked.yaml").sha256
    visits.store.append(Draft(kind="start", visit="MAU-01-older", blob=blob, value=value))
    (unreadable,) = visits.overview().unreadable
    assert ".yaml:8:" in str(unreadable.error)
    assert "(?=…)" in str(unreadable.error)
    assert "store export" in str(unreadable.error.hint)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("evidence", {"verdict": "maybe"}),
        ("evidence", 7),
        ("signoff", None),
        ("signoff", {"officer": 1}),
        ("record", []),
        ("amend", "why"),
        ("attempt", {"code": "x"}),
        ("attempt", {"code": "x", "message": {"text": 3}}),
        ("start", {"bureau": {}}),
        ("start", None),
    ],
)
def test_a_value_that_no_release_writes_makes_its_visit_unreadable_and_no_other(
    visits: Visits, begin: Begin, kind: str, value: Any
) -> None:
    odd, sound = begin(item("a")), begin(item("a"))
    visits.store.append(Draft(kind=kind, visit=odd, item="a", value=value))
    overview = visits.overview()
    assert [visit.id for visit in overview.visits] == [sound]
    assert [visit.id for visit in overview.unreadable] == [odd]


def test_a_visit_whose_first_entry_is_lost_is_named(visits: Visits) -> None:
    visits.store.append(Draft(kind="answer", visit="MAU-07-lost", item="a", value="yes"))
    (unreadable,) = visits.overview().unreadable
    assert "first entry" in str(unreadable.error)
    with pytest.raises(VisitUnreadable):
        visits.load("MAU-07")


def test_commands_name_the_visit_that_cannot_be_read(
    fieldkit: Run, home: Home, visits: Visits, begin: Begin
) -> None:
    odd, sound = begin(item("a")), begin(item("a"))
    visits.store.append(Draft(kind="evidence", visit=odd, item="a", value=7))
    visits.store.close()
    listed = fieldkit("visit", "list", "--json")
    assert listed.status == 1
    shapes = {shape["visit"]: shape for shape in listed.document["result"]}
    assert shapes[odd]["error"]["code"] == "visit-unreadable"
    assert "error" not in shapes[sound]
    lines = fieldkit("visit", "list").out.splitlines()
    assert any(line.startswith(sound) for line in lines)
    assert f"! The visit {odd} cannot be read: an entry holds what this release cannot read" in lines
    shown = fieldkit("visit", "show", odd, "--json")
    assert (shown.status, shown.error["code"]) == (1, "visit-unreadable")
    due = fieldkit("plan", "due", "--json")
    assert (due.status, due.document["ok"]) == (1, True)
    assert odd in due.err


def test_ids_of_visits_are_never_used_twice(
    visits: Visits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    drawn = iter(["aaaaaaaa", "aaaaaaaa", "bbbbbbbb"])
    monkeypatch.setattr("secrets.token_hex", lambda size: next(drawn))
    first, second = visits.start(BUREAU, "survey"), visits.start(BUREAU, "survey")
    assert (first.id[-8:], second.id[-8:]) == ("aaaaaaaa", "bbbbbbbb")

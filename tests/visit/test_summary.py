"""The list of visits: what is kept of them is never older than their entries, and never hides damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldkit.home import Home
from fieldkit.journal.store import Store
from fieldkit.visit import summary
from fieldkit.visit.summary import summary_of
from fieldkit.visit.visits import Visits


def cache(home: Home) -> Path:
    (kept,) = (home.path / "cache").glob("visits-*")
    return kept


@pytest.fixture
def three(visits: Visits) -> list[str]:
    return [visits.start("MAU-01", name).id for name in ("survey", "dossier", "follow-up")]


def test_a_list_says_what_the_visits_say_the_last_touched_first(visits: Visits, three: list[str]) -> None:
    visits.answer(three[0], "staff", "12")
    for _ in range(2):  # as they are read, and as they were kept
        assert visits.summaries().visits == [summary_of(visit) for visit in visits.list()]
    assert visits.summaries().visits[0].id == three[0]


def test_only_what_was_touched_is_read_again(
    visits: Visits, three: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    visits.summaries()
    visits.answer(three[1], "purpose", "new")
    read: list[str] = []
    load = visits.load
    monkeypatch.setattr(visits, "load", lambda visit: read.append(visit) or load(visit))
    assert visits.summaries().visits == [summary_of(visit) for visit in visits.list()]
    assert read == [three[1]]


@pytest.mark.parametrize("damage", [b"", b"x" * 100, None])
def test_what_was_kept_and_is_damaged_is_read_anew(
    visits: Visits, home: Home, three: list[str], damage: bytes | None
) -> None:
    before = visits.summaries().visits
    kept = cache(home)
    kept.write_bytes(kept.read_bytes()[:-1] if damage is None else damage)
    assert visits.summaries().visits == before


def test_while_the_store_is_damaged_nothing_that_was_kept_is_shown(
    visits: Visits, home: Home, three: list[str]
) -> None:
    visits.answer(three[0], "staff", "12")
    visits.summaries()
    visits.store.close()
    log = next(file for file in sorted(home.store.glob("*.fkj")) if b'"staff"' in file.read_bytes())
    log.write_bytes(log.read_bytes().replace(b'"12"', b'"13"'))
    with Store.open(home.store) as store:
        damaged = Visits(store, home)
        assert store.damage()
        assert damaged.summaries().visits == [summary_of(visit) for visit in damaged.list()]


def test_a_store_that_may_not_be_written_is_listed_all_the_same(
    visits: Visits, home: Home, three: list[str]
) -> None:
    with Store.read(home.store) as store:
        assert len(Visits(store, home).summaries().visits) == 3
    assert summary.read(home.path / "cache") == {}


def test_a_visit_whose_form_is_lost_is_named_though_it_was_listed_before(
    visits: Visits, home: Home, three: list[str]
) -> None:
    visits.summaries()
    lost = visits.load(three[1]).checklist_sha256
    visits.store.attachment_path(lost).unlink()
    again = Visits(visits.store, home).summaries()  # as the next start reads it
    assert [broken.id for broken in again.unreadable] == [three[1]]
    assert {visit.id for visit in again.visits} == {three[0], three[2]}

"""Rows of a visit's repeats in the store, and many answers of a file at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldkit.checklist.answers import MOST_ROWS
from fieldkit.home import Home
from fieldkit.journal.entry import Draft, Entry
from fieldkit.journal.errors import StoreFull
from fieldkit.journal.store import Store
from fieldkit.text import M
from fieldkit.visit.answer_file import read_answers
from fieldkit.visit.errors import AnswersInvalid, AnswersRefused, ItemNotFound, RowsFixed
from fieldkit.visit.visits import Visits
from tests.conftest import Run

DELIVERY = """
id: delivery
version: "1"
title: {vi: Giao, en: Delivery}
sections:
- id: what
  title: {vi: Gì, en: What}
  items:
  - {id: how, kind: choice, label: {vi: c, en: c},
     choices: [{value: hand, label: {vi: h, en: h}}, {value: post, label: {vi: p, en: p}}]}
  - {id: parcel, kind: text, relevant: "${how} = 'post'", label: {vi: p, en: p}}
  - id: devices
    kind: repeat
    label: {vi: Thiết bị, en: Devices}
    items:
    - {id: serial, kind: text, required: true, label: {vi: s, en: s}}
    - id: faults
      kind: repeat
      label: {vi: Lỗi, en: Faults}
      items: [{id: fault, kind: text, label: {vi: l, en: f}}]
  - {id: people, kind: integer, label: {vi: n, en: n}}
  - id: signatures
    kind: repeat
    count: ${people}
    label: {vi: Ký, en: Signatures}
    items: [{id: name, kind: text, label: {vi: t, en: n}}]
"""


@pytest.fixture
def visit(visits: Visits, tmp_path: Path) -> str:
    checklist = tmp_path / "delivery.yaml"
    checklist.write_text(DELIVERY, encoding="utf-8")
    return visits.start("MAU-01", checklist).id


def given_from(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "answers.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_row_keeps_its_key_wherever_it_is_put_and_no_key_comes_twice(visits: Visits, visit: str) -> None:
    _, first = visits.add_row(visit, "devices")
    _, second = visits.add_row(visit, "devices")
    _, between = visits.add_row(visit, "devices", after=first)
    assert visits.load(visit).known.rows("devices") == [first, between, second]
    visits.answer(visit, f"{second}/serial", "A-77")
    moved = visits.move_row(visit, second, 0)
    assert moved.known.rows("devices") == [second, first, between]
    assert moved.answers[f"{second}/serial"] == "A-77"
    visits.remove_row(visit, between)
    now, added = visits.add_row(visit, "devices")
    assert added not in (first, second, between)
    assert now.known.rows("devices") == [second, first, added]


def test_five_hundred_rows_put_at_one_place_stay_in_order(visits: Visits, visit: str) -> None:
    known = visits.load(visit).known
    known.change("devices/1", "1")
    known.change("devices/2", "2")
    for number in range(3, 503):
        known.change(f"devices/{number}", known.place("devices", 1))
    assert known.rows("devices") == ["devices/1", *(f"devices/{n}" for n in range(502, 2, -1)), "devices/2"]


def test_rows_that_an_expression_counts_are_neither_added_nor_taken_out(visits: Visits, visit: str) -> None:
    visits.answer(visit, "people", "2")
    with pytest.raises(RowsFixed):
        visits.add_row(visit, "signatures")
    with pytest.raises(RowsFixed):
        visits.remove_row(visit, "signatures/1")
    assert visits.answer(visit, "signatures/2/name", "Mẫu").answers["signatures/2/name"] == "Mẫu"


@pytest.mark.parametrize("row", ["devices/9", "devices", "how/1", "how", "gone/1", "devices/1/faults/1"])
def test_what_is_no_row_is_not_taken_out(visits: Visits, visit: str, row: str) -> None:
    before = visits.add_row(visit, "devices")[0]
    with pytest.raises(ItemNotFound):
        visits.remove_row(visit, row)
    assert visits.load(visit) == before


def test_a_file_answers_what_others_depend_on_first_and_adds_rows_with_rows_in_them(
    visits: Visits, visit: str, tmp_path: Path
) -> None:
    file = given_from(
        tmp_path,
        "parcel: EA123\nhow: post\ndevices:\n- serial: A-77\n  faults: [{fault: lid}, {fault: dent}]\n"
        "- {serial: A-78}\npeople: 1\nsignatures: [{name: Mẫu}]\n",
    )
    now, saved = visits.answer_all(visit, read_answers(file))
    assert now.answers == {
        "how": "post", "parcel": "EA123",
        "devices/1": "1", "devices/1/serial": "A-77",
        "devices/1/faults/1": "1", "devices/1/faults/1/fault": "lid",
        "devices/1/faults/2": "2", "devices/1/faults/2/fault": "dent",
        "devices/2": "2", "devices/2/serial": "A-78",
        "people": "1", "signatures/1/name": "Mẫu",
    }  # fmt: skip
    assert set(saved) == set(now.answers)
    again, anew = visits.answer_all(visit, read_answers(file))
    assert (again.answers, list(anew)) == (now.answers, [])


def test_of_a_file_with_mistakes_nothing_is_saved_and_every_mistake_is_told(
    visits: Visits, visit: str, tmp_path: Path
) -> None:
    before = visits.load(visit)
    file = given_from(
        tmp_path, "how: donkey\npeople: many\ngone: 1\nparcel: EA1\ndevices:\n- serail: A\nserial: B\n"
    )
    with pytest.raises(AnswersRefused) as raised:
        visits.answer_all(visit, read_answers(file))
    assert set(raised.value.reasons) == {"how", "people", "gone", "parcel", "devices/1/serail", "serial"}
    assert visits.load(visit) == before


def test_null_takes_an_answer_back(visits: Visits, visit: str, tmp_path: Path) -> None:
    visits.answer(visit, "people", "2")
    now, saved = visits.answer_all(visit, read_answers(given_from(tmp_path, "people: ~\nhow:\n")))
    assert (now.answers, list(saved)) == ({}, ["people"])


@pytest.mark.parametrize(
    "text", ["", "- a\n- b\n", "a: &x [1]\nb: *x\n", "a: [", "? [a]\n: b\n", "a: " + "[" * 60 + "]" * 60]
)
def test_a_file_that_is_laid_out_otherwise_is_told_with_its_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(AnswersInvalid) as raised:
        read_answers(given_from(tmp_path, text))
    assert raised.value.problems[0].line >= 1


def test_json_is_read_as_it_is(tmp_path: Path) -> None:
    written = {"people": 2, "how": None, "devices": [{"serial": "A\nB"}], "done": True}
    file = given_from(tmp_path, json.dumps(written))
    assert read_answers(file) == {
        "people": "2", "how": None, "devices": [{"serial": "A\nB"}], "done": "true",
    }  # fmt: skip


def test_the_commands_add_answer_move_and_take_out_rows(fieldkit: Run, home: Home, tmp_path: Path) -> None:
    checklist = tmp_path / "delivery.yaml"
    checklist.write_text(DELIVERY, encoding="utf-8")
    visit = fieldkit("visit", "start", "--bureau", "MAU-01", "--checklist", checklist, "--json").result[
        "visit"
    ]
    for serial in ("A-77", "B-2"):
        row = fieldkit("visit", "add-row", visit, "devices", "--json").result["row"]
        assert fieldkit("visit", "answer", visit, f"{row}/serial", serial).status == 0
    assert fieldkit("visit", "move-row", visit, "devices/2", "1").status == 0
    shown = fieldkit("visit", "show", visit).out
    assert shown.index("B-2") < shown.index("A-77")
    assert fieldkit("visit", "remove-row", visit, "devices/1").status == 0
    file = tmp_path / "answers.json"
    file.write_text(json.dumps({"devices": [{"serial": "C-3"}], "people": "x"}))
    refused = fieldkit("visit", "answer", visit, "--from", file, "--json")
    assert (refused.status, refused.error["code"]) == (1, "answers-refused")
    assert [problem["item"] for problem in refused.error["problems"]] == ["people"]
    file.write_text(json.dumps({"devices": [{"serial": "C-3"}], "people": 1}))
    saved = fieldkit("visit", "answer", visit, "--from", file, "--json")
    assert sorted(saved.result["saved"]) == ["devices/2/serial", "people"]
    assert fieldkit("visit", "answer", visit, "--json").error["code"] == "usage"
    assert fieldkit("visit", "add-row", visit, "signatures", "--json").error["code"] == "rows-fixed"


def test_what_is_only_calculated_and_the_headings_of_nothing_else_are_not_shown(
    visits: Visits, begin: Callable[[str], str]
) -> None:
    visit = visits.load(
        begin(
            "- {id: g, kind: group, label: {vi: g, en: g}, items: "
            "[{id: x, kind: calculate, calculate: '1 + 1', label: {vi: x, en: x}}]}\n"
            "- {id: a, kind: text, label: {vi: a, en: a}}\n- {id: u, kind: calculate, calculate: uuid(),"
            " label: {vi: u, en: u}}\n"
        )
    )
    assert [line.key for line in visit.shown] == ["@only", "a"]
    assert visit.answers["x"] == "2"
    assert visits.load(visit.id).answers["u"] == visit.answers["u"] != ""


def test_more_rows_than_there_may_be_are_refused_and_not_cut_off(visits: Visits, visit: str) -> None:
    before = visits.load(visit)
    with pytest.raises(AnswersRefused) as raised:
        visits.answer_all(visit, {"devices": [{"serial": "A"}] * (MOST_ROWS + 1)})
    assert set(raised.value.reasons) == {"devices"}
    assert visits.load(visit) == before


def test_a_disk_that_fills_up_among_the_answers_of_a_file_is_told_with_what_was_saved(
    visits: Visits, visit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = visits.store.append
    room = iter([True, True])

    def fill(draft: Draft) -> Entry:
        if not next(room, False):
            raise StoreFull(M("The disk is full."), unchanged=M("Nothing was changed."))
        return append(draft)

    monkeypatch.setattr(visits.store, "append", fill)
    with pytest.raises(StoreFull) as raised:
        visits.answer_all(visit, {"how": "hand", "people": "2", "signatures": [{"name": "a"}, {"name": "b"}]})
    assert "2 of 4" in str(raised.value.unchanged)
    assert visits.load(visit).answers == {"how": "hand", "people": "2"}


def test_a_large_form_is_read_where_the_devices_key_is_lost(
    visits: Visits, home: Home, tmp_path: Path
) -> None:
    checklist = tmp_path / "large.yaml"
    lines = "".join(f"  - {{id: i{n}, kind: text, label: {{vi: m, en: i}}}}\n" for n in range(1_000))
    head = 'id: large\nversion: "1"\ntitle: {vi: m, en: i}\nsections:\n- id: all\n  title: {vi: m, en: i}\n'
    checklist.write_text(f"{head}  items:\n{lines}")
    visit = visits.start("MAU-01", checklist).id
    visits.store.close()
    with Store.open(home.store) as store:
        Visits(store, home).load(visit)
    assert list((home.path / "cache").glob("*.checklist"))
    (home.store / "device.key").unlink()
    with Store.open(home.store) as store:
        assert Visits(store, home).load(visit).checklist.id == "large"

"""Repeats: rows that come and go, and what follows from them, settled anew only where it must be."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldkit.checklist.answers import Answers
from fieldkit.checklist.errors import AnswerInvalid, ChecklistInvalid
from fieldkit.checklist.load import parse
from fieldkit.checklist.model import Checklist

NOW = datetime.datetime(2026, 11, 24, 8, 30)
DELIVERY = """
id: delivery
version: "1"
title: {vi: Giao, en: Delivery}
sections:
- id: what
  title: {vi: Gì, en: What}
  items:
  - {id: faults_of_each, kind: integer, label: {vi: n, en: n}}
  - {id: least, kind: number, label: {vi: n, en: n}}
  - id: devices
    kind: repeat
    relevant: ${least} != 99
    label: {vi: Thiết bị, en: Device}
    items:
    - {id: serial, kind: text, required: true, label: {vi: s, en: s}}
    - id: money
      kind: group
      relevant: "${serial} != ''"
      label: {vi: t, en: t}
      items:
      - {id: price, kind: number, constraint: ". >= ${least} or ${least} = ''", label: {vi: p, en: p}}
      - {id: twice, kind: number, calculate: "${price} * 2", label: {vi: d, en: d}}
    - id: faults
      kind: repeat
      count: ${faults_of_each}
      label: {vi: Lỗi, en: Fault}
      items:
      - {id: fault, kind: text, relevant: "${serial} = 'A'", label: {vi: f, en: f}}
  - {id: total, kind: number, calculate: "sum(${twice})", label: {vi: t, en: t}}
  - {id: many, kind: text, relevant: "count(${devices}) > 1", required: "${total} > 10",
     label: {vi: m, en: m}}
"""


@pytest.fixture(scope="module")
def form() -> Checklist:
    return parse(DELIVERY, "delivery.yaml")


def test_a_row_has_its_own_answers_and_what_follows_from_them(form: Checklist) -> None:
    answers = {
        "devices/1": "1", "devices/1/serial": "A", "devices/1/price": "3",
        "devices/2": "2", "devices/2/serial": "B", "devices/2/price": "4",
    }  # fmt: skip
    known = Answers(form, answers, NOW)
    assert known.answer("devices/1/twice") == "6"
    assert known.answer("devices/2/twice") == "8"
    assert known.answer("total") == "14"
    assert known.rows("devices") == ["devices/1", "devices/2"]
    assert "many" in known.relevant()


def test_rows_stand_by_their_places_and_not_by_their_numbers(form: Checklist) -> None:
    known = Answers(form, {"devices/7": "1.5", "devices/2": "2", "devices/1": "1"}, NOW)
    assert known.rows("devices") == ["devices/1", "devices/7", "devices/2"]
    assert [line.row for line in known.lines() if line.row] == [1, 2, 3]


def test_what_was_answered_in_a_row_that_is_gone_does_not_count(form: Checklist) -> None:
    known = Answers(form, {"devices/1": "1", "devices/1/serial": "A", "devices/1/price": "3"}, NOW)
    known.change("devices/1", None)
    assert known.answers() == {"total": "0"}
    assert known.broken() == {}


def test_as_many_rows_as_an_expression_says_and_never_without_an_end(form: Checklist) -> None:
    known = Answers(form, {"devices/1": "1", "devices/1/serial": "A", "faults_of_each": "2"}, NOW)
    assert known.rows("devices/1/faults") == ["devices/1/faults/1", "devices/1/faults/2"]
    known.change("faults_of_each", "1000000000")
    assert len(known.rows("devices/1/faults")) == 10_000
    known.change("faults_of_each", "-3")
    assert known.rows("devices/1/faults") == []


def test_a_constraint_in_a_row_looks_at_its_row_and_at_what_is_outside(form: Checklist) -> None:
    known = Answers(form, {"least": "5", "devices/1": "1", "devices/1/serial": "A"}, NOW)
    with pytest.raises(AnswerInvalid):
        known.accept("devices/1/price", "4")
    assert known.answer("devices/1/price") is None
    assert known.accept("devices/1/price", "6") == "6"
    known.change("least", "7")
    assert set(known.broken()) == {"devices/1/price"}


KEYS = st.sampled_from(
    ["faults_of_each", "least", "many"]
    + [f"devices/{row}{part}" for row in (1, 2, 3) for part in ("", "/serial", "/price", "/faults/1/fault")]
)
VALUES: Mapping[str, Any] = {
    "faults_of_each": st.sampled_from(["0", "1", "2"]),
    "least": st.sampled_from(["2", "5", "99"]),
    "serial": st.sampled_from(["A", "B"]),
    "price": st.sampled_from(["1", "4", "9"]),
}


@st.composite
def changes(draw: st.DrawFn) -> list[tuple[str, str | None]]:
    """Answers given, changed and taken back, in any order; rows that come, go and change places."""
    made = []
    for key in draw(st.lists(KEYS, max_size=25)):
        last = key.rpartition("/")[2]
        value = st.sampled_from(["1", "2", "2.5"]) if last.isdigit() else VALUES.get(last, st.just("x"))
        made.append((key, draw(st.none() | value)))
    return made


@given(changes(), st.booleans())
def test_whatever_is_changed_all_is_as_if_it_were_read_anew(
    made: list[tuple[str, str | None]], asked: bool
) -> None:
    form = parse(DELIVERY, "delivery.yaml")
    known, answers = Answers(form, {}, NOW), dict[str, str]()
    for key, value in made:
        if asked:
            known.broken()
        known.change(key, value)
        if value is None:
            answers.pop(key, None)
        else:
            answers[key] = value
        anew = Answers(form, answers, NOW)
        assert list(known.lines()) == list(anew.lines())
        assert known.answers() == anew.answers()
        assert known.broken() == anew.broken()


@pytest.mark.parametrize(
    ("old", "new", "circle"),
    [
        ('"sum(${twice})"', '"sum(${twice}) + ${total}"', "total → total"),
        ('calculate: "${price} * 2"', 'calculate: "${price} * ${total}"', "total"),
        ("count: ${faults_of_each}", "count: count(${fault})", "fault"),
    ],
)
def test_what_depends_on_itself_is_found_when_the_form_is_read(old: str, new: str, circle: str) -> None:
    assert old in DELIVERY
    with pytest.raises(ChecklistInvalid) as raised:
        parse(DELIVERY.replace(old, new), "delivery.yaml")
    assert circle in str(raised.value.problems[0])


def test_a_step_that_fieldkit_runs_is_in_no_row() -> None:
    fault, step = "{id: fault, kind: text,", "{id: fault, kind: procedure, procedure: preflight,"
    with pytest.raises(ChecklistInvalid) as raised:
        parse(DELIVERY.replace(fault, step), "delivery.yaml")
    assert "in no row of a repeat" in str(raised.value)


def test_a_condition_that_is_calculated_is_one_and_no_text() -> None:
    form = parse(
        DELIVERY.replace(
            "- {id: many,",
            '- {id: heavy, kind: calculate, calculate: "${total} > 10", label: {vi: n, en: h}}\n'
            '  - {id: why, kind: text, relevant: "${heavy}", label: {vi: v, en: w}}\n  - {id: many,',
        ),
        "delivery.yaml",
    )
    known = Answers(form, {"devices/1": "1", "devices/1/serial": "A", "devices/1/price": "3"}, NOW)
    assert (known.answer("heavy"), "why" in known.relevant()) == ("false", False)
    known.change("devices/1/price", "6")
    assert (known.answer("heavy"), "why" in known.relevant()) == ("true", True)

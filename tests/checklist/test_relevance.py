"""What is in force: settled in the order in which conditions look at each other, as plain reading has it."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldkit.checklist.answers import Answers
from fieldkit.checklist.errors import ChecklistInvalid
from fieldkit.checklist.kinds import Item
from fieldkit.checklist.load import parse
from fieldkit.checklist.model import Checklist, Section
from fieldkit.checklist.order import circle, ordered
from fieldkit.text import Words
from tests.checklist.answering import problems, relevant

W = Words("a", "a")
DAY = datetime.date(2026, 11, 24)
COMPARED = [f"{sign} '{value}'" for sign in ("=", "!=") for value in ("yes", "no", "")]
Graph = dict[str, list[str]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Which of up to nine names need which, in any order, in circles too."""
    names = [f"i{n}" for n in range(draw(st.integers(1, 9)))]
    return {name: draw(st.lists(st.sampled_from([*names, "elsewhere"]), max_size=3)) for name in names}


def reached(needs: Graph, start: str) -> set[str]:
    """Everything that `start` needs, however far."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for need in needs.get(waiting.pop(), ()):
            if need not in seen:
                seen.add(need)
                waiting.append(need)
    return seen


@given(graphs())
def test_everything_comes_once_after_what_it_needs_and_circles_stay_together(needs: Graph) -> None:
    groups = ordered(needs)
    assert sorted(name for group in groups for name in group) == sorted(needs)
    place = {name: number for number, group in enumerate(groups) for name in group}
    for name in needs:
        for need in reached(needs, name) & set(needs):
            same = name in reached(needs, need)
            assert place[need] < place[name] or (same and place[need] == place[name])
            assert same is (place[need] == place[name]) or need == name


@given(graphs())
def test_a_circle_is_the_shortest_way_back(needs: Graph) -> None:
    for group in ordered(needs):
        for start in group:
            way = circle(start, needs, group)
            assert bool(way) is (start in reached(needs, start))
            if way:
                assert way[0] == way[-1] == start
                assert all(after in needs[before] for before, after in itertools.pairwise(way))
                assert len(way) - 1 == _shortest(needs, start)


def _shortest(needs: Graph, start: str) -> int:
    at, steps = set(needs[start]), 1
    while start not in at:
        at, steps = {need for name in at for need in needs.get(name, ())}, steps + 1
    return steps


@st.composite
def forms(draw: st.DrawFn) -> tuple[Checklist, Mapping[str, str]]:
    """Yes-or-no items in any order, each asked by what others say, and answers to some of them."""
    count = draw(st.integers(1, 8))
    rank = draw(st.permutations(range(count)))

    def condition(below: list[int]) -> str:
        if not below:
            return ""
        terms = [
            f"${{i{draw(st.sampled_from(below))}}} " + draw(st.sampled_from(COMPARED))
            for _ in range(draw(st.integers(0, 2)))
        ]
        return f" {draw(st.sampled_from(['and', 'or']))} ".join(terms)

    items = [
        Item(f"i{n}", "yesno", W, required=draw(st.booleans()),
             relevant=condition([other for other in range(count) if rank[other] < rank[n]]))
        for n in range(count)
    ]  # fmt: skip
    cut = draw(st.integers(0, count))
    lowest = [n for n in range(count) if all(rank[n] <= rank[other] for other in range(cut, count))]
    before = [n for n in lowest if n < cut]
    sections = (
        Section("one", W, tuple(items[:cut])),
        Section("two", W, tuple(items[cut:]), relevant=condition(before)),
    )
    answers = draw(
        st.dictionaries(st.sampled_from([item.id for item in items]), st.sampled_from(["yes", "no"]))
    )
    return Checklist("made", "1", W, sections), answers


def _plainly(checklist: Checklist, answers: Mapping[str, str]) -> set[str]:
    """What is in force by reading all conditions again and again until nothing changes."""
    now: set[str] = set()
    while True:
        counting = {id: answer for id, answer in answers.items() if id in now}
        again = {
            item.id
            for section in checklist.sections
            for item in section.items
            if all(_holds(text, counting) for text in (section.relevant, item.relevant) if text)
        }
        if again == now:
            return now
        now = again


def _holds(text: str, answers: Mapping[str, str]) -> bool:
    """A condition of `forms`, read word by word."""
    words = text.split()
    results = []
    for at in range(0, len(words), 4):
        name, sign, value = words[at : at + 3]
        results.append((answers.get(name[2:-1], "") == value[1:-1]) is (sign == "="))
    return (any if " or " in text else all)(results)


@given(forms())
def test_what_is_in_force_is_what_a_plain_reading_finds(form: tuple[Checklist, Mapping[str, str]]) -> None:
    checklist, answers = form
    expected = _plainly(checklist, answers)
    assert relevant(checklist, answers) == [item.id for item in checklist.items() if item.id in expected]
    wanting = [problem.item for problem in problems(checklist, answers, {})]
    assert wanting == [
        item.id
        for item in checklist.items()
        if item.required and item.id in expected and item.id not in answers
    ]
    known = Answers(checklist, answers, DAY)
    for item in checklist.items():
        assert known.term(item.id) == (answers.get(item.id, "") if item.id in expected else "")


def _chain(count: int, *, closed: bool = False) -> str:
    """Items each asked if the next one is "yes"; closed: the last one if the first is."""
    following = [*range(1, count), *([0] if closed else [])]
    lines = [
        f"  - {{id: i{n}, kind: yesno, label: {{vi: a, en: a}}"
        + (f", relevant: \"${{i{following[n]}}} = 'yes'\"}}" if n < len(following) else "}")
        for n in range(count)
    ]
    head = ["id: chain", "version: '1'", "title: {vi: a, en: a}", "sections:", "- id: s"]
    return "\n".join([*head, "  title: {vi: a, en: a}", "  items:", *lines])


def test_four_thousand_items_in_a_chain_are_read_and_answered() -> None:
    checklist = parse(_chain(4000), "chain.yaml")
    assert relevant(checklist, {f"i{n}": "yes" for n in range(1, 4000)})[0] == "i0"
    assert relevant(checklist, {"i3999": "yes", "i3997": "yes"}) == ["i3998", "i3999"]


def test_a_circle_of_four_thousand_items_is_said_once_and_not_in_full() -> None:
    with pytest.raises(ChecklistInvalid) as caught:
        parse(_chain(4000, closed=True), "chain.yaml")
    (problem,) = caught.value.problems
    assert str(problem).endswith("i0 → i1 → i2 → i3 → … → i3997 → i3998 → i3999 → i0.")

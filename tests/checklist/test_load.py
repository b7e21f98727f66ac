"""A checklist's file says what a visit asks, or every mistake in it is named with file, line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldkit.checklist.errors import ChecklistInvalid, ChecklistNotFound
from fieldkit.checklist.load import find, load, names, parse
from fieldkit.home import Home, shipped
from tests.conftest import REPOSITORY

GOOD = """\
id: short
version: "1"
title: {vi: Ngắn, en: Short}
sections:
  - id: only
    title: {vi: Phần, en: Part}
    items:
      - id: on
        kind: yesno
        label: {vi: Có, en: On}
      - id: what
        kind: choice
        label: {vi: Gì, en: What}
        relevant: ${on} = 'yes'
        choices:
          - {value: a, label: {vi: a, en: a}}
          - {value: b, label: {vi: b, en: b}}
"""


def wrong(text: str) -> list[tuple[int, int, str]]:
    """Line, column and words of every problem."""
    with pytest.raises(ChecklistInvalid) as caught:
        parse(text, "short.yaml", {"preflight", "driver"})
    assert str(caught.value).startswith("short.yaml:")
    return [(each.line, each.column, str(each.message)) for each in caught.value.problems]


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


def item(*lines: str) -> str:
    """The good checklist with one more item, `new`, whose lines begin at line 18."""
    head = "      - id: new\n        label: {vi: v, en: e}\n"
    return GOOD + head + "".join(f"        {line}\n" for line in lines)


@pytest.mark.parametrize("path", sorted(shipped("checklists").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_checklists_are_in_order_and_called_as_their_files(path: Path) -> None:
    assert load(path).id == path.stem


def test_the_example_in_the_documentation_is_in_order() -> None:
    text = (REPOSITORY / "docs" / "forms.md").read_text(encoding="utf-8")
    example = text.partition("```yaml\n")[2].partition("```")[0]
    checklist = parse(example, "docs/forms.md")
    assert [item.id for item in checklist.items()] == ["speed", "why_slow"]


def test_a_good_checklist_is_read() -> None:
    checklist = parse(GOOD, "short.yaml")
    assert [each.id for each in checklist.items()] == ["on", "what"]
    assert checklist.item("what").relevant == "${on} = 'yes'"


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (changed("kind: yesno", "kind: yseno"), (9, 15), "`yseno` is not one of: acknowledge, audio"),
        (changed("kind: yesno", "knid: yesno"), (9, 9), "`knid` is not known; is `kind` meant?"),
        (changed("id: short", "id: ../short"), (1, 5), "is not a name for a checklist"),
        (changed("- id: only", "- id: 1st"), (5, 9), "`1st` is not an id"),
        (changed("- id: on\n", "- id: có\n").replace("${on}", "${what}"), (8, 13), "`có` is not an id"),
        (changed("id: what", "id: on"), (11, 13), "The item `on` is here twice."),
        (changed("value: b", "value: a"), (17, 21), "The choice `a` is here twice."),
        (changed("value: b", 'value: "b\\nc"'), (17, 21), "is not a choice's value"),
        (
            changed("sections:\n", "sections: []\nform: {vi: a, en: b}\nrest:\n"),
            (6, 1),
            "`rest` is not known",
        ),
        (changed("${on} = 'yes'", "${no} = 'yes'"), (14, 19), "no item `no`"),
        (changed("${on} = 'yes'", "${on} = 'yse'"), (14, 27), "`on` is never `yse`"),
        (changed("${on} = 'yes'", "\"${on} = 'yse'\""), (14, 28), "`on` is never `yse`"),
        (changed("${on} = 'yes'", "${on} = yes"), (14, 27), "A text stands in quotes"),
        (changed("${on} = 'yes'", "${on}"), (14, 19), "A condition is expected"),
        (
            changed("${on} = 'yes'", "${what} = 'a'"),
            (14, 19),
            "`what` is asked depends on itself: what → what.",
        ),
        (item("kind: choice"), (20, 15), "needs `choices`"),
        (item("kind: text", "choices: [{value: a, label: {vi: a, en: a}}]"), (21, 18), "takes no `choices`"),
        (
            changed("kind: choice\n", "kind: choices\n").replace("value: b", "value: b c"),
            (17, 21),
            "no blanks among",
        ),
        (item("kind: choice", "list: gone"), (21, 15), "no list `gone`"),
        (GOOD + "lists: {'a b': [{value: x, label: {vi: x, en: x}}]}\n", (18, 16), "no name for a list"),
        (GOOD + "lists: {a: []}\n", (18, 12), "holds nothing"),
        (item("kind: text", "hint: {vi: 'Như ${gone}', en: e}"), (21, 15), "no item `gone`"),
        (item("kind: procedure"), (20, 15), "needs `procedure`, its name"),
        (item("kind: procedure", "procedure: preflihgt"), (21, 20), "`preflihgt`; is `preflight` meant?"),
        (
            item("kind: procedure", "procedure: dance"),
            (21, 20),
            "no procedure `dance`. Known: driver, preflight.",
        ),
        (item("kind: procedure", "procedure: driver", "default: x"), (22, 18), "takes no `default`"),
        (
            item("kind: procedure", "procedure: driver", "with: {a: 1.5, b: [1]}"),
            (22, 27),
            "One value is expected",
        ),
        (item("kind: text", "procedure: driver"), (21, 20), "takes no `procedure`"),
        (item("kind: text", "with: {a: b}"), (21, 15), "takes no `with`"),
        (item("kind: text", "accept: [pdf]"), (21, 17), "takes no `accept`"),
        (item("kind: file", "accept: [.pdf]"), (21, 18), "not a file name's ending"),
        (item("kind: file", "accept: pdf"), (21, 17), "A list is expected"),
        (item("kind: file", "default: x"), (21, 18), "takes no `default`"),
        (item("kind: number", "multiline: true"), (21, 20), "takes no `multiline`"),
        (item("kind: note", "required: true"), (21, 19), "takes no `required`"),
        (item("kind: text", "required: yes"), (21, 19), "`yes` is not known here"),
        (item("kind: number", "default: many"), (21, 18), "`many` is not a number."),
        (item("kind: number", "default: 1.234"), (21, 18), "thousand or a fraction"),
        (item("kind: date", "default: 31/02/2026"), (21, 18), "is not a date"),
        (item("kind: yesno", "default: true"), (21, 18), "is not one of: yes, no, n/a."),
        (item("kind: text", "constraint: . > 'x'"), (21, 25), "`x` is not a number"),
        (item("kind: yesno", "constraint: ."), (21, 21), "A condition is expected"),
        (item("kind: text", "constraint_message: {vi: a, en: b}"), (21, 29), "needs a `constraint`"),
        (item("kind: text", "hint: {vi: a}"), (21, 15), "`en` is missing"),
    ],
)
def test_a_mistake_of_an_author_is_named_where_it_is(text: str, place: tuple[int, int], said: str) -> None:
    found = wrong(text)
    assert [each[:2] for each in found if said in each[2]] == [place], found


def test_a_condition_over_several_lines_is_named_where_it_begins() -> None:
    ((line, column, said),) = wrong(
        changed("${on} = 'yes'", ">-\n          ${on} = 'yes'\n          or ${gone} = 'x'")
    )
    assert (line, column) == (14, 19)
    assert "`gone`" in said


def test_a_circle_over_a_section_is_found() -> None:
    found = wrong(changed("    items:", "    relevant: ${what} = 'a'\n    items:"))
    assert any("depends on itself" in said for _, _, said in found)


def test_every_mistake_is_named_at_once_in_the_order_of_the_file() -> None:
    found = wrong(
        changed("kind: yesno", "kind: text").replace("value: b", "value: a").replace("'yes'", "yes")
    )
    assert [line for line, _, _ in found] == [14, 17]


@pytest.mark.parametrize("name", ["survey", "survey.yaml"])
def test_a_checklist_is_found_by_its_name(home: Home, name: str) -> None:
    assert find(name, home) == shipped("checklists") / "survey.yaml"


def test_a_copy_in_the_home_comes_before_the_shipped_one(home: Home) -> None:
    home.checklists.mkdir(parents=True)
    own = home.checklists / "survey.yaml"
    own.write_text(GOOD)
    (home.checklists / "mine.yaml").write_text(GOOD)
    assert find("survey", home) == own
    assert {"mine", "survey", "handover"} <= set(names(home))
    assert names(home).count("survey") == 1


@pytest.mark.parametrize(
    "name", ["nowhere", "./nowhere.yaml", "../survey", "/etc/passwd.yaml", "", "sub/survey"]
)
def test_what_is_not_there_says_what_is(home: Home, name: str) -> None:
    with pytest.raises(ChecklistNotFound) as caught:
        find(name, home)
    assert "handover" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("line", "place", "said"),
    [
        ("finish: handing-over", "4:9", "`handing-over` is not one of"),
        ("paper: letter", "4:8", "`letter` is not one of"),
        ("number: a/b", "4:9", "ends no paper's number"),
        ("finish: handover\npaper: form", "5:8", "has its signatures"),
    ],
)
def test_how_a_form_is_finished_and_printed_is_held_against_what_there_is(
    line: str, place: str, said: str
) -> None:
    with pytest.raises(ChecklistInvalid) as caught:
        parse(f'id: c\nversion: "1"\ntitle: {{vi: v, en: e}}\n{line}\n{ITEMS}', "c.yaml")
    (problem,) = caught.value.problems
    assert f"{problem.line}:{problem.column}" == place
    assert said in str(problem.message)


def test_a_role_is_held_against_the_kind_of_its_item() -> None:
    items = ITEMS.replace("kind: text", "kind: date, role: officer-name")
    with pytest.raises(ChecklistInvalid) as caught:
        parse(f'id: c\nversion: "1"\ntitle: {{vi: v, en: e}}\n{items}', "c.yaml")
    (problem,) = caught.value.problems
    assert (problem.line, "officer-name" in str(problem.message)) == (8, True)


ITEMS = """\
sections:
  - id: s
    title: {vi: v, en: e}
    items:
      - {id: t, kind: text, label: {vi: v, en: e}}
"""


@pytest.mark.parametrize("path", sorted(shipped("checklists").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_checklists_say_how_they_are_finished_and_printed(path: Path) -> None:
    checklist = load(path)
    assert checklist.finish is not None
    assert checklist.paper is not None
    assert checklist.number

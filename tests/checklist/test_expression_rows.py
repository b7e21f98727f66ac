"""Expressions over the rows of repeats and lists: paths, conditions in […], and slips in them."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldkit.checklist.errors import ExpressionInvalid
from fieldkit.checklist.evaluation import evaluate
from fieldkit.checklist.expression import Column, Reference, lists, parse, references
from fieldkit.checklist.kinds import Choice, Item
from fieldkit.checklist.meaning import check
from fieldkit.checklist.value import Nodes, Term, Type, stored
from fieldkit.text import Words
from tests.checklist.language import Answered, Form

W = Words("v", "e")
KIND = (Choice("token", W), Choice("sim", W))
FORM = Form(
    {
        item.id: item
        for item in (
            Item("serial", "text", W),
            Item("kind", "choice", W, choices=KIND),
            Item("pins", "number", W),
            Item("wanted", "number", W),
            Item("province", "text", W),
            Item("note", "note", W),
        )
    },
    repeats={"device": ("serial", "kind", "pins")},
    lists={"districts": ("name", "label", "province", "people")},
)
DEVICES: list[dict[str, Term]] = [
    {"serial": "A1", "kind": "token", "pins": Decimal(3)},
    {"serial": "B2", "kind": "sim", "pins": Decimal(5)},
    {"serial": "", "kind": "token", "pins": None},
]
DISTRICTS = [
    {"name": "ba_dinh", "label": "Ba Đình", "province": "hn", "people": "226"},
    {"name": "dong_da", "label": "Đống Đa", "province": "hn", "people": "371"},
    {"name": "quan_1", "label": "Quận 1", "province": "hcm", "people": "142"},
]


def value(expression: str, wanted: Type | None = None) -> Term:
    tree = parse(expression)
    check(tree, FORM, wanted=wanted)
    answers = {"wanted": Decimal(2), "province": "hn", "people": "5"}
    at = {"..": 2, "../..": 7, "device": 3}
    return evaluate(tree, Answered(answers, {"device": DEVICES}, {"districts": DISTRICTS}, at))


def refused(expression: str, this: Item | None = None) -> tuple[int, str]:
    with pytest.raises(ExpressionInvalid) as caught:
        check(parse(expression), FORM, this, None)
    return caught.value.at, str(caught.value)


@pytest.mark.parametrize(
    "path",
    ["${a}", "../a", "../../group/a", "/data/a", "/data/group/a", "./a", "current()/../a", "./group/a",
     "current()/../../group/a", "${group}/a", "group/a", "/data / group / a"],
)  # fmt: skip
def test_a_path_means_the_item_of_its_last_step(path: str) -> None:
    tree = parse(path)
    assert isinstance(tree, Reference)
    assert tree.name == "a"


@pytest.mark.parametrize(
    ("path", "name"),
    [(".", ""), ("./.", ""), ("current()", ""), ("current()/.", ""), ("..", ".."), ("./..", ".."),
     ("../..", "../.."), ("current()/../..", "../.."), ("${Name-1.b}", "Name-1.b"),
     ("/data/Name-1.b", "Name-1.b"), ("${ x }", "x")],
)  # fmt: skip
def test_what_has_no_name_is_where_it_stands(path: str, name: str) -> None:
    tree = parse(path)
    assert isinstance(tree, Reference)
    assert tree.name == name


def test_a_bare_name_is_a_column_and_names_of_operators_are_names_where_one_stands() -> None:
    assert parse("province") == Column("province", 0)
    assert [reference.name for reference in references(parse("../div div ../mod"))] == ["div", "mod"]
    assert [reference.name for reference in references(parse("../and and ${b}"))] == ["and", "b"]


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("count(${device})", 3),
        ("count(${serial})", 3),
        ("count-non-empty(${serial})", 2),
        ("sum(${pins})", 8),
        ("max(${pins}) - min(${pins})", 2),
        ("join(',', ${serial})", "A1,B2,"),
        ("concat(${serial}, '!')", "A1B2!"),
        ("string(${serial})", "A1"),
        ("${pins} + 1", 4),
        ("${serial} = 'B2'", True),
        ("${serial} = 'C3'", False),
        ("${serial} != 'A1'", True),
        ("${pins} > 4 and not(${pins} > 5)", True),
        ("${pins} = ${wanted} + 3", True),
        ("boolean(${device}[pins > 5])", False),
        ("count(${device}[kind = 'token'])", 2),
        ("sum(/data/device[kind = 'token']/pins)", 3),
        ("string(${device}[2]/serial)", "B2"),
        ("string(../device[position() = ${wanted}]/serial)", "B2"),
        ("string(${device}[last()]/kind)", "token"),
        ("string(${device}[kind = 'token'][2]/serial)", ""),
        ("string(${device}[./serial = 'B2']/pins)", "5"),
        ("count(${serial}[. != ''])", 2),
        ("count(${serial}[string-length() = 2])", 2),
        ("string(${device}[9]/serial)", ""),
        ("string(${device}[position() mod 2 = 0]/serial)", "B2"),
        ("position(..)", 2),
        ("position(../..)", 7),
        ("position(${device})", 3),
        ("indexed-repeat(${serial}, ${device}, 2)", "B2"),
        ("indexed-repeat(${serial}, /data/device, ${wanted})", "B2"),
        ("indexed-repeat(${serial}, ${device}, 9)", None),
        ("indexed-repeat(${serial}, ${device}, 0)", None),
        ("indexed-repeat(${serial}, ${device}, 1 div 0)", None),
        ("indexed-repeat(${serial}, ${device}, number(''))", "A1"),
        ("count(randomize(${serial}, 5))", 3),
        ("jr:choice-name(${kind}, '${kind}')", "kind: token"),
        ("jr:choice-name('sim', ' /data/device/kind ')", "kind: sim"),
        ("${kind} = 'sim'", True),
        ("selected(${kind}, 'sim')", False),
        ("checklist(2, 2, ${serial})", True),
    ],
)
def test_what_is_asked_of_the_rows_of_a_repeat(expression: str, result: Term | int) -> None:
    assert value(expression) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("instance('districts')/root/item[name = 'quan_1']/label", "Quận 1"),
        ("instance('districts')/root/item[province = ${province}][2]/name", "dong_da"),
        ("instance('districts')/root/item[province = /x/province]/name", "ba_dinh"),
        ("instance('districts')/root/item[3]/name", "quan_1"),
        ("instance('districts')/root/item[last()]/name", "quan_1"),
        ("instance('districts')/root/item[name = 'x']/label", ""),
        ("instance('districts')/item[people = 142]/label", "Quận 1"),
        ("instance('districts')/root/item[contains(label, 'Đa')]/name", "dong_da"),
        ("instance('districts')/root/item", "ba_dinh"),
        ("count(instance('districts')/root/item[province = /data/province])", "2"),
        ("sum(instance('districts')/root/item[province = 'hn']/people)", "597"),
        ("join(', ', instance('districts')/root/item[province = 'hn']/label)", "Ba Đình, Đống Đa"),
        ("pulldata('districts', 'label', 'name', 'dong_da')", "Đống Đa"),
        ("pulldata('districts', 'label', 'name', 'x')", ""),
        ("pulldata('districts', 'name', 'province', ${province})", "ba_dinh"),
        ("instance('districts')/item[people > 300 and province = current()/../province]/name", "dong_da"),
        ("instance('districts')/root/item[people = sum(instance('districts')/root/item[1]/people)]/name",
         "ba_dinh"),
    ],
)  # fmt: skip
def test_what_is_asked_of_a_list(expression: str, result: str) -> None:
    assert stored(value(expression)) == result


def test_a_choice_filter_asks_for_the_columns_of_each_choice() -> None:
    tree = parse("province = ${province} and people > 4")
    assert check(tree, FORM, columns=("name", "label", "province", "people")) == "truth"
    assert evaluate(tree, Answered({"province": "hn", "people": "5"})) is True
    with pytest.raises(ExpressionInvalid, match=re.escape("no column `people`. Its columns: name, province")):
        check(tree, FORM, columns=("name", "province"))


@pytest.mark.parametrize(
    ("expression", "at", "words"),
    [
        ("${device} = 1", 0, "`device` is a group"),
        ("sum(${device})", 4, "`device` is a group"),
        ("${wanted}[1]/serial", 0, "`wanted` is not a group"),
        ("${devise}[1]", 0, "is `device` meant?"),
        ("${device}[serail = 1]", 10, "is `serial` meant?"),
        ("${device}[note = 1]", 10, "is of kind `note`"),
        ("${device}[1]/note", 0, "is of kind `note`"),
        ("${device}[1]/gone", 0, "no item `gone`"),
        ("${device}['x']", 10, "A condition is expected here"),
        ("/data/device", 0, "`device` is a group"),
        ("/data", 0, "no item `data`"),
        ("../gone", 0, "no item `gone`"),
        ("serial", 0, "an item in ${…}"),
        ("last()", 0, "in […] only"),
        ("indexed-repeat(${serial}, ${wanted}, 1)", 26, "A repeat is expected here"),
        ("indexed-repeat('x', ${device}, 1)", 15, "An item is expected here"),
        ("indexed-repeat(${serial}, ${device}, 1, ${device})", 0, "in pairs"),
        ("instance('gone')/root/item", 0, "no list `gone`"),
        ("instance('districts')/root/item/gone", 0, "no column `gone`"),
        ("instance('districts')/root/item[gone = 1]", 32, "no column `gone`"),
        ("pulldata('gone', 'a', 'b', 'c')", 9, "no list `gone`"),
        ("pulldata('districts', 'gone', 'name', 'c')", 22, "no column `gone`"),
        ("pulldata('districts', 'name', 'gone', 'c')", 30, "no column `gone`"),
        ("pulldata(${province}, 'name', 'name', 'c')", 9, "A name in quotes is expected here"),
        ("jr:choice-name(${kind}, '${gone}')", 25, "no item `gone`"),
        ("${kind} = 'tokn'", 10, "`kind` is never `tokn`"),
        ("${device}[1]/kind = 'tokn'", 20, "`kind` is never `tokn`"),
    ],
)
def test_a_slip_in_a_path_is_found_at_its_place(expression: str, at: int, words: str) -> None:
    place, message = refused(expression)
    assert words in message
    assert place == at


def test_what_an_expression_looks_at_is_known_with_groups_rows_and_lists() -> None:
    tree = parse(
        "position(..) + indexed-repeat(${a}, ${g}, ${b}) + count(/d/h[c > ${d}]/e) + "
        "pulldata('one', 'x', 'y', ${f}) + instance('two')/root/item[z = current()/../i]/v + "
        "jr:choice-name(${j}, '${k}')"
    )
    assert sorted({reference.name for reference in references(tree)}) == sorted([*"abcdefghijk", ".."])
    assert list(lists(tree)) == ["one", "two"]


values = st.sampled_from(
    ["", "a", "b", "1", "2.0", "08:00", "2026-11-24", Decimal(1), Decimal(2), Decimal("NaN"), None, ("a",),
     ("a", "b"), datetime.time(8), datetime.time(9), datetime.date(2026, 11, 24), Decimal(20781)]
)  # fmt: skip


@settings(max_examples=500)
@given(
    st.lists(values, max_size=4),
    st.lists(values, max_size=4),
    st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
)
def test_rows_compare_with_rows_as_if_each_were_held_against_each(
    ones: list[Term], others: list[Term], operator: str
) -> None:
    tree = parse(f"${{a}} {operator} ${{b}}")
    any_pair = any(evaluate(tree, Answered({"a": one, "b": other})) for one in ones for other in others)
    together = evaluate(tree, Answered({"a": Nodes(tuple(ones)), "b": Nodes(tuple(others))}))
    assert together is any_pair


def test_a_repeat_of_twenty_thousand_rows_is_gone_through_once_for_each_condition() -> None:
    rows = [{"pins": Decimal(number), "serial": str(number)} for number in range(20_000)]
    asked: list[str] = []

    class Counting(Answered):
        def value(self, name: str) -> Term:
            asked.append(name)
            return super().value(name)

    scope = Counting({"wanted": Decimal(2)}, {"device": rows})
    assert evaluate(parse("count(${device}[pins mod ${wanted} = 0 and serial != ''])"), scope) == 10_000
    assert asked == ["device", "wanted"]
    assert evaluate(parse("count(${device}[pins = max(${pins}) or serial = ${serial}[7]])"), scope) == 2
    assert asked.count("pins") == 1
    assert evaluate(parse("${pins} = ${serial}"), scope) is True

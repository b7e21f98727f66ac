"""What each function of ODK's specification comes to."""

from __future__ import annotations

import base64
import datetime
import hashlib
import math
import re
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldkit.checklist.evaluation import evaluate
from fieldkit.checklist.expression import parse
from fieldkit.checklist.functions import shuffled
from fieldkit.checklist.value import LONGEST_STORED, NAN, Nodes, Term, stored, text
from tests.checklist.language import NOW, Answered

INFINITE = Decimal("Infinity")
TODAY = NOW.date()


def value(expression: str, **answers: Term) -> Term:
    return evaluate(parse(expression), Answered(answers))


@pytest.fixture(params=["Asia/Ho_Chi_Minh", "UTC", "America/Lima"])
def clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A device in one place of the world."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("substr('kiểm tra', 0, 4)", "kiểm"),
        ("substr('kiểm tra', -3)", "tra"),
        ("substr('kiểm tra', -8, -4)", "kiểm"),
        ("substr('kiểm', 1 div 0)", ""),
        ("substr('kiểm', number('x'))", ""),
        ("substring('kiểm tra', 6)", "tra"),
        ("substring-before('24/11/2026', '/')", "24"),
        ("substring-before('2026', '/')", ""),
        ("substring-after('24/11/2026', '/')", "11/2026"),
        ("substring-after('2026', '/')", ""),
        ("translate('0912.345', '.', '')", "0912345"),
        ("translate('aab', 'aa', 'xy')", "xxb"),
        ("concat()", ""),
        ("concat('a', 1, true(), date('2026-11-24'))", "a1true2026-11-24"),
        ("join(', ', 'a', '', 'b')", "a, , b"),
        ("join('-')", ""),
        ("string-length('ễ')", Decimal(1)),
        ("boolean-from-string('true') and boolean-from-string(1)", True),
        ("boolean-from-string('yes') or boolean-from-string('TRUE')", False),
        ("selected-at('a b c', 1)", "b"),
        ("selected-at('a b c', -1)", ""),
        ("selected-at('a b c', 3)", ""),
        ("selected-at('a b c', number('x'))", ""),
        ("count-selected(' a  b ')", Decimal(2)),
        ("selected('a b', '')", False),
        ("coalesce('', 'b', 'c')", "b"),
        ("checklist(2, 3, 'a', '', 1, 0)", True),
        ("checklist(-1, 1, 'a', 'b')", False),
        ("checklist(3, -1, 'a', 'b')", False),
        ("weighted-checklist(5, 7, 1 = 1, 2, 1 = 2, 100, 'a', 3)", True),
        ("weighted-checklist(6, -1, 1 = 1, 2, 1 = 1, 3)", False),
        ("count-non-empty('', 'a', 0)", Decimal(2)),
        ("base64-decode('S2nhu4NtIHRyYQ==')", "Kiểm tra"),
        ("base64-decode('?')", ""),
        ("base64-decode('AAEC')", ""),
        ("if('', 'a', 'b')", "b"),
        ("once('a')", "kept"),
    ],
)
def test_texts_choices_and_conditions(expression: str, result: Term) -> None:
    assert value(expression, this="kept") == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("ceiling(2.1)", 3),
        ("ceiling(-2.1)", -2),
        ("round(2.25, 1)", Decimal("2.3")),
        ("round(-2.25, 1)", Decimal("-2.2")),
        ("round(1250, -2)", 1300),
        ("round('2,5')", 3),
        ("round(1, 1000)", 1),
        ("round(123, -1000)", 0),
        ("pow(2, 10)", 1024),
        ("pow(4, 0.5)", 2),
        ("pow(0, 0)", 1),
        ("pow(2, -2)", Decimal("0.25")),
        ("pow(9, pow(9, 9))", INFINITE),
        ("pow(9, -pow(9, 9))", 0),
        ("exp(1000000)", INFINITE),
        ("exp(0)", 1),
        ("exp10(3)", 1000),
        ("log10(1000)", 3),
        ("log(exp(2))", 2),
        ("log(0)", -INFINITE),
        ("sqrt(2.25)", Decimal("1.5")),
        ("sin(0)", 0),
        ("cos(0)", 1),
        ("atan2(0, 1)", 0),
        ("abs(-2.5)", Decimal("2.5")),
        ("min(3, '2', 5)", 2),
        ("max(3, '', 5)", 5),
        ("sum('1', 2.5, '')", Decimal("3.5")),
        ("int(-2.9)", -2),
        ("5 mod (1 div 0)", 5),
    ],
)
def test_numbers(expression: str, result: int | Decimal) -> None:
    assert value(expression) == result


@pytest.mark.parametrize(
    "expression",
    ["0 div 0", "5 mod 0", "sqrt(-1)", "log(-1)", "asin(2)", "acos(2)", "sin(1 div 0)", "pow(-8, 0.5)",
     "number('x')", "number('1e3')", "number('Infinity')", "int('')", "round('x')", "abs('x') + 1",
     "sum('1', 'x')", "min(1, 'x')", "max('x')", "(1 div 0) - (1 div 0)", "round(1, 0 div 0)",
     "floor(0 div 0)"],
)  # fmt: skip
def test_what_is_no_number_equals_nothing_and_is_stored_as_nothing(expression: str) -> None:
    result = value(expression)
    assert isinstance(result, Decimal)
    assert result.is_nan()
    assert stored(result) == ""
    assert text(result) == "NaN"
    for operator in ("=", "<", "<=", ">", ">="):
        assert value(f"{expression} {operator} {expression}") is False
    assert value(f"boolean({expression})") is False


@given(st.decimals(-1, 1, places=6))
def test_angles_are_those_of_the_library(number: Decimal) -> None:
    for name in ("sin", "cos", "tan", "asin", "acos", "atan"):
        result = value(f"{name}(${{a}})", a=number)
        assert isinstance(result, Decimal)
        assert math.isclose(float(result), getattr(math, name)(float(number)), abs_tol=1e-15)


def test_what_has_no_end_is_shown_with_as_many_digits_as_say_something() -> None:
    assert value("string(1 div 3)") == "0.33333333333333333"
    assert value("string(200 div 3)") == "66.666666666666667"
    assert value("string(pi())") == "3.1415926535897932"
    assert value("(1 div 3) * 3 = 1") is True
    assert value("(1 div 3) * 3 < 1") is False
    assert value("string(0.1 + 0.2)") == "0.3"


@given(st.decimals(-(10**20), 10**20, places=15, allow_nan=False))
def test_a_number_that_was_stored_is_the_same_number(number: Decimal) -> None:
    assert value("number(${a})", a=stored(number)) == number


@pytest.mark.parametrize(("algorithm", "name"), [("MD5", "md5"), ("SHA-1", "sha1"), ("SHA-512", "sha512")])
def test_digests_are_those_of_the_library(algorithm: str, name: str) -> None:
    digest = hashlib.new(name, "mẫu".encode(), usedforsecurity=False).digest()
    assert value(f"digest('mẫu', '{algorithm}', 'hex')") == digest.hex()
    assert value(f"digest('mẫu', '{algorithm}')") == base64.b64encode(digest).decode()


def test_chance_gives_something_else_at_each_place_and_the_same_there_again() -> None:
    first = value("uuid()")
    assert value("uuid() = uuid()") is value("random() = random()") is False
    assert value("uuid()") == first != value(" uuid()")
    assert value("join('', randomize(${a}))", a=Nodes(tuple("abcdefgh"))) == value(
        "join('', randomize(${a}))", a=Nodes(tuple("abcdefgh"))
    )
    assert uuid.UUID(str(first)).version == 4
    assert re.fullmatch("[0-9A-Za-z]{12}", str(value("uuid(12)")))
    assert value("uuid(-1)") == value("uuid(1 div 0)") == value("uuid(number('x'))") == ""
    assert value("random() >= 0 and random() < 1") is True


def test_an_order_by_chance_is_the_same_with_the_same_seed() -> None:
    terms = tuple("abcdefgh")
    assert sorted(shuffled(terms, Decimal(7))) == list(terms)  # type: ignore[type-var]
    assert shuffled(terms, Decimal(7)) == shuffled(terms, "7")
    assert shuffled(terms, "x") == shuffled(terms, "x")
    orders = {shuffled(terms, Decimal(seed)) for seed in range(-20, 20)}
    assert len(orders) > 35
    # The generator goes on from 7 with 117649, 1977326743, 621132276: place 0 of 1, 1 of 2, 0 of 3.
    assert shuffled(("a", "b", "c"), Decimal(7)) == ("c", "b", "a")


@pytest.mark.usefixtures("clock")
class TestDays:
    @pytest.mark.parametrize(
        ("expression", "result"),
        [
            ("date('2026-11-24T23:59')", datetime.date(2026, 11, 24)),
            ("date(20781.9)", datetime.date(2026, 11, 24)),
            ("date(-0.5)", datetime.date(1969, 12, 31)),
            ("date('')", None),
            ("date(1 div 0)", None),
            ("date-time('2026-11-24T08:30:15.250')", datetime.datetime(2026, 11, 24, 8, 30, 15, 250_000)),
            ("date-time(date('2026-11-24'))", datetime.datetime(2026, 11, 24)),
            ("now()", NOW),
            ("today()", NOW.date()),
            ("decimal-date-time('1970-01-02T06:00')", Decimal("1.25")),
            ("decimal-time('18:00')", Decimal("0.75")),
            ("decimal-time('2026-11-24T12:00')", Decimal("0.5")),
            ("number('2026-11-24')", Decimal(20781)),
            ("number('1970-01-01T12:00')", Decimal("0.5")),
            ("'2026-11-24' > '2026-03-01'", True),
            ("'09:30' < '17:00'", True),
            ("now() > today()", True),
            ("now() - today() < 1", True),
            ("today() - '2026-11-20'", Decimal(4)),
            ("format-date('2026-01-05', '%d/%m/%Y %e.%n.%y %a %b %%')", "05/01/2026 5.1.26 Mon Jan %"),
            ("format-date-time('2026-01-05T07:08:09.010', '%H:%M:%S.%3 %h %q')", "07:08:09.010 7 %q"),
            ("format-date('', '%Y')", ""),
            ("format-date(today() + 1, '%d')", "25"),
        ],
    )
    def test_days_and_times_are_those_of_the_clock_on_the_wall(self, expression: str, result: Term) -> None:
        assert value(expression) == result

    def test_answers_are_compared_with_texts_as_days_and_times(self) -> None:
        day, at, hour = datetime.date(2026, 11, 24), datetime.datetime(2026, 11, 24, 8), datetime.time(8)
        assert value("${a} >= '2026-11-24' and ${a} = '2026-11-24' and ${a} < '2026-11-25'", a=day) is True
        assert value("${a} > '2026-11-24' and ${a} = '2026-11-24T08:00'", a=at) is True
        assert value("${a} > '07:59' and ${a} = '08:00' and ${a} != '08:01'", a=hour) is True
        assert value("${a} > '2026-11-23' or ${a} = ''", a=None) is True

    def test_an_hour_of_another_zone_is_brought_to_the_clock_here(self) -> None:
        there = datetime.datetime(2026, 11, 24, 1, 30, tzinfo=datetime.UTC)
        here = there.astimezone().replace(tzinfo=None)
        assert value("${a} = '2026-11-24T01:30Z'", a=there) is True
        assert value("date-time('2026-11-24T03:30+02:00')") == here
        assert value("format-date-time(${a}, '%Y-%m-%d %H')", a=there) == here.strftime("%Y-%m-%d %H")


@pytest.mark.parametrize("blank", ["\u00a0", "\u2003", "\x0b"])
def test_only_the_blanks_of_xml_are_passed_over(blank: str) -> None:
    assert value("number(${a})", a=" \t\r\n12 ") == 12
    for number in ("12", "2026-11-24"):
        assert stored(value("number(${a})", a=f"{blank}{number}")) == ""
    assert value("date(${a})", a=" 2026-11-24\n") == datetime.date(2026, 11, 24)
    assert value("date(${a})", a=f"2026-11-24{blank}") is None
    assert value("decimal-time(${a})", a=" 12:00 ") == Decimal("0.5")
    assert value("decimal-time(${a})", a=" 2026-11-24T12:00 ") == Decimal("0.5")
    for moment in ("12:00", "2026-11-24T12:00"):
        assert stored(value("decimal-time(${a})", a=f"{moment}{blank}")) == ""


def test_whatever_is_there_is_true_but_nothing_zero_and_no_number() -> None:
    true: list[Term] = [
        "x",
        " ",
        "0",
        "false",
        Decimal(-1),
        INFINITE,
        datetime.time(),
        datetime.date.min,
        ("a",),
    ]
    untrue: list[Term] = ["", None, Decimal(0), NAN, (), Nodes(())]
    assert [value("boolean(${a})", a=term) for term in [*true, Nodes(("",)), *untrue]] == [
        *([True] * (len(true) + 1)),
        *([False] * len(untrue)),
    ]


@given(st.times(timezones=st.timezones()), st.times())
def test_a_time_of_day_is_a_part_of_a_day(there: datetime.time, here: datetime.time) -> None:
    for clock in (there, here):
        part = value("decimal-time(${a})", a=clock)
        assert isinstance(part, Decimal)
        assert 0 <= part < 1
    seconds = here.hour * 3600 + here.minute * 60 + here.second + Decimal(here.microsecond) / 10**6
    assert abs(Decimal(str(value("decimal-time(${a})", a=here))) * 86_400 - seconds) < Decimal("1e-9")


def test_days_and_times_are_stored_in_iso() -> None:
    assert stored(datetime.date(2026, 1, 5)) == "2026-01-05"
    assert stored(datetime.datetime(2026, 1, 5, 7, 8)) == "2026-01-05T07:08:00"
    assert stored(datetime.time(7, 8, 9, 120_000)) == "07:08:09.120"
    assert stored(("a", "b")) == "a b"
    assert stored(True) == "true"
    assert stored(Nodes(("a", "b"))) == "a"
    assert stored(Decimal("1E+3")) == "1000"
    assert stored(None) == stored(Nodes(())) == ""


def test_a_text_that_grows_without_end_is_stored_with_an_end_that_shows() -> None:
    long = stored(value("concat(${a}, ${a}, ${a})", a="x" * LONGEST_STORED))
    assert len(long) == LONGEST_STORED
    assert long.endswith("x…")


SQUARE = "0 0; 0 1; 1 1; 1 0; 0 0"


@pytest.mark.parametrize(
    ("expression", "metres"),
    [
        ("distance('0 0; 0 1')", math.pi * 6_378_100 / 180),
        ("distance('90 0; -90 0')", math.pi * 6_378_100),
        ("distance('21.03 105.85 5 3')", 0),
        ("distance('')", 0),
        (f"area('{SQUARE}')", 12_391_399_902),
        ("area('0 0; 0 1')", 0),
        ("enclosed-area('0 0; 0 90; 90 0')", 4 * math.pi * 6_378_100**2 / 8),
    ],
)
def test_ways_and_areas_on_the_earth(expression: str, metres: float) -> None:
    result = value(expression)
    assert isinstance(result, Decimal)
    assert math.isclose(float(result), metres, rel_tol=1e-4, abs_tol=0.01)


@pytest.mark.parametrize("place", ["x", "91 0", "0 181", "1", "nan 0", "1 2 3 4 5"])
def test_what_is_no_place_has_no_area_and_is_in_none(place: str) -> None:
    assert stored(value(f"area('0 0; 0 1; {place}')")) == stored(value(f"distance('0 0; {place}')")) == ""
    assert value(f"geofence('{place}', '{SQUARE}')") is False


@given(st.floats(-2, 2).filter(lambda at: abs(abs(at) - 1) > 0.001), st.floats(-2, 2))
def test_a_place_is_within_a_square_or_it_is_not(latitude: float, longitude: float) -> None:
    square = "-1 -1; -1 1; 1 1; 1 -1; -1 -1"
    inside = abs(latitude) < 1 and abs(longitude) < 1
    if abs(abs(longitude) - 1) > 0.001:
        assert value(f"geofence('{latitude:.6f} {longitude:.6f}', '{square}')") is inside
    assert value("distance(${a})", a=Nodes((f"{latitude:.6f} 0", f"{latitude:.6f} 0"))) == 0

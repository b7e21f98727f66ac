"""Patterns mean what Python's `re` says they mean, and no text keeps an answer waiting."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fieldkit.checklist.pattern import MOST_STATES, Pattern, PatternInvalid

LONG = "a" * 20_000
SIGNS = "aAbẵ1_ \n.-"

one = st.sampled_from(
    ["a", "b", "ẵ", ".", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\.", r"\n", "[^a]", "[a-b1]", "[^\\w.]",
     "[\\W_]", "^", "$", r"\b", r"\B", r"\A", r"\Z", "[]a-]"]
)  # fmt: skip
patterns = st.recursive(
    one,
    lambda below: st.one_of(
        st.lists(below, min_size=1, max_size=4).map("".join),
        st.lists(below, min_size=2, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
        st.tuples(
            below.map(lambda part: f"(?:{part})"),
            st.sampled_from(
                ["*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{0,2}?", "{2,}", "{,2}", "{0}"]
            ),
        ).map("".join),
        below.map(lambda part: f"({part}|)"),
    ),
    max_leaves=6,
)


@given(patterns, st.text(SIGNS, max_size=7))
def test_a_pattern_fits_what_it_fits_by_re(pattern: str, text: str) -> None:
    assume(text or "\\B" not in pattern)  # of which releases of Python say different things
    assert Pattern(pattern).matches(text) is (re.fullmatch(pattern, text) is not None), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "ending", "fits"),
    [
        ("(a|aa)+$", "", True),
        ("(a|aa)+$", "c", False),
        ("(a|a)*b", "", False),
        (r"(.|\s)*x", "", False),
        ("a*a*a*a*a*a*b", "", False),
        ("(a*)*b", "b", True),
        ("((a+)+)+b", "", False),
        ("(a|b)*a(a|b){300}", "", True),
        ("(a?){300}a{300}", "", False),
        (r"(\w+\s?)+-", "", False),
    ],
)
def test_no_text_keeps_an_answer_waiting(pattern: str, ending: str, fits: bool) -> None:
    assert Pattern(pattern).matches(LONG + ending) is fits


@pytest.mark.parametrize(
    "pattern",
    ["(?=a)b", "(?!a)b", "(?<=a)b", r"(a)\1", "(?P<x>a)(?P=x)", "(a)?(?(1)b|c)", "(?i)a", "(?i:a)", "(?-i:a)",
     "(?s).", "(?>a)", "a++", "(", "[", "a{3,1}", "*a"],
)  # fmt: skip
def test_what_an_automaton_cannot_do_is_refused(pattern: str) -> None:
    with pytest.raises(PatternInvalid):
        Pattern(pattern)


def test_a_pattern_is_as_large_as_what_it_repeats() -> None:
    assert Pattern(f"a{{{MOST_STATES - 1}}}").matches("a" * (MOST_STATES - 1))
    for pattern in (f"a{{{MOST_STATES}}}", "((a{50}){50}){50}", "a{1,4294967290}", "((){999}){999}"):
        with pytest.raises(PatternInvalid, match="too large"):
            Pattern(pattern)

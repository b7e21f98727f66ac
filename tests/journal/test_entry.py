"""An entry has one form: what is stored is what is hashed, and what has no such form is refused."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from datetime import date
from decimal import Decimal
from enum import IntEnum, StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldkit.journal.entry import (
    GENESIS,
    LARGEST_INTEGER,
    Draft,
    canonical,
    decode,
    encode,
    plain,
)
from fieldkit.journal.errors import NotStorable
from fieldkit.journal.line import body_of, line, link
from fieldkit.journal.store import Store

names = st.text(st.characters(max_codepoint=127), max_size=12)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-LARGEST_INTEGER, LARGEST_INTEGER) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
drafts = st.builds(Draft, st.just("answer"), visit=texts, item=texts, value=values, who=texts)


def encoded(draft: Draft) -> tuple[bytes, Any]:
    return encode(
        draft, dev="0123456789ab", seq=7, prev=GENESIS, hlc="000-000", wall="2026-11-24T08:00:00+07:00"
    )


@given(values)
def test_the_canonical_form_is_json_that_reads_back_as_the_value_with_text_composed(value: Any) -> None:
    assert json.loads(canonical(value)) == plain(value)


@given(values)
def test_the_canonical_form_is_a_fixed_point(value: Any) -> None:
    assert canonical(json.loads(canonical(value))) == canonical(value)


@given(st.dictionaries(names, values, min_size=2, max_size=5), st.randoms())
def test_the_order_in_which_names_were_given_does_not_matter(value: dict[str, Any], random: Any) -> None:
    shuffled = list(value.items())
    random.shuffle(shuffled)
    assert canonical(dict(shuffled)) == canonical(value)


@given(values)
def test_the_canonical_form_is_what_rfc_8785_asks_for(value: Any) -> None:
    expected = json.dumps(plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert json.loads(canonical(value)) == json.loads(expected)
    if all(character.isprintable() for character in expected):  # escapes of control characters may differ
        assert canonical(value).decode() == expected


@given(texts)
def test_composed_and_decomposed_text_are_stored_alike(text: str) -> None:
    assert canonical(unicodedata.normalize("NFD", text)) == canonical(unicodedata.normalize("NFC", text))


@given(drafts)
def test_an_entry_reads_back_as_it_was_said_under_the_hash_of_its_bytes(draft: Draft) -> None:
    body, made = encoded(draft)
    found = decode(body)
    assert found == made
    assert found.hash == hashlib.sha256(body).hexdigest()
    assert (found.value, found.visit) == (plain(draft.value), unicodedata.normalize("NFC", draft.visit))


@given(drafts)
def test_what_is_read_of_a_line_in_passing_is_what_decoding_it_gives(draft: Draft) -> None:
    body, made = encoded(draft)
    found = link(body)
    assert found is not None
    assert (found.v, found.dev, found.seq, found.prev, found.hlc, found.kind, found.visit) == (
        made.v, made.dev, made.seq, made.prev, made.hlc, made.kind, made.visit,
    )  # fmt: skip


@given(values)
def test_a_value_that_looks_like_an_entry_is_not_taken_for_one(value: Any) -> None:
    inner = {"dev": "ffffffffffff", "hlc": "9-9", "kind": "repair", "prev": "f" * 64, "seq": 99, "v": 9}
    draft = Draft("answer", visit='v","wall":"x', item='"kind":"x"', value=[inner, value, {"visit": "other"}])
    found = link(encoded(draft)[0])
    assert found is not None
    assert (found.dev, found.seq, found.kind, found.visit) == ("0123456789ab", 7, "answer", 'v","wall":"x')


@given(st.binary(min_size=1, max_size=40).filter(lambda body: b"\n" not in body), st.data())
def test_a_line_with_any_bit_changed_is_no_line(body: bytes, data: st.DataObject) -> None:
    stored = bytearray(line(body)[:-1])
    assert body_of(bytes(stored)) == body
    at = data.draw(st.integers(0, 8 * len(stored) - 1))
    stored[at // 8] ^= 1 << at % 8
    assert body_of(bytes(stored)) is None


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


@pytest.mark.parametrize(
    ("value", "stored"), [(Colour.RED, b'"red"'), (Level.LOW, b"1"), ((1, 2), b"[1,2]"), (True, b"true")]
)
def test_what_behaves_as_json_is_stored_as_json(value: Any, stored: bytes) -> None:
    assert canonical(value) == stored


@pytest.mark.parametrize(
    ("value", "said", "hint"),
    [
        (1.5, "type float", "fraction as text"),
        (Decimal("1.5"), "type Decimal", "fraction as text"),
        (Fraction(1, 3), "type Fraction", "fraction as text"),
        (b"bytes", "type bytes", "as a file"),
        (date(2026, 11, 24), "type date", "as text"),
        ({1, 2}, "type set", "as text"),
        (2**53, "too large", "as text"),
        (-(2**53), "too large", "as text"),
        ({"tên": 1}, "`tên` cannot name a value", "without accents"),
        ({1: 1}, "`1` cannot name a value", "as text"),
        ("\ud800", "half a character", ""),
        ({"\ud800": 1}, "cannot name a value", ""),
    ],
)
def test_a_value_without_a_canonical_form_is_refused_and_says_what_to_do(
    value: Any, said: str, hint: str, folder: Path
) -> None:
    with Store.open(folder) as store:
        with pytest.raises(NotStorable) as refused:
            store.append(Draft("answer", value={"deep": [value]}))
        assert store.head().seq == 0
        store.append(Draft("answer", value="after it"))
    assert said in str(refused.value)
    assert hint in str(refused.value.hint or "")
    str(refused.value).encode()  # it can be shown


def test_a_value_nested_without_end_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(NotStorable, match="nested too deeply"):
        canonical(value)


def test_an_entry_of_an_older_format_is_brought_up_and_keeps_the_hash_of_its_bytes() -> None:
    body, _ = encoded(Draft("answer", visit="v", item="old-name", value=1))

    def renamed(members: dict[str, Any]) -> dict[str, Any]:
        return members | {"v": 2, "item": "new-name"}

    def doubled(members: dict[str, Any]) -> dict[str, Any]:
        return members | {"v": 3, "value": 2 * members["value"]}

    found = decode(body, newest=3, upcasters={1: renamed, 2: doubled})
    assert (found.v, found.item, found.value) == (3, "new-name", 2)
    assert found.hash == hashlib.sha256(body).hexdigest()


def test_what_a_caller_does_to_a_value_afterwards_is_not_stored(folder: Path) -> None:
    value = {"list": [1]}
    with Store.open(folder) as store:
        made = store.append(Draft("answer", value=value))
        value["list"].append(2)
        assert made.value == {"list": [1]}
        assert next(store.entries()).value == {"list": [1]}

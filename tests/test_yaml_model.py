"""A YAML file is read as its author meant it, or every mistake is named with its line and column."""

from __future__ import annotations

import contextlib
import datetime
import unicodedata
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldkit import i18n
from fieldkit.text import Message, Words
from fieldkit.yaml_model import LARGEST, Invalid, Problem, YamlUnreadable, load, read_yaml


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    count: int = 0
    wanted: bool = False
    since: datetime.date | None = None
    title: Words | None = None
    options: dict[str, str | int | bool] = {}


class Whole(msgspec.Struct, frozen=True):
    id: str
    parts: tuple[Part, ...] = ()


def problems(text: str) -> list[Problem]:
    with pytest.raises(Invalid) as caught:
        read_yaml(text, "file.yaml", Whole)
    return list(caught.value.problems)


def only(text: str) -> tuple[int, int, str]:
    """The place and the words of the one problem."""
    (found,) = problems(text)
    return found.line, found.column, str(found.message)


def test_scalars_are_read_by_the_type_they_go_to() -> None:
    part_of = (
        "{name: 1.0, count: 12, wanted: true, since: 2026-11-24, options: {a: no, b: 7, c: true, d: '7'}}"
    )
    text = f"id: no\nparts:\n  - {part_of}\n"
    (part,) = read_yaml(text, "f", Whole).value.parts
    assert read_yaml(text, "f", Whole).value.id == "no"
    assert part == Part(
        "1.0", 12, True, datetime.date(2026, 11, 24), None, {"a": "no", "b": 7, "c": True, "d": "7"}
    )


def test_text_is_composed() -> None:
    assert read_yaml("id: " + unicodedata.normalize("NFD", "Lễ Tân"), "f", Whole).value.id == "Lễ Tân"


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("id: a\nparst: []\n", (2, 1), "`parst` is not known; is `parts` meant?"),
        ("id: a\nzzz: 1\n", (2, 1), "`zzz` is not known. Known: id, parts."),
        ("parts: []\n", (1, 1), "`id` is missing"),
        ("id: a\nid: b\n", (2, 1), "`id` is here twice"),
        ("id: a\nparts:\n  name: x\n", (3, 3), "A list is expected here"),
        ("id: a\nparts:\n  - x\n", (3, 5), "Keys and values are expected here."),
        ("id: [a]\n", (1, 5), "One value is expected here."),
        ("id:\n", (1, 4), "The value is missing."),
        ("id: a\nparts:\n  - {name: x, count: many}\n", (3, 22), "A whole number is expected here."),
        ("id: a\nparts:\n  - {name: x, count: 1.5}\n", (3, 22), "A whole number is expected here."),
        ("id: a\nparts:\n  - {name: x, wanted: yes}\n", (3, 23), "`true` or `false` is expected here."),
        ("id: a\nparts:\n  - {name: x, since: 24/11/2026}\n", (3, 22), "A date is expected here"),
        ("id: a\nparts:\n  - {name: x, title: {vi: a}}\n", (3, 22), "`en` is missing"),
        ("id: a\nparts:\n  - {name: x, title: {vi: a, en: ' '}}\n", (3, 34), "The text is empty."),
        ("id: &x a\nparts: &y [*y]\n", (2, 8), "references (*name) are not used here"),
        ("id: a\n? [b]\n: c\n", (2, 3), "A key has to be a word."),
        ("", (1, 1), "The file is empty."),
        ("# only words\n", (1, 1), "The file is empty."),
        ('id: "\\e[31mred"\n', (1, 5), "control character"),
    ],
)
def test_a_mistake_is_named_where_it_is(text: str, place: tuple[int, int], said: str) -> None:
    line, column, message = only(text)
    assert (line, column) == place
    assert said in message


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("id: a\nparts:\n\t- name: x\n", (3, 1), "A tab is here; indent with spaces."),
        ("id: @home\n", (1, 5), "has to stand in quotes"),
        ("id: a: b\n", (1, 6), "has to stand in quotes"),
        ('id: "a\n', (1, 5), "not closed"),
        ("id: a\nparts: [x\n", (2, 8), "not closed"),
        ("id: [\n", (2, 1), "A value is missing here"),
        ("id: a\n  parts: []\n", (2, 8), "has to stand in quotes"),
        ("id: a\nparts:\n  - name: x\n count: 1\n", (4, 2), "indented"),
        ("id: a\n---\nid: b\n", (2, 1), "second document"),
        ("id: *b\n", (1, 5), "references (*name) are not used here"),
        ('id: "\\q"\n', (1, 6), "After \\"),
        ("id: a\x07\n", (1, 6), "control character"),
        ("id: \ud800\n", (1, 5), "not UTF-8"),
        ("[" * 5000, (1, 1001), "nested too deeply"),
    ],
)
def test_what_is_no_yaml_is_said_in_words_of_an_author(text: str, place: tuple[int, int], said: str) -> None:
    line, column, message = only(text)
    assert (line, column) == place
    assert said in message


def test_every_problem_is_told_at_once_in_the_order_of_the_file() -> None:
    found = problems("parts:\n  - {nmae: x}\n  - {name: y, count: z}\nid: [a]\n")
    assert [(each.line, each.column) for each in found] == sorted((each.line, each.column) for each in found)
    assert len(found) == 4


def test_a_flood_of_problems_is_cut() -> None:
    assert len(problems("id: a\nparts:\n" + "  - x\n" * 5000)) == 100


def test_the_error_is_said_in_the_language_in_force_when_it_is_shown() -> None:
    with pytest.raises(Invalid) as caught:
        read_yaml("parts: []\n", "file.yaml", Whole)
    assert isinstance(caught.value.message, Message)
    assert "Thiếu" in caught.value.message.render("vi")
    assert "missing" in caught.value.message.render("en")
    i18n.use("vi")
    assert "Thiếu" in str(caught.value)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_bytes("id: lễ\n".encode("utf-8-sig"))
    assert load(tmp_path / "f.yaml", Whole).id == "lễ"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp1258", "latin-1"])
def test_a_file_in_another_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    text = "id: à\n" if encoding in ("cp1258", "latin-1") else "id: lễ\n"
    (tmp_path / "f.yaml").write_bytes(text.encode(encoding))
    with pytest.raises(Invalid):
        load(tmp_path / "f.yaml", Whole)


def test_the_place_of_a_byte_that_is_not_utf8_counts_characters(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_bytes("id: a\n# lễ ".encode() + b"\xff\n")
    with pytest.raises(Invalid) as caught:
        load(tmp_path / "f.yaml", Whole)
    assert (caught.value.problems[0].line, caught.value.problems[0].column) == (2, 6)
    assert "UTF-8" in str(caught.value)


@pytest.mark.parametrize("letter", ["x", "ễ", "é", "😀"])
@pytest.mark.parametrize("over", [1, 2, 3, 4, 5])
def test_a_file_that_is_too_large_is_called_too_large_in_whatever_letters(
    tmp_path: Path, letter: str, over: int
) -> None:
    head = b"id: " + b"x" * over
    data = head + letter.encode() * ((LARGEST + over - len(head)) // len(letter.encode()) + 1)
    (tmp_path / "f.yaml").write_bytes(data)
    with pytest.raises(Invalid) as caught:
        load(tmp_path / "f.yaml", Whole)
    assert "larger than" in str(caught.value.problems[0].message)


def test_a_file_of_the_largest_size_is_read_whole(tmp_path: Path) -> None:
    text = "id: b\n# " + "ễ" * 1000
    data = text.encode() + b"x" * (LARGEST - len(text.encode()))
    (tmp_path / "f.yaml").write_bytes(data)
    assert load(tmp_path / "f.yaml", Whole).id == "b"


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(YamlUnreadable) as caught:
            load(path, Whole)
        assert str(path) in str(caught.value)


@given(st.text(max_size=200))
def test_no_text_brings_the_reader_down(text: str) -> None:
    with contextlib.suppress(Invalid):
        assert read_yaml(text, "f", Whole).value.id


_TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t"), min_size=1, max_size=40
)


@given(
    _TEXT,
    st.integers(-(10**15), 10**15),
    st.booleans(),
    st.dates(),
    st.dictionaries(_TEXT, _TEXT | st.booleans(), max_size=3),
)
def test_what_yaml_writes_is_read_as_it_was(
    name: str, count: int, wanted: bool, since: datetime.date, options: dict[str, str | bool]
) -> None:
    import yaml

    shape = {
        "id": "a",
        "parts": [{"name": name, "count": count, "wanted": wanted, "since": since, "options": options}],
    }
    (part,) = read_yaml(yaml.safe_dump(shape, allow_unicode=True), "f", Whole).value.parts
    composed = {
        unicodedata.normalize("NFC", key): unicodedata.normalize("NFC", value)
        if isinstance(value, str)
        else value
        for key, value in options.items()
    }
    assert part == Part(unicodedata.normalize("NFC", name), count, wanted, since, None, composed)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id: a\nparts:\n\t- name: x\n", "A tab is here"),
        ("id: @home\n", "has to stand in quotes"),
        ("id: a: b\n", "has to stand in quotes"),
        ('id: "a\n', "not closed"),
        ("id: a\nparts: [x\n", "not closed"),
        ("id: [\n", "A value is missing here"),
        ("id: a\nparts:\n  - name: x\n count: 1\n", "indented"),
        ("id: *b\n", "references (*name) are not used here"),
        ('id: "\\q"\n', "After \\"),
        ("id: a\x07\n", "control character"),
        ("id: a\n---\nid: b\n", "second document"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_the_words_are_the_same_where_yaml_is_read_without_its_library_in_c(
    monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    import yaml

    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert said in only(text)[2]

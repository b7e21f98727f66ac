"""Editing text by keys: always composed, the cursor always between whole letters."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from fieldkit.tui.widgets import text_edit
from fieldkit.tui.widgets.text_edit import KEYS, EditedText, typed

letters = st.text(alphabet="aeioudăâêôơưđ ệữ\u0323\u0302\u0300\u0309\n", max_size=6)
steps = st.lists(st.one_of(letters, st.sampled_from(sorted(KEYS))), max_size=30)


def after(made: list[str], *, lines: bool = False) -> EditedText:
    edited = EditedText()
    for step in made:
        edited = KEYS[step](edited) if step in KEYS else typed(edited, step, lines=lines)
    return edited


@given(steps, st.booleans())
def test_whatever_is_done_the_text_is_composed_and_the_cursor_in_it(made: list[str], lines: bool) -> None:
    edited = after(made, lines=lines)
    assert unicodedata.is_normalized("NFC", edited.text)
    assert 0 <= edited.at <= len(edited.text)
    starts_a_line = edited.at == 0 or edited.text[edited.at - 1] == "\n"  # a mark there has no letter
    assert not edited.after or not text_edit.is_mark(edited.after[0]) or starts_a_line


@given(steps)
def test_a_single_line_stays_one(made: list[str]) -> None:
    assert "\n" not in after(made).text


@given(st.text(alphabet="aệữđ ốx", max_size=20))
def test_typing_decomposed_and_composed_gives_the_same(text: str) -> None:
    apart = unicodedata.normalize("NFD", text)
    assert after(list(apart)) == after(list(text))


@given(st.text(alphabet="aệữđ ốx", max_size=20))
def test_as_many_backspaces_as_letters_empty_it(text: str) -> None:
    assert after([*text, *["backspace"] * len(text)]) == EditedText()


def test_words_and_lines() -> None:
    begun = typed(EditedText(), "một hai\nba bốn", lines=True)
    assert text_edit.erase_word(begun).text == "một hai\nba "
    assert text_edit.erase_to_start(begun).text == "một hai\n"
    assert text_edit.line_start(begun).at == len("một hai\n")
    assert text_edit.erase_to_end(text_edit.line_start(begun)).text == "một hai\n"
    assert text_edit.word_right(EditedText(begun.text, 0)).at == len("một")


def test_control_characters_are_not_kept() -> None:
    assert typed(EditedText(), "a\x1b[31mb\x07\tc").text == "a[31mb c"

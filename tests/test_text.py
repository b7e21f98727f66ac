"""A message is data until it is shown, and what it was given is said in the reader's language too."""

from __future__ import annotations

import errno
import os
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldkit import errors, reasons
from fieldkit.operator import localized
from fieldkit.text import UNSEEN, M, Words, nfc, visible


def test_the_systems_answer_is_said_in_the_readers_language() -> None:
    answer = errors.from_system(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/stick")).message
    assert answer.render("en") == "The system said no: No space left on device (/stick)."
    assert "hết dung lượng ổ đĩa" in answer.render("vi")


@pytest.mark.parametrize(
    "number",
    [
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.ENOENT,
        errno.EIO,
        errno.EBUSY,
    ],
)
def test_the_answers_people_meet_are_known_as_this_system_words_them(number: int) -> None:
    assert os.strerror(number) in {message.text for message in reasons.MET}


def test_what_only_looks_like_such_an_answer_stays_as_it_is() -> None:
    assert M("{name} is there.", name="Permission denied").render("vi").startswith("Permission denied")


def test_a_mark_that_is_missing_or_too_many_shows_the_sentence_and_no_traceback() -> None:
    assert M("{one} and {two}", one="1").render("en") == "{one} and {two}"
    assert M("plain", more="x").render("en") == "plain"


def test_text_is_composed() -> None:
    assert nfc("Nguye\u0302\u0303n") == "Nguyễn"


FORGED = "x\nĐồng ý? \x1b[2J\x9b31m\u202eabc\u200b\udcff\U000e0041"


def test_what_a_message_is_given_stands_in_one_line_and_steers_nothing() -> None:
    shown = r"x\nĐồng ý? \x1b[2J\x9b31m\u202eabc\u200b\udcff\U000e0041"
    assert M("{label} is there.", label=FORGED).render("vi").startswith(shown)
    assert M("{what}!", what=M("Label {label}", label=FORGED)).render("en") == f"Label {shown}!"
    assert M("{reason}", reason="\x1b[2J").render("vi") == r"\x1b[2J"
    assert localized(FORGED) == shown
    assert visible(shown) == shown


def test_a_pattern_of_our_own_may_have_lines_and_steers_nothing() -> None:
    assert M("one\ntwo {x}", x="y").render("en") == "one\ntwo y"
    assert M("one\x1b[2J").render("en") == r"one\x1b[2J"
    assert Words("một\nhai", "one\ntwo\u202e").render("en") == "one\ntwo\\u202e"


def test_a_pattern_from_elsewhere_reads_nothing_of_the_program_and_takes_no_room() -> None:
    for pattern in ("{x.__class__}", "{x[0]}", "{x:>999999999}", "{x!r}", "{}", "{", "}"):
        assert M(pattern, x="y").render("en") == pattern
    assert M("${{name}} {x}", x="y").render("en") == "${name} y"


def test_every_character_that_does_not_show_or_steers_what_shows_is_written_out() -> None:
    for number in range(sys.maxunicode + 1):
        character = chr(number)
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or (
            # of format characters Arabic, Syriac, Kaithi and Egyptian ones are drawn
            unicodedata.category(character) == "Cf" and not drawn(number)
        ):
            assert UNSEEN.match(character), hex(number)
    for character in "aệ đ…✓→字\u00a0\u0323\u0300-\\\"'":
        assert visible(character) == character


def drawn(number: int) -> bool:
    return (
        (0x600 <= number <= 0x8E2 and number != 0x61C)
        or number in (0x110BD, 0x110CD)
        or 0x13430 <= number <= 0x1343F
    )


@given(st.text())
def test_what_is_shown_has_nothing_left_to_write_out(text: str) -> None:
    assert not UNSEEN.search(visible(text))
    assert not UNSEEN.search(visible(text, keep="\n").replace("\n", ""))

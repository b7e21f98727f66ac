"""A message is data until it is shown, and what it was given is said in the reader's language too."""

from __future__ import annotations

import errno
import os

import pytest

from fieldkit import errors, reasons
from fieldkit.text import M, nfc


def test_the_systems_answer_is_said_in_the_readers_language() -> None:
    said = errors.from_system(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/stick")).message
    assert said.render("en") == "The system said no: No space left on device (/stick)."
    assert "hết dung lượng ổ đĩa" in said.render("vi")


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

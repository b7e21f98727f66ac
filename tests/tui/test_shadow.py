"""The memory of the screen: what the driver sends shows what everything would have, in fewer bytes."""

from __future__ import annotations

import re

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldkit.text import UNSEEN
from fieldkit.tui.terminal.shadow import BEGIN_SYNC, END_SYNC, Shadow
from fieldkit.tui.terminal.wrap import cut, wrap

COLUMNS, ROWS = 24, 6
STYLES = ["", "1", "7", "38;5;12", "1;48;5;3", "32;44"]

words = st.text(alphabet="ab ệữ…✓xy", min_size=1, max_size=12)
painted = st.tuples(st.integers(1, ROWS), st.integers(1, COLUMNS), st.sampled_from(STYLES), words)
frames = st.lists(st.lists(painted, min_size=1, max_size=8), min_size=1, max_size=6)


def drawn(frame: list[tuple[int, int, str, str]]) -> str:
    """A frame as Textual writes one: cursor address, style, text that ends within the line."""
    out = []
    for row, column, style, text in frame:
        fitting = text[: COLUMNS - column + 1]
        begin, end = (f"\x1b[{style}m", "\x1b[0m") if style else ("", "")
        out.append(f"\x1b[{row};{column}H{begin}{fitting}{end}")
    return "".join(out) + "\x1b[1;1H"


class Shown:
    """A terminal, and all it was sent."""

    def __init__(self) -> None:
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self.stream = pyte.Stream(self.screen)
        self.stream.feed("\x1b[?7l")

    def feed(self, data: str) -> None:
        self.stream.feed(data)

    def cells(self) -> list[list[object]]:
        buffer = self.screen.buffer
        return [[self._cell(buffer[y], x) for x in range(COLUMNS)] for y in range(ROWS)]

    @staticmethod
    def _cell(line: object, x: int) -> object:
        cell = line[x]  # type: ignore[index]
        return cell.data, cell.fg, cell.bg, cell.bold, cell.reverse


@given(frames)
@settings(max_examples=150, deadline=None)
def test_the_difference_shows_the_same_screen(made: list[list[tuple[int, int, str, str]]]) -> None:
    plain, shadowed, shadow = Shown(), Shown(), Shadow()
    for frame in made:
        plain.feed(drawn(frame))
        shadowed.feed(shadow.write(drawn(frame)))
        assert shadowed.cells() == plain.cells()
        assert (shadowed.screen.cursor.x, shadowed.screen.cursor.y) == (0, 0)


def test_wide_letters_are_replaced_whole() -> None:
    shadow, shown = Shadow(), Shown()
    shown.feed(shadow.write("\x1b[1;1Ha漢字b\x1b[1;1H"))
    shown.feed(shadow.write("\x1b[1;1Haxy字b\x1b[1;1H"))
    assert shown.screen.display[0].rstrip() == "axy字b"


def test_the_same_frame_again_sends_nothing_not_even_its_brackets() -> None:
    shadow = Shadow()
    frame = "\x1b[1;1Hvisits\x1b[2;1H\x1b[7m done \x1b[0m\x1b[3;1H"
    for part in (BEGIN_SYNC, frame, END_SYNC):
        shadow.write(part)
    assert "".join(shadow.write(part) for part in (BEGIN_SYNC, frame, END_SYNC)) == ""


def test_one_changed_letter_costs_a_few_bytes() -> None:
    shadow = Shadow()
    shadow.write("\x1b[1;1H" + "a" * 80 + "\x1b[1;1H")
    sent = shadow.write("\x1b[1;1H" + "a" * 40 + "b" + "a" * 39 + "\x1b[1;1H")
    assert sent == "\x1b[1;41Hb\x1b[1;1H"


def test_after_forgetting_everything_is_sent_again() -> None:
    shadow = Shadow()
    shadow.write("\x1b[1;1Habc")
    shadow.forget()
    assert "abc" in shadow.write("\x1b[1;1Habc")


def test_another_screen_buffer_makes_it_forget() -> None:
    shadow = Shadow()
    shadow.write("\x1b[1;1Habc")
    assert shadow.write("\x1b[?1049h") == "\x1b[?1049h"
    assert "abc" in shadow.write("\x1b[1;1Habc")


@given(st.text(max_size=60))
def test_no_text_makes_it_raise(data: str) -> None:
    Shadow().write(data)


@given(st.text(st.sampled_from("ab\x1b[]()2J5;c?hHm\x07\x9b\x90\u202e\u200b\x00\x08\n")))
def test_a_text_that_reached_the_screen_as_it_was_could_not_command_the_terminal(data: str) -> None:
    sent = Shadow().write(f"\x1b[1;1H{data}")
    for command in re.findall(r"\x1b(?:\[[^@-~]*[@-~]?|.)", sent.replace("\x07", "")):
        assert re.fullmatch(r"\x1b\[(?:[\d;:]*[HGm]|\?[\d;]+(?:\$p|[hl])|[<>=?]?\d*u|\d*J)|\x1bc", command)
    assert not re.search("[\x00\x08\x90\x9b\u202e\u200b]", sent)


def test_neither_the_clipboard_nor_the_title_is_anybodys_to_set() -> None:
    for sequence in (
        "\x1b]52;c;eA==\x07",
        "\x1b]0;title\x1b\\",
        "\x1bP+q544e\x1b\\",
        "\x1b[21t",
        "\x1b[5n",
        "\x1b#8",
    ):
        assert Shadow().write(sequence) == ""


@given(st.text(), st.integers(1, 40))
def test_what_the_screens_draw_has_nothing_in_it_that_does_not_show(text: str, width: int) -> None:
    assert not UNSEEN.search(cut(text, width))
    assert not UNSEEN.search("".join(wrap(text, width)))

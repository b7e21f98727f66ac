"""The stamp on its page: seen before signing, moved by keys, its place given back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fieldkit.profile.rules import RuleSet
from fieldkit.signature.batch import StampSpec
from fieldkit.signature.preview import StampDraft, draft
from fieldkit.stamp.place import Place
from fieldkit.tui.screens.stamp import PagePicture, StampScreen
from fieldkit.yaml_model import load
from tests import papers
from tests.conftest import REPOSITORY
from tests.tui.conftest import Person, Play


@pytest.fixture
def stamp() -> StampSpec:
    rules = load(REPOSITORY / "profiles" / "rules" / "nd30-2020.yaml", RuleSet)
    assert isinstance(rules, RuleSet)
    rule = rules.stamp("person")
    assert rule is not None
    return StampSpec(rule, name=papers.NAME, title=papers.TITLE)


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    """A letter of two pages, signed on the last."""
    import typst

    path = tmp_path / "letter.pdf"
    made = typst.compile(
        f'#set page(paper: "a4")\nNội dung\n#pagebreak()\n{papers.TITLE}\n#v(30mm)\n{papers.NAME}'.encode()
    )
    path.write_bytes(made)
    return path


Keys = Callable[[Person, StampScreen], Awaitable[None]]


def placed(play: Play, paper: Path, stamp: StampSpec, keys: Keys) -> tuple[StampDraft, Place | None]:
    """Where the stamp was at first, and what the screen gave when `keys` had been pressed."""
    first = draft(paper, stamp)
    places: list[Place | None] = []

    async def story(person: Person) -> None:
        await person.see("There is no visit yet.")
        screen = StampScreen(paper, stamp, first)
        person.app.push_screen(screen, places.append)
        await person.see("Place the stamp on letter.pdf", "▀▀▀")
        await keys(person, screen)
        for _ in range(200):
            if places:
                break
            await asyncio.sleep(0.02)
            await person.pilot.pause()

    play(story)
    (place,) = places
    return first, place


def test_the_page_is_shown_with_the_stamp_and_enter_agrees_to_its_place(
    play: Play, paper: Path, stamp: StampSpec
) -> None:
    colours: set[tuple[int, int, int]] = set()

    async def agree(person: Person, screen: StampScreen) -> None:
        await person.see("Page 2 of 2", "40 × 20 mm")
        for line in range(screen.query_one(PagePicture).size.height):
            for segment in screen.query_one(PagePicture).render_line(line):
                if segment.style is not None and segment.style.color is not None:
                    colours.add(tuple(segment.style.color.get_truecolor()))
        await person.press("enter")

    first, place = placed(play, paper, stamp, agree)

    assert place == first.place
    assert any(blue > red + 40 for red, _, blue in colours), "the signature is blue"


def test_arrows_move_by_a_millimetre_and_with_shift_by_ten_and_the_line_says_where(
    play: Play, paper: Path, stamp: StampSpec
) -> None:
    async def move(person: Person, screen: StampScreen) -> None:
        left, top, _, _ = screen.draft.box
        await person.press("shift+right", "right", "down", "down")
        moved = screen.draft.box
        assert moved[0] - left == pytest.approx(11 * 72 / 25.4, abs=2)
        assert moved[1] - top == pytest.approx(2 * 72 / 25.4, abs=2)
        await person.see(str(screen.draft.words()))
        await person.press("home")
        assert screen.draft.place == screen.draft.start
        await person.press("shift+up", "enter")

    first, place = placed(play, paper, stamp, move)

    assert place is not None
    assert place.box[1] - first.place.box[1] == pytest.approx(28, abs=2)


def test_pages_are_turned_the_stamp_grows_and_is_looked_at_from_near(
    play: Play, paper: Path, stamp: StampSpec
) -> None:
    async def turn(person: Person, screen: StampScreen) -> None:
        before = screen.query_one(PagePicture).render_line(3)
        await person.press("pageup", "plus", "z")
        await person.see("Page 1 of 2", "44 × 22 mm")
        for _ in range(200):
            if screen.query_one(PagePicture).render_line(3) != before:
                break
            await asyncio.sleep(0.02)
        assert screen.query_one(PagePicture).render_line(3) != before
        await person.press("pageup", "minus", "enter")

    first, place = placed(play, paper, stamp, turn)

    assert (first.place.page, place.page if place else None) == (1, 0)


def test_esc_gives_no_place(play: Play, paper: Path, stamp: StampSpec) -> None:
    async def leave(person: Person, screen: StampScreen) -> None:
        await person.press("right", "escape")

    _, place = placed(play, paper, stamp, leave)
    assert place is None


def test_the_page_is_drawn_where_no_other_program_is_here(
    play: Play, paper: Path, stamp: StampSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = draft(paper, stamp)
    places: list[Place | None] = []
    monkeypatch.setenv("PATH", str(tmp_path))

    async def story(person: Person) -> None:
        await person.see("There is no visit yet.")
        screen = StampScreen(paper, stamp, first)
        person.app.push_screen(screen, places.append)
        await person.see("Place the stamp on letter.pdf")
        picture = screen.query_one(PagePicture)
        for _ in range(200):
            if any("▀" in picture.render_line(line).text for line in range(picture.size.height)):
                break
            await asyncio.sleep(0.05)
        assert any("▀" in picture.render_line(line).text for line in range(picture.size.height))
        await person.press("right")
        await person.press("enter")
        await person.pilot.pause()

    play(story)

    assert places
    assert places[0] == first.nudge(1, 0).place

"""Home: what there is, what to do next, starting a visit; and what is said when the store cannot be had."""

from __future__ import annotations

from pathlib import Path

from fieldkit.home import Home
from fieldkit.journal.entry import Draft
from fieldkit.journal.store import Store
from fieldkit.settings import load
from fieldkit.visit.visits import Visits
from tests.tui.conftest import Person, Play


def test_an_empty_store_says_what_to_do(play: Play) -> None:
    async def story(person: Person) -> None:
        await person.see("There is no visit yet.", "Press N", "The store is empty.")

    play(story)


def test_a_visit_is_started_by_choosing_bureau_and_checklist(play: Play) -> None:
    async def story(person: Person) -> None:
        await person.see("There is no visit yet.")
        await person.press("n")
        await person.see("which bureau?", "MAU-01")
        await person.press("enter")
        await person.see("which checklist?", "Every kind of item")
        await person.type("every")
        await person.press("enter")
        await person.see("Read this first", "0/5  open")
        await person.press("escape")
        await person.see("1 visit(s) in this store.", "0/5", "Next: Is somebody there?")

    play(story)


def test_breaking_off_a_choice_starts_nothing(play: Play) -> None:
    async def story(person: Person) -> None:
        await person.see("There is no visit yet.")
        await person.press("n")
        await person.see("which bureau?")
        await person.press("escape")
        await person.see("There is no visit yet.")

    play(story)


def test_the_language_changes_everything_at_once_and_back(play: Play, visit: str) -> None:
    async def story(person: Person) -> None:
        await person.see("Next: Is somebody there?", "Every kind of item", "Enter Open")
        await person.press("f2")
        await person.see("Mọi loại mục")
        await person.gone("Every kind of item")
        await person.press("f2")
        await person.see("Every kind of item")

    play(story)


def test_a_home_that_cannot_be_used_says_so_and_can_be_tried_again(play: Play, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the home should be")

    async def story(person: Person) -> None:
        await person.see("What happened", "What was not changed", "What to do next")
        await person.press("enter")
        await person.see("F5 reads the store again")
        blocked.unlink()
        await person.press("f5")
        await person.see("Your full name, as it stands in records")
        await person.press("escape")
        await person.see("There is no visit yet.")

    play(story, at=Home(blocked))


def test_a_small_terminal_is_told_the_size_that_is_needed(play: Play) -> None:
    async def story(person: Person) -> None:
        await person.see("60×20", "80×24")
        await person.pilot.resize_terminal(80, 24)
        await person.see("There is no visit yet.")

    play(story, size=(60, 20))


def test_a_larger_terminal_is_used(play: Play, visit: str) -> None:
    async def story(person: Person) -> None:
        shown = await person.see("Next: Is somebody there?")
        assert len(shown.splitlines()) == 50

    play(story, size=(160, 50))


def test_a_visit_that_cannot_be_read_is_shown_with_what_is_wrong_and_harms_no_other(
    play: Play, home: Home, visit: str
) -> None:
    with Store.open(home.store) as store:
        odd = Visits(store, home).start("MAU-02", "everything").id
        store.append(Draft(kind="evidence", visit=odd, item="look", value=7))

    async def story(person: Person) -> None:
        await person.see("1 visit(s) in this store; 1 cannot be read.", "Next: Is somebody there?")
        await person.press("down")
        await person.see(f"The visit {odd} cannot be read", "send it to head office")
        await person.press("enter")
        await person.see("The visit cannot be opened")
        await person.press("escape", "up", "enter")
        await person.see("▕ Is somebody there?")

    play(story)


def test_at_the_first_start_the_name_is_asked_once_and_kept(play: Play, home: Home) -> None:
    home.settings.unlink()

    async def first(person: Person) -> None:
        await person.see("Your full name, as it stands in records")
        await person.type("Mai Lan")
        await person.press("enter")
        await person.see("There is no visit yet.")
        await person.press("f8")
        await person.see("Kept: Mai Lan.")

    async def second(person: Person) -> None:
        assert "Your full name" not in await person.see("There is no visit yet.")

    play(first)
    assert load(home).who == "Mai Lan"
    play(second)

"""A visit on the screen: every kind of item answered by keys, nothing typed is lost, procedures run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fieldkit.home import Home
from fieldkit.journal.entry import Draft
from fieldkit.journal.store import Store
from fieldkit.visit.model import Visit
from fieldkit.visit.visits import Visits
from tests.tui.conftest import Person, Play


def stored(home: Home, visit: str) -> Visit:
    """The visit as another program reads it from the disk."""
    with Store.open(home.store) as store:
        return Visits(store, home).load(visit)


async def go(person: Person, label: str) -> None:
    """Move the cursor of the list to the item with that label, as the right side shows it."""
    await person.press("home")
    for _ in range(20):
        shown = await person.see("Esc Back")
        if f"▕ {label}" in shown.splitlines()[1]:
            return
        await person.press("down")
    raise AssertionError(f"no {label}:\n{shown}")


def test_every_kind_of_item_is_answered_by_keys_alone(
    play: Play, home: Home, visit: str, tmp_path: Path
) -> None:
    photo = tmp_path / "ảnh chụp.jpg"
    photo.write_bytes(b"\xff\xd8picture")

    async def story(person: Person) -> None:
        await person.see("▕ Is somebody there?", "0/5")
        await person.press("enter", "enter")  # nobody vouches for anything by Enter alone
        await person.see("Nothing is chosen yet")
        await person.press("down", "enter")  # yes is the first line
        await person.see("Saved: Is somebody there?", "Type the answer")
        await person.type("Nguyễn Thị Mẫu")
        await person.press("enter")
        await person.see("Saved: Name", "▕ Remarks")
        await person.type("một")
        await person.press("ctrl+j")
        await person.type("hai")
        await person.press("enter")
        await person.see("Saved: Remarks", "By hand")
        await person.press("down", "enter")
        await person.see("Saved: Delivery", "Space ticks")
        await person.press("space", "end", "space", "enter")
        await person.see("Saved: Parts", "A number")
        await person.type("0")
        await person.press("enter")
        await person.see("It has to be more than 0.", "Not saved.")
        await person.press("backspace")
        await person.type("12")
        await person.press("enter")
        await person.see("Saved: How many people", "A date")
        await person.type("3/9/2026")
        await person.press("enter")
        await person.see("Saved: Day", "The path of a file")
        await person.paste(str(tmp_path / "ảnh"))
        await person.press("tab", "enter")
        await person.see("Saved: Photo", "5/5  ready")

    play(story, visit=visit)
    finished = stored(home, visit)
    assert finished.state == "ready"
    answers: dict[str, Any] = dict(finished.answers)
    assert answers.pop("photo")["name"] == "ảnh chụp.jpg"
    assert answers == {
        "present": "yes",
        "name": "Nguyễn Thị Mẫu",
        "remarks": "một\nhai",
        "delivery": "hand",
        "parts": ["box", "guide"],
        "count": "12",
        "day": "2026-09-03",
    }


def test_keys_typed_ahead_of_the_screen_are_kept_and_land_in_their_order(
    play: Play, home: Home, visit: str
) -> None:
    async def story(person: Person) -> None:
        for key in ("enter", "down", "enter", *"Mai", "enter"):  # sent before anything is on the screen
            person.app.post_message(_key(key))
        await person.see("Saved: Name")

    play(story, visit=visit)
    assert stored(home, visit).answers == {"present": "yes", "name": "Mai"}


def test_what_is_half_typed_survives_esc_and_leaving_and_another_run(
    play: Play, home: Home, visit: str
) -> None:
    async def first(person: Person) -> None:
        await person.see("▕ Is somebody there?")
        await go(person, "Name")
        await person.press("enter")
        await person.type("Nguyễn Th")
        await person.press("escape")
        await person.see("draft, not saved", "Esc Back")
        await person.press("escape")
        await person.see("1 visit(s) in this store.")
        await person.press("enter")
        await person.see("▕ Name", "Nguyễn Th", "draft")

    async def second(person: Person) -> None:
        await person.see("▕ Name", "Nguyễn Th", "draft, not saved")
        await person.press("enter")
        await person.type("ị Mẫu")
        await person.press("enter")
        await person.see("Saved: Name")

    play(first, visit=visit)
    assert "name" not in stored(home, visit).answers
    with Store.open(home.store) as store:  # what is sent to head office has it in it
        assert not [line for line in store.lines(1, store.head().seq) if '"Nguyễn Th"'.encode() in line]
    play(second, visit=visit)
    assert stored(home, visit).answers["name"] == "Nguyễn Thị Mẫu"
    play(lambda person: person.see("▕ Name", "Saved: Nguyễn Thị Mẫu"), visit=visit)


def test_drafts_that_cannot_be_read_are_said_and_kept(play: Play, home: Home, visit: str) -> None:
    folder = home.visit(visit)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "drafts.json").write_bytes(b'{"name": "Nguy')
    play(lambda person: person.see("What was typed and not saved yet cannot be read"), visit=visit)
    (kept,) = folder.glob("drafts-*.damaged")
    assert kept.read_bytes() == b'{"name": "Nguy'


def test_what_is_typed_into_a_store_that_can_only_be_read_is_said_not_to_be_kept(
    play: Play, home: Home, visit: str
) -> None:
    async def story(person: Person) -> None:
        await person.see("▕ Is somebody there?")
        await go(person, "Name")
        await person.press("enter")
        await person.type("Nguyễn Th")
        await person.press("escape")
        await person.see("could not be kept", "Another fieldkit has this store open")
        await person.press("escape")
        await person.see("draft, not saved", "Esc Back")
        await person.press("escape")
        await person.see("fieldkit: visits", "read only")

    with Store.open(home.store):
        play(story, visit=visit)
    assert not (home.visit(visit) / "drafts.json").exists()


def test_what_applies_changes_with_the_answers(play: Play, visit: str) -> None:
    async def story(person: Person) -> None:
        await person.see("▕ Is somebody there?")
        assert "Why not?" not in await person.see("Photo")
        await person.press("enter", "down", "down", "enter")
        await person.see("Saved: Is somebody there?", "Why not?")

    play(story, visit=visit)


def test_an_answer_is_taken_back(play: Play, home: Home, visit: str) -> None:
    async def story(person: Person) -> None:
        await person.see("▕ Is somebody there?")
        await person.press("enter", "down", "enter")
        await person.see("Saved: Is somebody there?")
        await person.press("escape", "up", "f7")
        await person.see("The answer was taken back.")

    play(story, visit=visit)
    assert "present" not in stored(home, visit).answers


def test_a_procedure_runs_and_leaves_its_evidence(play: Play, home: Home, visit: str) -> None:
    async def story(person: Person) -> None:
        await person.see("▕ Is somebody there?")
        await go(person, "Look at the machine")
        await person.press("enter")
        await person.see("Look at the machine: passed.", "✓ done", seconds=30)

    play(story, visit=visit)
    assert stored(home, visit).evidence["look"].findings


def test_the_language_changes_in_the_middle_of_typing_and_nothing_typed_is_lost(
    play: Play, visit: str
) -> None:
    async def story(person: Person) -> None:
        await person.see("▕ Is somebody there?")
        await go(person, "Name")
        await person.press("enter")
        await person.type("Đặng")
        await person.press("f2")
        await person.see("▕ Họ tên", "Đặng")

    play(story, visit=visit)


def test_what_was_just_done_is_said_wholly_in_the_language_that_is_switched_to(
    play: Play, visit: str
) -> None:
    async def story(person: Person) -> None:
        await person.see("▕ Is somebody there?")
        await person.press("enter", "down", "enter")
        await person.see("Saved: Is somebody there?")
        await person.press("f2")
        await person.see("Đã lưu: Có mặt?")
        await person.press("f2", "escape")
        await go(person, "Look at the machine")
        await person.press("enter")
        await person.see("Look at the machine: passed.", seconds=30)
        await person.press("f2")
        await person.see("Kiểm tra máy: đạt.")

    play(story, visit=visit)


def test_an_unknown_visit_is_an_error_with_words_and_esc_gets_out(play: Play, visit: str) -> None:
    async def story(person: Person) -> None:
        await person.see("There is no visit NOWHERE", "What to do next")
        await person.press("escape", "escape")
        await person.see("1 visit(s) in this store.")

    play(story, visit="NOWHERE")


def _key(name: str) -> Any:
    from textual import events

    return events.Key(name, name if len(name) == 1 else None)


def test_what_the_officer_reads_before_signing_off_has_the_notes(play: Play, home: Home, visit: str) -> None:
    with Store.open(home.store) as store:
        visits = Visits(store, home)
        for item, value in {"present": "yes", "name": "Mai", "delivery": "post", "count": "3"}.items():
            visits.answer(visit, item, value)
        visits.answer(visit, "day", "3/9/2026")

    async def story(person: Person) -> None:
        await person.see("ready")
        await person.press("f6")
        await person.see("A note to this visit")
        await person.type("printer broken")
        await person.press("enter")
        await person.see("The note was saved.")
        await person.press("f9")
        await person.see("Close the form and make its record", "no token signs it")
        await person.press("pagedown", "pagedown", "pagedown")
        await person.see("Notes, which go into the record:", "printer broken")

    play(story, visit=visit)


def test_a_form_that_hands_nothing_over_is_finished_on_the_screen_without_a_token(
    play: Play, home: Home, visit: str
) -> None:
    with Store.open(home.store) as store:
        visits = Visits(store, home)
        answers = {"present": "yes", "name": "Mai", "delivery": "post", "count": "3", "day": "3/9/2026"}
        for item, value in answers.items():
            visits.answer(visit, item, value)

    async def story(person: Person) -> None:
        await person.see("ready")
        await person.press("f9")
        await person.see("complete, to be closed", "Close the form and make its record")
        await person.press("enter")
        plan = await person.see("Close the form", "It hands nothing over", "Yes, do it")
        assert "officer" not in plan
        await person.press("down", "enter")
        await person.see("The record was made, unsigned", "finished, record made")

    play(story, visit=visit)
    with Store.open(home.store) as store:
        signoff = Visits(store, home).load(visit).signoff
    assert signoff is not None
    assert (signoff.officer, signoff.by, signoff.login) == ("", "Trần Kỹ Thuật", False)


def test_what_a_broken_off_run_did_to_a_token_stands_at_its_step(play: Play, home: Home, visit: str) -> None:
    with Store.open(home.store) as store:
        value = {"code": "token-changed", "message": {"text": "The PIN was changed."}}
        store.append(Draft(kind="attempt", visit=visit, item="look", value=value))

    async def story(person: Person) -> None:
        await person.see("▕ Is somebody there?")
        await go(person, "Look at the machine")
        await person.see("! ", "The PIN was changed.")

    play(story, visit=visit)

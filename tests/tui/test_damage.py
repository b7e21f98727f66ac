"""A damaged store and a full disk on the screens: said where it is seen, with what was typed still there."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fieldkit import settings
from fieldkit.access import make_private_folder
from fieldkit.home import Home
from fieldkit.settings import Settings
from tests.faults.test_full_disk import answer_until_refused, fill, run
from tests.journal.conftest import flip, segment
from tests.tui.conftest import CHECKLIST, Person, Play


def lose_the_start(store: Path) -> str:
    flip(segment(store), 60)
    return "Entry 1 of the journal"


def empty_the_journal(store: Path) -> str:
    segment(store).write_bytes(b"")
    return "Entry 1 of the journal"


def lose_the_key(store: Path) -> str:
    (store / "device.key").unlink()
    return "The device key of the store is missing"


@pytest.mark.parametrize("damage", [lose_the_start, empty_the_journal, lose_the_key])
def test_damage_stands_above_the_visits_in_both_languages_and_nobody_is_told_to_begin_anew(
    play: Play, home: Home, visit: str, damage: Callable[[Path], str]
) -> None:
    reason = damage(home.store)

    async def story(person: Person) -> None:
        shown = await person.see("The store is damaged.", reason, "fieldkit store export")
        assert "There is no visit yet." not in shown
        await person.press("f2")
        await person.see("Kho dữ liệu bị hỏng.", "fieldkit store export")
        await person.press("f5")
        await person.see("Kho dữ liệu bị hỏng.")

    play(story)


class TestFullDisk:
    """On a home of three megabytes without room."""

    @pytest.fixture
    def home(self, tmp_path: Path) -> Iterator[Home]:
        made = Home(tmp_path / "home")
        made.path.mkdir(mode=0o700)
        run("mount", "-t", "tmpfs", "-o", "size=3M,mode=700", "tmpfs", made.path)
        make_private_folder(made.checklists)
        (made.checklists / "everything.yaml").write_text(CHECKLIST, encoding="utf-8")
        settings.save(made, Settings(who="Trần Kỹ Thuật"))
        yield made
        subprocess.run(["umount", "-l", made.path], check=True)

    def test_a_note_that_is_not_saved_is_not_called_saved_and_what_was_typed_is_still_there(
        self, play: Play, home: Home, visit: str
    ) -> None:
        async def story(person: Person) -> None:
            desk = person.app.desk
            await person.see("0/5")
            await person.press("enter")
            await person.see("Read this first")
            ballast = fill(home.path)

            for size in (900, 0):
                await desk.call(lambda size=size: answer_until_refused(desk.visits.store, size))
            await person.press("f6")
            await person.see("A note to this visit")
            await person.type("seen")
            await person.press("enter")
            await person.see("the disk is full")
            await person.press("enter")
            assert "The note was saved" not in await person.see("Not saved. What was typed is kept")
            ballast.unlink()
            await person.press("f6")
            await person.see("A note to this visit", "seen")
            await person.press("enter")
            await person.see("The note was saved.")
            assert (await desk.call(lambda: desk.visits.load(visit))).notes == ("seen",)

        play(story)

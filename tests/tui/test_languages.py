"""A third language is a row of one table and a catalog; a text it lacks is read in another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from fieldkit import i18n
from fieldkit.home import Home
from fieldkit.text import M, Words
from tests.conftest import clean_environment
from tests.tui.conftest import Person, Play

GERMAN = i18n.Language("Deutsch", "German", fallback="en", day_first=True)
TEXTS = {"Open": "Öffnen", "Screens: {theme}, {colours}": "Anzeige: {theme}, {colours}"}


@pytest.fixture
def catalogs(tmp_path: Path) -> Path:
    """The catalogs of a fieldkit that speaks some German."""
    folder = tmp_path / "catalogs"
    folder.mkdir()
    (folder / "vi").symlink_to(i18n.CATALOGS / "vi")
    catalog = Catalog(locale="de")
    for text, translation in TEXTS.items():
        catalog.add(text, translation)
    place = folder / "de" / "LC_MESSAGES"
    place.mkdir(parents=True)
    with (place / "fieldkit.mo").open("wb") as file:
        write_mo(file, catalog)
    return folder


@pytest.fixture
def german(catalogs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(i18n.LANGUAGES, "de", GERMAN)
    monkeypatch.setattr(i18n, "CATALOGS", catalogs)


@pytest.mark.usefixtures("german")
def test_the_screens_go_on_to_it_and_forms_are_read_in_its_fallback(play: Play, visit: str) -> None:
    async def story(person: Person) -> None:
        await person.see("Enter Open", "Every kind of item")
        await person.press("f2")
        await person.see("Enter Öffnen", "Every kind of item")
        await person.press("f2")
        await person.see("Mọi loại mục")
        await person.press("f2")
        await person.see("Enter Open", "Every kind of item")

    play(story)


@pytest.mark.usefixtures("german")
def test_what_it_does_not_say_is_said_in_its_fallback_and_days_in_its_order() -> None:
    assert M("Until {day}.", day="2026-11-24").render("de") == "Until 24/11/2026."
    assert Words("một", "one").render("de") == "one"
    assert M("Open").render("de") == "Öffnen"


@pytest.mark.usefixtures("german")
def test_it_may_fall_back_on_a_language_that_is_not_that_of_the_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(i18n.LANGUAGES, "de", GERMAN._replace(fallback="vi"))
    assert M("Help").render("de") == M("Help").render("vi") != "Help"
    assert Words("một", "one").render("de") == "một"


def test_commands_take_it_and_the_setting_is_kept(catalogs: Path, home: Home) -> None:
    program = (
        "import sys; from pathlib import Path; from fieldkit import i18n;"
        f"i18n.LANGUAGES['de'] = i18n.{GERMAN!r}; i18n.CATALOGS = Path({str(catalogs)!r});"
        "from fieldkit.__main__ import main; sys.exit(main())"
    )

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            capture_output=True,
            text=True,
            env=clean_environment(home) | {"FIELDKIT_LANG": ""},
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "Anzeige: " in run("setup", "--language", "de")
    assert "Anzeige: " in run("setup")
    assert "Screens: " in run("--lang", "en", "setup")
    assert "Màn hình: " in run("--lang", "vi", "setup")

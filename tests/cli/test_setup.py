"""Who works is asked once and kept; where nobody said, the record says that it has a login name only."""

from __future__ import annotations

import asyncio
import getpass
import json
from pathlib import Path

import pytest

from fieldkit.home import Home
from fieldkit.journal.store import Store
from fieldkit.record.handover import hand_over
from fieldkit.settings import PersonNameUnfit, Settings, SettingsUnreadable, full_name, load, save
from fieldkit.visit.visits import Visits
from tests.conftest import Run
from tests.record.conftest import People
from tests.record.test_form import surveyed


def giver(record: Path) -> str:
    return str(json.loads(record.read_bytes())["giver"]["person"])


def test_what_is_set_once_is_who_begins_and_who_finishes(fieldkit: Run, home: Home) -> None:
    done = fieldkit("setup", "--who", "  Lê  Văn Thợ ", "--theme", "light", "--json")
    assert done.result == {"who": "Lê Văn Thợ", "language": "", "theme": "light", "colours": ""}
    visit = fieldkit("visit", "start", "--bureau", "MAU-01", "--checklist", "survey", "--json").result[
        "visit"
    ]
    assert fieldkit("visit", "show", visit, "--json").result["who"] == "Lê Văn Thợ"
    with Store.open(home.store) as store:
        visits = Visits(store, home)
        made = asyncio.run(hand_over(visits, surveyed(visits), People()))
    assert giver(made.json) == "Lê Văn Thợ"


def test_the_language_that_was_set_is_spoken_unless_another_is_named(fieldkit: Run) -> None:
    fieldkit("setup", "--language", "vi", FIELDKIT_LANG="")
    assert "Tên" in fieldkit("setup", FIELDKIT_LANG="").out
    assert "Name" in fieldkit("setup", "--lang", "en", FIELDKIT_LANG="").out
    fieldkit("setup", "--language", "en", FIELDKIT_LANG="")
    assert "Name" in fieldkit("setup", FIELDKIT_LANG="").out


def test_a_record_says_that_it_has_a_login_name_where_nobody_was_there_to_be_asked(
    fieldkit: Run, home: Home
) -> None:
    with Store.open(home.store) as store:
        visit = surveyed(Visits(store, home))
    finished = fieldkit("visit", "finish", visit, "--yes", "--json")
    assert finished.status == 0
    assert "fieldkit setup --who" in finished.err
    named = giver(Path(finished.result["json"]))
    assert named.startswith(f"{getpass.getuser()} (")
    assert "no name was set" in named


def test_who_is_named_at_the_start_or_the_end_overrules_what_was_set(fieldkit: Run, home: Home) -> None:
    with Store.open(home.store) as store:
        begun, other = surveyed(Visits(store, home, who="Mai Bắt Đầu")), surveyed(Visits(store, home))
    finished = fieldkit("visit", "finish", begun, "--yes", "--json")
    assert giver(Path(finished.result["json"])) == "Mai Bắt Đầu"
    fieldkit("setup", "--who", "Lê Văn Thợ")
    finished = fieldkit("visit", "finish", other, "--yes", "--who", "Phạm Thị Thay", "--json")
    assert giver(Path(finished.result["json"])) == "Phạm Thị Thay"


@pytest.mark.parametrize("typed", ["", "  ", "a" * 121, "a\u202eb", "a\x00b"])
def test_what_cannot_stand_in_a_record_is_no_name(typed: str) -> None:
    with pytest.raises(PersonNameUnfit):
        full_name(typed)


def test_damaged_settings_are_said_and_not_written_over(fieldkit: Run, home: Home) -> None:
    save(home, Settings(who="Lê Văn Thợ"))
    home.settings.write_text('{"who": 3}')
    with pytest.raises(SettingsUnreadable):
        load(home)
    done = fieldkit("setup", "--who", "Ai Đó", "--json")
    assert (done.status, done.error["code"]) == (2, "settings-unreadable")
    assert home.settings.read_text() == '{"who": 3}'
    assert fieldkit("visit", "list", "--json").status == 0

"""Damage is never shown as emptiness: whoever reads a damaged store is told, and answered with 1."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from fieldkit.cli import frame
from fieldkit.home import Home
from fieldkit.journal.store import Store
from fieldkit.visit.visits import Visits
from tests.conftest import Ran
from tests.journal.conftest import flip, segment

Do = Callable[..., Ran]


@pytest.fixture
def visit(home: Home) -> str:
    """A visit with two answers."""
    with Store.open(home.store) as store:
        visits = Visits(store, home, "Lê Văn Kỹ")
        name = visits.start("MAU-01", "handover").id
        visits.answer(name, "officer_name", "Nguyễn Thị Nhận")
        visits.answer(name, "officer_title", "Chánh Văn phòng")
        return name


@pytest.fixture
def fieldkit(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Do:
    """Run a command in this process: there are many of them here."""

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        status = frame.run([*arguments, "--home", str(home.path)])
        out, err = capsys.readouterr()
        return Ran(CompletedProcess(arguments, status, out, err))

    return run


def lose_an_answer(store: Path) -> None:
    stored = segment(store).read_bytes()
    flip(segment(store), stored.index("Nguyễn Thị Nhận".encode()))


def empty_the_journal(store: Path) -> None:
    segment(store).write_bytes(b"")


def remove_the_journal(store: Path) -> None:
    segment(store).unlink()


READERS: dict[str, tuple[str, ...]] = {
    "visit list": ("visit", "list"),
    "visit show": ("visit", "show", "{visit}"),
    "plan due": ("plan", "due"),
    "record export": ("record", "export", "{visit}", "--format", "json", "--replace", "--out", "{out}"),
}


@pytest.fixture(params=READERS)
def read(fieldkit: Do, visit: str, request: pytest.FixtureRequest, tmp_path: Path) -> Do:
    """Run one of the commands that show what is in the store."""
    words = READERS[str(request.param)]
    return lambda *options: fieldkit(
        *(word.format(visit=visit, out=tmp_path / "draft.json") for word in words), *options
    )


def test_a_lost_answer_is_said_wherever_the_rest_is_shown(read: Do, home: Home) -> None:
    lose_an_answer(home.store)
    ran = read("--json")
    assert ran.status == 1
    assert ran.result is not None
    assert [(each["kind"], each["first"], each["last"]) for each in ran.document["damage"]] == [
        ("entries", 2, 2)
    ]
    ran = read()
    assert (ran.status, "Entry 2 of the journal is damaged" in ran.out) == (1, True)
    assert "fieldkit store repair" in ran.out


@pytest.mark.parametrize("lose", [empty_the_journal, remove_the_journal])
def test_an_emptied_journal_is_no_new_one(read: Do, home: Home, lose: Callable[[Path], None]) -> None:
    lose(home.store)
    ran = read()
    assert ran.status in (1, 4)
    assert "Entries 1 to 3 of the journal are damaged" in ran.out + ran.err
    assert "There is no visit yet" not in ran.out


def test_a_loss_that_was_accepted_is_said_with_its_visit_and_is_no_error(
    fieldkit: Do, home: Home, visit: str
) -> None:
    lose_an_answer(home.store)
    assert fieldkit("--yes", "store", "repair").status == 0
    shown = fieldkit("visit", "show", visit)
    assert (shown.status, "! Entry 2 is lost; that was accepted." in shown.out) == (0, True)
    assert fieldkit("--json", "visit", "list").document.keys() == {"ok", "result"}
    later = fieldkit("--json", "visit", "start", "--bureau", "MAU-01").result["visit"]
    assert "damage" not in fieldkit("--json", "visit", "show", later).document

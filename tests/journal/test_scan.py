"""Opening looks at every line, decodes hardly any, and takes in the same as if it had decoded all."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from fieldkit.journal import log
from fieldkit.journal.entry import Draft
from fieldkit.journal.line import line
from fieldkit.journal.scan import LostEntries, Scan
from fieldkit.journal.store import Store
from tests.journal.conftest import segment

ENTRIES = 150
Made = Callable[[int], Draft]

KINDS: dict[str, Made] = {
    "answers of one visit": lambda n: Draft("answer", visit="2026-MAU-01", item=f"i{n}", value=n),
    "long ones": lambda n: Draft("answer", visit="2026-MAU-01", value="câu trả lời dài " * 60),
    "those without a visit": lambda n: Draft("note", value={"number": n}),
    "several kinds and visits": lambda n: Draft("note" if n % 3 else "answer", visit=f"v{n % 4}", value=n),
    "a value that names a visit": lambda n: Draft("note", value={"a": 1, "visit": "v1"}),
    "a value that names a kind": lambda n: Draft("note", visit="v1", value={"a": 1, "kind": "answer"}),
    "such a value within a visit": lambda n: Draft("note", visit="v2", value={"a": 1, "visit": "v1"}),
}


def calls(work: Callable[[], object]) -> int:
    """How many functions are called by it: what it costs, whatever the machine."""
    count = 0

    def see(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def written(request: pytest.FixtureRequest, folder: Path) -> tuple[Path, list[Draft]]:
    """A journal of many entries that are alike, and what they say."""
    drafts = [request.param(number) for number in range(ENTRIES)]
    with Store.open(folder) as store:
        for draft in drafts:
            store.append(draft)
    return segment(folder), drafts


def test_an_entry_like_those_before_is_compared_and_not_decoded(written: tuple[Path, list[Draft]]) -> None:
    path, _ = written
    scan = Scan()
    assert calls(lambda: scan.segment(path.name, path.read_bytes())) < 2.5 * ENTRIES
    assert scan.seq == ENTRIES
    assert not scan.holes


def test_entries_that_are_only_compared_are_found_by_their_visit_all_the_same(
    written: tuple[Path, list[Draft]],
) -> None:
    path, drafts = written
    with Store.open(path.parent) as store:
        assert [entry.value for entry in store.entries()] == [draft.value for draft in drafts]
        for visit in {draft.visit for draft in drafts if draft.visit} | {"v1"}:
            mine = [draft.value for draft in drafts if draft.visit == visit]
            assert [entry.value for entry in store.entries(visit=visit)] == mine


@pytest.mark.parametrize("rest", [b"", b"half a line", b"no line\n"])
def test_the_clock_goes_on_from_the_last_entry_that_is_whole(
    written: tuple[Path, list[Draft]], rest: bytes
) -> None:
    path, _ = written
    lines = path.read_bytes().splitlines(keepends=True)
    for count in (1, 2, ENTRIES):
        scan = Scan()
        scan.segment(path.name, b"".join(lines[:count]) + rest)
        assert scan.hlc == json.loads(lines[count - 1][9:])["hlc"]


def test_a_line_with_the_right_checksum_that_is_no_entry_is_damage(folder: Path) -> None:
    with Store.open(folder) as store:
        for number in range(4):
            store.append(Draft("answer", visit="v1", value=number))
    path = segment(folder)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], line(b"{}"), *lines[2:]]))
    with Store.open(folder) as store:
        assert store.read_only is not None
        assert [damage.kind for damage in store.damage()] == ["order"]
        assert [entry.value for entry in store.entries()] == [0, 1, 2, 3]


def test_what_stands_behind_the_last_line_of_an_earlier_segment_is_damage(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "SEGMENT_SIZE", 900)
    with Store.open(folder) as store:
        for number in range(6):
            store.append(Draft("answer", visit="v1", value=number))
    first, *_ = sorted(folder.glob("journal-*.fkj"))
    assert first != segment(folder)
    with first.open("ab") as file:
        file.write(b"half a li")
    with Store.open(folder) as store:
        assert first.name in str(store.read_only)
        assert [entry.value for entry in store.entries()] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("first", "last", "strays", "open", "accepted"),
    [
        (
            3,
            5,
            False,
            "Entries 3 to 5 of the journal are damaged (j.fkj, byte 70).",
            "Entries 3 to 5 are lost; that was accepted.",
        ),
        (
            3,
            3,
            False,
            "Entry 3 of the journal is damaged (j.fkj, byte 70).",
            "Entry 3 is lost; that was accepted.",
        ),
        (
            3,
            2,
            True,
            "Lines of the journal stand where they do not belong (j.fkj, byte 70).",
            "Lines that do not belong before entry 3 are passed over; that was accepted.",
        ),
        (
            3,
            2,
            False,
            "Foreign bytes stand in the journal (j.fkj, byte 70).",
            "Foreign bytes before entry 3 are passed over; that was accepted.",
        ),
    ],
    ids=["several entries", "one entry", "lines out of order", "foreign bytes"],
)
def test_what_is_lost_and_what_only_does_not_belong_there_are_said_in_words_of_their_own(
    first: int, last: int, strays: bool, open: str, accepted: str
) -> None:
    hole = LostEntries(first, last, "", "j.fkj", 70, strays)
    assert (str(hole.message()), str(hole.accepted())) == (open, accepted)

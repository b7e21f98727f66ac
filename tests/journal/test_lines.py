"""Lines doubled, swapped, missing, zeroed, foreign: every entry still on the disk is read and exported."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldkit.journal import log
from fieldkit.journal.entry import REPAIR, Draft, digest
from fieldkit.journal.export import export
from fieldkit.journal.repair import mends
from fieldkit.journal.store import Store
from fieldkit.journal.verify import verify
from tests.journal.conftest import segment, write_a_day

Lines = list[list[bytes]]
"""The lines of every segment."""

ENTRIES = 9
SMALL_SEGMENT = 1_100
GONE = b"to be removed"


def read(folder: Path) -> list[int]:
    """The numbers of the entries that a store gives, those of TinyDB's tables left out."""
    with Store.open(folder) as store:
        return [entry.seq for entry in store.entries()]


def rewrite(folder: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    stored = segment(folder).read_bytes().splitlines(True)
    segment(folder).write_bytes(b"".join(change(stored)))


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [*lines[:2], lines[1], *lines[2:]],
        lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
        lambda lines: [lines[-1], *lines[:-1]],
        lambda lines: lines[::-1],
        lambda lines: [*lines, *lines],
        lambda lines: [*lines[:-2], lines[-1], lines[-2]],
        lambda lines: [lines[0], b"noise\n", lines[2], lines[1], *lines[3:]],
    ],
    ids=["doubled", "swapped", "last first", "turned round", "all twice", "last two swapped", "around noise"],
)
def test_entries_that_stand_out_of_their_order_are_read_all_and_that_is_said(
    folder: Path, tmp_path: Path, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    write_a_day(folder)
    whole = read(folder)
    rewrite(folder, change)
    assert read(folder) == whole
    with Store.open(folder) as store:
        assert "where they do not belong" in str(store.read_only)
        assert {each.kind for each in store.damage()} == {"order"}
    assert verify(folder).verdict == "fail"
    taken = export(folder, tmp_path / "out.zip")
    assert (taken.entries, taken.lost, taken.strays) == (6, 0, 0)
    mend(folder)
    assert verify(folder).verdict == "pass"
    assert read(folder) == [*whole, 7]
    with Store.open(folder) as store:
        assert store.append(Draft("answer", visit="v1", value="goes on")).seq == 8
    assert read(folder) == [*whole, 7, 8]


@pytest.mark.parametrize(
    ("order", "damage"),
    [
        ((1, 2, 5, 4, 6), [("entries", 3, 3), ("order", 6, 5)]),
        ((1, 2, 5, 3, 6), [("entries", 4, 4), ("order", 6, 5)]),
        ((1, 2, 6, 4), [("entries", 3, 3), ("entries", 5, 5), ("order", 7, 6)]),
        ((1, 2, 4, 3, 5, 6), [("order", 4, 3), ("order", 5, 4)]),
        ((1, 1, 2, 3, 4, 5, 6, 6), [("order", 2, 1), ("order", 7, 6)]),
        ((4, 2, 6), [("entries", 1, 1), ("entries", 3, 3), ("entries", 5, 5)]),
    ],
    ids=str,
)
def test_what_is_lost_is_told_from_what_only_stands_elsewhere(
    folder: Path, order: tuple[int, ...], damage: list[tuple[str, int, int]]
) -> None:
    write_a_day(folder)
    rewrite(folder, lambda lines: [lines[seq - 1] for seq in order])
    with Store.open(folder) as store:
        assert [(each.kind, each.first, each.last) for each in store.damage()] == damage
        assert [entry.seq for entry in store.entries()] == sorted({*order} - {6})


def test_foreign_bytes_stay_what_they_are_where_other_lines_stand_elsewhere(folder: Path) -> None:
    write_a_day(folder)
    rewrite(folder, lambda lines: [lines[0], b"noise\n", *lines[1:3], lines[4], lines[3], *lines[5:]])
    with Store.open(folder) as store:
        words = [(damage.first, damage.last, str(damage.message)) for damage in store.damage()]
    assert [(first, last, words.partition(" (")[0]) for first, last, words in words] == [
        (2, 1, "Foreign bytes stand in the journal"),
        (5, 4, "Lines of the journal stand where they do not belong"),
        (6, 5, "Lines of the journal stand where they do not belong"),
    ]


@pytest.mark.parametrize(
    ("order", "holes"),
    [((1, 2, 4, 3, 5, 6), [(4, 3), (5, 4)]), ((1, 2, 5, 4, 6), [(3, 3), (6, 5)])],
    ids=str,
)
def test_what_is_accepted_is_named_by_the_hash_of_the_entry_before_its_end(
    folder: Path, order: tuple[int, ...], holes: list[tuple[int, int]]
) -> None:
    write_a_day(folder)
    hashes = [digest(line[9:-1]) for line in segment(folder).read_bytes().splitlines(True)]
    rewrite(folder, lambda lines: [lines[seq - 1] for seq in order])
    mend(folder)
    with Store.open(folder) as store:
        (accepted,) = [entry for entry in store.entries() if entry.kind == REPAIR]
    assert accepted.value["holes"] == [[first, last, hashes[last - 1]] for first, last in holes]


def test_lines_of_another_store_hide_nothing_and_are_taken_out_too(folder: Path, tmp_path: Path) -> None:
    write_a_day(folder)
    write_a_day(tmp_path / "other")
    foreign = segment(tmp_path / "other").read_bytes().splitlines(True)
    for change in (
        lambda lines: [*foreign[:1], *lines],
        lambda lines: [*lines[:3], *foreign, *lines[3:]],
        lambda lines: [*lines, *foreign],
    ):
        kept = segment(folder).read_bytes()
        rewrite(folder, change)
        assert read(folder) == [1, 2, 3, 4, 5]
        (tmp_path / "out.zip").unlink(missing_ok=True)
        taken = export(folder, tmp_path / "out.zip")
        assert (taken.entries, taken.lost, taken.strays) == (6, 0, len(change([])))
        with zipfile.ZipFile(taken.out) as archive:
            strays = archive.read("strays.jsonl").splitlines()
        assert strays
        assert {line + b"\n" for line in strays} <= {line[9:] for line in foreign}
        segment(folder).write_bytes(kept)


@pytest.mark.parametrize(("own", "foreign", "mine"), [(6, 4, True), (6, 6, True), (3, 4, False)])
def test_a_journal_whose_key_is_lost_is_that_of_the_device_with_most_lines(
    own: int, foreign: int, mine: bool, folder: Path, tmp_path: Path
) -> None:
    devices = [write_a_day(place).device for place in (folder, tmp_path / "other")]
    others = segment(tmp_path / "other").read_bytes().splitlines(True)
    rewrite(folder, lambda lines: [*lines[:own], *others[:foreign]])
    for name in ("device.key", "head"):
        (folder / name).unlink()
    with Store.open(folder) as store:
        assert store.device == devices[0 if mine else 1]


def test_a_line_rewritten_by_somebody_does_not_take_the_place_of_the_one_that_was_written(
    folder: Path,
) -> None:
    from tests.journal.test_store import rewritten

    write_a_day(folder)
    for at in (2, 3, 4):
        kept = segment(folder).read_bytes()
        rewrite(folder, lambda lines, at=at: [*lines[:at], rewritten(lines[2][9:-1], value="x"), *lines[at:]])
        with Store.open(folder) as store:
            assert [entry.value for entry in store.entries()][2] == "câu trả lời 2"
            assert store.read_only is not None
        segment(folder).write_bytes(kept)


@pytest.mark.parametrize("genuine", [True, False])
def test_a_line_that_does_not_follow_the_entry_before_is_none_even_where_the_next_is_lost(
    genuine: bool, folder: Path
) -> None:
    from tests.journal.test_store import rewritten

    write_a_day(folder)
    fourth = segment(folder).read_bytes().splitlines(True)[3]
    line = fourth if genuine else rewritten(fourth[9:-1], prev="0" * 64)
    rewrite(folder, lambda lines: [*lines[:3], lines[5], line])
    with Store.open(folder) as store:
        lost = [(damage.first, damage.last) for damage in store.damage() if damage.kind == "entries"]
    assert lost == [(5, 5) if genuine else (4, 5)]


def test_an_entry_that_the_next_does_not_name_is_taken_out_with_the_strays(
    folder: Path, tmp_path: Path
) -> None:
    from tests.journal.test_store import rewritten

    write_a_day(folder)
    rewrite(folder, lambda lines: [*lines[:5], rewritten(lines[5][9:-1], prev="0" * 64)])
    taken = export(folder, tmp_path / "out.zip")
    assert (taken.entries, taken.lost, taken.strays) == (5, 1, 1)


# --- any of it, together


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Lines, list[bytes]]]:
    """A store of several segments, their lines, and lines of another one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "SEGMENT_SIZE", SMALL_SEGMENT)
        folder, other = tmp_path_factory.mktemp("lines") / "store", tmp_path_factory.mktemp("other") / "store"
        for each in (folder, other):
            with Store.open(each) as store:
                for number in range(ENTRIES):
                    store.append(Draft("answer", visit="v", item=f"item-{number}", value=number))
        names = sorted(folder.glob("*.fkj"))
        assert len(names) > 2
        foreign = sorted(other.glob("*.fkj"))[0].read_bytes().splitlines(True)
        (folder / "reserve").unlink()
        yield folder, [path.read_bytes().splitlines(True) for path in names], foreign


MISHAPS = st.lists(
    st.sampled_from(
        [
            "double",
            "swap",
            "remove",
            "zero",
            "flip",
            "foreign",
            "no segment",
            "empty segment",
            "no head",
            "no key",
        ]
    ),
    min_size=1,
    max_size=5,
)


def befall(mishap: str, folder: Path, segments: Lines, foreign: list[bytes], random: Random) -> None:
    """Let one mishap happen to the lines of the segments."""
    flat = [(lines, at) for lines in segments for at in range(len(lines))]
    if mishap == "no head":
        (folder / "head").unlink(missing_ok=True)
    elif mishap == "no key":
        (folder / "device.key").unlink(missing_ok=True)
    elif not flat:
        return
    else:
        lines, at = random.choice(flat)
        others, there = random.choice(flat)
        if mishap == "double":
            others.insert(there, lines[at])
        elif mishap == "swap":
            lines[at], others[there] = others[there], lines[at]
        elif mishap == "remove":
            del lines[at]
        elif mishap == "zero":
            lines[at] = bytes(len(lines[at]))
        elif mishap == "flip":
            place = random.randrange(len(lines[at]))
            lines[at] = lines[at][:place] + bytes([lines[at][place] ^ 1]) + lines[at][place + 1 :]
        elif mishap == "foreign":
            lines.insert(at, random.choice(foreign))
        elif mishap == "empty segment":
            lines.clear()
        elif mishap == "no segment":
            lines.clear()
            sorted(folder.glob("*.fkj"))[segments.index(lines)].write_bytes(GONE)


def mend(folder: Path) -> None:
    with Store.open(folder) as store:
        for each in mends(store):
            each.do()


@settings(
    max_examples=min(60, settings().max_examples),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(mishaps=MISHAPS, seed=st.integers(0, 2**32))
def test_no_entry_that_is_whole_on_the_disk_is_lost_by_any_mishap_to_the_others(
    worked: tuple[Path, Lines, list[bytes]], mishaps: list[str], seed: int
) -> None:
    explore(worked, mishaps, seed)


@pytest.mark.parametrize("last", [["zero", "foreign"], ["no key", "foreign"], ["no key", "zero", "foreign"]])
def test_what_the_head_calls_lost_is_not_given_in_another_devices_entries(
    worked: tuple[Path, Lines, list[bytes]], last: list[str]
) -> None:
    for seed in range(6):
        explore(worked, ["no segment", "no segment", *last], seed)


@pytest.mark.soak
@settings(max_examples=5_000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(mishaps=MISHAPS, seed=st.integers(0, 2**32))
def test_no_entry_that_is_whole_on_the_disk_is_lost_by_many_more_mishaps(
    worked: tuple[Path, Lines, list[bytes]], mishaps: list[str], seed: int
) -> None:
    explore(worked, mishaps, seed)


def explore(worked: tuple[Path, Lines, list[bytes]], mishaps: list[str], seed: int) -> None:
    template, stored, foreign = worked
    original = {line: seq for seq, line in enumerate((line for lines in stored for line in lines), 1)}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "store"
        shutil.copytree(template, folder)
        segments = [list(lines) for lines in stored]
        random = Random(seed)
        for mishap in mishaps:
            befall(mishap, folder, segments, foreign, random)
        for path, lines in zip(sorted(folder.glob("*.fkj")), segments, strict=True):
            if path.read_bytes() == GONE and not lines:
                path.unlink()
            else:
                path.write_bytes(b"".join(lines))
        strangers = sum(line in foreign for lines in segments for line in lines)
        own = sum(line in original for lines in segments for line in lines)
        if own <= strangers and not (folder / "device.key").exists() and not (folder / "head").exists():
            return  # whose store it was, nothing says any more
        # what a reader that knows nothing but the lines finds
        wanted = sorted({original[line] for lines in segments for line in lines if line in original})
        headless = not (folder / "head").exists()
        taken = export(folder, Path(place) / "out.zip")
        assert taken.entries == len(wanted)
        with zipfile.ZipFile(taken.out) as archive:
            rows = archive.read("entries.jsonl").splitlines()
        assert [json.loads(row)["seq"] for row in rows] == wanted
        assert read(folder) == wanted
        with Store.open(folder) as store:
            damage = store.damage()
            said = {
                seq for each in damage if each.kind == "entries" for seq in range(each.first, each.last + 1)
            }
            lost = set(range(1, (max(wanted, default=0) if headless else ENTRIES) + 1)) - set(wanted)
            assert lost <= said
            assert not said & set(wanted)
            assert taken.lost == len(said)
            moved = [line for lines in segments for line in lines] != list(original)
            if moved and (lost or not headless):  # in order, it is the same in whichever segment it stands
                assert damage
                assert store.read_only is not None
        if not (folder / "device.key").exists():
            return
        mend(folder)
        assert verify(folder).verdict == "pass", [str(each.message) for each in verify(folder).checks]
        with Store.open(folder) as store:
            assert store.read_only is None
            store.append(Draft("answer", visit="v", value="goes on"))
        with Store.open(folder) as store:
            values = [entry.value for entry in store.entries() if entry.kind == "answer"]
            assert values == [*(seq - 1 for seq in wanted), "goes on"]

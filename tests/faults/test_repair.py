"""A repair that is broken off at any call to the disk, in any way, loses nothing and can be made again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fieldkit.errors import FieldkitError
from fieldkit.journal.entry import Draft
from fieldkit.journal.store import Store
from tests.faults.crashing import CrashingDisk, PowerCut
from tests.faults.model import FAULTS, FOLDER

SEGMENT = FOLDER / "journal-000001.fkj"
ANSWERS = 6

Spoil = Callable[[list[bytes]], list[bytes]]
SPOILT: dict[str, tuple[Spoil, list[int]]] = {
    "a byte in the middle": (lambda lines: [*lines[:2], b"x" + lines[2][1:], *lines[3:]], [0, 1, 3, 4, 5]),
    "the end is gone": (lambda lines: lines[:-2], [0, 1, 2, 3]),
    "the last is torn": (lambda lines: [*lines[:-1], lines[-1][:20]], [0, 1, 2, 3, 4]),
    "swapped and doubled": (
        lambda lines: [lines[0], lines[2], lines[1], lines[1], *lines[3:]],
        [0, 1, 2, 3, 4, 5],
    ),
    "emptied": (lambda lines: [], []),
}


def damaged(seed: int, spoil: Spoil) -> CrashingDisk:
    """A disk with a store that was closed in order, and was then spoilt."""
    disk = CrashingDisk(seed)
    with Store.open(FOLDER, files=disk) as store:
        for number in range(ANSWERS):
            store.append(Draft("answer", visit="v", value=number))
    for node in {id(node): node for node in (disk.seen[SEGMENT], disk.stable[SEGMENT])}.values():
        node.settle()
        lines = bytes(node.stable).rstrip(b"\0").splitlines(True)
        node.stable = bytearray(b"".join(spoil(lines)))
        node.seen = bytearray(node.stable)
    return disk


def repair(disk: CrashingDisk) -> None:
    with Store.open(FOLDER, files=disk, whole=True) as store:
        store.accept_holes()


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_repair_survives_a_fault_at_every_call(spoilt: str, fault: int | None) -> None:
    spoil, left = SPOILT[spoilt]
    whole = damaged(0, spoil)
    before = whole.calls
    repair(whole)
    for call in range(1, whole.calls - before + 1):
        disk = damaged(call, spoil)
        disk.fail_at = disk.calls + call, fault
        end = disk.kill
        try:
            repair(disk)
        except PowerCut:
            end = disk.cut
        except FieldkitError:
            pass
        end()
        with Store.open(FOLDER, files=disk) as store:
            assert [entry.value for entry in store.entries() if entry.kind == "answer"] == left
            assert store.damage()
            assert (store.read_only is None) == all(each.accepted for each in store.damage())
        repair(disk)
        with Store.open(FOLDER, files=disk) as store:
            assert store.read_only is None
            store.append(Draft("answer", visit="v", value="goes on"))
            found = [entry.value for entry in store.entries() if entry.kind == "answer"]
            assert found == [*left, "goes on"]

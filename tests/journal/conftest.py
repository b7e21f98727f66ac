"""A folder for a store, a store with a short day's work in it, and ways to damage it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fieldkit.finding import Finding
from fieldkit.journal.entry import Draft, Head
from fieldkit.journal.store import Store
from fieldkit.journal.verify import verify

Day = Callable[[Path], Head]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a store is made when it is opened."""
    return tmp_path / "store"


@pytest.fixture
def day(folder: Path) -> Head:
    """A short day's work in `folder`, closed in order; its last entry."""
    return write_a_day(folder)


def write_a_day(folder: Path, answers: int = 4) -> Head:
    with Store.open(folder) as store:
        photo = store.attach(b"a photo", "ảnh.jpg")
        for number in range(answers):
            store.append(Draft("answer", visit="v1", item=f"item-{number}", value=f"câu trả lời {number}"))
        value = {"sha256": photo.sha256, "size": photo.size, "name": photo.name}
        store.append(Draft("answer", visit="v1", item="photo", value=value, blob=photo.sha256))
        store.db.table("places").insert({"visit": "v1", "item": "photo"})
        return store.head()


def segment(folder: Path) -> Path:
    """The last segment."""
    return sorted(folder.glob("journal-*.fkj"))[-1]


def flip(path: Path, at: int, mask: int = 0x01) -> None:
    """Change one byte of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= mask
    path.write_bytes(data)


def checks(folder: Path, **more: object) -> dict[str, Finding]:
    """What `verify` says, by the id of the check; the worst of each."""
    found: dict[str, Finding] = {}
    for check in verify(folder, **more).checks:  # type: ignore[arg-type]
        if check.id not in found or found[check.id].severity == "pass":
            found[check.id] = check
    return found

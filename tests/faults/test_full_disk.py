"""A file system that is really full: answers are refused, the visit can be finished, nothing is lost."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldkit.journal.entry import Draft
from fieldkit.journal.errors import StoreFull, WriteFailed
from fieldkit.journal.store import Store
from fieldkit.journal.verify import verify

MEGABYTE = 1024 * 1024


def run(*command: str | Path) -> None:
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this machine does not allow it: {command[0]}: {done.stderr.strip()}")


@pytest.fixture(params=["tmpfs", "ext4"])
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of four megabytes."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    path = tmp_path / "small"
    path.mkdir()
    if request.param == "tmpfs":
        run("mount", "-t", "tmpfs", "-o", "size=4M", "tmpfs", path)
    else:
        image = tmp_path / "image"
        run("truncate", "-s", "4M", image)
        run("mkfs.ext4", "-q", "-F", image)
        run("mount", "-o", "loop", image, path)
    yield path
    subprocess.run(["umount", path], check=True)


def fill(path: Path) -> Path:
    """Take all the room there is with a file beside the store."""
    ballast = path / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    with contextlib.suppress(OSError):
        os.sync()
    return ballast


def answer_until_refused(store: Store, size: int = 900) -> list[int]:
    answered: list[int] = []

    def answer() -> None:
        for number in range(10_000):
            store.append(Draft("answer", visit="v", value=[number, "x" * size]))
            answered.append(number)

    with pytest.raises(StoreFull):
        answer()
    return answered


def test_a_full_disk_refuses_answers_and_lets_the_visit_be_finished(small: Path) -> None:
    folder = small / "store"
    with Store.open(folder) as store:
        store.append(Draft("start", visit="v"))
        ballast = fill(small)
        answered = answer_until_refused(store)
        assert store.read_only is None
        with pytest.raises(StoreFull):
            store.attach(bytes(MEGABYTE // 4), "photo.jpg")
        store.append(Draft("signoff", visit="v", value="y" * 2_000))
        record = store.attach(bytes(MEGABYTE // 4), "record.pdf", finishing=True)
        store.append(Draft("record", visit="v", blob=record.sha256))
    with Store.open(folder) as store:
        found = list(store.entries(visit="v"))
        assert [entry.value[0] for entry in found if entry.kind == "answer"] == answered
        assert [entry.kind for entry in found[-2:]] == ["signoff", "record"]
        assert store.attachment(record.sha256) == bytes(MEGABYTE // 4)
    assert verify(folder).verdict == "pass"
    ballast.unlink()
    with Store.open(folder) as store:
        store.append(Draft("answer", visit="v", value=[0, "there is room again"]))
        assert (folder / "reserve").stat().st_size == MEGABYTE
    assert verify(folder).verdict == "pass"


def test_a_store_is_not_made_on_a_disk_that_is_full_and_that_is_said(small: Path) -> None:
    from fieldkit.errors import FieldkitError

    (small / "store").mkdir()
    ballast = fill(small)
    with pytest.raises((FieldkitError, OSError)) as refused, Store.open(small / "store") as store:
        store.append(Draft("answer", value="x" * 9_000))
    assert isinstance(refused.value, FieldkitError)
    ballast.unlink()
    with Store.open(small / "store") as store:
        store.append(Draft("answer", value="now"))


def test_a_write_that_the_system_cuts_short_is_taken_back(folder: Path) -> None:
    """The limit on the size of files makes the kernel write a part of a line, and then refuse the rest."""
    was = resource.getrlimit(resource.RLIMIT_FSIZE)
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with Store.open(folder) as store:
            store.append(Draft("answer", value="kept"))
            size = next(folder.glob("*.fkj")).stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1_000, was[1]))
            with pytest.raises((WriteFailed, StoreFull)):
                store.append(Draft("answer", value="x" * 100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, was)
        signal.signal(signal.SIGXFSZ, heard)
    assert verify(folder).verdict in ("pass", "indeterminate")
    with Store.open(folder) as store:
        assert store.read_only is None
        assert next(store.entries()).value == "kept"
        assert store.append(Draft("answer", value="next")).seq == store.head().seq

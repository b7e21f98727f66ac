"""Every system call of a save is made to fail, in every way it can, in a real process under strace.

The calls are counted first, in a run where nothing fails; each is then met in a run of its own.
"""

from __future__ import annotations

import collections
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldkit.journal.store import Store
from fieldkit.journal.verify import verify
from tests.faults import worker
from tests.faults.worker import Held, Worker

CALLS = "pwrite64,fdatasync,fsync,ftruncate,openat,rename,unlink,mkdir,close,flock"
"""What changes the store or keeps it; reading is not saving."""
ERRORS = ("EIO", "ENOSPC", "EDQUOT", "EROFS", "EINTR")
BEFORE = 12
"""Works that are done beforehand, so that the save is one in a store that is in use."""
SAVED = 8
"""Works that are done while calls fail: answers, documents, a file, an end; opening and closing too."""

LINE = re.compile(r"^(?:\d+ +)?(\w+)\(")


class Traced:
    """A worker of which strace sees the calls that touch the store."""

    def __init__(self, folder: Path, log: Path, inject: str = "") -> None:
        self.worker = Worker(folder, BEFORE, SAVED, wait=True)
        pid = self.worker.hear("ready")[1]
        calls = inject.partition(":")[0] or CALLS
        command = ["strace", "-f", "-p", str(pid), "-o", str(log), "-e", f"trace={calls}"]
        if inject:
            command += ["-e", f"inject={inject}"]
        for path in self._paths(folder):
            command += ["-P", str(path)]
        self._strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._strace.stderr is not None
        for line in self._strace.stderr:
            if "attached" in line:
                break
            if "Operation not permitted" in line:
                self.worker.kill()
                pytest.skip("this machine does not allow to trace processes")
        self.worker.go()

    @staticmethod
    def _paths(folder: Path) -> Iterator[Path]:
        """Every file that such a run may touch."""
        names = [
            "lock",
            "reserve",
            "head",
            "device.key",
            "checkpoint",
            "journal-000001.fkj",
            "journal-000002.fkj",
        ]
        for path in (folder, *(folder / name for name in names)):
            yield path
            yield path.with_name(path.name + ".part")
        import hashlib

        for number in range(BEFORE, BEFORE + SAVED):
            sha256 = hashlib.sha256(worker.photo(number)).hexdigest()
            kept = folder / "attachments" / sha256[:2] / sha256
            yield from (kept, kept.with_name(sha256 + ".part"), kept.parent, kept.parent.parent)

    def end(self) -> Worker:
        self.worker.end()
        self._strace.communicate(timeout=30)
        return self.worker


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in use that was not closed in order."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    folder = tmp_path_factory.mktemp("begun") / "store"
    store = Store.open(folder)
    for number in range(BEFORE):
        worker.do(store, number)
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    store.close()
    return copy


@pytest.fixture(scope="module")
def counted(begun: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """How often each call is made when nothing fails."""
    folder = tmp_path_factory.mktemp("counted") / "store"
    shutil.copytree(begun, folder)
    ran = Traced(folder, folder.with_name("trace")).end()
    assert ran.kept == list(range(BEFORE, BEFORE + SAVED))
    calls = collections.Counter(
        found[1] for line in folder.with_name("trace").read_text().splitlines() if (found := LINE.match(line))
    )
    assert calls["pwrite64"] > SAVED
    assert calls["fdatasync"] > SAVED
    return dict(calls)


def survive(begun: Path, folder: Path, inject: str) -> Worker:
    """Run with that fault; whatever was said to be kept must be there, and the store go on."""
    shutil.copytree(begun, folder)
    ran = Traced(folder, folder.with_name("trace"), inject).end()
    with Store.open(folder) as store:
        assert store.read_only is None, inject
        held = Held(store)
        for number in [*range(BEFORE), *ran.kept]:
            assert held.has(number), (inject, number, ran.heard)
        for number, code in ran.refused.items():
            if code == "store-full" and worker.is_answer(number):
                assert not held.has(number), (inject, number)
        worker.do(store, 1_000)
        assert Held(store).has(1_000)
    assert verify(folder).verdict == "pass", inject
    shutil.rmtree(folder)
    return ran


def every(counted: dict[str, int]) -> Iterator[tuple[str, int]]:
    for name, count in counted.items():
        yield from ((name, when) for when in range(1, count + 1))


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_from_every_call_of_a_save_is_told_and_loses_nothing(
    begun: Path, counted: dict[str, int], tmp_path: Path, error: str
) -> None:
    told: set[str] = set()
    for name, when in every(counted):
        ran = survive(begun, tmp_path / "store", f"{name}:error={error}:when={when}")
        assert ran.process.exitcode == 0, (name, when, ran.heard)
        if ran.refused or any(ran.reasons):
            told.add(name)
    if error == "EINTR":  # these are made again
        assert not told
    else:
        assert told >= {"pwrite64", "fdatasync", "fsync", "openat"}


def test_a_write_that_writes_nothing_is_told_and_loses_nothing(
    begun: Path, counted: dict[str, int], tmp_path: Path
) -> None:
    for when in range(1, counted["pwrite64"] + 1):
        ran = survive(begun, tmp_path / "store", f"pwrite64:retval=0:when={when}")
        assert ran.process.exitcode == 0, (when, ran.heard)


def test_a_kill_at_every_call_of_a_save_loses_nothing(
    begun: Path, counted: dict[str, int], tmp_path: Path
) -> None:
    for name, when in every(counted):
        ran = survive(begun, tmp_path / "store", f"{name}:signal=SIGKILL:when={when}")
        assert ran.process.exitcode == -9, (name, when)


def test_a_disk_that_fails_at_every_write_or_sync_from_some_moment_on_loses_nothing(
    begun: Path, tmp_path: Path
) -> None:
    for name in ("pwrite64", "fdatasync", "fsync"):
        for error in ERRORS[:4]:
            ran = survive(begun, tmp_path / "store", f"{name}:error={error}:when=3+")
            assert ran.process.exitcode == 0, ran.heard

"""A store of another user: read if it may be, never written, and said to be another's."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from fieldkit import i18n
from fieldkit.errors import FieldkitError
from fieldkit.journal.store import Store
from fieldkit.journal.verify import verify
from tests.faults import worker
from tests.faults.worker import processes

NOBODY = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def anothers() -> Iterator[Path]:
    """A store of root's, where everybody may go."""
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o755)
        folder = Path(above) / "store"
        with Store.open(folder) as store:
            for number in range(8):
                worker.do(store, number)
        yield folder


def look(folder: Path, told: Connection) -> None:
    """As somebody else: open it, try to save, verify."""
    i18n.use("en")
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    try:
        with Store.open(folder) as store:
            said = str(store.read_only), len(list(store.entries()))
            try:
                worker.do(store, 100)
            except FieldkitError as error:
                said = (*said, error.code)
        told.send((*said, {check.id for check in verify(folder).checks if check.severity == "fail"}))
    except FieldkitError as error:
        told.send((error.code, str(error)))


def as_nobody(folder: Path) -> tuple[object, ...]:
    hear, told = processes.Pipe(duplex=False)
    other = processes.Process(target=look, args=(folder, told))
    other.start()
    told.close()
    found: tuple[object, ...] = hear.recv()
    other.join()
    return found


def test_one_that_others_may_read_is_read_and_said_to_be_anothers(anothers: Path) -> None:
    for path in (anothers, *anothers.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    before = {path: path.read_bytes() for path in anothers.rglob("*") if path.is_file()}
    reason, entries, code, failed = as_nobody(anothers)
    assert "cannot be written (Permission denied)" in str(reason)
    assert (entries, code) == (6, "store-read-only")
    assert {"owner", "permissions"} == failed
    assert {path: path.read_bytes() for path in anothers.rglob("*") if path.is_file()} == before


def test_one_that_is_closed_to_others_is_said_to_be_so(anothers: Path) -> None:
    code, message = as_nobody(anothers)
    assert code == "store-unavailable"
    assert f"{anothers} cannot be used: Permission denied" in str(message)

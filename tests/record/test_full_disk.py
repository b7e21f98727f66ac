"""On a disk that is really full a visit is finished: sign-off, record, signature and files."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldkit.home import Home
from fieldkit.journal.errors import StoreFull
from fieldkit.journal.verify import verify
from fieldkit.record.handover import hand_over
from fieldkit.visit.visits import Visits
from tests.faults.test_full_disk import fill, run
from tests.pki import SoftwareSigner
from tests.record.conftest import People, settle
from tests.record.test_handover import token

__all__ = ["token"]


@pytest.fixture(params=["tmpfs", "ext4"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    """A home on a file system of three megabytes."""
    home = Home(tmp_path / "home")
    home.path.mkdir(mode=0o700)
    if request.param == "tmpfs":
        run("mount", "-t", "tmpfs", "-o", "size=3M,mode=700", "tmpfs", home.path)
    else:
        run("truncate", "-s", "3M", tmp_path / "image")
        run("mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-m", "0", tmp_path / "image")
        run("mount", "-o", "loop", tmp_path / "image", home.path)
    yield home
    subprocess.run(["umount", "-l", home.path], check=True)


@pytest.fixture
def visit(visits: Visits, officer: SoftwareSigner, token: str) -> str:
    return settle(visits, officer, token)


def test_a_full_disk_finishes_a_visit_with_everything_that_belongs_to_it(
    visits: Visits, visit: str, people: People, home: Home
) -> None:
    ballast = fill(home.path)
    with pytest.raises(StoreFull):
        visits.note(visit, "no room " * 9_000)
    made = asyncio.run(hand_over(visits, visit, people))
    assert (made.signed, made.verdict) == (True, "pass")
    now = visits.load(visit)
    (kept,) = now.records
    assert now.state == "recorded"
    assert visits.store.attachment(kept.pdf) == made.pdf.read_bytes()
    assert all(path.stat().st_size for path in (made.pdf, made.json, *made.tables))
    head = visits.store.head()
    visits.store.close()
    assert verify(home.store, known=[head]).verdict == "pass"
    assert str(head.seq) in (home.store / "head").read_text()  # noted in spite of the full disk
    assert (home.store / "reserve").stat().st_size < ballast.stat().st_size

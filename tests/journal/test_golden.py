"""A store of every released format is read, verified and gone on with; the present form does not drift."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fieldkit.journal.entry import FORMAT, Draft
from fieldkit.journal.store import Store
from fieldkit.journal.verify import verify
from tests.journal.golden import make

GOLDEN = Path(make.__file__).parent
FORMATS = sorted(path.name for path in GOLDEN.iterdir() if path.name.isdigit())


@pytest.fixture(params=FORMATS)
def golden(request: pytest.FixtureRequest, folder: Path) -> Path:
    """A copy of a golden store; what is checked out is open to others, what was made was not."""
    shutil.copytree(GOLDEN / request.param, folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return folder


def test_there_is_one_of_the_present_format_and_of_every_one_before() -> None:
    assert [str(number) for number in range(1, FORMAT + 1)] == FORMATS


def test_every_format_ever_released_is_read_as_it_was_said(golden: Path) -> None:
    with Store.open(golden) as store:
        assert store.read_only is None
        answers = [
            (entry.item, entry.value) for entry in store.entries(visit=make.VISIT) if entry.kind == "answer"
        ]
        assert answers == [
            ("text", 'Đà Lạt: "trích dẫn", \\ và một dòng\nkhác \u2028 🏢'),
            ("number", -(2**53 - 1)),
            ("yes", True),
            ("list", ["a", None, {"b": [0]}]),
            ("empty", ""),
            ("photo", {"sha256": answers[5][1]["sha256"], "size": 19, "name": "ảnh.jpg"}),
            ("yes", False),
        ]
        changed = [entry for entry in store.entries() if entry.item == "yes"]
        assert changed[1].base == changed[0].hash
        assert store.attachment(answers[5][1]["sha256"]) == b"not really a photo\n"
        places = [(document.doc_id, dict(document)) for document in store.db.table("places")]
        assert places == [(1, {"visit": make.VISIT, "item": "yes"}), (2, {"visit": "other"})]
        assert store.db.tables() == {"places"}
        assert {entry.who for entry in store.entries() if entry.item == "text"} == {"Kỹ thuật viên mẫu"}


def test_every_format_ever_released_is_verified_to_its_signature(golden: Path) -> None:
    found = verify(golden)
    assert found.verdict == "pass", found.checks
    assert {check.id for check in found.checks if check.severity == "pass"} >= {
        "key",
        "mark",
        "journal",
        "signature",
    }


def test_every_format_ever_released_is_gone_on_with_and_nothing_in_it_is_rewritten(golden: Path) -> None:
    before = (golden / "journal-000001.fkj").read_bytes()
    with Store.open(golden) as store:
        store.append(Draft("answer", visit=make.VISIT, item="text", value="hôm nay"))
    assert (golden / "journal-000001.fkj").read_bytes().startswith(before)
    assert verify(golden).verdict == "pass"


def test_this_release_writes_the_bytes_of_its_format(folder: Path) -> None:
    make.make(folder)
    golden = GOLDEN / str(FORMAT)
    made = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    kept = {path.relative_to(golden): path.read_bytes() for path in golden.rglob("*") if path.is_file()}
    assert made == kept

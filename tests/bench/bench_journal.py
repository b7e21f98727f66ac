"""The store against what it is built on and against its peers, each ratio from one run; gates nothing.

A "record" is what a forty-item checklist comes to, about 3.6 KB; fsync is whatever this disk's is.
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldkit.journal.entry import Draft
from fieldkit.journal.store import Store

pytestmark = pytest.mark.bench

MANY = 100_000


def record(number: int) -> dict[str, object]:
    """A synthetic record of forty answers."""
    return {
        f"item-{item:02d}": {"value": f"câu trả lời {number} {item}", "note": "đã kiểm tra tại chỗ" * 2}
        for item in range(40)
    }


BLOCK = 50


class Timed:
    """Milliseconds of many runs, in blocks that alternate with others': the disk's mood is everybody's.

    One by one they would also wait for what the file system has to do for each other's files.
    """

    def __init__(self, work: Callable[[int], object]) -> None:
        self.work = work
        self.took: list[float] = []

    def run(self, number: int) -> None:
        began = time.perf_counter()
        self.work(number)
        self.took.append(1000 * (time.perf_counter() - began))

    @property
    def median(self) -> float:
        return statistics.median(self.took)

    @property
    def p99(self) -> float:
        return sorted(self.took)[int(len(self.took) * 0.99)]


def alternate(*timed: Timed, times: int = 1500, warm: int = 100) -> None:
    for start in range(0, times + warm, BLOCK):
        for each in timed:
            for number in range(start, min(start + BLOCK, times + warm)):
                each.run(number)
    for each in timed:
        del each.took[:warm]


def test_one_durable_answer_against_a_bare_append_and_against_sqlite(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    ours = Timed(lambda number: store.append(Draft("answer", visit="v", item="i", value=record(number))))
    body = store.append(Draft("answer", visit="v", item="i", value=record(0)))
    line = bytes(next(store.lines(body.seq, body.seq))) + b"\n"

    bare_file = os.open(tmp_path / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def append(_: int) -> None:
        os.write(bare_file, line)
        os.fsync(bare_file)

    sqlite = sqlite3.connect(tmp_path / "sqlite.db", isolation_level=None)
    sqlite.execute("pragma journal_mode=wal")
    sqlite.execute("pragma synchronous=full")
    sqlite.execute("create table entry (seq integer primary key, body blob)")

    def insert(number: int) -> None:
        sqlite.execute("insert into entry (body) values (?)", (json.dumps(record(number)).encode(),))

    bare, database = Timed(append), Timed(insert)
    alternate(ours, bare, database)
    store.close()
    print(
        f"\ndurable answer, {len(line)} bytes: {ours.median:.3f} ms (p99 {ours.p99:.3f}, "
        f"{ours.p99 / ours.median:.1f}× median); bare append+fsync {bare.median:.3f} (p99 {bare.p99:.3f}, "
        f"{bare.p99 / bare.median:.1f}× median), ratio {ours.median / bare.median:.2f}; "
        f"SQLite WAL/FULL {database.median:.3f} (p99 {database.p99:.3f}), "
        f"ratio {ours.median / database.median:.2f}"
    )


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 100,000 records; made without waiting for the disk at each."""
    from tests.bench.journal_disk import Hurried

    folder = tmp_path_factory.mktemp("large") / "store"
    value = record(0)
    with Store.open(folder, files=Hurried()) as store:
        for number in range(MANY):
            store.append(Draft("answer", visit=f"v{number % 2000}", item="i", value=value))
    return folder


def test_an_answer_costs_the_same_in_a_large_store(tmp_path: Path, large: Path) -> None:
    value = record(1)
    with Store.open(tmp_path / "small") as small, Store.open(large) as full:
        for _ in range(100):
            small.append(Draft("answer", visit="v", item="i", value=value))
        few = Timed(lambda _: small.append(Draft("answer", visit="v", item="i", value=value)))
        many = Timed(lambda _: full.append(Draft("answer", visit="v", item="i", value=value)))
        alternate(few, many, times=300, warm=20)
        print(
            f"\nanswer at 100 entries {few.median:.3f} ms, at {MANY} {many.median:.3f} ms, "
            f"ratio {many.median / few.median:.2f}"
        )


OPEN = """
import gc, re, sys, time
from pathlib import Path
from fieldkit.journal.store import Store
from fieldkit.journal import checkpoint
folder = Path(sys.argv[1])
if sys.argv[2] == "cold":
    checkpoint.NAME = "none"
began, spent = time.perf_counter(), time.process_time()
store = Store.open(folder)
took, spent = time.perf_counter() - began, time.process_time() - spent
assert store.head().seq >= 100_000, store.head()
assert bool(store._log.resumed) == (sys.argv[2] == "warm")
began = time.perf_counter()
one = len(list(store.entries(visit="v7")))
found = time.perf_counter() - began
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
print(took, spent, found, peak)
"""

SCAN = """
import hashlib, sys, time
from binascii import crc32
from pathlib import Path
began, spent = time.perf_counter(), time.process_time()
total = 0
for path in sorted(Path(sys.argv[1]).glob("journal-*.fkj")):
    data = path.read_bytes()
    total += len(data)
    if sys.argv[2] == "read":
        continue
    at = 0
    while (end := data.find(b"\\n", at)) >= 0:
        body = data[at + 9 : end]
        if sys.argv[2] == "scan":
            assert data[at : at + 8] == b"%08x" % crc32(body)
            hashlib.sha256(body).hexdigest()
        else:
            msgspec_decode(body)
        at = end + 1
print(time.perf_counter() - began, time.process_time() - spent, total)
"""


def _timed(times: int, **runs: tuple[str, ...]) -> dict[str, list[float]]:
    """Of each run (its code and arguments) the least of every number it prints.

    Each is a process of its own; they take turns, so that the machine's mood is everybody's.
    """
    found: dict[str, list[float]] = {}
    for _ in range(times):
        for name, (code, *arguments) in runs.items():
            ran = subprocess.run(
                [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
            )
            numbers = [float(number) for number in ran.stdout.split()]
            found[name] = [min(pair) for pair in zip(found.get(name, numbers), numbers, strict=True)]
    return found


def test_opening_a_large_store_cold_and_from_the_checkpoint(large: Path) -> None:
    decode = "import msgspec, gc; gc.disable(); kept = []\n"
    decode += (
        "decoder = msgspec.json.Decoder()\nmsgspec_decode = lambda body: kept.append(decoder.decode(body))\n"
    )
    found = _timed(
        5,
        read=(SCAN, str(large), "read"),
        scan=(SCAN, str(large), "scan"),
        full=(decode + SCAN, str(large), "decode"),
        cold=(OPEN, str(large), "cold"),
        warm=(OPEN, str(large), "warm"),
    )
    read, _, total = found["read"]
    scan, scan_cpu, _ = found["scan"]
    full = found["full"][0]
    cold, cold_cpu, _, cold_peak = found["cold"]
    warm, _, visit, warm_peak = found["warm"]
    print(
        f"\n{MANY} records, {total / 1e6:.0f} MB: read {read:.2f} s, CRC and hash {scan:.2f} s, "
        f"msgspec {full:.2f} s\n"
        f"open cold {cold:.2f} s, ratio to CRC and hash {cold / scan:.2f} (of processor time "
        f"{cold_cpu / scan_cpu:.2f}), to reading {cold / read:.1f}, to msgspec {cold / full:.2f}, "
        f"peak {cold_peak:.0f} MB\n"
        f"open from the checkpoint {warm:.3f} s, one visit's {MANY // 2000} entries {visit * 1000:.1f} ms, "
        f"peak {warm_peak:.0f} MB"
    )


@pytest.mark.parametrize("documents", [100, 1_000, 10_000])
def test_tinydb_writes_against_its_json_storage(tmp_path: Path, documents: int) -> None:
    from tinydb import TinyDB, where

    with Store.open(tmp_path / "store") as store, TinyDB(tmp_path / "db.json") as peer:
        everything = [record(number) | {"number": number} for number in range(documents)]
        store.db.table("t").insert_multiple(everything)
        peer.table("t").insert_multiple(everything)
        ours = Timed(lambda number: store.db.table("t").insert(record(number)))
        theirs = Timed(lambda number: peer.table("t").insert(record(number)))
        for timed, times in ((ours, 200), (theirs, 5)):
            alternate(timed, times=times, warm=2)
        mended = Timed(lambda number: store.db.table("t").update({"state": number}, doc_ids=[number + 1]))
        asked = Timed(lambda number: store.db.table("t").search(where("number") == number))
        asked_theirs = Timed(lambda number: peer.table("t").search(where("number") == number))
        alternate(mended, times=50, warm=2)
        for timed in (asked, asked_theirs):
            alternate(timed, times=3, warm=1)
    print(
        f"\n{documents} documents: insert {ours.median:.2f} ms, JSONStorage {theirs.median:.0f} ms "
        f"({theirs.median / ours.median:.0f} times as long); update by id {mended.median:.2f} ms; "
        f"search {asked.median:.0f} ms against {asked_theirs.median:.0f} ms"
    )


def test_starting_to_use_the_store_costs_little() -> None:
    code = (
        "import sys, time, msgspec; began = time.perf_counter(); import fieldkit.journal.store;"
        "print(time.perf_counter() - began, 'tinydb' in sys.modules, 'cryptography' in sys.modules)"
    )
    took = []
    for _ in range(5):
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        took.append(float(ran.stdout.split()[0]))
        assert ran.stdout.split()[1:] == ["False", "False"]
    print(f"\nimporting fieldkit.journal.store: {1000 * min(took):.1f} ms besides msgspec")

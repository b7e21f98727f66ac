"""Checking a kit against `sha256sum` of the same files: how much the signature, the walk and Python cost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import clean_environment
from tests.kit.conftest import Office

pytestmark = pytest.mark.bench

ROUNDS = 7
# As a real kit has them: many small papers, some dozens of packages, a few large wheels.
SIZES = [2_000] * 40 + [60_000] * 30 + [500_000] * 30 + [3_000_000] * 15 + [20_000_000] * 2
LARGE = [size * 4 for size in SIZES]


def _best(work: Callable[[], object]) -> float:
    took = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return min(took)


@pytest.mark.parametrize("sizes", [SIZES, LARGE], ids=["one-platform", "four-platforms"])
def test_verify_against_sha256sum(tmp_path: Path, sizes: list[int]) -> None:
    office = Office(tmp_path)
    contents = {f"wheels/{number:03}.whl": os.urandom(size) for number, size in enumerate(sizes)}
    kit = office.make(tmp_path / "kit", contents)
    files = sorted(str(path) for path in kit.rglob("*") if path.is_file())
    environment = clean_environment(office.home)

    def verify() -> None:
        command = [sys.executable, "-m", "fieldkit", "kit", "verify", str(kit), "--json"]
        subprocess.run(command, check=True, capture_output=True, env=environment)

    def installer() -> None:
        code = (
            "import sys; from pathlib import Path; from fieldkit.kit import install;"
            "k = Path(sys.argv[1]); d = (k / 'manifest.json').read_bytes(); w, f = install.parse(d);"
            "assert install.genuine(bytes.fromhex(w['key']), d, (k / 'manifest.sig').read_bytes());"
            "assert not install.compare(k, f)"
        )
        subprocess.run([sys.executable, "-c", code, str(kit)], check=True)

    def peer() -> None:
        subprocess.run(["sha256sum", *files], check=True, capture_output=True)

    peer()  # the files are in memory for all of them
    limit = _best(peer)
    total = sum(sizes) / 1e6
    print(f"\nsha256sum, {len(files)} files, {total:.0f} MB: {limit * 1000:.0f} ms")
    for name, work in (("fieldkit kit verify", verify), ("install.py's own check", installer)):
        took = _best(work)
        print(f"{name}: {took * 1000:.0f} ms, {took / limit:.2f} of sha256sum")

"""`fieldkit demo --headless` is the whole road: its products stand up to tools that are not fieldkit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Ran


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One headless demo, for all tests of this file; its result and its home."""
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "fieldkit",
            "demo",
            "--headless",
            "--json",
            "--yes",
            "--home",
            folder / "home",
        ],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    result = Ran(done).result
    return result | {"home": folder / "home"}


def _record_verify(path: Path, home: Path) -> Ran:
    return Ran(
        subprocess.run(
            [sys.executable, "-m", "fieldkit", "record", "verify", path, "--json", "--home", home],
            capture_output=True,
            text=True,
        )
    )


def test_it_names_its_products_and_every_check_passed_or_says_why_not(demo: dict[str, Any]) -> None:
    for product in ("record", "signed", "bundle"):
        assert Path(demo[product]).is_file(), product
    verdicts = {check["verdict"] for check in demo["checks"]}
    assert "fail" not in verdicts
    assert all(check["detail"] for check in demo["checks"] if check["verdict"] == "not-checked")


@pytest.mark.parametrize("product", ["record", "signed"])
def test_pdfsig_calls_its_signatures_valid(demo: dict[str, Any], product: str) -> None:
    output = subprocess.run(["pdfsig", demo[product]], capture_output=True, text=True).stdout
    assert "Signature is Valid" in output


def test_record_verify_accepts_the_record(demo: dict[str, Any]) -> None:
    verified = _record_verify(Path(demo["record"]), demo["home"])
    assert verified.status == 0, verified.out
    assert verified.result["verdict"] == "pass"


@pytest.mark.parametrize("place", [0.02, 0.3, 0.6, 0.98])
def test_record_verify_refuses_the_record_after_any_change(
    demo: dict[str, Any], place: float, tmp_path: Path
) -> None:
    changed = bytearray(Path(demo["record"]).read_bytes())
    changed[int(len(changed) * place)] ^= 1
    copy = tmp_path / "changed.pdf"
    copy.write_bytes(changed)
    verified = _record_verify(copy, demo["home"])
    assert verified.status == 1, verified.out
    assert verified.document["ok"] is False or verified.result["verdict"] == "fail"


def test_the_bundle_waits_for_a_receipt(demo: dict[str, Any]) -> None:
    bundle = Path(demo["bundle"])
    done = subprocess.run(
        [sys.executable, "-m", "fieldkit", "sync", "status", bundle.parent, "--json", "--home", demo["home"]],
        capture_output=True,
        text=True,
    )
    assert bundle.name in json.dumps(Ran(done).result["waiting"])


def test_the_bundle_shows_nothing_of_the_visit_in_clear(demo: dict[str, Any]) -> None:
    content = Path(demo["bundle"]).read_bytes()
    assert demo["visit"].encode() not in content

"""The whole sample visit on Windows, from the empty token to the signed record and the bundle."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fieldkit.doctor.validators import PROGRAMS
from tests.conftest import REPOSITORY, Ran
from tests.windows.bed import COMPILER, Windows

HERE = Path(__file__).parent
MODULE = r"C:\Program Files\SoftHSM2\softhsm2.dll"
TOKEN = f"modules:\n  windows:\n    - {{path: '{MODULE}', known: confirmed, bits: 64}}\n"


class Sample(NamedTuple):
    """What `fieldkit demo --headless` said it made there, and its home on this machine."""

    windows: Windows
    program: Path
    home: Path
    result: dict[str, Any]

    def run(self, *arguments: str | Path, **more: str) -> Ran:
        return self.windows.run(self.program, *arguments, "--home", self.home, "--json", **more)

    def product(self, name: str) -> Path:
        place = self.result[name]
        assert place.startswith("C:\\")
        return self.windows.drive / place[3:].replace("\\", "/")


@pytest.fixture(scope="module")
def sample(windows: Windows, program: Path) -> Iterator[Sample]:
    """The sample visit, once for all tests of this file; SoftHSM2 is where programs of Windows are."""
    place = windows.drive / MODULE[3:].replace("\\", "/")
    shutil.copytree(windows.drive / "softhsm", place.parent, dirs_exist_ok=True)
    home = windows.drive / "demo"  # in ASCII, as SoftHSM2 needs the path of its tokens
    shutil.rmtree(home, ignore_errors=True)
    profiles = home / "profiles/tokens"
    profiles.mkdir(parents=True)
    (home / "sample-home").touch()
    known = (REPOSITORY / "profiles/tokens/softhsm2.yaml").read_text("utf-8")
    (profiles / "softhsm2.yaml").write_text(known.replace("modules:\n", TOKEN, 1), "utf-8")
    done = windows.run(program, "demo", "--headless", "--json", "--yes", "--home", home, timeout=300)
    assert done.status == 0, done.out + done.err
    yield Sample(windows, program, home, done.result)
    shutil.rmtree(home)
    shutil.rmtree(place.parent)


def test_every_check_passes_or_says_which_program_is_not_there(sample: Sample) -> None:
    verdicts = {check["id"]: check for check in sample.result["checks"]}
    assert "fail" not in {check["verdict"] for check in verdicts.values()}
    unmade = [check["detail"] for check in verdicts.values() if check["verdict"] == "not-checked"]
    assert any("pdfsig" in detail for detail in unmade), unmade
    assert all(unmade)
    assert sample.product("bundle").stat().st_size > 1000


@pytest.mark.parametrize("product", ["record", "signed"])
def test_what_was_signed_there_is_valid_here_and_shows_its_letters(sample: Sample, product: str) -> None:
    path = sample.product(product)
    judged = subprocess.run(["pdfsig", "-nocert", path], capture_output=True, text=True, encoding="utf-8")
    assert "Signature is Valid" in judged.stdout
    assert "not Valid" not in judged.stdout
    fonts = subprocess.run(["pdffonts", path], capture_output=True, text=True, encoding="utf-8").stdout
    rows = fonts.splitlines()[2:]
    assert rows
    assert all(row.split()[-5:-3] == ["yes", "yes"] for row in rows), fonts  # embedded, as a subset
    text = subprocess.run(["pdftotext", path, "-"], capture_output=True, text=True, encoding="utf-8").stdout
    assert "MẪU" in text


def test_other_programs_judge_where_path_names_them_and_are_said_to_be_absent_elsewhere(
    sample: Sample, tmp_path: Path
) -> None:
    # With a blank, and in ASCII: they are asked in English (LC_ALL=C), by which Wine reads names of files too
    others = sample.windows.drive / "Other programs"
    shutil.rmtree(others, ignore_errors=True)
    others.mkdir()
    built = tmp_path / "borrowed.exe"
    subprocess.run([COMPILER, "-municode", "-O1", "-o", built, HERE / "borrowed.c"], check=True)
    for name in PROGRAMS:
        shutil.copy(built, others / f"{name}.exe")
    record = sample.product("record")
    absent = words(sample.run("verify", record))
    for judge in ("pdfsig", "openssl", "mutool"):
        assert absent[judge] == f"not-checked: {judge} is not on this machine."
    here = {"WINEPATH": sample.windows.spelt(others)}
    present = words(sample.run("verify", record, **here))
    assert present["openssl"].startswith("pass"), present
    assert present["mutool"].startswith("pass"), present
    assert "it got no database" in present["pdfsig"], present  # NSS as a DLL, which no program here brings
    findings = {finding["id"]: finding for finding in sample.run("doctor", **here).result}
    for name in PROGRAMS:
        assert findings[f"validator-{name}"]["severity"] == "pass"
        assert "?" not in findings[f"validator-{name}"]["message"]  # its version was read
    shutil.rmtree(others)


def words(ran: Ran) -> dict[str, str]:
    """The last word of each judge on what was signed."""
    return {
        check["judge"]: f"{check['verdict']}: {check['detail']}"
        for check in ran.result["checks"]
        if check["id"].endswith("-integrity")
    }

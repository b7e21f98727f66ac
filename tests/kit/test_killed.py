"""Taking a kit's papers, killed at any instant: not taken, or finished by the next run."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldkit.driver import kit_packages
from fieldkit.home import Home, shipped
from fieldkit.kit import install, keys, load, stick, use
from fieldkit.kit.errors import KitBusy
from fieldkit.kit.manifest import DriverFiles
from fieldkit.kit.verify import verify
from tests.conftest import Run
from tests.kit.conftest import Office

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills a fork of this process")

MINE = b"services: []\n# mine\n"
PAPERS = {
    "profiles/services.yaml": b"services: []\n# head office's\n",
    "checklists/own.yaml": shipped("checklists").joinpath("survey.yaml").read_bytes(),
    "samples/letter.pdf": b"%PDF-1.7\n",
}
DEB = "packages/linux/one.deb"


@pytest.fixture
def kit(office: Office, home: Home) -> Path:
    """A kit with a new paper, one in the place of the home's own, and a driver's package."""
    home.profiles.mkdir(parents=True)
    (home.profiles / "services.yaml").write_bytes(MINE)
    drivers = (DriverFiles("softhsm2", "linux", "amd64", (DEB,)),)
    return office.make(office.folder / "papers", PAPERS | {DEB: b"1" * 100}, drivers=drivers)


def killed(work: Callable[[], object], instant: int) -> bool:
    """Do it in a process that is killed before its `instant`th rename or removal; whether it came to that."""
    child = os.fork()
    if not child:
        left = instant

        def count(event: str, _: object) -> None:
            nonlocal left
            if event in ("os.rename", "os.remove", "os.rmdir"):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        work()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0
        return False
    return True


def papers(home: Home) -> dict[str, bytes]:
    return {path: (home.path / path).read_bytes() for path in PAPERS if (home.path / path).is_file()}


def kept_aside(home: Home) -> list[bytes]:
    return [path.read_bytes() for path in (home.path / load.ASIDE).rglob("*") if path.is_file()]


def test_papers_whose_taking_was_killed_are_not_taken_or_finished_by_the_next_run(
    office: Office, home: Home, kit: Path
) -> None:
    before = home.path.with_name("before")
    shutil.copytree(home.path, before)
    outcomes = []
    while killed(lambda: load.load(load.prepare(kit, home), home), len(outcomes)):
        finished = load.finish(home)
        if finished is None and not keys.known(home):
            assert papers(home) == {"profiles/services.yaml": MINE}
            assert kit_packages.brought(home, "softhsm2") == ()
        else:
            assert papers(home) == PAPERS
            assert kept_aside(home) == [MINE]
            assert [path.read_bytes() for path in kit_packages.brought(home, "softhsm2")] == [b"1" * 100]
            assert keys.known(home) == {office.key}
        assert load.finish(home) is None
        load.load(load.prepare(kit, home), home)
        assert papers(home) == PAPERS
        assert not list((home.path / use.TAKEN).rglob("*.y*ml*"))
        outcomes.append(finished is not None)
        shutil.rmtree(home.path)
        shutil.copytree(before, home.path)
    assert True in outcomes
    assert False in outcomes


def test_finishing_that_is_killed_too_is_finished_by_the_run_after_it(
    office: Office, home: Home, kit: Path
) -> None:
    taking = home.path.with_name("taking")
    instant = 0
    while not home.agreed.exists():
        assert killed(lambda: load.load(load.prepare(kit, home), home), instant)
        instant += 1
    shutil.copytree(home.path, taking)
    again = 0
    while killed(lambda: load.finish(home), again):
        load.finish(home)
        assert papers(home) == PAPERS
        assert kept_aside(home) == [MINE]
        assert keys.known(home) == {office.key}
        shutil.rmtree(home.path)
        shutil.copytree(taking, home.path)
        again += 1
    assert again > len(PAPERS)


def test_whatever_is_run_next_finishes_it_and_says_so(fieldkit: Run, home: Home, kit: Path) -> None:
    instant = 0
    while not home.agreed.exists() or papers(home)["profiles/services.yaml"] != MINE:
        assert killed(lambda: load.load(load.prepare(kit, home), home), instant)
        instant += 1
    listed = fieldkit("checklist", "list", "--json")
    assert "own" in listed.out
    assert "broken off" in listed.err
    assert papers(home) == PAPERS
    assert fieldkit("checklist", "list", "--json").err == ""


def test_papers_that_cannot_be_put_in_their_places_leave_the_home_as_it_was(home: Home, kit: Path) -> None:
    (home.path / "samples/letter.pdf").mkdir(parents=True)  # nothing can be renamed over it
    (home.path / "samples/letter.pdf/mine").write_bytes(b"mine")
    loading = load.prepare(kit, home)
    with pytest.raises(OSError, match=r"letter\.pdf"):
        load.load(loading, home)
    assert load.finish(home) is None
    assert papers(home) == {"profiles/services.yaml": MINE}
    assert (home.path / "samples/letter.pdf/mine").read_bytes() == b"mine"
    assert kept_aside(home) == []
    assert not keys.known(home)
    assert kit_packages.brought(home, "softhsm2") == ()


def test_what_still_cannot_be_finished_is_named_and_stays_to_be_finished(home: Home, kit: Path) -> None:
    instant = 0
    while not home.agreed.exists():
        assert killed(lambda: load.load(load.prepare(kit, home), home), instant)
        instant += 1
    (home.path / "samples/letter.pdf").mkdir(parents=True)
    (home.path / "samples/letter.pdf/mine").write_bytes(b"mine")
    said = load.finish(home)
    assert said is not None
    assert "samples/letter.pdf" in str(said)
    assert "checklists/own.yaml" not in str(said)  # it is there
    shutil.rmtree(home.path / "samples/letter.pdf")
    assert load.finish(home) is not None
    assert papers(home) == PAPERS


@pytest.mark.parametrize("lost", ["samples/letter.pdf", "profiles/services.yaml"])
def test_a_paper_that_was_lost_on_the_way_is_named_as_not_in_its_place_and_the_kit_taken_anew(
    home: Home, kit: Path, lost: str
) -> None:
    instant = 0
    while not home.agreed.exists():
        assert killed(lambda: load.load(load.prepare(kit, home), home), instant)
        instant += 1
    (home.agreed.parent / lost).unlink()
    assert lost in str(load.finish(home))
    assert lost in str(load.finish(home))
    load.load(load.prepare(kit, home), home)
    assert papers(home) == PAPERS
    assert load.finish(home) is None


def test_a_list_of_what_was_agreed_that_cannot_be_read_is_said_and_the_kit_taken_anew(
    home: Home, kit: Path
) -> None:
    instant = 0
    while not home.agreed.exists():
        assert killed(lambda: load.load(load.prepare(kit, home), home), instant)
        instant += 1
    home.agreed.write_bytes(b'{"new": ["prof')
    assert "fieldkit kit load" in str(load.finish(home))
    load.load(load.prepare(kit, home), home)
    assert papers(home) == PAPERS
    assert load.finish(home) is None


def test_of_two_that_take_from_kits_at_once_the_second_is_told_to_wait(home: Home, kit: Path) -> None:
    loading = load.prepare(kit, home)
    with use.alone(home):
        with pytest.raises(KitBusy):
            load.load(loading, home)
        with pytest.raises(KitBusy):
            use.packages(kit, "softhsm2", home)
    assert papers(home) == {"profiles/services.yaml": MINE}
    load.load(loading, home)
    assert papers(home) == PAPERS


def test_a_kit_whose_last_step_was_killed_is_whole_or_none(office: Office, home: Home) -> None:
    folder = office.folder / "stick"
    instant = whole = 0
    while killed(lambda: office.make(folder, PAPERS), instant):
        if (folder / install.MANIFEST).exists():
            assert verify(folder, home).good
            whole += 1
        shutil.rmtree(folder)
        instant += 1
    assert verify(folder, home).good
    assert not (folder / stick.BUILDING).exists()
    for earlier in range(instant):  # a later kit in its place, of which one file is another
        killed(lambda: office.make(folder, PAPERS | {"samples/letter.pdf": b"%PDF-1.6\n"}), earlier)
        office.make(folder, PAPERS)
        assert verify(folder, home).good

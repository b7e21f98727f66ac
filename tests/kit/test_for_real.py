"""A whole kit, built from PyPI and Debian's packages, then installed and used with no network at all.

One build serves all of these tests, whichever process runs them; what is installed as root is installed in a
machine of its own, a layer over this one that vanishes.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fieldkit.home import Home
from fieldkit.sample.authority import create
from tests.conftest import Ran, clean_environment
from tests.driver.machine import Machine
from tests.services import serving

PYTHON = "/usr/bin/python3"  # Debian's own: no pip, no ensurepip
NOWHERE = ("unshare", "--net")
CHOICE = ("--driver", "softhsm2", "--driver", "opensc", "--bureau", "MAU-01", "--bureau", "MAU-03")


class HeadOffice:
    """A home that builds kits, and what it built."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "office")
        self.folder = folder

    def twin(self, folder: Path) -> HeadOffice:
        """The same office, device key and all, in another folder: what it fetched is there already."""
        made = HeadOffice(folder)
        for name in ("store", "kit-cache/wheels", "kit-cache/packages"):
            shutil.copytree(self.home.path / name, made.home.path / name)
        if (self.home.path / "kit-cache/made.json").exists():
            shutil.copy(self.home.path / "kit-cache/made.json", made.home.path / "kit-cache")
        return made

    def fieldkit(self, *arguments: str | Path, before: tuple[str, ...] = (), **more: str) -> Ran:
        command = [*before, sys.executable, "-m", "fieldkit", *map(str, arguments)]
        return Ran(
            subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=170,
                cwd=self.folder,
                env=clean_environment(self.home) | {"PIP_RETRIES": "0"} | more,
                stdin=subprocess.DEVNULL,
            )
        )

    def own_wheel(self) -> bytes:
        return next((self.home.path / "kit-cache/own").glob("*.whl")).read_bytes()

    def build(self, name: str, *choice: str, before: tuple[str, ...] = (), **more: str) -> Ran:
        arguments = ("kit", "build", self.folder / name, *choice, "--yes", "--json")
        return self.fieldkit(*arguments, before=before, **more)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Only one of the processes that run these tests is in here."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this session, whichever process a test runs in."""
    if subprocess.run([*NOWHERE, "true"], capture_output=True).returncode or not shutil.which("apt-get"):
        pytest.skip("needs apt and a network namespace of its own")
    recent = [PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    if not Path(PYTHON).exists() or subprocess.run(recent).returncode:
        pytest.skip("needs the system's Python 3.11 or newer")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "kit-for-real"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def office(together: Path) -> HeadOffice:
    return HeadOffice(together)


@pytest.fixture(scope="session")
def kit(office: HeadOffice) -> Path:
    """The kit, built once, for the system's Python and this one."""
    made = office.folder / "stick"
    with _alone(office.folder):
        if not (made / "manifest.json").exists():
            versions = sorted({f"3.{sys.version_info.minor}", _version(PYTHON)})
            choice = (*CHOICE, *(f"--python={version}" for version in versions))
            done = office.build("stick", *choice)
            if done.status == 4 and done.error["code"] == "package-lists-outdated":
                subprocess.run(["apt-get", "update", "-qq"], check=True)
                done = office.build("stick", *choice)
            assert done.status == 0, done.err + done.out
    return made


def _pythons(kit: Path) -> list[str]:
    return sorted({f"--python={target['python']}" for target in _manifest(kit)["targets"]})


def _version(python: str) -> str:
    code = "import sys; print('{}.{}'.format(*sys.version_info))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def _pythons(kit: Path) -> list[str]:
    return [f"--python={target['python']}" for target in _manifest(kit)["targets"]]


def _bare(folder: Path) -> dict[str, str]:
    """An environment that knows nothing of this checkout, its packages or its registries."""
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder), "FIELDKIT_LANG": "en"}


class Technician:
    """A machine's user who has only the stick and the system's Python, and no network."""

    def __init__(self, folder: Path, kit: Path) -> None:
        self.folder = folder
        self.kit = kit
        self.target = folder / "program"
        self.home = folder / "home"

    def run(self, *argv: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*NOWHERE, *map(str, argv)],
            capture_output=True,
            text=True,
            timeout=170,
            cwd=self.folder,
            env=_bare(self.folder),
            stdin=subprocess.DEVNULL,
        )

    def install(self, *options: str, kit: Path | None = None) -> subprocess.CompletedProcess[str]:
        where = ("--target", str(self.target), "--home", str(self.home))
        return self.run(PYTHON, "-I", (kit or self.kit) / "install.py", *where, *options)

    @property
    def python(self) -> Path:
        """The Python of what is installed."""
        return next((self.target / "versions").glob("*/bin/python"))

    def fieldkit(self, *arguments: str | Path) -> Ran:
        return Ran(self.run(self.target / "bin/fieldkit", "--home", self.home, *arguments))


@pytest.fixture(scope="session")
def installed(kit: Path, together: Path) -> Technician:
    """A technician who installed from the kit, once."""
    technician = Technician(together / "technician", kit)
    with _alone(together):
        if not technician.target.exists():
            technician.folder.mkdir(exist_ok=True)
            done = technician.install("--yes")
            assert done.returncode == 0, done.stdout + done.stderr
    return technician


def _manifest(kit: Path) -> dict[str, Any]:
    found = json.loads((kit / "manifest.json").read_bytes())
    assert isinstance(found, dict)
    return found


def test_the_kit_holds_programs_drivers_papers_and_nothing_of_other_bureaus(
    office: HeadOffice, kit: Path
) -> None:
    assert office.fieldkit("kit", "verify", kit, "--json").status == 0
    manifest = _manifest(kit)
    assert manifest["bureaus"] == ["MAU-01", "MAU-03"]
    drivers = {driver["profile"]: driver for driver in manifest["drivers"]}
    assert set(drivers) == {"opensc", "softhsm2"}
    names = {path.rpartition("/")[2].partition("_")[0] for path in drivers["softhsm2"]["files"]}
    assert {"softhsm2", "libsofthsm2", "softhsm2-common", "libc6", "libssl3"} <= names
    files = {file["path"] for file in manifest["files"]}
    assert {"install.py", "profiles/plan/sample.yaml", "checklists/handover.yaml"} <= files
    assert "samples/sample-letter.pdf" in files
    for path in kit.rglob("*.yaml"):
        assert "MAU-02" not in path.read_text("utf-8")


@pytest.mark.parametrize("profile", ["opensc", "softhsm2"])
def test_the_drivers_packages_need_nothing_that_is_not_in_the_kit(
    kit: Path, tmp_path: Path, profile: str
) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "status").touch()  # a machine with no package at all, and no source of any
    options = [
        f"Dir::State::status={tmp_path / 'status'}",
        f"Dir::State::lists={tmp_path / 'lists'}",
        "Dir::Etc::sourcelist=/dev/null",
        "Dir::Etc::sourceparts=/dev/null",
        "Dir::Cache::pkgcache=",
        "Dir::Cache::srcpkgcache=",
        "Debug::NoLocking=1",
    ]
    driver = next(each for each in _manifest(kit)["drivers"] if each["profile"] == profile)
    files = [str(kit / path) for path in driver["files"]]
    command = ["apt-get", "install", "--simulate", *(f"-o{option}" for option in options)]
    told = subprocess.run([*command, *files], capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr
    assert f"{len(files)} newly installed" in told.stdout
    lacking = subprocess.run([*command, *files[1:]], capture_output=True, text=True)
    assert lacking.returncode != 0


def test_with_everything_fetched_the_same_inputs_give_the_same_manifest_without_a_network(
    office: HeadOffice, kit: Path, tmp_path: Path
) -> None:
    twin = office.twin(tmp_path)
    done = twin.build("again", *CHOICE, *_pythons(kit), before=NOWHERE)
    assert done.status == 0, done.out + done.err
    if twin.own_wheel() != office.own_wheel():
        pytest.skip("fieldkit's own source changed between the two builds")
    for name in ("manifest.json", "manifest.sig"):
        assert (tmp_path / "again" / name).read_bytes() == (kit / name).read_bytes()


def test_packages_that_were_not_fetched_yet_cannot_be_had_without_a_network_and_the_stick_is_left_alone(
    office: HeadOffice, kit: Path, tmp_path: Path
) -> None:
    twin = office.twin(tmp_path)
    shutil.rmtree(twin.home.path / "kit-cache/packages/archives")
    done = twin.build("stick", *CHOICE, *_pythons(kit), before=NOWHERE)
    assert (done.status, done.error["code"]) == (4, "no-network")
    assert not (tmp_path / "stick").exists()


def test_a_network_that_answers_everything_with_its_own_page_gives_no_wheels(
    office: HeadOffice, kit: Path, tmp_path: Path
) -> None:
    twin = office.twin(tmp_path)
    shutil.rmtree(twin.home.path / "kit-cache/wheels")
    with serving(create(tmp_path / "authority"), "captive") as portal:
        page = {"PIP_INDEX_URL": portal.crl, "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
        done = twin.build("stick", *CHOICE, *_pythons(kit), **page)
    assert (done.status, done.error["code"]) == (4, "kit-wheels")
    assert not (tmp_path / "stick").exists()


@pytest.mark.soak  # pip asks each registry's name until it gives up
def test_wheels_that_were_not_fetched_yet_cannot_be_had_without_a_network_and_the_stick_is_left_alone(
    office: HeadOffice, kit: Path, tmp_path: Path
) -> None:
    twin = office.twin(tmp_path)
    done = twin.build("stick", *CHOICE, "--python=3.12", "--python=3.13", before=NOWHERE)
    assert (done.status, done.error["code"]) == (4, "kit-wheels")
    assert done.error["detail"]
    assert not (tmp_path / "stick").exists()


@pytest.mark.soak
def test_what_was_fetched_and_damaged_meanwhile_is_fetched_again(
    office: HeadOffice, kit: Path, tmp_path: Path
) -> None:
    twin = office.twin(tmp_path)
    cache = twin.home.path / "kit-cache"
    damaged = [next(cache.glob("packages/archives/softhsm2_*.deb")), next(cache.glob("wheels/*/click-*.whl"))]
    whole = {path: path.read_bytes() for path in damaged}
    for path, content in whole.items():
        path.write_bytes(content[:1000])
    done = twin.build("mended", *CHOICE, *_pythons(kit))
    assert done.status == 0, done.out + done.err
    assert {path: path.read_bytes() for path in whole} == whole


def test_the_installer_asks_first_and_takes_no_other_fingerprint(kit: Path, tmp_path: Path) -> None:
    technician = Technician(tmp_path, kit)
    assert technician.install().returncode == 3
    other = technician.install("--yes", "--fingerprint", "0" * 64)
    assert other.returncode == 3
    assert technician.install("--check").returncode == 0
    assert not technician.target.exists()
    assert not technician.home.exists()


def test_the_installer_uses_nothing_of_a_kit_that_is_not_as_it_was_signed(kit: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(kit, copy)
    technician = Technician(tmp_path, copy)
    wheel = next((copy / "wheels").glob("msgspec-*.whl"))
    content = bytearray(wheel.read_bytes())
    content[len(content) // 2] ^= 1
    wheel.write_bytes(content)
    (copy / "wheels/extra-1.0-py3-none-any.whl").touch()
    done = technician.install("--yes")
    assert done.returncode == 1
    assert f"changed: wheels/{wheel.name}" in done.stdout
    assert "added: wheels/extra-1.0-py3-none-any.whl" in done.stdout
    data = (copy / "manifest.json").read_bytes()
    (copy / "manifest.json").write_bytes(data.replace(b"MAU-03", b"MAU-99"))
    done = technician.install("--yes")
    assert (done.returncode, "signature is wrong" in done.stderr) == (1, True)
    assert not technician.target.exists()


def test_what_is_installed_is_the_kits_and_its_papers_are_in_the_home(installed: Technician) -> None:
    done = installed.fieldkit("kit", "verify", installed.kit, "--json")
    assert done.status == 0
    assert {check["verdict"] for check in done.result["checks"]} == {"pass"}  # the key is known now, too
    code = "import fieldkit, sys; print(fieldkit.__file__); print(*sys.path)"
    told = installed.run(installed.python, "-c", code).stdout
    assert str(installed.target) in told.splitlines()[0]
    assert "/work" not in told.replace(str(installed.folder), "")
    shown = installed.fieldkit("plan", "show", "--json")
    assert shown.status == 0
    assert "MAU-02" not in shown.out
    assert "MAU-03" in shown.out


def test_a_whole_sample_visit_runs_from_the_installed_kit_without_a_network(installed: Technician) -> None:
    done = installed.fieldkit("demo", "--headless", "--home", installed.folder / "demo", "--json")
    assert done.status == 0, done.out + done.err
    assert Path(done.result["signed"]).is_file()
    assert Path(done.result["bundle"]).is_file()


def test_an_installation_that_fails_leaves_nothing(installed: Technician, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(full)]).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        done = installed.run(
            PYTHON, "-I", installed.kit / "install.py", "--target", full / "program", "--yes"
        )
        assert done.returncode == 1
        assert not list(full.iterdir())
    finally:
        subprocess.run(["umount", str(full)], check=True)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path, "1g")
    if not made.works:
        pytest.skip("needs a layered machine of its own")
    yield made
    made.close()


@pytest.mark.parametrize(
    "more",
    [
        (),
        # with it goes all that speaks to readers (Java, where it is); package sources know this very version
        pytest.param(("libpcsclite1",), marks=pytest.mark.soak),
    ],
    ids=["driver", "library"],
)
def test_a_driver_that_was_removed_comes_back_from_the_kit_without_a_network(
    installed: Technician, machine: Machine, more: tuple[str, ...]
) -> None:
    ours = ("opensc", "opensc-pkcs11", "pcscd", "libccid", *more)
    removed = machine.run("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "purge", "--yes", *ours)
    assert removed.returncode == 0, removed.stderr
    assert {machine.state(name) for name in ours} == {""}
    program = (installed.target / "bin/fieldkit", "--home", installed.home)
    command = (*program, "driver", "install", "opensc", "--kit", installed.kit, "--json")
    asked = Ran(machine.run(*command, network=False))
    assert (asked.status, asked.error["code"]) == (3, "not-consented")
    assert {machine.state(name) for name in ours} == {""}
    done = Ran(machine.run(*command, "--yes", network=False))
    assert done.status == 0, done.out + done.err
    assert done.result["installed"] == "now"
    assert {machine.state(name) for name in ours} == {"ii"}


def test_a_visits_driver_step_installs_from_what_the_kit_left_without_stick_or_network(
    installed: Technician, machine: Machine
) -> None:
    machine.run("apt-get", "purge", "--yes", "softhsm2", "libsofthsm2", "softhsm2-common")
    program = (installed.target / "bin/fieldkit", "--home", installed.home)
    started = Ran(
        machine.run(*program, "visit", "start", "--bureau", "MAU-01", "--checklist", "handover", "--json")
    )
    assert started.status == 0, started.out + started.err
    machine.run("mount", "-t", "tmpfs", "tmpfs", installed.kit)  # the stick is not there any more
    done = machine.run(
        *program, "visit", "run", started.result["visit"], "driver", "--yes", "--json", network=False
    )
    assert machine.state("softhsm2") == "ii", done.stdout + done.stderr


def test_a_wheel_packed_again_from_the_installed_files_installs_and_is_the_same_each_time(
    installed: Technician,
) -> None:
    code = (
        "import pathlib, sys; from fieldkit.kit import own_wheel as own; assert own.checkout() is None;"
        "print(own.make(pathlib.Path(sys.argv[1])))"
    )
    python = installed.python
    made = [
        Path(installed.run(python, "-c", code, installed.folder / name).stdout.strip())
        for name in ("one", "two")
    ]
    assert made[0].read_bytes() == made[1].read_bytes()
    fresh = installed.folder / "fresh"
    installed.run(PYTHON, "-m", "venv", "--without-pip", "--system-site-packages", fresh)
    pip = installed.run(
        python, "-m", "pip", "install", "--no-index", "--no-deps", "--target", fresh / "x", made[0]
    )
    assert pip.returncode == 0, pip.stderr
    there = {path.relative_to(fresh / "x") for path in (fresh / "x/fieldkit").rglob("*.py")}
    site = next((installed.target / "versions").glob("*/lib/python*/site-packages"))
    assert there == {path.relative_to(site) for path in (site / "fieldkit").rglob("*.py")}
    assert os.listdir(fresh / "x/fieldkit/share/profiles")


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_kit_for_three_pythons_on_four_platforms_has_what_each_needs(
    office: HeadOffice, tmp_path: Path
) -> None:
    platforms = ("linux-x86_64", "linux-arm64", "windows-x86_64", "macos-arm64")
    options = [f"--platform={name}" for name in platforms] + [f"--python=3.{minor}" for minor in (11, 12, 13)]
    command = [sys.executable, "-m", "fieldkit", "kit", "build", str(tmp_path / "wide"), *CHOICE, *options]
    done = subprocess.run(
        [*command, "--yes", "--json"], capture_output=True, text=True, env=clean_environment(office.home)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    targets = _manifest(tmp_path / "wide")["targets"]
    assert len(targets) == 12
    for target in targets:
        names = {path.rpartition("/")[2].partition("-")[0].lower() for path in target["wheels"]}
        assert {"fieldkit", "pip", "cryptography", "typst", "pyrage"} <= names
        assert ("tzdata" in names) == target["platform"].startswith("windows")
    for minor in (12, 13):
        python = next(Path("/root/.pyenv/versions").glob(f"3.{minor}.*/bin/python3"), None)
        if python is None:
            continue
        technician = Technician(tmp_path, tmp_path / "wide")
        where = ("--target", tmp_path / f"p{minor}", "--home", tmp_path / f"h{minor}", "--yes")
        assert technician.run(python, tmp_path / "wide/install.py", *where).returncode == 0
        demo = ("demo", "--headless", "--home", tmp_path / f"d{minor}", "--json")
        assert technician.run(tmp_path / f"p{minor}/bin/fieldkit", *demo).returncode == 0

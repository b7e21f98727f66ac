"""The kit on Windows: installed from and into folders with any name, again over itself, and only if whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldkit.kit.manifest import Target
from tests.conftest import Ran
from tests.kit.conftest import Office
from tests.kit.test_install import INSTALLER, own_wheel, pip_wheel
from tests.windows.bed import Windows
from tests.windows.conftest import OnWindows

PIP = "wheels/pip-1.0-py3-none-any.whl"


class Laptop:
    """A technician's PC: a folder for programs, and kits with a fieldkit of a few lines."""

    def __init__(self, windows: Windows, folder: Path, office: Office) -> None:
        self.windows = windows
        self.folder = folder
        self.office = office
        self.target = folder / "Chương trình"

    def kit(self, release: str) -> Path:
        wheel = f"wheels/fieldkit-{release}-py3-none-any.whl"
        contents = {"install.py": INSTALLER.read_bytes(), wheel: own_wheel(release), PIP: pip_wheel()}
        targets = (Target("3.11", "windows-x86_64", (wheel,)),)
        return self.office.make(self.folder / f"Bộ cài {release}", contents, pip=PIP, targets=targets)

    def command(self, kit: Path, *options: str) -> tuple[str | Path, ...]:
        where = ("--target", self.target, "--home", self.folder / "home")
        return (r"C:\python\python.exe", "-I", kit / "install.py", *where, *options)

    def install(self, kit: Path, *options: str, **more: str) -> Ran:
        return self.windows.run(*self.command(kit, *options), **more)

    def release(self) -> str:
        """What the program that is installed says it is."""
        return self.windows.run(self.target / "Scripts/fieldkit.exe").out.split()[0]


@pytest.fixture
def laptop(windows: Windows, folder: Path, tmp_path: Path) -> Laptop:
    return Laptop(windows, folder, Office(tmp_path))


def test_this_commits_kit_installs_between_folders_with_vietnamese_names(
    fieldkit: OnWindows, program: Path
) -> None:
    assert " " in str(program)
    assert not str(program).isascii()
    assert fieldkit("--version").status == 0
    left = {path.name for path in program.parent.parent.iterdir()}
    assert left == {"fieldkit-kit.json", "Scripts", "versions"}


def test_broken_off_over_itself_the_old_one_starts_and_repeated_nothing_is_left_over(laptop: Laptop) -> None:
    assert laptop.install(laptop.kit("1.0"), "--yes").status == 0
    newer = laptop.kit("2.0")
    versions = laptop.target / "versions"
    with laptop.windows.start(*laptop.command(newer, "--yes")) as child:
        assert child.stdout is not None
        while not (versions / "2/.wheels").exists():
            assert child.poll() is None
        child.kill()
    assert laptop.release() == "1.0"
    done = laptop.install(newer, "--yes", FIELDKIT_LANG="vi")
    assert done.status == 0, done.out + done.err
    assert "xóa những gì lần cài trước để lại" in done.out
    assert laptop.release() == "2.0"
    assert len(list(versions.iterdir())) == 1
    assert [path.name for path in (laptop.target / "Scripts").iterdir()] == ["fieldkit.exe"]


def test_nobody_there_to_agree_nothing_is_installed(laptop: Laptop) -> None:
    done = laptop.install(laptop.kit("1.0"))
    assert (done.status, "Add --yes" in done.err) == (3, True)
    assert not laptop.target.exists()


def _change(kit: Path) -> str:
    path = kit / PIP
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    return PIP


def _add(kit: Path) -> str:
    (kit / "Thêm vào.txt").write_text("", encoding="utf-8")
    return "Thêm vào.txt"


def _lose(kit: Path) -> str:
    (kit / PIP).unlink()
    return PIP


FAULTS: dict[str, tuple[Callable[[Path], str], str]] = {
    "changed": (_change, "đã bị thay đổi: "),
    "added": (_add, "không thuộc bộ cài: "),
    "missing": (_lose, "thiếu: "),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("country", ["vi_VN", "en_US"])  # code pages 1258 and 1252
def test_a_kit_that_was_tampered_with_is_refused_in_vietnamese_whatever_the_code_page(
    laptop: Laptop, fault: str, country: str
) -> None:
    kit = laptop.kit("1.0")
    tamper, words = FAULTS[fault]
    path = tamper(kit)
    done = laptop.install(kit, "--yes", "--lang", "vi", LC_ALL=f"{country}.UTF-8")
    assert done.status == 1
    assert words + path in done.out
    assert "Chưa cài gì cả" in done.err
    assert not laptop.target.exists()


def test_kit_verify_names_each_file_that_is_not_as_it_was_made(laptop: Laptop, fieldkit: OnWindows) -> None:
    kit = laptop.kit("1.0")
    assert fieldkit("kit", "verify", kit, "--json").result["problems"] == []
    expected = [{"kind": "added", "path": _add(kit)}, {"kind": "changed", "path": _change(kit)}]
    shutil.move(kit / "install.py", laptop.folder)
    expected.append({"kind": "missing", "path": "install.py"})
    ran = fieldkit("kit", "verify", kit, "--json", "--lang", "vi")
    problems = [
        {"kind": problem["kind"], "path": problem["path"]} for problem in ran.document["result"]["problems"]
    ]
    assert ran.status == 1
    assert sorted(problems, key=lambda problem: problem["kind"]) == expected

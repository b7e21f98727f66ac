"""The store on Windows: what was acknowledged is there, whoever ends the program or holds its files open."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.windows import writer
from tests.windows.bed import Windows
from tests.windows.conftest import OnWindows

PYTHON = r"C:\python\python.exe"
WRITER = Path(writer.__file__)
# As a virus scanner may: open, and sharing no deletion. `alone` shares nothing at all.
SCANNER = """\
import ctypes, msvcrt, sys
from ctypes import wintypes
create = ctypes.windll.kernel32.CreateFileW
create.restype, create.argtypes = wintypes.HANDLE, [wintypes.LPCWSTR, *[wintypes.DWORD] * 2, wintypes.LPVOID]
create.argtypes += [*[wintypes.DWORD] * 2, wintypes.HANDLE]
shared = {"sharing": 3, "alone": 0}[sys.argv[1]]
held = [create(path, 0x80000000, shared, None, 3, 0, None) for path in sys.argv[2:]]
assert wintypes.HANDLE(-1).value not in held
print("held", flush=True)
sys.stdin.read()
"""

Saying = dict[str, Any]


class Writer:
    """One run of writer.py under Windows."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.lines: list[Saying] = []

    def hear(self) -> Saying:
        """The next line; AssertionError if it ended without one."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr and self.process.stderr.read().decode()
        self.lines.append(json.loads(line))
        return self.lines[-1]

    def answer(self) -> Saying:
        """Have it give one more answer; what it says of it."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        return self.hear()

    def kill(self) -> None:
        self.process.kill()
        self.end()

    def end(self) -> None:
        out, _ = self.process.communicate(timeout=60)
        self.lines += [json.loads(line) for line in out.splitlines()]

    @property
    def saved(self) -> set[str]:
        return {str(line["saved"]) for line in self.lines if "saved" in line}

    @property
    def held(self) -> dict[str, str]:
        """What the store held when it was opened."""
        return {} if not self.lines else dict(self.lines[0]["answers"])


StartWriter = Callable[..., Writer]


@pytest.fixture
def home(folder: Path) -> Path:
    return folder / "home"


@pytest.fixture
def packages(program: Path) -> Path:
    """Where the kit installed fieldkit and what it needs."""
    return next((program.parent.parent / "versions").glob("*/Lib/site-packages"))


@pytest.fixture
def start(windows: Windows, packages: Path, home: Path) -> Iterator[StartWriter]:
    """Start writer.py, in a process that itself writes: whoever ends it ends a save."""
    started: list[Writer] = []

    def run(first: int = 0, *each: str, store: str | Path = home / "store") -> Writer:
        path = {"PYTHONPATH": windows.spelt(packages)}
        process = windows.start(PYTHON, WRITER, store, str(first), *each, **path)
        started.append(Writer(process))
        return started[-1]

    yield run
    for one in started:
        if one.process.poll() is None:
            one.kill()


@pytest.fixture
def scanner(windows: Windows) -> Callable[..., contextlib.AbstractContextManager[None]]:
    """Within it, another program holds these files open: `with scanner(path, ...)`."""

    @contextlib.contextmanager
    def hold(*paths: Path, how: str = "sharing") -> Iterator[None]:
        with windows.start(PYTHON, "-c", SCANNER, how, *paths) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            assert process.stdout.readline().strip() == b"held"
            yield
            process.stdin.close()

    return hold


Scanner = Callable[..., contextlib.AbstractContextManager[None]]


@pytest.fixture
def visit(fieldkit: OnWindows) -> str:
    """A visit that was begun, with its name."""
    begun = fieldkit(
        "visit", "start", "--bureau", "MAU-01", "--checklist", "handover", "--who", "Mẫu", "--json"
    )
    return str(begun.result["visit"])


def test_what_was_acknowledged_is_there_after_a_kill_at_any_instant(
    start: StartWriter, fieldkit: OnWindows
) -> None:
    random = Random(11)
    acknowledged: set[str] = set()
    first = 0
    for number in range(8):
        ours = start(first)
        if number % 2:
            ours.hear()
            time.sleep(random.random() * 0.4)
        else:
            time.sleep(random.random() * 1.2)  # while it starts, and opens the store
        ours.kill()
        if ours.lines:
            assert ours.lines[0]["read_only"] == ""
            assert acknowledged <= ours.held.keys()
        assert not any("refused" in line for line in ours.lines)
        acknowledged |= ours.saved
        first += 10_000
    last = start(first, "each")
    last.hear()
    assert len(acknowledged) > 20
    assert acknowledged <= last.held.keys()
    assert last.held == {name: writer.value(int(name)) for name in last.held}
    last.end()
    assert fieldkit("store", "verify", "--json").result["verdict"] == "pass"


def test_a_second_instance_can_only_read_and_says_so(
    start: StartWriter, fieldkit: OnWindows, visit: str
) -> None:
    first = start(0, "each")
    assert first.hear()["read_only"] == ""
    second = start(500, "each")
    assert "Another fieldkit" in second.hear()["read_only"]
    assert second.answer()["code"] == "store-read-only"
    ran = fieldkit("visit", "note", visit, "Ghi chú", "--json")
    assert (ran.status, ran.error["code"]) == (3, "store-read-only")
    assert fieldkit("visit", "show", visit, "--json").status == 0
    assert first.answer() == {"saved": 0}
    first.kill()
    assert fieldkit("visit", "note", visit, "Ghi chú", "--json").status == 0


def test_an_attached_file_is_kept_and_is_in_the_export(
    fieldkit: OnWindows, folder: Path, home: Path, visit: str
) -> None:
    photo = folder / "Ảnh bàn giao.png"
    photo.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 5000)
    assert fieldkit("visit", "attach", visit, "photo", photo, "--json").status == 0
    sha256 = hashlib.sha256(photo.read_bytes()).hexdigest()
    assert (home / "store/attachments" / sha256[:2] / sha256).read_bytes() == photo.read_bytes()
    out = folder / "Kho dữ liệu.zip"
    assert fieldkit("store", "export", "--out", out, "--json").status == 0
    with zipfile.ZipFile(out) as exported:
        assert photo.read_bytes() in [exported.read(name) for name in exported.namelist() if sha256 in name]
    assert fieldkit("store", "verify", "--json").result["verdict"] == "pass"


def test_a_scanner_that_holds_every_file_of_the_store_costs_no_answer(
    start: StartWriter, scanner: Scanner, home: Path, fieldkit: OnWindows
) -> None:
    ours = start(0, "each")
    ours.hear()
    ours.answer()
    with scanner(*(path for path in (home / "store").iterdir() if path.is_file() and path.name != "lock")):
        assert [ours.answer() for _ in range(100)][-1] == {"saved": 100}  # over the end of a segment
        assert ours.process.stdin is not None
        ours.process.stdin.close()
        assert ours.hear() == {"closed": True}
        after = start(200, "each")
        opened = after.hear()
        assert opened["answers"].keys() >= ours.saved
        told = after.answer()
        assert told == {"saved": 200} or (told["code"] == "store-read-only" and opened["read_only"]), told
        after.end()
    last = start(300, "each")
    assert last.hear()["read_only"] == ""
    assert last.held.keys() >= ours.saved | after.saved
    last.end()
    assert fieldkit("store", "verify", "--json").result["verdict"] == "pass"


def test_a_file_that_nobody_else_may_even_read_is_said_and_costs_no_answer(
    scanner: Scanner, home: Path, fieldkit: OnWindows, visit: str
) -> None:
    for name in ("head", "journal-000001.fkj", "device.key"):
        with scanner(home / "store" / name, how="alone"):
            ran = fieldkit("visit", "note", visit, "Ghi chú", "--json")
        assert ran.error["code"] in ("store-unavailable", "store-read-only"), (name, ran.error)
        assert ran.error["hint"]
    assert fieldkit("visit", "note", visit, "Ghi chú", "--json").status == 0
    assert fieldkit("store", "verify", "--json").result["verdict"] == "pass"


def test_settings_are_saved_or_refused_while_a_scanner_holds_them(
    scanner: Scanner, home: Path, fieldkit: OnWindows
) -> None:
    assert fieldkit("setup", "--who", "Nguyễn Văn Mẫu", "--json").status == 0
    with scanner(home / "settings.json"):
        ran = fieldkit("setup", "--who", "Trần Thị Mẫu", "--json")
        assert (ran.status, ran.error["code"]) == (4, "system")
        assert ran.error["hint"]
    assert b"Nguy" in (home / "settings.json").read_bytes()
    assert [path.name for path in home.glob("settings*")] == ["settings.json"]
    assert fieldkit("setup", "--who", "Trần Thị Mẫu", "--json").status == 0


def test_a_torn_end_is_cut_off_and_kept_and_the_rest_goes_on(
    home: Path, fieldkit: OnWindows, visit: str
) -> None:
    segment = home / "store/journal-000001.fkj"
    whole = segment.read_bytes()
    segment.write_bytes(whole + b'00000000 {"v":1,"torn')
    repaired = fieldkit("store", "repair", "--yes", "--json").result
    assert repaired["verdict"] == "pass", repaired
    assert repaired["mended"]
    assert [path.read_bytes() for path in segment.parent.glob("*.torn")] == [b'00000000 {"v":1,"torn']
    assert fieldkit("visit", "note", visit, "Ghi chú", "--json").status == 0
    assert segment.read_bytes().startswith(whole.rstrip(b"\0"))


def test_damage_in_the_middle_is_said_and_repaired(home: Path, fieldkit: OnWindows, visit: str) -> None:
    for number in range(2):
        assert fieldkit("visit", "note", visit, f"Ghi chú {number}", "--json").status == 0
    segment = home / "store/journal-000001.fkj"
    data = bytearray(segment.read_bytes())
    data[data.index(b"\n") + 40] ^= 1
    segment.write_bytes(bytes(data))
    shown = fieldkit("visit", "show", visit, "--json")
    assert (shown.status, shown.document["damage"][0]["kind"]) == (1, "entries")
    assert fieldkit("visit", "note", visit, "Ghi chú", "--json").error["code"] == "store-read-only"
    assert fieldkit("store", "repair", "--yes", "--json").status in (0, 1)
    assert fieldkit("visit", "note", visit, "Ghi chú", "--json").status == 0


def test_a_home_beyond_260_characters_is_worked_in_or_refused_in_words(
    windows: Windows, fieldkit: OnWindows, folder: Path
) -> None:
    home = folder.joinpath(*["Thư mục rất dài " + "x" * 60] * 4, "home")
    assert len(windows.spelt(home)) > 300
    begun = fieldkit(
        "visit", "start", "--bureau", "MAU-01", "--who", "Mẫu", "--json", FIELDKIT_HOME=windows.spelt(home)
    )
    assert begun.document["ok"] or begun.error["code"] in ("store-unavailable", "system"), begun.out
    if begun.document["ok"]:
        shown = fieldkit("store", "verify", "--json", FIELDKIT_HOME=windows.spelt(home))
        assert shown.result["verdict"] == "pass"
        assert (home / "store/head").exists()


def test_a_drive_that_goes_away_in_mid_work_costs_no_acknowledged_answer(
    windows: Windows, start: StartWriter, fieldkit: OnWindows, folder: Path
) -> None:
    drive = windows.prefix / "dosdevices/f:"
    drive.unlink(missing_ok=True)
    stick = folder / "stick"
    stick.mkdir()
    drive.symlink_to(stick)
    try:
        ours = start(0, "each", store="F:\\home\\store")
        ours.hear()
        assert ours.answer() == {"saved": 0}
        drive.unlink()
        told = [ours.answer() for _ in range(100)]
        assert told[0] == {"saved": 1} or told[0]["code"], told
        assert told[-1].get("code") == "write-failed" or "read-only" in told[-1]["code"], told[-1]
        ours.end()
        gone = fieldkit("visit", "list", "--json", "--home", "F:\\home")
        assert gone.error["code"] == "store-unavailable", gone.out
        assert gone.error["hint"]
        drive.symlink_to(stick)
        again = start(500, "each", store="F:\\home\\store")
        assert again.hear()["read_only"] == ""
        assert again.held.keys() >= ours.saved
        again.end()
        assert fieldkit("store", "verify", "--json", "--home", "F:\\home").result["verdict"] == "pass"
    finally:
        drive.unlink(missing_ok=True)


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A folder on C: that is a disk of two megabytes."""
    place = folder / "Ổ nhỏ"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2M", "tmpfs", place], capture_output=True)
    if done.returncode:
        pytest.skip("this machine does not let a disk be mounted")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)  # Wine still has its folder open


def test_a_full_disk_is_said_and_costs_no_acknowledged_answer(small_disk: Path, start: StartWriter) -> None:
    ours = start(0, "each", store=small_disk / "store")
    ours.hear()
    assert ours.answer() == {"saved": 0}
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    refused = next(line for line in (ours.answer() for _ in range(200)) if "code" in line)
    assert "the disk is full" in refused["message"]
    filler.unlink()
    ours.end()
    again = start(500, "each", store=small_disk / "store")
    assert again.hear()["read_only"] == ""
    assert again.held.keys() >= ours.saved
    assert again.answer() == {"saved": 500}
    again.end()

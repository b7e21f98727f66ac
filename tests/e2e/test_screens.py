"""The whole visit on the screens, by keys alone in a terminal of 80x24, and what must not be left of it."""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from fieldkit import settings
from fieldkit.home import Home
from fieldkit.settings import Settings
from tests.conftest import clean_environment, python_path
from tests.e2e.terminal import Terminal

PIN, SO_PIN = "13572468", "8642-7531-so"
OFFICER, TITLE = "Nguyễn Thị Mẫu", "Trưởng cơ quan thường trú"
PASSWORD = re.compile(r"mau-\d{4}-\d{4}")
FIELDKIT = (sys.executable, "-m", "fieldkit")


class Walk:
    """A technician at the keyboard."""

    def __init__(self, terminal: Terminal, home: Home) -> None:
        self.terminal = terminal
        self.home = home
        self.screens: list[str] = []
        self.processes: set[bytes] = set()
        self.password = ""

    def see(self, *texts: str, seconds: float = 60) -> str:
        shown = self.terminal.wait_for(*texts, seconds=seconds)
        self.screens.append(shown)
        self.processes |= set(_processes())
        return shown

    def press(self, *keys: str) -> None:
        self.terminal.press(*keys)

    def enter(self, text: str) -> None:
        self.terminal.type(text)
        self.press("Enter")

    def agree(self) -> None:
        self.see("cần có sự đồng ý")
        self.press("Down", "Enter")

    def give(self, secret: str, *, title: str, twice: bool = False) -> None:
        self.see(title)
        self.terminal.type(secret)
        if twice:
            self.press("Tab")
            self.terminal.type(secret)
        self.press("Enter")


def _processes() -> Iterator[bytes]:
    """What the process list shows of every process: its arguments and its environment."""
    for folder in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                yield (folder / name).read_bytes()
            except OSError:
                continue


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """The sample visit, walked through to the bundle on a stick."""
    folder = tmp_path_factory.mktemp("screens")
    home = Home(folder / "home")
    environment = {"LANG": "C.UTF-8", "TERM": "screen-256color", "HOME": str(folder), "FIELDKIT_LANG": "vi"}
    command = (*FIELDKIT, "demo", "--home", str(home.path))
    with Terminal(command, environment=environment) as terminal:
        walk = Walk(terminal, home)
        _from_start_to_answers(walk)
        _hand_over(walk, folder)
        yield walk


def _from_start_to_answers(walk: Walk) -> None:
    password = PASSWORD.search(walk.see("Mật khẩu của tệp"))
    assert password
    walk.password = password[0]
    walk.screens.clear()  # the sample's password is told once, before the screens open
    walk.press("Enter")
    walk.see("Kiểm tra máy tính", "0/16")
    walk.press("Enter")  # preflight
    walk.see("1/16", "F3")
    walk.press("F3", "Enter")  # the driver is there already: said, proved
    walk.see("2/16", "Trình điều khiển đã có sẵn")
    walk.press("F3", "Enter", "Down", "Enter")  # the certificate comes in a file
    walk.see("3/18")
    walk.press("Enter")  # initialise the token
    walk.see("Nhãn của token", "MAU-01")
    walk.press("Enter")
    walk.agree()
    walk.give(SO_PIN, title="Mã SO PIN mới", twice=True)
    walk.give(PIN, title="Mã PIN mới", twice=True)
    walk.see("4/18", "đã được")
    walk.press("F3", "Enter")  # import the certificate
    walk.see("Tệp chứng thư số (PKCS#12)")
    walk.terminal.type(str(walk.home.path / "sample-cert"))
    walk.press("Tab")
    walk.see("sample-certificate.p12")
    walk.press("Enter")
    walk.give(walk.password, title="Mật khẩu của tệp")
    walk.agree()
    walk.give(PIN, title="Mã PIN của token")
    walk.see("5/18", "kiểm chứng")
    walk.press("F3", "Enter")  # test signatures
    walk.agree()
    walk.see("sample.pdf", "▀")  # the page with its stamp, before anything is signed
    walk.press("Right", "Right", "Enter")
    walk.give(PIN, title="Mã PIN của token")
    walk.see("6/18", "pdfsig")
    walk.press("F3", "Enter")  # the exchange, rehearsed
    walk.agree()
    walk.see("7/18", "gói tin")
    walk.press("F3", "Enter")
    walk.see("Ngày hướng dẫn")
    walk.enter(f"{datetime.date.today():%d/%m/%Y}")
    walk.see("8/18", "Số người")
    walk.enter("3")
    for number in range(10, 15):
        walk.see(f"{number - 1}/18", "Không áp dụng")
        walk.press("Down", "Enter")
    walk.see("14/18", "Không áp dụng")
    walk.press("Down", "Down", "Down", "Enter")
    walk.see("15/18", "Họ và tên")
    walk.enter(OFFICER)
    walk.see("16/18", "Chức vụ")
    walk.enter(TITLE)
    walk.see("17/18", "Tình trạng")
    walk.press("Enter")
    walk.see("18/18", "sẵn sàng")


def _hand_over(walk: Walk, folder: Path) -> None:
    walk.press("Escape")
    walk.see("F9 Hoàn tất")
    walk.press("F9")
    walk.see("Mọi mục bắt buộc đã xong", "Kiểm tra máy tính")  # the answers are there to be read
    walk.press("Enter")
    walk.agree()
    walk.give(PIN, title="Mã PIN của token")
    walk.see("đã lập biên bản", "Cán bộ nhận bàn giao đã ký biên bản")
    walk.press("Down", "Enter")  # export
    walk.see("JSON: dữ liệu của biên bản")
    walk.press("Enter")
    walk.see("Ghi tệp vào đâu?")
    walk.press("C-u")
    walk.enter(str(folder / "out.pdf"))
    walk.see("out.pdf", "Đã ghi")
    walk.press("Down", "Enter")  # the bundle
    walk.see("Gửi vào thư mục nào?")
    walk.enter(str(folder / "stick"))
    walk.agree()
    walk.see("Đang chờ biên nhận")


def test_the_visit_is_finished_signed_exported_and_sent(walked: Walk) -> None:
    folder = walked.home.path.parent
    done = subprocess.run(
        [*FIELDKIT, "record", "verify", folder / "out.pdf", "--json", "--home", walked.home.path],
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout)["result"]["verdict"] == "pass", done.stdout
    assert list((folder / "stick").glob("fk1-*.fkb"))
    shown = subprocess.run(
        [*FIELDKIT, "visit", "list", "--json", "--home", walked.home.path], capture_output=True, text=True
    )
    (visit,) = json.loads(shown.stdout)["result"]
    assert visit["state"] == "recorded"


def test_nothing_that_was_needed_was_cut_at_eighty_columns(walked: Walk) -> None:
    for screen in walked.screens:
        lines = screen.rstrip("\n").split("\n")
        assert len(lines) <= 24
        assert all(len(line) <= 80 for line in lines)
        keys = lines[-1]
        assert "Enter" in keys or "Esc" in keys, screen


def test_no_secret_is_left_anywhere(walked: Walk) -> None:
    secrets = [secret.encode() for secret in (PIN, SO_PIN, walked.password)]
    for path in walked.home.path.parent.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(secret in content for secret in secrets), path
    for screen in walked.screens:
        assert not any(secret.decode() in screen for secret in secrets), screen
    for process in walked.processes:
        assert not any(secret in process for secret in secrets), process[:200]
    assert any(b"fieldkit.token.agent" in process for process in walked.processes), "the agents were seen"


def test_left_in_the_middle_one_comes_back_to_where_one_was(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    environment = _environment(home, "en")
    _start(home)
    with Terminal(FIELDKIT, environment=environment) as terminal:
        terminal.wait_for("1 visit(s) in this store.")
        terminal.press("Enter")
        terminal.wait_for("The machine")
        terminal.press(*["Down"] * 7)
        shown = terminal.wait_for("A number, for example")
        terminal.press("Escape")
        terminal.wait_for("1 visit(s) in this store.")
        terminal.press("Enter")
        again = terminal.wait_for("A number, for example")
        assert again == shown
        terminal.press("C-q")
        terminal.wait_for("ended with 0")
    with Terminal(FIELDKIT, environment=environment) as terminal:
        terminal.wait_for("1 visit(s) in this store.")
        terminal.press("Enter")
        assert terminal.wait_for("A number, for example").splitlines()[1:22] == shown.splitlines()[1:22]


def test_an_empty_home_says_how_to_begin_in_both_languages(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with Terminal(FIELDKIT, environment=_environment(home, "en")) as terminal:
        terminal.wait_for("The store is empty.", "N New visit")
        terminal.press("F2")
        terminal.wait_for("N Chuyến mới")
        terminal.press("n")
        terminal.wait_for("MAU-01")
        terminal.press("Escape", "C-q")
        terminal.wait_for("ended with 0")


def test_the_demo_opens_its_screens_in_the_language_that_was_asked_for(tmp_path: Path) -> None:
    environment = {"LANG": "C.UTF-8", "TERM": "screen-256color", "HOME": str(tmp_path)}
    with Terminal((*FIELDKIT, "--lang", "en", "demo"), environment=environment) as terminal:
        terminal.wait_for("Press Enter to open the screens.")
        terminal.press("Enter")
        terminal.wait_for("The machine", "F1 Help")


def _environment(home: Home, language: str) -> Mapping[str, str]:
    settings.save(home, Settings(who="Trần Kỹ Thuật"))
    wanted = clean_environment(home)
    return {
        "FIELDKIT_HOME": wanted["FIELDKIT_HOME"],
        "SOFTHSM2_CONF": wanted["SOFTHSM2_CONF"],
        "FIELDKIT_LANG": language,
        "LANG": "C.UTF-8",
        "TERM": "screen-256color",
        "PYTHONPATH": python_path(os.getcwd()),
    }


def _start(home: Home) -> None:
    subprocess.run(
        [*FIELDKIT, "visit", "start", "--bureau", "MAU-01", "--checklist", "handover"],
        env=clean_environment(home),
        check=True,
        capture_output=True,
    )

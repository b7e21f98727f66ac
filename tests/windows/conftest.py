"""A Windows for these tests, made once and shared; each test has a folder of its own on its C:."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Ran
from tests.windows import bed, caller
from tests.windows.bed import Windows

OnWindows = Callable[..., Ran]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test comes first waits for the machine to be made; where it cannot be, none runs."""
    missing = bed.lacking()
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(900))
            if missing:
                item.add_marker(pytest.mark.skip(f"no Windows is made here; these are needed: {missing}"))


@pytest.fixture(scope="session")
def windows() -> Windows:
    return bed.machine()


@pytest.fixture
def folder(windows: Windows) -> Iterator[Path]:
    """A folder on C: whose name has blanks and Vietnamese letters."""
    place = windows.drive / "tests" / f"Thử nghiệm {uuid.uuid4().hex[:8]}"
    place.mkdir(parents=True)
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def tokens(windows: Windows, folder: Path) -> Iterator[str]:
    """SoftHSM2's settings for tokens of this test alone, at a path in ASCII, as it needs one."""
    place = windows.drive / f"softhsm/{folder.name[-8:]}"
    (place / "tokens").mkdir(parents=True)
    configuration = place / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {windows.spelt(place / 'tokens')}\n")
    yield windows.spelt(configuration)
    shutil.rmtree(place)


@pytest.fixture(scope="session")
def program(windows: Windows) -> Path:
    """fieldkit.exe, as the kit of this commit installs it."""
    return bed.install(windows)


@pytest.fixture
def fieldkit(windows: Windows, program: Path, folder: Path) -> OnWindows:
    """Run fieldkit there, in English, on a home of the test's own."""

    def run(*arguments: str | Path, stdin: str = "", **more: str) -> Ran:
        home = windows.spelt(folder / "home")
        return windows.run(
            program, *arguments, stdin=stdin, folder=folder, **({"FIELDKIT_HOME": home} | more)
        )

    return run


class Caller:
    """fieldkit's commands, called in one process of Windows; each has to print one JSON document in UTF-8."""

    def __init__(self, windows: Windows, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._windows = windows
        self._process = process
        self.called: set[str] = set()
        self.use(folder)

    def use(self, folder: Path, language: str = "en") -> None:
        """From now on: in this folder, with the home in it, in this language."""
        self.folder = folder
        home = self._windows.spelt(folder / "home")
        self._common = ("--lang", language, "--home", home, "--json")

    def __call__(self, *words: str | Path) -> Ran:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        spelt = list(map(self._windows.spelt, words))
        line = json.dumps([self._windows.spelt(self.folder), [*spelt, *self._common]])
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, (
            words,
            self._process.stderr and self._process.stderr.read().decode("utf-8", "replace"),
        )
        status, out, err = json.loads(answer)
        printed = [bytes.fromhex(stream).decode("utf-8").replace("\r\n", "\n") for stream in (out, err)]
        assert not any("Traceback" in text or "\ufffd" in text for text in printed), printed
        ran = Ran(subprocess.CompletedProcess(words, status, *printed))
        assert ran.document["ok"] or ran.error["code"] != "internal", ran.error
        self.called |= {spelt[0], " ".join(spelt[:2])}
        return ran


StartCaller = Callable[..., Caller]


@pytest.fixture
def start_caller(windows: Windows, program: Path, folder: Path) -> Iterator[StartCaller]:
    """Starts a process of fieldkit's own Python there that calls its commands."""
    python = next((program.parent.parent / "versions").glob("*/Scripts/python.exe"))
    started = []

    def start(**more: str) -> Caller:
        process = windows.start(python, "-I", Path(caller.__file__), folder=folder, **more)
        started.append(process)
        return Caller(windows, process, folder)

    yield start
    for process in started:
        # services that it started by the way, such as Windows' own installer, hold its streams open
        process.stdin.close()
        process.wait(60)
        process.stdout.close()
        process.stderr.close()


@pytest.fixture
def call(start_caller: StartCaller) -> Caller:
    return start_caller()

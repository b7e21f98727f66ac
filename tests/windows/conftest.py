"""A Windows for these tests, made once and shared; each test has a folder of its own on its C:."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ran
from tests.windows import bed
from tests.windows.bed import Windows

OnWindows = Callable[..., Ran]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test comes first waits for the machine to be made."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def windows() -> Windows:
    if missing := bed.lacking():
        pytest.skip(f"Windows is not tested here; these are needed: {missing}")
    return bed.machine()


@pytest.fixture
def folder(windows: Windows) -> Path:
    """A folder on C: whose name has blanks and Vietnamese letters."""
    place = windows.drive / "tests" / f"Thử nghiệm {uuid.uuid4().hex[:8]}"
    place.mkdir(parents=True)
    return place


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

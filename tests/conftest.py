"""What many rooms' tests share: a home, a software token's place, the program as its users run it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from fieldkit import i18n
from fieldkit.home import Home
from tests.accounts import sitecustomize

pytest_plugins = ["tests.signing"]

REPOSITORY = Path(__file__).parent.parent

TESTS = itertools.count()

hypothesis.settings.register_profile("few", max_examples=15, derandomize=True, database=None)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """Assertions read English unless a test says otherwise."""
    i18n.use("en")
    yield
    i18n.use("en")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return Home(tmp_path / "home")


@pytest.fixture(autouse=True, scope="session")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What this account keeps on this machine is not touched, by fixtures that many tests share either."""
    os.environ["PYTHONPATH"] = python_path(*filter(None, [os.environ.get("PYTHONPATH")]))
    for name in ("SUDO_UID", "PKEXEC_UID"):
        os.environ.pop(name, None)
    home = tmp_path_factory.mktemp("accounts") / "shared" / str(os.geteuid())
    home.mkdir(parents=True)
    os.environ[sitecustomize.VARIABLE] = str(home.parent)
    return home.parent.parent


@pytest.fixture(autouse=True)
def state_folder(accounts: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What belongs to this account on this machine, of this test alone."""
    home = accounts / str(next(TESTS)) / str(os.geteuid())
    home.mkdir(parents=True)
    monkeypatch.setenv(sitecustomize.VARIABLE, str(home.parent))
    return home / ".local" / "state" / "fieldkit"


def python_path(*folders: str) -> str:
    """PYTHONPATH for a program that a test starts: the accounts' homes are the tests' in there too."""
    return os.pathsep.join((str(Path(sitecustomize.__file__).parent), *folders))


class Ran:
    """What a run of the program left: status, standard output and error, and the JSON document in it."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.status = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    @property
    def document(self) -> dict[str, Any]:
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def result(self) -> Any:
        assert self.document["ok"], self.document
        return self.document["result"]

    @property
    def error(self) -> dict[str, Any]:
        assert not self.document["ok"], self.document
        found = self.document["error"]
        assert isinstance(found, dict)
        return found


Run = Callable[..., Ran]


@pytest.fixture
def fieldkit(home: Home, tmp_path: Path) -> Run:
    """Run the program in a process of its own, in English, on the test's home and token store."""
    environment = clean_environment(home)

    def run(*arguments: str | Path, stdin: str = "", **more: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "fieldkit", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            env=environment | more,
            cwd=tmp_path,
            timeout=120,
        )
        return Ran(done)

    return run


def clean_environment(home: Home) -> dict[str, str]:
    """This process's environment, with fieldkit and SoftHSM2 pointed into `home`, in English."""
    configuration = softhsm_configuration(home.path.parent / "softhsm2")
    return os.environ | {
        "FIELDKIT_HOME": str(home.path),
        "FIELDKIT_LANG": "en",
        "SOFTHSM2_CONF": str(configuration),
    }


def softhsm_configuration(folder: Path) -> Path:
    """A SoftHSM2 configuration whose tokens live in `folder`."""
    (folder / "tokens").mkdir(parents=True, exist_ok=True)
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    return configuration

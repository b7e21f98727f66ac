"""The installer on the stick: it runs nothing that lies beside it, and can be killed whenever one likes.

The kit here is small: pip, and a fieldkit of a few lines that says which one it is.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib.metadata
import io
import os
import pty
import py_compile
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from fieldkit.home import PACKAGE
from fieldkit.kit import install
from fieldkit.kit.manifest import Target
from tests.kit.conftest import Office

INSTALLER = PACKAGE / "kit" / "install.py"
PROGRAM = """
import sys
def main():
    sys.stdout.reconfigure(encoding="utf-8")
    print({release!r}, *sys.argv[1:])
if __name__ == "__main__":
    main()
"""
KINDS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)


@functools.cache
def pip_wheel() -> bytes:
    """pip, as it is installed here, as a wheel again: compiled, so that it starts in a moment."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive, tempfile.TemporaryDirectory() as folder:
        for file in importlib.metadata.distribution("pip").files or ():
            if file.parts[0] == ".." or file.suffix == ".pyc" or file.name in ("INSTALLER", "REQUESTED"):
                continue
            source = Path(str(file.locate()))
            archive.write(source, file.as_posix())
            if file.suffix == ".py":
                compiled = f"{folder}/compiled.pyc"
                py_compile.compile(
                    str(source),
                    compiled,
                    doraise=True,
                    quiet=1,
                    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
                )
                archive.write(compiled, file.as_posix() + "c")
    return made.getvalue()


def own_wheel(release: str, *, broken: bool = False, program: str = PROGRAM) -> bytes:
    """A fieldkit that says its release, and that it was started."""
    made = io.BytesIO()
    info = f"fieldkit-{release}.dist-info"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("fieldkit/__init__.py", "")
        program = "raise SystemExit('it does not start')" if broken else program.format(release=release)
        archive.writestr("fieldkit/__main__.py", program)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: fieldkit\nVersion: {release}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", "[console_scripts]\nfieldkit = fieldkit.__main__:main\n")
        archive.writestr(f"{info}/RECORD", "")
    return made.getvalue()


class Laptop:
    """A machine's user with sticks and a folder for programs."""

    def __init__(self, folder: Path, office: Office) -> None:
        self.folder = folder
        self.office = office
        self.target = folder / "lib" / "fieldkit"

    def kit(self, release: str, *, with_pip: bool = False, python: str = "", **more: Any) -> Path:
        """A kit for this machine. with_pip: pip is not only what installs, but installed as well."""
        pip = f"wheels/pip-{importlib.metadata.version('pip')}-py3-none-any.whl"
        wheels = (f"wheels/fieldkit-{release}-py3-none-any.whl", pip)
        contents = {
            "install.py": INSTALLER.read_bytes(),
            wheels[0]: own_wheel(release, **more),
            pip: pip_wheel(),
        }
        python = python or "{}.{}".format(*sys.version_info[:2])
        wanted = tuple(sorted(wheels[: 1 + with_pip]))
        targets = (Target(python, install.this_platform(), wanted),)
        return self.office.make(self.folder / f"kit-{release}", contents, pip=pip, targets=targets)

    def command(self, kit: Path, *options: str, isolated: bool = True) -> list[str]:
        start = [sys.executable, "-I"] if isolated else [sys.executable]
        where = ["--target", str(self.target), "--home", str(self.folder / "home"), "--lang", "en"]
        return [*start, str(kit / "install.py"), *where, *options]

    def install(
        self, kit: Path, *options: str, isolated: bool = True, **surroundings: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(kit, *options, isolated=isolated),
            capture_output=True,
            text=True,
            cwd=kit,
            timeout=120,
            env=os.environ | surroundings,
            stdin=subprocess.DEVNULL,
        )

    def release(self) -> str:
        """What the program that is installed says it is; "" where there is none."""
        program = self.target / "bin" / "fieldkit"
        if not program.exists():
            return ""
        return subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()[0]

    def there(self) -> set[str]:
        """All that an installation has at its top, and the versions."""
        return {path.name for path in (*self.target.iterdir(), *(self.target / "versions").iterdir())}


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path, Office(tmp_path))


@pytest.fixture
def one(laptop: Laptop) -> Path:
    return laptop.kit("1.0")


@pytest.mark.parametrize("isolated", [True, False])
def test_nothing_that_lies_beside_the_installer_runs(laptop: Laptop, one: Path, isolated: bool) -> None:
    code = f"open({str(laptop.folder / 'ran')!r}, 'a').write(__name__ + chr(10))\n"
    for name in (*sys.stdlib_module_names, "sitecustomize", "usercustomize"):
        (one / f"{name}.py").write_text(code)
    (one / "encodings").mkdir()
    (one / "encodings/__init__.py").write_text(code)
    (one / "pip").mkdir()
    (one / "pip/__init__.py").write_text(code)
    for option in ("--check", "--yes", "--help"):
        done = laptop.install(one, option, isolated=isolated, PYTHONDONTWRITEBYTECODE="1")
        assert done.returncode == (0 if option == "--help" else 1), done.stderr
        assert "added: json.py" in done.stdout or option == "--help"
    assert not (laptop.folder / "ran").exists()


def test_no_setting_of_the_machines_reaches_the_packages(laptop: Laptop, one: Path) -> None:
    (laptop.folder / "home").mkdir()
    bad = laptop.folder / "pip.conf"
    bad.write_text("[global]\nindex-url = http://127.0.0.1:9/\n[install]\ntarget = /nowhere\nuser = true\n")
    settings = {"PIP_CONFIG_FILE": str(bad), "PIP_TARGET": "/nowhere", "XDG_CONFIG_HOME": str(laptop.folder)}
    (laptop.folder / "pip").mkdir()
    shutil.copy(bad, laptop.folder / "pip/pip.conf")
    shadow = laptop.folder / "shadow"
    shadow.mkdir()
    (shadow / "fieldkit.py").write_text("raise SystemExit(9)")
    done = laptop.install(one, "--yes", **settings, PYTHONPATH=str(shadow), PYTHONHOME="")
    assert done.returncode == 0, done.stdout + done.stderr
    assert laptop.release() == "1.0"


def test_installing_replaces_leaves_one_version_and_takes_the_papers(laptop: Laptop, one: Path) -> None:
    assert laptop.install(one, "--yes").returncode == 0
    done = laptop.install(laptop.kit("2.0", with_pip=True), "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "replace the fieldkit that is there" in done.stdout
    assert "2.0 --lang en --home" in done.stdout  # the new one was asked to take the papers
    assert laptop.release() == "2.0"
    assert laptop.there() == {"fieldkit-kit.json", "bin", "versions", "2"}
    assert os.listdir(laptop.target / "bin") == ["fieldkit"]
    version = laptop.target / "versions/2"
    listed = subprocess.run([version / "bin/python", "-m", "pip", "list"], capture_output=True, text=True)
    assert "fieldkit 2.0" in " ".join(listed.stdout.split())  # pip is there too: kits are built with it


def test_a_new_release_that_does_not_start_is_not_put_in_the_place_of_one_that_does(
    laptop: Laptop, one: Path
) -> None:
    assert laptop.install(one, "--yes").returncode == 0
    done = laptop.install(laptop.kit("2.0", broken=True), "--yes")
    assert done.returncode == 1
    assert "it does not start" in done.stderr
    assert laptop.release() == "1.0"
    assert laptop.there() == {"fieldkit-kit.json", "bin", "versions", "1"}


def test_what_pip_says_of_why_is_told_and_not_its_whole_command() -> None:
    told = install.reason(
        "Processing ./a\n" * 900 + "ERROR: To modify pip, run:\nC:\\python.exe " + "x " * 5000
    )
    assert told == "ERROR: To modify pip, run:"
    assert install.reason("one\n\n" + "two " * 500).startswith("one two two")
    assert len(install.reason("word " * 5000)) < 400
    assert install.reason("") == "?"


def _killed(laptop: Laptop, kit: Path, number: signal.Signals, after: float) -> None:
    """Run the installer and end it so many seconds after it began to make a version, if it still runs."""
    versions = laptop.target / "versions"
    before = set(versions.iterdir()) if versions.exists() else set()
    with subprocess.Popen(
        laptop.command(kit, "--yes"),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as child:  # fmt: skip
        while child.poll() is None and not (versions.exists() and set(versions.iterdir()) - before):
            time.sleep(0.005)
        time.sleep(after)
        child.send_signal(number)


@pytest.mark.parametrize("count", [1, pytest.param(45, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])])
def test_killed_at_any_instant_it_can_be_run_again_and_what_worked_goes_on_working(
    laptop: Laptop, one: Path, count: int
) -> None:
    for at in range(count):
        _killed(laptop, one, KINDS[at % 3], at * 0.06)
        assert laptop.release() in ("", "1.0")
    done = laptop.install(one, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    other = laptop.kit("2.0")
    for at in range(count):
        _killed(laptop, other, KINDS[at % 3], at * 0.06)
        assert laptop.release() in ("1.0", "2.0")
    assert laptop.install(other, "--yes").returncode == 0
    assert laptop.release() == "2.0"
    assert len(os.listdir(laptop.target / "versions")) == 1 or count > 1  # a pip may have outlived its parent


def test_ended_politely_it_leaves_nothing(laptop: Laptop, one: Path) -> None:
    child = subprocess.Popen(
        laptop.command(one, "--yes"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    while not (laptop.target / "versions/1/.wheels").exists():
        time.sleep(0.01)
    child.terminate()
    _, told = child.communicate(timeout=60)
    assert child.returncode == 3
    assert b"Broken off" in told
    assert not laptop.target.exists()


def test_two_installations_at_once_do_not_mix(laptop: Laptop, one: Path) -> None:
    other = laptop.kit("2.0")
    outcomes: list[int] = []

    def run(kit: Path) -> None:
        outcomes.append(laptop.install(kit, "--yes").returncode)

    threads = [threading.Thread(target=run, args=(kit,)) for kit in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) in ([0, 0], [0, 3])
    assert laptop.release() in ("1.0", "2.0")
    assert len(os.listdir(laptop.target / "versions")) == 1


def _environment(place: Path, *, packages: bool = True) -> Path:
    """What release 0.1 made: an environment at the place itself, the mark last."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    if packages:
        site = next(place.glob("lib/python*/site-packages"))
        (site / "fieldkit").mkdir()
        (site / "fieldkit/__init__.py").touch()
        program = place / "bin/fieldkit"
        program.write_text(f"#!{place}/bin/python\nimport fieldkit\nprint('0.1')\n")
        program.chmod(0o755)
    return place


def _whole(laptop: Laptop) -> None:
    (_environment(laptop.target) / install.MARK).write_text("{}")


def _killed_early(laptop: Laptop) -> None:
    _environment(laptop.target, packages=False)


def _killed_in_pip(laptop: Laptop) -> None:
    (_environment(laptop.target) / ".wheels").mkdir()


def _killed_while_replacing(laptop: Laptop) -> None:
    _environment(laptop.target)
    (_environment(laptop.target.with_name("fieldkit.before")) / install.MARK).write_text("{}")


def _killed_between_the_renames(laptop: Laptop) -> None:
    (_environment(laptop.target.with_name("fieldkit.before")) / install.MARK).write_text("{}")


def _killed_while_removing(laptop: Laptop) -> None:
    (_environment(laptop.target) / install.MARK).write_text("{}")
    _environment(laptop.target.with_name("fieldkit.before"))


@pytest.mark.parametrize(
    "state",
    [
        _whole,
        _killed_early,
        _killed_in_pip,
        _killed_while_replacing,
        _killed_between_the_renames,
        _killed_while_removing,
    ],
    ids=lambda state: state.__name__.strip("_"),
)
def test_what_release_0_1_left_whole_or_killed_is_known_and_replaced(laptop: Laptop, state: object) -> None:
    laptop.target.parent.mkdir()
    assert callable(state)
    state(laptop)
    options = install.parser().parse_args(["--target", str(laptop.target)])
    assert install.ours(laptop.target)
    before = laptop.target.with_name("fieldkit.before")
    assert not before.exists() or before in install.Installer(options).leftovers()


def test_release_0_1_works_until_the_new_one_does_and_is_gone_then(laptop: Laptop, one: Path) -> None:
    laptop.target.parent.mkdir()
    _whole(laptop)
    assert laptop.release() == "0.1"
    assert laptop.install(laptop.kit("2.0", broken=True), "--yes").returncode == 1
    assert laptop.release() == "0.1"
    done = laptop.install(one, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert laptop.release() == "1.0"
    assert laptop.there() == {"fieldkit-kit.json", "bin", "versions", "1"}


def _other_file(place: Path) -> None:
    place.mkdir()
    (place / "letter.pdf").touch()


def _other_environment(place: Path) -> None:
    _environment(place)


def _a_file(place: Path) -> None:
    place.touch()


def _link(place: Path) -> None:
    (place.parent / "elsewhere").mkdir()
    place.symlink_to(place.parent / "elsewhere")


def _marked_home(place: Path) -> None:
    (place / "store").mkdir(parents=True)
    (place / install.MARK).write_text("{}")


@pytest.mark.parametrize("state", [_other_file, _other_environment, _a_file, _link, _marked_home])
def test_a_folder_with_anything_else_is_left_alone(laptop: Laptop, one: Path, state: object) -> None:
    laptop.target.parent.mkdir()
    assert callable(state)
    state(laptop.target)
    there = sorted(laptop.target.parent.rglob("*"))
    done = laptop.install(one, "--yes")
    assert done.returncode == 3
    assert "holds something else" in done.stderr
    assert sorted(laptop.target.parent.rglob("*")) == there


@pytest.mark.parametrize("home", [".", "home", "bin/home"])
def test_the_program_is_not_put_around_the_home(laptop: Laptop, one: Path, home: str) -> None:
    done = laptop.install(one, "--yes", "--home", str(laptop.target / home))
    assert done.returncode == 3
    assert not laptop.target.exists()


# As an old or another Python starts the installer; `{change}` makes this one such.
AS_ANOTHER = """
import runpy, sys
{change}
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def as_another(laptop: Laptop, kit: Path, change: str) -> subprocess.CompletedProcess[str]:
    command = laptop.command(kit, "--yes")
    return subprocess.run(
        [command[0], "-I", "-c", AS_ANOTHER.format(change=change), *command[2:]],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def test_an_old_python_can_read_the_installer_and_is_told_in_both_languages_which_is_needed(
    laptop: Laptop, one: Path
) -> None:
    ast.parse(INSTALLER.read_text("utf-8"), feature_version=(3, 7))
    done = as_another(laptop, one, "sys.version_info, sys.version = (3, 10, 4, 'final', 0), '3.10.4 (main)'")
    assert done.returncode == 1
    assert "Cần Python 3.11 trở lên, đây là Python 3.10.4." in done.stderr
    assert "Python 3.11 or newer is needed, this is 3.10.4. Nothing was installed." in done.stderr
    assert not laptop.target.parent.exists()


def test_a_python_of_32_bits_is_told_apart(laptop: Laptop, one: Path) -> None:
    done = as_another(laptop, one, "sys.maxsize = 2**31 - 1")
    assert done.returncode == 4
    assert "32-bit" in done.stderr
    assert not laptop.target.parent.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_a_folder_without_the_right_to_write_is_named_with_a_way_out(laptop: Laptop) -> None:
    python = "/usr/bin/python3"  # which others may run as well
    version = "import sys; print('{}.{}'.format(*sys.version_info))"
    done = subprocess.run([python, "-c", version], capture_output=True, text=True, check=True)
    one = laptop.kit("1.0", python=done.stdout.strip())
    with tempfile.TemporaryDirectory() as place:
        kit = shutil.copytree(one, Path(place) / "kit")
        os.chmod(place, 0o755)
        denied = Path(place) / "programs/fieldkit"
        done = subprocess.run(
            [python, "-I", kit / "install.py", "--target", denied, "--lang", "en", "--yes"],
            capture_output=True,
            text=True,
            user=65534,
            cwd="/",
        )
        assert done.returncode == 1, done.stdout
        assert f"{denied} cannot be written to by this account: Permission denied." in done.stderr
        assert "--target" in done.stderr
        assert not denied.parent.exists()


def test_a_full_disk_leaves_nothing(laptop: Laptop, one: Path, little: Path) -> None:
    laptop.target = little / "lib/fieldkit"
    done = laptop.install(one, "--yes")
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert not list(little.iterdir())


def test_a_wheel_that_vanishes_after_the_check_is_named_and_nothing_is_installed(
    laptop: Laptop, one: Path
) -> None:
    asked, answered = pty.openpty()
    command = laptop.command(one)
    with subprocess.Popen(command, stdin=answered, stdout=answered, stderr=answered) as child:
        os.close(answered)
        shown = b""
        while b"[y/N]" not in shown:
            shown += os.read(asked, 4096)
        (wheel,) = one.glob("wheels/fieldkit-*.whl")
        wheel.unlink()
        os.write(asked, b"y\n")
        with contextlib.suppress(OSError):  # the end of a terminal
            while part := os.read(asked, 4096):
                shown += part
    os.close(asked)
    assert child.returncode == 1
    assert f"{wheel.name} was there a moment ago and is gone: a virus scanner" in " ".join(
        shown.decode().split()
    )
    assert not laptop.target.parent.exists()


# Taken away by a scanner: as it starts for the first time, or once it is in its place.
TAKEN = """
import sys, pathlib
def main():
    program = pathlib.Path(sys.argv[0])
    if {when!r} in sys.argv:
        (program if {when!r} == "--version" else pathlib.Path({place!r})).unlink()
if __name__ == "__main__":
    main()
"""


def test_a_program_that_vanishes_as_it_is_tried_does_not_take_the_place_of_one_that_works(
    laptop: Laptop, one: Path
) -> None:
    assert laptop.install(one, "--yes").returncode == 0
    program = TAKEN.format(when="--version", place="")
    done = laptop.install(laptop.kit("2.0", program=program), "--yes")
    assert done.returncode == 1
    assert "a virus scanner may have taken it away" in done.stderr
    assert laptop.release() == "1.0"
    assert laptop.there() == {"fieldkit-kit.json", "bin", "versions", "1"}


def test_a_program_that_vanishes_once_it_is_installed_is_not_called_installed(
    laptop: Laptop, one: Path
) -> None:
    program = TAKEN.format(when="load", place=str(laptop.target / "bin/fieldkit"))
    done = laptop.install(laptop.kit("2.0", program=program), "--yes")
    assert done.returncode == 1
    assert f"{laptop.target}/bin/fieldkit was installed and is gone again" in done.stderr
    assert "Installed." not in done.stdout
    assert laptop.install(one, "--yes").returncode == 0
    assert laptop.release() == "1.0"


def test_removing_shows_first_what_goes_and_leaves_what_fieldkit_keeps(laptop: Laptop, one: Path) -> None:
    assert laptop.install(one, "--yes").returncode == 0
    kept = laptop.folder / "home/settings.json"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("{}")
    refused = laptop.install(one, "--remove")
    assert (refused.returncode, "nobody is here to agree" in refused.stderr) == (3, True)
    assert f"remove {laptop.target}" in refused.stdout
    assert laptop.release() == "1.0"
    done = laptop.install(one, "--remove", "--yes")
    assert (done.returncode, "Removed." in done.stdout) == (0, True)
    assert str(laptop.folder / "home") in done.stdout
    assert not laptop.target.exists()
    assert kept.exists()
    again = laptop.install(one, "--remove", "--yes")
    assert (again.returncode, "There is no fieldkit in" in again.stderr) == (4, True)


def test_removing_leaves_a_folder_with_anything_else_alone(laptop: Laptop, one: Path) -> None:
    assert laptop.install(one, "--yes").returncode == 0
    (laptop.target / "Thư của tôi.txt").write_text("")
    done = laptop.install(one, "--remove", "--yes")
    assert (done.returncode, "holds something else" in done.stderr) == (3, True)
    assert laptop.release() == "1.0"

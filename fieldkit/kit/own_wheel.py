"""fieldkit's own wheel: built from the checkout this runs from, or packed again from what is installed."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.util
import re
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from fieldkit.home import PACKAGE
from fieldkit.kit.errors import WheelsUnavailable
from fieldkit.program import run
from fieldkit.text import M, Message

# What an installer adds to what it installs, and a wheel does not have.
ADDED = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json")
# What a wheel is built from; pyproject.toml says what of it goes in.
SOURCES = ("pyproject.toml", "README.md", "LICENSE", ".ci/lock.txt", "fieldkit", "checklists", "profiles")
# What a wheel brings for shells and `man` is installed beside the packages, not among them.
BESIDE = re.compile(r"(?:\.\./)+(share/.+)")
PATIENCE = 600.0
STAMP = (1980, 1, 1, 0, 0, 0)


def checkout() -> Path | None:
    """The checkout that this fieldkit runs from; None where it was installed."""
    root = PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() and (root / "checklists").is_dir() else None


def origin() -> Message:
    """Where the wheel comes from, in words."""
    root = checkout()
    if root is not None:
        return M("fieldkit's own wheel is built from the checkout {folder}.", folder=str(root))
    return M("fieldkit's own wheel is packed again from the files installed here.")


def make(folder: Path) -> Path:
    """The wheel, in `folder`; the same files give the same bytes.

    :raises WheelsUnavailable: it cannot be built here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.whl"):
        old.unlink()
    root = checkout()
    if root is None:
        return _pack(folder)
    if any(importlib.util.find_spec(name) is None for name in ("build", "hatchling", "babel")):
        raise _failed("python -m build: build, hatchling, babel")
    with tempfile.TemporaryDirectory() as place:  # building compiles catalogs, which others may be reading
        for path in (root / name for name in SOURCES):
            if path.is_dir():
                shutil.copytree(path, Path(place) / path.name, ignore=shutil.ignore_patterns("__pycache__"))
            elif path.is_file():
                copy = Path(place) / path.relative_to(root)
                copy.parent.mkdir(exist_ok=True)
                shutil.copy(path, copy)
        argv = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), place]
        done = run(argv, timeout=PATIENCE)
    paths = list(folder.glob("*.whl"))
    if done.status or len(paths) != 1:
        raise _failed((done.text + done.complaint)[-2000:])
    return paths[0]


def _pack(folder: Path) -> Path:
    """Put the installed files back into a wheel: their record says which they are and what they hashed to."""
    distribution = importlib.metadata.distribution("fieldkit")
    contents: dict[str, bytes] = {}
    for file in distribution.files or ():
        name = BESIDE.sub(rf"fieldkit-{distribution.version}.data/data/\1", file.as_posix())
        if name.startswith(("..", "/")) or name.endswith(".pyc") or Path(name).name in ADDED:
            continue
        data = Path(str(file.locate())).read_bytes()
        if file.hash is not None and _digest(data) != file.hash.value:
            raise _failed(name)
        contents[name] = data
    info = next(name.partition("/")[0] for name in contents if name.endswith(".dist-info/METADATA"))
    record = f"{info}/RECORD"
    rows = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in sorted(contents.items())]
    contents[record] = "\n".join([*rows, f"{record},,", ""]).encode()
    wheel = folder / f"fieldkit-{distribution.version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in [*sorted(set(contents) - {record}), record]:
            entry = zipfile.ZipInfo(name, STAMP)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, contents[name])
    return wheel


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def _failed(detail: str) -> WheelsUnavailable:
    return WheelsUnavailable(
        M("fieldkit's own wheel cannot be made here."),
        unchanged=M("The kit was not begun."),
        hint=M(
            "In a checkout run ./dev test once: it sets up what building needs. Else install fieldkit again."
        ),
        detail=detail,
    )

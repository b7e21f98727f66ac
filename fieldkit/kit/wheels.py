"""The wheels of a kit: fieldkit's own_wheel, and for each target all that it needs there, fetched by pip.

Versions and hashes are those of the list that fieldkit was tested with; without it, the versions installed
here. pip's settings stay in force: they may say where packages are to be had, and the hashes say which. pip
judges markers by the Python it runs on, so what a target needs beyond that is found in the wheels' own
metadata and fetched after.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from email.parser import HeaderParser
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fieldkit.access import make_private_folder
from fieldkit.home import PACKAGE
from fieldkit.kit import own_wheel
from fieldkit.kit.errors import WheelsUnavailable
from fieldkit.kit.install import hashed
from fieldkit.kit.targets import WheelTarget
from fieldkit.operator import Progress
from fieldkit.text import M

if TYPE_CHECKING:
    from packaging.requirements import Requirement

DONE = ".done.json"
ROUNDS = 5  # of requirements that only other requirements' markers bring in
Tell = Callable[[Progress], None]


def fetch(own_wheel: Path, wanted: WheelTarget, cache: Path, log: Path, tell: Tell) -> list[Path]:
    """All wheels that `own_wheel` needs for one target, without itself, pip's own first.

    What was fetched before is kept in `cache`; where nothing is missing, no network is needed.
    :raises WheelsUnavailable: a wheel is not to be had.
    """
    locked = _locked()
    pins = _pins(locked)
    tool = next((line for line in pins.splitlines() if line.startswith("pip==")), "pip")
    requirements = "\n".join([str(wanted), tool, pins, *_metadata(own_wheel)[1]])
    folder = (
        cache / f"{wanted.platform}-{wanted.python}-{hashlib.sha256(requirements.encode()).hexdigest()[:12]}"
    )
    kept = _kept(folder)
    if kept is not None:
        return kept
    folder.mkdir(parents=True, exist_ok=True)
    constraints = folder / "constraints.txt"
    constraints.write_text(pins, "utf-8")
    lacking = [str(own_wheel), tool]
    total = pins.count("\n")
    for _ in range(ROUNDS):
        _pip(lacking, wanted, folder, constraints, log, total, tell)
        _check(folder, locked, wanted)
        names, missing = _closure(own_wheel, folder, wanted)
        if not missing:
            break
        lacking = [str(requirement) for requirement in missing]
    else:
        raise _unavailable(wanted, ", ".join(lacking))
    by_name = {_metadata(path)[0]: path for path in folder.glob("*.whl")}
    paths = [by_name["pip"], *(by_name[name] for name in sorted(names - {"pip"}))]
    done = {path.name: hashed(path) for path in paths}
    (folder / DONE).write_text(json.dumps(done), "utf-8")
    for other in cache.glob(f"{wanted.platform}-{wanted.python}-*"):
        if other != folder:  # of other versions than those wanted now
            shutil.rmtree(other, ignore_errors=True)
    return paths


def _kept(folder: Path) -> list[Path] | None:
    with contextlib.suppress(OSError, ValueError):
        done = json.loads((folder / DONE).read_text("utf-8"))
        if all(list(hashed(folder / name)) == seen for name, seen in done.items()):
            return [folder / name for name in done]
    return None


class Locked(msgspec.Struct, frozen=True):
    """A package of the tested list: its version, and the SHA-256 of every file it is to be had as."""

    version: str
    sha256: frozenset[str]


def _locked() -> dict[str, Locked]:
    """The tested list, by name; empty where it is not at hand."""
    places = (PACKAGE.parent / ".ci" / "lock.txt", PACKAGE / "share" / "lock.txt")
    path = places[0] if own_wheel.checkout() is not None else places[1]
    try:
        text = path.read_text("utf-8").replace("\\\n", " ")
    except FileNotFoundError:
        return {}
    rows = re.findall(r"(?m)^([A-Za-z0-9._-]+)==(\S+)(.*)$", text)
    return {
        _canonical(name): Locked(version, frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", rest)))
        for name, version, rest in rows
    }


def _pins(locked: dict[str, Locked]) -> str:
    """The version of everything, as pip is told it: the tested list's, else that installed here."""
    lines = {
        _canonical(distribution.name): distribution.version
        for distribution in importlib.metadata.distributions()
    }
    lines |= {name: package.version for name, package in locked.items()}
    lines.pop("fieldkit", None)
    return "".join(f"{name}=={version}\n" for name, version in sorted(lines.items()))


def _check(folder: Path, locked: dict[str, Locked], wanted: WheelTarget) -> None:
    """What was fetched is what was tested, whoever it was had from; nothing of it ran yet."""
    if not locked:
        return
    for path in folder.glob("*.whl"):
        name = _canonical(path.name.partition("-")[0])
        if name != "fieldkit" and (name not in locked or hashed(path)[1] not in locked[name].sha256):
            path.unlink()
            raise _unavailable(wanted, f"{path.name}: SHA-256")


def _closure(own_wheel: Path, folder: Path, wanted: WheelTarget) -> tuple[set[str], list[Requirement]]:
    """What `own_wheel` needs on the target: the names that are in `folder`, and what is not there yet."""
    from packaging.requirements import Requirement

    present = {_metadata(path)[0]: path for path in folder.glob("*.whl")}
    names: set[str] = set()
    missing: dict[str, Requirement] = {}
    seen: set[tuple[str, str]] = set()
    todo: list[tuple[Path, str]] = [(own_wheel, "")]
    while todo:
        path, extra = todo.pop()
        for text in _metadata(path)[1]:
            requirement = Requirement(text)
            if requirement.marker and not requirement.marker.evaluate(wanted.environment | {"extra": extra}):
                continue
            name = _canonical(requirement.name)
            if name not in present:
                requirement.marker = None
                missing[name] = requirement
                continue
            names.add(name)
            for wanted_extra in ("", *requirement.extras):
                if (name, wanted_extra) not in seen:
                    seen.add((name, wanted_extra))
                    todo.append((present[name], wanted_extra))
    return names | {"pip"}, [missing[name] for name in sorted(missing)]


def _metadata(wheel: Path) -> tuple[str, list[str]]:
    """A wheel's name, and what it requires."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(member for member in archive.namelist() if member.endswith(".dist-info/METADATA"))
        parsed = HeaderParser().parsestr(archive.read(name).decode("utf-8"))
    return _canonical(parsed["Name"]), parsed.get_all("Requires-Dist") or []


def _canonical(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)


def _pip(
    lacking: Sequence[str],
    wanted: WheelTarget,
    folder: Path,
    constraints: Path,
    log: Path,
    total: int,
    tell: Tell,
) -> None:
    argv = [sys.executable, "-m", "pip", "download", "--no-input", "--disable-pip-version-check"]
    argv += [
        "--progress-bar=off",
        "--only-binary=:all:",
        "--dest",
        str(folder),
        "--constraint",
        str(constraints),
    ]
    collected = 0
    tail: list[str] = []
    for line in _lines([*argv, *wanted.options, *lacking], log):
        tail = [*tail[-19:], line]
        if line.startswith("Collecting "):
            collected += 1
            message = M("Fetching wheels for {target}", target=str(wanted))
            tell(Progress(message, min(collected, total), total))
        elif line.startswith("[exit ") and line != "[exit 0]":
            raise _unavailable(wanted, "\n".join(tail[:-1])[-2000:])


def _lines(argv: Sequence[str], log: Path) -> Iterator[str]:
    """Run a program, its output also to `log`; its lines, and at last "[exit N]". It ends when this does."""
    make_private_folder(log.parent)
    surroundings = os.environ | {
        "LANGUAGE": "",
        "LC_ALL": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
    }
    with log.open("a", encoding="utf-8") as kept:
        kept.write(f"$ {' '.join(argv)}\n")
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=surroundings,
            encoding="utf-8",
            errors="replace",
        )
        try:
            assert child.stdout is not None
            for line in child.stdout:
                kept.write(line)
                yield line.rstrip("\n")
            yield f"[exit {child.wait()}]"
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()


def _unavailable(wanted: WheelTarget, detail: str) -> WheelsUnavailable:
    return WheelsUnavailable(
        M("The wheels for {target} cannot be had.", target=str(wanted)),
        unchanged=M("The kit was not begun; what was fetched is kept for the next time."),
        hint=M("Check network and proxy, and whether every dependency has a wheel for it; then build again."),
        detail=detail,
    )

"""The installer on the stick: `python3 install.py`. One file, standard library only, no network.

fieldkit imports its checks too (`parse`, `compare`): what a kit must be is written down once, here.
What it can prove, and what not, is said in `docs/head-office.md`: it cannot vouch for itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
KIND = "fieldkit-kit"
FORMAT = 1
LARGEST = 32 * 1024 * 1024  # bytes of a manifest
CHUNK = 1 << 20
HASHERS = min(4, os.cpu_count() or 1)
HEX64 = re.compile("[0-9a-f]{64}")
# What FAT and Windows cannot keep as a name, or keep as another.
UNFIT = re.compile(r'[<>:"\\|?*\x00-\x1f\x7f]')
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


class Listed(NamedTuple):
    """A file of the manifest."""

    path: str
    size: int
    sha256: str


class Problem(NamedTuple):
    """A file that is not as the manifest says. kind: "missing", "changed", "added", "link" or "unread"."""

    kind: str
    path: str
    detail: str = ""


class BadManifest(Exception):
    """The manifest is not one. what: "shape", "format", "path" or "twice"; detail: what of it."""

    def __init__(self, what: str, detail: str = "") -> None:
        super().__init__(what, detail)
        self.what = what
        self.detail = detail


def fits(path: str) -> bool:
    """Whether `path` is a relative path, with `/`, that stays in its folder and that FAT can keep."""
    parts = path.split("/")
    return len(path) <= 400 and all(
        part not in ("", ".", "..")
        and len(part.encode("utf-16-le")) <= 2 * 255
        and not UNFIT.search(part)
        and not part.endswith((".", " "))
        and not RESERVED.fullmatch(part)
        and unicodedata.normalize("NFC", part) == part
        for part in parts
    )


def parse(data: bytes) -> tuple[dict[str, Any], list[Listed]]:
    """The manifest in `data`: all of it, and its files, each with a path that stays in the kit.

    :raises BadManifest: it is none, of another form, or names a path that leaves the folder.
    """
    try:
        whole = json.loads(data.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise BadManifest("shape", str(error)[:200]) from None
    if not isinstance(whole, dict) or whole.get("kind") != KIND:
        raise BadManifest("shape")
    if whole.get("format") != FORMAT:
        raise BadManifest("format", str(whole.get("format"))[:20])
    if not isinstance(whole.get("key"), str) or not HEX64.fullmatch(whole["key"]):
        raise BadManifest("shape", "key")
    if not isinstance(whole.get("files"), list):
        raise BadManifest("shape", "files")
    files = [_listed(each) for each in whole["files"]]
    seen = {MANIFEST, SIGNATURE}
    for file in files:
        folded = file.path.casefold()
        if folded in seen:
            raise BadManifest("twice", file.path)
        seen.add(folded)
    return whole, files


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _listed(row: Any) -> Listed:
    if not isinstance(row, dict) or set(row) != {"path", "size", "sha256"}:
        raise BadManifest("shape", "files")
    path, size, sha256 = row["path"], row["size"], row["sha256"]
    if not isinstance(path, str) or not fits(path):
        raise BadManifest("path", str(path)[:200])
    if type(size) is not int or size < 0 or not isinstance(sha256, str) or not HEX64.fullmatch(sha256):
        raise BadManifest("shape", path)
    return Listed(path, size, sha256)


def fingerprint(key: str) -> str:
    """The name of a public key (hexadecimal) that people compare: its SHA-256, in groups of four."""
    digest = hashlib.sha256(bytes.fromhex(key)).hexdigest()
    return " ".join(digest[at : at + 4] for at in range(0, 64, 4))


def same_fingerprint(typed: str, key: str) -> bool:
    """Whether what a person typed or pasted is the whole fingerprint of `key`."""
    return re.sub("[^0-9a-f]", "", typed.lower()) == fingerprint(key).replace(" ", "")


def compare(
    folder: Path, files: list[Listed], tell: Callable[[int, int], None] | None = None
) -> list[Problem]:
    """Every difference between `folder` and the manifest's `files`, by path. Links are never followed.

    tell: is told the bytes done and in all.
    """
    listed = {file.path: file for file in files}
    found: dict[str, int] = {}
    problems: list[Problem] = []
    for path, kind, size in _walk(folder, ""):
        if kind != "file":
            problems.append(Problem(kind, path))
        elif path in listed:
            found[path] = size
        elif path not in (MANIFEST, SIGNATURE):
            problems.append(Problem("added", path))
    problems += [Problem("missing", path) for path in listed if path not in found]
    same: list[Listed] = []
    for path, size in found.items():
        if size == listed[path].size:
            same.append(listed[path])
        else:
            problems.append(Problem("changed", path, f"{listed[path].size} → {size}"))
    total = sum(file.size for file in same)
    done = 0
    # The large ones first, so that no thread is left with one at the end.
    same.sort(key=lambda file: -file.size)
    with ThreadPoolExecutor(HASHERS) as pool:
        for problem, file in pool.map(lambda file: (_judged(folder, file), file), same):
            if problem is not None:
                problems.append(problem)
            done += file.size
            if tell is not None:
                tell(done, total)
    return sorted(problems, key=lambda problem: (problem.path, problem.kind))


def _judged(folder: Path, file: Listed) -> Problem | None:
    try:
        size, sha256 = hashed(folder / file.path)
    except OSError as error:
        return Problem("unread", file.path, error.strerror or "")
    return None if (size, sha256) == (file.size, file.sha256) else Problem("changed", file.path)


def _walk(folder: Path, before: str) -> Iterator[tuple[str, str, int]]:
    """Each path below `folder` that is not a folder: "file" with its size, "link", or "unread"."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        yield before.rstrip("/") or ".", "unread", 0
        return
    for entry in entries:
        path = before + entry.name
        if entry.is_dir(follow_symlinks=False) and not _junction(entry):
            yield from _walk(Path(entry.path), path + "/")
        elif entry.is_file(follow_symlinks=False):
            yield path, "file", entry.stat(follow_symlinks=False).st_size
        else:
            yield path, "link", 0


def _junction(entry: os.DirEntry[str]) -> bool:
    """A Windows mount point that stands where a folder would."""
    tag = getattr(entry.stat(follow_symlinks=False), "st_reparse_tag", 0)
    return bool(tag)


def hashed(path: Path, copy: Path | None = None) -> tuple[int, str]:
    """Size and SHA-256 of the bytes of `path`; given `copy`, those bytes are written there."""
    digest, size = hashlib.sha256(), 0
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    buffer = memoryview(bytearray(CHUNK))
    out = copy.open("xb") if copy is not None else None
    try:
        with os.fdopen(os.open(path, flags), "rb", buffering=0) as file:
            while True:
                count = file.readinto(buffer)
                if not count:
                    break
                digest.update(buffer[:count])
                size += count
                if out is not None:
                    out.write(buffer[:count])
    finally:
        if out is not None:
            out.close()
    return size, digest.hexdigest()

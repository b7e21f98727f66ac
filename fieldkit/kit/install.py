"""The installer on the stick: `python3 -I install.py`. One file, standard library only, no network.

Long, but one file, so that whoever is to trust it can read it and compare its hash; it cannot vouch for
itself (`docs/head-office.md` says what it proves). fieldkit imports its checks: they are written once.
"""

import sys

# Python looks beside a script for modules first, and nothing that lies beside this one was checked yet. With
# -I it does not; without, nothing but `sys`, which is built in, may be imported before this.
if __name__ == "__main__":
    if not getattr(sys.flags, "safe_path", sys.flags.isolated):
        sys.path[:] = [place for place in sys.path[1:] if place not in ("", sys.path[0])]
    if tuple(sys.version_info) < (3, 11):
        sys.exit(
            f"Cần Python 3.11 trở lên, đây là Python {sys.version.split()[0]}. Chưa cài gì cả. "
            "(Windows: py -0 cho biết các Python đã cài)\n"
            f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}. Nothing was installed. "
            "(Windows: py -0 lists those installed)"
        )

import argparse
import contextlib
import errno
import hashlib
import itertools
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO, NamedTuple, TypedDict
from uuid import UUID

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
KIND = "fieldkit-kit"
FORMAT = 1
LARGEST = 32 * 1024 * 1024  # bytes of a manifest
CHUNK = 1 << 20
HASHERS = min(4, os.cpu_count() or 1)
HEX64 = re.compile("[0-9a-f]{64}")
VERSION = re.compile("[0-9A-Za-z.+-]{1,40}")
PROFILE = re.compile("[a-z0-9][a-z0-9-]{0,63}")
WORD = re.compile("[0-9A-Za-z][0-9A-Za-z._+-]{0,63}")  # "3.11", "linux-x86_64", "debian-12"
# What FAT and Windows cannot keep as a name, or keep as another.
UNFIT = re.compile(r'[<>:"\\|?*\x00-\x1f\x7f]')
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


class ListedFile(NamedTuple):
    """A file of the manifest."""

    path: str
    size: int
    sha256: str


class FileShape(TypedDict):
    """A file in the manifest's JSON."""

    path: str
    size: int
    sha256: str


class TargetShape(TypedDict):
    """A Python on a machine that the kit is for, in the manifest's JSON; wheels: paths."""

    python: str
    platform: str
    wheels: list[str]


class DriverShape(TypedDict):
    """The files of a token's driver, in the manifest's JSON."""

    profile: str
    files: list[str]


class ManifestShape(TypedDict):
    """What this installer reads of the manifest's JSON."""

    kind: str
    format: int
    key: str
    version: str
    pip: str
    files: list[FileShape]
    targets: list[TargetShape]
    drivers: list[DriverShape]


class FileProblem(NamedTuple):
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


def visible(text: str) -> str:
    """`text` with whatever would not show, or would steer the terminal, written out."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def fits(path: str) -> bool:
    """Whether `path` is a relative path, with `/`, that stays in its folder and that FAT can keep."""
    parts = path.split("/")
    return len(path) <= 400 and all(
        part not in ("", ".", "..")
        and len(part.encode("utf-16-le")) <= 2 * 255
        and not UNFIT.search(part)
        and part.isprintable()
        and not part.endswith((".", " "))
        and not RESERVED.fullmatch(part)
        and unicodedata.normalize("NFC", part) == part
        for part in parts
    )


def parse(data: bytes) -> tuple[ManifestShape, list[ListedFile]]:
    """The manifest in `data`: all of it, and its files, each with a path that stays in the kit.

    :raises BadManifest: it is none, of another form, or names a path that leaves the folder.
    """
    try:
        whole: ManifestShape = json.loads(data.decode("utf-8"), object_pairs_hook=_once)
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
    files = [_listed(row) for row in whole["files"]]
    seen = {MANIFEST, SIGNATURE}
    for file in files:
        folded = file.path.casefold()
        if folded in seen:
            raise BadManifest("twice", file.path)
        seen.add(folded)
    paths = {file.path for file in files}
    for path in _named(whole):
        if not isinstance(path, str) or path not in paths:
            raise BadManifest("path", str(path)[:200])
    return whole, files


def _named(whole: ManifestShape) -> list[str]:
    """The files that the other parts of a manifest name."""
    try:
        _matching(VERSION, whole["version"])
        if not isinstance(whole["pip"], str) or (whole["targets"] and not whole["pip"]):
            raise TypeError  # nothing could be installed
        named = [whole["pip"]] if whole["pip"] else []
        for target in whole["targets"]:
            _matching(WORD, target["python"], target["platform"])
            named += target["wheels"]
        for driver in whole["drivers"]:
            _matching(PROFILE, driver["profile"])
            named += driver["files"]
    except (KeyError, TypeError):
        raise BadManifest("shape", "targets") from None
    return named


def _matching(pattern: re.Pattern[str], *words: object) -> None:
    if not all(isinstance(word, str) and pattern.fullmatch(word) for word in words):
        raise TypeError


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key is there twice")
    return members


def _listed(row: object) -> ListedFile:
    if not isinstance(row, dict) or set(row) != {"path", "size", "sha256"}:
        raise BadManifest("shape", "files")
    path, size, sha256 = row["path"], row["size"], row["sha256"]
    if not isinstance(path, str) or not fits(path):
        raise BadManifest("path", str(path)[:200])
    if type(size) is not int or size < 0 or not isinstance(sha256, str) or not HEX64.fullmatch(sha256):
        raise BadManifest("shape", path)
    return ListedFile(path, size, sha256)


def fingerprint(key: str) -> str:
    """The name of a public key (hexadecimal) that people compare: its SHA-256, in groups of four."""
    digest = hashlib.sha256(bytes.fromhex(key)).hexdigest()
    return " ".join(digest[at : at + 4] for at in range(0, 64, 4))


def same_fingerprint(typed: str, key: str) -> bool:
    """Whether what a person typed or pasted is the whole fingerprint of `key`."""
    return re.sub("[^0-9a-f]", "", typed.lower()) == fingerprint(key).replace(" ", "")


def compare(
    folder: Path, files: list[ListedFile], tell: Callable[[int, int], None] | None = None
) -> list[FileProblem]:
    """Every difference between `folder` and the manifest's `files`, by path. Links are never followed.

    tell: is told the bytes done and in all.
    """
    listed = {file.path: file for file in files}
    sizes: dict[str, int] = {}
    problems: list[FileProblem] = []
    for path, kind, size in walk(folder):
        if kind != "file":
            problems.append(FileProblem(kind, path))
        elif path in listed:
            sizes[path] = size
        elif path not in (MANIFEST, SIGNATURE):
            problems.append(FileProblem("added", path))
    problems += [FileProblem("missing", path) for path in listed if path not in sizes]
    same: list[ListedFile] = []
    for path, size in sizes.items():
        if size == listed[path].size:
            same.append(listed[path])
        else:
            problems.append(FileProblem("changed", path, f"{listed[path].size} → {size}"))
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


def _judged(folder: Path, file: ListedFile) -> FileProblem | None:
    try:
        size, sha256 = hashed(folder / file.path)
    except OSError as error:
        return FileProblem("unread", file.path, error.strerror or "")
    return None if (size, sha256) == (file.size, file.sha256) else FileProblem("changed", file.path)


def walk(folder: Path, before: str = "") -> Iterator[tuple[str, str, int]]:
    """Each path below `folder` that is not a folder: "file" with its size, "link", or "unread"."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        yield before.rstrip("/") or ".", "unread", 0
        return
    for entry in entries:
        path = before + entry.name
        if entry.is_dir(follow_symlinks=False) and not _junction(entry):
            yield from walk(Path(entry.path), path + "/")
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


# --- Ed25519, to check a signature only (RFC 8032, section 5.1.7). Nothing secret is touched here. ---

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE = -121665 * pow(121666, PRIME - 2, PRIME) % PRIME
ROOT = pow(2, (PRIME - 1) // 4, PRIME)


def genuine(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) over `message` was made by the holder of the public `key` (32 bytes)."""
    if len(key) != 32 or len(signature) != 64:
        return False
    public, first = _point(key), _point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if public is None or first is None or scalar >= ORDER:
        return False
    if _times(8, public)[0] % PRIME == 0:  # of small order: what it is said to have signed anybody made
        return False
    digest = hashlib.sha512(signature[:32] + key + message).digest()
    factor = int.from_bytes(digest, "little") % ORDER
    base = _point((4 * pow(5, PRIME - 2, PRIME) % PRIME).to_bytes(32, "little"))
    assert base is not None
    left, right = _times(scalar, base), _add(first, _times(factor, public))
    return (left[0] * right[2] - right[0] * left[2]) % PRIME == 0 and (
        left[1] * right[2] - right[1] * left[2]
    ) % PRIME == 0


def _point(data: bytes) -> tuple[int, int, int, int] | None:
    y = int.from_bytes(data, "little")
    odd, y = y >> 255, y & ((1 << 255) - 1)
    if y >= PRIME:
        return None
    square = (y * y - 1) * pow(CURVE * y * y + 1, PRIME - 2, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if (x * x - square) % PRIME:
        x = x * ROOT % PRIME
    if (x * x - square) % PRIME or (x == 0 and odd):
        return None
    if x & 1 != odd:
        x = PRIME - x
    return x, y, 1, x * y % PRIME


def _add(one: tuple[int, int, int, int], two: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    a = (one[1] - one[0]) * (two[1] - two[0]) % PRIME
    b = (one[1] + one[0]) * (two[1] + two[0]) % PRIME
    c = 2 * one[3] * two[3] * CURVE % PRIME
    d = 2 * one[2] * two[2] % PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME


def _times(count: int, point: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    total = (0, 1, 1, 0)
    while count:
        if count & 1:
            total = _add(total, point)
        point, count = _add(point, point), count >> 1
    return total


# --- Installing ---

DONE, NO, WRONG_USE, REFUSED, LACKING, FAULT = range(6)
NARROW = "-32bit"
MARK = "fieldkit-kit.json"  # in what this installer made, and in nothing else
VERSIONS = "versions"  # each an environment that stays where it was made; the program starts one of them
WHEELS = ".wheels"
ENTRY = "fieldkit.lnk"  # in the Start menu
PYTHON = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
PROGRAM = ("Scripts", "fieldkit.exe") if os.name == "nt" else ("bin", "fieldkit")
# All that an installation, of whichever release, has at its top; a folder with anything more is left alone.
MADE = {
    MARK,
    VERSIONS,
    WHEELS,
    "bin",
    "scripts",
    "include",
    "lib",
    "lib64",
    "share",
    "pyvenv.cfg",
    ".gitignore",
}
# Runs pip out of its wheel: a Python without pip or ensurepip (Debian's) will do. Under the name "pip" it
# would refuse, on Windows, to install a pip.
PIP = "import sys; sys.path.insert(0, sys.argv.pop(1)); from pip._internal.cli.main import main; exit(main())"

VIETNAMESE = {
    "This is not a kit: {detail}": "Đây không phải bộ cài ngoại tuyến: {detail}",
    "The manifest's signature is wrong. Nothing of this kit is used.": (
        "Chữ ký của bản kê sai. Không dùng bất cứ thứ gì trong bộ cài này."
    ),
    "Files that are not as the manifest says:": "Các tệp không đúng như bản kê:",
    "missing: {path}": "thiếu: {path}",
    "changed: {path}": "đã bị thay đổi: {path}",
    "added: {path}": "không thuộc bộ cài: {path}",
    "link: {path}": "là liên kết hoặc không phải tệp thường: {path}",
    "unread: {path}": "không đọc được: {path}",
    "Nothing was installed. Get the kit from head office again.": (
        "Chưa cài gì cả. Hãy lấy lại bộ cài từ đơn vị quản lý thuê bao."
    ),
    "fieldkit {version}: {count} files are as the signed manifest says.": (
        "fieldkit {version}: {count} tệp đúng như bản kê đã ký."
    ),
    "Fingerprint of the key that signed it:": "Dấu vân tay của khóa đã ký:",
    "SHA-256 of the manifest:": "SHA-256 của bản kê:",
    "Compare them with what head office told you by another way: whoever could change this stick "
    "could have put another key and another installer on it.": (
        "Hãy so với thông tin đơn vị quản lý thuê bao đã báo qua kênh khác: người sửa được USB này "
        "cũng có thể đã thay khóa và thay cả trình cài đặt."
    ),
    "It is the fingerprint that was given.": "Đúng là dấu vân tay đã cho.",
    "It is not the fingerprint that was given. Nothing was installed.": (
        "Không phải dấu vân tay đã cho. Chưa cài gì cả."
    ),
    "This kit is not for Python {python} on {platform}. It is for: {those}": (
        "Bộ cài này không dành cho Python {python} trên {platform}. Bộ cài dành cho: {those}"
    ),
    "To be done, without a network:": "Sẽ thực hiện, không cần mạng:",
    "make a Python environment in {target}": "tạo môi trường Python trong {target}",
    "install {count} packages from the kit into it": "cài {count} gói từ bộ cài vào đó",
    "take the kit's profiles, checklists, plan and dossiers into {home}": (
        "đưa hồ sơ cấu hình, danh mục kiểm tra, kế hoạch và hồ sơ thuê bao của bộ cài vào {home}"
    ),
    "fieldkit's folder of this user": "thư mục dữ liệu fieldkit của người dùng này",
    "replace the fieldkit that is there; it works until the new one does": (
        "thay bản fieldkit đang có ở đó; bản đó vẫn dùng được cho đến khi bản mới chạy được"
    ),
    "remove what an earlier installation left: {place}": "xóa những gì lần cài trước để lại: {place}",
    "Do this? [y/N] ": "Thực hiện? [c/K] ",
    "Nothing was installed: not agreed to.": "Chưa cài gì cả: chưa được đồng ý.",
    "Nothing was installed: nobody is here to agree. Add --yes.": (
        "Chưa cài gì cả: không có ai để đồng ý. Hãy thêm --yes."
    ),
    "{target} holds something else. Name another folder with --target.": (
        "{target} đang chứa thứ khác. Hãy chọn thư mục khác bằng --target."
    ),
    "Installing {count} packages …": "Đang cài {count} gói …",
    "It failed, and what was made was removed again: {detail}": (
        "Không thành công, những gì đã tạo đã được gỡ bỏ: {detail}"
    ),
    "Broken off. Nothing was installed.": "Đã dừng giữa chừng. Chưa cài gì cả.",
    "Another installation into {target} is under way.": "Một lần cài khác vào {target} đang chạy.",
    "fieldkit is running, so it cannot be replaced. Close it, then repeat. Nothing was changed.": (
        "fieldkit đang chạy nên chưa thay được. Hãy đóng fieldkit rồi chạy lại. Chưa thay đổi gì."
    ),
    "fieldkit is installed, but the kit's papers were not taken; repeat: {command}": (
        "Đã cài fieldkit, nhưng chưa đưa được hồ sơ của bộ cài vào; hãy chạy lại: {command}"
    ),
    "Installed. Start it with: {program}": "Đã cài xong. Khởi động bằng: {program}",
    "This Python is a 32-bit one, and fieldkit needs one of 64 bits. Nothing was installed.": (
        "Python này là bản 32 bit, fieldkit cần bản 64 bit. Chưa cài gì cả."
    ),
    "{target} cannot be written to by this account: {detail}. Name another folder with --target. "
    "Nothing was installed.": (
        "Tài khoản này không ghi được vào {target}: {detail}. Hãy chọn thư mục khác bằng "
        "--target. Chưa cài gì cả."
    ),
    "{path} was there a moment ago and is gone: a virus scanner may have taken it away. Look into its "
    "quarantine, then repeat. What was made was removed again.": (
        "{path} vừa mới có nay không còn: có thể phần mềm diệt vi-rút đã lấy đi. Hãy xem mục cách ly "
        "của phần mềm đó rồi chạy lại. Những gì đã tạo đã được gỡ bỏ."
    ),
    "{path} was installed and is gone again: a virus scanner may have taken it away. Look into its "
    "quarantine, then repeat.": (
        "{path} đã được cài nhưng nay không còn: có thể phần mềm diệt vi-rút đã lấy đi. Hãy xem mục cách ly "
        "của phần mềm đó rồi chạy lại."
    ),
    "put fieldkit into this account's Start menu: {place}": (
        "đưa fieldkit vào menu Start của tài khoản này: {place}"
    ),
    "have the fieldkit in this account's Start menu start this one: {place}": (
        "để mục fieldkit trong menu Start của tài khoản này khởi động bản này: {place}"
    ),
    "The entry in the Start menu could not be made: {detail}": (
        "Không tạo được mục trong menu Start: {detail}"
    ),
    "There is no fieldkit in {target}. Nothing was removed.": (
        "Không có fieldkit trong {target}. Chưa gỡ bỏ gì cả."
    ),
    "remove {place}": "gỡ bỏ {place}",
    "To be done:": "Sẽ thực hiện:",
    "What fieldkit keeps in its own folder stays: {home}": (
        "Những gì fieldkit lưu trong thư mục dữ liệu vẫn giữ nguyên: {home}"
    ),
    "Nothing was removed: not agreed to.": "Chưa gỡ bỏ gì cả: chưa được đồng ý.",
    "Nothing was removed: nobody is here to agree. Add --yes.": (
        "Chưa gỡ bỏ gì cả: không có ai để đồng ý. Hãy thêm --yes."
    ),
    "fieldkit is running, so it cannot be removed. Close it, then repeat. Nothing was changed.": (
        "fieldkit đang chạy nên chưa gỡ bỏ được. Hãy đóng fieldkit rồi chạy lại. Chưa thay đổi gì."
    ),
    "Not all of it could be removed; this is left: {place}. Repeat it.": (
        "Chưa gỡ bỏ được hết, còn lại: {place}. Hãy chạy lại."
    ),
    "Removed.": "Đã gỡ bỏ.",
    "A token's driver from this kit: {command}": "Trình điều khiển token trong bộ cài này: {command}",
}

TRANSLATIONS: dict[str, dict[str, str]] = {"vi": VIETNAMESE, "en": {}}
"""By language; the texts are written in English."""


class Stop(Exception):
    """The end of the work, with an exit status."""

    def __init__(self, status: int, text: str, **values: object) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.values = values


class Installer:
    """One run of the installer, in one language."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.kit = Path(__file__).absolute().parent
        self.options = options
        self.target = Path(options.target).expanduser().absolute()
        self.version: Path | None = None
        menu = None if options.no_start_menu else start_menu()
        self.entry = menu / ENTRY if menu else None
        language = options.lang or os.environ.get("FIELDKIT_LANG") or "vi"
        self.language = language.lower()[:2] if language.lower()[:2] in TRANSLATIONS else "vi"

    def words(self, text: str, **values: object) -> str:
        shown = {name: visible(str(value)) for name, value in values.items()}
        return (text if self.language == "en" else TRANSLATIONS[self.language][text]).format(**shown)

    def write_line(self, text: str, **values: object) -> None:
        sys.stdout.write(self.words(text, **values) + "\n")
        sys.stdout.flush()

    def run(self) -> int:
        if self.options.remove:
            return self.take_away()
        whole = self.check()
        if self.options.check:
            return DONE
        wheels = self.wheels(whole)
        self.agree(len(wheels))
        sizes = {file["path"]: (file["size"], file["sha256"]) for file in whole["files"]}
        self.install([(path, *sizes[path]) for path in [whole["pip"], *wheels]], whole["version"])
        self.enter()
        return self.take_papers(whole)

    def check(self) -> ManifestShape:
        """The manifest, if signature, key and every file are right."""
        try:
            data = (self.kit / MANIFEST).read_bytes()
            signature = (self.kit / SIGNATURE).read_bytes()
            whole, files = parse(data)
        except OSError as error:
            raise Stop(LACKING, "This is not a kit: {detail}", detail=error) from None
        except BadManifest as error:
            raise Stop(NO, "This is not a kit: {detail}", detail=f"{error.what} {error.detail}") from None
        if not genuine(bytes.fromhex(whole["key"]), data, signature):
            raise Stop(NO, "The manifest's signature is wrong. Nothing of this kit is used.")
        problems = compare(self.kit, files)
        if problems:
            self.write_line("Files that are not as the manifest says:")
            for problem in problems:
                self.write_line(problem.kind + ": {path}", path=problem.path)
            raise Stop(NO, "Nothing was installed. Get the kit from head office again.")
        sentence = "fieldkit {version}: {count} files are as the signed manifest says."
        self.write_line(sentence, version=whole["version"], count=len(files))
        self.write_line("Fingerprint of the key that signed it:")
        sys.stdout.write("  " + fingerprint(whole["key"]) + "\n")
        self.write_line("SHA-256 of the manifest:")
        sys.stdout.write("  " + hashlib.sha256(data).hexdigest() + "\n")
        if not self.options.fingerprint:
            self.write_line(
                "Compare them with what head office told you by another way: whoever could change this stick "
                "could have put another key and another installer on it."
            )
        elif same_fingerprint(self.options.fingerprint, whole["key"]):
            self.write_line("It is the fingerprint that was given.")
        else:
            raise Stop(REFUSED, "It is not the fingerprint that was given. Nothing was installed.")
        return whole

    def wheels(self, whole: ManifestShape) -> list[str]:
        """The kit's wheels for this Python on this machine."""
        python, here = "{}.{}".format(*sys.version_info[:2]), this_platform()
        for target in whole["targets"]:
            if (target["python"], target["platform"]) == (python, here):
                return list(target["wheels"])
        if here.endswith(NARROW):
            sentence = (
                "This Python is a 32-bit one, and fieldkit needs one of 64 bits. Nothing was installed."
            )
            raise Stop(LACKING, sentence)
        those = ", ".join("Python {python} {platform}".format(**target) for target in whole["targets"])
        sentence = "This kit is not for Python {python} on {platform}. It is for: {those}"
        raise Stop(LACKING, sentence, python=python, platform=here, those=those or "-")

    def agree(self, count: int) -> None:
        """Show what will be done; go on only if the person agrees."""
        home = self.options.home or os.environ.get("FIELDKIT_HOME")
        inside = home is not None and self.target in [*Path(home).expanduser().absolute().parents, Path(home)]
        if inside or not ours(self.target):
            sentence = "{target} holds something else. Name another folder with --target."
            raise Stop(REFUSED, sentence, target=self.target)
        steps = [
            self.words("make a Python environment in {target}", target=self.target),
            self.words("install {count} packages from the kit into it", count=count),
        ]
        if self.program().exists():
            steps.append(self.words("replace the fieldkit that is there; it works until the new one does"))
        steps += [
            self.words("remove what an earlier installation left: {place}", place=place)
            for place in self.leftovers()
        ]
        if self.entry is not None:
            text = "put fieldkit into this account's Start menu: {place}"
            if self.entry.exists() and not self.enters():
                text = "have the fieldkit in this account's Start menu start this one: {place}"
            steps.append(self.words(text, place=self.entry))
        steps.append(
            self.words(
                "take the kit's profiles, checklists, plan and dossiers into {home}",
                home=home or self.words("fieldkit's folder of this user"),
            )
        )
        self.write_line("To be done, without a network:")
        self.show(steps)
        if not self.agreed("Nothing was installed: nobody is here to agree. Add --yes."):
            raise Stop(REFUSED, "Nothing was installed: not agreed to.")

    def show(self, steps: list[str]) -> None:
        for number, step in enumerate(steps, 1):
            sys.stdout.write(f"  {number}. {step}\n")
        sys.stdout.flush()

    def agreed(self, nobody: str) -> bool:
        """Whether the person agrees, now or in advance. nobody: what is said where none is there."""
        if self.options.yes:
            return True
        if sys.stdin is None or not sys.stdin.isatty():
            raise Stop(REFUSED, nobody)
        return input(self.words("Do this? [y/N] ")).strip().lower() in ("y", "yes", "c", "có", "co")

    def install(self, wheels: list[tuple[str, int, str]], version: str) -> None:
        """Install beside what is there, then have the program start the new one: by one rename.

        Until then the earlier one works as before. What a run that was killed leaves the next one removes.
        """
        missing = [above for above in self.target.parents if not above.exists()]
        try:
            self.target.mkdir(parents=True, exist_ok=True)
            with held(self.target / MARK) as mark:
                self.make(wheels)
                self.switch()
                with contextlib.suppress(OSError):
                    mark.truncate(0)
                    mark.write(json.dumps({"version": version}).encode())
                for place in self.leftovers():
                    remove(place)
        except BlockingIOError:
            sentence = "Another installation into {target} is under way."
            raise Stop(REFUSED, sentence, target=self.target) from None
        except BaseException as error:
            listen(signal.SIG_IGN)
            if self.version is not None and self.version not in self.used():
                remove(self.version)
            if not self.program().exists() and ours(self.target):
                remove(self.target)
                for above in missing:
                    with contextlib.suppress(OSError):
                        above.rmdir()
            if isinstance(error, PermissionError) and self.version is None:
                sentence = (
                    "{target} cannot be written to by this account: {detail}. Name another folder with "
                    "--target. Nothing was installed."
                )
                raise Stop(NO, sentence, target=self.target, detail=error.strerror) from None
            if isinstance(error, FileNotFoundError) and self.version is not None:
                sentence = (
                    "{path} was there a moment ago and is gone: a virus scanner may have taken it away. Look "
                    "into its quarantine, then repeat. What was made was removed again."
                )
                raise Stop(NO, sentence, path=error.filename) from None
            if isinstance(error, OSError):
                sentence = "It failed, and what was made was removed again: {detail}"
                raise Stop(NO, sentence, detail=error) from None
            raise
        listen(_end)

    def make(self, wheels: list[tuple[str, int, str]]) -> None:
        """Make a new version that works, beside the one in use."""
        import venv

        versions = self.target / VERSIONS
        versions.mkdir(exist_ok=True)
        numbers = (versions / str(number) for number in itertools.count(1))
        version = self.version = next(place for place in numbers if not os.path.lexists(place))
        venv.EnvBuilder(with_pip=False, symlinks=os.name != "nt").create(str(version))
        folder = version / WHEELS
        folder.mkdir()
        copies = []
        for path, size, sha256 in wheels:
            copy = folder / path.rpartition("/")[2]
            if not copy.exists() and hashed(self.kit / path, copy) != (size, sha256):
                raise OSError(self.words("changed: {path}", path=path))
            copies.append(str(copy))
        self.write_line("Installing {count} packages …", count=len(set(copies)))
        quiet = ["--quiet", "--disable-pip-version-check", "--no-cache-dir", "--no-warn-script-location"]
        offline = ["install", "--isolated", "--no-index", "--no-deps"]
        python = str(version.joinpath(*PYTHON))
        start(python, "-I", "-c", PIP, copies[0], *offline, *quiet, *sorted(set(copies)))
        shutil.rmtree(folder)
        start(str(version.joinpath(*PROGRAM)), "--version")

    def switch(self) -> None:
        """Have the program start the new version."""
        assert self.version is not None
        program = self.program()
        program.parent.mkdir(exist_ok=True)
        fresh = program.with_name(program.name + ".part")
        shutil.copy2(self.version.joinpath(*PROGRAM), fresh)
        if hasattr(os, "sync"):
            os.sync()  # all of it is on the disk before anything starts it
        listen(signal.SIG_IGN)
        try:
            fresh.replace(program)
        except PermissionError:
            fresh.unlink()
            if os.name != "nt":
                raise
            sentence = (
                "fieldkit is running, so it cannot be replaced. Close it, then repeat. Nothing was changed."
            )
            raise Stop(REFUSED, sentence) from None

    def enter(self) -> None:
        """Put the program into the Start menu: it works without that, so that failing is only told."""
        if self.entry is None:
            return
        home = ["--home", str(Path(self.options.home).expanduser().absolute())] if self.options.home else []
        try:
            write_shortcut(self.entry, self.program(), home)
        except OSError as error:
            self.write_line("The entry in the Start menu could not be made: {detail}", detail=error)

    def enters(self) -> bool:
        """Whether the Start menu's entry starts the program of this target."""
        try:
            return (
                self.entry is not None
                and f'"{self.program()}"'.encode("utf-16-le") in self.entry.read_bytes()
            )
        except OSError:
            return False

    def take_away(self) -> int:
        """Remove what was installed, and not what fieldkit keeps in its home. Killed, it can be repeated."""
        if not (self.target / MARK).is_file():
            raise Stop(LACKING, "There is no fieldkit in {target}. Nothing was removed.", target=self.target)
        if not ours(self.target):
            sentence = "{target} holds something else. Name another folder with --target."
            raise Stop(REFUSED, sentence, target=self.target)
        places = [self.target, *([self.entry] if self.entry is not None and self.enters() else [])]
        self.write_line("To be done:")
        self.show([self.words("remove {place}", place=place) for place in places])
        home = self.options.home or os.environ.get("FIELDKIT_HOME")
        kept = home or self.words("fieldkit's folder of this user")
        self.write_line("What fieldkit keeps in its own folder stays: {home}", home=kept)
        if not self.agreed("Nothing was removed: nobody is here to agree. Add --yes."):
            raise Stop(REFUSED, "Nothing was removed: not agreed to.")
        try:
            with held(self.target / MARK):
                self.program().unlink(missing_ok=True)
        except BlockingIOError:
            sentence = "Another installation into {target} is under way."
            raise Stop(REFUSED, sentence, target=self.target) from None
        except PermissionError:
            if os.name != "nt":
                raise
            sentence = (
                "fieldkit is running, so it cannot be removed. Close it, then repeat. Nothing was changed."
            )
            raise Stop(REFUSED, sentence) from None
        for place in (self.target / VERSIONS, *reversed(places)):  # the mark goes last
            remove(place)
            if os.path.lexists(place):
                sentence = "Not all of it could be removed; this is left: {place}. Repeat it."
                raise Stop(NO, sentence, place=place)
        self.write_line("Removed.")
        return DONE

    def program(self) -> Path:
        return self.target.joinpath(*PROGRAM)

    def used(self) -> list[Path]:
        """The version that the program starts; none where there is none, or it is one of release 0.1."""
        try:
            program = self.program().read_bytes()
        except OSError:
            return []
        versions = children(self.target / VERSIONS)
        return [version for version in versions if os.fsencode(f"{version}{os.sep}") in program]

    def leftovers(self) -> list[Path]:
        """Parts of installations that another one followed, or that came to nothing."""
        used = self.used()
        places = [version for version in children(self.target / VERSIONS) if version not in used]
        if used or not self.program().exists():  # else it is one of release 0.1: the folder itself
            places += [place for place in children(self.program().parent) if place != self.program()]
            kept = (MARK, VERSIONS, PROGRAM[0].lower())
            places += [place for place in children(self.target) if place.name.lower() not in kept]
        before = self.target.with_name(self.target.name + ".before")  # release 0.1 put the earlier one there
        return [*places, before] if os.path.lexists(before) and ours(before) else places

    def take_papers(self, whole: ManifestShape) -> int:
        """Let the fieldkit just installed check the kit once more, by its own means, and take its papers."""
        home = ["--home", str(Path(self.options.home).expanduser().absolute())] if self.options.home else []
        assert self.version is not None
        start = [str(self.version.joinpath(*PYTHON)), "-I", "-m", "fieldkit"]
        key = fingerprint(whole["key"]).replace(" ", "")
        load = [*home, "kit", "load", str(self.kit), "--fingerprint", key]
        try:
            taken = subprocess.run([*start, "--lang", self.language, *load, "--yes"]).returncode == 0
        except KeyboardInterrupt:
            taken = False
        program = self.program()
        if not taken:
            sentence = "fieldkit is installed, but the kit's papers were not taken; repeat: {command}"
            raise Stop(NO, sentence, command=" ".join([str(program), *load]))
        if not program.exists():
            sentence = (
                "{path} was installed and is gone again: a virus scanner may have taken it away. Look into "
                "its quarantine, then repeat."
            )
            raise Stop(NO, sentence, path=program)
        self.write_line("Installed. Start it with: {program}", program=" ".join([str(program), *home]))
        drivers = sorted({driver["profile"] for driver in whole["drivers"]})
        if drivers:
            install = " ".join(
                [str(program), *home, "driver install", "|".join(drivers), "--kit", str(self.kit)]
            )
            self.write_line("A token's driver from this kit: {command}", command=install)
        return DONE


def start(program: str, *arguments: str) -> None:
    """Run a program of the new version, which hears of no setting of this machine's; it has to succeed.

    :raises FileNotFoundError: it is not there any more.
    """
    surroundings = {
        key: value for key, value in os.environ.items() if not key.upper().startswith(("PIP_", "PYTHON"))
    }
    surroundings["PIP_CONFIG_FILE"] = os.devnull
    if not os.path.exists(program):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)
    command = [program, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=surroundings)
    if done.returncode:
        raise OSError(reason(done.stdout.decode("utf-8", "replace")))


@contextlib.contextmanager
def held(path: Path) -> Iterator[BinaryIO]:
    """The file at `path`, which says whose the folder is, and is one installation's at a time.

    :raises BlockingIOError: another has it.
    """
    with path.open("ab") as file:
        try:
            if os.name == "nt":
                import msvcrt

                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except PermissionError:
            raise BlockingIOError from None
        except BlockingIOError:
            raise
        except OSError:  # a file system without locks
            pass
        yield file


def ours(place: Path) -> bool:
    """Whether nothing is lost when `place` goes: nothing is there, or only what an installer of ours made.

    That of release 0.1 put its mark last: what it was killed over is an environment with the kit's wheels in
    it, or with nothing yet, or one that waits for the earlier one, or was that.
    """
    if not os.path.lexists(str(place)):
        return True
    if place.is_symlink() or not place.is_dir():
        return False
    names = {path.name.lower() for path in children(place)}
    if not names <= MADE:
        return False
    earlier = place.name.endswith(".before")
    beside = place.with_name(place.name[:-7] if earlier else place.name + ".before")
    marked = MARK in names or (beside / MARK).is_file()
    return marked or WHEELS in names or not any(place.glob("[Ll]ib/**/site-packages/*"))


def children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def remove(place: Path) -> None:
    """Take `place` away; what is in use (Windows) stays for the next time."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            place.unlink()


def reason(output: str) -> str:
    """What a program that failed says of why, short enough to be read."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return " ".join(line[:300] for line in (errors or lines)[-3:]) or "?"


def listen(answer: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    """What happens when this is to end: `answer`, a handler of signals."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), answer)


def _end(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def this_platform() -> str:
    """This machine as kits name it: "linux-x86_64", "windows-x86_64", "macos-arm64" …"""
    system = {"Darwin": "macos"}.get(platform.system(), platform.system().lower())
    if system == "linux" and platform.libc_ver()[0] != "glibc":
        system = "linux-musl"
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64", "aarch64": "arm64"}.get(machine, machine)
    return f"{system}-{machine}" + ("" if sys.maxsize > 2**32 else NARROW)


# --- The Start menu ---


def start_menu() -> Path | None:
    """The folder of this account's Start menu; None where there is no such thing."""
    if sys.platform != "win32":
        return None
    import ctypes

    folder = ctypes.create_unicode_buffer(260)
    programs = 2  # CSIDL_PROGRAMS
    refused = ctypes.WinDLL("shell32").SHGetFolderPathW(None, programs, None, 0, folder)
    return None if refused else Path(folder.value)


def write_shortcut(place: Path, program: Path, arguments: list[str]) -> None:
    """A shortcut that starts a program of the console; its window stays until an error was read.

    By Windows' own IShellLink: the Start menu lists shortcuts only, and scripts need PowerShell to make one.

    :raises OSError: it cannot be made.
    """
    if sys.platform == "win32":
        import ctypes
        from ctypes import wintypes

        def call(instance: Any, number: int, *values: Any) -> None:
            """Call the method of that number of a COM object."""
            types = [type(value) for value in values]
            ctypes.WINFUNCTYPE(ctypes.HRESULT, *types)(number, "method")(instance, *values)

        def text(value: object) -> Any:
            return ctypes.c_wchar_p(str(value))

        def identifier(name: str) -> Any:
            return ctypes.create_string_buffer(UUID(name).bytes_le, 16)

        query, release, save, set_folder, set_arguments, set_icon, set_path = 0, 2, 6, 9, 11, 17, 20
        shell = os.environ.get("COMSPEC", r"C:\Windows\System32\cmd.exe")
        line = subprocess.list2cmdline(arguments)
        ole = ctypes.OleDLL("ole32")
        ole.CoInitialize(None)
        link, file = ctypes.c_void_p(), ctypes.c_void_p()
        in_process = 1
        ole.CoCreateInstance(
            *(identifier("00021401-0000-0000-c000-000000000046"), None, in_process),  # a shell link
            *(identifier("000214f9-0000-0000-c000-000000000046"), ctypes.byref(link)),  # IShellLinkW
        )
        try:
            call(link, set_path, text(shell))
            call(link, set_arguments, text(f'/d /s /c ""{program}" {line} || pause"'))
            call(link, set_folder, text(Path.home()))
            call(link, set_icon, text(program), ctypes.c_int(0))
            persist = ctypes.cast(identifier("0000010b-0000-0000-c000-000000000046"), ctypes.c_void_p)
            call(link, query, persist, ctypes.cast(ctypes.byref(file), ctypes.c_void_p))  # as IPersistFile
            try:
                call(file, save, text(place), wintypes.BOOL(True))
            finally:
                call(file, release)
        finally:
            call(link, release)


def parser() -> argparse.ArgumentParser:
    """What may be said to this installer."""
    # Never where the home is: that is LOCALAPPDATA\\fieldkit on Windows, ~/.local/share/fieldkit on Linux.
    local = os.environ.get("LOCALAPPDATA")
    usual = os.path.join(local, "Programs", "fieldkit") if local else "~/.local/lib/fieldkit"
    made = argparse.ArgumentParser(prog="install.py", description="Install fieldkit from this kit.")
    made.add_argument("--target", default=usual, help="where fieldkit goes (default: %(default)s)")
    made.add_argument("--home", help="the folder fieldkit keeps its data in")
    made.add_argument("--fingerprint", help="the fingerprint of the key that must have signed the kit")
    made.add_argument("--no-start-menu", action="store_true", help="leave the Start menu of Windows alone")
    made.add_argument("--remove", action="store_true", help="remove what was installed in the target")
    made.add_argument("--check", action="store_true", help="only check the kit")
    made.add_argument("--lang", choices=list(TRANSLATIONS), help="the language")
    made.add_argument("--yes", action="store_true", help="agree in advance")
    return made


def main(arguments: list[str]) -> int:
    """Check the kit this file lies in, and install from it."""
    installer = Installer(parser().parse_args(arguments))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8" if os.name == "nt" else None, errors="replace")
    listen(_end)
    try:
        return installer.run()
    except Stop as stop:
        sys.stderr.write(installer.words(stop.text, **stop.values) + "\n")
        return stop.status
    except KeyboardInterrupt:
        sys.stderr.write("\n" + installer.words("Broken off. Nothing was installed.") + "\n")
        return REFUSED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

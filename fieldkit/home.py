"""Where fieldkit keeps things on this machine, and where it finds what it came with."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from pathlib import Path

import msgspec

from fieldkit.errors import Missing
from fieldkit.text import M

PACKAGE = Path(__file__).parent
# Of these names Windows opens a device, whatever the folder and the ending; dots at an end it drops.
DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])\s*(\..*)?", re.IGNORECASE)
NOBODY_LOGGED_IN = 0xFFFFFFFF  # what the kernel says of a process that no login began


class HomeMissing(Missing, code="home-missing"):
    """The system knows no folder of the person's own, and none was named."""


class Home(msgspec.Struct, frozen=True):
    """The technician's folder; every path in it is named here and nowhere else.

    store: journal and attachments. visits: working files by visit. logs: what modules and tools
    printed. checklists, profiles: the technician's own copies, which override what is shipped.
    """

    path: Path

    @property
    def store(self) -> Path:
        return self.path / "store"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def checklists(self) -> Path:
        return self.path / "checklists"

    @property
    def profiles(self) -> Path:
        return self.path / "profiles"

    @property
    def settings(self) -> Path:
        """What the person at this machine set once."""
        return self.path / "settings.json"

    @property
    def agreed(self) -> Path:
        """What was agreed to be taken from a kit, beside its papers; only while it is being taken."""
        return self.path / "kit-files" / "papers" / "agreed.json"

    def visit(self, visit: str) -> Path:
        """The folder for the working files of `visit`: signed samples, the record."""
        return self.path / "visits" / visit


def locate(named: str | os.PathLike[str] | None = None) -> Home:
    """The home `named`, else FIELDKIT_HOME, else the user's data folder. Nothing is created.

    :raises HomeMissing: there is no such folder.
    """
    chosen = named or os.environ.get("FIELDKIT_HOME")
    if chosen:
        return Home(expanded(chosen).absolute())
    from platformdirs import user_data_path

    try:
        return Home(user_data_path("fieldkit", appauthor=False))
    except RuntimeError:
        raise HomeMissing(
            M("This account has no folder of its own, so fieldkit does not know where to keep its data."),
            unchanged=M("Nothing was changed."),
            hint=M("Name a folder with --home, or in FIELDKIT_HOME."),
        ) from None


def home_folder() -> Path:
    """The person's own folder; where the system knows none, the one in which fieldkit was started."""
    try:
        return Path.home()
    except RuntimeError:
        return Path.cwd()


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path as a person wrote it, `~` put in full.

    :raises HomeMissing: nobody knows what it stands for.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise HomeMissing(
            M("The folder that `~` stands for is not known: {path}.", path=str(path)),
            unchanged=M("Nothing was changed."),
            hint=M("Write the path in full."),
        ) from None


def account_folders(name: str) -> list[Path | None]:
    """Where this account keeps `name` on this machine, by what the system knows of it, not its environment.

    For root the account of whoever became root comes first. None for one that has no folder of its own, or
    whose folder leads root elsewhere. Nothing is created.
    """
    if sys.platform == "win32":
        from platformdirs.windows import get_win_folder_via_ctypes

        return [Path(get_win_folder_via_ctypes("CSIDL_LOCAL_APPDATA")) / "fieldkit" / name]
    own = os.geteuid()
    return [_account_folder(uid, name) for uid in (*(_became_root() if own == 0 else ()), own)]


def _account_folder(uid: int, name: str) -> Path | None:
    import pwd

    inside = "Library/Application Support" if sys.platform == "darwin" else ".local/state"
    try:
        home = Path(pwd.getpwuid(uid).pw_dir)
    except KeyError:
        return None
    if not home.is_absolute() or not os.path.isdir(home):
        return None
    below = Path(inside, "fieldkit", name)
    if uid != os.geteuid() and (home / below).resolve() != home.resolve() / below:
        return None
    return home / below


def _became_root() -> list[int]:
    """The accounts that root was before: as sudo and pkexec say, and as the kernel remembers the login."""
    written = [os.environ.get(name, "") for name in ("SUDO_UID", "PKEXEC_UID")]
    with contextlib.suppress(OSError):
        written.append(Path("/proc/self/loginuid").read_text("ascii"))
    uids = [int(text) for text in map(str.strip, written) if text.isascii() and text.isdigit()]
    return [uid for uid in dict.fromkeys(uids) if 0 < uid < NOBODY_LOGGED_IN]


def plain_name(name: str) -> str:
    """`name` as every system can keep it for a file that is called by more than that."""
    return re.sub(r'[<>:"/\\|?*\x00-\x1f\x7f]', "_", name).rstrip(". ")


def below(folder: Path, name: str) -> Path:
    """The path that `name` means below `folder`, by the rules of every system.

    :raises ValueError: it leads anywhere else, by its parts or over a link.
    """
    parts = name.replace("\\", "/").split("/")
    path = folder / name
    if (
        not set(parts).isdisjoint(("", ".", ".."))
        or any(part.endswith((".", " ")) or DEVICE.fullmatch(part) for part in parts)
        or ":" in name
        or "\0" in name
        or not path.resolve().is_relative_to(folder.resolve())
    ):
        raise ValueError(name)
    return path


def yaml_files(*folders: Path) -> list[Path]:
    """The YAML files of several folders, by name; of a name that several have, that of the first."""
    paths = {path.name: path for folder in reversed(folders) for path in folder.glob("*.yaml")}
    return [paths[name] for name in sorted(paths)]


def shipped(name: str) -> Path:
    """The folder `name` ("checklists", "profiles") that came with fieldkit: wheel or checkout."""
    packed = PACKAGE / "share" / name
    return packed if packed.is_dir() else PACKAGE.parent / name

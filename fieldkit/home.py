"""Where fieldkit keeps things on this machine, and where it finds what it came with."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

PACKAGE = Path(__file__).parent


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

    def visit(self, visit: str) -> Path:
        """The folder for the working files of `visit`: signed samples, the record."""
        return self.path / "visits" / visit


def locate(given: str | os.PathLike[str] | None = None) -> Home:
    """The home given, else FIELDKIT_HOME, else the user's data folder. Nothing is created."""
    chosen = given or os.environ.get("FIELDKIT_HOME")
    if chosen:
        return Home(Path(chosen).expanduser().absolute())
    from platformdirs import user_data_path

    return Home(user_data_path("fieldkit", appauthor=False))


def state() -> Path:
    """What belongs to this account on this machine, whichever home is in use. Nothing is created."""
    from platformdirs import user_state_path

    return user_state_path("fieldkit", appauthor=False)


def private(folder: Path) -> None:
    """Make `folder`, and what is missing above it, for this account alone."""
    for each in (*reversed([above for above in folder.parents if not above.is_dir()]), folder):
        each.mkdir(mode=0o700, exist_ok=True)


def shipped(name: str) -> Path:
    """The folder `name` ("checklists", "profiles") that came with fieldkit: wheel or checkout."""
    packed = PACKAGE / "share" / name
    return packed if packed.is_dir() else PACKAGE.parent / name

"""A machine of its own for a test: this one's files with a layer over them that vanishes afterwards.

Packages are installed in it for real, and nothing of that reaches the machine the tests run on.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import Ran

# tmpfs for the layer, so that its size is the free space; devices and processes are the real ones
SETUP = """
mount -t tmpfs -o size=$2 tmpfs "$1" && mkdir "$1/upper" "$1/work" "$1/root" &&
mount -t overlay overlay -o lowerdir=/,upperdir="$1/upper",workdir="$1/work" "$1/root" &&
mount --rbind /proc "$1/root/proc" && mount --rbind /dev "$1/root/dev" &&
mount --bind "$3" "$1/root$3" && echo ready && exec sleep 600
"""


class Machine:
    """The layered machine; `folder` is seen from inside and outside under the same path."""

    def __init__(self, folder: Path, size: str) -> None:
        self.folder = folder / "shared"
        self.folder.mkdir()
        place = folder / "machine"
        place.mkdir()
        self._root = place / "root"
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", SETUP, "sh", str(place), size, str(self.folder)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        self.works = self._holder.stdout.readline() == "ready\n"

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()

    def run(
        self, *argv: str | Path, stdin: str = "", network: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the machine, with or without a network."""
        return subprocess.run(
            self.command(*argv, network=network), input=stdin, capture_output=True, text=True, timeout=120
        )

    def command(self, *argv: str | Path, network: bool = True) -> list[str]:
        """The command that runs `argv` in the machine."""
        return [
            *("nsenter", "-t", str(self._holder.pid), "--mount", "--"),
            *(() if network else ("unshare", "--net")),
            *("env", "FIELDKIT_LANG=en", f"FIELDKIT_HOME={self.folder / 'home'}"),
            *("chroot", str(self._root), *map(str, argv)),
        ]

    def fieldkit(self, *arguments: str | Path, network: bool = True) -> Ran:
        """Run the program in the machine, as its user does."""
        return Ran(self.run(sys.executable, "-m", "fieldkit", *arguments, network=network))

    def bring(self, network: bool = True, **job: Any) -> dict[str, Any]:
        """Install a driver in the machine by `inside.py`; what it left, or the error."""
        done = self.run(
            sys.executable, Path(__file__).with_name("inside.py"), stdin=json.dumps(job), network=network
        )
        assert done.stdout, done.stderr
        outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return outcome

    def without(self, *packages: str) -> None:
        """Take packages away that the machine underneath may have, whatever else needs them there."""
        here = [package for package in packages if self.state(package)]
        if here:
            done = self.run("dpkg", "--purge", "--force-all", *here)
            assert not any(map(self.state, here)), done.stderr

    def state(self, package: str) -> str:
        """dpkg's state of `package` in the machine; "" where it knows nothing of it."""
        state = self.run("dpkg-query", "--show", "--showformat=${db:Status-Abbrev}", package).stdout.strip()
        return "" if state[1:] == "n" else state

"""The machines a kit can be for: platforms by name, their wheels' tags, how markers see them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from fieldkit.kit.errors import ChoiceUnknown
from fieldkit.kit.install import this_platform
from fieldkit.text import M

OLDEST = (3, 11)
PYTHON = re.compile(r"3\.\d{1,2}")


class Platform(msgspec.Struct, frozen=True):
    """A platform. tags: of wheels that run there. The rest: what markers of requirements compare."""

    tags: tuple[str, ...]
    os_name: str
    sys_platform: str
    platform_system: str
    platform_machine: str


def _manylinux(machine: str, *old: str) -> tuple[str, ...]:
    # glibc 2.28 (2018) and older: everything that has a Python 3.11 at all.
    return (*(f"manylinux_2_{minor}_{machine}" for minor in range(28, 4, -1)), *old, f"linux_{machine}")


PLATFORMS: dict[str, Platform] = {
    "linux-x86_64": Platform(
        _manylinux("x86_64", "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"),
        "posix", "linux", "Linux", "x86_64",
    ),
    "linux-arm64": Platform(
        _manylinux("aarch64", "manylinux2014_aarch64"), "posix", "linux", "Linux", "aarch64"
    ),
    "windows-x86_64": Platform(("win_amd64",), "nt", "win32", "Windows", "AMD64"),
    "macos-arm64": Platform(("macosx_12_0_arm64",), "posix", "darwin", "Darwin", "arm64"),
    "macos-x86_64": Platform(("macosx_12_0_x86_64",), "posix", "darwin", "Darwin", "x86_64"),
}  # fmt: skip


class WheelTarget(msgspec.Struct, frozen=True, order=True):
    """A Python ("3.11") on a platform of `PLATFORMS`."""

    python: str
    platform: str

    def __str__(self) -> str:
        return f"Python {self.python} {self.platform}"

    @property
    def environment(self) -> dict[str, str]:
        """What the markers of requirements are compared with there."""
        platform = PLATFORMS[self.platform]
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": platform.os_name,
            "platform_machine": platform.platform_machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": platform.platform_system,
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": platform.sys_platform,
        }

    @property
    def options(self) -> list[str]:
        """How pip is told of it."""
        digits = self.python.replace(".", "")
        tags = [f"--platform={tag}" for tag in PLATFORMS[self.platform].tags]
        return [f"--python-version={self.python}", "--implementation=cp", f"--abi=cp{digits}", *tags]


def chosen(pythons: Sequence[str], platforms: Sequence[str]) -> tuple[WheelTarget, ...]:
    """Each of the Pythons on each of the platforms; this machine's own where none is named.

    :raises ChoiceUnknown: there is no such platform, or fieldkit does not run on such a Python.
    """
    import sys

    names = list(platforms) or [this_platform()]
    for name in names:
        if name not in PLATFORMS:
            raise ChoiceUnknown(
                M("There is no platform {name}.", name=name),
                hint=M("Known here: {names}.", names=", ".join(PLATFORMS)),
            )
    versions = list(pythons) or ["{}.{}".format(*sys.version_info[:2])]
    for version in versions:
        if not PYTHON.fullmatch(version) or int(version[2:]) < OLDEST[1]:
            raise ChoiceUnknown(
                M("fieldkit does not run on Python {version}.", version=version),
                hint=M("Name it as 3.11, 3.12 or 3.13."),
            )
    return tuple(sorted({WheelTarget(version, name) for version in versions for name in names}))

"""A small kit, signed by a real device's key and made in a moment; a head office; a stick of its own."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from fieldkit import __version__
from fieldkit.home import Home
from fieldkit.journal.store import Store
from fieldkit.kit import install, stick
from fieldkit.kit.manifest import DriverFiles, File, Manifest
from fieldkit.operator import Progress

CONTENTS: dict[str, bytes] = {
    "install.py": b"print('an installer')\n",
    "packages/debian-12-amd64/one_1.0_amd64.deb": b"!<arch>\n" + b"1" * 300_000,
    "packages/debian-12-amd64/two_1%3a2.0_all.deb": b"!<arch>\n" + b"2" * 2_000,
    "profiles/services.yaml": b"services: []\n",
    "samples/empty.pdf": b"",
    "samples/letter.pdf": b"%PDF-1.7 a letter\n",
}


class Office:
    """Head office: a home with a device key, that makes kits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(folder / "office")
        with Store.open(self.home.store) as store:
            self.key = store.public_key.hex()

    def manifest(self, contents: Mapping[str, bytes], **other: object) -> Manifest:
        files = []
        for path, content in sorted(contents.items()):
            place = self.source(path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            files.append(File(path, *install.hashed(place)))
        debs = tuple(path for path in contents if path.startswith("packages/debian-12-"))
        drivers = (DriverFiles("sample-token", "debian-12", "amd64", debs),) if debs else ()
        made = Manifest(
            install.KIND, install.FORMAT, __version__, self.key, "", (), drivers, (), tuple(files)
        )
        return msgspec.structs.replace(made, **other)

    def source(self, path: str) -> Path:
        return self.folder / "sources" / path

    def make(
        self,
        folder: Path,
        contents: Mapping[str, bytes] = CONTENTS,
        tell: Callable[[Progress], None] = lambda _: None,
        **other: object,
    ) -> Path:
        """A kit of `contents` in `folder`."""
        manifest = self.manifest(contents, **other)
        stick.fill(folder, manifest, {path: self.source(path) for path in contents}, tell)
        with Store.open(self.home.store) as store:
            stick.seal(folder, manifest, store.sign, tell)
        return folder

    def sign(self, folder: Path, data: bytes) -> None:
        """Put `data` there as the manifest, rightly signed."""
        (folder / install.MANIFEST).write_bytes(data)
        with Store.open(self.home.store) as store:
            (folder / install.SIGNATURE).write_bytes(store.sign(data))


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture
def small_kit(office: Office) -> Path:
    return office.make(office.folder / "kit")


class Stick:
    """A stick of 16 MB with a file system of its own, that can be pulled while it is written."""

    def __init__(self, folder: Path) -> None:
        self.image = folder / "stick.img"
        self.mount_point = folder / "stick"
        self.mount_point.mkdir()
        with self.image.open("wb") as file:
            file.truncate(16 * 1024 * 1024)
        subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", str(self.image)], check=True)
        self.folder = self.mount_point / "kit"

    def plug(self) -> bool:
        command = ["mount", "-o", "loop", str(self.image), str(self.mount_point)]
        return subprocess.run(command, capture_output=True).returncode == 0

    def pull(self) -> None:
        """What is not on it yet never gets there, and it answers no more (EXT4_IOC_SHUTDOWN, NOLOGFLUSH)."""
        descriptor = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, 0x8004587D, struct.pack("I", 2))
        finally:
            os.close(descriptor)

    def unplug(self) -> None:
        subprocess.run(["umount", str(self.mount_point)], capture_output=True)


@pytest.fixture
def plugged(tmp_path: Path) -> Iterator[Stick]:
    if os.geteuid() or shutil.which("mkfs.ext4") is None:
        pytest.skip("mounting a stick needs root and mkfs.ext4")
    made = Stick(tmp_path)
    if not made.plug():
        pytest.skip("this machine cannot mount a file as a disk")
    yield made
    made.unplug()


@pytest.fixture
def little(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    place = tmp_path / "little"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)

"""Power cuts on a real ext4: its shutdown ioctl drops what was not synced and fails every call after it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from fieldkit.journal.store import Store
from fieldkit.journal.verify import verify
from tests.faults import worker
from tests.faults.worker import Held, Worker

SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN, of the kernel's fs/ext4/ext4.h."""
WITHOUT_THE_LOG = 2
"""EXT4_GOING_FLAGS_NOLOGFLUSH: what is not on the disk yet never comes there."""


class Ext4:
    """A file system of its own in a file, mounted at `path`."""

    def __init__(self, folder: Path, size: str = "48M") -> None:
        image = folder / "image"
        self.path = folder / "mounted"
        self.path.mkdir()
        run("truncate", "-s", size, image)
        run("mkfs.ext4", "-q", "-F", image)
        # one device for all mounts: of two on the same image each would have a memory of its own
        self.device = run("losetup", "--find", "--show", image).strip()
        self.mount()

    def mount(self) -> None:
        run("mount", self.device, self.path)

    def detach(self) -> None:
        with contextlib.suppress(pytest.skip.Exception):
            self.umount()
        subprocess.run(["losetup", "--detach", self.device], check=True)

    def umount(self) -> None:
        for _ in range(50):
            if not subprocess.run(["umount", self.path], capture_output=True).returncode:
                return
            time.sleep(0.02)
        run("umount", self.path)

    def cut_the_power(self) -> None:
        mounted = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(mounted, SHUTDOWN, struct.pack("I", WITHOUT_THE_LOG))
        except OSError as error:
            pytest.skip(f"this machine does not allow to cut the power of a file system: {error}")
        finally:
            os.close(mounted)

    def restore_the_power(self) -> None:
        """Mount it anew; as long as any process has a copy of the mount, it is the one without power."""
        for _ in range(250):
            self.umount()
            self.mount()
            try:
                (self.path / "power").touch()
            except OSError:
                time.sleep(0.02)
                continue
            return
        pytest.skip("another process on this machine keeps what was mounted here")


def run(*command: str | Path) -> str:
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this machine does not allow it: {command[0]}: {done.stderr.strip()}")
    return done.stdout


@pytest.fixture
def ext4(tmp_path: Path) -> Iterator[Ext4]:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    made = Ext4(tmp_path)
    yield made
    made.detach()


def cut_many(ext4: Ext4, times: int, seed: int, disk: str = "synced") -> tuple[int, int]:
    """Cut the power `times` times while a worker works: how often it cost acknowledged work, of how much."""
    random = Random(seed)
    folder = ext4.path / "store"
    lost = next_one = 0
    for _ in range(times):
        ours = Worker(folder, next_one, close_every=random.choice([0, 7]), disk=disk)
        ours.hear("opened")
        time.sleep(random.random() * 0.03)
        ours.hear_what_was_said()
        kept = (
            ours.kept
        )  # what is said once the power is off, no one would hear: ext4 may then say that it synced
        ext4.cut_the_power()
        time.sleep(0.01)  # it goes on on a disk that is gone
        ours.kill()
        ext4.restore_the_power()
        next_one = max([next_one - 1, *kept]) + 1
        try:
            with Store.open(folder) as store:
                held = Held(store)
                lost += store.read_only is not None or not all(held.has(number) for number in kept)
                while held.has(next_one):
                    next_one += 1
        except Exception:
            if disk == "synced":
                raise
            lost += 1
    return lost, next_one


def test_a_power_cut_loses_nothing_that_was_acknowledged(ext4: Ext4) -> None:
    lost, looked_for = cut_many(ext4, 50, seed=1)
    assert lost == 0
    assert looked_for > 0
    assert verify(ext4.path / "store").verdict == "pass"


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(4))
def test_hundreds_of_power_cuts_lose_nothing_that_was_acknowledged(ext4: Ext4, seed: int) -> None:
    assert cut_many(ext4, 250, seed=seed)[0] == 0


def test_the_same_cuts_do_lose_what_is_not_synced(ext4: Ext4) -> None:
    assert cut_many(ext4, 5, seed=1, disk="unsynced")[0] > 0


def test_a_disk_that_is_pulled_is_told_and_the_program_goes_on(ext4: Ext4) -> None:
    ours = Worker(ext4.path / "store", 0, 60, wait=True)
    ours.hear("ready")
    ours.go()
    ours.hear("kept")
    ext4.cut_the_power()
    ours.end()
    assert ours.process.exitcode == 0
    assert ours.heard[-1] == ("closed",)
    assert set(ours.refused.values()) <= {"store-write-failed", "store-read-only", "store-unavailable"}
    assert len(ours.kept) + len(ours.refused) == 60
    ext4.restore_the_power()
    with Store.open(ext4.path / "store") as store:
        held = Held(store)
        assert all(held.has(number) for number in ours.kept)
        worker.do(store, 1_000)

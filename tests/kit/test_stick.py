"""Writing a kit: broken off anywhere it is no kit and goes on; full, pulled and foreign folders are named."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from fieldkit.home import Home
from fieldkit.kit import install, stick
from fieldkit.kit import manifest as manifests
from fieldkit.kit.build import files_of
from fieldkit.kit.errors import (
    FolderTaken,
    KitMissing,
    KitUnsound,
    NameUnfit,
    SourceDamaged,
    StickFull,
    StickGone,
)
from fieldkit.kit.verify import verify
from fieldkit.operator import Progress
from tests.kit.conftest import CONTENTS, Office, Stick


class BrokenOff(Exception):
    """Whatever ends a run at some step."""


def _tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_broken_off_at_any_step_it_is_no_kit_and_the_next_run_ends_with_the_same_one(
    office: Office, tmp_path: Path, home: Home
) -> None:
    whole = _tree(office.make(tmp_path / "whole"))
    steps = 0

    def count(_: Progress) -> None:
        nonlocal steps
        steps += 1

    office.make(tmp_path / "counted", tell=count)
    assert steps > len(CONTENTS)
    for stop in range(steps):
        kit = tmp_path / f"kit-{stop}"
        left = stop

        def tell(_: Progress) -> None:
            nonlocal left
            if not left:
                raise BrokenOff
            left -= 1

        with pytest.raises(BrokenOff):
            office.make(kit, tell=tell)
        with pytest.raises(KitMissing):
            verify(kit, home)
        office.make(kit)
        assert _tree(kit) == whole


def test_what_is_there_already_is_not_written_again(office: Office, small_kit: Path) -> None:
    before = {path: path.stat() for path in small_kit.rglob("*") if path.is_file()}
    office.make(small_kit)
    for path, status in before.items():
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (status.st_ino, status.st_mtime_ns)


def test_a_damaged_file_is_written_again_and_nothing_else(office: Office, small_kit: Path) -> None:
    whole = _tree(small_kit)
    damaged, other = small_kit / "install.py", small_kit / "samples/letter.pdf"
    number = other.stat().st_ino
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    office.make(small_kit)
    assert _tree(small_kit) == whole
    assert other.stat().st_ino == number


def test_files_of_an_earlier_kit_go_even_when_the_later_one_was_broken_off(
    office: Office, small_kit: Path, home: Home
) -> None:
    later = {path: content for path, content in CONTENTS.items() if not path.startswith("packages/")}
    later["wheels/new.whl"] = b"a wheel" * 100_000

    def tell(progress: Progress) -> None:
        if str(progress.text).startswith("Copying"):
            raise BrokenOff

    with pytest.raises(BrokenOff):
        office.make(small_kit, later, tell=tell)
    with pytest.raises(KitMissing):
        manifests.read_manifest(small_kit)
    office.make(small_kit, later)
    assert set(_tree(small_kit)) == {*later, "manifest.json", "manifest.sig"}
    assert not (small_kit / "packages").exists()
    assert verify(small_kit, home).good


@pytest.mark.parametrize("name", ["holiday.jpg", "kit/notes.txt", "install.py"])
def test_a_folder_with_other_files_is_left_alone(office: Office, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "full"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text("mine")
    with pytest.raises(FolderTaken):
        office.make(folder)
    assert _tree(folder) == {name: b"mine"}


def test_a_file_somebody_put_into_a_kit_is_not_deleted_when_it_is_built_again(
    office: Office, small_kit: Path
) -> None:
    (small_kit / "mine.txt").write_text("mine")
    with pytest.raises(FolderTaken):
        office.make(small_kit)
    assert (small_kit / "mine.txt").read_text() == "mine"
    assert (small_kit / "manifest.json").is_file()


def test_a_link_where_the_folder_should_be_is_not_followed(office: Office, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "kit").symlink_to(tmp_path / "real")
    with pytest.raises(FolderTaken):
        office.make(tmp_path / "kit")


def test_a_full_stick_is_told_before_anything_is_copied(office: Office, little: Path) -> None:
    with pytest.raises(StickFull) as caught:
        office.make(little / "kit", {**CONTENTS, "wheels/large.whl": b"w" * 3_000_000})
    assert caught.value.status == 4
    assert not _tree(little)


def test_a_stick_that_fills_up_meanwhile_leaves_no_kit_and_goes_on_when_there_is_room(
    office: Office, little: Path, home: Home
) -> None:
    contents = {**CONTENTS, "wheels/large.whl": os.urandom(600_000)}
    ballast = little / "ballast"

    def tell(progress: Progress) -> None:
        if progress.done and not ballast.exists():
            left = os.statvfs(little)
            ballast.write_bytes(b"b" * (left.f_bavail * left.f_bsize - 300_000))

    with pytest.raises(StickFull):
        office.make(little / "kit", contents, tell=tell)
    with pytest.raises(KitMissing):
        verify(little / "kit", home)
    ballast.unlink()
    office.make(little / "kit", contents)
    assert verify(little / "kit", home).good


def test_a_stick_pulled_while_it_is_written_is_gone_on_with_when_it_is_back(
    office: Office, plugged: Stick, home: Home
) -> None:
    contents = {**CONTENTS, **{f"wheels/{number}.whl": os.urandom(700_000) for number in range(6)}}
    pulled = False

    def tell(progress: Progress) -> None:
        nonlocal pulled
        if progress.done > 2_000_000 and not pulled:
            pulled = True
            plugged.pull()

    with pytest.raises(StickGone):
        office.make(plugged.folder, contents, tell=tell)
    assert pulled
    plugged.unplug()
    assert plugged.plug()
    with pytest.raises(KitMissing):
        verify(plugged.folder, home)
    office.make(plugged.folder, contents)
    assert verify(plugged.folder, home).good


def test_a_stick_pulled_while_it_is_checked_never_passes(office: Office, plugged: Stick, home: Home) -> None:
    office.make(plugged.folder, {**CONTENTS, "wheels/large.whl": os.urandom(4_000_000)})
    plugged.unplug()
    assert plugged.plug()
    plugged.pull()
    with pytest.raises(StickGone):
        verify(plugged.folder, home)


def test_a_source_that_changes_while_it_is_copied_is_not_taken(office: Office, tmp_path: Path) -> None:
    manifest = office.manifest(CONTENTS)
    office.source("samples/letter.pdf").write_bytes(b"%PDF-1.7 another\n")
    sources = {path: office.source(path) for path in CONTENTS}
    with pytest.raises(SourceDamaged):
        stick.fill(tmp_path / "kit", manifest, sources, lambda _: None)


@pytest.mark.parametrize("name", ["a:b.yaml", "NUL.yaml", "dot./x"])
def test_a_name_that_fat_cannot_keep_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    source = tmp_path / "source"
    source.write_text("x")
    with pytest.raises(NameUnfit):
        files_of({f"profiles/{name}": source})


def test_two_names_that_are_one_on_fat_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("x")
    with pytest.raises(NameUnfit):
        files_of({"samples/Letter.pdf": source, "samples/letter.pdf": source})


def test_the_walk_never_follows_a_link(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    assert list(install.walk(tmp_path)) == [("loop", "link", 0)]


@pytest.mark.parametrize(
    "name", ["install.py", "install.py.part", "manifest.part", "samples/letter.pdf.part", "samples"]
)
def test_a_link_on_the_stick_is_neither_followed_nor_written_through(
    office: Office, small_kit: Path, tmp_path: Path, name: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").write_text("mine")
    place = small_kit / name
    if place.is_dir():
        place.rename(tmp_path / "elsewhere")
    place.unlink(missing_ok=True)
    place.symlink_to(outside if name == "samples" else outside / "mine")
    with pytest.raises(FolderTaken):
        office.make(small_kit, CONTENTS | {"install.py": b"print('another')\n"})
    assert _tree(outside) == {"mine": b"mine"}


def test_a_link_put_there_while_the_stick_is_written_is_not_written_through(
    office: Office, tmp_path: Path
) -> None:
    victim = tmp_path / "mine"
    victim.write_text("mine")
    kit = tmp_path / "linked"

    def tell(progress: Progress) -> None:
        for name in ("samples/letter.pdf.part", "manifest.json.part", "manifest.sig.part"):
            if kit.exists() and not (kit / name).parent.exists():
                (kit / name).parent.mkdir()
            if kit.exists() and not (kit / name).exists():
                (kit / name).symlink_to(victim)

    with contextlib.suppress(FolderTaken, KitUnsound):
        office.make(kit, tell=tell)
    assert victim.read_text() == "mine"

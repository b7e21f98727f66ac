"""Nothing of a kit is used unverified: what is taken is hashed as it is copied, and only the copy is used."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldkit.driver import distribution, kit_packages
from fieldkit.driver.errors import HashWrong
from fieldkit.finding import Finding
from fieldkit.home import Home, shipped
from fieldkit.kit import install, keys, load, use
from fieldkit.kit.errors import KitForeign, KitKeyUnknown, KitLacks, KitUnsound
from fieldkit.kit.manifest import DriverFiles
from fieldkit.profile.errors import ProfileInvalid
from tests.conftest import Run
from tests.driver.machine import Machine
from tests.kit.conftest import CONTENTS, Office

SERVICES = shipped("profiles").joinpath("services.yaml").read_bytes()
OURS = f"packages/{distribution.release()}-amd64"


def _kit(office: Office, system: str = "", **contents: bytes) -> Path:
    files = {f"{OURS}/{name.replace('_deb', '.deb')}": content for name, content in contents.items()}
    driver = DriverFiles("softhsm2", system or distribution.release(), "amd64", tuple(files))
    return office.make(office.folder / "drivers", files, drivers=(driver,))


def test_packages_are_copies_on_this_disk_with_the_bytes_that_were_signed(office: Office, home: Home) -> None:
    kit = _kit(office, one_deb=b"1" * 100, two_deb=b"2")
    told: list[Finding] = []
    paths = use.packages(kit, "softhsm2", home, told.append)
    assert [path.read_bytes() for path in paths] == [b"1" * 100, b"2"]
    assert all(home.path in path.parents for path in paths)
    assert told[0].severity == "not-checked"
    assert told[0].detail == install.fingerprint(office.key)


def test_a_copy_that_was_changed_here_is_copied_again(office: Office, home: Home) -> None:
    kit = _kit(office, one_deb=b"1" * 100)
    (path,) = use.packages(kit, "softhsm2", home)
    path.write_bytes(b"x" * 100)
    assert use.packages(kit, "softhsm2", home) == (path,)
    assert path.read_bytes() == b"1" * 100


def _outside(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


@pytest.mark.parametrize(
    "spoil", [lambda path: path.write_bytes(b"x" * 100), lambda path: path.unlink(), _outside]
)
def test_a_changed_missing_or_linked_package_is_not_used(
    office: Office, home: Home, spoil: Callable[[Path], object]
) -> None:
    kit = _kit(office, one_deb=b"1" * 100)
    spoil(kit / OURS / "one.deb")
    with pytest.raises(KitUnsound):
        use.packages(kit, "softhsm2", home)
    assert not [path for path in home.path.rglob("*") if path.is_file() and path.name != "lock"]


def test_a_kit_whose_manifest_was_changed_gives_no_package(fieldkit: Run, office: Office) -> None:
    kit = _kit(office, one_deb=b"1" * 100)
    data = (kit / "manifest.json").read_bytes()
    (kit / "manifest.json").write_bytes(data.replace(b'"softhsm2"', b'"opensc"  '))
    for action in ("plan", "install"):
        done = fieldkit("driver", action, "opensc", "--kit", kit, "--yes", "--json")
        assert (done.status, done.error["code"]) == (1, "kit-unsound")


def test_a_kit_of_a_key_the_home_does_not_know_gives_no_package(office: Office, home: Home) -> None:
    keys.remember(home, "11" * 32)
    with pytest.raises(KitKeyUnknown):
        use.packages(_kit(office, one_deb=b"1"), "softhsm2", home)


def test_a_kit_without_the_driver_or_with_that_of_another_system_says_so(office: Office, home: Home) -> None:
    kit = _kit(office, system="elsewhere-1", one_deb=b"1")
    with pytest.raises(KitLacks) as caught:
        use.packages(kit, "softhsm2", home)
    assert "elsewhere-1" in str(caught.value)
    with pytest.raises(KitLacks):
        use.packages(kit, "opensc", home)


@pytest.fixture
def lacking(fieldkit: Run, home: Home) -> str:
    """The id of a profile whose only package this machine does not have."""
    text = shipped("profiles").joinpath("tokens/softhsm2.yaml").read_text("utf-8")
    text = text.replace("id: softhsm2", "id: never-here").replace("[softhsm2]", "[fieldkit-never-here]")
    text = re.sub(" *least: .*\n", "", text)
    (home.profiles / "tokens").mkdir(parents=True)
    (home.profiles / "tokens/never-here.yaml").write_text(text, "utf-8")
    return "never-here"


def _deb(
    folder: Path, architecture: str, name: str = "fieldkit-never-here", version: str = "1.0", **more: str
) -> bytes:
    place = folder / f"{name}-{version}"
    (place / "DEBIAN").mkdir(parents=True)
    (place / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n"
        + "".join(f"{field}: {value}\n" for field, value in more.items())
        + "Maintainer: Sample <sample@example.invalid>\nDescription: a sample\n"
    )
    made = folder / f"{name}-{version}.deb"
    subprocess.run(["dpkg-deb", "--build", str(place), str(made)], check=True, capture_output=True)
    return made.read_bytes()


def test_a_package_of_another_architecture_is_refused(
    fieldkit: Run, office: Office, lacking: str, tmp_path: Path
) -> None:
    path = f"packages/{distribution.release()}-riscv64/never.deb"
    driver = DriverFiles(lacking, distribution.release(), "riscv64", (path,))
    kit = office.make(tmp_path / "foreign", {path: _deb(tmp_path, "riscv64")}, drivers=(driver,))
    done = fieldkit("driver", "install", lacking, "--kit", kit, "--yes", "--json")
    assert (done.status, done.error["code"]) == (1, "package-foreign")


def test_a_package_that_was_corrupt_when_the_kit_was_signed_is_refused(
    fieldkit: Run, office: Office, lacking: str, tmp_path: Path
) -> None:
    path = f"{OURS}/never.deb"
    driver = DriverFiles(lacking, distribution.release(), "amd64", (path,))
    kit = office.make(tmp_path / "corrupt", {path: _deb(tmp_path, "amd64")[:90]}, drivers=(driver,))
    done = fieldkit("driver", "install", lacking, "--kit", kit, "--yes", "--json")
    assert (done.status, done.error["code"]) == (1, "package-damaged")


def _papers(office: Office, **contents: bytes) -> dict[str, bytes]:
    checklist = shipped("checklists").joinpath("survey.yaml").read_bytes()
    return {
        "install.py": CONTENTS["install.py"],
        "profiles/services.yaml": SERVICES + b"# head office's\n",
        "checklists/survey.yaml": checklist,
        "checklists/own.yaml": checklist,
        "samples/letter.pdf": b"%PDF-1.7\n",
        **{name.replace("__", "/"): content for name, content in contents.items()},
    }


def test_papers_go_where_the_home_has_them_and_what_is_shipped_already_does_not(
    fieldkit: Run, office: Office, home: Home
) -> None:
    kit = office.make(office.folder / "papers", _papers(office))
    refused = fieldkit("kit", "load", kit, "--json")
    assert (refused.status, refused.error["code"]) == (3, "not-consented")
    assert not (home.profiles / "services.yaml").exists()
    done = fieldkit("kit", "load", kit, "--yes", "--json")
    assert done.result == {
        "new": ["checklists/own.yaml", "profiles/services.yaml", "samples/letter.pdf"],
        "replaced": [],
        "same": 1,
        "drivers": [],
    }
    assert (home.profiles / "services.yaml").read_bytes().endswith(b"# head office's\n")
    assert not (home.checklists / "survey.yaml").exists()
    assert keys.known(home) == {office.key}
    again = fieldkit("kit", "load", kit, "--yes", "--json")
    assert again.result["new"] == again.result["replaced"] == []
    assert again.result["same"] == 4


def test_what_a_kit_replaces_is_kept_aside(office: Office, home: Home) -> None:
    home.profiles.mkdir(parents=True)
    (home.profiles / "services.yaml").write_bytes(SERVICES + b"# mine\n")
    kit = office.make(office.folder / "papers", _papers(office))
    loading = load.prepare(kit, home)
    assert loading.replaced == ("profiles/services.yaml",)
    load.load(loading, home)
    (kept,) = (home.path / load.ASIDE).rglob("services.yaml")
    assert kept.read_bytes().endswith(b"# mine\n")


@pytest.mark.parametrize("bad", ["profiles__tokens__bad.yaml", "checklists__bad.yaml"])
def test_a_kit_with_a_wrong_profile_or_checklist_leaves_the_home_as_it_was(
    office: Office, home: Home, bad: str
) -> None:
    home.profiles.mkdir(parents=True)
    (home.profiles / "services.yaml").write_bytes(SERVICES + b"# mine\n")
    kit = office.make(office.folder / "papers", _papers(office, **{bad: b"id: [unfinished\n"}))
    with pytest.raises(Exception, match=r"bad\.yaml"):
        load.load(load.prepare(kit, home), home)
    _unchanged(home)


def test_profiles_right_each_but_wrong_together_leave_the_home_as_it_was(office: Office, home: Home) -> None:
    home.profiles.mkdir(parents=True)
    (home.profiles / "services.yaml").write_bytes(SERVICES + b"# mine\n")
    twin = shipped("profiles").joinpath("tokens/softhsm2.yaml").read_bytes()  # an id that is taken
    kit = office.make(office.folder / "papers", _papers(office, profiles__tokens__twin=b"") | {
        "profiles/tokens/twin.yaml": twin
    })  # fmt: skip
    with pytest.raises(ProfileInvalid):
        load.load(load.prepare(kit, home), home)
    _unchanged(home)


def _unchanged(home: Home) -> None:
    assert (home.profiles / "services.yaml").read_bytes().endswith(b"# mine\n")
    assert not home.checklists.exists() or not list(home.checklists.iterdir())
    assert not list((home.path / "samples").glob("*"))
    assert not list((home.profiles / "tokens").glob("*"))
    assert not keys.known(home)


def test_a_damaged_paper_leaves_the_home_as_it_was(office: Office, home: Home) -> None:
    home.profiles.mkdir(parents=True)
    (home.profiles / "services.yaml").write_bytes(SERVICES + b"# mine\n")
    kit = office.make(office.folder / "papers", _papers(office))
    (kit / "samples/letter.pdf").write_bytes(b"%PDF-1.6\n")
    with pytest.raises(KitUnsound):
        load.load(load.prepare(kit, home), home)
    _unchanged(home)


def test_papers_of_another_release_are_not_taken(office: Office, home: Home) -> None:
    kit = office.make(office.folder / "later", _papers(office), version="99.0")
    with pytest.raises(KitForeign):
        load.prepare(kit, home)


def test_papers_of_an_unknown_key_need_its_fingerprint(office: Office, home: Home) -> None:
    keys.remember(home, "11" * 32)
    kit = office.make(office.folder / "papers", _papers(office))
    with pytest.raises(KitKeyUnknown):
        load.prepare(kit, home)
    load.load(load.prepare(kit, home, fingerprint=install.fingerprint(office.key)), home)
    assert keys.known(home) == {office.key, "11" * 32}


def test_a_kits_driver_packages_stay_in_the_home_for_a_visit_and_are_compared_again(
    office: Office, home: Home
) -> None:
    load.load(load.prepare(_kit(office, one_deb=b"1" * 100, two_deb=b"2"), home), home)
    paths = kit_packages.brought(home, "softhsm2")
    assert [path.read_bytes() for path in paths] == [b"1" * 100, b"2"]
    assert kit_packages.brought(home, "opensc") == ()
    paths[0].write_bytes(b"x" * 100)
    with pytest.raises(HashWrong):
        kit_packages.brought(home, "softhsm2")


def test_packages_that_a_later_kit_does_not_have_go_from_the_home(office: Office, home: Home) -> None:
    load.load(load.prepare(_kit(office, one_deb=b"1" * 100), home), home)
    later = Office(office.folder / "later")
    kit = _kit(later, two_deb=b"2")
    load.load(load.prepare(kit, home, fingerprint=install.fingerprint(later.key)), home)
    assert [path.name for path in kit_packages.brought(home, "softhsm2")] == ["two.deb"]
    assert [path.name for path in kit_packages.folder(home).rglob("*.deb")] == ["two.deb"]


def test_a_kits_packages_for_another_system_are_not_kept(office: Office, home: Home) -> None:
    kit = _kit(office, system="elsewhere-1", one_deb=b"1")
    load.load(load.prepare(kit, home), home)
    assert kit_packages.brought(home, "softhsm2") == ()
    assert not kit_packages.folder(home).exists()


def test_a_library_of_an_earlier_point_release_is_brought_up_to_what_the_kits_driver_needs(
    office: Office, lacking: str, tmp_path: Path, home: Home
) -> None:
    packages = {
        f"{OURS}/never.deb": _deb(tmp_path, "amd64", Depends="fieldkit-lib (>= 2.0)"),
        f"{OURS}/lib.deb": _deb(tmp_path, "amd64", "fieldkit-lib", "2.0"),
    }
    driver = DriverFiles(lacking, distribution.release(), "amd64", tuple(packages))
    kit = office.make(tmp_path / "newer", packages, drivers=(driver,))
    _deb(tmp_path, "amd64", "fieldkit-lib", "1.0")
    machine = Machine(tmp_path, "200m")
    if not machine.works:
        pytest.skip("needs a layered machine of its own")
    try:
        command = ("driver", "plan", lacking, "--kit", kit, "--home", home.path, "--json")
        assert machine.fieldkit(*command, network=False).result["changed"] == []
        machine.run("dpkg", "--install", tmp_path / "fieldkit-lib-1.0.deb")
        assert machine.state("fieldkit-lib") == "ii"
        planned = machine.fieldkit(*command, network=False).result
    finally:
        machine.close()
    assert planned["new"] == ["fieldkit-never-here 1.0"]
    assert planned["changed"] == ["fieldkit-lib 2.0"]


def _twins(office: Office) -> Path:
    """A kit with two packages of one name, each for a driver of its own and both for a third."""
    system = distribution.release()
    one, two = paths = ("packages/a/same.deb", "packages/b/same.deb")
    drivers = [
        DriverFiles(profile, system, "amd64", files)
        for profile, files in (("softhsm2", (one,)), ("opensc", (two,)), ("both", paths))
    ]
    return office.make(office.folder / "twins", {one: b"1" * 100, two: b"2" * 100}, drivers=tuple(drivers))


def test_packages_of_one_name_in_two_folders_are_two_copies(office: Office, home: Home) -> None:
    paths = use.packages(_twins(office), "both", home)
    assert [path.read_bytes() for path in paths] == [b"1" * 100, b"2" * 100]


def test_packages_of_one_name_are_kept_beside_each_other_in_the_home(office: Office, home: Home) -> None:
    load.load(load.prepare(_twins(office), home), home)
    for profile, contents in (("softhsm2", [b"1"]), ("opensc", [b"2"]), ("both", [b"1", b"2"])):
        paths = kit_packages.brought(home, profile)
        assert [path.read_bytes() for path in paths] == [each * 100 for each in contents]


def test_all_parts_of_a_driver_are_kept_though_the_manifest_names_them_one_by_one(
    office: Office, home: Home
) -> None:
    files = {f"packages/linux/{name}": name.encode() for name in ("one.deb", "two.deb")}
    drivers = tuple(DriverFiles("softhsm2", "linux", "amd64", (path,)) for path in files)
    kit = office.make(office.folder / "parts", files, drivers=drivers)
    load.load(load.prepare(kit, home), home)
    assert [path.name for path in kit_packages.brought(home, "softhsm2")] == ["one.deb", "two.deb"]


def test_a_damaged_driver_package_leaves_the_home_as_it_was(office: Office, home: Home) -> None:
    home.profiles.mkdir(parents=True)
    (home.profiles / "services.yaml").write_bytes(SERVICES + b"# mine\n")
    before = Office(office.folder / "before")
    load.load(load.prepare(_kit(before, one_deb=b"1" * 100), home), home)
    driver = DriverFiles("softhsm2", distribution.release(), "amd64", (f"{OURS}/one.deb", f"{OURS}/two.deb"))
    files = _papers(office) | dict.fromkeys(driver.files, b"2" * 100)
    kit = office.make(office.folder / "papers", files, drivers=(driver,))
    (kit / OURS / "two.deb").write_bytes(b"x" * 100)
    with pytest.raises(KitUnsound):
        load.load(load.prepare(kit, home, fingerprint=install.fingerprint(office.key)), home)
    assert keys.known(home) == {before.key}
    assert (home.profiles / "services.yaml").read_bytes().endswith(b"# mine\n")
    assert not (home.checklists / "own.yaml").exists()
    assert [path.read_bytes() for path in kit_packages.brought(home, "softhsm2")] == [b"1" * 100]
    assert len([path for path in kit_packages.folder(home).rglob("*") if path.is_file()]) == 2


def test_what_was_kept_aside_stays_when_the_same_kit_is_taken_again(office: Office, home: Home) -> None:
    home.profiles.mkdir(parents=True)
    kit = office.make(office.folder / "papers", _papers(office))
    for text in (b"# mine\n", b"# mine again\n"):
        (home.profiles / "services.yaml").write_bytes(SERVICES + text)
        load.load(load.prepare(kit, home), home)
    kept = [path.read_bytes() for path in (home.path / load.ASIDE).rglob("services.yaml")]
    assert sorted(kept) == sorted([SERVICES + b"# mine\n", SERVICES + b"# mine again\n"])

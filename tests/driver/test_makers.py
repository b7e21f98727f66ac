"""Makers' installers on Windows and macOS: the commands that would run, and what is read from their outputs.

The outputs in `said/` are laid out as documented; no such machine ran them (see the README there).
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from fieldkit.driver import errors, install, macos, rights, ways, windows
from fieldkit.driver.ask import Answer
from fieldkit.driver.plan import from_maker
from fieldkit.driver.steps import DriverPlan, Kind, Step
from fieldkit.driver.ways import Way
from fieldkit.errors import Cancelled, FieldkitError
from fieldkit.home import Home
from fieldkit.operator import Progress
from fieldkit.profile.driver import Driver, PackageFile
from fieldkit.profile.load import load
from fieldkit.profile.model import Modules, PinPolicy, TokenProfile
from fieldkit.text import M, Words

SAID = Path(__file__).with_name("said")
BYTES = b"an installer"
SHA256 = hashlib.sha256(BYTES).hexdigest()


def says(**by_word: str) -> object:
    """A system whose program with a word of `by_word` in its command prints that file of `said/`."""

    def answer(argv: Sequence[str]) -> Answer:
        for word, name in by_word.items():
            if any(word in part for part in argv):
                return Answer(0, (SAID / name).read_bytes().decode())
        return Answer(1, "", "ERROR: nothing of this name was found.")

    return answer


def maker(kind: Kind, **fields: object) -> tuple[TokenProfile, Way]:
    file = PackageFile(
        file=f"driver.{kind}",
        module="/nowhere/module",
        sha256=SHA256,
        architecture="any",
        **fields,  # type: ignore[arg-type]
    )
    driver = Driver(**{kind: (file,)})  # type: ignore[arg-type]
    profile = TokenProfile("trial", Words("Thử", "Trial"), "hypothesis", Modules(), driver, PinPolicy())
    return profile, Way(kind, file=file)


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """A kit's folder with an installer of each kind."""
    folder = tmp_path / "stick"
    folder.mkdir()
    for kind in ("msi", "exe", "pkg"):
        (folder / f"driver.{kind}").write_bytes(BYTES)
    return folder


def planned(
    stick: Path, kind: Kind, answer: object = None, prefix: rights.Prefix = (), **fields: object
) -> DriverPlan:
    profile, way = maker(kind, **fields)
    folder = stick.parent / "home"
    return from_maker(
        profile,
        way,
        sorted(stick.iterdir()),
        folder,
        prefix=prefix,
        answer=answer or says(),  # type: ignore[arg-type]
    )


def test_an_msi_is_installed_without_questions_and_without_a_restart_by_itself(stick: Path) -> None:
    made = planned(stick, "msi")
    path = str(made.copies[0].target)
    (step,) = made.steps
    assert step.argv == ("msiexec", "/i", path, "/qn", "/norestart", "/l*v", f"{path}.log")
    assert made.shown().commands == (step.command,)


def test_an_exe_gets_the_silent_options_of_its_profile(stick: Path) -> None:
    (step,) = planned(stick, "exe", silent=("/S", "/D=C:\\Program Files\\X")).steps
    assert step.argv[1:] == ("/S", "/D=C:\\Program Files\\X")
    assert step.command.endswith('/S "/D=C:\\Program Files\\X"')


def test_an_exe_that_cannot_be_silent_says_that_its_window_opens(stick: Path) -> None:
    (step,) = planned(stick, "exe").steps
    assert "its own window opens" in str(step.said)


def test_a_pkg_is_installed_with_rights_in_front_and_told_to_an_administrator_by_hand(stick: Path) -> None:
    made = planned(stick, "pkg", prefix=("sudo", "-n"))
    (step,) = made.steps
    assert step.argv == (
        "sudo", "-n", "installer", "-verboseR", "-pkg", str(made.copies[0].target), "-target", "/",
    )  # fmt: skip
    assert made.by_hand == (f"sudo installer -verboseR -pkg {stick / 'driver.pkg'} -target /",)


@pytest.mark.parametrize("kind", ["msi", "exe", "pkg"])
def test_a_file_without_a_hash_in_the_profile_is_never_run(stick: Path, kind: Kind) -> None:
    profile, way = maker(kind)
    assert way.file is not None
    unknown = msgspec.structs.replace(way, file=msgspec.structs.replace(way.file, sha256=""))
    with pytest.raises(errors.FileUnverified) as caught:
        from_maker(profile, unknown, sorted(stick.iterdir()), None, answer=says())  # type: ignore[arg-type]
    assert caught.value.status == 3


@pytest.mark.parametrize("kind", ["msi", "exe", "pkg"])
def test_a_file_with_another_hash_is_never_run(stick: Path, kind: Kind) -> None:
    (stick / f"driver.{kind}").write_bytes(BYTES + b"!")
    with pytest.raises(errors.HashWrong) as caught:
        planned(stick, kind)
    assert SHA256 in caught.value.detail


def test_a_file_changed_between_the_look_and_the_run_is_never_run(stick: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    made = planned(stick, "exe")
    step = Step(M("Run."), (sys.executable, "-c", f"open({str(ran)!r}, 'w')"), installs=True)
    (stick / "driver.exe").write_bytes(b"something else")
    with pytest.raises(errors.HashWrong):
        install.install(msgspec.structs.replace(made, steps=(step,)), tmp_path / "logs")
    assert not ran.exists()
    assert not list((tmp_path / "home").rglob("*.exe*"))


@pytest.mark.parametrize(
    ("said", "kind"),
    [("not-signed", "exe"), ("signed-by-another", "msi"), ("changed-after-signing", "exe")],
)
def test_on_windows_a_file_of_another_publisher_is_never_run(stick: Path, said: str, kind: Kind) -> None:
    with pytest.raises(errors.PublisherWrong) as caught:
        planned(stick, kind, says(powershell=f"windows/{said}.txt"), publisher="Bit4id")
    assert caught.value.status == 3


def test_on_windows_the_right_publisher_is_recognised(stick: Path) -> None:
    made = planned(stick, "exe", says(powershell="windows/signed.txt"), publisher="Bit4id")
    assert made.warnings == ()


def test_a_publisher_that_cannot_be_checked_is_said_before_consent_is_asked(stick: Path) -> None:
    made = planned(stick, "exe", publisher="Bit4id")
    assert [finding.severity for finding in made.warnings] == ["not-checked"]
    assert any("could not be checked" in str(line) for line in made.shown().steps)


@pytest.mark.parametrize("said", ["not-signed", "signed-by-another"])
def test_on_macos_a_file_of_another_publisher_is_never_run(stick: Path, said: str) -> None:
    with pytest.raises(errors.PublisherWrong):
        planned(stick, "pkg", says(pkgutil=f"macos/{said}.txt"), publisher="Bit4id")


def test_on_macos_the_right_publisher_is_recognised(stick: Path) -> None:
    assert planned(stick, "pkg", says(pkgutil="macos/signed.txt"), publisher="Bit4id").warnings == ()


def test_a_file_for_another_processor_is_told_before_anything_runs(stick: Path) -> None:
    profile, way = maker("exe")
    assert way.file is not None
    narrow = msgspec.structs.replace(way, file=msgspec.structs.replace(way.file, architecture="x86"))
    with pytest.raises(errors.PackageForeign):
        from_maker(profile, narrow, sorted(stick.iterdir()), None, answer=says())  # type: ignore[arg-type]


def test_without_a_kit_the_file_that_is_needed_is_named(stick: Path) -> None:
    profile, way = maker("exe")
    with pytest.raises(errors.PackageUnknown) as caught:
        from_maker(profile, way, [], None, answer=says())  # type: ignore[arg-type]
    assert "driver.exe" in str(caught.value)


def test_the_providers_that_windows_has_registered_are_read_for_each_word_size() -> None:
    answer = says(**{"/reg:64": "windows/providers-64.txt", "/reg:32": "windows/providers-32.txt"})
    assert "Bit4id Universal Middleware Provider" in windows.providers(64, answer)  # type: ignore[arg-type]
    assert "eToken Base Cryptographic Provider" in windows.providers(32, answer)  # type: ignore[arg-type]
    assert "eToken Base Cryptographic Provider" not in windows.providers(64, answer)  # type: ignore[arg-type]


def test_installed_programs_are_read_with_their_versions() -> None:
    found = windows.programs(says(Uninstall="windows/programs.txt"))  # type: ignore[arg-type]
    assert found["{0F2E4A5C-1111-2222-3333-444455556666}"].version == "10.8.2109.0"
    assert found["bit4id_xpki"].name == "Bit4id - Universal Middleware"


def test_what_an_msi_added_is_taken_away_by_its_product_code(stick: Path) -> None:
    added = {"{0F2E4A5C-1111-2222-3333-444455556666}": "X 1", "provider X": "registered"}
    (step,) = windows.removal(planned(stick, "msi"), added)
    assert step.command == "msiexec /x {0F2E4A5C-1111-2222-3333-444455556666} /qn /norestart"


def test_the_removal_that_a_profile_names_comes_first(stick: Path) -> None:
    removal = ("C:\\Program Files\\X\\uninst.exe", "/S")
    (step,) = windows.removal(planned(stick, "exe", removal=removal), {"X": ""})
    assert step.command == '"C:\\Program Files\\X\\uninst.exe" /S'


def test_on_macos_files_go_by_the_profiles_command_and_receipts_are_forgotten(stick: Path) -> None:
    made = planned(stick, "pkg", removal=("rm", "-r", "/Library/bit4id"))
    steps = macos.removal(made, {"com.bit4id.x": "receipt", "/Library/bit4id/x.dylib": "file"})
    assert [step.command for step in steps] == ["rm -r /Library/bit4id", "pkgutil --forget com.bit4id.x"]
    assert macos.removal(planned(stick, "pkg"), {"com.bit4id.x": "receipt"}) == ()


def test_on_macos_a_module_is_known_by_the_package_that_brought_it() -> None:
    answer = says(**{"--file-info": "macos/owner.txt", "--pkgs": "macos/packages.txt"})
    assert macos.owner("/x", answer) == ("com.bit4id.universalmiddleware", "1.4.10.764")  # type: ignore[arg-type]
    assert "com.bit4id.universalmiddleware" in macos.packages(answer)  # type: ignore[arg-type]


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (5, errors.NoRights),
        (112, errors.NoSpace),
        (1602, Cancelled),
        (1603, errors.InstallFailed),
        (1618, errors.InstallerBusy),
        (1619, errors.PackageDamaged),
        (1625, errors.NoRights),
        (1633, errors.PackageForeign),
        (1638, errors.InstallFailed),
    ],
)
def test_each_exit_status_of_msiexec_says_what_to_do(status: int, kind: type[FieldkitError]) -> None:
    step = Step(M("Install."), ("msiexec", "/i", "x.msi"), quoting="cmd")
    with pytest.raises(kind) as caught:
        windows.judge(step, status)
    assert type(caught.value) is kind
    assert caught.value.hint is not None
    assert str(status) in caught.value.detail


@pytest.mark.parametrize(("status", "restart"), [(0, False), (3010, True), (1641, True)])
def test_a_restart_that_windows_asks_for_is_no_failure(status: int, restart: bool) -> None:
    step = Step(M("Install."), ("msiexec", "/i", "x.msi"), quoting="cmd")
    assert windows.judge(step, status) is restart


def test_a_makers_own_exit_status_is_not_read_as_msiexecs() -> None:
    with pytest.raises(errors.InstallFailed):
        windows.judge(Step(M("Install."), ("C:\\x\\driver.exe", "/S")), 5)


@pytest.mark.skipif(os.name == "nt", reason="runs a program with msiexec's place taken by a script")
def test_what_msiexec_logs_is_kept_with_the_log(tmp_path: Path) -> None:
    script = (
        "import sys; open(sys.argv[-1], 'wb').write('Đã cài'.encode('utf-16')); sys.exit(int(sys.argv[1]))"
    )
    msiexec = program(tmp_path / "msiexec", script)
    log = tmp_path / "log"

    def step(status: int) -> Step:
        return Step(M("Install."), (str(msiexec), str(status), "/l*v", str(tmp_path / "x.log")))

    assert windows.carry_out(step(0), log) is False
    assert "Đã cài" in log.read_text()
    assert not (tmp_path / "x.log").exists()
    with pytest.raises(errors.NoRights):
        windows.carry_out(step(5), log)


def installer_that_says(tmp_path: Path, name: str, status: int) -> Step:
    script = program(
        tmp_path / "installer", f"import sys; print(open({str(SAID / name)!r}).read()); sys.exit({status})"
    )
    return Step(M("Install."), (str(script),), installs=True)


@pytest.mark.skipif(os.name == "nt", reason="runs a script in the place of macOS's installer")
def test_on_macos_progress_is_what_the_installer_reports(tmp_path: Path) -> None:
    told: list[Progress] = []
    step = installer_that_says(tmp_path, "macos/installed.txt", 0)
    assert macos.carry_out(step, tmp_path / "log", told.append) is False
    assert [progress.done for progress in told] == [12, 61, 98, 100]


@pytest.mark.skipif(os.name == "nt", reason="runs a script in the place of macOS's installer")
@pytest.mark.parametrize("status", [0, 1])
def test_on_macos_an_installation_that_failed_is_told_whatever_the_exit_status(
    tmp_path: Path, status: int
) -> None:
    with pytest.raises(errors.InstallFailed):
        macos.carry_out(installer_that_says(tmp_path, "macos/failed.txt", status), tmp_path / "log")


@pytest.mark.parametrize(
    ("platform", "profile", "kind", "place"),
    [
        ("win32", "bit4id-vgca", "exe", r"C:\Windows\System32\bit4xpki.dll"),
        ("win32", "etoken-5110", "msi", r"C:\Windows\System32\eTPKCS11.dll"),
        ("darwin", "bit4id-vgca", "pkg", "/Library/bit4id/pkcs11/libbit4xpki.dylib"),
    ],
)
def test_each_system_takes_its_own_way_and_looks_for_the_module_in_its_own_places(
    home: Home, monkeypatch: pytest.MonkeyPatch, platform: str, profile: str, kind: str, place: str
) -> None:
    profiles = load(home).tokens
    monkeypatch.setattr(sys, "platform", platform)
    way = ways.chosen(profiles[profile])
    assert way is not None
    assert way.kind == kind
    assert ways.places(profiles[profile])[0] == place


def test_of_several_files_the_one_with_a_known_hash_is_taken(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = load(home).tokens["safenet-gca01"]
    first, second = profile.driver.exe
    known = msgspec.structs.replace(second, sha256=SHA256)
    driver = msgspec.structs.replace(profile.driver, exe=(first, known))
    monkeypatch.setattr(sys, "platform", "win32")
    way = ways.chosen(msgspec.structs.replace(profile, driver=driver))
    assert way is not None
    assert way.file == known

"""Makers' installers on Windows and macOS: the commands that would run, and what is read from their outputs.

The outputs in `said/` are laid out as documented; no such machine ran them (see the README there).
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from fieldkit.driver import errors, install, methods, rights, run, windows
from fieldkit.driver.ask import Answer, ask
from fieldkit.driver.installer import DriverInstaller
from fieldkit.driver.macos import PkgInstaller
from fieldkit.driver.methods import InstallMethod
from fieldkit.driver.plan import from_maker
from fieldkit.driver.steps import DriverPlan, Kind, Package, Step
from fieldkit.errors import Cancelled, FieldkitError
from fieldkit.home import Home
from fieldkit.operator import Progress
from fieldkit.profile.driver import Driver, PackageFile
from fieldkit.profile.load import load
from fieldkit.profile.model import Modules, PinPolicy, TokenProfile
from fieldkit.text import M, Words

MSIEXEC = r"C:\Windows\System32\msiexec.exe"
CODE = "{0F2E4A5C-1111-2222-3333-444455556666}"
SAID = Path(__file__).with_name("said")
BYTES = b"an installer"
SHA256 = hashlib.sha256(BYTES).hexdigest()


def says(**by_word: str) -> object:
    """A system whose program with a word of `by_word` in its command prints that file of `said/`."""

    def answer(argv: Sequence[str], values: Mapping[str, str] | None = None) -> Answer:
        for word, name in by_word.items():
            if any(word in part for part in argv):
                return Answer(0, (SAID / name).read_bytes().decode())
        return Answer(1, "", "ERROR: nothing of this name was found.")

    return answer


def maker(kind: Kind, **fields: object) -> tuple[TokenProfile, InstallMethod]:
    file = PackageFile(
        file=f"driver.{kind}",
        module="/nowhere/module",
        sha256=SHA256,
        architecture="any",
        **fields,  # type: ignore[arg-type]
    )
    driver = Driver(**{kind: (file,)})  # type: ignore[arg-type]
    profile = TokenProfile("trial", Words("Thử", "Trial"), "hypothesis", Modules(), driver, PinPolicy())
    return profile, InstallMethod(kind, file=file)


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """A kit's folder with an installer of each kind."""
    folder = tmp_path / "stick"
    folder.mkdir()
    for kind in ("msi", "exe", "pkg"):
        (folder / f"driver.{kind}").write_bytes(BYTES)
    return folder


def installer(kind: Kind, answer: object = None) -> DriverInstaller:
    """The installer of that kind, on a system that answers so."""
    return type(methods.INSTALLERS[kind])(answer or says())  # type: ignore[arg-type]


def planned(
    stick: Path, kind: Kind, answer: object = None, prefix: rights.Prefix = (), **fields: object
) -> DriverPlan:
    profile, way = maker(kind, **fields)
    return by_file(profile, way, sorted(stick.iterdir()), stick.parent / "home", answer, prefix)


def by_file(
    profile: TokenProfile,
    way: InstallMethod,
    paths: Sequence[Path],
    folder: Path | None = None,
    answer: object = None,
    prefix: rights.Prefix = (),
) -> DriverPlan:
    made = DriverPlan(profile.id, profile.title, way.kind, prefix=prefix)
    return from_maker(made, way, paths, folder, installer(way.kind, answer))


def test_every_way_that_a_profile_may_name_has_its_installer_in_the_one_table() -> None:
    fields = {field.name for field in msgspec.structs.fields(Driver)}
    assert set(methods.INSTALLERS) == set(get_args(Kind))
    assert set(methods.INSTALLERS) <= fields
    assert methods.kinds(), "this system has none"


def test_an_msi_is_installed_without_questions_and_without_a_restart_by_itself(stick: Path) -> None:
    made = planned(stick, "msi")
    path = str(made.copies[0].target)
    (step,) = made.steps
    assert step.argv == (MSIEXEC, "/i", path, "/qn", "/norestart", "/l*v", f"{path}.log")
    assert made.shown().commands == (step.command,)


def test_an_exe_gets_the_silent_options_of_its_profile(stick: Path) -> None:
    (step,) = planned(stick, "exe", silent=("/S", "/D=C:\\Program Files\\X")).steps
    assert step.argv[1:] == ("/S", "/D=C:\\Program Files\\X")
    assert step.command.endswith('/S "/D=C:\\Program Files\\X"')


def test_an_exe_that_cannot_be_silent_says_that_its_window_opens(stick: Path) -> None:
    (step,) = planned(stick, "exe").steps
    assert "its own window opens" in str(step.message)


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
        by_file(profile, unknown, sorted(stick.iterdir()))
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
        by_file(profile, narrow, sorted(stick.iterdir()))


def test_without_a_kit_the_file_that_is_needed_is_named(stick: Path) -> None:
    profile, way = maker("exe")
    with pytest.raises(errors.PackageUnknown) as caught:
        by_file(profile, way, [])
    assert "driver.exe" in str(caught.value)


def test_the_providers_that_windows_has_registered_are_read_for_each_word_size() -> None:
    answer = says(**{"/reg:64": "windows/providers-64.txt", "/reg:32": "windows/providers-32.txt"})
    assert "Bit4id Universal Middleware Provider" in windows.providers(64, answer)  # type: ignore[arg-type]
    assert "eToken Base Cryptographic Provider" in windows.providers(32, answer)  # type: ignore[arg-type]
    assert "eToken Base Cryptographic Provider" not in windows.providers(64, answer)  # type: ignore[arg-type]


def test_installed_programs_are_read_with_their_versions() -> None:
    installed = windows.programs(says(Uninstall="windows/programs.txt"))  # type: ignore[arg-type]
    assert installed["{0F2E4A5C-1111-2222-3333-444455556666}"].version == "10.8.2109.0"
    assert installed["bit4id_xpki"].name == "Bit4id - Universal Middleware"


def test_what_an_msi_added_is_taken_away_by_its_own_product_code_and_by_no_other(stick: Path) -> None:
    made = planned(stick, "msi", says(powershell="windows/product-code.txt"))
    command = f"{MSIEXEC} /x {CODE} /qn /norestart"
    assert f"If it fails, this removes it again: {command}" in map(str, made.shown().steps)
    others = {"{AAAAAAAA-1111-2222-3333-444455556666}": "somebody else's, at the same time"}
    (step,) = installer("msi").removal(made, {CODE: "X 1", **others})
    assert step.command == command
    assert installer("msi").removal(made, others) == ()


def test_an_msi_that_does_not_say_its_product_is_not_removed_and_the_plan_says_so(stick: Path) -> None:
    made = planned(stick, "msi")
    assert "If it fails, what it left is named, and nothing is removed." in map(str, made.shown().steps)
    assert installer("msi").removal(made, {CODE: "X 1", "/nowhere/module": "file"}) == ()


def test_the_removal_that_a_profile_names_is_shown_before_and_run_only_for_what_is_new(stick: Path) -> None:
    removal = ("C:\\Program Files\\X\\uninst.exe", "/S")
    made = planned(stick, "exe", removal=removal, provider="X")
    assert any('"C:\\Program Files\\X\\uninst.exe" /S' in str(line) for line in made.shown().steps)
    for new in ("/nowhere/module", "provider X"):
        (step,) = installer("msi").removal(made, {new: ""})
        assert step.argv == removal
    assert installer("msi").removal(made, {"somebody else's": ""}) == ()


def test_on_macos_files_go_by_the_profiles_command_and_only_its_own_receipt_is_forgotten(stick: Path) -> None:
    made = planned(stick, "pkg", removal=("/bin/rm", "-r", "/Library/bit4id"), prefix=("sudo", "-n"))
    assert any("sudo -n /bin/rm -r /Library/bit4id" in str(line) for line in made.shown().steps)
    mac = installer("pkg", says(**{"--file-info": "macos/owner.txt"}))
    own = "com.bit4id.universalmiddleware"
    added = {own: "receipt", "com.other.x": "receipt", "/nowhere/module": "file"}
    steps = mac.removal(made, added)
    assert [step.command for step in steps] == [
        "sudo -n /bin/rm -r /Library/bit4id", f"sudo -n pkgutil --forget {own}",
    ]  # fmt: skip
    assert mac.removal(made, {own: "receipt"}) == ()
    assert mac.removal(planned(stick, "pkg"), added) == ()


@pytest.mark.parametrize(
    "name", ["‘;calc;’", "‚x‛", "'; calc; '", "$(calc)", "`calc`", '"; calc; "', "hồ sơ"]
)
def test_a_path_is_never_a_part_of_what_powershell_is_told(name: str) -> None:
    asked: list[tuple[Sequence[str], Mapping[str, str] | None]] = []

    def answer(argv: Sequence[str], values: Mapping[str, str] | None = None) -> Answer:
        asked.append((argv, values))
        return Answer(0, "")

    path = f"C:\\kit\\{name}.msi"
    windows.file_version(path, answer)
    windows.publisher(Path(path), answer)
    windows.product_code(Path(path), answer)
    assert len(asked) == 3
    for argv, values in asked:
        assert values == {"FIELDKIT_FILE": path}
        assert not any("kit" in word or name in word for word in argv)


def test_windows_own_programs_are_run_from_its_system_folder_only(stick: Path) -> None:
    asked: list[str] = []

    def answer(argv: Sequence[str], values: Mapping[str, str] | None = None) -> Answer:
        asked.append(argv[0])
        return Answer(0, "")

    windows.programs(answer)
    windows.providers(64, answer)
    windows.publisher(Path("x"), answer)
    asked.append(planned(stick, "msi").steps[0].argv[0])
    assert all(
        program.startswith("C:\\Windows\\System32\\") and program.endswith(".exe") for program in asked
    )


def test_a_program_that_is_run_looks_for_none_in_the_current_folder(tmp_path: Path) -> None:
    show = (
        "import os; print(os.environ['NoDefaultCurrentDirectoryInExePath'], os.environ.get('FIELDKIT_FILE'))"
    )
    heard: list[str] = []
    assert ask((sys.executable, "-c", show), {"FIELDKIT_FILE": "x"}).out == "1 x\n"
    assert run.run((sys.executable, "-c", show), tmp_path / "log", hear=heard.append) == 0
    assert heard == ["1 None"]


def test_on_macos_a_module_is_known_by_the_package_that_brought_it() -> None:
    answer = says(**{"--file-info": "macos/owner.txt", "--pkgs": "macos/packages.txt"})
    mac = PkgInstaller(answer)  # type: ignore[arg-type]
    assert mac.owner("/x") == Package("com.bit4id.universalmiddleware", "1.4.10.764")
    assert "com.bit4id.universalmiddleware" in mac.packages()


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
        installer("msi").judge(step, status, ())
    assert type(caught.value) is kind
    assert caught.value.hint is not None
    assert str(status) in caught.value.detail


@pytest.mark.parametrize(("status", "restart"), [(0, False), (3010, True), (1641, True)])
def test_a_restart_that_windows_asks_for_is_no_failure(status: int, restart: bool) -> None:
    step = Step(M("Install."), ("msiexec", "/i", "x.msi"), quoting="cmd")
    assert installer("msi").judge(step, status, ()) is restart


def test_a_makers_own_exit_status_is_not_read_as_msiexecs() -> None:
    with pytest.raises(errors.InstallFailed):
        installer("exe").judge(Step(M("Install."), ("C:\\x\\driver.exe", "/S")), 5, ())


@pytest.mark.skipif(os.name == "nt", reason="runs a program with msiexec's place taken by a script")
def test_what_msiexec_logs_is_kept_with_the_log(tmp_path: Path) -> None:
    script = (
        "import sys; open(sys.argv[-1], 'wb').write('Đã cài'.encode('utf-16')); sys.exit(int(sys.argv[1]))"
    )
    msiexec = program(tmp_path / "msiexec", script)
    log = tmp_path / "log"

    def step(status: int) -> Step:
        return Step(M("Install."), (str(msiexec), str(status), "/l*v", str(tmp_path / "x.log")))

    assert installer("msi").carry_out(step(0), log) is False
    assert "Đã cài" in log.read_text()
    assert not (tmp_path / "x.log").exists()
    with pytest.raises(errors.NoRights):
        installer("msi").carry_out(step(5), log)


@pytest.mark.skipif(os.name == "nt", reason="asks for rights by other means")
def test_an_installer_that_cannot_even_be_started_is_told_and_is_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    unfit = tmp_path / "driver.exe"
    unfit.write_bytes(b"MZ no program of this system")
    unfit.chmod(0o755)
    for path in (unfit, tmp_path / "nowhere.exe"):
        with pytest.raises(errors.InstallFailed) as caught:
            installer("msi").carry_out(Step(M("Run."), (str(path),), installs=True, quoting="cmd"), log)
        assert path.name in caught.value.detail
    assert "Exec format error" in log.read_text()
    assert "No such file" in log.read_text()


def installer_that_says(tmp_path: Path, name: str, status: int) -> Step:
    script = program(
        tmp_path / "installer", f"import sys; print(open({str(SAID / name)!r}).read()); sys.exit({status})"
    )
    return Step(M("Install."), (str(script),), installs=True)


@pytest.mark.skipif(os.name == "nt", reason="runs a script in the place of macOS's installer")
def test_on_macos_progress_is_what_the_installer_reports(tmp_path: Path) -> None:
    progresses: list[Progress] = []
    step = installer_that_says(tmp_path, "macos/installed.txt", 0)
    assert PkgInstaller().carry_out(step, tmp_path / "log", progresses.append) is False
    assert [progress.done for progress in progresses] == [12, 61, 98, 100]


@pytest.mark.skipif(os.name == "nt", reason="runs a script in the place of macOS's installer")
@pytest.mark.parametrize("status", [0, 1])
def test_on_macos_an_installation_that_failed_is_told_whatever_the_exit_status(
    tmp_path: Path, status: int
) -> None:
    with pytest.raises(errors.InstallFailed):
        PkgInstaller().carry_out(installer_that_says(tmp_path, "macos/failed.txt", status), tmp_path / "log")


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
    way = methods.chosen(profiles[profile])
    assert way is not None
    assert way.kind == kind
    assert methods.places(profiles[profile])[0] == place


def test_of_several_files_the_one_with_a_known_hash_is_taken(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = load(home).tokens["safenet-gca01"]
    first, second = profile.driver.exe
    known = msgspec.structs.replace(second, sha256=SHA256)
    driver = msgspec.structs.replace(profile.driver, exe=(first, known))
    monkeypatch.setattr(sys, "platform", "win32")
    way = methods.chosen(msgspec.structs.replace(profile, driver=driver))
    assert way is not None
    assert way.file == known

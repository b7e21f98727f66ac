"""Profiles are read from the shipped folder and the home's over it; what is wrong is told with its place."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fieldkit.home import Home, shipped
from fieldkit.profile.errors import ProfileInvalid
from fieldkit.profile.load import check, is_profile, load
from fieldkit.yaml_model import YamlUnreadable
from tests.conftest import Run

TOKEN = """\
id: trial
title: {vi: Thử, en: Trial}
known: hypothesis
modules:
  linux:
    - {path: /usr/lib/trial.so, known: documented}
usb:
  - {id: "25dd:2371"}
atr:
  - {value: 3B00}
driver:
  exe:
    - file: setup.exe
      module: 'C:\\Windows\\System32\\trial.dll'
pin_policy: {min: 4, max: 8}
"""
SERVICES = "services:\n  - {id: one, kind: tsa, url: 'http://tsa.example/', title: {vi: Một, en: One}}\n"


def put(home: Home, name: str, text: str) -> Path:
    path = home.profiles / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def told(error: ProfileInvalid, path: Path) -> list[tuple[int, int]]:
    """Line and column of each problem; all of them are in `path`."""
    assert {problem.file for problem in error.problems} == {str(path)}
    return [(problem.line, problem.column) for problem in error.problems]


def test_what_is_shipped_is_valid_and_every_bureau_has_its_token_and_authority(home: Home) -> None:
    profiles = load(home)
    assert {"softhsm2", "opensc", "bit4id-vgca"} <= set(profiles.tokens)
    for bureau in profiles.plan.bureaus:
        assert bureau.token in profiles.tokens
        assert bureau.authority in profiles.authorities


@pytest.mark.parametrize("path", sorted(shipped("profiles").rglob("*.yaml")), ids=lambda path: path.name)
def test_each_shipped_profile_is_valid_on_its_own(path: Path) -> None:
    assert is_profile(path)
    check(path)


def test_no_shipped_file_can_be_run_before_somebody_writes_its_hash(home: Home) -> None:
    for profile in load(home).tokens.values():
        for kind in ("deb", "rpm", "msi", "exe", "pkg"):
            for file in getattr(profile.driver, kind):
                assert file.sha256 == "" or file.known == "confirmed", (profile.id, file.file)


def test_a_file_of_the_home_replaces_the_shipped_one_of_its_name_and_adds_others(home: Home) -> None:
    softhsm2 = (shipped("profiles") / "tokens" / "softhsm2.yaml").read_text("utf-8")
    put(home, "tokens/softhsm2.yaml", softhsm2.replace("min: 4", "min: 9", 1))
    put(home, "tokens/trial.yaml", TOKEN)
    put(home, "services.yaml", SERVICES)
    profiles = load(home)
    assert profiles.tokens["softhsm2"].pin_policy.min == 9
    assert "trial" in profiles.tokens
    assert "opensc" in profiles.tokens
    assert [service.id for service in profiles.services] == ["one"]
    assert profiles.folders[0] == home.profiles


def test_one_id_in_two_files_is_told_in_the_second(home: Home) -> None:
    put(home, "tokens/trial.yaml", TOKEN)
    again = put(home, "tokens/zz.yaml", TOKEN)
    with pytest.raises(ProfileInvalid) as caught:
        load(home)
    assert told(caught.value, again) == [(1, 5)]
    assert "taken by" in str(caught.value)


@pytest.mark.parametrize(
    ("good", "bad", "place", "words"),
    [
        ("id: trial", "id: Trial One", (1, 5), "not an id"),
        ("usb:", "ubs:", (7, 1), "`usb`"),
        ('"25dd:2371"', '"25DD:2371"', (8, 10), "not a USB id"),
        ("3B00", "zz", (10, 13), "not an ATR"),
        ("min: 4, max: 8", "min: 9, max: 8", (15, 13), "not the larger"),
        ("min: 4, max: 8", "min: four, max: 8", (15, 19), "whole number"),
        ("known: hypothesis", "known: certainly", (3, 8), "is not one of"),
        ("file: setup.exe", "file: ../setup.exe", (13, 13), "without folders"),
        ("file: setup.exe", "file: setup.exe\n      sha256: ABC", (14, 15), "not a SHA-256"),
        ("title: {vi: Thử, en: Trial}", "title: {vi: Thử}", (2, 8), "`en` is missing"),
        ("usb:", "quirks: [{id: none-such, text: {vi: a, en: a}}]\nusb:", (7, 15), "wrong-pin-general-error"),
        ("atr:\n  - {value: 3B00}", "atr:\n  - {value: 3B00}\n  - {value: 3B00", (11, 5), "not closed"),
    ],
)
def test_each_mistake_is_told_with_its_line_and_column(
    home: Home, good: str, bad: str, place: tuple[int, int], words: str
) -> None:
    assert good in TOKEN
    path = put(home, "tokens/trial.yaml", TOKEN.replace(good, bad))
    with pytest.raises(ProfileInvalid) as caught:
        load(home)
    assert place in told(caught.value, path), caught.value.detail or str(caught.value)
    assert words in "\n".join(str(problem.message) for problem in caught.value.problems)


def test_what_release_0_1_called_a_quirk_though_it_is_for_people_is_still_read(home: Home) -> None:
    put(
        home,
        "tokens/trial.yaml",
        TOKEN + "quirks: [{id: no-pin-lock, text: {vi: Không khóa, en: No lock}}]\n",
    )
    (quirk,) = load(home).tokens["trial"].quirks
    assert str(quirk.text) == "No lock"


def test_every_mistake_of_every_file_is_told_at_once(home: Home) -> None:
    put(home, "tokens/trial.yaml", TOKEN.replace("usb:", "ubs:").replace("3B00", "zz"))
    put(home, "services.yaml", SERVICES.replace("http://tsa", "ftp://tsa"))
    with pytest.raises(ProfileInvalid) as caught:
        load(home)
    files = {Path(problem.file).name for problem in caught.value.problems}
    assert files == {"trial.yaml", "services.yaml"}
    assert len(caught.value.as_dict()["problems"]) == len(caught.value.problems)


def test_a_bureau_whose_token_nobody_describes_is_told_where_it_says_so(home: Home) -> None:
    sample = (shipped("profiles") / "plan" / "sample.yaml").read_text("utf-8")
    path = put(home, "plan/sample.yaml", sample.replace("token: softhsm2", "token: no-such", 1))
    with pytest.raises(ProfileInvalid) as caught:
        load(home)
    (line, column) = told(caught.value, path)[0]
    assert path.read_text("utf-8").splitlines()[line - 1][column - 1 :].startswith("no-such")


def test_a_file_that_is_not_utf_8_is_told_at_the_byte(home: Home) -> None:
    path = put(home, "tokens/trial.yaml", TOKEN)
    path.write_bytes(TOKEN.encode("utf-8").replace("Thử".encode(), b"Th\xff"))
    with pytest.raises(ProfileInvalid) as caught:
        load(home)
    assert told(caught.value, path) == [(2, 15)]


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside.pem", "C:\\outside.pem"])
def test_an_anchor_outside_the_folder_of_the_profiles_is_refused(home: Home, name: str) -> None:
    path = put(
        home, "authorities/trial.yaml", f"id: trial\ntitle: {{vi: Thử, en: Trial}}\nanchors: ['{name}']\n"
    )
    with pytest.raises(ProfileInvalid) as caught:
        load(home)
    assert told(caught.value, path) == [(3, 11)]


def test_a_file_elsewhere_is_no_profile_and_the_places_are_named(tmp_path: Path) -> None:
    path = tmp_path / "trial.yaml"
    path.write_text(TOKEN, encoding="utf-8")
    assert not is_profile(path)
    with pytest.raises(ProfileInvalid) as caught:
        check(path)
    assert "neither services.yaml nor in one of the folders authorities, plan, rules, tokens" in str(
        caught.value
    )


def test_a_file_that_is_not_there_is_unreadable_not_invalid(home: Home) -> None:
    home.profiles.mkdir(parents=True)
    with pytest.raises(YamlUnreadable):
        check(home.profiles / "services.yaml")


def test_a_plan_of_head_offices_own_comes_before_the_sample(home: Home) -> None:
    sample = (shipped("profiles") / "plan" / "sample.yaml").read_text("utf-8")
    real = sample.replace("id: sample\n", "id: real\n", 1).replace("sample: true\n", "", 1)
    put(home, "plan/real.yaml", real)
    profiles = load(home)
    assert profiles.plan.id == "real"


def test_the_command_tells_a_profiles_mistakes_and_ends_with_wrong_use(fieldkit: Run, home: Home) -> None:
    path = put(home, "tokens/trial.yaml", TOKEN.replace("usb:", "ubs:"))
    ran = fieldkit("driver", "list", "--json")
    assert (ran.status, ran.error["code"]) == (2, "profile-invalid")
    assert ran.error["problems"][0]["line"] == 7
    ran = fieldkit("checklist", "check", path, "--json")
    assert ran.status in (1, 2)
    shutil.copyfile(shipped("profiles") / "tokens" / "softhsm2.yaml", path.with_name("softhsm2.yaml"))
    path.unlink()
    assert fieldkit("driver", "list", "--json").status == 0


def complaints(home: Home, driver: str) -> list[tuple[str, int]]:
    """What is said of a token's profile with this `driver:`, and the lines of it."""
    head, _, tail = TOKEN.partition("driver:\n")
    path = put(
        home, "tokens/trial.yaml", f"{head}driver:\n{driver}pin_policy:{tail.partition('pin_policy:')[2]}"
    )
    with pytest.raises(ProfileInvalid) as caught:
        check(path)
    first = head.count("\n") + 2
    return [(str(problem.message), problem.line - first) for problem in caught.value.problems]


@pytest.mark.parametrize(
    "name",
    [
        "-oDir::Bin::dpkg=/tmp/evil", "--reinstall", "/x/evil.deb", "./evil.deb", "evil.deb/../x",
        "softhsm2-", "softhsm2=1.0", "softhsm2/stable", "softhsm2:i386", "?installed", "task^", "Softhsm2",
        "s*", "", "a b", "x\u202e",
    ],
)  # fmt: skip
def test_only_a_name_of_a_package_can_be_one(home: Home, name: str) -> None:
    listed = complaints(
        home, f"  apt:\n    - module: /usr/lib/x.so\n      packages: [opensc, {json.dumps(name)}]\n"
    )
    assert [line for _, line in listed] == [2]
    assert "name of a package" in listed[0][0]


@pytest.mark.parametrize(
    "name", ["opensc", "libengine-pkcs11-openssl", "libstdc++6", "g++", "python3.11", "0ad", "7zip"]
)
def test_every_name_that_debian_allows_can_be_one(home: Home, name: str) -> None:
    way = f"module: /usr/lib/x.so, packages: [{json.dumps(name)}], least: {{{name}: '1:2.0~rc1+b1-3'}}"
    driver = f"  apt:\n    - {{{way}}}\n"
    put(home, "tokens/trial.yaml", TOKEN.replace("  exe:\n", driver + "  exe:\n"))
    assert load(home).tokens["trial"].driver.apt[0].packages == (name,)


@pytest.mark.parametrize(
    ("driver", "part"),
    [
        ("  services: [/x/evil.service]\n", "a unit of systemd"),
        ("  services: [--root=/x]\n", "a unit of systemd"),
        ("  services: ['../evil.service']\n", "a unit of systemd"),
        ("  services: [pcscd]\n", "a unit of systemd"),
        ("  apt: [{module: /usr/lib/x.so, packages: [opensc], least: {opensc: -oX=1}}]\n", "a version"),
        ("  apt: [{module: /usr/lib/x.so, packages: [opensc], least: {-oX: '1'}}]\n", "name of a package"),
        ("  apt: [{module: x.so, packages: [opensc]}]\n", "from the root on"),
        ("  apt: [{module: /usr/lib/../../tmp/x.so, packages: [opensc]}]\n", "from the root on"),
        ("  deb: [{module: lib/x.so, file: x.deb}]\n", "from the root on"),
        ("  deb: [{module: /usr/lib/x.so, file: -x.deb}]\n", "without folders"),
        ("  deb: [{module: /usr/lib/x.so, file: ../x.deb}]\n", "without folders"),
        ("  exe: [{module: x.dll, file: x.exe}]\n", "where only an administrator"),
        ("  msi: [{module: 'C:\\Vendor\\x.dll', file: x.msi}]\n", "where only an administrator"),
        ("  pkg: [{module: x.dylib, file: x.pkg}]\n", "from the root on"),
        ("  conflicts: [{kind: package, name: --root=/x, text: {vi: a, en: b}}]\n", "name of a package"),
        ("  conflicts: [{kind: service, name: -x, text: {vi: a, en: b}}]\n", "a service"),
        ("  conflicts: [{kind: module, name: /x/y, text: {vi: a, en: b}}]\n", "without folders"),
        ("  exe: [{module: 'C:\\Windows\\x.dll', file: x.exe, removal: [uninst.exe]}]\n", "removal"),
    ],
)  # fmt: skip
def test_what_a_driver_names_can_be_nothing_but_what_it_is_named_as(
    home: Home, driver: str, part: str
) -> None:
    listed = complaints(home, driver)
    assert [(part in said, line) for said, line in listed] == [(True, 0)], listed


@pytest.mark.parametrize(
    ("system", "path"),
    [
        ("linux", "opensc-pkcs11.so"), ("linux", "lib/opensc-pkcs11.so"), ("linux", "//server/x.so"),
        ("linux", "/usr/lib/../../tmp/x.so"), ("macos", "x.dylib"), ("windows", "eTPKCS11.dll"),
        ("windows", "C:\\SoftHSM2\\lib\\softhsm2-x64.dll"), ("windows", "C:x.dll"),
        ("windows", "\\\\server\\share\\x.dll"), ("windows", "C:\\Windows\\..\\x\\y.dll"),
        ("windows", "/usr/x.dll"),
        ("windows", "C:\\Windowsx\\y.dll"),
    ],
)  # fmt: skip
def test_a_module_is_loaded_only_from_where_no_other_account_can_put_one(
    home: Home, system: str, path: str
) -> None:
    text = TOKEN.replace(
        "  linux:\n    - {path: /usr/lib/trial.so", f"  {system}:\n    - {{path: {json.dumps(path)}"
    )
    with pytest.raises(ProfileInvalid) as caught:
        check(put(home, "tokens/trial.yaml", text))
    assert [problem.line for problem in caught.value.problems] == [6]


PLAN = (shipped("profiles") / "plan" / "sample.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("token: softhsm2", "token: softhsm9", "There is no profile `softhsm9`"),
        ("authority: sample", "authority: nobody", "There is no profile `nobody`"),
        ("checklist: survey", "checklist: surveys", "There is no checklist surveys"),
        ("        CN: Nguyễn", "        NC: Nguyễn", "`NC` is no attribute"),
        (
            "      subject:\n",
            "      certificate_serial: 12-XY\n      subject:\n",
            "cannot be a serial number",
        ),
    ],
)
def test_what_a_plan_names_and_nobody_knows_is_told_wherever_the_plan_lies(
    fieldkit: Run, tmp_path: Path, before: str, after: str, said: str
) -> None:
    path = tmp_path / "north.yaml"
    path.write_text(PLAN, encoding="utf-8")
    assert fieldkit("checklist", "check", path).status == 0
    assert before in PLAN
    path.write_text(PLAN.replace(before, after, 1), encoding="utf-8")
    ran = fieldkit("checklist", "check", path, "--json")
    assert ran.status == 1
    (problem,) = ran.document["result"][0]["problems"]
    assert said in problem["message"]
    assert PLAN.replace(before, after, 1).splitlines()[problem["line"] - 1].strip()


def test_problems_beyond_the_first_hundred_are_counted(fieldkit: Run, tmp_path: Path) -> None:
    path = tmp_path / "north.yaml"
    path.write_text("id: a\nphases: []\nbureaus: []\n" + "".join(f"k{n}: 1\n" for n in range(250)))
    problems = fieldkit("checklist", "check", path, "--json").document["result"][0]["problems"]
    assert len(problems) == 100
    assert "not listed: 154" in problems[-1]["message"]  # 250 keys and three that are missing, but for 99

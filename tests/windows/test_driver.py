"""Makers' installers on Windows: a genuine .msi and .exe that the tests make, run with consent and undone."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldkit.kit.manifest import DriverFiles
from tests.kit.conftest import Office
from tests.windows import unelevated
from tests.windows.bed import Windows
from tests.windows.conftest import Caller

PRODUCT = "{6B1F7A52-7C0E-4B5E-9E0B-5A1D3C2F4E61}"
PROVIDER = "Mau Thu CSP"
MODULE = r"C:\Program Files\Mau Thu\mauthu.dll"
PROFILE = """\
id: mau-thu
title: {{vi: Token mẫu thử, en: A trial token}}
known: hypothesis
modules:
  windows:
    - {{path: '{module}', known: hypothesis, bits: 64}}
driver:
  needs_reader: false
  shown: module
  {kind}:
    - file: {file}
      module: '{module}'
      sha256: {sha256}
      silent: [{silent}]
      provider: {provider}
      removal: [{removal}]
      known: hypothesis
pin_policy: {{min: 6, max: 16, classes: [], known: hypothesis}}
"""
WXS = """\
<?xml version="1.0" encoding="utf-8"?>
<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">
  <Product Id="{product}" Name="Mau Thu" Language="1033" Version="1.2.3" Manufacturer="Mau"
           UpgradeCode="A1C1D8E0-52B0-4B0C-8F6E-0C3E7A9B1D22">
    <Package InstallerVersion="200" Compressed="yes" InstallScope="perMachine" Platform="x64"/>
    <Media Id="1" Cabinet="files.cab" EmbedCab="yes"/>
    <Directory Id="TARGETDIR" Name="SourceDir">
      <Directory Id="ProgramFiles64Folder">
        <Directory Id="PLACE" Name="Mau Thu">
          <Component Id="Files" Guid="D5B8B0C4-8F0D-4E43-9F0B-2D2C8F3E5A77" Win64="yes">
            <File Id="Module" Name="mauthu.dll" Source="mauthu.dll" KeyPath="yes"/>
            <File Id="Crypto" Name="libcrypto-3.dll" Source="libcrypto-3.dll"/>
            <RegistryKey Root="HKLM" Key="SOFTWARE\\Microsoft\\Cryptography\\Defaults\\Provider\\{provider}">
              <RegistryValue Type="string" Name="Image Path" Value="[PLACE]mauthu.dll"/>
            </RegistryKey>
          </Component>
        </Directory>
      </Directory>
    </Directory>
    <Feature Id="All" Level="1"><ComponentRef Id="Files"/></Feature>
  </Product>
</Wix>
"""
NSI = """\
Unicode true
Target amd64-unicode
Name "Mau Thu"
OutFile "setup.exe"
SilentInstall silent
RequestExecutionLevel admin
Section
  SetRegView 64
  {work}
  SetErrorLevel {status}
SectionEnd
Section Uninstall
  SetRegView 64
  DeleteRegKey HKLM "SOFTWARE\\Microsoft\\Cryptography\\Defaults\\Provider\\{provider}"
  Delete "$PROGRAMFILES64\\Mau Thu\\*.*"
SectionEnd
"""
WORK = """SetOutPath "$PROGRAMFILES64\\Mau Thu"
  File mauthu.dll
  File libcrypto-3.dll
  WriteUninstaller "$PROGRAMFILES64\\Mau Thu\\uninst.exe"
  WriteRegStr HKLM "SOFTWARE\\Microsoft\\Cryptography\\Defaults\\Provider\\{provider}" "Image Path" "x"
"""
MSIEXEC = (r"C:\windows\system32\msiexec.exe", "/x", PRODUCT, "/qn", "/norestart")
UNINSTALL = (r"C:\Program Files\Mau Thu\uninst.exe", "/S")

KitOf = Callable[[Path, tuple[str, ...]], Path]


@pytest.fixture
def driver_files(windows: Windows, tmp_path: Path) -> Path:
    """A folder with what a maker puts into its installer: a module that loads, and what it needs."""
    place = tmp_path / "maker"
    place.mkdir()
    module = windows.drive / "softhsm/softhsm2.dll"
    (place / "mauthu.dll").write_bytes(module.read_bytes())
    (place / "libcrypto-3.dll").write_bytes((module.parent / "libcrypto-3.dll").read_bytes())
    return place


@pytest.fixture
def kit_of(folder: Path, tmp_path: Path) -> KitOf:
    """Makes a kit with a maker's installer, and the profile that names it in the home."""

    def make(installer: Path, removal: tuple[str, ...]) -> Path:
        kind = installer.suffix[1:]
        data = installer.read_bytes()
        path = f"packages/windows/{installer.name}"
        drivers = (DriverFiles("mau-thu", "windows", "x86_64", (path,)),)
        profiles = folder / "home/profiles/tokens"
        profiles.mkdir(parents=True, exist_ok=True)
        text = PROFILE.format(
            kind=kind,
            file=installer.name,
            module=MODULE,
            sha256=hashlib.sha256(data).hexdigest(),
            silent="/S" if kind == "exe" else "/qn",
            provider=PROVIDER,
            removal=", ".join(f"'{word}'" for word in removal),
        )
        (profiles / "mau-thu.yaml").write_text(text, encoding="utf-8")
        return Office(tmp_path).make(folder / f"Bộ cài {kind}", {path: data}, drivers=drivers)

    return make


def msi(place: Path) -> Path:
    (place / "driver.wxs").write_text(WXS.format(product=PRODUCT.strip("{}"), provider=PROVIDER))
    subprocess.run(["wixl", "-a", "x64", "-o", "driver.msi", "driver.wxs"], cwd=place, check=True)
    return place / "driver.msi"


def exe(place: Path, status: int, *, works: bool) -> Path:
    work = WORK.format(provider=PROVIDER) if works else ""
    (place / "driver.nsi").write_text(NSI.format(work=work, status=status, provider=PROVIDER))
    subprocess.run(["makensis", "-V1", "driver.nsi"], cwd=place, check=True)
    return place / "setup.exe"


@pytest.fixture
def clean(windows: Windows) -> None:
    """No driver of an earlier test is there."""
    if (windows.drive / "Program Files/Mau Thu/uninst.exe").exists():
        windows.run(*UNINSTALL)
    if (windows.drive / "Program Files/Mau Thu/mauthu.dll").exists():
        windows.run(*MSIEXEC)


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("kind", ["msi", "exe"])
def test_a_makers_installer_is_run_with_consent_seen_in_the_registry_and_removed(
    windows: Windows, call: Caller, driver_files: Path, kit_of: KitOf, kind: str
) -> None:
    installer = msi(driver_files) if kind == "msi" else exe(driver_files, 0, works=True)
    kit = kit_of(installer, MSIEXEC if kind == "msi" else UNINSTALL)
    install = ("driver", "install", "mau-thu", "--kit", kit)
    assert call(*install).error["code"] == "not-consented"
    plan = ("driver", "plan", "mau-thu", "--kit", kit)
    assert call(*plan).result["already"] is False
    done = call(*install, "--yes")
    assert (done.result["installed"], done.result["module"]) == ("now", MODULE), done.err
    assert call(*plan).result["already"] is True
    windows.run(*(MSIEXEC if kind == "msi" else UNINSTALL))
    assert not (windows.drive / "Program Files/Mau Thu/mauthu.dll").exists()
    assert call(*plan).result["already"] is False


@pytest.mark.usefixtures("clean")
def test_without_an_administrators_rights_the_command_for_one_is_said_and_nothing_runs(
    windows: Windows, program: Path, folder: Path, driver_files: Path, kit_of: KitOf
) -> None:
    kit = kit_of(exe(driver_files, 0, works=True), UNINSTALL)
    install = ("driver", "install", "mau-thu", "--kit", kit, "--yes", "--json")
    home = windows.spelt(folder / "home")
    ran = windows.python("-I", Path(unelevated.__file__), program, *install, FIELDKIT_HOME=home)
    assert (ran.status, ran.error["code"]) == (4, "no-rights")
    (command,) = ran.error["commands"]
    assert command.endswith('\\packages\\windows\\setup.exe" /S')
    assert "Run as administrator" in ran.error["hint"]
    assert not (windows.drive / "Program Files/Mau Thu/mauthu.dll").exists()


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (740, "no-rights", "Run as administrator"),
        (1223, "no-rights", "the answer was no"),
        (1603, "install-failed", "status 1603"),
        (1618, "installer-busy", "Another program is installing packages"),
        (1641, "module-unproved", "only after a restart"),
        (3010, "module-unproved", "only after a restart"),
    ],
)
def test_an_installers_exit_status_is_told_in_words(
    call: Caller, driver_files: Path, kit_of: KitOf, status: int, code: str, words: str
) -> None:
    kit = kit_of(exe(driver_files, status, works=False), UNINSTALL)
    error = call("driver", "install", "mau-thu", "--kit", kit, "--yes").error
    assert error["code"] == code
    assert words in f"{error['message']} {error['unchanged']} {error['hint']}"

"""Makers' installers on Windows: .msi by msiexec, .exe by its silent options; what is registered, who signed.

Whether a driver is there is told by its registered provider and its module, not by the list of programs:
makers' entries in it outlive their drivers. Tried under Wine alone: see docs/drivers.md.
"""

from __future__ import annotations

import json
import re
import sys
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from threading import Event

import msgspec

from fieldkit.driver.ask import Answer, SystemQuery, ask, system32
from fieldkit.driver.errors import InstallFailed, NoRights
from fieldkit.driver.installer import (
    BUSY,
    DAMAGED,
    FOREIGN,
    SPACE,
    Cause,
    DriverInstaller,
    compare_publisher,
    recognise,
    unchecked_publisher,
)
from fieldkit.driver.steps import DriverPlan, Package, Step, Tell
from fieldkit.errors import Cancelled
from fieldkit.finding import Finding
from fieldkit.operator import Progress
from fieldkit.profile.driver import PackageFile
from fieldkit.text import M

PROVIDERS = r"HKLM\SOFTWARE\Microsoft\Cryptography\Defaults\Provider"
PROGRAMS = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall"
RESTART = (3010, 1641)
MSIEXEC = system32("msiexec.exe")


class Program(msgspec.Struct, frozen=True):
    """An entry of the list of installed programs; one that msiexec installed has its product code as key."""

    key: str
    name: str = ""
    version: str = ""


def providers(bits: int = 64, query: SystemQuery = ask) -> tuple[str, ...]:
    """The cryptographic providers registered for programs of so many bits."""
    output = query((system32("reg.exe"), "query", PROVIDERS, f"/reg:{bits}")).out.replace("\r", "")
    below = re.compile(r"^HKEY_LOCAL_MACHINE\\.*\\Defaults\\Provider\\(.+?)\s*$", re.MULTILINE)
    return tuple(below.findall(output))


def programs(query: SystemQuery = ask) -> dict[str, Program]:
    """Key to program of the list of installed programs, of both word sizes."""
    by_key: dict[str, Program] = {}
    for bits in (64, 32):
        output = query((system32("reg.exe"), "query", PROGRAMS, "/s", f"/reg:{bits}")).out.replace("\r", "")
        for block in re.split(r"\n(?=HKEY_)", output):
            key = re.match(r"\s*HKEY_[^\n]*\\Uninstall\\([^\\\n]+?)\s*$", block, re.MULTILINE)
            if key is None:
                continue
            values = dict(re.findall(r"^    (\S+)    REG_\w+    (.*?)\s*$", block, re.MULTILINE))
            by_key[key[1]] = Program(key[1], values.get("DisplayName", ""), values.get("DisplayVersion", ""))
    return by_key


def file_version(path: str, query: SystemQuery = ask) -> str:
    """The version that the file at `path` carries; "" where it has none."""
    return _powershell(
        "(Get-Item -LiteralPath $env:FIELDKIT_FILE).VersionInfo.FileVersion", path, query
    ).out.strip()


def product_code(path: Path, query: SystemQuery = ask) -> str:
    """The product that the .msi file at `path` installs; "" where it cannot be told."""
    code = _powershell(_PRODUCT_CODE, str(path), query).out.strip()
    return code if re.fullmatch(r"\{[0-9A-Fa-f-]{36}\}", code) else ""


_PRODUCT_CODE = (
    "function of($o, $name, $how, $with) { $o.GetType().InvokeMember($name, $how, $null, $o, $with) }; "
    "$i = New-Object -ComObject WindowsInstaller.Installer; "
    "$d = of $i OpenDatabase InvokeMethod @($env:FIELDKIT_FILE, 0); "
    """$v = of $d OpenView InvokeMethod "SELECT Value FROM Property WHERE Property='ProductCode'"; """
    "of $v Execute InvokeMethod $null; $r = of $v Fetch InvokeMethod $null; of $r StringData GetProperty 1"
)


def _powershell(command: str, file: str, query: SystemQuery) -> Answer:
    """What PowerShell answers to `command`, which reads the path `file` from $env:FIELDKIT_FILE.

    In a command PowerShell takes six characters for quotes; a value of the environment is never read as one.
    """
    program = system32(r"WindowsPowerShell\v1.0\powershell.exe")
    output = "[Console]::OutputEncoding = [Text.Encoding]::UTF8; "
    argv = (program, "-NoProfile", "-NonInteractive", "-Command", output + command)
    return query(argv, {"FIELDKIT_FILE": file})


def publisher(path: Path, query: SystemQuery = ask) -> tuple[str, str]:
    """Who signed the file: the signature's state ("Valid", "NotSigned", "HashMismatch" …) and the subject."""
    answer = _powershell(
        "$s = Get-AuthenticodeSignature -LiteralPath $env:FIELDKIT_FILE; "
        'ConvertTo-Json @{status = "$($s.Status)"; subject = "$($s.SignerCertificate.Subject)"}',
        str(path),
        query,
    )
    try:
        signature = json.loads(answer.out.lstrip("\ufeff"))
        return str(signature["status"]), str(signature["subject"])
    except (ValueError, KeyError, TypeError):
        return "", answer.err.strip()


_RIGHTS = Cause(
    NoRights,
    M("Installing needs an administrator's rights, and this account has none."),
    M("Start the terminal with “Run as administrator”, then run this again."),
)


class WindowsInstaller(DriverInstaller):
    """What .msi and .exe have in common; an .exe may start msiexec, or answer with numbers of its own."""

    removes_new = False
    # https://learn.microsoft.com/windows/win32/msi/error-codes; the first four are the same from any program
    complaints: Mapping[str, Cause] = {
        r" 112$": SPACE,
        r" 740$": _RIGHTS,
        r" 1223$": Cause(
            NoRights,
            M("Windows asked whether this may change the machine, and the answer was no."),
            M("Run this again and agree in Windows' own window, or have an administrator run it."),
        ),
        r" 1618$": BUSY,
        r"^msiexec (?:5|1625|1925)$": _RIGHTS,
        r"^msiexec 1602$": Cause(
            Cancelled, M("The installation was broken off."), M("Run it again to go on.")
        ),
        r"^msiexec (?:1619|1620)$": DAMAGED,
        r"^msiexec 1633$": FOREIGN,
        r"^msiexec 1638$": Cause(
            InstallFailed,
            M("Another version of this driver is installed."),
            M("Remove it in Windows' list of programs, restart, then run this again."),
        ),
        r" (?P<status>\d+)$": Cause(
            InstallFailed,
            M("The installer gave up, with status {status}."),
            M("Read the log, or send it to head office."),
        ),
    }

    def available(self) -> bool:
        return sys.platform == "win32"

    def owner(self, path: str) -> Package | None:
        """Windows knows no packages: the version is the file's own."""
        version = file_version(path, self.query)
        return Package("", version) if version else None

    def registered(self, file: PackageFile) -> bool:
        return not file.provider or file.provider in providers(64, self.query)

    def check_publisher(self, file: PackageFile, path: Path) -> Finding | None:
        if not file.publisher:
            return None
        status, subject = publisher(path, self.query)
        if not status:
            return unchecked_publisher(file, subject)
        names = re.findall(r'(?:^|,\s*)(?:CN|O)=("(?:[^"]|"")*"|[^,]*)', subject)
        signers = [name.strip('"') for name in names] if status == "Valid" else []
        compare_publisher(file, signers, f"{status} {subject}".strip())
        return None

    @abstractmethod
    def step(self, file: PackageFile, path: Path) -> Step:
        """What runs the maker's installer at `path` without questions."""

    def steps(self, file: PackageFile, path: Path, prefix: Sequence[str]) -> tuple[Step, ...]:
        return (self.step(file, path),)

    def product(self, path: Path) -> str:
        """The product that Windows would take away again; "" where none is known."""
        return ""

    def undoing(self, file: PackageFile, path: Path, prefix: Sequence[str]) -> tuple[Step, ...]:
        """The profile's own command, or by the product; none where neither is known."""
        product = "" if file.removal else self.product(path)
        argv = file.removal or ((MSIEXEC, "/x", product, "/qn", "/norestart") if product else ())
        return (Step(M("Remove again what was new."), argv, quoting="cmd"),) if argv else ()

    def carry_out(self, step: Step, log: Path, tell: Tell | None = None, stop: Event | None = None) -> bool:
        if tell is not None:
            tell(Progress(step.message, 0, 0))  # silent installers tell nothing
        try:
            return super().carry_out(step, log, tell, stop)
        finally:
            _keep_log(step, log)

    def judge(self, step: Step, status: int, lines: Collection[str]) -> bool:
        if status in (0, *RESTART) or not step.required:
            return status in RESTART
        code = status & 0xFFFFFFFF
        program = PureWindowsPath(step.argv[0]).stem.lower()
        name = "msiexec" if program == "msiexec" else "installer"
        raise recognise(f"{name} {code}", self.complaints, f"{step.command}\nexit {code}")

    def traces(self, names: Collection[str]) -> dict[str, str]:
        """Those of the files `names` that are here, and all that is registered: programs, providers."""
        files = {name: "file" for name in names if Path(name).exists()}
        listed = programs(self.query).items()
        files |= {key: f"{program.name} {program.version}".strip() for key, program in listed}
        return files | {f"provider {name}": "registered" for name in providers(64, self.query)}

    def removal(
        self, plan: DriverPlan, added: Mapping[str, str], keeping: Collection[str] = ()
    ) -> tuple[Step, ...]:
        """The steps that the plan showed, where what they take away was not here before.

        Other programs are installed on this machine too, at the same time: nothing is removed for being new.
        """
        if plan.file is None:
            return ()
        own = {plan.file.module, f"provider {plan.file.provider}"}
        own.update(step.argv[2] for step in plan.undoing if step.argv[:2] == (MSIEXEC, "/x"))
        return plan.undoing if own & added.keys() else ()


class MsiInstaller(WindowsInstaller):
    """Runs msiexec."""

    def step(self, file: PackageFile, path: Path) -> Step:
        silent = file.silent or ("/qn", "/norestart")
        argv = (MSIEXEC, "/i", str(path), *silent, "/l*v", f"{path}.log")
        return Step(M("Install {file}.", file=file.file), argv, installs=True, quoting="cmd")

    def product(self, path: Path) -> str:
        return product_code(path, self.query)


class ExeInstaller(WindowsInstaller):
    """Runs the maker's own program."""

    def step(self, file: PackageFile, path: Path) -> Step:
        message = M("Install {file}.", file=file.file)
        if not file.silent:
            message = M("Run {file}: its own window opens; answer it there.", file=file.file)
        return Step(message, (str(path), *file.silent), installs=True, quoting="cmd")


def _keep_log(step: Step, log: Path) -> None:
    """Add what msiexec wrote to its own file (UTF-16) to the log of the installation."""
    if "/l*v" not in step.argv:
        return
    written = Path(step.argv[step.argv.index("/l*v") + 1])
    try:
        data = written.read_bytes()
        written.unlink()
    except OSError:  # it never came to writing one
        return
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace")
    with log.open("ab") as out:
        out.write(text.replace("\r\n", "\n").encode())

"""Makers' installers on Windows: .msi by msiexec, .exe by its silent options; what is registered, who signed.

Whether a driver is there is told by its registered provider and its module, not by the list of programs:
makers' entries in it outlive their drivers. Nothing here was run on Windows yet: see docs/drivers.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path, PureWindowsPath
from threading import Event

import msgspec

from fieldkit.driver import run
from fieldkit.driver.ask import Answer, SystemQuery, ask, system32
from fieldkit.driver.errors import (
    InstallerBusy,
    InstallFailed,
    NoRights,
    NoSpace,
    PackageDamaged,
    PackageForeign,
    PublisherWrong,
)
from fieldkit.driver.steps import DriverPlan, Step, Tell
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


def providers(bits: int = 64, answer: SystemQuery = ask) -> tuple[str, ...]:
    """The cryptographic providers registered for programs of so many bits."""
    found = answer((system32("reg.exe"), "query", PROVIDERS, f"/reg:{bits}"))
    below = re.compile(r"^HKEY_LOCAL_MACHINE\\.*\\Defaults\\Provider\\(.+?)\s*$", re.MULTILINE)
    return tuple(below.findall(found.out.replace("\r", "")))


def programs(answer: SystemQuery = ask) -> dict[str, Program]:
    """Key to program of the list of installed programs, of both word sizes."""
    found: dict[str, Program] = {}
    for bits in (64, 32):
        said = answer((system32("reg.exe"), "query", PROGRAMS, "/s", f"/reg:{bits}")).out.replace("\r", "")
        for block in re.split(r"\n(?=HKEY_)", said):
            key = re.match(r"\s*HKEY_[^\n]*\\Uninstall\\([^\\\n]+?)\s*$", block, re.MULTILINE)
            if key is None:
                continue
            values = dict(re.findall(r"^    (\S+)    REG_\w+    (.*?)\s*$", block, re.MULTILINE))
            found[key[1]] = Program(key[1], values.get("DisplayName", ""), values.get("DisplayVersion", ""))
    return found


def file_version(path: str, answer: SystemQuery = ask) -> str:
    """The version that the file at `path` carries; "" where it has none."""
    return _powershell(
        "(Get-Item -LiteralPath $env:FIELDKIT_FILE).VersionInfo.FileVersion", path, answer
    ).out.strip()


def product_code(path: Path, answer: SystemQuery = ask) -> str:
    """The product that the .msi file at `path` installs; "" where it cannot be told."""
    found = _powershell(_PRODUCT_CODE, str(path), answer).out.strip()
    return found if re.fullmatch(r"\{[0-9A-Fa-f-]{36}\}", found) else ""


_PRODUCT_CODE = (
    "function of($o, $name, $how, $with) { $o.GetType().InvokeMember($name, $how, $null, $o, $with) }; "
    "$i = New-Object -ComObject WindowsInstaller.Installer; "
    "$d = of $i OpenDatabase InvokeMethod @($env:FIELDKIT_FILE, 0); "
    """$v = of $d OpenView InvokeMethod "SELECT Value FROM Property WHERE Property='ProductCode'"; """
    "of $v Execute InvokeMethod $null; $r = of $v Fetch InvokeMethod $null; of $r StringData GetProperty 1"
)


def _powershell(command: str, file: str, answer: SystemQuery) -> Answer:
    """What PowerShell answers to `command`, which reads the path `file` from $env:FIELDKIT_FILE.

    In a command PowerShell takes six characters for quotes; a value of the environment is never read as one.
    """
    program = system32(r"WindowsPowerShell\v1.0\powershell.exe")
    output = "[Console]::OutputEncoding = [Text.Encoding]::UTF8; "
    argv = (program, "-NoProfile", "-NonInteractive", "-Command", output + command)
    return answer(argv, {"FIELDKIT_FILE": file})


def publisher(path: Path, answer: SystemQuery = ask) -> tuple[str, str]:
    """Who signed the file: the signature's state ("Valid", "NotSigned", "HashMismatch" …) and the subject."""
    said = _powershell(
        "$s = Get-AuthenticodeSignature -LiteralPath $env:FIELDKIT_FILE; "
        'ConvertTo-Json @{status = "$($s.Status)"; subject = "$($s.SignerCertificate.Subject)"}',
        str(path),
        answer,
    )
    try:
        told = json.loads(said.out.lstrip("\ufeff"))
        return str(told["status"]), str(told["subject"])
    except (ValueError, KeyError, TypeError):
        return "", said.err.strip()


def check_publisher(file: PackageFile, path: Path, answer: SystemQuery = ask) -> Finding | None:
    """Raise where somebody else signed the file, or nobody; a finding where that could not be looked at."""
    if not file.publisher:
        return None
    status, subject = publisher(path, answer)
    if not status:
        return Finding(
            "driver-publisher",
            "not-checked",
            M("Who published {file} could not be checked; its SHA-256 is right.", file=file.file),
            detail=subject,
        )
    named = re.findall(r'(?:^|,\s*)(?:CN|O)=("(?:[^"]|"")*"|[^,]*)', subject)
    if status == "Valid" and any(_names(file.publisher, name.strip('"')) for name in named):
        return None
    raise PublisherWrong(
        M("{file} is not signed by {publisher}; it is not run.", file=file.file, publisher=file.publisher),
        unchanged=M("Nothing was installed."),
        hint=M("Ask head office for the right file; the profile says who publishes it."),
        detail=f"{status} {subject}".strip(),
    )


def _names(wanted: str, found: str) -> bool:
    """`found` begins with the words of `wanted`: "Bit4id" and "Bit4id S.r.l."."""
    return re.match(rf"{re.escape(wanted)}(?!\w)", found, re.IGNORECASE) is not None


def install_step(file: PackageFile, path: Path, kind: str) -> Step:
    """The step that runs the maker's installer at `path` without questions."""
    if kind == "msi":
        silent = file.silent or ("/qn", "/norestart")
        argv: tuple[str, ...] = (MSIEXEC, "/i", str(path), *silent, "/l*v", f"{path}.log")
    else:
        argv = (str(path), *file.silent)
    message = M("Install {file}.", file=file.file)
    if kind == "exe" and not file.silent:
        message = M("Run {file}: its own window opens; answer it there.", file=file.file)
    return Step(message, argv, installs=True, quoting="cmd")


def expected(plan: DriverPlan) -> tuple[str, ...]:
    """The module; a maker's installer does not say beforehand what else it brings."""
    return (plan.file.module,) if plan.file is not None else ()


def traces(names: Collection[str], answer: SystemQuery = ask) -> dict[str, str]:
    """Those of the files `names` that are here, and everything that is registered: programs and providers."""
    found = {name: "file" for name in names if Path(name).exists()}
    found |= {key: f"{program.name} {program.version}".strip() for key, program in programs(answer).items()}
    return found | {f"provider {name}": "registered" for name in providers(64, answer)}


def settings_of(names: Collection[str]) -> set[str]:
    """Nothing: makers' installers do not tell settings from the rest."""
    return set()


def undoing(file: PackageFile, path: Path, kind: str, answer: SystemQuery = ask) -> tuple[Step, ...]:
    """The steps that would take away what the installer at `path` brings: the profile's own command, or by
    the product of an .msi; none where neither is known."""
    message = M("Remove again what was new.")
    if file.removal:
        return (Step(message, file.removal, quoting="cmd"),)
    product = product_code(path, answer) if kind == "msi" else ""
    return (Step(message, (MSIEXEC, "/x", product, "/qn", "/norestart"), quoting="cmd"),) if product else ()


def removal(plan: DriverPlan, added: Mapping[str, str], keeping: Collection[str] = ()) -> tuple[Step, ...]:
    """The steps that the plan showed, where what they take away was not here before.

    Other programs are installed on this machine too, at the same time: nothing is removed for being new.
    """
    if plan.file is None:
        return ()
    own = {plan.file.module, f"provider {plan.file.provider}"}
    own.update(step.argv[2] for step in plan.undoing if step.argv[:2] == (MSIEXEC, "/x"))
    return plan.undoing if own & added.keys() else ()


def carry_out(step: Step, log: Path, tell: Tell | None = None, stop: Event | None = None) -> bool:
    """Run a maker's installer to its end, never breaking it off; True where Windows has to be restarted."""
    if tell is not None:
        tell(Progress(step.said, 0, 0))  # silent installers tell nothing
    status = run.run(step.argv, log)
    _keep_log(step, log)
    if stop is not None and stop.is_set():
        raise Cancelled(M("The installation was broken off."), hint=M("Run it again to go on."))
    return judge(step, status)


def judge(step: Step, status: int) -> bool:
    """What the exit status of msiexec or of a maker's installer means: True, a restart; else it may raise."""
    if status in (0, *RESTART) or not step.required:
        return status in RESTART
    msiexec = PureWindowsPath(step.argv[0]).stem.lower() == "msiexec"
    code = status & 0xFFFFFFFF
    known = _KNOWN.get(code) if msiexec or code in _ANYWHERE else None
    detail = f"{step.command}\nexit {code}"
    if known is None:
        raise InstallFailed(
            M("The installer gave up, with status {status}.", status=code),
            hint=M("Read the log, or send it to head office."),
            detail=detail,
        )
    kind, message, hint = known
    raise kind(message, hint=hint, detail=detail)


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


_RIGHTS = (
    NoRights,
    M("Installing needs an administrator's rights, and this account has none."),
    M("Start the terminal with “Run as administrator”, then run this again."),
)
_DAMAGED = (
    PackageDamaged,
    M("The package file is damaged."),
    M("Get the file again, and check it against its hash."),
)
_KNOWN = {  # https://learn.microsoft.com/windows/win32/msi/error-codes
    5: _RIGHTS,
    740: _RIGHTS,
    1625: _RIGHTS,
    1925: _RIGHTS,
    112: (
        NoSpace,
        M("There is not enough space on the disk."),
        M("Make room on the disk of fieldkit's folder, then run this again."),
    ),
    1602: (
        Cancelled,
        M("The installation was broken off."),
        M("Run it again to go on."),
    ),
    1618: (
        InstallerBusy,
        M("Another program is installing packages."),
        M("Wait until it has finished, then run this again."),
    ),
    1619: _DAMAGED,
    1620: _DAMAGED,
    1633: (
        PackageForeign,
        M("The package is for another kind of machine."),
        M("Take the package for this machine's architecture."),
    ),
    1638: (
        InstallFailed,
        M("Another version of this driver is installed."),
        M("Remove it in Windows' list of programs, restart, then run this again."),
    ),
}
_ANYWHERE = (112, 740, 1618)
"""Statuses that mean the same from a maker's own installer."""

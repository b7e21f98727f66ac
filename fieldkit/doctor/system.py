"""The system, the processor, Python, and whether this account may install."""

from __future__ import annotations

import platform
import struct
import sys
from collections.abc import Iterable

from fieldkit.doctor.probe import Probe, Subject
from fieldkit.driver import distribution, rights
from fieldkit.finding import Finding
from fieldkit.text import M

PYTHON = (3, 11)
PROCESSORS = ("x86_64", "amd64", "aarch64", "arm64")
KNOWN = ("debian", "ubuntu")


def operating_system(subject: Subject) -> Iterable[Finding]:
    name = distribution.described()
    processor = platform.machine()
    linux = sys.platform.startswith("linux")
    if processor.lower() not in PROCESSORS:
        yield Finding(
            "system",
            "warning",
            M(
                "{system} on {processor}: token drivers for this processor are rare.",
                system=name,
                processor=processor,
            ),
            hint=M("Use a computer with a 64-bit Intel, AMD or ARM processor."),
        )
    elif not (linux and set(KNOWN).intersection(distribution.family())):
        yield Finding(
            "system",
            "info",
            M(
                "{system} on {processor}: fieldkit was not tried here, only on Debian and Ubuntu.",
                system=name,
                processor=processor,
            ),
            hint=M("`fieldkit driver plan` shows whether a driver can be installed; everything else works.")
            if linux
            else M("Look at each command of `fieldkit driver plan` before you agree to it."),
        )
    else:
        yield Finding("system", "pass", M("{system} on {processor}.", system=name, processor=processor))


def python(subject: Subject) -> Iterable[Finding]:
    version = platform.python_version()
    bits = 8 * struct.calcsize("P")
    if sys.version_info < PYTHON:
        yield Finding(
            "python",
            "fail",
            M("Python {version} is too old.", version=version),
            hint=M("Install Python {version} or later.", version=".".join(map(str, PYTHON))),
        )
    elif bits != 64:
        yield Finding(
            "python",
            "warning",
            M(
                "Python {version} is a {bits}-bit one: it loads only {bits}-bit drivers.",
                version=version,
                bits=bits,
            ),
            hint=M("Install a 64-bit Python."),
        )
    else:
        yield Finding(
            "python", "pass", M("Python {version}, {bits}-bit.", version=version, bits=bits), sys.executable
        )


def rights_to_install(subject: Subject) -> Iterable[Finding]:
    prefix = rights.prefix(subject.environment)
    if prefix is None:
        hint = M("Run `sudo -v` first, or have an administrator run what `fieldkit driver plan` shows.")
        if sys.platform == "win32":
            hint = M("Start the terminal with “Run as administrator” before a driver is installed.")
        yield Finding("rights", "warning", M("This account may not install drivers."), hint=hint)
    elif prefix:
        yield Finding("rights", "pass", M("Drivers can be installed, by {program}.", program=prefix[0]))
    else:
        yield Finding("rights", "pass", M("Drivers can be installed: this account is an administrator."))


PROBES = (
    Probe("system", operating_system),
    Probe("python", python),
    Probe("rights", rights_to_install, 8.0),
)

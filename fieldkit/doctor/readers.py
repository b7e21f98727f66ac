"""The reader service and the readers: PC/SC as this account meets it, with the usual traps named."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from fieldkit.doctor import advice
from fieldkit.doctor.probe import Probe, Subject
from fieldkit.driver import pcsc, services, usb
from fieldkit.driver.ask import ask
from fieldkit.finding import Finding
from fieldkit.program import bring
from fieldkit.text import M, Message

SOCKET = Path("/run/pcscd/pcscd.comm")
MOUNTS = Path("/proc/self/mounts")
SERVICE = "SCardSvr"  # as Windows names its reader service


def service(subject: Subject) -> Iterable[Finding]:
    answer = pcsc.readers()
    if answer.trouble:
        remote = bool(subject.environment.get("SSH_CONNECTION"))
        message, detail, hint = _trouble(answer, remote)
        yield Finding("reader-service", "warning", message, detail, hint)
    else:
        yield Finding("reader-service", "pass", M("The reader service answers."))
        yield from _readers(answer)
    yield from _unserved(answer)
    yield from _hidden()


_REFUSED = M("The reader service refuses this account; over SSH it does so unless a polkit rule allows it.")


def _trouble(answer: pcsc.Readers, remote: bool) -> tuple[Message, str, Message]:
    """Why the reader service is of no use, technically too, and what to do. remote: over SSH."""
    linux = sys.platform.startswith("linux")
    match answer.trouble:
        case "refused":
            by_ssh = M("The reader service refuses this account, because it came over SSH.")
            message = by_ssh if remote else _REFUSED
            hint = M(
                "Work at the machine itself, or have an administrator allow org.debian.pcsc-lite.access_pcsc."
            )
            return message, " ".join((answer.code, *_refusals())), hint
        case "no-service" if linux and daemon() and _is_socket(SOCKET) and not os.access(SOCKET, os.W_OK):
            message = M("The reader service runs, but this account may not reach it.")
            return message, str(SOCKET), M("Check the rights of {path}.", path=str(SOCKET))
        case "no-service" | "failed" if sys.platform == "win32" and not services.installed(SERVICE):
            message = M(
                "This Windows has no service {service}: no reader can be used. Tokens in software work.",
                service=SERVICE,
            )
            return message, answer.code, M("It is a part of Windows: have an administrator repair Windows.")
        case "failed" if sys.platform == "win32" and not services.running(SERVICE):
            message = M("The reader service is not running. Tokens in software work.")
            return message, answer.code, advice.start_readers()
        case "no-service" if not linux or daemon():
            message = M("The reader service is not running. Tokens in software work.")
            return message, answer.code, advice.start_readers()
        case "no-service" | "no-library":
            message = M("PC/SC is not installed: no reader can be used. Tokens in software work.")
            return message, answer.code, bring("PC/SC", "pcscd libccid")
        case _:
            message = M("The reader service answers with an error.")
            return message, answer.code, advice.restart_readers()


def _refusals() -> tuple[str, ...]:
    """What polkit told the system's journal of it last, where that may be read."""
    if shutil.which("journalctl") is None:
        return ()
    argv = ("journalctl", "--unit=pcscd", "--lines=50", "--output=cat", "--no-pager")
    lines = [line for line in ask(argv).out.splitlines() if "NOT authorized for action" in line]
    return tuple(lines[-1:])


def daemon() -> str | None:
    """Where the reader service's program is; the folders of administrators are not on everybody's PATH."""
    return shutil.which("pcscd", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin")))


def reachable() -> bool:
    """The reader service answers this account, or refuses it: it runs."""
    return pcsc.readers().trouble not in ("no-service", "no-library")


def _readers(answer: pcsc.Readers) -> Iterable[Finding]:
    if not answer.readers:
        yield Finding("readers", "info", M("No reader and no token is plugged in."))
    for reader in answer.readers:
        if reader.present:
            yield Finding(
                "readers", "pass", M("{reader}: a token is in it.", reader=reader.name), detail=reader.atr
            )
        else:
            yield Finding("readers", "info", M("{reader}: empty.", reader=reader.name))


def _unserved(answer: pcsc.Readers) -> Iterable[Finding]:
    """Smart cards on the bus that PC/SC does not show: their reader's driver is what is missing."""
    plugged = [device for device in usb.devices() if device.smart_card]
    if not answer.trouble and len(plugged) > len(answer.readers):
        names = ", ".join(f"{device.id} {device.name}".strip() for device in plugged)
        yield Finding(
            "readers-unserved",
            "warning",
            M("A reader is plugged in that the reader service does not show: {names}.", names=names),
            hint=bring("libccid", "libccid"),
        )


def _hidden() -> Iterable[Finding]:
    """/proc mounted with hidepid hides clients from pcscd's access check, which then refuses them."""
    try:
        mounts = MOUNTS.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    options = [line.split()[3] for line in mounts if line.split()[1:3] == ["/proc", "proc"]]
    if any(
        f"hidepid={level}" in option.split(",")
        for option in options
        for level in ("1", "2", "invisible", "noaccess")
    ):
        yield Finding(
            "readers-hidepid",
            "warning",
            M("Processes are hidden from each other (hidepid): the reader service may refuse everybody."),
            hint=M("Have an administrator add pcscd to the group that /proc is mounted for (gid=)."),
        )


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False


PROBES = (Probe("reader-service", service, 8.0),)

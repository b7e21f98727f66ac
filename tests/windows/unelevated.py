"""Starts a program as Windows does for somebody who did not say "Run as administrator".

The process's token keeps the group of administrators only to refuse by it. `unelevated.py PROGRAM WORD...`
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from ctypes import wintypes
from typing import ClassVar

ADMINISTRATORS = 26  # WinBuiltinAdministratorsSid
ALL = 0xF01FF  # TOKEN_ALL_ACCESS


class Group(ctypes.Structure):
    _fields_: ClassVar = [("sid", ctypes.c_void_p), ("attributes", wintypes.DWORD)]


class Startup(ctypes.Structure):
    _fields_: ClassVar = [
        ("size", wintypes.DWORD),
        ("names", wintypes.LPVOID * 3),
        ("window", wintypes.DWORD * 8),
        ("show", wintypes.WORD * 2),
        ("reserved", wintypes.LPVOID),
        ("streams", wintypes.HANDLE * 3),
    ]


class Process(ctypes.Structure):
    _fields_: ClassVar = [
        ("handle", wintypes.HANDLE),
        ("thread", wintypes.HANDLE),
        ("ids", wintypes.DWORD * 2),
    ]


def start(command: list[str]) -> int:
    security = ctypes.WinDLL("advapi32", use_last_error=True)
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    own, lesser = wintypes.HANDLE(), wintypes.HANDLE()
    kernel.GetCurrentProcess.restype = wintypes.HANDLE
    check(security.OpenProcessToken(wintypes.HANDLE(kernel.GetCurrentProcess()), ALL, ctypes.byref(own)))
    sid, size = ctypes.create_string_buffer(68), wintypes.DWORD(68)
    check(security.CreateWellKnownSid(ADMINISTRATORS, None, sid, ctypes.byref(size)))
    group = Group(ctypes.addressof(sid), 0)
    check(
        security.CreateRestrictedToken(own, 1, 1, ctypes.byref(group), 0, None, 0, None, ctypes.byref(lesser))
    )
    startup, process = Startup(size=ctypes.sizeof(Startup)), Process()
    line = ctypes.create_unicode_buffer(subprocess.list2cmdline(command))
    check(
        security.CreateProcessAsUserW(
            lesser, None, line, None, None, True, 0, None, None, ctypes.byref(startup), ctypes.byref(process)
        )
    )
    kernel.WaitForSingleObject(process.handle, -1)
    status = wintypes.DWORD()
    kernel.GetExitCodeProcess(process.handle, ctypes.byref(status))
    return status.value


def check(done: int) -> None:
    if not done:
        raise ctypes.WinError(ctypes.get_last_error())


if __name__ == "__main__":
    sys.exit(start(sys.argv[1:]))

"""What a module's file is, read from its header before anything loads it: format, machine, word size.

A 32-bit module, or one for another processor, is the commonest reason why a driver that is
installed is of no use; loaders say so only by obscure numbers.
"""

from __future__ import annotations

import platform
import struct
import sys
from pathlib import Path
from typing import Literal

import msgspec

Format = Literal["elf", "pe", "mach-o", "unknown"]

_ELF = {
    3: "x86",
    8: "mips",
    20: "ppc",
    21: "ppc64",
    22: "s390",
    40: "arm",
    62: "x86_64",
    183: "aarch64",
    243: "riscv",
}
_PE = {0x014C: "x86", 0x8664: "x86_64", 0xAA64: "aarch64", 0x01C4: "arm"}
_MACH = {7: "x86", 0x01000007: "x86_64", 12: "arm", 0x0100000C: "aarch64"}
_SAME = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "i386": "x86",
    "i686": "x86",
    "armv7l": "arm",
    "riscv64": "riscv",
}


class SharedLibrary(msgspec.Struct, frozen=True):
    """A library file by its header. machines: the processors it has code for; a Mac's may have two."""

    format: Format
    machines: tuple[str, ...] = ()
    bits: int = 0

    @property
    def fits(self) -> bool:
        """This process could load it."""
        return self.format == _own_format() and own_machine() in self.machines

    def __str__(self) -> str:
        return " ".join(
            (self.format, "/".join(self.machines), f"{self.bits}-bit" if self.bits else "")
        ).strip()


def own_machine() -> str:
    """This process's processor, as the headers' tables above name it."""
    found = platform.machine().lower()
    machine = _SAME.get(found, found)
    if sys.maxsize <= 2**32:  # a 32-bit Python on a 64-bit system loads 32-bit modules
        machine = {"x86_64": "x86", "aarch64": "arm"}.get(machine, machine)
    return machine


def read(path: Path) -> SharedLibrary:
    """The header of the file `path`; a format of "unknown" where it is no library. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(4096)
    try:
        if head[:4] == b"\x7fELF":
            return _elf(head)
        if head[:2] == b"MZ":
            return _pe(head)
        return _mach(head)
    except (struct.error, IndexError):  # cut short
        return SharedLibrary("unknown")


def _elf(head: bytes) -> SharedLibrary:
    order = "<" if head[5] == 1 else ">"
    (machine,) = struct.unpack_from(f"{order}H", head, 18)
    return SharedLibrary("elf", (_ELF.get(machine, str(machine)),), 64 if head[4] == 2 else 32)


def _pe(head: bytes) -> SharedLibrary:
    (offset,) = struct.unpack_from("<I", head, 0x3C)
    if head[offset : offset + 4] != b"PE\0\0":
        return SharedLibrary("unknown")
    machine, magic = (
        struct.unpack_from("<H", head, offset + 4)[0],
        struct.unpack_from("<H", head, offset + 24)[0],
    )
    return SharedLibrary("pe", (_PE.get(machine, hex(machine)),), 64 if magic == 0x20B else 32)


def _mach(head: bytes) -> SharedLibrary:
    (magic,) = struct.unpack_from(">I", head, 0)
    if magic == 0xCAFEBABE:  # several processors in one file
        (count,) = struct.unpack_from(">I", head, 4)
        kinds = [struct.unpack_from(">I", head, 8 + 20 * number)[0] for number in range(min(count, 8))]
        return SharedLibrary("mach-o", tuple(_MACH.get(kind, str(kind)) for kind in kinds), 64)
    if magic in (0xCFFAEDFE, 0xCEFAEDFE):
        (kind,) = struct.unpack_from("<I", head, 4)
        return SharedLibrary("mach-o", (_MACH.get(kind, str(kind)),), 64 if magic == 0xCFFAEDFE else 32)
    return SharedLibrary("unknown")


def _own_format() -> Format:
    return {"win32": "pe", "darwin": "mach-o"}.get(sys.platform, "elf")  # type: ignore[return-value]

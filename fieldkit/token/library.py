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
    "x64": "x86_64",
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
        return self.format == own_format() and own_machine() in self.machines and self.bits == own_bits()

    def __str__(self) -> str:
        return " ".join(
            (self.format, "/".join(self.machines), f"{self.bits}-bit" if self.bits else "")
        ).strip()


def own_format() -> Format:
    """The format of this system's libraries."""
    match sys.platform:
        case "win32":
            return "pe"
        case "darwin":
            return "mach-o"
        case _:
            return "elf"


def own_machine() -> str:
    """This process's processor, as the headers' tables above name it."""
    name = platform.machine().lower()
    machine = _SAME.get(name, name)
    if own_bits() == 32:  # a 32-bit Python on a 64-bit system loads 32-bit modules
        machine = {"x86_64": "x86", "aarch64": "arm"}.get(machine, machine)
    return machine


def own_bits() -> int:
    """The word size of this process."""
    return 8 * struct.calcsize("P")


def read_header(path: Path) -> SharedLibrary:
    """The header of the file `path`; a format of "unknown" where it is no library. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(4096)
        try:
            if head[:4] == b"\x7fELF":
                return _elf(head)
            if head[:2] == b"MZ":
                file.seek(struct.unpack_from("<I", head, 0x3C)[0])
                return _pe(file.read(26))
            return _mach(head)
        except (struct.error, IndexError):  # cut short
            return SharedLibrary("unknown")


def _elf(head: bytes) -> SharedLibrary:
    order = "<" if head[5] == 1 else ">"
    (machine,) = struct.unpack_from(f"{order}H", head, 18)
    return SharedLibrary("elf", (_ELF.get(machine, str(machine)),), 64 if head[4] == 2 else 32)


def _pe(head: bytes) -> SharedLibrary:
    if head[:4] != b"PE\0\0":
        return SharedLibrary("unknown")
    machine, magic = (struct.unpack_from("<H", head, offset)[0] for offset in (4, 24))
    return SharedLibrary("pe", (_PE.get(machine, hex(machine)),), 64 if magic == 0x20B else 32)


def _mach(head: bytes) -> SharedLibrary:
    (magic,) = struct.unpack_from(">I", head, 0)
    if magic in (0xCAFEBABE, 0xCAFEBABF):  # several processors in one file
        (count,) = struct.unpack_from(">I", head, 4)
        if not 0 < count < 20:  # Java's class files share the first magic
            return SharedLibrary("unknown")
        size = 20 if magic == 0xCAFEBABE else 32
        kinds = [struct.unpack_from(">I", head, 8 + size * number)[0] for number in range(count)]
        return SharedLibrary("mach-o", tuple(_MACH.get(kind, str(kind)) for kind in kinds), 64)
    if magic in (0xCFFAEDFE, 0xCEFAEDFE):
        (kind,) = struct.unpack_from("<I", head, 4)
        return SharedLibrary("mach-o", (_MACH.get(kind, str(kind)),), 64 if magic == 0xCFFAEDFE else 32)
    return SharedLibrary("unknown")

"""What kind of file a module is, by its header, before it is loaded: ELF, PE or Mach-O, and for what."""

from __future__ import annotations

import platform
import struct
import sys
from pathlib import Path

import msgspec

ELF_MACHINES = {3: "x86", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
PE_MACHINES = {0x14C: "x86", 0x1C4: "arm", 0x8664: "x86_64", 0xAA64: "aarch64"}
MACH_MACHINES = {7: "x86", 0x01000007: "x86_64", 12: "arm", 0x0100000C: "aarch64"}
SAME = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64", "i386": "x86", "i686": "x86"}
SYSTEMS = {"win32": "pe", "darwin": "mach-o"}


class LibraryHeader(msgspec.Struct, frozen=True):
    """kind: "elf", "pe", "mach-o", or "" for anything else. machines: what it runs on; bits: 32 or 64."""

    kind: str
    machines: tuple[str, ...] = ()
    bits: int = 0


def read(path: Path) -> LibraryHeader:
    """The header of the file at `path`.

    :raises OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(4096)
        if head[:2] == b"MZ" and len(head) >= 64:
            file.seek(struct.unpack_from("<I", head, 0x3C)[0])
            return _pe(file.read(26))
    if head[:4] == b"\x7fELF" and len(head) >= 20:
        order = "<" if head[5] == 1 else ">"
        machine = struct.unpack_from(order + "H", head, 18)[0]
        return LibraryHeader(
            "elf", (ELF_MACHINES.get(machine, f"machine {machine}"),), 64 if head[4] == 2 else 32
        )
    return _mach(head)


def here() -> tuple[str, str, int]:
    """Kind, machine and bits of a module that this Python can load."""
    machine = platform.machine().lower()
    bits = struct.calcsize("P") * 8
    machine = SAME.get(machine, machine)
    if bits == 32:
        machine = {"x86_64": "x86", "aarch64": "arm"}.get(machine, machine)
    return SYSTEMS.get(sys.platform, "elf"), machine, bits


def _pe(head: bytes) -> LibraryHeader:
    if head[:4] != b"PE\0\0" or len(head) < 26:
        return LibraryHeader("")
    machine = PE_MACHINES.get(struct.unpack_from("<H", head, 4)[0], "?")
    return LibraryHeader("pe", (machine,), 64 if struct.unpack_from("<H", head, 24)[0] == 0x20B else 32)


def _mach(head: bytes) -> LibraryHeader:
    if head[:4] in (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe") and len(head) >= 8:
        machine = struct.unpack_from("<I", head, 4)[0]
        return LibraryHeader("mach-o", (MACH_MACHINES.get(machine, "?"),), 64 if head[0] == 0xCF else 32)
    if head[:4] in (b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf") and len(head) >= 8:
        count, step = struct.unpack_from(">I", head, 4)[0], 20 if head[3] == 0xBE else 32
        if 0 < count < 20 and 8 + count * step <= len(head):  # Java's class files share the first magic
            found = [struct.unpack_from(">I", head, 8 + i * step)[0] for i in range(count)]
            return LibraryHeader("mach-o", tuple(MACH_MACHINES.get(machine, "?") for machine in found), 64)
    return LibraryHeader("")

"""A driver is proved by its module: there, of the right kind, and loaded."""

from __future__ import annotations

import os
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fieldkit.driver import prove
from fieldkit.driver.errors import ModuleUnproved
from fieldkit.errors import Internal
from fieldkit.text import M
from fieldkit.token import library

FAT = struct.pack(">III", 0xCAFEBABE, 2, 0x01000007) + bytes(16) + struct.pack(">I", 0x0100000C)
REAL = Path("/usr/lib/softhsm/libsofthsm2.so")


def elf(machine: int, bits: int = 64) -> bytes:
    return b"\x7fELF" + bytes([bits // 32, 1, 1]) + bytes(9) + struct.pack("<HH", 3, machine) + bytes(44)


def pe(machine: int, magic: int) -> bytes:
    head = bytearray(0x80)
    head[:2] = b"MZ"
    struct.pack_into("<I", head, 0x3C, 0x80)
    return bytes(head) + b"PE\0\0" + struct.pack("<H", machine) + bytes(18) + struct.pack("<H", magic)


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (elf(62), "elf x86_64 64-bit"),
        (elf(3, 32), "elf x86 32-bit"),
        (elf(183), "elf aarch64 64-bit"),
        (pe(0x8664, 0x20B), "pe x86_64 64-bit"),
        (pe(0x14C, 0x10B), "pe x86 32-bit"),
        (struct.pack("<II", 0xFEEDFACF, 0x0100000C) + bytes(24), "mach-o aarch64 64-bit"),
        (FAT, "mach-o x86_64/aarch64 64-bit"),
        (b"", "unknown"),
        (b"\x7fELF", "unknown"),
        (b"MZ", "unknown"),
        (b"<html>", "unknown"),
    ],
)  # fmt: skip
def test_a_library_is_known_by_its_header(tmp_path: Path, head: bytes, text: str) -> None:
    path = tmp_path / "module"
    path.write_bytes(head)
    assert str(library.read_header(path)) == text


def test_a_module_for_another_processor_is_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "module.so"
    path.write_bytes(elf(3, 32))

    def load(module: str) -> int:
        raise AssertionError("it was loaded")

    with pytest.raises(ModuleUnproved) as caught:
        prove.prove("sample", [str(path)], load)
    assert "x86 32-bit" in caught.value.detail


def test_a_module_that_others_may_change_is_not_called_sound_before_a_token_refuses_it(
    tmp_path: Path,
) -> None:
    if not REAL.exists() or os.name != "posix":
        pytest.skip("needs a library, and rights of files")
    module = tmp_path / "module.so"
    module.write_bytes(REAL.read_bytes())
    sound = prove.examine(str(module))
    assert sound is not None
    assert sound.severity == "pass"
    module.chmod(0o666)
    finding = prove.examine(str(module))
    assert finding is not None
    assert finding.severity == "fail"
    assert "others may change" in str(finding.message)
    assert finding.detail == str(module)
    assert prove.examine(str(tmp_path / "absent.so")) is None


def test_the_first_module_that_loads_is_the_proof(tmp_path: Path) -> None:
    if not REAL.exists():
        pytest.skip("needs a library")
    broken = tmp_path / "broken.so"
    broken.write_bytes(REAL.read_bytes())

    def load(module: str) -> int:
        if module == str(broken):
            raise Internal(M("It crashed."))
        return 2

    proof = prove.prove("sample", [str(tmp_path / "absent.so"), str(broken), str(REAL)], load)
    assert (proof.module, proof.tokens) == (str(REAL), 2)
    assert [finding.severity for finding in proof.findings] == ["pass", "fail", "pass", "pass"]


def test_a_driver_without_any_module_is_not_proved(tmp_path: Path) -> None:
    with pytest.raises(ModuleUnproved) as caught:
        prove.prove("sample", [str(tmp_path / "absent.so")], lambda module: 0)
    assert str(tmp_path) in caught.value.detail


@given(
    some.one_of(
        some.binary(max_size=200),
        some.sampled_from([b"\x7fELF", b"MZ", FAT[:8]]).flatmap(
            lambda head: some.binary(max_size=200).map(lambda rest: head + rest)
        ),
    )
)
def test_whatever_a_file_holds_its_header_is_read_without_a_fault(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        assert library.read_header(Path(file.name)).format in ("elf", "pe", "mach-o", "unknown")

"""PKCS#11 DLLs with bad manners on Windows: each ends in words and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import Ran
from tests.token.conftest import HERE as TOKENS
from tests.token.conftest import Contrary
from tests.windows import softhsm
from tests.windows.bed import COMPILER, Windows
from tests.windows.conftest import OnWindows

AGENT = b"fieldkit.token.agent"


def build(target: Path, *sources: Path) -> None:
    subprocess.run([COMPILER, "-shared", "-O1", "-o", target, *sources, "-lntdll"], check=True)


@pytest.fixture(scope="session")
def contrary_dll(tmp_path_factory: pytest.TempPathFactory, windows: Windows) -> Path:
    built = tmp_path_factory.mktemp("contrary") / "contrary.dll"
    build(built, TOKENS / "contrary.c")
    return built


@pytest.fixture
def contrary(contrary_dll: Path, folder: Path) -> Contrary:
    """A module of the test's own in front of SoftHSM2 that behaves, until it is told not to."""
    own = folder / "contrary.dll"
    own.write_bytes(contrary_dll.read_bytes())
    return Contrary(own, softhsm.MODULE)


def listed(fieldkit: OnWindows, module: str | Path, **more: str) -> Ran:
    return fieldkit("token", "list", "--module", Path(module), "--json", **more)


def running(mark: str, words: bytes = AGENT) -> list[int]:
    """Processes that descend from the one that was started with this mark and have these words to go by."""
    pids = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if f"TEST_MARK={mark}".encode() in environment.split(b"\0") and words in command:
            pids.append(int(process.name))
    return pids


def soon(condition: bool, mark: str) -> bool:
    """Whether an agent with this mark is there, or gone, within a while."""
    for _ in range(200):
        if bool(running(mark)) == condition:
            return True
        time.sleep(0.1)
    return False


def test_a_module_that_behaves_is_listed_whatever_it_prints(fieldkit: OnWindows, contrary: Contrary) -> None:
    assert listed(fieldkit, contrary.path).status == 0
    contrary.behave('print C_GetSlotList 0 {"ok": false}')
    ran = listed(fieldkit, contrary.path)
    assert ran.status == 0
    assert ran.result
    logs = list(Path(contrary.path).parent.glob("home/logs/token-*.log"))
    assert b'{"ok": false}' in b"".join(path.read_bytes() for path in logs)


@pytest.mark.parametrize(
    ("way", "function"), [("crash", "C_Initialize"), ("crash", "C_GetSlotList"), ("exit", "C_GetSlotList")]
)
def test_a_module_that_ends_its_process_is_named_and_leaves_none(
    fieldkit: OnWindows, contrary: Contrary, folder: Path, way: str, function: str
) -> None:
    contrary.behave(f"{way} {function} 0")
    ran = listed(fieldkit, contrary.path, TEST_MARK=folder.name[-8:])
    assert (ran.status, ran.error["code"]) == (5, "module-crashed")
    assert "contrary.dll" in ran.error["message"]
    assert soon(False, folder.name[-8:])


def test_a_module_that_hangs_is_ended_in_time_and_leaves_no_process(
    windows: Windows, program: Path, contrary: Contrary, folder: Path
) -> None:
    contrary.behave("hang C_GetSlotList 0")
    mark = folder.name[-8:]
    more = {"TEST_MARK": mark, "FIELDKIT_HOME": windows.spelt(folder / "home")}
    with windows.start(
        program, "token", "list", "--module", Path(contrary.path), "--json", **more
    ) as process:
        assert soon(True, mark)
        out, _ = process.communicate(timeout=90)
    assert b'"module-timeout"' in out
    assert process.returncode == 5
    assert soon(False, mark)


def test_an_agent_whose_parent_was_killed_ends_even_if_its_module_hangs(
    windows: Windows, program: Path, contrary: Contrary, folder: Path
) -> None:
    contrary.behave("hang C_GetSlotList 0")
    mark = folder.name[-8:]
    more = {"TEST_MARK": mark, "FIELDKIT_HOME": windows.spelt(folder / "home")}
    with windows.start(
        program, "token", "list", "--module", Path(contrary.path), "--json", **more
    ) as process:
        assert soon(True, mark)
        for pid in running(
            mark, b"contrary.dll"
        ):  # the program and what starts it; an agent has no such word
            os.kill(pid, signal.SIGKILL)
        assert soon(False, mark)
        process.kill()


def test_a_32_bit_dll_is_said_to_be_one(fieldkit: OnWindows, contrary: Contrary) -> None:
    path = Path(contrary.path)
    data = bytearray(path.read_bytes())
    header = int.from_bytes(data[0x3C:0x40], "little")
    data[header + 4 : header + 6] = b"\x4c\x01"  # IMAGE_FILE_MACHINE_I386
    data[header + 24 : header + 26] = b"\x0b\x01"  # PE32
    path.write_bytes(bytes(data))
    error = listed(fieldkit, path).error
    assert (error["code"], "32 bit" in error["message"]) == ("module-unusable", True), error


def test_a_dll_that_needs_another_which_is_missing_says_that(fieldkit: OnWindows, folder: Path) -> None:
    source = folder / "absent.c"
    source.write_text("int absent(void) { return 1; }\n")
    build(folder / "absent.dll", source)
    (folder / "needing.c").write_text(
        "int absent(void);\nint C_GetFunctionList(void *p) { return absent(); }\n"
    )
    build(folder / "needing.dll", folder / "needing.c", folder / "absent.dll")
    assert listed(fieldkit, folder / "absent.dll").error["message"].endswith("is not a PKCS#11 module.")
    (folder / "absent.dll").unlink()
    error = listed(fieldkit, folder / "needing.dll").error
    assert error["code"] == "module-unusable"
    assert "needs a library that is missing" in error["message"], error


def test_a_file_that_is_no_dll_is_not_loaded(fieldkit: OnWindows, folder: Path) -> None:
    (folder / "driver.dll").write_text("no library\n")
    error = listed(fieldkit, folder / "driver.dll").error
    assert (error["code"], "not a library" in error["message"]) == ("module-unusable", True), error
    assert listed(fieldkit, folder / "none.dll").error["code"] == "module-missing"

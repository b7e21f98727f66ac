"""What is there: tokens of every kind, through modules of every kind, each shown once."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fieldkit.token import errors, guard, initialisation, module_file, uri
from fieldkit.token.agents import Agents
from fieldkit.token.model import Token
from tests.token.conftest import PIN, SO_PIN, Contrary, pin


def test_an_empty_token_is_listed_as_not_initialised(agents: Agents) -> None:
    (found,) = agents.tokens()
    assert not found.initialized
    assert found.pin_state == "unset"
    assert "SHA256_RSA_PKCS" in found.mechanisms


def test_a_token_is_found_by_uri_serial_number_and_label(agents: Agents, token: Token) -> None:
    for spec in (token.uri, token.serial, token.label, "pkcs11:serial=" + token.serial):
        assert agents.find(spec).uri == token.uri


def test_a_vietnamese_label_is_found_however_it_was_typed(agents: Agents) -> None:
    made = initialisation.initialise(agents, agents.tokens()[0], "Cần Thơ", pin(SO_PIN), pin())
    assert made.label == "Cần Thơ"
    assert agents.find("Cần Thơ").serial == made.serial  # decomposed, as some keyboards type it


def test_an_unknown_name_is_an_error_that_says_what_to_do(agents: Agents) -> None:
    with pytest.raises(errors.TokenNotFound) as caught:
        agents.find("nobody")
    assert caught.value.status == 4
    assert caught.value.hint


def test_two_tokens_of_one_label_must_be_told_apart(agents: Agents, token: Token) -> None:
    blank = next(listed for listed in agents.tokens() if not listed.initialized)
    initialisation.initialise(agents, blank, token.label, pin(SO_PIN), pin())
    with pytest.raises(errors.TokenAmbiguous) as caught:
        agents.find(token.label)
    assert len(caught.value.data["candidates"]) == 2
    assert agents.find(token.serial).serial == token.serial


def test_one_token_through_two_modules_is_shown_once_with_both_named(
    contrary: Contrary, softhsm: str, tmp_path: Path, token: Token
) -> None:
    with Agents([softhsm, contrary.path], tmp_path / "logs") as both:
        found = [listed for listed in both.tokens() if listed.initialized]
    assert [each.serial for each in found] == [token.serial]
    assert found[0].modules == (softhsm, contrary.path)


def test_one_module_by_two_paths_is_loaded_once(softhsm: str, tmp_path: Path) -> None:
    link = tmp_path / "link.so"
    link.symlink_to(softhsm)
    with Agents([softhsm, str(link), softhsm], tmp_path / "logs") as agents:
        assert agents.modules == (softhsm,)


@pytest.mark.parametrize("label", [b"T\xf4ng c\xf4ng ty", b"\xff\xfe\xfd", "Tổng".encode()[:3]])
def test_a_label_that_is_not_utf8_is_shown_and_the_token_can_be_used(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token, label: bytes
) -> None:
    contrary.behave(f"label {label.hex()}")
    found = contrary_agents.find(contrary_token.serial)
    assert "\ufffd" in found.label
    assert found.raw_label == label
    pattern = uri.parse(found.uri)
    assert pattern is not None
    assert pattern.matches(found)
    with contrary_agents.session(found, pin()) as session:
        assert session.list_keys() == []


def test_what_a_module_prints_does_not_disturb_and_is_in_the_log(
    contrary: Contrary, contrary_agents: Agents, tmp_path: Path
) -> None:
    contrary.behave("print C_GetSlotList 0 vendor debug output", "print C_GetTokenInfo 0 \x1b[2Jmore")
    assert len(contrary_agents.tokens()) == 1
    log = next((tmp_path / "logs").glob("token-libcontrary*.log"))
    assert "vendor debug output" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


def test_a_module_that_crashes_is_named_and_started_anew(contrary: Contrary, contrary_agents: Agents) -> None:
    contrary.behave("crash C_GetSlotList 0")
    assert contrary_agents.tokens() == []
    (problem,) = contrary_agents.problems
    assert isinstance(problem, errors.ModuleCrashed)
    assert problem.status == 5
    assert "libcontrary.so" in str(problem)
    assert "SIGSEGV" in problem.detail
    contrary.behave()
    assert len(contrary_agents.tokens()) == 1
    assert contrary_agents.problems == []


def test_a_module_that_hangs_does_not_hold_up_the_others(
    contrary: Contrary, softhsm: str, tmp_path: Path, token: Token
) -> None:
    contrary.behave("hang C_GetSlotList 0")
    with Agents([contrary.path, softhsm], tmp_path / "logs") as both:
        first = next(iter(both.listings()))
        assert (first.module, first.problem) == (softhsm, None)
        assert token.serial in [listed.serial for listed in first.tokens]
        assert both.find(token.serial).uri == token.uri


def test_closing_does_not_wait_for_a_module_that_hangs_in_a_listing(
    contrary: Contrary, tmp_path: Path
) -> None:
    contrary.behave("hang C_GetSlotList 0")
    agents = Agents([contrary.path], tmp_path / "logs", deadlines={object: 1000.0})
    listing = threading.Thread(target=agents.tokens)
    listing.start()
    log = tmp_path / "logs"
    while not (log.is_dir() and list(log.iterdir())):
        time.sleep(0.01)
    agents.close()
    listing.join(30)
    assert not listing.is_alive()
    assert isinstance(agents.problems[0], errors.ModuleCrashed)


def test_a_module_that_hung_is_reported_and_then_left_alone_for_a_while(
    contrary: Contrary, tmp_path: Path
) -> None:
    from fieldkit.token import protocol

    contrary.behave("hang C_GetSlotList 0")
    with Agents([contrary.path], tmp_path / "logs", deadlines={protocol.List: 0.5}) as agents:
        assert agents.tokens() == []
        assert isinstance(agents.problems[0], errors.ModuleTimeout)
        began = time.monotonic()
        agents.tokens()
        assert time.monotonic() - began < 0.2
        assert isinstance(agents.problems[0], errors.ModuleTimeout)


def test_a_missing_module_is_missing(tmp_path: Path) -> None:
    with Agents([str(tmp_path / "nowhere.so")], tmp_path / "logs") as agents:
        assert agents.tokens() == []
        assert isinstance(agents.problems[0], errors.ModuleMissing)


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"just text", "unknown"),
        (b"", "unknown"),
        (b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x03\x00\x03\x00" + bytes(40), "elf x86 32-bit"),
        (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\xf3\x00" + bytes(40), "elf riscv 64-bit"),
        (b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\0\0\x4c\x01" + bytes(30), "pe x86 32-bit"),
        (b"MZ" + bytes(58) + (2**31).to_bytes(4, "little"), "unknown"),
        (b"\xcf\xfa\xed\xfe\x07\x00\x00\x01" + bytes(20), "mach-o x86_64 64-bit"),
    ],
)
def test_a_file_that_this_machine_cannot_load_is_not_loaded(
    content: bytes, detail: str, tmp_path: Path
) -> None:
    module = tmp_path / "module.so"
    module.write_bytes(content)
    with Agents([str(module)], tmp_path / "logs") as agents:
        assert agents.tokens() == []
        (problem,) = agents.problems
        assert isinstance(problem, errors.ModuleUnusable)
        assert problem.detail == detail
        assert not list(tmp_path.glob("logs/*")), "an agent was started for it"


def test_a_module_that_lacks_a_library_says_which(tmp_path: Path) -> None:
    source = tmp_path / "part.c"
    source.write_text("int part(void) { return 1; }")
    part, module = tmp_path / "libpart-of-driver.so", tmp_path / "module.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", part, source], check=True)
    source.write_text("int part(void); int C_GetFunctionList(void *list) { return part(); }")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", module, source, part], check=True)
    part.unlink()
    with Agents([str(module)], tmp_path / "logs") as agents:
        agents.tokens()
        (problem,) = agents.problems
        assert isinstance(problem, errors.ModuleUnusable)
        assert "libpart-of-driver.so" in str(problem)


def test_a_library_that_is_no_pkcs11_module_is_said_to_be_none(tmp_path: Path) -> None:
    source, module = tmp_path / "x.c", tmp_path / "x.so"
    source.write_text("int nothing(void) { return 1; }")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", module, source], check=True)
    with Agents([str(module)], tmp_path / "logs") as agents:
        agents.tokens()
        assert "not a PKCS#11 module" in str(agents.problems[0])


def test_pkcs11_spy_is_never_used_since_it_logs_pins(softhsm: str, tmp_path: Path) -> None:
    spy = tmp_path / "pkcs11-spy.so"
    shutil.copy(softhsm, spy)
    with Agents([str(spy)], tmp_path / "logs") as agents:
        agents.tokens()
        assert isinstance(agents.problems[0], errors.ModuleUnusable)


def test_an_agent_leaves_no_core_dump_and_its_memory_is_closed_to_others(
    agents: Agents, token: Token
) -> None:
    with agents.session(token, pin()):
        process = agents.agent(token)._process
        assert process is not None
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"]
        assert os.stat(f"/proc/{process.pid}/environ").st_uid == 0  # root's: not dumpable
        assert PIN not in Path(f"/proc/{process.pid}/cmdline").read_text()


def test_agents_end_with_their_client(agents: Agents, token: Token) -> None:
    process = agents.agent(token)._process
    agents.tokens()
    process = agents.agent(token)._process
    assert process is not None
    agents.close()
    assert process.poll() is not None


def test_flags_become_the_gravest_state() -> None:
    there = guard.TOKEN_INITIALIZED | guard.USER_PIN_INITIALIZED | guard.LOGIN_REQUIRED
    low, final, locked, changed = 0x10000, 0x20000, 0x40000, 0x80000
    assert guard.state(there, 0) == "ok"
    assert guard.state(there | low, 0) == "low"
    assert guard.state(there | low | final, 0) == "final"
    assert guard.state(there | low | final | locked, 0) == "locked"
    assert guard.state(there | changed, 0) == "default"
    assert guard.state(there | changed | low, 0) == "low"
    assert guard.state(guard.TOKEN_INITIALIZED | guard.LOGIN_REQUIRED, 0) == "unset"
    assert guard.state(0, 0) == "unset"
    assert guard.state(guard.TOKEN_INITIALIZED, 0) == "ok", "a token without login"
    assert guard.state(there, 1) == "low"
    assert guard.state(there, 2) == "final"
    assert guard.state(there, 2, tries=10) == "low"
    assert guard.state(there | locked << 4, 0, so=True) == "locked"
    assert guard.state(there | locked << 4, 0) == "ok"


def problem_of(module: Path | str, folder: Path, *, named: bool = False) -> errors.FieldkitError | None:
    with Agents([str(module)], folder / "logs", named=[str(module)] if named else []) as agents:
        agents.tokens()
        return agents.problems[0] if agents.problems else None


def writable_file(module: Path) -> None:
    module.chmod(0o777)


def writable_folder(module: Path) -> None:
    module.parent.parent.chmod(0o777)


def of_somebody(module: Path) -> None:
    os.chown(module, 12345, 0)


def folder_of_somebody(module: Path) -> None:
    os.chown(module.parent, 12345, 0)


def shared_group(module: Path) -> None:
    os.chown(module, 0, 12345)
    module.chmod(0o775)


@pytest.fixture
def ordinary_folder() -> Iterator[Path]:
    """A folder that every account may reach."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextlib.contextmanager
def ordinary_user() -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("only root becomes another account")
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    "opening", [writable_file, writable_folder, of_somebody, folder_of_somebody, shared_group]
)
def test_a_module_that_others_may_change_is_not_loaded_by_root_whoever_names_it(
    softhsm: str, tmp_path: Path, opening: Callable[[Path], None]
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    module = tmp_path / "vendor" / "lib" / "module.so"
    module.parent.mkdir(parents=True)
    shutil.copy(softhsm, module)
    assert problem_of(module, tmp_path) is None
    opening(module)
    link = tmp_path / "link.so"
    link.symlink_to(module)
    for path in (module, link):
        problem = problem_of(path, tmp_path)
        assert isinstance(problem, errors.ModuleUnusable)
        assert "others may change" in str(problem)
        assert isinstance(problem_of(path, tmp_path, named=True), errors.ModuleUnusable), "root runs nobody's"


@pytest.mark.parametrize("opening", [writable_file, writable_folder, of_somebody, shared_group])
def test_a_module_that_others_may_change_is_given_no_pin_of_an_ordinary_user_who_names_it(
    softhsm: str, ordinary_folder: Path, opening: Callable[[Path], None]
) -> None:
    module = ordinary_folder / "vendor" / "lib" / "module.so"
    module.parent.mkdir(parents=True)
    shutil.copy(softhsm, module)
    with ordinary_user():
        module_file.inspect(str(module), named=True)
    opening(module)
    with ordinary_user(), pytest.raises(errors.ModuleUnusable, match="others may change") as refused:
        module_file.inspect(str(module), named=True)
    assert "--module" not in str(refused.value.hint), "naming it does not help"


def test_a_folder_where_nobody_changes_what_is_not_his_will_do(softhsm: str, tmp_path: Path) -> None:
    sticky = tmp_path / "sticky"
    sticky.mkdir()
    sticky.chmod(0o1777)
    shutil.copy(softhsm, sticky / "module.so")
    assert problem_of(sticky / "module.so", tmp_path) is None


def test_pkcs11_spy_is_known_by_whatever_name(tmp_path: Path) -> None:
    spy = Path("/usr/lib/x86_64-linux-gnu/pkcs11-spy.so")
    link, copy = tmp_path / "driver.so", tmp_path / "copy.so"
    link.symlink_to(spy)
    shutil.copy(spy, copy)
    for path in (link, copy):
        problem = problem_of(path, tmp_path, named=True)
        assert isinstance(problem, errors.ModuleUnusable)
        assert "writes PINs" in str(problem)


def test_a_module_whose_table_is_another_each_time_it_is_asked_for_can_be_used(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token
) -> None:
    contrary_agents.close()
    contrary.behave("table-each-time")
    with Agents([contrary.path], Path(contrary.path).parent / "logs") as agents:
        found = agents.find(contrary_token.serial)
        with agents.session(found, pin()) as session:
            assert session.list_keys() == []
        with pytest.raises(errors.PinIncorrect):
            agents.session(found, pin("111222"))

"""The agent: modules with bad manners end as errors with their name, and secrets leave no trace."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fieldkit.secret import Secret
from fieldkit.token import errors, importing, initialisation, process, protocol, quirks
from fieldkit.token.agents import Agents
from fieldkit.token.kinds import TokenTraits
from fieldkit.token.model import Token
from fieldkit.token.watch import finding_of, watch
from tests.conftest import clean_environment
from tests.token.conftest import PIN, Contrary, pin

if TYPE_CHECKING:
    from fieldkit.certificate.identity import Identity

KEY = "ab" * 20
MASK = 0x5A
SCAN = f"""
def scan(process, masked):
    \"\"\"How often bytes are in a process's memory; masked, so that the search does not find itself.\"\"\"
    table = bytes(byte ^ {MASK} for byte in range(256))
    found = 0
    with open(f"/proc/{{process}}/maps") as maps, open(f"/proc/{{process}}/mem", "rb", 0) as memory:
        for line in maps:
            place, rights = line.split()[:2]
            if not rights.startswith("rw") or "[vv" in line:
                continue
            start, end = (int(part, 16) for part in place.split("-"))
            try:
                memory.seek(start)
                found += memory.read(end - start).translate(table).count(masked)
            except OSError:
                continue
    return found
"""


def masked(secret: str) -> bytes:
    return bytes(byte ^ MASK for byte in secret.encode())


@pytest.mark.parametrize("way", ["crash", "exit", "hang"])
@pytest.mark.parametrize("function", ["C_GetSlotList", "C_OpenSession", "C_SignInit"])
def test_a_module_may_crash_exit_or_hang_anywhere_and_the_next_call_finds_a_new_one(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token, way: str, function: str
) -> None:
    with contrary_agents.session(contrary_token, pin()) as session:
        session.generate_key("ec:p256", KEY, "Sample")
    contrary.behave(f"{way} {function} 0")
    wanted = errors.ModuleTimeout if way == "hang" else errors.ModuleCrashed

    def use() -> None:
        with contrary_agents.session(contrary_token, pin()) as session:
            session.list_keys()
            session.sign(KEY, "ECDSA_SHA256", b"data")

    with pytest.raises(wanted) as caught:
        use()
    assert "libcontrary.so" in str(caught.value)
    assert caught.value.status == 5
    assert "log" in str(caught.value.hint)
    contrary.behave()
    contrary_agents._resting.clear() if way == "hang" else None
    with contrary_agents.session(contrary_token, pin(), confirmed_last_try=True) as session:
        assert session.sign(KEY, "ECDSA_SHA256", b"data")


def test_a_session_of_an_agent_that_has_ended_is_over_and_says_so(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token
) -> None:
    with contrary_agents.session(contrary_token, pin()) as session:
        contrary.behave("crash C_FindObjectsInit 1")
        with pytest.raises(errors.ModuleCrashed):
            session.list_keys()
        with pytest.raises(errors.TokenRemoved):
            session.list_keys()


@pytest.mark.parametrize(
    "lie", ["set-flags 40000", "set-flags 70000", "clear-flags 4", "clear-flags 8", "clear-flags 400"]
)
def test_flags_that_lie_end_in_an_answer_and_cost_nothing(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token, lie: str
) -> None:
    contrary.behave(lie, "print C_Login 0 LOGIN SEEN")
    found = next(listed for listed in contrary_agents.tokens() if listed.serial == contrary_token.serial)
    try:
        contrary_agents.session(found, pin()).close()
    except (errors.PinLocked, errors.TokenNotInitialized, errors.ModuleFault, errors.TokenRemoved):
        pass
    contrary.behave()
    contrary_agents.session(contrary_token, pin()).close()


@pytest.mark.parametrize("count", [80, pytest.param(500, marks=pytest.mark.soak)])
def test_a_token_with_many_objects_is_read_whole(
    agents: Agents, token: Token, authority: tuple[object, object], count: int
) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    from tests.token.conftest import issue

    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    with agents.session(token, pin()) as session:
        for number in range(count):
            session.create_certificate(
                issue(f"SAMPLE {number}", public, authority),
                f"{number:04x}",
                f"Sample {number}",  # type: ignore[arg-type]
            )
        assert len({certificate.sha256 for certificate in session.certificates()}) == count
        assert session.certificate("Sample 79").id == f"{79:04x}"


def test_labels_that_are_odd_do_no_harm(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token
) -> None:
    for label in (b"", b"\0\0", b"a\0b", b"  ", "Tổng 😀".encode(), bytes(range(1, 32)), b"%s;token=x"):
        contrary.behave(f"label {label.hex() or '20'}")
        found = contrary_agents.find(contrary_token.serial)
        assert contrary_agents.find(found.uri).serial == contrary_token.serial
        contrary_agents.session(found, pin()).close()


def test_a_token_without_login_needs_no_pin(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token
) -> None:
    contrary.behave("clear-flags c")
    found = contrary_agents.find(contrary_token.serial)
    assert (found.login_required, found.pin_state) == (False, "ok")
    with contrary_agents.session(found) as session:
        assert session.certificates() == []


def test_a_module_that_hangs_hides_no_change_of_another(
    contrary: Contrary, softhsm: str, tmp_path: Path
) -> None:
    contrary.behave("hang C_GetSlotList 0")
    stop = threading.Event()
    with Agents([contrary.path, softhsm], tmp_path / "logs") as both:
        changes = watch(both, stop=stop, interval=0.05)
        first = next(changes)
        assert (first.kind, first.token.initialized) == ("inserted", False)
        with Agents([softhsm], tmp_path / "other") as other:
            initialisation.initialise(other, other.tokens()[0], "Later", pin("97531864"), pin())
        stop.set()
    assert finding_of(first).id == "token-inserted"


def test_no_pin_is_in_an_argument_or_environment_of_any_process(
    token: Token, home: object, tmp_path: Path
) -> None:
    from fieldkit.home import Home

    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    assert isinstance(home, Home)
    secret, trace = tmp_path / "pin", tmp_path / "trace"
    secret.write_text(PIN)
    environment = clean_environment(home) | {"SOFTHSM2_CONF": str(tmp_path / "softhsm2.conf")}
    command = [sys.executable, "-m", "fieldkit", "certificate", "request", "--token", token.serial]
    command += ["--subject", "CN=SAMPLE", "--pin-file", str(secret), "--out", str(tmp_path / "out"), "--yes"]
    done = subprocess.run(
        ["strace", "-f", "-v", "-s", "100000", "-e", "trace=execve", "-o", trace, *command],
        env=environment,
        capture_output=True,
        text=True,
    )
    if "PTRACE" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"execve\(", trace.read_text())) >= 2
    assert PIN not in trace.read_text() + done.stdout + done.stderr


@pytest.mark.parametrize("wiped", [True, False])
def test_a_pin_that_was_used_and_wiped_is_in_no_memory(
    softhsm: str, token: Token, tmp_path: Path, wiped: bool
) -> None:
    """Of the program itself, and of its agent while the session is still open."""
    if os.geteuid() != 0 or not sys.platform.startswith("linux"):
        pytest.skip("needs to read another process's memory")
    secret = tmp_path / "pin"
    secret.write_text(PIN)
    script = (
        SCAN
        + f"""
import os, sys
from pathlib import Path
from fieldkit.secret import Secret
from fieldkit.token.agents import Agents
with Agents([{softhsm!r}], Path({str(tmp_path / "logs")!r})) as agents:
    token = agents.find({token.serial!r})
    typed = bytearray(6)
    with open({str(secret)!r}, "rb", 0) as file:
        file.readinto(typed)
    pin = Secret(typed)
    typed[:] = bytes(6)
    needle = bytes.fromhex({masked(PIN).hex()!r})
    session = agents.session(token, pin)
    if {wiped}:
        pin.wipe()
    agent = agents.agent(token)._process.pid
    print(scan(os.getpid(), needle), scan(agent, needle))
"""
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["0" if wiped else "1", "0"], done.stderr


def test_an_imported_key_is_wiped_in_the_agent(
    softhsm: str, agents: Agents, token: Token, identity: Callable[..., Identity]
) -> None:
    if os.geteuid() != 0 or not sys.platform.startswith("linux"):
        pytest.skip("needs to read another process's memory")
    scope: dict[str, Callable[[int, bytes], int]] = {}
    exec(SCAN, scope)  # type: ignore[arg-type]
    holder = identity()
    whole = holder.key.reveal_bytes()
    with agents.session(token, pin()) as session:
        importing.import_identity(session, holder, "Sample")
        process = agents.agent(token)._process
        assert process is not None
        needle = bytes(byte ^ MASK for byte in whole)
        assert scope["scan"](process.pid, needle) == 0


def test_secrets_do_not_show_in_errors_or_reprs() -> None:
    secret = Secret("975310")
    shown = f"{secret} {secret!r} {[secret]} {errors.PinNeeded.__doc__}"
    assert "975310" not in shown
    with pytest.raises(TypeError):
        __import__("pickle").dumps(secret)


def test_making_a_key_may_take_longer_than_a_listing(
    contrary: Contrary, contrary_token: Token, tmp_path: Path
) -> None:
    deadlines: dict[type, float] = {protocol.List: 2.0, protocol.GenerateKey: 60.0}
    with Agents([contrary.path], tmp_path / "slow", deadlines=deadlines) as running:
        with running.session(running.find(contrary_token.serial), pin()) as session:
            contrary.behave("slow C_GenerateKeyPair 0 2500")
            assert session.generate_key("ec:p256", KEY, "Sample").public
            contrary.behave("slow C_GetSlotList 0 2500")
        assert running.tokens() == []
        assert isinstance(running.problems[0], errors.ModuleTimeout)


def test_opensc_is_told_of_puks_unless_somebody_settled_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENSC_CONF", raising=False)
    theirs = tmp_path / "theirs.conf"
    theirs.write_text("app default {\n\tdebug = 0;\n}\n")
    monkeypatch.setattr(quirks, "LINUX", theirs)

    def configuration(module: str = "/usr/lib/opensc-pkcs11.so") -> str | None:
        return process.environment(quirks.of_file(module), tmp_path).get("OPENSC_CONF")

    made = configuration()
    assert made is not None
    text = Path(made).read_text()
    assert text.startswith(theirs.read_text())
    assert "set_pin_in_unlogged_session" in text
    assert configuration("/usr/lib/libother.so") is None
    theirs.write_text("user_pin_unblock_style = none;")
    assert configuration() is None
    monkeypatch.setenv("OPENSC_CONF", str(theirs))
    assert configuration() == str(theirs)


def test_a_quirk_that_a_profile_names_reaches_the_module_whatever_its_file_is_called(
    contrary: Contrary, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    traits = TokenTraits(quirks=(quirks.QUIRKS["opensc-puk"],))
    for known, expected in ({}, False), ({contrary.path: traits}, True):
        with Agents([contrary.path], logs, traits=known) as running:
            assert running.tokens()
        assert (logs / "opensc.conf").exists() == expected


def crashed(process: subprocess.Popen[bytes], folder: Path) -> bytes:
    """What a process leaves behind in `folder` when it crashes."""
    process.send_signal(signal.SIGSEGV)
    process.wait(60)
    return b"".join(path.read_bytes() for path in folder.iterdir())


def dumping(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """A process that may leave a core dump of any size in `folder`."""
    folder.mkdir()
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, unlimited),
    )


def test_the_program_leaves_no_core_dump_while_it_holds_a_pin(
    contrary: Contrary, contrary_token: Token, tmp_path: Path
) -> None:
    from fieldkit.home import Home
    from fieldkit.token.attempts import Attempts, identify

    entered = "75319"
    new = "864209"
    plain = f"import sys; kept = {entered!r} * 2; print(flush=True); sys.stdin.read()"
    control = dumping([sys.executable, "-c", plain], tmp_path / "control", dict(os.environ))
    assert control.stdout is not None
    control.stdout.readline()
    if entered.encode() * 2 not in crashed(control, tmp_path / "control"):
        pytest.skip("this machine puts core dumps elsewhere")
    files = {name: tmp_path / name for name in ("pin", "new-pin")}
    files["pin"].write_text(entered * 2)
    files["new-pin"].write_text(new)
    environment = clean_environment(Home(tmp_path / "home"))
    environment["SOFTHSM2_CONF"] = str(tmp_path / "softhsm2.conf")
    contrary.behave("hang C_Login 0")
    command = [sys.executable, "-m", "fieldkit", "token", "change-pin", contrary_token.serial, "--yes"]
    command += ["--module", contrary.path, "--pin-file", str(files["pin"])]
    command += ["--new-pin-file", str(files["new-pin"])]
    holding = dumping(command, tmp_path / "holding", environment)
    end = time.monotonic() + 60
    while not Attempts().count(identify(contrary_token)).pin and time.monotonic() < end:
        time.sleep(0.05)
    assert holding.poll() is None
    assert list((tmp_path / "holding").iterdir()) == []
    assert crashed(holding, tmp_path / "holding") == b""


def test_no_environment_variable_has_a_module_write_down_what_it_gets(
    contrary: Contrary, contrary_agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PKCS11SPY", "PKCS11SPY_OUTPUT", "OPENSC_DEBUG", "P11_KIT_DEBUG"):
        monkeypatch.setenv(name, "9")
    contrary_agents.tokens()
    running = next(path for path in Path("/proc").glob("[0-9]*/maps") if "libcontrary" in _read(path))
    got = dict(line.split("=", 1) for line in _read(running.with_name("environ")).split("\0") if "=" in line)
    assert got["OPENSC_DEBUG"] == "0"
    assert not {"PKCS11SPY", "PKCS11SPY_OUTPUT", "P11_KIT_DEBUG"} & set(got)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""

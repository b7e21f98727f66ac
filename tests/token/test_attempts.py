"""The count of wrong PINs is one for this account on this machine, whatever else is open, full or damaged."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from fieldkit.action.token_access import open_agents
from fieldkit.certificate.identity import Identity
from fieldkit.home import Home
from fieldkit.journal.entry import Draft
from fieldkit.journal.export import export
from fieldkit.journal.store import Store
from fieldkit.profile.load import load
from fieldkit.secret import Secret
from fieldkit.sync.bundle import make
from fieldkit.sync.opening import open_bundle
from fieldkit.token import attempts, errors, guard, importing, initialisation, pins
from fieldkit.token.agents import Agents
from fieldkit.token.attempts import Attempts, identify, recorded
from fieldkit.token.model import Token
from tests.conftest import Run
from tests.sync.conftest import Office
from tests.token.conftest import PIN, SO_PIN, Contrary, pin

WRONG = "111222"
MakeIdentity = Callable[..., Identity]
ENTERING = """
import sys
from pathlib import Path
from fieldkit.errors import FieldkitError
from fieldkit.secret import Secret
from fieldkit.token.agents import Agents
module, serial, logs, times, *pins = sys.argv[1:]
with Agents([module], Path(logs)) as agents:
    token = agents.find(serial)
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(int(times)):
        for pin in pins:
            try:
                agents.session(token, Secret(pin)).close()
                print("ok", flush=True)
            except FieldkitError as error:
                print(error.code, flush=True)
"""


class Others:
    """Other programs of this account that enter PINs, all at once."""

    def __init__(self, module: str, folder: Path) -> None:
        self._module = module
        self.logs = folder / "logs-of-others"

    def enter(self, serial: str, *pins: str, programs: int, times: int = 1) -> list[str]:
        """What each attempt came to, of all of them."""
        command = [sys.executable, "-c", ENTERING, self._module, serial, str(self.logs), str(times), *pins]
        running = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(programs)
        ]
        for program in running:
            assert program.stdout is not None
            assert program.stdout.readline() == "ready\n"
        for program in running:
            assert program.stdin is not None
            program.stdin.write("\n")
            program.stdin.flush()
        return [line for program in running for line in program.communicate(timeout=120)[0].split()]

    def logins(self) -> int:
        """How many logins reached the module."""
        return sum(path.read_text().count("LOGIN SEEN") for path in self.logs.glob("*.log")) // 2


@pytest.fixture
def others(contrary: Contrary, tmp_path: Path) -> Others:
    """They use the module with bad manners: its flags never say what is left."""
    contrary.behave("print C_Login 0 LOGIN SEEN", "clear-flags 70000")
    return Others(contrary.path, tmp_path)


def count(token: Token) -> int:
    return Attempts().count(identify(token)).pin


@pytest.mark.parametrize(("before", "programs"), [(0, 4), (1, 2)])
def test_programs_at_once_never_reach_the_last_try(
    contrary_token: Token, contrary_agents: Agents, others: Others, before: int, programs: int
) -> None:
    for _ in range(before):
        with pytest.raises(errors.PinIncorrect):
            contrary_agents.session(contrary_token, pin(WRONG))
    outcomes = others.enter(contrary_token.serial, WRONG, programs=programs)
    assert others.logins() == guard.TRIES - 1 - before
    assert outcomes.count("pin-final-try") == programs - others.logins()
    assert count(contrary_token) == 2


def test_a_right_pin_among_wrong_ones_starts_the_count_again_and_no_more(
    contrary_token: Token, others: Others
) -> None:
    outcomes = others.enter(contrary_token.serial, WRONG, PIN, programs=2, times=2)
    assert set(outcomes) <= {"ok", "pin-incorrect", "pin-final-try"}
    assert others.logins() == outcomes.count("ok") + outcomes.count("pin-incorrect")
    assert ("pin-final-try" in outcomes) == (count(contrary_token) == 2)


@pytest.mark.soak
@pytest.mark.parametrize("programs", [2, 8])
def test_many_programs_with_many_wrong_pins_never_reach_the_last_try(
    contrary_token: Token, contrary: Contrary, others: Others, programs: int
) -> None:
    contrary.behave("print C_Login 0 LOGIN SEEN", "clear-flags 70000", "slow C_Login 0 30")
    others.enter(contrary_token.serial, WRONG, programs=programs, times=5)
    assert others.logins() == guard.TRIES - 1


def test_a_program_that_is_killed_while_a_pin_is_judged_has_used_the_attempt(
    contrary_token: Token, contrary: Contrary, others: Others, tmp_path: Path
) -> None:
    contrary.behave("kill-parent C_Login 1", "clear-flags 70000")
    assert others.enter(contrary_token.serial, WRONG, programs=1) == []
    assert count(contrary_token) == 1
    contrary.behave("print C_Login 0 LOGIN SEEN", "clear-flags 70000")
    assert others.enter(contrary_token.serial, WRONG, programs=2).count("pin-final-try") == 1
    assert others.logins() == 1


def test_the_count_is_on_the_disk_before_the_pin_is_at_the_token(
    contrary_token: Token, contrary: Contrary, others: Others
) -> None:
    contrary.behave("hang C_Login 0")
    command = [
        sys.executable,
        "-c",
        ENTERING,
        contrary.path,
        contrary_token.serial,
        str(others.logs),
        "1",
        PIN,
    ]
    entering = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert entering.stdin is not None
    entering.stdin.write("\n")
    entering.stdin.flush()
    end = time.monotonic() + 30
    while count(contrary_token) == 0 and time.monotonic() < end:
        time.sleep(0.02)
    assert count(contrary_token) == 1
    entering.send_signal(signal.SIGKILL)
    entering.wait(30)
    assert count(contrary_token) == 1


def test_who_waits_too_long_for_another_program_is_told_and_sends_nothing(
    contrary_token: Token, contrary_agents: Agents, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fieldkit.token.attempts.WAIT", 0.2)
    with Attempts().held(identify(contrary_token)), pytest.raises(errors.PinInUse) as caught:
        contrary_agents.session(contrary_token, pin())
    assert (caught.value.code, caught.value.status) == ("pin-in-use", 3)
    assert caught.value.unchanged
    assert count(contrary_token) == 0
    contrary_agents.session(contrary_token, pin()).close()


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def of_another(path: Path) -> None:
    other = next(each for each in path.parent.iterdir() if each.stat().st_size == 1024 and each != path)
    path.write_bytes(other.read_bytes())


def counted_file(state_folder: Path, token: Token) -> Path:
    return state_folder / "pin-attempts" / identify(token).shared


@pytest.mark.parametrize("harm", [damaged, cut, emptied, of_another])
def test_a_damaged_count_is_taken_for_the_last_try_until_a_pin_was_right(
    contrary_token: Token, contrary_agents: Agents, others: Others, state_folder: Path, harm: object
) -> None:
    assert callable(harm)
    harm(counted_file(state_folder, contrary_token))
    found = contrary_agents.find(contrary_token.serial)
    assert (found.pin_state, found.so_pin_state) == ("final", "final")
    with pytest.raises(errors.PinFinalTry) as caught:
        contrary_agents.session(contrary_token, pin())
    assert "damaged" in str(caught.value)
    with pytest.raises(errors.PinIncorrect):
        contrary_agents.session(contrary_token, pin(WRONG), confirmed_last_try=True)
    assert contrary_agents.find(contrary_token.serial).pin_state == "final"
    contrary_agents.session(contrary_token, pin(), confirmed_last_try=True).close()
    healed = contrary_agents.find(contrary_token.serial)
    assert (healed.pin_state, healed.so_pin_state) == ("ok", "final")


def test_where_nothing_can_be_counted_any_try_may_be_the_last(
    contrary_token: Token, contrary: Contrary, state_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "a file"
    folder.write_text("no folder")
    with Agents([contrary.path], tmp_path / "logs", Attempts(folder)) as agents:
        found = agents.find(contrary_token.serial)
        assert found.pin_state == "final"
        with pytest.raises(errors.PinFinalTry) as caught:
            agents.session(found, pin())
        assert "cannot be counted" in str(caught.value)
        agents.session(found, pin(), confirmed_last_try=True).close()
        with pytest.raises(errors.PinIncorrect):
            agents.session(found, pin(WRONG), confirmed_last_try=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that a test can fill."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a disk")
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", path], check=True)
    yield path
    subprocess.run(["umount", path], check=True)


def fill(disk: Path) -> None:
    with (disk / "rest").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1024))
        except OSError:
            return


def test_a_full_disk_counts_on_for_tokens_that_were_seen_and_for_one_that_was_not(
    contrary_token: Token, contrary: Contrary, small_disk: Path, tmp_path: Path
) -> None:
    with Agents([contrary.path], tmp_path / "logs", Attempts(small_disk / "count")) as agents:
        agents.tokens()
        fill(small_disk)
        with pytest.raises(errors.PinIncorrect):
            agents.session(contrary_token, pin(WRONG))
        assert agents.find(contrary_token.serial).pin_state == "low"
        contrary.behave(f"serial {b'another one'.hex()}", "clear-flags 70000")
        other = next(listed for listed in agents.tokens() if listed.initialized)
        assert other.pin_state == "ok"
        with pytest.raises(errors.PinIncorrect):
            agents.session(other, pin(WRONG))
        assert next(listed for listed in agents.tokens() if listed.initialized).pin_state == "low"


def test_a_disk_that_refuses_the_count_lets_no_pin_pass(
    contrary_token: Token, contrary: Contrary, small_disk: Path, tmp_path: Path
) -> None:
    contrary.behave("print C_Login 0 LOGIN SEEN")
    with Agents([contrary.path], tmp_path / "logs", Attempts(small_disk / "count")) as agents:
        agents.tokens()
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        assert agents.find(contrary_token.serial).pin_state == "final"
        with pytest.raises(errors.PinFinalTry):
            agents.session(contrary_token, pin(WRONG))
    assert "LOGIN SEEN" not in "".join(path.read_text() for path in (tmp_path / "logs").glob("*.log"))


def test_another_home_on_the_machine_has_no_count_of_its_own(
    fieldkit: Run, contrary_token: Token, contrary: Contrary, home: Home, tmp_path: Path
) -> None:
    contrary.behave("clear-flags 70000")
    wrong, new = tmp_path / "wrong", tmp_path / "new"
    wrong.write_text(WRONG)
    new.write_text("864209")
    arguments = ("token", "change-pin", contrary_token.serial, "--yes", "--json", "--module", contrary.path)
    arguments += ("--pin-file", str(wrong), "--new-pin-file", str(new))
    softhsm = str(tmp_path / "softhsm2.conf")
    seen = [
        fieldkit(*arguments, "--home", str(tmp_path / name), SOFTHSM2_CONF=softhsm).error["code"]
        for name in ("one", "two", "three")
    ]
    assert seen == ["pin-incorrect", "pin-incorrect", "pin-final-try"]


@pytest.mark.parametrize("state", ["held by another", "damaged"])
def test_a_store_that_cannot_be_written_takes_nothing_from_the_count(
    fieldkit: Run, contrary_token: Token, contrary: Contrary, home: Home, tmp_path: Path, state: str
) -> None:
    contrary.behave("clear-flags 70000")
    with Store.open(home.store) as store:
        store.db.table("anything").insert({"a": 1})
    fieldkit("token", "list")
    if state == "damaged":
        (journal,) = home.store.glob("journal-*.fkj")
        content = bytearray(journal.read_bytes())
        content[content.index(b"anything")] ^= 1
        journal.write_bytes(content)
    wrong, new = tmp_path / "wrong", tmp_path / "new"
    wrong.write_text(WRONG)
    new.write_text("864209")
    arguments = ("token", "change-pin", contrary_token.serial, "--yes", "--json", "--module", contrary.path)
    arguments += ("--pin-file", str(wrong), "--new-pin-file", str(new))
    softhsm = str(tmp_path / "softhsm2.conf")
    with Store.open(home.store):
        seen = [fieldkit(*arguments, SOFTHSM2_CONF=softhsm).error["code"] for _ in range(3)]
    assert seen == ["pin-incorrect", "pin-incorrect", "pin-final-try"]


def test_what_release_0_1_counted_in_a_store_still_counts_and_is_taken_over_once(
    contrary_token: Token, contrary: Contrary, home: Home, tmp_path: Path
) -> None:
    contrary.behave("clear-flags 70000")
    with Store.open(home.store) as store:
        store.db.table("pin_attempts").insert({"key": contrary_token.serial, "count": 2})
        store.db.table("pin_attempts").insert({"key": contrary_token.serial + ":so", "count": 1})

        def opened() -> Agents:
            attempts = Attempts()
            attempts.adopt(str(home.store), lambda: recorded(store))
            return Agents([contrary.path], tmp_path / "logs", attempts)

        with opened() as agents:
            found = agents.find(contrary_token.serial)
            assert (found.pin_state, found.so_pin_state) == ("final", "low")
            agents.session(found, pin(), confirmed_last_try=True).close()
            assert agents.find(found.serial).pin_state == "ok"
        with opened() as agents:
            found = agents.find(contrary_token.serial)
            assert (found.pin_state, found.so_pin_state) == ("ok", "low")
        assert count(contrary_token) == 0


def harmed_store(home: Home) -> None:
    with Store.open(home.store) as store:
        store.db.table("pin_attempts").insert({"key": "anything", "count": 2})
    (journal,) = home.store.glob("journal-*.fkj")
    content = bytearray(journal.read_bytes())
    content[content.index(b"anything")] ^= 1
    journal.write_bytes(content)


def unreadable_store(home: Home) -> None:
    home.path.mkdir()
    home.store.write_text("no folder")


@pytest.mark.parametrize("harm", [harmed_store, unreadable_store])
def test_a_store_that_was_never_taken_over_and_cannot_be_read_may_have_counted_anything(
    fieldkit: Run, contrary_token: Token, contrary: Contrary, home: Home, tmp_path: Path, harm: object
) -> None:
    assert callable(harm)
    harm(home)
    contrary.behave("clear-flags 70000", "print C_Login 0 LOGIN SEEN")
    (tmp_path / "pin").write_text(PIN)
    (tmp_path / "new").write_text("864209")
    answer = fieldkit(
        "token", "change-pin", contrary_token.serial, "--yes", "--json", "--module", contrary.path,
        "--pin-file", tmp_path / "pin", "--new-pin-file", tmp_path / "new",
        SOFTHSM2_CONF=str(tmp_path / "softhsm2.conf"),
    )  # fmt: skip
    assert answer.error["code"] == "pin-final-try"
    assert "cannot be read" in answer.error["message"]


@pytest.mark.parametrize("harm", ["damaged", "no file"])
def test_what_was_taken_over_and_cannot_be_read_any_more_may_have_counted_anything_until_a_pin_was_right(
    contrary_token: Token, contrary: Contrary, state_folder: Path, tmp_path: Path, harm: str
) -> None:
    contrary.behave("clear-flags 70000")
    Attempts().adopt("a store", lambda: {"another token": 2})
    kept = state_folder / "pin-attempts" / "earlier"
    kept.write_text("{") if harm == "damaged" else (kept.unlink(), kept.mkdir())
    with Agents([contrary.path], tmp_path / "logs") as agents:
        found = agents.find(contrary_token.serial)
        assert (found.pin_state, found.so_pin_state) == ("final", "final")
        with pytest.raises(errors.PinFinalTry):
            agents.session(found, pin())
        with pytest.raises(errors.PinIncorrect):
            agents.session(found, pin(WRONG), confirmed_last_try=True)
        assert agents.find(found.serial).pin_state == "final"
        agents.session(found, pin(), confirmed_last_try=True).close()
        found = agents.find(contrary_token.serial)
        assert (found.pin_state, found.so_pin_state) == ("ok", "final")
    Attempts().adopt("another store", dict)
    assert count(contrary_token) == 0


def test_another_environment_of_the_account_has_no_count_of_its_own(
    fieldkit: Run, contrary_token: Token, contrary: Contrary, tmp_path: Path
) -> None:
    contrary.behave("clear-flags 70000")
    (tmp_path / "wrong").write_text(WRONG)
    (tmp_path / "new").write_text("864209")
    seen = [
        fieldkit(
            "token", "change-pin", contrary_token.serial, "--yes", "--json", "--module", contrary.path,
            "--pin-file", tmp_path / "wrong", "--new-pin-file", tmp_path / "new",
            SOFTHSM2_CONF=str(tmp_path / "softhsm2.conf"),
            **{name: str(tmp_path / number)},
        ).error["code"]
        for number, name in (("1", "HOME"), ("2", "XDG_STATE_HOME"), ("3", "XDG_DATA_HOME"))
    ]  # fmt: skip
    assert seen == ["pin-incorrect", "pin-incorrect", "pin-final-try"]


def with_certificate(agents: Agents, token: Token, identity: Identity) -> Token:
    with agents.session(token, pin()) as session:
        importing.import_identity(session, identity, "SAMPLE")
    return agents.find(token.serial)


def test_the_right_pin_of_one_token_clears_nothing_of_another_with_its_serial_number(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token, identity: MakeIdentity
) -> None:
    token = with_certificate(contrary_agents, contrary_token, identity("rsa:2048"))
    clone = identify(contrary_token, [identity("ec:p256").certificate])
    for confirmed in (False, True):
        with contrary_agents.attempts.held(clone) as held:
            held.add(so=False)
        contrary_agents.session(token, pin(), confirmed_last_try=confirmed).close()
    assert count(token) == 2
    with pytest.raises(errors.PinFinalTry):
        contrary_agents.session(token, pin(WRONG))
    with contrary_agents.attempts.held(clone) as held:
        held.clear(so=False)
    assert count(token) == 0


def test_the_count_of_a_user_pin_ends_when_the_token_is_initialised(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token, identity: MakeIdentity
) -> None:
    contrary.behave("clear-flags 70000")
    token = with_certificate(contrary_agents, contrary_token, identity("rsa:2048"))
    for _ in range(2):
        with pytest.raises(errors.PinIncorrect):
            contrary_agents.session(token, pin(WRONG))
    made = initialisation.initialise(contrary_agents, token, "New label", pin(SO_PIN), pin())
    assert (made.pin_state, made.so_pin_state) == ("ok", "ok")


def test_no_count_is_written_into_a_store(
    fieldkit: Run, contrary_token: Token, contrary: Contrary, home: Home, tmp_path: Path
) -> None:
    Store.open(home.store).close()
    wrong, new = tmp_path / "wrong", tmp_path / "new"
    wrong.write_text(WRONG)
    new.write_text("864209")
    fieldkit(
        "token", "change-pin", contrary_token.serial, "--yes", "--module", contrary.path,
        "--pin-file", wrong, "--new-pin-file", new, SOFTHSM2_CONF=str(tmp_path / "softhsm2.conf"),
    )  # fmt: skip
    with Store.open(home.store) as store:
        assert store.head().seq == 0


def listed(contrary: Contrary, agents: Agents, *rules: str) -> Token:
    contrary.behave("clear-flags 70000", *rules)
    return next(listed for listed in agents.tokens() if listed.initialized)


def test_one_serial_number_in_two_spellings_is_one_token(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token
) -> None:
    for spelling in (b"ab:12", b"0000AB12"):
        found = listed(contrary, contrary_agents, f"serial {spelling.hex()}")
        with pytest.raises(errors.PinIncorrect):
            contrary_agents.session(found, pin(WRONG))
    assert listed(contrary, contrary_agents, f"serial {b'Ab 12'.hex()}").pin_state == "final"


def test_one_token_through_two_modules_that_name_its_maker_differently_has_one_count(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token
) -> None:
    other = msgspec.structs.replace(contrary_token, manufacturer="Another name for it")
    for name in (contrary_token, other):
        with Attempts().held(identify(name)) as held:
            held.add(so=False)
    assert contrary_agents.find(contrary_token.serial).pin_state == "final"
    with Attempts().held(identify(contrary_token)) as held:
        held.clear(so=False)
    assert count(contrary_token) == 1
    contrary_agents.session(contrary_token, pin()).close()
    assert count(contrary_token) == 1
    contrary_agents.session(contrary_token, pin(), confirmed_last_try=True).close()
    assert count(contrary_token) == 0, "who typed the serial number said which token it is"


@pytest.mark.parametrize("serial", [b"0000000000000000", b"", b"FFFFFFFF"])
def test_tokens_without_a_serial_number_clear_nothing_of_one_another(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token, serial: bytes
) -> None:
    empty = (serial or b" ").hex()
    one = (f"label {b'One'.hex()}", f"serial {empty}")
    two = (f"label {b'Two'.hex()}", f"serial {empty}")
    with pytest.raises(errors.PinIncorrect):
        contrary_agents.session(listed(contrary, contrary_agents, *one), pin(WRONG))
    contrary_agents.session(listed(contrary, contrary_agents, *two), pin()).close()
    assert listed(contrary, contrary_agents, *one).pin_state == "low"
    with pytest.raises(errors.PinIncorrect):
        contrary_agents.session(listed(contrary, contrary_agents, *one), pin(WRONG))
    assert listed(contrary, contrary_agents, *one).pin_state == "final"
    contrary_agents.session(listed(contrary, contrary_agents, *one), pin(), confirmed_last_try=True).close()
    assert listed(contrary, contrary_agents, *two).pin_state == "final", "they cannot be told apart for sure"


def test_the_so_pin_of_an_empty_token_is_counted_too(contrary: Contrary, contrary_agents: Agents) -> None:
    blank = contrary_agents.tokens()[0]
    assert not blank.initialized
    contrary.behave("fail C_InitToken 0 a0")
    for _ in range(2):
        with pytest.raises(errors.PinIncorrect):
            initialisation.initialise(contrary_agents, blank, "Sample", pin(SO_PIN), pin())
    with pytest.raises(errors.PinFinalTry):
        initialisation.initialise(contrary_agents, blank, "Sample", pin(SO_PIN), pin())
    contrary.behave()
    made = initialisation.initialise(
        contrary_agents, blank, "Sample", pin(SO_PIN), pin(), confirmed_last_try=True
    )
    assert (made.pin_state, made.so_pin_state) == ("ok", "ok")


def test_a_login_that_an_earlier_session_left_proves_no_pin(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token
) -> None:
    first = contrary_agents.session(contrary_token, pin())
    with pytest.raises(errors.PinIncorrect):
        contrary_agents.session(contrary_token, pin(WRONG))
    assert count(contrary_token) == 1
    first.close()
    contrary_agents.session(contrary_token, pin()).close()
    with (
        contrary_agents.session(contrary_token, pin()),
        contrary_agents.session(contrary_token, pin()) as second,
    ):
        assert second.list_keys() == []


def test_a_pin_typed_on_the_device_for_a_change_is_counted(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token
) -> None:
    contrary.behave("set-flags 100", f"keypad {PIN.encode().hex()}", "fail C_SetPIN 0 a0")
    found = contrary_agents.find(contrary_token.serial)
    with pytest.raises(errors.PinIncorrect):
        pins.change_pin(contrary_agents, found, pin(""), pin(""))
    assert count(contrary_token) == 1


def test_what_says_nothing_of_the_pin_is_not_counted(
    contrary: Contrary, contrary_agents: Agents, contrary_token: Token
) -> None:
    contrary.behave("fail C_Login 0 104")  # CKR_USER_ANOTHER_ALREADY_LOGGED_IN
    with pytest.raises(errors.ModuleFault):
        contrary_agents.session(contrary_token, Secret(PIN))
    assert count(contrary_token) == 0


def test_an_account_without_a_folder_counts_nothing_and_is_asked_each_time(
    contrary: Contrary, contrary_token: Token, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(os.environ["FIELDKIT_TESTS_ACCOUNTS"])
    monkeypatch.chdir(tmp_path)
    with Agents([contrary.path], tmp_path / "logs") as agents:
        assert agents.find(contrary_token.serial).pin_state == "final"
        with pytest.raises(errors.PinFinalTry):
            agents.session(contrary_token, pin())
    assert not (tmp_path / identify(contrary_token).shared).exists()


def test_many_stores_do_not_fill_the_count(tmp_path: Path, contrary_token: Token) -> None:
    for number in range(100):
        Attempts().adopt(f"store {number}", dict)
    attempts = Attempts()
    attempts.adopt("the last", lambda: {contrary_token.serial: 1})
    assert attempts.count(identify(contrary_token)).pin == 1
    with attempts.held(identify(contrary_token)) as held:
        held.add(so=False)
    assert count(contrary_token) == 2


def test_the_count_travels_in_no_bundle_and_no_export(
    softhsm: str, token: Token, home: Home, state_folder: Path, tmp_path: Path
) -> None:
    with Store.open(home.store) as store:
        store.append(Draft(kind="note", visit="v1", item="i1", value="a day's work"))
        head = store.head()
    with (
        open_agents(home, load(home), named=[softhsm], store=lambda: Store.open(home.store)) as agents,
        pytest.raises(errors.PinIncorrect),
    ):
        agents.session(agents.find(token.serial), pin(WRONG))
    identity = identify(token)
    (counted,) = state_folder.rglob(identity.shared)
    marks = [
        identity.shared.encode(),
        identity.own.encode(),
        attempts.TABLE.encode(),
        counted.parent.name.encode(),
    ]
    assert any(mark in counted.read_bytes() for mark in marks)
    assert agents.attempts.count(identity).pin == 1

    offices = Office(), Office()
    with Store.open(home.store) as store:
        assert store.head() == head, "nothing is written where it would be sent from"
        made = make(store, 1, head.seq, [office.key for office in offices], tmp_path / "out")
    opened = open_bundle(made.path, offices[0].identity, into=tmp_path / "in")
    export(home.store, tmp_path / "store.zip")
    with zipfile.ZipFile(tmp_path / "store.zip") as archive:
        exported = [name.encode() + archive.read(name) for name in archive.namelist()]
    kept = [path.read_bytes() for path in home.path.rglob("*") if path.is_file()]
    for content in (*opened.entries, *exported, *kept):
        assert not any(mark in content for mark in marks)
    assert opened.files == {}

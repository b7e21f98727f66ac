"""What the count of wrong PINs keeps, of whom, and what it takes for the worst; no token is needed for it."""

from __future__ import annotations

import datetime
import errno
import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from fieldkit.certificate.identity import Identity
from fieldkit.journal.errors import StoreDamaged
from fieldkit.journal.files import OS
from fieldkit.journal.store import Store
from fieldkit.token import attempts, errors, guard
from fieldkit.token.attempts import (
    EARLIER,
    UNKNOWN,
    Attempts,
    FailureCount,
    TokenIdentity,
    identify,
    recorded,
)
from fieldkit.token.model import Token, Unblock

READY = guard.TOKEN_INITIALIZED | guard.USER_PIN_INITIALIZED | guard.LOGIN_REQUIRED
TOKEN = Token(
    uri="pkcs11:serial=A1",
    label="ONE",
    serial="A1",
    model="Model",
    manufacturer="Maker",
    module="/m.so",
    modules=("/m.so",),
    slot=0,
    initialized=True,
    login_required=True,
    pin_state="ok",
    raw_label=b"ONE",
    raw_serial=b"A1",
    flags=READY,
)
UNNUMBERED = msgspec.structs.replace(TOKEN, serial="", raw_serial=b"")


def other(token: Token = TOKEN, **changes: object) -> Token:
    return msgspec.structs.replace(token, **changes)


def fail(counts: Attempts, identity: TokenIdentity, *, so: bool = False, times: int = 1) -> None:
    for _ in range(times):
        with counts.held(identity) as held:
            held.add(so=so)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "count"


@pytest.fixture
def counts(folder: Path) -> Attempts:
    return Attempts(folder)


def test_failures_of_the_pin_and_of_the_so_pin_are_two_counts_that_another_program_reads(
    counts: Attempts, folder: Path
) -> None:
    token = identify(TOKEN)
    assert counts.count(token) == FailureCount(0, 0)
    fail(counts, token, times=2)
    fail(counts, token, so=True)
    assert Attempts(folder).count(token) == FailureCount(2, 1)
    assert (FailureCount(2, 1).of(so=False), FailureCount(2, 1).of(so=True)) == (2, 1)
    with Attempts(folder).held(token) as held:
        assert (held.failures(so=False), held.failures(so=True)) == (2, 1)
        held.take_back(so=False)
    assert counts.count(token) == FailureCount(1, 1)
    with counts.held(token) as held:
        held.clear(so=True)
    assert counts.count(token) == FailureCount(1, 0)
    with counts.held(token) as held:
        held.clear(so=False)
        held.take_back(so=False)
        assert held.failures(so=False) == 0, "nothing is not less than nothing"
    assert counts.count(token) == FailureCount(0, 0)


@pytest.mark.parametrize(
    "spelled",
    [
        {"raw_serial": b"a1"},
        {"raw_serial": b"00A1"},
        {"raw_serial": b"a:1"},
        {"manufacturer": " maker "},
        {"model": "MODEL"},
    ],
)
def test_another_spelling_is_the_same_token(counts: Attempts, spelled: dict[str, object]) -> None:
    fail(counts, identify(TOKEN))
    with counts.held(identify(other(**spelled))) as held:
        assert held.failures(so=False) == 1
        held.clear(so=False)
    assert counts.count(identify(TOKEN)).pin == 0


@pytest.mark.parametrize("changed", [{"manufacturer": "X"}, {"model": "X"}, {"raw_label": b"X"}])
def test_another_name_with_the_same_number_counts_here_and_clears_nothing_unless_confirmed(
    counts: Attempts, changed: dict[str, object]
) -> None:
    fail(counts, identify(TOKEN))
    named = identify(other(**changed))
    with counts.held(named) as held:
        assert held.failures(so=False) == 1
        held.clear(so=False)
    assert counts.count(named).pin == 1
    with counts.held(named) as held:
        held.add(so=False)
        held.clear(so=False, counted=True)
    assert counts.count(named).pin == 1, "only what was counted of itself is over"
    with counts.held(named) as held:
        held.clear(so=False, everywhere=True)
    assert counts.count(named).pin == 0


def test_tokens_with_other_numbers_have_nothing_to_do_with_one_another(counts: Attempts) -> None:
    fail(counts, identify(TOKEN))
    assert counts.count(identify(other(raw_serial=b"A2"))).pin == 0


@pytest.mark.parametrize("changed", [{"manufacturer": "X"}, {"model": "X"}])
def test_tokens_without_a_number_are_told_apart_by_kind_only(
    counts: Attempts, changed: dict[str, object]
) -> None:
    fail(counts, identify(UNNUMBERED))
    assert counts.count(identify(other(UNNUMBERED, **changed))).pin == 0
    alike = identify(other(UNNUMBERED, raw_label=b"X"))
    with counts.held(alike) as held:
        held.add(so=False)
        assert held.failures(so=False) == 2
        held.clear(so=False, counted=True, everywhere=True)
    assert counts.count(alike).pin == 1, "its own failure alone"


def cut(content: bytes) -> bytes:
    return content[:-1]


def longer(content: bytes) -> bytes:
    return content + b" "


def changed(content: bytes) -> bytes:
    return content.replace(b"1", b"0", 1)


def sealed(body: bytes) -> bytes:
    return body.ljust(attempts.SIZE - 64) + hashlib.sha256(body).hexdigest().encode()


def of_another(content: bytes) -> bytes:
    return sealed(json.dumps({"key": "another", "failures": []}).encode())


def of_another_shape(content: bytes) -> bytes:
    return sealed(b"[]")


@pytest.mark.parametrize("harm", [cut, longer, changed, of_another, of_another_shape])
def test_a_file_that_is_not_as_it_was_written_may_have_counted_anything(
    counts: Attempts, folder: Path, harm: Callable[[bytes], bytes]
) -> None:
    token = identify(TOKEN)
    fail(counts, token)
    path = folder / token.shared
    path.write_bytes(harm(path.read_bytes()))
    assert (counts.count(token).of(so=False), counts.count(token).of(so=True)) == (None, None)
    with counts.held(token) as held:
        assert held.failures(so=False) is None
        held.add(so=False)
    assert counts.count(token) == FailureCount(UNKNOWN + 1, UNKNOWN)
    with counts.held(token) as held:
        held.clear(so=False)
    assert counts.count(token) == FailureCount(0, UNKNOWN)


def test_a_count_that_leads_elsewhere_is_not_followed(counts: Attempts, folder: Path, tmp_path: Path) -> None:
    token = identify(TOKEN)
    fail(counts, token)
    path = folder / token.shared
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert counts.count(token).of(so=False) is None
    with counts.held(token) as held:
        assert held.failures(so=False) is None


def test_counts_are_the_account_s_alone_and_files_wait_for_a_full_disk(
    counts: Attempts, folder: Path
) -> None:
    assert counts.count(identify(TOKEN)).trouble == ""
    if os.name == "posix":
        assert folder.stat().st_mode & 0o077 == 0
        assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())
    spares = [path for path in folder.iterdir() if path.name.startswith("spare-")]
    assert [path.stat().st_size for path in spares] == [attempts.SIZE] * attempts.SPARES


def test_names_that_no_longer_fit_into_the_file_are_not_forgotten_but_refused(counts: Attempts) -> None:
    token = identify(TOKEN)
    numbers = iter(range(100))

    def fill() -> None:
        for number in numbers:
            fail(counts, identify(other(raw_label=str(number).encode())))

    with pytest.raises(OSError, match="large") as caught:
        fill()
    assert (caught.value.errno, caught.value.strerror) == (errno.EFBIG, os.strerror(errno.EFBIG))
    kept = 99 - len(list(numbers))
    assert 5 < kept < 99
    assert counts.count(token).pin == kept
    with counts.held(identify(TOKEN)) as held:
        held.clear(so=False, everywhere=True)
    assert counts.count(token).pin == 0


def test_a_count_fills_its_file_to_the_last_byte_and_is_refused_beyond(
    counts: Attempts, folder: Path
) -> None:
    room = attempts.SIZE - 64
    body = json.dumps({"key": "shared", "failures": [["own", 1, 0, [], [""]]]}, separators=(",", ":"))
    for more, fits in ((0, True), (1, False)):
        longest = TokenIdentity("shared", "own", True, "", ("x" * (room - len(body) + more),))
        if fits:
            fail(counts, longest)
            assert (folder / "shared").read_bytes()[room - 1 : room] == b"}"
            assert counts.count(longest) == FailureCount(1)
            with counts.held(longest) as held:
                held.clear(so=False)
        else:
            with pytest.raises(OSError, match="large"):
                fail(counts, longest)


def test_an_account_without_a_folder_leaves_nothing_where_it_happens_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    counts = Attempts(Path())
    counts.adopt("a store", lambda: {"A1": 1})
    assert counts.count(identify(TOKEN)).trouble == os.strerror(errno.ENOENT)
    assert list(tmp_path.iterdir()) == []


def test_what_a_store_had_counted_is_added_once_by_serial_number(counts: Attempts, folder: Path) -> None:
    token = identify(TOKEN)
    asked: list[int] = []

    def earlier() -> dict[str, int]:
        asked.append(1)
        return {"A1": 2, "A1:so": 1, "another": 5}

    counts.adopt("store", earlier)
    counts.adopt("store", earlier)
    Attempts(folder).adopt("store", earlier)
    assert len(asked) == 1
    assert Attempts(folder).count(token) == FailureCount(2, 1)
    with counts.held(token) as held:
        held.clear(so=False)
    assert Attempts(folder).count(token) == FailureCount(0, 1)
    counts.adopt("another store", lambda: {"A1": 1})
    assert Attempts(folder).count(token) == FailureCount(1, 1)
    assert Attempts(folder).count(identify(UNNUMBERED)) == FailureCount(0, 0)


def test_what_release_0_1_kept_in_a_store_is_read_there_unless_some_of_it_may_be_lost(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store") as store:
        assert recorded(store) == {}
        store.db.table("pin_attempts").insert_multiple(
            [
                {"key": "A1", "count": 2},
                {"key": "A1:so", "count": 1},
                {"key": "B1", "count": 0},
                {"key": "C1"},
            ]
        )
        assert recorded(store) == {"A1": 2, "A1:so": 1}
    (journal,) = (tmp_path / "store").glob("journal-*.fkj")
    journal.write_bytes(journal.read_bytes().replace(b"pin_attempts", b"pin_attempt5", 1))
    with Store.open(tmp_path / "store") as store, pytest.raises(StoreDamaged) as caught:
        recorded(store)
    assert str(caught.value)


def test_what_a_store_had_counted_of_a_token_without_a_number_is_found_by_its_address(
    counts: Attempts,
) -> None:
    counts.adopt("store", lambda: {UNNUMBERED.uri: 2})
    assert counts.count(identify(UNNUMBERED)) == FailureCount(2, 0)


@pytest.mark.parametrize("error", [OSError, LookupError, TypeError, ValueError])
def test_a_store_that_cannot_be_read_now_may_have_counted_anything_until_it_can(
    counts: Attempts, folder: Path, error: type[Exception]
) -> None:
    def unreadable() -> dict[str, int]:
        raise error

    token = identify(TOKEN)
    counts.adopt("store", unreadable)
    assert counts.count(token) == FailureCount(UNKNOWN, UNKNOWN)
    again = Attempts(folder)
    again.adopt("store", lambda: {"A1": 1})
    assert again.count(token) == FailureCount(1, 0)


def test_what_was_taken_over_and_is_damaged_may_have_counted_anything(counts: Attempts, folder: Path) -> None:
    counts.adopt("store", lambda: {"A1": 1})
    (folder / EARLIER).write_bytes(b"{")
    token = identify(TOKEN)
    assert Attempts(folder).count(token) == FailureCount(UNKNOWN, UNKNOWN)
    again = Attempts(folder)
    with again.held(token) as held:
        held.clear(so=False)
    assert Attempts(folder).count(token) == FailureCount(0, UNKNOWN), "once is enough"
    (folder / EARLIER).write_bytes(b"{{")
    assert Attempts(folder).count(token) == FailureCount(UNKNOWN, UNKNOWN), "once for each damage"


def test_a_failure_counts_before_the_pin_is_sent_and_ends_when_the_token_takes_it(counts: Attempts) -> None:
    token = identify(TOKEN)

    def attempt(*, confirmed: bool = False, so: bool = False, flags: int = READY) -> guard.PinAttempt:
        return guard.PinAttempt(other(flags=flags), held, 3, token, so=so, confirmed_last_try=confirmed)

    for so in (False, True):
        for expected in (1, 2):
            with counts.held(token) as held:
                attempt(so=so).begin()
            assert (counts.count(token).so if so else counts.count(token).pin) == expected
        with counts.held(token) as held, pytest.raises(errors.PinFinalTry):
            attempt(so=so).begin()
        with counts.held(token) as held:
            one = attempt(so=so, confirmed=True)
            one.begin()
            assert one.counted
            one.not_judged()
            assert not one.counted
            one.not_judged()
        assert (counts.count(token).so if so else counts.count(token).pin) == 2
    with counts.held(token) as held:
        one = attempt(so=True, confirmed=True)
        one.begin()
        one.accepted()
        assert not one.counted
    assert counts.count(token) == FailureCount(2, 0)
    with counts.held(token) as held:
        one = attempt(so=True)
        one.begin()
        one.erased()
    assert counts.count(token) == FailureCount(0, 0)
    with counts.held(token) as held, pytest.raises(errors.PinLocked):
        attempt(confirmed=True, flags=READY | guard.LOCKED).begin()
    with counts.held(token) as held, pytest.raises(errors.TokenNotInitialized):
        attempt(flags=guard.TOKEN_INITIALIZED | guard.LOGIN_REQUIRED).begin()
    assert counts.count(token) == FailureCount(0, 0)


class Disk:
    """The disk, on which calls can be refused or answered otherwise."""

    def __init__(self) -> None:
        self.refused: dict[str, OSError] = {}
        self.answers: dict[str, list[object]] = {}

    def __getattr__(self, name: str) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            if name in self.refused:
                raise self.refused[name]
            answers = self.answers.get(name)
            if not answers:
                return getattr(OS, name)(*arguments, **options)
            answer = answers.pop(0)
            return answer() if callable(answer) else answer

        return call


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(attempts, "OS", disk)
    monkeypatch.setattr(attempts, "POLL", 0.001)
    return disk


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def spares(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("spare-"))


def test_a_full_disk_counts_for_new_tokens_too_while_spares_last_and_makes_new_ones_afterwards(
    counts: Attempts, folder: Path, disk: Disk
) -> None:
    fail(counts, identify(TOKEN))
    before = [(folder / name).read_bytes() for name in spares(folder)]
    fail(counts, identify(UNNUMBERED))
    assert [(folder / name).read_bytes() for name in spares(folder)] == before, "they are not made twice"
    disk.refused["open"] = disk.refused["sync"] = FULL
    assert counts.count(identify(other(raw_serial=b"B0"))).trouble == FULL.strerror
    del disk.refused["sync"]
    names = [f"B{number}".encode() for number in range(attempts.SPARES)]
    for left, name in enumerate(names, 1):
        token = identify(other(raw_serial=name))
        fail(counts, token)
        assert Attempts(folder).count(token) == FailureCount(1)
        assert len(spares(folder)) == attempts.SPARES - left
    last = identify(other(raw_serial=b"C1"))
    assert counts.count(last).of(so=False) is None
    assert counts.count(last).trouble == FULL.strerror
    with counts.held(last) as held:
        assert held.failures(so=False) is None
        assert held.trouble == FULL.strerror
        held.add(so=False)
    del disk.refused["open"]
    assert counts.count(last) == FailureCount()
    assert spares(folder) == [f"spare-{number}" for number in range(attempts.SPARES)]
    assert [counts.count(identify(other(raw_serial=name))).pin for name in names] == [1] * attempts.SPARES


def test_a_disk_that_says_no_in_no_words_is_called_by_its_error(counts: Attempts, disk: Disk) -> None:
    disk.refused["lock"] = OSError()
    assert counts.count(identify(TOKEN)).trouble == "OSError"


def test_who_makes_a_count_while_another_does_waits_and_gives_up(
    counts: Attempts, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.answers["lock"] = [False, False]
    assert counts.count(identify(TOKEN)) == FailureCount()
    monkeypatch.setattr(attempts, "WAIT", -1)
    disk.answers["lock"] = [False]
    assert counts.count(identify(other(raw_serial=b"A2"))).trouble == os.strerror(errno.EAGAIN)


def test_who_waited_to_make_a_count_takes_the_one_that_another_made_meanwhile(
    counts: Attempts, folder: Path, disk: Disk
) -> None:
    def counted_by_another() -> bool:
        fail(Attempts(folder), identify(TOKEN))
        return False

    disk.answers["lock"] = [counted_by_another]
    assert counts.count(identify(TOKEN)) == FailureCount(1)


def test_who_enters_a_pin_while_another_does_waits_and_gives_up(
    counts: Attempts, folder: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = identify(TOKEN)
    fail(counts, token)
    disk.answers["lock"] = [False, False]
    fail(counts, token)
    assert counts.count(token).pin == 2
    monkeypatch.setattr(attempts, "WAIT", 0.01)
    with counts.held(token), pytest.raises(errors.PinInUse) as caught, Attempts(folder).held(token):
        pass
    assert caught.value.unchanged is not None
    assert caught.value.hint is not None
    with Attempts(folder).held(token) as held:
        assert held.failures(so=False) == 2


def test_a_count_that_is_removed_while_one_waits_for_it_is_begun_anew_and_held(
    counts: Attempts, folder: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "WAIT", 0.01)
    token = identify(TOKEN)
    fail(counts, token)
    path = folder / token.shared

    def removed() -> bool:
        path.unlink()
        return True

    def replaced() -> bool:
        path.with_name("fresh").write_bytes(path.read_bytes())
        path.with_name("fresh").replace(path)
        return True

    for harm, before in ((replaced, 1), (removed, 0)):
        disk.answers["lock"] = [harm]
        with counts.held(token) as held:
            assert held.failures(so=False) == before
            with pytest.raises(errors.PinInUse), Attempts(folder).held(token):
                pass
            held.add(so=False)
            started = subprocess.Popen(["sleep", "60"], close_fds=False)
        assert Attempts(folder).count(token).pin == before + 1
        held_again = Attempts(folder)
        with held_again.held(token) as held:
            held.clear(so=False)
            held.add(so=False)
        started.kill()
        started.wait()


def test_what_is_half_written_is_read_again_and_is_damage_only_when_it_stays(
    counts: Attempts, disk: Disk
) -> None:
    token = identify(TOKEN)
    fail(counts, token)
    disk.answers["read_at"] = [b"{"] * (attempts.READINGS - 1)
    assert counts.count(token) == FailureCount(1)
    disk.answers["read_at"] = [b"{"] * attempts.READINGS
    assert counts.count(token).trouble == attempts.DAMAGED
    assert counts.count(token) == FailureCount(1)


def test_a_failure_that_cannot_be_written_is_told_and_one_that_cannot_be_taken_back_stays(
    counts: Attempts, disk: Disk
) -> None:
    token = identify(TOKEN)
    fail(counts, token, times=2)
    with counts.held(token) as held:
        disk.refused["sync"] = FULL
        with pytest.raises(OSError, match="space"):
            held.add(so=False)
    del disk.refused["sync"]
    assert counts.count(token).pin == 3, "it may have been written"
    for over in ("take_back", "clear"):
        with counts.held(token) as held:
            disk.refused["write_at"] = FULL
            getattr(held, over)(so=False)
        del disk.refused["write_at"]
        assert counts.count(token).pin == 3


def test_a_count_that_cannot_be_read_now_is_not_written_over(counts: Attempts, disk: Disk) -> None:
    token = identify(TOKEN)
    fail(counts, token, times=2)
    disk.refused["read_at"] = FULL
    with counts.held(token) as held:
        assert held.failures(so=False) is None
        held.add(so=False)
    del disk.refused["read_at"]
    assert counts.count(token).pin == 2


def test_what_was_taken_over_and_cannot_be_kept_is_taken_over_again_the_next_time(
    counts: Attempts, folder: Path, disk: Disk
) -> None:
    token = identify(TOKEN)
    assert counts.count(token).pin == 0
    disk.refused["open"] = FULL
    counts.adopt("store", lambda: {"A1": 1})
    assert counts.count(token).pin == 1
    del disk.refused["open"]
    assert Attempts(folder).count(token).pin == 0
    again = Attempts(folder)
    again.adopt("store", lambda: {"A1": 1})
    assert Attempts(folder).count(token).pin == 1


def test_counts_that_are_over_leave_room_for_others(counts: Attempts, folder: Path) -> None:
    for number in range(100):
        named = identify(other(raw_label=str(number).encode()))
        with counts.held(named) as held:
            held.add(so=False)
            held.take_back(so=False)
    (path,) = [path for path in folder.iterdir() if path.name == identify(TOKEN).shared]
    assert path.stat().st_size == attempts.SIZE
    assert counts.count(identify(TOKEN)) == FailureCount()


@pytest.fixture
def somebody(state_folder: Path) -> Path:
    """Where an account counts that becomes root. Its home is beside this account's."""
    if os.geteuid() != 0:
        pytest.skip("only root was somebody else before")
    home = state_folder.parents[3] / "1"
    home.mkdir()
    os.chown(home, 1, 1)
    return home / ".local" / "state" / "fieldkit" / "pin-attempts"


def test_root_counts_with_whoever_became_root_in_files_that_are_theirs(
    state_folder: Path, somebody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = identify(TOKEN)
    fail(Attempts(), token)
    fail(Attempts(), token, so=True)
    monkeypatch.setenv("SUDO_UID", "1")
    Attempts().adopt("a store", lambda: {"another": 1})
    with Attempts().held(token) as held:
        assert (held.failures(so=False), held.failures(so=True)) == (1, 1)
        held.add(so=False)
        assert held.failures(so=False) == 2
    assert Attempts().count(token) == FailureCount(2, 1)
    assert Attempts(somebody).count(token) == FailureCount(1), "without sudo it counts on there"
    made = [somebody.parents[2], *somebody.parents[2].rglob("*")]
    assert len(made) == 5 + 3 + attempts.SPARES - 1
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made if path.name != "lock"} == {(1, 1)}
    assert {path.stat().st_uid for path in (state_folder, *state_folder.rglob("*"))} == {0}
    with Attempts().held(token) as held:
        held.clear(so=False)
    assert Attempts().count(token) == FailureCount(0, 1)
    with Attempts().held(token) as held:
        held.clear(so=True)
    monkeypatch.delenv("SUDO_UID")
    assert Attempts().count(token) == FailureCount()


def test_root_gives_away_nothing_that_whoever_became_root_puts_in_the_place_of_a_count(
    somebody: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SUDO_UID", "1")
    Attempts().count(identify(UNNUMBERED))
    victim = tmp_path / "root's"
    victim.touch()
    path = somebody / identify(TOKEN).shared

    def put_a_link() -> None:
        path.unlink()
        path.symlink_to(victim)

    disk.answers["sync_folder"] = [put_a_link]
    assert Attempts().count(identify(TOKEN)).of(so=False) is None
    assert victim.stat().st_uid == 0


@pytest.mark.parametrize("confirmed", [False, True])
def test_who_typed_the_serial_number_clears_other_names_in_root_s_own_count_too(
    somebody: Path, monkeypatch: pytest.MonkeyPatch, confirmed: bool
) -> None:
    fail(Attempts(), identify(other(model="X")))
    monkeypatch.setenv("SUDO_UID", "1")
    with Attempts().held(identify(TOKEN)) as held:
        held.clear(so=False, everywhere=confirmed)
    assert Attempts().count(identify(TOKEN)).pin == (0 if confirmed else 1)


@pytest.mark.parametrize("state", ["no home", "led elsewhere"])
def test_where_the_count_of_whoever_became_root_is_not_known_any_try_may_be_the_last(
    somebody: Path, monkeypatch: pytest.MonkeyPatch, state: str, tmp_path: Path
) -> None:
    home = somebody.parents[3]
    if state == "no home":
        home.rmdir()
    else:
        (home / ".local").symlink_to(tmp_path)
    monkeypatch.setenv("SUDO_UID", "1")
    token = identify(TOKEN)
    assert Attempts().count(token).of(so=False) is None
    with Attempts().held(token) as held:
        assert held.failures(so=False) is None
        assert held.trouble == os.strerror(errno.ENOENT)
    assert not (tmp_path / "state").exists()


def test_where_root_s_own_count_is_damaged_any_try_of_whoever_became_root_may_be_the_last(
    state_folder: Path, somebody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = identify(TOKEN)
    fail(Attempts(), token)
    (state_folder / "pin-attempts" / token.shared).write_bytes(b"{")
    monkeypatch.setenv("SUDO_UID", "1")
    assert Attempts().count(token).trouble == attempts.DAMAGED
    with Attempts().held(token) as held:
        assert held.trouble == attempts.DAMAGED
        assert held.failures(so=False) is None


MakeIdentity = Callable[..., Identity]


def test_a_token_is_known_again_by_a_certificate_of_its_own_and_not_by_an_authority_s(
    counts: Attempts, identity: MakeIdentity
) -> None:
    one, another = identity("rsa:2048"), identity("ec:p256")
    (authority,) = one.chain
    fail(counts, identify(TOKEN, [one.certificate, authority]))
    fail(counts, identify(TOKEN, [one.certificate, authority]), so=True)
    with counts.held(identify(TOKEN, [another.certificate, authority])) as held:
        held.clear(so=False, everywhere=True)
    assert counts.count(identify(TOKEN)).pin == 1
    renamed = other(manufacturer="Another name", raw_label=b"Another")
    with counts.held(identify(renamed, [one.certificate, another.certificate])) as held:
        held.clear(so=False)
    assert counts.count(identify(TOKEN)).pin == 0
    with counts.held(identify(TOKEN)) as held:
        held.clear(so=True)
    assert counts.count(identify(TOKEN)).so == 1, "whether it was this one nobody can tell"
    with counts.held(identify(TOKEN)) as held:
        held.clear(so=True, everywhere=True)
    assert counts.count(identify(TOKEN)).so == 0


def test_a_token_that_was_known_by_a_certificate_is_none_without_it_and_another_may_be_any(
    identity: MakeIdentity,
) -> None:
    one, another = identity("rsa:2048").certificate, identity("ec:p256").certificate
    known = identify(TOKEN, [one])
    assert known.may_hold([another, one])
    assert not known.may_hold([another])
    assert not known.may_hold([])
    assert identify(TOKEN).may_hold([one])
    assert identify(TOKEN).may_hold([])


def plain_certificate(subject: str, issuer: str) -> bytes:
    """A certificate without extensions, which says nothing of authorities."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    made = x509.CertificateBuilder(names[1], names[0], key.public_key(), 1, now, now + datetime.timedelta(1))
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_a_holder_s_certificates_tell_tokens_apart_and_no_more_than_a_few_of_them(
    identity: MakeIdentity,
) -> None:
    own, signed = identity("ec:p256").certificate, plain_certificate("Holder", "Authority")
    several = [plain_certificate(f"Holder {number}", "Authority") for number in range(6)]
    digests = sorted(hashlib.sha256(certificate).hexdigest()[:16] for certificate in (own, signed))
    many = sorted(hashlib.sha256(certificate).hexdigest()[:16] for certificate in several)
    root = plain_certificate("Authority", "Authority")
    for token in (TOKEN, UNNUMBERED):
        assert identify(token, [own, signed, root, b"none"]).certificates == tuple(digests)
        assert identify(token, several).certificates == tuple(many[: attempts.SOME])
        assert identify(token).certificates == ()


CODES = [
    ("PIN", False, "unknown"),
    ("SO PIN", True, "so-pin"),
    ("SO PIN", True, "unknown"),
    ("PUK", True, "puk"),
]


@pytest.mark.parametrize(("name", "so", "unblock"), CODES)
def test_each_refusal_names_the_code_and_says_what_is_left_and_what_to_do(
    name: str, so: bool, unblock: str
) -> None:
    def in_state(state: str) -> Token:
        states = {"pin_state": "locked", "so_pin_state": "locked", "unblock": unblock}
        return other(**states | {"so_pin_state" if so else "pin_state": state})

    for left, words in (
        ("final", "One attempt is left; after that " + ("it locks for good" if so else "the PIN is locked")),
        ("low", "Few attempts are left before " + ("it locks for good" if so else "the PIN is locked")),
        ("ok", "More attempts are left"),
        ("default", "More attempts are left"),
    ):
        wrong = guard.incorrect(in_state(left), so=so)
        assert isinstance(wrong, errors.PinIncorrect)
        assert str(wrong).startswith(f"The {name} is wrong. {words}")
        assert f"Check the {name}," in str(wrong.hint)
        assert (wrong.data["left"], str(wrong.unchanged)) == (left, "Nothing was changed on the token.")
    locked = guard.incorrect(other(pin_state="ok", so_pin_state="ok", unblock=unblock), so=not so)
    assert isinstance(locked, errors.PinIncorrect), "the other code's state is of no matter"
    locked = guard.incorrect(in_state("locked"), so=so)
    assert isinstance(locked, errors.PinLocked)
    assert str(locked).startswith(f"The {name} of the token ONE is locked")
    assert str(locked.unchanged) == "Nothing was changed on the token."
    vague = guard.unexplained(TOKEN if not so else in_state("ok"), so=so, detail="CKR_GENERAL_ERROR")
    assert f"refused the {name} without saying why" in str(vague)
    assert "ONE" in str(vague)
    assert f"Check the {name}," in str(vague.hint)
    assert (vague.detail, str(vague.unchanged)) == ("CKR_GENERAL_ERROR", "Nothing was changed on the token.")
    final = guard.final_try(in_state("final"), so=so)
    assert "ONE" in str(final)
    assert name in str(final)
    assert ("for good" in str(final)) == so
    assert str(final.unchanged) == f"The {name} was not sent to the token."
    assert str(final.hint).startswith(f"Make sure of the {name}.")
    assert final.data["serial"] == "A1"


@pytest.mark.parametrize("unblock", get_args(Unblock))
def test_a_locked_pin_is_opened_by_what_opens_pins_of_its_kind_and_a_locked_code_by_the_issuer_alone(
    unblock: Unblock,
) -> None:
    token = other(unblock=unblock)
    assert guard.locked(token, so=False).hint == guard.OPENS[unblock]
    assert "issuer" in str(guard.locked(token, so=True).hint)


@pytest.mark.parametrize("so", [False, True])
def test_a_token_shows_by_graver_flags_alone_that_it_judged_a_pin(so: bool) -> None:
    shift = guard.SO_SHIFT if so else 0
    ladder = [0, guard.COUNT_LOW, guard.FINAL_TRY, guard.LOCKED]
    for before, first in enumerate(ladder):
        for after, second in enumerate(ladder):
            tokens = [other(flags=READY | flags << shift, pin_state="ok") for flags in (first, second)]
            assert guard.worse(*tokens, so=so) == (after > before)
            other_code = [
                other(flags=READY | flags << (0 if so else guard.SO_SHIFT)) for flags in (first, second)
            ]
            assert not guard.worse(*other_code, so=so)
    changed = other(flags=READY | guard.TO_BE_CHANGED << shift)
    empty = other(flags=0)
    for odd in (changed, empty):
        assert not guard.worse(TOKEN, odd, so=so)
        assert not guard.worse(odd, other(flags=READY | guard.LOCKED << shift), so=so)


def test_an_attempt_that_cannot_be_counted_passes_only_if_confirmed_and_says_why(
    counts: Attempts, disk: Disk
) -> None:
    token = identify(TOKEN)
    fail(counts, token)

    def attempt(*, confirmed: bool = False, so: bool = False) -> guard.PinAttempt:
        return guard.PinAttempt(TOKEN, held, 3, token, so=so, confirmed_last_try=confirmed)

    for error, words in ((FULL, "No space"), (OSError(), "OSError")):
        for so in (False, True):
            with counts.held(token) as held:
                disk.refused["write_at"] = error
                one = attempt(so=so)
                with pytest.raises(errors.PinFinalTry, match=words) as caught:
                    one.begin()
                assert not one.counted
                assert "cannot be counted" in str(caught.value)
                assert "ONE" in str(caught.value)
                assert str(caught.value.unchanged) == "The PIN was not sent to the token."
                assert "serial number" in str(caught.value.hint)
                assert caught.value.data["serial"] == "A1"
                attempt(so=so, confirmed=True).begin()
                del disk.refused["write_at"]
    assert counts.count(token) == FailureCount(1)


def test_the_last_attempt_says_whether_it_is_the_token_s_or_what_was_counted_is_lost(
    counts: Attempts, folder: Path
) -> None:
    token = identify(TOKEN)

    def refusal(so: bool = False) -> errors.PinFinalTry:
        with counts.held(token) as held, pytest.raises(errors.PinFinalTry) as caught:
            guard.PinAttempt(TOKEN, held, 3, token, so=so, confirmed_last_try=False).begin()
        return caught.value

    fail(counts, token, times=2)
    assert str(refusal()) == str(guard.final_try(TOKEN, so=False))
    fail(counts, token, so=True, times=2)
    assert str(refusal(so=True)) == str(guard.final_try(TOKEN, so=True))
    counts.adopt("a store", lambda: {"A1": UNKNOWN})
    assert "cannot be read" in str(refusal())
    assert str(refusal(so=True)) == str(guard.final_try(TOKEN, so=True))
    (folder / token.shared).write_bytes(b"")
    assert "damaged" in str(refusal())
    with counts.held(token) as held:
        one = guard.PinAttempt(TOKEN, held, 3, token, so=False, confirmed_last_try=True)
        one.begin()
        assert one.counted, "who confirmed it may use it"


def test_a_token_without_structure_may_have_an_so_pin_that_is_tried(counts: Attempts) -> None:
    blank = other(initialized=False, flags=guard.LOCKED << guard.SO_SHIFT)
    token = identify(blank)

    def attempt(so: bool = True, of: Token = blank) -> guard.PinAttempt:
        return guard.PinAttempt(of, held, 3, token, so=so, confirmed_last_try=False)

    with counts.held(token) as held:
        attempt().begin(blank=True)
        with pytest.raises(errors.TokenNotInitialized) as caught:
            attempt().begin()
        assert "ONE" in str(caught.value)
        with pytest.raises(errors.PinLocked):
            attempt(of=other(flags=READY | guard.LOCKED << guard.SO_SHIFT)).begin(blank=True)
    assert counts.count(token) == FailureCount(0, 1)


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_right_pin_ends_the_count_of_other_names_only_where_the_serial_number_was_typed(
    counts: Attempts, confirmed: bool
) -> None:
    token, alias = identify(TOKEN), identify(other(model="X"))
    for so in (False, True):
        fail(counts, alias, so=so)
    with counts.held(token) as held:
        one = guard.PinAttempt(TOKEN, held, 9, token, so=True, confirmed_last_try=confirmed)
        assert (one.token, one.identity, one.confirmed, one.counted) == (TOKEN, token, confirmed, False)
        one.begin()
        one.accepted()
    assert counts.count(token) == FailureCount(1, 0 if confirmed else 1)
    with counts.held(token) as held:
        one = guard.PinAttempt(TOKEN, held, 9, token, so=True, confirmed_last_try=confirmed)
        one.begin()
        one.erased()
        assert not one.counted
    assert counts.count(token) == (FailureCount(0, 0) if confirmed else FailureCount(1, 1))


def test_a_failure_that_was_never_counted_is_not_taken_back(counts: Attempts) -> None:
    token = identify(TOKEN)
    fail(counts, token, times=2)
    with counts.held(token) as held:
        one = guard.PinAttempt(TOKEN, held, 9, token, so=False, confirmed_last_try=False)
        one.not_judged()
        assert held.failures(so=False) == 2
        one.begin()
        assert held.failures(so=False) == 3
        one.not_judged()
        one.not_judged()
        assert held.failures(so=False) == 2


def test_counts_that_an_earlier_release_wrote_are_read_by_the_names_they_had(folder: Path) -> None:
    shared, own = "ae7be9a1ddddfef10a260c7b5eee396a", "c38c419acd0558144f723d770c72489b"
    assert identify(TOKEN) == TokenIdentity(shared, own, True, "A1")
    nameless = identify(UNNUMBERED)
    assert nameless == TokenIdentity(
        "08771a04d5046935aae2d25fb283e907", "d56c99c2a41464f2fe6ca20195f9d02f", False, UNNUMBERED.uri
    )
    folder.mkdir(parents=True)
    body = b'{"key":"%s","failures":[["%s",2,1,[],[]]]}' % (shared.encode(), own.encode())
    (folder / shared).write_bytes(sealed(body))
    (folder / EARLIER).write_bytes(b'{"00000000":{"pkcs11:serial=A1":1}}')
    assert Attempts(folder).count(identify(TOKEN)) == FailureCount(2, 1)
    assert Attempts(folder).count(nameless) == FailureCount(1)
    store = hashlib.sha256(b"a store").hexdigest()[:16]
    Attempts(folder).adopt("a store", lambda: {"A1": 3})
    kept = json.loads((folder / EARLIER).read_bytes())
    assert kept == {"00000000": {"pkcs11:serial=A1": 1}, store: {"A1": 3}}
    fail(Attempts(folder), identify(TOKEN))
    fail(Attempts(folder), identify(UNNUMBERED))
    written = b'{"key":"%s","failures":[["%s",4,1,["%s"],[]]]}' % (
        shared.encode(),
        own.encode(),
        store.encode(),
    )
    assert (folder / shared).read_bytes() == sealed(written)

"""What the count of wrong PINs keeps, of whom, and what it takes for the worst; no token is needed for it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from fieldkit.token import attempts, errors, guard
from fieldkit.token.attempts import EARLIER, UNKNOWN, Attempts, FailureCount, TokenIdentity, identify
from fieldkit.token.model import Token

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
        assert all(each.stat().st_mode & 0o077 == 0 for each in folder.iterdir())
    spares = [each for each in folder.iterdir() if each.name.startswith("spare-")]
    assert [each.stat().st_size for each in spares] == [attempts.SIZE] * attempts.SPARES


def test_names_that_no_longer_fit_into_the_file_are_not_forgotten_but_refused(counts: Attempts) -> None:
    token = identify(TOKEN)
    for number in range(100):
        try:
            fail(counts, identify(other(raw_label=str(number).encode())))
        except OSError:
            break
    assert 5 < number < 99
    assert counts.count(token).pin == number
    with counts.held(identify(TOKEN)) as held:
        held.clear(so=False, everywhere=True)
    assert counts.count(token).pin == 0


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

"""What a token may say of itself, in every combination: names, flags, files, frames, PINs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldkit.errors import Misused
from fieldkit.home import Home
from fieldkit.profile.load import load
from fieldkit.profile.model import Module, Modules, NamedQuirk, PinPolicy, QuirkId, TokenProfile
from fieldkit.secret import Secret
from fieldkit.text import Words
from fieldkit.token import guard, kinds, library, protocol, quirks, uri
from fieldkit.token.errors import InitialisationNotAllowed
from fieldkit.token.model import Token, Unblock
from fieldkit.token.policy import PinRules, rules_of

MAGIC = [b"", b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe"]
FLAGS = st.integers(0, 2**24 - 1)
LABEL = st.binary(max_size=32).map(lambda raw: raw.split(b"\0", 1)[0].rstrip(b" "))
SERIAL = st.binary(max_size=16).map(lambda raw: raw.split(b"\0", 1)[0].rstrip(b" "))
NAME = st.text(max_size=16).filter(lambda text: text == text.strip())


def token(label: bytes = b"Sample", serial: bytes = b"12ab34cd", slot: int = 0, **more: object) -> Token:
    named = uri.make(
        label=label, serial=serial, model=b"M", manufacturer=b"F", slot=slot if not serial else None
    )
    plain = Token(
        uri=named, label=label.decode("utf-8", "replace"), serial=serial.decode("utf-8", "replace"),
        model="M", manufacturer="F", module="/m.so", modules=("/m.so",), slot=slot, initialized=True,
        login_required=True, pin_state="ok", raw_label=label, raw_serial=serial,
    )  # fmt: skip
    return msgspec.structs.replace(plain, **more)


@given(LABEL, SERIAL, st.integers(0, 2**31))
def test_a_uri_names_its_token_whatever_its_label_is(label: bytes, serial: bytes, slot: int) -> None:
    one = token(label, serial, slot)
    pattern = uri.parse(one.uri)
    assert one.uri.isascii()
    assert pattern is not None
    assert pattern.matches(one)


@given(LABEL, SERIAL, LABEL, SERIAL)
def test_a_uri_names_no_other_token(label: bytes, serial: bytes, label_2: bytes, serial_2: bytes) -> None:
    one, other = token(label, serial), token(label_2, serial_2, 1)
    pattern = uri.parse(one.uri)
    assert pattern is not None
    if (label or serial) and pattern.matches(other):
        assert not label or label == label_2
        assert not serial or serial == serial_2


@given(st.text(max_size=80))
def test_anything_typed_is_a_uri_or_is_none(typed: str) -> None:
    assert uri.parse(typed) is None or typed.lower().startswith("pkcs11:")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (";object=key", "--certificate"),
        (";id=%01", "--certificate"),
        (";type=private", "--certificate"),
        (";library-version=3", "module-path"),
        (";x-vendor=1", "module-path"),
        ("?pin-value=24681357", "--pin-file"),
        ("?module-name=softhsm2", "module-path"),
    ],
)
def test_what_a_uri_asks_for_and_is_not_chosen_by_is_refused_and_never_passed_over(
    more: str, says: str
) -> None:
    named = token().uri + more
    with pytest.raises(Misused) as raised:
        uri.parse(named)
    assert says in str(raised.value.hint)
    assert "24681357" not in str(raised.value.as_dict())


@given(FLAGS, st.integers(0, 20), st.integers(1, 15), st.booleans())
def test_a_count_of_wrong_pins_never_makes_a_state_look_better(
    flags: int, failures: int, tries: int, so: bool
) -> None:
    alone, counted = guard.state(flags, 0, tries, so=so), guard.state(flags, failures, tries, so=so)
    if alone in guard.GRAVITY and counted in guard.GRAVITY:
        assert guard.GRAVITY.index(counted) >= guard.GRAVITY.index(alone)
    has_pin = flags & guard.TOKEN_INITIALIZED and (so or flags & guard.USER_PIN_INITIALIZED)
    if failures >= tries - 1 and failures and alone != "locked" and has_pin:
        assert counted == "final"


@given(
    st.binary(max_size=600),
    st.sampled_from([b"", b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_has_a_header_or_none(tmp_path: Path, content: bytes, magic: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(magic + content)
    assert library.read_header(path).format in ("unknown", "elf", "pe", "mach-o")


@given(st.lists(st.binary(max_size=300), max_size=4), st.binary(max_size=2000))
def test_what_goes_through_the_pipe_comes_out_and_secrets_stay_apart(
    secrets: list[bytes], data: bytes
) -> None:
    pipe = io.BytesIO()
    request = protocol.Sign(1, "ab", "ECDSA", data)
    protocol.write(pipe, request, [Secret(secret) for secret in secrets])
    pipe.seek(0)
    found = protocol.read_request(pipe)
    assert found is not None
    assert found[0] == request
    assert [bytes(each) for each in found[1]] == secrets


@given(st.binary(max_size=60))
def test_whatever_comes_through_the_pipe_is_a_frame_or_an_end_or_refused(data: bytes) -> None:
    try:
        protocol.read_request(io.BytesIO(data))
    except (ValueError, msgspec.DecodeError):
        pass


@given(st.text(max_size=40), st.integers(0, 20), st.integers(0, 40), st.booleans())
def test_a_pin_that_passes_can_be_typed_anywhere(typed: str, least: int, most: int, so: bool) -> None:
    one = token(pin_min=least, pin_max=most)
    rules = PinRules(min=4, classes=("digit",), guessable=False)
    secret = Secret(typed.encode("utf-8", "surrogatepass"))
    complaint = (rules.so_check(one) if so else rules.check(one))(secret)
    if complaint is not None:
        assert str(complaint)
        assert ("SO PIN" in str(complaint)) == so or "SO PIN" not in str(complaint)
        return
    assert typed.isascii()
    assert max(4, least) <= len(typed) <= (most or 255)
    assert len(set(typed)) > 1
    assert so or any(map(str.isdigit, typed))


@pytest.mark.parametrize("so", [True, False])
def test_a_rule_names_the_code_it_is_about(so: bool) -> None:
    one = token()
    rules = PinRules(forbidden=("97531864",), guessable=False)
    check = rules.so_check(one) if so else rules.check(one)
    for typed in ("1", "ế" * 8, "97531864", "12ab34cd", "77777777", "12345678"):
        complaint = str(check(Secret(typed)))
        assert ("SO PIN" in complaint) == so, complaint


def test_a_token_that_nobody_knows_gets_the_strictest_rules() -> None:
    known = load(Home(Path("/nowhere"))).tokens
    rules = rules_of((), known.values())
    check = rules.check(token(pin_min=4, pin_max=32))
    strictest = max(
        known.values(), key=lambda profile: (profile.pin_policy.min, len(profile.pin_policy.classes))
    )
    assert rules.min >= strictest.pin_policy.min
    assert set(rules.classes) >= set(strictest.pin_policy.classes)
    for typed in ("77777777", "12345678", "abcd1234", "Abc123", "1234567890"):
        assert check(Secret(typed)) is not None, typed
    assert check(Secret("Hoa7Sen9")) is None
    assert rules_of([known["softhsm2"]]).check(token(pin_min=4, pin_max=32))(Secret("2468")) is None


def test_rules_are_strict_unless_a_profile_says_otherwise() -> None:
    check = PinRules().check(token(pin_min=4, pin_max=32))
    assert check(Secret("77777777")) is not None
    assert check(Secret("23456789")) is not None


def test_of_two_kinds_of_token_the_strictest_rules_hold() -> None:
    lax = PinPolicy(min=4, max=6, guessable=True, delivery=("Trial12",))
    demanding = PinPolicy(min=7, max=16, classes=("upper", "digit"), delivery=("Deliver1",))
    softhsm2 = load(Home(Path("/nowhere"))).tokens["softhsm2"]
    two = [msgspec.structs.replace(softhsm2, pin_policy=pin_policy) for pin_policy in (lax, demanding)]
    for rules in (rules_of(two), rules_of(two[::-1])):
        check = rules.check(token())
        for typed, words in (
            ("Abc12", "7 to 7"),
            ("Abcdef12", "7 to 7"),
            ("abcdef1", "capital"),
            ("Abcdefg", "a digit"),
            ("Trial12", "delivered"),
        ):
            assert words in str(check(Secret(typed))), typed
        assert check(Secret("Hoa7Sen")) is None
        assert set(rules.forbidden) == {"Trial12", "Deliver1"}
        assert not rules.guessable


def test_every_quirk_that_a_profile_can_name_is_acted_on_and_each_has_a_name() -> None:
    assert set(quirks.QUIRKS) == set(get_args(QuirkId))
    assert all(quirk != quirks.Quirk() for quirk in quirks.QUIRKS.values())


def test_the_quirks_of_a_profile_lie_over_what_else_it_says_and_several_profiles_add_up(
    tmp_path: Path,
) -> None:
    module = tmp_path / "module.so"
    module.touch()
    softhsm2 = load(Home(Path("/nowhere"))).tokens["softhsm2"]

    def kind(*named: QuirkId, tries: int = 0, unblock: Unblock = "unknown") -> TokenProfile:
        return msgspec.structs.replace(
            softhsm2,
            modules=Modules(*[(Module(str(module)),)] * 3),
            pin_policy=PinPolicy(tries=tries, unblock=unblock),
            quirks=tuple(NamedQuirk(name, Words("", "")) for name in named),
        )

    def traits(*profiles: TokenProfile) -> kinds.TokenTraits:
        return kinds.traits(profiles)[str(module)]

    assert (traits(kind()).tries, traits(kind()).wrong_pin, traits(kind()).unblock) == (
        3,
        frozenset(),
        "unknown",
    )
    assert traits(kind(tries=10)).tries == 10
    assert traits(kind("tries-differ", tries=10)).tries == 3
    assert traits(kind("tries-differ", tries=2)).tries == 2
    assert traits(kind(tries=10), kind(tries=5), kind()).tries == 5
    assert traits(kind(unblock="puk"), kind()).unblock == "puk"
    vague = kind("wrong-pin-general-error")
    assert "CKR_GENERAL_ERROR" in traits(vague, vague).wrong_pin
    assert traits(vague, kind()).wrong_pin == frozenset(), "whose error it is nobody can tell"
    one = token(modules=(str(module),))
    kinds.may_initialise(one, [kind()])
    for own, expected in ((kind("personalised"), kind()), (kind(), kind("personalised"))):
        with pytest.raises(InitialisationNotAllowed):
            kinds.may_initialise(one, [own], expected)

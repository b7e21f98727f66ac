"""What a new PIN must be like: by the token's limits and its profile, and never what one would try first."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal

import msgspec

from fieldkit.secret import Secret
from fieldkit.text import M, Message, Said
from fieldkit.token import errors
from fieldkit.token.model import Token, Unblock

if TYPE_CHECKING:
    from fieldkit.profile.model import TokenProfile

Complaint = Callable[[Secret], Said | None]
Rule = Literal["plain", "length", "delivery", "serial", "repeated", "row"]
CLASSES: dict[str, Callable[[str], bool]] = {
    "upper": str.isupper,
    "lower": str.islower,
    "digit": str.isdigit,
    "other": lambda letter: not letter.isalnum(),
}
BROKEN: dict[bool, dict[Rule, Message]] = {  # by rule, of the PIN and of the SO PIN
    False: {
        "plain": M("A PIN may hold only letters without accents, digits and signs of a plain keyboard."),
        "length": M("The PIN must have {least} to {most} characters."),
        "delivery": M("This is the PIN tokens are delivered with; choose another."),
        "serial": M("The PIN must not be the token's serial number."),
        "repeated": M("The PIN must not be one character repeated."),
        "row": M("The PIN must not be digits in a row, like 12345678."),
    },
    True: {
        "plain": M("An SO PIN may hold only letters without accents, digits and signs of a plain keyboard."),
        "length": M("The SO PIN must have {least} to {most} characters."),
        "delivery": M("This is the SO PIN tokens are delivered with; choose another."),
        "serial": M("The SO PIN must not be the token's serial number."),
        "repeated": M("The SO PIN must not be one character repeated."),
        "row": M("The SO PIN must not be digits in a row, like 12345678."),
    },
}
ROWS = ("01234567890123456789", "98765432109876543210")
NAMES: dict[str, Said] = {
    "upper": M("The PIN needs a capital letter."),
    "lower": M("The PIN needs a small letter."),
    "digit": M("The PIN needs a digit."),
    "other": M("The PIN needs a character that is neither letter nor digit."),
}


class PinRules(msgspec.Struct, frozen=True):
    """Rules for a new PIN.

    min, max: characters, besides the token's own limits; max 0 is none. classes: kinds of character
    it must have ("upper", "lower", "digit", "other"). forbidden: delivery PINs that are known.
    guessable: one character repeated, or keys in a row, will do, as on a token for trials.
    """

    min: int = 4
    max: int = 0
    classes: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    guessable: bool = False

    def check(self, token: Token) -> Complaint:
        """What is wrong with a new user PIN for `token`, as a function of the PIN; None if nothing is."""
        return lambda pin: self._complaint(pin, token, so=False)

    def so_check(self, token: Token) -> Complaint:
        """The same for a new SO PIN, of which profiles ask no kinds of character."""
        return lambda pin: self._complaint(pin, token, so=True)

    def _complaint(self, pin: Secret, token: Token, *, so: bool) -> Said | None:
        if not pin and token.protected_path:
            return None
        said = BROKEN[so]
        try:
            text = pin.reveal()
        except UnicodeDecodeError:
            return said["plain"]
        # An accented letter has more than one byte form; the wrong one costs an attempt.
        if not text.isascii() or not text.isprintable():
            return said["plain"]
        least = max(self.min, token.pin_min)
        most = min(filter(None, (self.max, token.pin_max)), default=255)
        if not least <= len(text) <= most:
            return Message(said["length"].text, {"least": least, "most": most})
        for name in () if so else self.classes:
            if name in CLASSES and not any(map(CLASSES[name], text)):
                return NAMES[name]
        if text in self.forbidden:
            return said["delivery"]
        if token.serial and text.lower() in (token.serial.lower(), token.serial.lower()[-len(text) :]):
            return said["serial"]
        if self.guessable:
            return None
        if len(set(text)) == 1:
            return said["repeated"]
        if any(text in row for row in ROWS):
            return said["row"]
        return None


def for_profile(profile: TokenProfile | None, known: Iterable[TokenProfile] = ()) -> PinRules:
    """The rules of a token profile; where there is none, the strictest that any kind of token has.

    known: the profiles there are, whose delivery PINs an unknown token may have come with.
    """
    if profile is None:
        delivered = {pin for each in known for pin in each.pin_policy.delivery}
        return PinRules(min=8, classes=("upper", "lower", "digit"), forbidden=tuple(sorted(delivered)))
    pin_policy = profile.pin_policy
    return PinRules(
        min=pin_policy.min,
        max=pin_policy.max,
        classes=pin_policy.classes,
        forbidden=pin_policy.delivery,
        guessable=pin_policy.guessable,
    )


def profile_of(token: Token, profiles: Iterable[TokenProfile]) -> TokenProfile | None:
    """The profile of the family whose module shows `token`."""
    shown_by = {os.path.realpath(module) for module in token.modules}
    for profile in profiles:
        if shown_by & {os.path.realpath(module) for module in profile.installed_modules()}:
            return profile
    return None


def may_initialise(
    token: Token, profiles: Iterable[TokenProfile], expected: TokenProfile | None = None
) -> None:
    """Let a token be initialised. expected: the kind of token that the bureau is to have.

    :raises InitialisationNotAllowed: tokens of its kind are initialised by their issuer alone.
    """
    for profile in (profile_of(token, profiles), expected):
        if profile is not None and not profile.init:
            raise errors.InitialisationNotAllowed(
                M("Tokens of this kind are initialised by the authority that issues them."),
                unchanged=M("Nothing was changed."),
                hint=M("Answer that the token came personalised, and check it instead."),
            )


def tries(profiles: Iterable[TokenProfile]) -> dict[str, int]:
    """How many wrong PINs the tokens of each installed module allow, where a profile knows."""
    return {
        module: profile.pin_policy.tries
        for profile in profiles
        if profile.pin_policy.tries
        for module in profile.installed_modules()
    }


def unblock(profiles: Iterable[TokenProfile]) -> dict[str, Unblock]:
    """What opens a locked PIN of the tokens of each installed module."""
    return {
        module: profile.pin_policy.unblock for profile in profiles for module in profile.installed_modules()
    }


def demand(complaint: Complaint, pin: Secret) -> None:
    """Let `pin` pass.

    :raises PinPolicy: it does not meet the rules.
    """
    text = complaint(pin)
    if text is not None:
        raise errors.PinPolicyViolated(
            text,
            unchanged=M("Nothing was changed on the token."),
            hint=M("Choose another PIN."),
        )

"""What a new PIN must be like: by the token's limits and its profile, and never what one would try first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from fieldkit.secret import Secret
from fieldkit.text import M, Message
from fieldkit.token import errors
from fieldkit.token.guard import Code, in_words
from fieldkit.token.model import Token

if TYPE_CHECKING:
    from fieldkit.profile.model import CharacterClass, TokenProfile

Complaint = Callable[[Secret], Message | None]
ROWS = ("01234567890123456789", "98765432109876543210")
NO_LIMIT = 255


class PinRules(msgspec.Struct, frozen=True):
    """Rules for a new PIN.

    min, max: characters, besides the token's own limits; max 0 is none. classes: kinds of character
    it must have. forbidden: delivery PINs that are known.
    guessable: one character repeated, or keys in a row, will do, as on a token for trials.
    """

    min: int = 4
    max: int = 0
    classes: tuple[CharacterClass, ...] = ()
    forbidden: tuple[str, ...] = ()
    guessable: bool = False

    def check(self, token: Token) -> Complaint:
        """What is wrong with a new user PIN for `token`, as a function of the PIN; None if nothing is."""
        return lambda pin: self._complaint(pin, token, "pin")

    def so_check(self, token: Token) -> Complaint:
        """The same for a new SO PIN, of which profiles ask no kinds of character."""
        return lambda pin: self._complaint(pin, token, "so-pin")

    def _complaint(self, pin: Secret, token: Token, code: Code) -> Message | None:
        if not pin and token.protected_path:
            return None
        candidate = Candidate(
            pin,
            token,
            self if code == "pin" else msgspec.structs.replace(self, classes=()),
            max(self.min, token.pin_min),
            min(filter(None, (self.max, token.pin_max)), default=NO_LIMIT),
        )
        for rule in RULES:
            if rule.broken(candidate):
                return in_words(rule.message, code, least=candidate.least, most=candidate.most)
        return None


class Candidate(msgspec.Struct, frozen=True):
    """A new PIN before the rules. least, most: characters, by the rules and the token's own limits."""

    pin: Secret
    token: Token
    rules: PinRules
    least: int
    most: int

    @property
    def text(self) -> str:
        return self.pin.reveal()


def _not_plain(candidate: Candidate) -> bool:
    """An accented letter has more than one byte form; the wrong one costs an attempt."""
    try:
        return not candidate.text.isascii() or not candidate.text.isprintable()
    except UnicodeDecodeError:
        return True


def _lacks(name: CharacterClass, is_one: Callable[[str], bool]) -> Callable[[Candidate], bool]:
    return lambda new: name in new.rules.classes and not any(map(is_one, new.text))


def _is_serial_number(candidate: Candidate) -> bool:
    text, serial = candidate.text.lower(), candidate.token.serial.lower()
    return bool(serial) and text in (serial, serial[-len(text) :])


class PinRule(NamedTuple):
    """One rule: who breaks it, and what is said then."""

    broken: Callable[[Candidate], bool]
    message: Message


RULES = (  # in the order in which they are told
    PinRule(
        _not_plain,
        M("The {code} may hold only letters without accents, digits and signs of a plain keyboard."),
    ),
    PinRule(
        lambda new: not new.least <= len(new.text) <= new.most,
        M("The {code} must have {least} to {most} characters."),
    ),
    PinRule(_lacks("upper", str.isupper), M("The {code} needs a capital letter.")),
    PinRule(_lacks("lower", str.islower), M("The {code} needs a small letter.")),
    PinRule(_lacks("digit", str.isdigit), M("The {code} needs a digit.")),
    PinRule(
        _lacks("other", lambda letter: not letter.isalnum()),
        M("The {code} needs a character that is neither letter nor digit."),
    ),
    PinRule(
        lambda new: new.text in new.rules.forbidden,
        M("This is the {code} tokens are delivered with; choose another."),
    ),
    PinRule(_is_serial_number, M("The {code} must not be the token's serial number.")),
    PinRule(
        lambda new: not new.rules.guessable and len(set(new.text)) == 1,
        M("The {code} must not be one character repeated."),
    ),
    PinRule(
        lambda new: not new.rules.guessable and any(new.text in row for row in ROWS),
        M("The {code} must not be digits in a row, like 12345678."),
    ),
)


def strictest(rules: Sequence[PinRules]) -> PinRules:
    """Rules that are met only where all of these are. Lengths that contradict each other: the least holds."""
    least = max(rule.min for rule in rules)
    most = min((rule.max for rule in rules if rule.max), default=0)
    return PinRules(
        min=least,
        max=most and max(least, most),
        classes=tuple(dict.fromkeys(name for rule in rules for name in rule.classes)),
        forbidden=tuple(dict.fromkeys(pin for rule in rules for pin in rule.forbidden)),
        guessable=all(rule.guessable for rule in rules),
    )


def rules_of(kinds: Sequence[TokenProfile], known: Iterable[TokenProfile] = ()) -> PinRules:
    """The strictest rules of these kinds of token; where there is none, of any kind that there is.

    known: the profiles there are, whose delivery PINs an unknown token may have come with.
    """
    if not kinds:
        delivered = {pin for profile in known for pin in profile.pin_policy.delivery}
        return PinRules(min=8, classes=("upper", "lower", "digit"), forbidden=tuple(sorted(delivered)))
    policies = [profile.pin_policy for profile in kinds]
    return strictest(
        [
            PinRules(policy.min, policy.max, policy.classes, policy.delivery, policy.guessable)
            for policy in policies
        ]
    )


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

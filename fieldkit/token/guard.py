"""The PIN guard: what state a PIN is in, whether it may be tried, and what a refusal means.

States come from the token's flags and from the attempts counted here, whichever is graver. fieldkit
sends a PIN once for each time a person enters it.
"""

from __future__ import annotations

from typing import Literal

from fieldkit.text import M, Message
from fieldkit.token import errors
from fieldkit.token.attempts import Attempts
from fieldkit.token.model import PinState, Token, Unblock

# PKCS#11 v2.40, CK_TOKEN_INFO flags
WRITE_PROTECTED = 0x2
LOGIN_REQUIRED = 0x4
USER_PIN_INITIALIZED = 0x8
PROTECTED_PATH = 0x100
TOKEN_INITIALIZED = 0x400
COUNT_LOW, FINAL_TRY, LOCKED, TO_BE_CHANGED = 0x10000, 0x20000, 0x40000, 0x80000
SO_SHIFT = 4  # the SO PIN's four flags are the user PIN's, four bits up

TRIES = 3  # assumed where no profile says: the authority's tokens lock after three
NOTHING_CHANGED = M("Nothing was changed on the token.")
Code = Literal["pin", "so-pin", "puk"]
WRONG: dict[Code, dict[PinState, Message]] = {
    "pin": {
        "final": M("The PIN is wrong. One attempt is left; after that the token locks."),
        "low": M("The PIN is wrong. Few attempts are left before the token locks."),
        "ok": M("The PIN is wrong. More attempts are left, but the token does not say how many."),
    },
    "so-pin": {
        "final": M("The SO PIN is wrong. One attempt is left; after that it locks for good."),
        "low": M("The SO PIN is wrong. Few attempts are left before it locks for good."),
        "ok": M("The SO PIN is wrong. More attempts are left, but the token does not say how many."),
    },
    "puk": {
        "final": M("The PUK is wrong. One attempt is left; after that it locks for good."),
        "low": M("The PUK is wrong. Few attempts are left before it locks for good."),
        "ok": M("The PUK is wrong. More attempts are left, but the token does not say how many."),
    },
}
RETRY: dict[Code, Message] = {
    "pin": M("fieldkit does not try again by itself. Check the PIN, then enter it once more."),
    "so-pin": M("fieldkit does not try again by itself. Check the SO PIN, then enter it once more."),
    "puk": M("fieldkit does not try again by itself. Check the PUK, then enter it once more."),
}
OPENS: dict[Unblock, Message] = {
    "so-pin": M("Unblock it with the SO PIN, which head office keeps: `fieldkit token unblock`."),
    "puk": M("Unblock it with the PUK that came with the token: `fieldkit token unblock`."),
    "authority": M(
        "Only the authority that issued it can unblock it. Ask head office for a recovery request."
    ),
    "unknown": M(
        "Unblock it with the SO PIN or PUK (`fieldkit token unblock`), or ask the issuer to recover it."
    ),
}


def state(flags: int, failures: int, tries: int = TRIES, *, so: bool = False) -> PinState:
    """The state of the user PIN (or the SO PIN) from a token's flags and the failures counted here."""
    shift = SO_SHIFT if so else 0
    if not flags & TOKEN_INITIALIZED:
        return "unset"
    if not so and not flags & USER_PIN_INITIALIZED:
        # Some tokens without login never set the flag.
        return "unset" if flags & LOGIN_REQUIRED else "ok"
    if flags & LOCKED << shift:
        return "locked"
    if flags & FINAL_TRY << shift or (failures and failures >= tries - 1):
        return "final"
    if flags & COUNT_LOW << shift or failures:
        return "low"
    return "default" if flags & TO_BE_CHANGED << shift else "ok"


def admit(token: Token, attempts: Attempts, *, so: bool, confirmed_last_try: bool) -> None:
    """Let an attempt pass, or say why not.

    :raises PinLocked: too many wrong PINs were given.
    :raises PinFinalTry: it would be the last attempt, and nobody confirmed it.
    :raises TokenNotInitialized: there is no PIN yet.
    """
    current = token.so_pin_state if so else token.pin_state
    if current == "locked":
        raise locked(token, so=so)
    if current == "unset":
        raise errors.TokenNotInitialized(
            M("The token {token} has no PIN yet.", token=token.name),
            unchanged=NOTHING_CHANGED,
            hint=M("Initialise it first, or have its issuer set a PIN."),
        )
    if current == "final" and not confirmed_last_try:
        raise _final(token, so=so)
    attempts.set(key(token, so), attempts.count(key(token, so)) + 1)


def _final(token: Token, *, so: bool) -> errors.PinFinalTry:
    """One attempt is left, and nobody confirmed that it may be used."""
    said: dict[Code, tuple[Message, Message, Message]] = {
        "pin": (
            M("Only one attempt is left on the token {token}: a wrong PIN would lock it.", token=token.name),
            M("The PIN was not sent to the token."),
            M("Make sure of the PIN. To use the last attempt, confirm it by typing the serial number."),
        ),
        "so-pin": (
            M(
                "One attempt is left for the SO PIN of {token}: a wrong one locks it for good.",
                token=token.name,
            ),
            M("The SO PIN was not sent to the token."),
            M("Make sure of the SO PIN. To use the last attempt, confirm it by typing the serial number."),
        ),
        "puk": (
            M("One attempt is left for the PUK of {token}: a wrong one locks it for good.", token=token.name),
            M("The PUK was not sent to the token."),
            M("Make sure of the PUK. To use the last attempt, confirm it by typing the serial number."),
        ),
    }
    message, unsent, hint = said[code(token, so)]
    return errors.PinFinalTry(message, unchanged=unsent, hint=hint, serial=token.serial)


def accepted(token: Token, attempts: Attempts, *, so: bool) -> None:
    """The token took the PIN: the count starts again."""
    attempts.set(key(token, so), 0)


def not_tried(token: Token, attempts: Attempts, *, so: bool) -> None:
    """The token never judged the PIN: the attempt does not count."""
    attempts.set(key(token, so), max(0, attempts.count(key(token, so)) - 1))


def incorrect(token: Token, *, so: bool) -> errors.PinIncorrect | errors.PinLocked:
    """What to say after a refused PIN; `token` as it was listed after the attempt."""
    current = token.so_pin_state if so else token.pin_state
    if current == "locked":
        return locked(token, so=so)
    wrong = code(token, so)
    return errors.PinIncorrect(
        WRONG[wrong].get(current, WRONG[wrong]["ok"]),
        unchanged=NOTHING_CHANGED,
        hint=RETRY[wrong],
        left=current,
    )


def unexplained(token: Token, *, so: bool, detail: str) -> errors.ModuleFault:
    """The token failed at a login and shows nothing: it may have judged the PIN, so that counts."""
    said: dict[Code, Message] = {
        "pin": M(
            "The token {token} refused the PIN without saying why; it counts as a wrong one.",
            token=token.name,
        ),
        "so-pin": M(
            "The token {token} refused the SO PIN without saying why; it counts as a wrong one.",
            token=token.name,
        ),
        "puk": M(
            "The token {token} refused the PUK without saying why; it counts as a wrong one.",
            token=token.name,
        ),
    }
    asked = code(token, so)
    return errors.ModuleFault(said[asked], unchanged=NOTHING_CHANGED, hint=RETRY[asked], detail=detail)


def locked(token: Token, *, so: bool) -> errors.PinLocked:
    """The PIN is locked, and what to do about it."""
    if so:
        return errors.PinLocked(
            M("The PUK of the token {token} is locked.", token=token.name)
            if code(token, so) == "puk"
            else M("The SO PIN of the token {token} is locked.", token=token.name),
            unchanged=NOTHING_CHANGED,
            hint=M("Only the token's issuer can recover it. Ask head office for a recovery form."),
        )
    return errors.PinLocked(
        M("The PIN of the token {token} is locked: too many wrong PINs were entered.", token=token.name),
        unchanged=NOTHING_CHANGED,
        hint=OPENS[token.unblock],
    )


def code(token: Token, so: bool) -> Code:
    """What the code is called with which somebody logs in: what unblocks a PIN is a PUK on some tokens."""
    if not so:
        return "pin"
    return "puk" if token.unblock == "puk" else "so-pin"


def key(token: Token, so: bool) -> str:
    """Under what the attempts of a token are counted."""
    return (token.serial or token.uri) + (":so" if so else "")


GRAVITY: tuple[PinState, ...] = ("ok", "low", "final", "locked")


def worse(before: Token, after: Token, *, so: bool) -> bool:
    """The token itself shows that it judged a PIN and refused it; what is counted here does not matter."""
    first, second = (state(each.flags, 0, so=so) for each in (before, after))
    return second in GRAVITY and first in GRAVITY and GRAVITY.index(second) > GRAVITY.index(first)

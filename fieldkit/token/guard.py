"""The PIN guard: what state a PIN is in, whether it may be tried, and what a refusal means.

States come from the token's flags and from the attempts counted here, whichever is graver. fieldkit
sends a PIN once for each time a person enters it.
"""

from __future__ import annotations

from typing import Literal

from fieldkit.text import M, Message, Parameter
from fieldkit.token import errors
from fieldkit.token.attempts import LOST, UNKNOWN, HeldCount, TokenIdentity, reason_of
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
NAMES: dict[Code, str] = {"pin": "PIN", "so-pin": "SO PIN", "puk": "PUK"}
WRONG: dict[
    bool, dict[PinState, Message]
] = {  # of the code with which somebody logs in as SO, and of the PIN
    True: {
        "final": M("The {code} is wrong. One attempt is left; after that it locks for good."),
        "low": M("The {code} is wrong. Few attempts are left before it locks for good."),
    },
    False: {
        "final": M("The PIN is wrong. One attempt is left; after that the PIN is locked."),
        "low": M("The PIN is wrong. Few attempts are left before the PIN is locked."),
    },
}
WRONG_ONLY = M("The {code} is wrong. More attempts are left, but the token does not say how many.")
RETRY = M("fieldkit does not try again by itself. Check the {code}, then enter it once more.")
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


def state(flags: int, failures: int | None, tries: int = TRIES, *, so: bool = False) -> PinState:
    """The state of the user PIN (or the SO PIN) from a token's flags and the failures counted here.

    failures: None where they are not known, or no more can be counted: any attempt may be the last.
    """
    shift = SO_SHIFT if so else 0
    if not flags & TOKEN_INITIALIZED:
        return "unset"
    if not so and not flags & USER_PIN_INITIALIZED:
        # Some tokens without login never set the flag.
        return "unset" if flags & LOGIN_REQUIRED else "ok"
    if flags & LOCKED << shift:
        return "locked"
    if failures is None or flags & FINAL_TRY << shift or failures >= tries - 1:
        return "final"
    if flags & COUNT_LOW << shift or failures:
        return "low"
    return "default" if flags & TO_BE_CHANGED << shift else "ok"


class PinAttempt:
    """One PIN on its way to a token, while nobody else may send that token one.

    token: as it was listed after everybody else was shut out. held: its count. tries: how many wrong PINs it
    allows. identity: by what it is counted. confirmed: the person typed that the last try may be used. Unless
    the token took the PIN, or never judged it, the attempt stays counted.
    """

    def __init__(
        self,
        token: Token,
        held: HeldCount,
        tries: int,
        identity: TokenIdentity,
        *,
        so: bool,
        confirmed_last_try: bool,
    ) -> None:
        self.token = token
        self.identity = identity
        self.confirmed = confirmed_last_try
        self.counted = False
        self._held = held
        self._tries = tries
        self._so = so

    def begin(self, *, blank: bool = False, accepted: int | None = None) -> None:
        """Let the attempt pass and count it, or say why not. blank: the token may have no structure yet.

        accepted: the token's flags after it took this PIN at the login. What was confirmed then was that one
        attempt: if others have used up the tries since, this is the last one anew. Some modules go on showing
        the flags from before; then only what is counted here can tell.

        :raises PinLocked: too many wrong PINs were given.
        :raises PinFinalTry: it would be the last attempt, for all that is known, and nobody confirmed it.
        :raises TokenNotInitialized: there is no PIN yet.
        """
        token, so = self.token, self._so
        flags = token.flags if token.initialized or not blank else TOKEN_INITIALIZED  # its own mean nothing
        failures = self._held.failures(so=so)
        current = state(flags, failures, self._tries, so=so)
        confirmed = self.confirmed
        if accepted is not None:
            shown = flags & ~accepted & FINAL_TRY << (SO_SHIFT if so else 0)
            confirmed = (
                confirmed and not shown and (failures is None or not self._tries - 1 <= failures < UNKNOWN)
            )
        if current == "locked":
            raise locked(token, so=so)
        if current == "unset":
            raise unset(token)
        if current == "final" and not confirmed:
            lost = LOST if (failures or 0) >= UNKNOWN else ""
            reason = self._held.trouble or lost
            raise _uncounted(token, reason) if reason else final_try(token, so=so)
        try:
            self._held.add(so=so)
        except OSError as error:
            if not self.confirmed:
                raise _uncounted(token, reason_of(error)) from None
        self.counted = True

    @property
    def follows_failures(self) -> bool:
        """Failures were counted before it, or may have been; if it succeeds they are over."""
        failures = self._held.failures(so=self._so)
        return failures is None or failures > self.counted

    def accepted(self) -> None:
        """The token took the PIN: the count starts again.

        Who typed the serial number said which token it is, by whatever other name it was counted.
        """
        self._held.clear(so=self._so, counted=self.counted, everywhere=self.confirmed)
        self.counted = False

    def erased(self) -> None:
        """The token took the SO PIN and is empty: its user PIN is gone, and what was counted of it."""
        self.accepted()
        self._held.clear(so=False, everywhere=self.confirmed)

    def not_judged(self) -> None:
        """The token never judged the PIN: the attempt does not count."""
        if self.counted:
            self._held.take_back(so=self._so)
        self.counted = False


def _uncounted(token: Token, trouble: Message | str) -> errors.PinFinalTry:
    """How often a wrong PIN was given is not known, or cannot be kept: it may be the last attempt."""
    return errors.PinFinalTry(
        M(
            "Wrong PINs for the token {token} cannot be counted here ({reason}): "
            "this may be its last attempt.",
            token=token.name,
            reason=trouble,
        ),
        unchanged=M("The PIN was not sent to the token."),
        hint=M(
            "Make room on the disk or mend the folder, or confirm the attempt by typing the serial number."
        ),
        serial=token.serial,
    )


def final_try(token: Token, *, so: bool) -> errors.PinFinalTry:
    """One attempt is left, and nobody confirmed that it may be used."""
    name = code(token, so)
    message = M("Only one attempt is left on the token {token}: a wrong PIN would lock it.", token=token.name)
    if so:
        message = in_words(
            M("One attempt is left for the {code} of {token}: a wrong one locks it for good."),
            name,
            token=token.name,
        )
    return errors.PinFinalTry(
        message,
        unchanged=in_words(M("The {code} was not sent to the token."), name),
        hint=in_words(
            M("Make sure of the {code}. To use the last attempt, confirm it by typing the serial number."),
            name,
        ),
        serial=token.serial,
    )


def incorrect(token: Token, *, so: bool) -> errors.PinIncorrect | errors.PinLocked:
    """What to say after a refused PIN; `token` as it was listed after the attempt."""
    current = token.so_pin_state if so else token.pin_state
    if current == "locked":
        return locked(token, so=so)
    name = code(token, so)
    return errors.PinIncorrect(
        in_words(WRONG[so].get(current, WRONG_ONLY), name),
        unchanged=NOTHING_CHANGED,
        hint=in_words(RETRY, name),
        left=current,
    )


def unexplained(token: Token, *, so: bool, detail: str) -> errors.ModuleFault:
    """The token failed at a login and shows nothing: it may have judged the PIN, so that counts."""
    name = code(token, so)
    message = M("The token {token} refused the {code} without saying why; it counts as a wrong one.")
    return errors.ModuleFault(
        in_words(message, name, token=token.name),
        unchanged=NOTHING_CHANGED,
        hint=in_words(RETRY, name),
        detail=detail,
    )


def unset(token: Token) -> errors.TokenNotInitialized:
    """There is no user PIN yet."""
    return errors.TokenNotInitialized(
        M("The token {token} has no PIN yet.", token=token.name),
        unchanged=NOTHING_CHANGED,
        hint=M("Initialise it first, or have its issuer set a PIN."),
    )


def locked(token: Token, *, so: bool) -> errors.PinLocked:
    """The PIN is locked, and what to do about it."""
    if so:
        return errors.PinLocked(
            in_words(M("The {code} of the token {token} is locked."), code(token, so), token=token.name),
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


def in_words(pattern: Message, name: Code, **parameters: Parameter) -> Message:
    """`pattern` with what the code is called, and these parameters."""
    return Message(pattern.text, {"code": NAMES[name], **parameters})


GRAVITY: tuple[PinState, ...] = ("ok", "low", "final", "locked")


def worse(before: Token, after: Token, *, so: bool) -> bool:
    """The token itself shows that it judged a PIN and refused it; what is counted here does not matter."""
    first, second = (state(token.flags, 0, so=so) for token in (before, after))
    return second in GRAVITY and first in GRAVITY and GRAVITY.index(second) > GRAVITY.index(first)

"""The boundary to the parsers: whatever they raise becomes this room's errors; a password is asked once."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TypeVar

from fieldkit.certificate import errors
from fieldkit.certificate.password import forms
from fieldkit.errors import FieldkitError
from fieldkit.secret import Secret
from fieldkit.text import M, Message

Value = TypeVar("Value")
GUESS = "it may be encrypted with an unsupported algorithm"


class Password:
    """A file's password: given, to be asked for when it is needed, or not there."""

    def __init__(self, given: Secret | Callable[[], Secret] | None, name: str) -> None:
        self._given = given
        self._name = name
        self._forms: tuple[bytes, ...] = ()

    @property
    def at_hand(self) -> bool:
        """It was given, so that nobody has to be asked."""
        return isinstance(self._given, Secret)

    def forms(self) -> tuple[bytes, ...]:
        """The bytes to try, in order.

        :raises PasswordNeeded: there is no password.
        """
        if self._given is None:
            raise errors.PasswordNeeded(
                M("The file {name} is protected by a password.", name=self._name),
                unchanged=M("Nothing was changed."),
                hint=M("Enter the password that came with the file, by another way than the file itself."),
            )
        if not self._forms:
            secret = self._given if isinstance(self._given, Secret) else self._given()
            self._forms = forms(secret)
        return self._forms

    def opened(self, attempt: Callable[[bytes], Value], damaged: Message) -> Value:
        """What `attempt` gives for the first form of the password that opens the file.

        :raises PasswordNeeded, PasswordIncorrect: none does. :raises FileUnreadable: nothing can open it.
        """
        unable: Exception | None = None
        for form in self.forms():
            try:
                return guarded(lambda form=form: attempt(form))  # type: ignore[misc]
            except ParserUnable as error:
                unable = error
            except ParserFailed:
                continue
        if unable is not None:
            raise unreadable(self._name, damaged, str(unable))
        raise self.incorrect()

    def incorrect(self) -> errors.PasswordIncorrect:
        return errors.PasswordIncorrect(
            M("The password does not open the file {name}.", name=self._name),
            unchanged=M("Nothing was changed."),
            hint=M(
                "Check Caps Lock and how Vietnamese letters are typed, then try again. "
                "If it is right, the file is damaged: ask for it again."
            ),
        )


class ParserFailed(Exception):
    """A parser could not make anything of it: the password may be wrong, or the bytes."""


class ParserUnable(Exception):
    """A parser knows what it is and cannot do it."""


def guarded(parse: Callable[[], Value]) -> Value:
    """What `parse` gives; what it raises becomes `ParserFailed` or `ParserUnable`, without its warnings."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return parse()
    except (FieldkitError, ParserFailed, ParserUnable):
        raise
    except UnsupportedAlgorithm as error:
        raise ParserUnable(_brief(error)) from None
    except Exception as error:  # parsers raise what they like; the bytes are not ours
        reason = str(error)
        # GUESS is what cryptography says of any bytes that are no key, as a wrong password makes them.
        if GUESS not in reason and ("algorithm" in reason or "nsupported" in reason):
            raise ParserUnable(_brief(error)) from None
        raise ParserFailed(_brief(error)) from None
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # a fault in a parser written in Rust
            raise ParserFailed(_brief(error)) from None
        raise


def parsed(parse: Callable[[], Value], name: str, damaged: Message) -> Value:
    """What `parse` gives.

    :raises FileUnreadable: it could not; `damaged` says what that means.
    """
    try:
        return guarded(parse)
    except (ParserFailed, ParserUnable) as error:
        raise unreadable(name, damaged, str(error)) from None


def unreadable(name: str, message: Message, detail: str = "") -> errors.FileUnreadable:
    """The error for a file that is no certificate file, or a damaged one."""
    return errors.FileUnreadable(
        M("The file {name} cannot be used: {reason}", name=name, reason=message) if name else message,
        unchanged=M("Nothing was changed."),
        hint=M("Ask for the file again, or export it anew as PKCS#12 or PEM."),
        detail=detail,
    )


def _brief(error: BaseException) -> str:
    """The first line of what a parser said: without values, which might hold a secret."""
    return (str(error).splitlines() or [""])[0][:200] or type(error).__name__

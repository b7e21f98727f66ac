"""What a module's error codes mean to a person: the one place where CKR_… becomes an error with words."""

from __future__ import annotations

from fieldkit.certificate.errors import KeyNotFound
from fieldkit.errors import FieldkitError
from fieldkit.text import M
from fieldkit.token import errors
from fieldkit.token.model import Token
from fieldkit.token.process import ModuleCallFailed

REMOVED = {
    "CKR_DEVICE_REMOVED",
    "CKR_TOKEN_NOT_PRESENT",
    "CKR_TOKEN_NOT_RECOGNIZED",
    "CKR_TOKEN_NOT_RECOGNISED",
    "CKR_SLOT_ID_INVALID",
    "CKR_SESSION_CLOSED",
    "CKR_SESSION_HANDLE_INVALID",
}
WRONG_PIN = {"CKR_PIN_INCORRECT", "CKR_PIN_INVALID", "CKR_PIN_LEN_RANGE"}
NOT_JUDGED = {  # answers to a login that say nothing of the PIN
    "CKR_USER_ANOTHER_ALREADY_LOGGED_IN",
    "CKR_SESSION_READ_ONLY_EXISTS",
    "CKR_USER_TYPE_INVALID",
}
JUDGED = {"CKR_PIN_INCORRECT", "CKR_PIN_LOCKED"}
NEW_PIN = {"CKR_PIN_INVALID", "CKR_PIN_LEN_RANGE"}
VAGUE = {"CKR_GENERAL_ERROR", "CKR_FUNCTION_FAILED", "CKR_DEVICE_ERROR"}
UNSUPPORTED = {
    "CKR_MECHANISM_INVALID",
    "CKR_MECHANISM_PARAM_INVALID",
    "CKR_KEY_SIZE_RANGE",
    "CKR_KEY_TYPE_INCONSISTENT",
    "CKR_KEY_FUNCTION_NOT_PERMITTED",
    "CKR_DOMAIN_PARAMS_INVALID",
    "CKR_CURVE_NOT_SUPPORTED",
}
IMPORT_REFUSED = {
    "CKR_FUNCTION_NOT_SUPPORTED",
    "CKR_ACTION_PROHIBITED",
    "CKR_ATTRIBUTE_READ_ONLY",
    "CKR_ATTRIBUTE_SENSITIVE",
    "CKR_ATTRIBUTE_TYPE_INVALID",
    "CKR_ATTRIBUTE_VALUE_INVALID",
    "CKR_TEMPLATE_INCONSISTENT",
    "CKR_TEMPLATE_INCOMPLETE",
    "CKR_KEY_FUNCTION_NOT_PERMITTED",
}


def meaning(fault: ModuleCallFailed, token: Token, *, present: bool = True) -> FieldkitError:
    """The error to raise for `fault` in a call about `token`; `present`: it was seen since."""
    name = fault.name
    if name in REMOVED or not present:
        return removed(token)
    if name == "CKR_DEVICE_MEMORY":
        return errors.TokenFull(
            M("The token {token} has no space left.", token=token.name),
            hint=M("Remove a certificate that is no longer needed (`fieldkit certificate list`)."),
            detail=name,
        )
    if name in ("CKR_TOKEN_WRITE_PROTECTED", "CKR_SESSION_READ_ONLY"):
        return errors.TokenWriteProtected(
            M("The token {token} is write-protected.", token=token.name),
            unchanged=M("Nothing was changed on the token."),
            detail=name,
        )
    if name == "CKR_USER_NOT_LOGGED_IN":
        return errors.PinNeeded(
            M("The token {token} wants its PIN for this.", token=token.name),
            unchanged=M("Nothing was changed on the token."),
            detail=name,
        )
    if name == "no-such-key":
        return KeyNotFound(
            M("The key is not on the token {token}.", token=token.name),
            hint=M("List what is on it: `fieldkit certificate list`."),
        )
    if name in UNSUPPORTED:
        return errors.KeyUnsupportedByToken(
            M("The token {token} cannot work with this kind of key or signature.", token=token.name),
            unchanged=M("Nothing was changed on the token."),
            hint=M("Use another kind of key; `fieldkit token show` lists what it can do."),
            detail=name,
        )
    return errors.ModuleFault(
        M("The token {token} refused, and its driver does not say why.", token=token.name),
        hint=M("Pull the token out, plug it in again and repeat the step."),
        detail=" ".join(filter(None, (name, fault.detail, token.module))),
    )


def removed(token: Token) -> errors.TokenRemoved:
    """The token is not there any more."""
    return errors.TokenRemoved(
        M("The token {token} was pulled out.", token=token.name),
        unchanged=M("What had been done on the token up to then is kept."),
        hint=M("Plug it in again and repeat the step; it goes on where it stopped."),
        serial=token.serial,
    )


def replaced(token: Token) -> errors.TokenRemoved:
    """Another token of the same name is in its place."""
    return errors.TokenRemoved(
        M("Another token than the one that was shown is plugged in as {token}.", token=token.name),
        unchanged=M("Nothing was changed on the token."),
        hint=M("Plug the right token in, and no other of the same name, and repeat the step."),
        serial=token.serial,
    )


def import_refused(token: Token, detail: str) -> errors.KeyImportRefused:
    """The token takes no private keys; the way out is named."""
    return errors.KeyImportRefused(
        M("The token {token} takes no private key from a file.", token=token.name),
        unchanged=M("Nothing was left on the token."),
        hint=M(
            "Make the key on the token and have a certificate issued for it: `fieldkit certificate request`."
        ),
        detail=detail,
    )

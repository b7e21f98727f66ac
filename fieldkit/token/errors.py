"""What can go wrong with tokens and their modules, by what a person can do about it."""

from __future__ import annotations

from fieldkit.certificate.errors import KeyUnsupported
from fieldkit.errors import Failed, Internal, Missing, Misused, Refused


class ModuleMissing(Missing):
    """The module's file is not there."""

    code = "module-missing"


class ModuleUnusable(Missing):
    """The file is there but cannot be loaded: no library, for another machine, or lacking one it needs."""

    code = "module-unusable"


class ModuleCrashed(Internal):
    """The module ended its process."""

    code = "module-crashed"


class ModuleTimeout(Internal):
    """The module did not answer in time."""

    code = "module-timeout"


class ModuleFault(Internal):
    """The module answered with an error that has no better name here; `detail` is the module's own."""

    code = "module-fault"


class TokenNotFound(Missing):
    """No token that was asked for is here."""

    code = "token-not-found"


class TokenAmbiguous(Misused):
    """More than one token has the name that was given."""

    code = "token-ambiguous"


class TokenRemoved(Missing):
    """The token was pulled out."""

    code = "token-removed"


class TokenWriteProtected(Refused):
    """The token takes no changes."""

    code = "token-write-protected"


class TokenFull(Failed):
    """The token has no space left."""

    code = "token-full"


class TokenNotInitialized(Refused):
    """The token has no structure yet, or no user PIN."""

    code = "token-not-initialized"


class PinIncorrect(Failed):
    """The token refused the PIN. `data`: `left`, in a word: "ok", "low", "final" or "locked"."""

    code = "pin-incorrect"


class PinLocked(Refused):
    """The PIN is locked: too many wrong ones."""

    code = "pin-locked"


class PinFinalTry(Refused):
    """One attempt is left, and nobody confirmed that it may be used."""

    code = "pin-final-try"


class PinInUse(Refused):
    """Another fieldkit is entering a PIN for the same token."""

    code = "pin-in-use"


class PinPolicyViolated(Misused):
    """A new PIN is not one that the token or its profile allows."""

    code = "pin-policy"


class PinNeeded(Misused):
    """The step needs a PIN and was given none."""

    code = "pin-needed"


class PinChangeNeeded(Refused):
    """The PIN was right, but the token wants it changed before anything else."""

    code = "pin-change-needed"


class InitialisationNotAllowed(Refused):
    """The token's profile says that only its issuer may initialise it."""

    code = "initialise-not-allowed"


class KeyImportRefused(Failed):
    """The token takes no private key from outside."""

    code = "key-import-refused"


class CertificateNotFound(Missing):
    """No certificate on the token fits what was asked for."""

    code = "certificate-not-found"


class DuplicateKey(Refused):
    """The key, or its certificate, is on the token already."""

    code = "duplicate-key"


class ForeignCertificate(Refused):
    """The certificate belongs to another key."""

    code = "certificate-foreign"


class ProofFailed(Failed):
    """The token's signature does not verify with the certificate."""

    code = "proof-failed"


class ImportIncomplete(Failed):
    """An import failed, and objects are left on the token that could not be removed; `data`: `left`."""

    code = "import-incomplete"


class RequestInvalid(Misused):
    """A certificate request cannot be made from what was given."""

    code = "request-invalid"


class KeyUnsupportedByToken(KeyUnsupported):
    """The token cannot work with this kind or size of key."""

    status = 1

"""What can go wrong with tokens and their modules, by what a person can do about it."""

from __future__ import annotations

from fieldkit.certificate.errors import KeyUnsupported
from fieldkit.errors import Failed, Internal, Missing, Misused, Refused


class ModuleMissing(Missing, code="module-missing"):
    """The module's file is not there."""


class ModuleUnusable(Missing, code="module-unusable"):
    """The file is there but cannot be loaded: no library, for another machine, or lacking one it needs."""


class ModuleCrashed(Internal, code="module-crashed"):
    """The module ended its process."""


class ModuleTimeout(Internal, code="module-timeout"):
    """The module did not answer in time."""


class ModuleFault(Internal, code="module-fault"):
    """The module answered with an error that has no better name here; `detail` is the module's own."""


class TokenNotFound(Missing, code="token-not-found"):
    """No token that was asked for is here."""


class TokenAmbiguous(Misused, code="token-ambiguous"):
    """More than one token has the name that was given."""


class TokenRemoved(Missing, code="token-removed"):
    """The token was pulled out."""


class TokenWriteProtected(Refused, code="token-write-protected"):
    """The token takes no changes."""


class TokenFull(Failed, code="token-full"):
    """The token has no space left."""


class TokenNotInitialized(Refused, code="token-not-initialized"):
    """The token has no structure yet, or no user PIN."""


class PinIncorrect(Failed, code="pin-incorrect"):
    """The token refused the PIN. `data`: `left`, in a word: "ok", "low", "final" or "locked"."""


class PinLocked(Refused, code="pin-locked"):
    """The PIN is locked: too many wrong ones."""


class PinFinalTry(Refused, code="pin-final-try"):
    """One attempt is left, and nobody confirmed that it may be used."""


class PinInUse(Refused, code="pin-in-use"):
    """Another fieldkit is entering a PIN for the same token."""


class PinPolicyViolated(Misused, code="pin-policy"):
    """A new PIN is not one that the token or its profile allows."""


class PinNeeded(Misused, code="pin-needed"):
    """The step needs a PIN and was given none."""


class PinChangeNeeded(Refused, code="pin-change-needed"):
    """The PIN was right, but the token wants it changed before anything else."""


class InitialisationNotAllowed(Refused, code="initialise-not-allowed"):
    """The token's profile says that only its issuer may initialise it."""


class KeyImportRefused(Failed, code="key-import-refused"):
    """The token takes no private key from outside."""


class CertificateNotFound(Missing, code="certificate-not-found"):
    """No certificate on the token fits what was asked for."""


class DuplicateKey(Refused, code="duplicate-key"):
    """The key, or its certificate, is on the token already."""


class ForeignCertificate(Refused, code="certificate-foreign"):
    """The certificate belongs to another key."""


class ProofFailed(Failed, code="proof-failed"):
    """The token's signature does not verify with the certificate."""


class ImportIncomplete(Failed, code="import-incomplete"):
    """An import failed, and objects are left on the token that could not be removed; `data`: `left`."""


class KeyUnsupportedByToken(KeyUnsupported, status=1):
    """The token cannot work with this kind or size of key."""

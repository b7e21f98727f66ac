"""What can go wrong between a device and head office, by what a person can do about it."""

from __future__ import annotations

from fieldkit import errors


class BundleUnreadable(errors.Misused, code="bundle-unreadable"):
    """It is not a bundle of a form this release knows."""


class BundleDamaged(errors.Failed, code="bundle-damaged"):
    """It is not what the device wrote: bytes changed, are missing, or contradict the signed header."""


class BundleForged(errors.Refused, code="bundle-forged"):
    """Another key than the device's known one signed it."""


class BundleNotForYou(errors.Missing, code="bundle-not-for-you"):
    """None of its recipients is the identity at hand."""


class BundleNotMade(errors.Missing, code="bundle-not-made"):
    """The bundle could not be written here: no space, no rights."""


class RecipientsMissing(errors.Missing, code="recipients-missing"):
    """Fewer than two recipients are known."""


class RecipientInvalid(errors.Misused, code="recipient-invalid"):
    """A recipient's public key is not one."""


class TargetUnsupported(errors.Misused, code="target-unsupported"):
    """This release has no carrier for that kind of target."""


class TargetMissing(errors.Missing, code="target-missing"):
    """The target is not there, or went away."""


class TargetFull(errors.Missing, code="target-full"):
    """There is no space left on the target, or the file is too large for it."""


class TargetReadOnly(errors.Missing, code="target-read-only"):
    """Nothing may be written to the target."""


class TargetDamaged(errors.Failed, code="target-damaged"):
    """What was written to the target does not read back as it was written."""


class HubKeyMissing(errors.Missing, code="hub-key-missing"):
    """Head office's public key is not here, so no receipt can be checked."""


class ReceiptInvalid(errors.Failed, code="receipt-invalid"):
    """It is not a receipt of a known head office for this device."""


class JournalForked(errors.Refused, code="journal-forked"):
    """Head office has another entry under the same number: the store is a copy, or was rolled back."""

"""What can go wrong between a device and head office, by what a person can do about it."""

from __future__ import annotations

from fieldkit import errors


class BundleUnreadable(errors.Misused):
    """It is not a bundle of a form this release knows."""

    code = "bundle-unreadable"


class BundleDamaged(errors.Failed):
    """It is not what the device wrote: bytes changed, are missing, or contradict the signed header."""

    code = "bundle-damaged"


class BundleForged(errors.Refused):
    """Another key than the device's known one signed it."""

    code = "bundle-forged"


class BundleNotForYou(errors.Missing):
    """None of its recipients is the identity at hand."""

    code = "bundle-not-for-you"


class BundleNotMade(errors.Missing):
    """The bundle could not be written here: no space, no rights."""

    code = "bundle-not-made"


class RecipientsMissing(errors.Missing):
    """Fewer than two recipients are known."""

    code = "recipients-missing"


class RecipientInvalid(errors.Misused):
    """A recipient's public key is not one."""

    code = "recipient-invalid"


class TargetUnsupported(errors.Misused):
    """This release has no carrier for that kind of target."""

    code = "target-unsupported"


class TargetMissing(errors.Missing):
    """The target is not there, or went away."""

    code = "target-missing"


class TargetFull(errors.Missing):
    """There is no space left on the target, or the file is too large for it."""

    code = "target-full"


class TargetReadOnly(errors.Missing):
    """Nothing may be written to the target."""

    code = "target-read-only"


class TargetDamaged(errors.Failed):
    """What was written to the target does not read back as it was written."""

    code = "target-damaged"


class HubKeyMissing(errors.Missing):
    """Head office's public key is not here, so no receipt can be checked."""

    code = "hub-key-missing"


class ReceiptInvalid(errors.Failed):
    """It is not a receipt of a known head office for this device."""

    code = "receipt-invalid"


class JournalForked(errors.Refused):
    """Head office has another entry under the same number: the store is a copy, or was rolled back."""

    code = "journal-forked"

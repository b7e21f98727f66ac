"""What can go wrong with a document and its signatures, by what a person can do about it."""

from __future__ import annotations

from fieldkit import errors


class DocumentMissing(errors.Missing):
    """There is no such document, or it cannot be opened for reading."""

    code = "document-missing"


class DocumentUnfit(errors.Misused):
    """It is not a PDF, or it is damaged beyond reading."""

    code = "document-unfit"


class DocumentDangerous(errors.Misused):
    """It unpacks to far more than it should; it is not opened, and no rewrite is tried on it."""

    code = "document-dangerous"


class DocumentLocked(errors.Refused):
    """Its own rules forbid a further signature, or signing would break one that is there."""

    code = "document-locked"


class DocumentEncrypted(errors.Misused):
    """A password is needed, or the one given is wrong."""

    code = "document-encrypted"


class DocumentChanged(errors.Failed):
    """It was changed by something else while it was read."""

    code = "document-changed"


class FieldUnfit(errors.Misused):
    """The signature field named is taken or cannot be used."""

    code = "field-unfit"


class OutputUnfit(errors.Refused):
    """The output is there already, or is the source itself."""

    code = "output-exists"


class OutputNotWritten(errors.Missing):
    """The output cannot be written: no space, no rights, no such folder."""

    code = "output-not-written"


class CertificateExpired(errors.Refused):
    """The certificate may no longer sign."""

    code = "certificate-expired"


class CertificateNotYetValid(errors.Refused):
    """The certificate may not sign yet, or the clock is wrong."""

    code = "certificate-not-yet-valid"


class CertificateUsage(errors.Refused):
    """The certificate was not issued for signatures."""

    code = "certificate-usage"


class CertificateRevoked(errors.Refused):
    """A revocation list names the certificate."""

    code = "certificate-revoked"


class TimestampFailed(errors.Missing):
    """The timestamp authority did not give a timestamp."""

    code = "timestamp-failed"


class RevocationMissing(errors.Missing):
    """The level asked for needs revocation data that cannot be had."""

    code = "revocation-missing"


class SigningFailed(errors.Failed):
    """The document could not be signed."""

    code = "signing-failed"


class NotSigned(errors.Failed):
    """There is no signature in the document to work on."""

    code = "not-signed"


class StampUnfit(errors.Misused):
    """The stamp asked for cannot be drawn or placed."""

    code = "stamp-unfit"


class PackageUnfit(errors.Misused):
    """It is not an exchange package, or it is damaged or dangerous."""

    code = "package-unfit"


class ToolMissing(errors.Missing):
    """A program that reads or draws documents is not on this machine."""

    code = "tool-missing"

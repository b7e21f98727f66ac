"""What can go wrong with a document and its signatures, by what a person can do about it."""

from __future__ import annotations

from fieldkit import errors
from fieldkit.errors import FieldkitError


class DocumentError(FieldkitError):
    """It is about one document: another may fare better."""


class DocumentMissing(DocumentError, errors.Missing):
    """There is no such document, or it cannot be opened for reading."""

    code = "document-missing"


class DocumentUnfit(DocumentError, errors.Misused):
    """It is not a PDF, or it is damaged beyond reading."""

    code = "document-unfit"


class DocumentDangerous(DocumentError, errors.Misused):
    """It unpacks to far more than it should; it is not opened, and no rewrite is tried on it."""

    code = "document-dangerous"


class DocumentLocked(DocumentError, errors.Refused):
    """Its own rules forbid a further signature, or signing would break one that is there."""

    code = "document-locked"


class DocumentEncrypted(DocumentError, errors.Misused):
    """A password is needed, or the one given is wrong."""

    code = "document-encrypted"


class DocumentChanged(DocumentError, errors.Failed):
    """It was changed by something else while it was read."""

    code = "document-changed"


class FieldUnfit(DocumentError, errors.Misused):
    """The signature field named is taken or cannot be used."""

    code = "field-unfit"


class OutputUnfit(DocumentError, errors.Refused):
    """The output is there already, or is the source itself."""

    code = "output-exists"


class OutputNotWritten(DocumentError, errors.Missing):
    """The output cannot be written: no space, no rights, no such folder."""

    code = "output-not-written"


class TimestampFailed(errors.Missing):
    """The timestamp authority did not give a timestamp."""

    code = "timestamp-failed"


class RevocationMissing(errors.Missing):
    """The level asked for needs revocation data that cannot be had."""

    code = "revocation-missing"


class SigningFailed(DocumentError, errors.Failed):
    """The document could not be signed."""

    code = "signing-failed"


class NotSigned(DocumentError, errors.Failed):
    """There is no signature in the document to work on."""

    code = "not-signed"


class ToolMissing(DocumentError, errors.Missing):
    """A program that reads or draws documents is not on this machine."""

    code = "tool-missing"

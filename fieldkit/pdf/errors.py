"""What can go wrong with a document and its signatures, by what a person can do about it."""

from __future__ import annotations

from fieldkit import errors
from fieldkit.errors import FieldkitError


class DocumentError(FieldkitError):
    """It is about one document: another may fare better."""


class DocumentMissing(DocumentError, errors.Missing, code="document-missing"):
    """There is no such document, or it cannot be opened for reading."""


class DocumentUnfit(DocumentError, errors.Misused, code="document-unfit"):
    """It is not a PDF, or it is damaged beyond reading."""


class DocumentDangerous(DocumentError, errors.Misused, code="document-dangerous"):
    """It unpacks to far more than it should; it is not opened, and no rewrite is tried on it."""


class DocumentLocked(DocumentError, errors.Refused, code="document-locked"):
    """Its own rules forbid a further signature, or signing would break one that is there."""


class DocumentEncrypted(DocumentError, errors.Misused, code="document-encrypted"):
    """A password is needed, or the one given is wrong."""


class DocumentChanged(DocumentError, errors.Failed, code="document-changed"):
    """It was changed by something else while it was read."""


class FieldUnfit(DocumentError, errors.Misused, code="field-unfit"):
    """The signature field named is taken or cannot be used."""


class OutputUnfit(DocumentError, errors.Refused, code="output-exists"):
    """The output is there already, or is the source itself."""


class OutputNotWritten(DocumentError, errors.Missing, code="output-not-written"):
    """The output cannot be written: no space, no rights, no such folder."""


class TimestampFailed(errors.Missing, code="timestamp-failed"):
    """The timestamp authority did not give a timestamp."""


class RevocationMissing(errors.Missing, code="revocation-missing"):
    """The level asked for needs revocation data that cannot be had."""


class SigningFailed(DocumentError, errors.Failed, code="signing-failed"):
    """The document could not be signed."""


class NotSigned(DocumentError, errors.Failed, code="not-signed"):
    """There is no signature in the document to work on."""


class ToolMissing(DocumentError, errors.Missing, code="tool-missing"):
    """A program that reads or draws documents is not on this machine."""

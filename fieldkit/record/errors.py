"""What can go wrong with a record, by what a person can do about it."""

from __future__ import annotations

from fieldkit import errors


class RecordMissing(errors.Missing):
    """The visit has no record of that name."""

    code = "record-missing"


class RecordUnreadable(errors.Misused):
    """It is not a record of this release's form."""

    code = "record-unreadable"


class RecordTooLarge(errors.Refused):
    """The record would hold, or holds, more than a record can."""

    code = "record-too-large"


class RecordNotRendered(errors.Internal):
    """The PDF could not be made from the content."""

    code = "record-not-rendered"


class RecordNotMade(errors.Refused):
    """The visit is not at the point where a record can be made or signed."""

    code = "record-not-made"


class RecordNotVerified(errors.Failed):
    """The record that was made does not verify, so it was not kept as such."""

    code = "record-not-verified"


class RecordNotWritten(errors.Missing):
    """The record is made and kept in the store, but its files could not be written where they were wanted."""

    code = "record-not-written"


class WrongCertificate(errors.Refused):
    """The token's certificate is not the one that is handed over."""

    code = "record-wrong-certificate"

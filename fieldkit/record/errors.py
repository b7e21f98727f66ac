"""What can go wrong with a record, by what a person can do about it."""

from __future__ import annotations

from fieldkit import errors


class RecordMissing(errors.Missing, code="record-missing"):
    """The visit has no record of that name."""


class RecordUnreadable(errors.Misused, code="record-unreadable"):
    """It is not a record of this release's form."""


class RecordTooLarge(errors.Refused, code="record-too-large"):
    """The record would hold, or holds, more than a record can."""


class RecordNotRendered(errors.Internal, code="record-not-rendered"):
    """The PDF could not be made from the content."""


class RecordNotMade(errors.Refused, code="record-not-made"):
    """The visit is not at the point where a record can be made or signed."""


class RecordNotVerified(errors.Failed, code="record-not-verified"):
    """The record that was made does not verify, so it was not kept as such."""


class RecordNotWritten(errors.Missing, code="record-not-written"):
    """The record is made and kept in the store, but its files could not be written where they were wanted."""


class WrongCertificate(errors.Refused, code="record-wrong-certificate"):
    """The token's certificate is not the one that is handed over."""

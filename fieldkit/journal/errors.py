"""What can go wrong with the store, by what a person can do about it."""

from __future__ import annotations

from fieldkit.errors import Failed, Internal, Missing, Misused, Refused


class StoreReadOnly(Refused, code="store-read-only"):
    """The store is read only for now; its reason says why."""


class StoreFull(Missing, code="store-full"):
    """There is no space left for an answer."""


class StoreUnavailable(Missing, code="store-unavailable"):
    """The store's folder cannot be made, read or written."""


class StoreMissing(Missing, code="store-missing"):
    """There is no store in the folder."""


class ExportRefused(Refused, code="export-exists"):
    """The file to export to is there already."""


class WriteFailed(Internal, code="store-write-failed"):
    """The disk failed while an answer was written; what it holds is not known, so nothing more is written."""


class StoreDamaged(Failed, code="store-damaged"):
    """Bytes in the middle of the journal changed; `place` names segment and offset."""


class AttachmentMissing(Missing, code="attachment-missing"):
    """An attachment that an entry names is not in the store."""


class AttachmentDamaged(Failed, code="attachment-damaged"):
    """An attachment's bytes are not those that were stored."""


class NotStorable(Misused, code="not-storable"):
    """A value has no canonical form: a fraction, an integer beyond 2⁵³, a key that is not ASCII text."""

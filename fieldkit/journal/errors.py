"""What can go wrong with the store, by what a person can do about it."""

from __future__ import annotations

from fieldkit.errors import FieldkitError, Internal, Missing, Misused, Refused


class StoreReadOnly(Refused):
    """The store is read only for now; its reason says why."""

    code = "store-read-only"


class StoreFull(Missing):
    """There is no space left for an answer."""

    code = "store-full"


class StoreUnavailable(Missing):
    """The store's folder cannot be made, read or written."""

    code = "store-unavailable"


class StoreMissing(Missing):
    """There is no store in the folder."""

    code = "store-missing"


class ExportRefused(Refused):
    """The file to export to is there already."""

    code = "export-exists"


class WriteFailed(Internal):
    """The disk failed while an answer was written; what it holds is not known, so nothing more is written."""

    code = "store-write-failed"


class StoreDamaged(FieldkitError):
    """Bytes in the middle of the journal changed; `place` names segment and offset."""

    code = "store-damaged"
    status = 1


class AttachmentMissing(Missing):
    """An attachment that an entry names is not in the store."""

    code = "attachment-missing"


class AttachmentDamaged(FieldkitError):
    """An attachment's bytes are not those that were stored."""

    code = "attachment-damaged"
    status = 1


class NotStorable(Misused):
    """A value has no canonical form: a fraction, an integer beyond 2⁵³, a key that is not ASCII text."""

    code = "not-storable"

"""What can go wrong with a visit."""

from __future__ import annotations

from fieldkit import errors


class VisitNotFound(errors.Missing):
    """No visit of that id is in the store."""

    code = "visit-not-found"


class BureauNotFound(errors.Missing):
    """No bureau of that code is in the plan."""

    code = "bureau-not-found"


class ItemNotFound(errors.Misused):
    """The checklist has no such item, or the item is of another kind."""

    code = "item-not-found"


class ItemOff(errors.Refused):
    """The item does not apply, by the answers given so far."""

    code = "item-not-relevant"


class VisitClosed(errors.Refused):
    """The visit was signed off; only an amendment opens it again."""

    code = "visit-signed"


class VisitNotReady(errors.Refused):
    """Required items are still open."""

    code = "visit-not-ready"


class ProcedureUnknown(errors.Misused):
    """The checklist names a procedure that this release does not have."""

    code = "procedure-unknown"


class VisitChanged(errors.Refused):
    """The visit is not any more as it was read before it was to be signed off or recorded."""

    code = "visit-changed"


class VisitUnreadable(errors.Failed):
    """The entries of a visit are there, but do not add up to one: damaged, or of another release."""

    code = "visit-unreadable"

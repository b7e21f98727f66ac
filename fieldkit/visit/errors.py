"""What can go wrong with a visit."""

from __future__ import annotations

from fieldkit import errors


class VisitNotFound(errors.Missing, code="visit-not-found"):
    """No visit of that id is in the store."""


class BureauNotFound(errors.Missing, code="bureau-not-found"):
    """No bureau of that code is in the plan."""


class ItemNotFound(errors.Misused, code="item-not-found"):
    """The checklist has no such item, or the item is of another kind."""


class ItemOff(errors.Refused, code="item-not-relevant"):
    """The item does not apply, by the answers given so far."""


class VisitClosed(errors.Refused, code="visit-signed"):
    """The visit was signed off; only an amendment opens it again."""


class VisitNotReady(errors.Refused, code="visit-not-ready"):
    """Required items are still open."""


class ProcedureUnknown(errors.Misused, code="procedure-unknown"):
    """The checklist names a procedure that this release does not have."""


class VisitChanged(errors.Refused, code="visit-changed"):
    """The visit is not any more as it was read before it was to be signed off or recorded."""


class VisitUnreadable(errors.Failed, code="visit-unreadable"):
    """The entries of a visit are there, but do not add up to one: damaged, or of another release."""

"""What can go wrong with a visit."""

from __future__ import annotations

from collections.abc import Mapping

from fieldkit import errors
from fieldkit.text import M, Said
from fieldkit.yaml_model import Invalid


class VisitNotFound(errors.Missing, code="visit-not-found"):
    """No visit of that id is in the store."""


class BureauNotFound(errors.Missing, code="bureau-not-found"):
    """No bureau of that code is in the plan."""


class ItemNotFound(errors.Misused, code="item-not-found"):
    """The checklist has no such item, or the item is of another kind."""


class ItemOff(errors.Refused, code="item-not-relevant"):
    """The item does not apply, by the answers given so far."""


class AnswersInvalid(Invalid, code="answers-file-invalid"):
    """A file of answers is no YAML or JSON, or not laid out as one."""

    mend = M("Mend the file and run the command again.")


class AnswersRefused(errors.Failed, code="answers-refused"):
    """Answers of a file fit no item; nothing of the file was saved. `reasons` has why, by key."""

    def __init__(self, reasons: Mapping[str, Said]) -> None:
        lines = [f"{key}: {reason}" for key, reason in reasons.items()]
        super().__init__(
            M("{count} answer(s) of the file cannot be saved. The first: {problem}",
              count=len(lines), problem=lines[0]),
            unchanged=M("Nothing of the file was saved."),
            hint=M("Mend the file and run the command again; `fieldkit visit show` lists the items."),
            detail="\n".join(lines),
            problems=[{"item": key, "message": str(reason)} for key, reason in reasons.items()],
        )  # fmt: skip
        self.reasons = dict(reasons)


class RowsFixed(errors.Refused, code="rows-fixed"):
    """Rows cannot be added to a repeat, or taken from it, by hand; or it has as many as can be."""


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

"""A visit as a value: what was answered, what is still open, what may happen next. Computed, never stored."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from fieldkit.checklist.model import Checklist
from fieldkit.procedure.evidence import Evidence
from fieldkit.profile.model import Bureau
from fieldkit.text import Said

State = Literal["open", "ready", "signed", "recorded"]
Status = Literal["done", "todo", "failed", "not-checked", "off"]


class Answered(msgspec.Struct, frozen=True):
    """Who gave an answer, when (RFC 3339), in which entry, and how often it was changed."""

    entry: str
    wall: str
    who: str
    changes: int = 0


class SignOff(msgspec.Struct, frozen=True):
    """The receiving officer accepted the visit as it stood at `head` ("device:seq:hash")."""

    officer: str
    officer_title: str
    technician: str
    wall: str
    head: str


class RecordMade(msgspec.Struct, frozen=True):
    """A handover record that was made: names of its files' attachments, and what it replaces."""

    name: str
    pdf: str
    json: str
    wall: str
    signed: bool
    replaces: str = ""


class Open(msgspec.Struct, frozen=True):
    """What keeps the visit from being finished: an item and the reason."""

    item: str
    message: Said


class Visit(msgspec.Struct, frozen=True):
    """One visit, folded from its entries.

    state: "open" while problems remain, "ready" when none do, "signed" after the officer's sign-off,
    "recorded" once its record is made. An amendment takes it back to "open" or "ready".
    answers: item id to value. evidence: item id to the latest evidence. relevant: ids of the items in
    force, in order. problems: what keeps it from being finished.
    """

    id: str
    bureau: Bureau
    checklist: Checklist
    checklist_sha256: str
    state: State
    started: str
    who: str
    answers: dict[str, Any]
    answered: dict[str, Answered]
    evidence: dict[str, Evidence]
    relevant: tuple[str, ...]
    problems: tuple[Open, ...]
    notes: tuple[str, ...] = ()
    signoff: SignOff | None = None
    records: tuple[RecordMade, ...] = ()
    amendment: str = ""
    last: str = ""

    @property
    def done(self) -> int:
        """How many of the required items in force are settled."""
        return sum(1 for item in self._required() if self.status(item) in ("done", "not-checked"))

    @property
    def total(self) -> int:
        """How many items in force are required."""
        return len(self._required())

    def _required(self) -> list[str]:
        return [item for item in self.relevant if self.checklist.item(item).required]

    def status(self, item: str) -> Status:
        """Where an item stands; "off" when it is not in force."""
        if item not in self.relevant:
            return "off"
        found = self.evidence.get(item)
        if found is not None:
            return {"pass": "done", "fail": "failed", "not-checked": "not-checked"}[found.verdict]  # type: ignore[return-value]
        if any(problem.item == item for problem in self.problems) and item in self.answers:
            return "failed"
        return "done" if item in self.answers else "todo"

    def next_item(self) -> str:
        """The first item that still wants something, or "" when none does."""
        wanting = [problem.item for problem in self.problems]
        for item in self.relevant:
            if item in wanting:
                return item
        return ""

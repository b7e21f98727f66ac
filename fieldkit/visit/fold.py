"""The fold: entries in, a `Visit` out. Pure; it reads attachments only for the pinned checklist."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from fieldkit.checklist.answers import problems, relevant
from fieldkit.checklist.model import Checklist
from fieldkit.journal.entry import Entry
from fieldkit.procedure.evidence import Evidence, from_value
from fieldkit.profile.model import Bureau
from fieldkit.visit.model import Answered, Open, RecordMade, SignOff, State, Visit


class _Folded:
    """What the entries of one visit add up to so far."""

    def __init__(self) -> None:
        self.start: Entry | None = None
        self.answers: dict[str, Any] = {}
        self.answered: dict[str, Answered] = {}
        self.evidence: dict[str, Evidence] = {}
        self.notes: list[str] = []
        self.signoff: SignOff | None = None
        self.records: list[RecordMade] = []
        self.recorded = False
        self.amendment = ""
        self.last = ""

    def take(self, entry: Entry) -> None:
        self.last = entry.wall
        handle = getattr(self, f"_{entry.kind}", None)
        if handle is not None:  # kinds of later releases are kept and passed over
            handle(entry)

    def _start(self, entry: Entry) -> None:
        self.start = entry

    def _answer(self, entry: Entry) -> None:
        before = self.answered.get(entry.item)
        self.answered[entry.item] = Answered(
            entry.hash, entry.wall, entry.who, before.changes + 1 if before else 0
        )
        if entry.value is None:
            self.answers.pop(entry.item, None)
        else:
            self.answers[entry.item] = entry.value

    def _evidence(self, entry: Entry) -> None:
        self.evidence[entry.item] = from_value(entry.value)
        before = self.answered.get(entry.item)
        self.answered[entry.item] = Answered(
            entry.hash, entry.wall, entry.who, before.changes + 1 if before else 0
        )

    def _note(self, entry: Entry) -> None:
        self.notes.append(str(entry.value))

    def _signoff(self, entry: Entry) -> None:
        self.signoff = SignOff(**entry.value, wall=entry.wall)
        self.recorded = False

    def _record(self, entry: Entry) -> None:
        self.records.append(RecordMade(**entry.value, wall=entry.wall))
        self.recorded = True

    def _amend(self, entry: Entry) -> None:
        self.signoff = None
        self.recorded = False
        self.amendment = str(entry.value["reason"])


def fold(entries: Iterable[Entry], checklist_of: Callable[[str], Checklist]) -> Visit | None:
    """The visit that `entries` (of one visit, in order) tell; None if its start is not among them.

    checklist_of: gives the checklist stored under a SHA-256.
    """
    folded = _Folded()
    for entry in entries:
        folded.take(entry)
    start = folded.start
    if start is None:
        return None
    checklist = checklist_of(start.blob)
    verdicts = {item: found.verdict for item, found in folded.evidence.items()}
    in_force = tuple(relevant(checklist, folded.answers))
    open_items = tuple(
        Open(problem.item, problem.message) for problem in problems(checklist, folded.answers, verdicts)
    )
    return Visit(
        id=start.visit,
        bureau=msgspec.convert(start.value["bureau"], Bureau),
        checklist=checklist,
        checklist_sha256=start.blob,
        state=_state(folded, bool(open_items)),
        started=start.wall,
        who=start.who,
        answers=folded.answers,
        answered=folded.answered,
        evidence=folded.evidence,
        relevant=in_force,
        problems=open_items,
        notes=tuple(folded.notes),
        signoff=folded.signoff,
        records=tuple(folded.records),
        amendment=folded.amendment,
        last=folded.last,
    )


def _state(folded: _Folded, problems_left: bool) -> State:
    if folded.signoff is not None:
        return "recorded" if folded.recorded else "signed"
    return "open" if problems_left else "ready"

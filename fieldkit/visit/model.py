"""A visit as a value: what was answered, what is still open, what may happen next. Computed, never stored."""

from __future__ import annotations

import datetime
import functools
import itertools
from typing import Any, Literal

import msgspec

from fieldkit.checklist.answers import AnswerProblem, Answers, FormLine
from fieldkit.checklist.kinds import ROLES, Role
from fieldkit.checklist.model import Checklist, Finish, Paper
from fieldkit.errors import FieldkitError
from fieldkit.finding import Outcome
from fieldkit.procedure.evidence import TOKEN_STEPS, Evidence
from fieldkit.profile.model import Bureau
from fieldkit.text import M, Message, Said, Words

State = Literal["open", "ready", "signed", "recorded"]
STATES: dict[Finish, dict[State, Said]] = {
    "handover": {
        "open": M("open"),
        "ready": M("ready to be signed off"),
        "signed": M("signed off, record to be made"),
        "recorded": M("finished, record made"),
    },
    "record": {
        "open": M("open"),
        "ready": M("complete, to be closed"),
        "signed": M("closed, record to be made"),
        "recorded": M("finished, record made"),
    },
}
"""The words of a visit's state, by how it is finished."""
Status = Literal["done", "todo", "failed", "not-checked", "off"]


class AnsweredItem(msgspec.Struct, frozen=True):
    """Who gave an answer, when (RFC 3339), in which entry, and how often it was changed."""

    entry: str
    wall: str
    who: str
    changes: int = 0


class PinnedProfile(msgspec.Struct, frozen=True):
    """What the profiles said when the visit began and its record will say, whatever they say by then.

    basis: what the record rests on. giver: the unit that hands over, where the plan names it. sample: the
    bureau, its authority or the plan is invented.
    """

    basis: tuple[Words, ...]
    giver: Words | None
    sample: bool


class SignOff(msgspec.Struct, frozen=True):
    """The visit was accepted as it stood at `head` ("device:seq:hash"), by the receiving officer.

    A form that is only recorded may name nobody who answers for it; then the technician closed it.

    login: the technician is known by a login name only, for no name was set.
    day: by which day the visit was read, for what depends on it; that of `wall` in older entries.
    """

    officer: str
    officer_title: str
    technician: str
    wall: str
    head: str
    day: str = ""
    login: bool = False

    @property
    def by(self) -> str:
        """Who accepted it."""
        return self.officer or self.technician


class Amendment(msgspec.Struct, frozen=True):
    """A signed visit was opened again: why, when and by whom."""

    reason: str
    wall: str
    who: str


class StepAttempt(msgspec.Struct, frozen=True):
    """A run of a procedure that left no evidence, or something it had done to a token by then.

    code: that of the error; CHANGED for what was done. erased: the serial of a token initialised.
    """

    code: str
    message: Message
    wall: str
    who: str
    erased: str = ""


CHANGED = "token-changed"


class RecordMade(msgspec.Struct, frozen=True):
    """A handover record that was made: names of its files' attachments, and what it replaces.

    signoff: the head that the sign-off it was made from accepted; "" in older entries.
    """

    name: str
    pdf: str
    json: str
    wall: str
    signed: bool
    replaces: str = ""
    signoff: str = ""


class UnreadableVisit(msgspec.Struct, frozen=True):
    """A visit whose entries do not add up to one: its id, what is wrong with it, when it was last touched."""

    id: str
    error: FieldkitError
    last: str = ""


class Visit(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One visit, folded from its entries.

    state: "open" while problems remain, "ready" when none do, "signed" after the officer's sign-off,
    "recorded" once its record is made. An amendment takes it back to "open" or "ready".
    relevant: keys of the items in force, in order; lines: the same with the headings of groups and rows.
    answers, evidence: by item, what counts: of the items in force, about the token the visit is about now,
    as it was initialised last. known: the answers as expressions see them, to be asked and never changed.
    set_aside: answers that are kept and do not count now. outdated: items whose evidence is about another
    token, or about this one before it was initialised. problems: what keeps it from being finished.
    attempts: by item, since its last evidence.

    While it is signed off all this is as the officer accepted it. later, later_notes: items and notes whose
    entries came after that; they count once the visit is amended. amendments: those since the last record.
    day: the day that `today()` is. head: the visit's last entry. order: sorts visits by when they were
    touched, whatever the clocks on the walls said. login: who began it is known by a login name only.
    """

    id: str
    bureau: Bureau
    checklist: Checklist
    checklist_sha256: str
    state: State
    started: str
    who: str
    answers: dict[str, Any]
    answered: dict[str, AnsweredItem]
    evidence: dict[str, Evidence]
    relevant: tuple[str, ...]
    lines: tuple[FormLine, ...]
    known: Answers
    problems: tuple[AnswerProblem, ...]
    day: datetime.date
    head: str
    order: str
    last: str
    set_aside: dict[str, Any] = {}
    outdated: tuple[str, ...] = ()
    attempts: dict[str, tuple[StepAttempt, ...]] = {}
    notes: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    later_notes: tuple[str, ...] = ()
    signoff: SignOff | None = None
    records: tuple[RecordMade, ...] = ()
    amendments: tuple[Amendment, ...] = ()
    pinned: PinnedProfile | None = None
    login: bool = False

    @property
    def amendment(self) -> str:
        """Why the visit was opened again since its last record: every reason, in order."""
        return "; ".join(dict.fromkeys(amendment.reason for amendment in self.amendments))

    @functools.cached_property
    def finish(self) -> Finish:
        """How it is finished. A checklist that does not say hands over if a step of it settles on a token."""
        settles = any(item.procedure in TOKEN_STEPS for item in self.checklist.items())
        return self.checklist.finish or ("handover" if settles else "record")

    @property
    def paper(self) -> Paper:
        """How its record is printed."""
        return self.checklist.paper or ("handover" if self.finish == "handover" else "form")

    @functools.cached_property
    def roles(self) -> dict[Role, Any]:
        """What was answered that fieldkit itself does something with: the first that counts of each role."""
        answers = ((role, self._answer_of(role)) for role in ROLES)
        return {role: answer for role, answer in answers if answer is not None}

    def _answer_of(self, role: Role) -> Any:
        items = (item.id for item in self.checklist.with_role(role))
        return next((self.answers[id] for id in items if self.answers.get(id)), None)

    @property
    def done(self) -> int:
        """How many of those that `total` counts are settled."""
        return self.total - len(self._open)

    @property
    def total(self) -> int:
        """How many items in force are required, or keep the visit open though they are not."""
        required = {key for key in self.relevant if self._wanted(key)}
        return len(required | self._open)

    def _wanted(self, key: str) -> bool:
        return self.checklist.item(key).answered_by != "nobody" and self.known.required(key)

    def proofs(self, before: str = "") -> tuple[tuple[str, Evidence], ...]:
        """What succeeded, with the procedure that left it: of the items in force, or those before one."""
        items = itertools.takewhile(lambda item: item != before, self.relevant)
        kept = ((self.checklist.item(item).procedure, self.evidence.get(item)) for item in items)
        return tuple(
            (procedure, evidence)
            for procedure, evidence in kept
            if evidence is not None and evidence.verdict != "fail"
        )

    @functools.cached_property
    def shown(self) -> tuple[FormLine, ...]:
        """The lines that a person sees: without what is only calculated, and headings of nothing else."""
        lines: list[FormLine] = []
        for line in reversed(self.lines):
            below = bool(lines) and lines[-1].depth > line.depth
            if (below or line.item.kind == "repeat") if line.heading else line.item.shown:
                lines.append(line)
        return tuple(reversed(lines))

    @functools.cached_property
    def _open(self) -> frozenset[str]:
        return frozenset(problem.item for problem in self.problems)

    @functools.cached_property
    def _in_force(self) -> frozenset[str]:
        return frozenset(self.relevant)

    def status(self, item: str) -> Status:
        """Where an item stands; "off" when it is not in force."""
        if item not in self._in_force:
            return "off"
        evidence = self.evidence.get(item)
        if evidence is not None:
            return _STATUS[evidence.verdict]
        if item in self._open and item in self.answers:
            return "failed"
        return "done" if item in self.answers else "todo"

    def next_item(self) -> str:
        """The first item that still wants something, or "" when none does."""
        return next((item for item in self.relevant if item in self._open), "")


_STATUS: dict[Outcome, Status] = {"pass": "done", "fail": "failed", "not-checked": "not-checked"}

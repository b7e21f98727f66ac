"""The fold: entries in, a `Visit` out. Pure; it reads attachments only for the pinned checklist."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from fieldkit.checklist.answers import Answers
from fieldkit.checklist.kinds import Metadata
from fieldkit.checklist.model import Checklist
from fieldkit.journal.entry import Entry, traits
from fieldkit.procedure.evidence import ABOUT_TOKEN, INITIALISING, Evidence, from_value
from fieldkit.profile.model import Bureau
from fieldkit.text import Message
from fieldkit.visit.model import (
    Amendment,
    AnsweredItem,
    PinnedProfile,
    RecordMade,
    SignOff,
    State,
    StepAttempt,
    Visit,
)

Epoch = tuple[str, int]
"""A token as it was initialised once: its serial number, and how often the visit knows it was."""


class _Folded:
    """What the entries of one visit add up to so far."""

    def __init__(self) -> None:
        self.start: Entry | None = None
        self.answers: dict[str, Any] = {}
        self.answered: dict[str, AnsweredItem] = {}
        self.evidence: dict[str, Evidence] = {}
        self.attempts: dict[str, list[StepAttempt]] = {}
        self.tokens: list[tuple[str, str]] = []
        self.notes: list[str] = []
        self.signoff: SignOff | None = None
        self.records: list[RecordMade] = []
        self.recorded = False
        self.amendments: list[Amendment] = []
        self.later: list[Entry] = []
        self.last: Entry | None = None

    def apply(self, entry: Entry) -> None:
        self.last = entry
        if self.signoff is not None and traits(entry.kind).held_back:
            self.later.append(entry)  # the officer did not see it: it counts from the next amendment on
        else:
            self._count(entry)

    def _count(self, entry: Entry) -> None:
        handle = HANDLERS.get(entry.kind)
        if handle is not None:  # kinds of later releases are kept and passed over
            handle(self, entry)

    def start_with(self, entry: Entry) -> None:
        self.start = entry

    def answer(self, entry: Entry) -> None:
        self._note_who(entry)
        if entry.value is None:
            self.answers.pop(entry.item, None)
        else:
            self.answers[entry.item] = entry.value

    def prove(self, entry: Entry) -> None:
        self._note_who(entry)
        evidence = self.evidence[entry.item] = from_value(entry.value)
        self.attempts.pop(entry.item, None)
        self.tokens.append((entry.item, _serial(evidence)))

    def _note_who(self, entry: Entry) -> None:
        before = self.answered.get(entry.item)
        self.answered[entry.item] = AnsweredItem(
            entry.hash, entry.wall, entry.who, before.changes + 1 if before else 0
        )

    def attempt(self, entry: Entry) -> None:
        value = entry.value
        message = value["message"]
        if isinstance(message, str):  # as release 0.1 kept it: in the language of the screen
            message = {"text": message}
        attempt = StepAttempt(
            str(value["code"]),
            msgspec.convert(message, Message),
            entry.wall,
            entry.who,
            str(value.get("erased", "")),
        )
        self.attempts.setdefault(entry.item, []).append(attempt)
        if attempt.erased:
            self.tokens.append(("", _plain_serial(attempt.erased)))

    def add_note(self, entry: Entry) -> None:
        self.notes.append(str(entry.value))

    def sign_off(self, entry: Entry) -> None:
        self.signoff = msgspec.convert({**entry.value, "wall": entry.wall}, SignOff)
        self.recorded = False

    def record(self, entry: Entry) -> None:
        made = msgspec.convert({**entry.value, "wall": entry.wall}, RecordMade)
        self.records.append(made)
        if self.signoff is not None and made.signoff in ("", self.signoff.head):
            self.recorded = True

    def amend(self, entry: Entry) -> None:
        if self.recorded:
            self.amendments = []  # the record that was made has the reasons before it
        self.amendments.append(Amendment(str(entry.value["reason"]), entry.wall, entry.who))
        self.signoff = None
        self.recorded = False
        later, self.later = self.later, []
        for entry_since in later:
            self._count(entry_since)

    def moment(self) -> datetime.datetime:
        """What `now()` is: when it was signed off, else when its last entry was made."""
        assert self.last is not None
        signed = self.signoff
        if signed is not None and signed.day and signed.day != signed.wall[:10]:
            return datetime.datetime.fromisoformat(signed.day)
        return datetime.datetime.fromisoformat(signed.wall if signed else self.last.wall)

    def day(self) -> datetime.date:
        """The day that `today()` is."""
        return self.moment().date()


HANDLERS: Mapping[str, Callable[[_Folded, Entry], None]] = {
    "start": _Folded.start_with,
    "answer": _Folded.answer,
    "evidence": _Folded.prove,
    "attempt": _Folded.attempt,
    "note": _Folded.add_note,
    "signoff": _Folded.sign_off,
    "record": _Folded.record,
    "amend": _Folded.amend,
}
"""How each kind of entry counts that is about a visit."""


def fold(entries: Iterable[Entry], checklist_of: Callable[[str], Checklist]) -> Visit | None:
    """The visit that `entries` (of one visit, in order) tell; None if its start is not among them.

    checklist_of: gives the checklist stored under a SHA-256.
    """
    folded = _Folded()
    for entry in entries:
        folded.apply(entry)
    start, last = folded.start, folded.last
    if start is None or last is None:
        return None
    checklist = checklist_of(start.blob)
    bureau = msgspec.convert(start.value["bureau"], Bureau)
    known = Answers(
        checklist,
        folded.answers,
        folded.moment(),
        _facts(start, last, folded.day()),
        bureau_facts(bureau),
        start.visit,
    )
    lines = tuple(known.lines())
    in_force = [line.key for line in lines if not line.heading]
    epochs, latest = _epochs(checklist, folded.tokens)
    evidence = {item: folded.evidence[item] for item in in_force if item in folded.evidence}
    outdated = tuple(_outdated(evidence, epochs, latest))
    verdicts = {item: kept.verdict if item not in outdated else "outdated" for item, kept in evidence.items()}
    problems = tuple(known.problems(verdicts))
    counting = known.answers()
    return Visit(
        id=start.visit,
        bureau=bureau,
        checklist=checklist,
        checklist_sha256=start.blob,
        state=_state(folded, bool(problems)),
        started=start.wall,
        who=start.who,
        answers=counting,
        answered=folded.answered,
        evidence={item: kept for item, kept in evidence.items() if item not in outdated},
        relevant=tuple(in_force),
        lines=lines,
        known=known,
        problems=problems,
        day=folded.day(),
        head=f"{last.dev}:{last.seq}:{last.hash}",
        order=last.hlc,
        last=last.wall,
        set_aside={item: answer for item, answer in folded.answers.items() if item not in counting},
        outdated=outdated,
        attempts={item: tuple(made) for item, made in folded.attempts.items()},
        notes=tuple(folded.notes),
        later=tuple(dict.fromkeys(entry.item for entry in folded.later if entry.item)),
        later_notes=tuple(str(entry.value) for entry in folded.later if entry.kind == "note"),
        signoff=folded.signoff,
        records=tuple(folded.records),
        amendments=tuple(folded.amendments),
        pinned=_pinned(start.value),
        login=start.value.get("login") is True,
    )


def _facts(start: Entry, last: Entry, day: datetime.date) -> dict[Metadata, str]:
    return {
        "start": start.wall,
        "end": last.wall,
        "today": day.isoformat(),
        "username": start.who,
        "deviceid": start.dev,
    }


def bureau_facts(bureau: Bureau) -> dict[str, str]:
    """What a form may take of the plan's bureau, by the names of `fieldkit.checklist.model.BUREAU`."""
    return {
        "name": bureau.code,
        "label": bureau.name.vi,
        "code": bureau.agency_code,
        "address": bureau.address,
        "phone": bureau.phone,
        "email": bureau.dossier.email,
        "officer": bureau.officer.name,
        "officer_title": bureau.officer.title.vi,
    }


def _epochs(
    checklist: Checklist, tokens: Iterable[tuple[str, str]]
) -> tuple[dict[str, Epoch], dict[str, int]]:
    """Of which token, as it was initialised when, each item's evidence is; and how often each token was.

    tokens: item and serial number of what was learnt of tokens, in order; item "" where one was erased.
    Evidence that names no token is about the one before it.
    """
    procedures = {item.id: item.procedure for item in checklist.items()}
    epochs: dict[str, Epoch] = {}
    latest: dict[str, int] = {}
    present: Epoch = ("", 0)
    for item, serial in tokens:
        procedure = procedures.get(item, "")
        if item and procedure not in ABOUT_TOKEN:
            continue
        if serial and (not item or procedure in INITIALISING):
            latest[serial] = latest.get(serial, 0) + 1
        if serial:
            present = serial, latest.get(serial, 0)
        if item:
            epochs[item] = present
    return epochs, latest


def _outdated(
    evidence: dict[str, Evidence], epochs: dict[str, Epoch], latest: dict[str, int]
) -> Iterator[str]:
    """Items whose evidence is not about the visit's token: that of the first step that settled on one."""
    settled = [epochs[item] for item, kept in evidence.items() if kept.verdict != "fail" and item in epochs]
    serial = next((serial for serial, _ in settled if serial), "")
    if not serial:
        return
    present = serial, latest.get(serial, 0)
    for item, kept in evidence.items():
        epoch = epochs.get(item, present)
        if kept.verdict != "fail" and epoch[0] and epoch != present:
            yield item


def _serial(evidence: Evidence) -> str:
    return _plain_serial(evidence.facts.get("serial") or evidence.facts.get("token_serial") or "")


def _plain_serial(serial: object) -> str:
    return str(serial).strip().casefold()


def _pinned(value: dict[str, object]) -> PinnedProfile | None:
    return msgspec.convert(value, PinnedProfile) if "basis" in value else None


def _state(folded: _Folded, problems_left: bool) -> State:
    if folded.signoff is not None:
        return "recorded" if folded.recorded else "signed"
    return "open" if problems_left else "ready"

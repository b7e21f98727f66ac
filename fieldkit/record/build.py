"""From a visit to what its record says: facts gathered from the evidence, words put in both languages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from fieldkit import __version__
from fieldkit.checklist.kinds import KINDS, Item
from fieldkit.checklist.model import Paper
from fieldkit.finding import Finding
from fieldkit.journal.store import Store
from fieldkit.procedure.evidence import Evidence
from fieldkit.profile.model import Profiles
from fieldkit.record.content import (
    FORM_SCHEMA,
    SCHEMA,
    HandedOverToken,
    JournalHead,
    Language,
    Party,
    RecordContent,
    RecordNote,
    RecordRow,
    RecordSection,
    Renderer,
    TestSignature,
    VisitFacts,
    statement,
)
from fieldkit.record.labels import LABELS
from fieldkit.record.render import layout_hash, typst_version
from fieldkit.text import Said, Words
from fieldkit.visit.model import PinnedProfile, Visit
from fieldkit.visit.pin import pin

HANDOVER = "BBBG"
"""How the number of a handover record ends: biên bản bàn giao."""

LOGIN = "tên đăng nhập, chưa khai họ tên / login name, no name was set"
"""What follows the name of a technician who never said theirs."""


def build(
    visit: Visit,
    store: Store,
    profiles: Profiles,
    *,
    made: datetime,
    language: Language = "vi",
    draft: bool = False,
) -> RecordContent:
    """What the record of `visit` says, signed by the device: what was signed off, and the journal's head now.

    made: when; it is printed and becomes the PDF's date. draft: only a draft is wanted; a visit that is not
    signed off gives no more. The device signs no draft.
    """
    signed = store.signed_head()
    head = signed.head
    draft = draft or visit.signoff is None
    pinned = visit.pinned or pin(profiles, visit.bureau, visit.checklist.id, made.date())
    content = RecordContent(
        language=language,
        draft=draft,
        made=made.isoformat(timespec="seconds"),
        journal=JournalHead(head.device, head.seq, head.hash, store.public_key.hex(), signed.signature),
        renderer=Renderer(__version__, typst_version(), layout_hash(visit.paper)),
        lost=tuple(words(damage.message) for damage in store.damage(visit.id)),
        schema=FORM_SCHEMA if visit.paper == "form" else SCHEMA,
        **from_journal(visit, visit.paper),
        **from_plan(visit, pinned),
    )
    if draft:
        return content
    return msgspec.structs.replace(content, signature=store.sign(statement(content)).hex())


def from_journal(visit: Visit, paper: Paper) -> dict[str, Any]:
    """The members of a record that come from the visit's entries alone: the journal gives them again.

    paper: as which it is printed; a record that was made before forms could say it is a handover's.
    """
    facts = _Facts(visit)
    signoff = visit.signoff
    replaced = visit.records[-1].name if visit.records else ""
    return {
        "name": name_of(visit),
        "paper": paper,
        "number": _number(visit, paper),
        "title": visit.checklist.form or visit.checklist.title,
        "place": visit.bureau.address,
        "receiver": _receiver(visit, paper),
        "devices": _devices(visit, facts) if visit.finish == "handover" else (),
        "tests": tuple(_tests(facts)),
        "parts": tuple(_parts(visit)),
        "notes": visit.notes,
        "visit": VisitFacts(
            id=visit.id,
            bureau=visit.bureau.code,
            checklist=visit.checklist.id,
            version=visit.checklist.version,
            checklist_sha256=visit.checklist_sha256,
            started=visit.started,
            signed_off=signoff.wall if signoff else "",
            signoff_head=signoff.head if signoff else "",
        ),
        "replaces": replaced,
        "reason": visit.amendment if replaced else "",
    }


def name_of(visit: Visit) -> str:
    """The name of the record that is made next."""
    return f"{visit.id}-record{_suffix(visit)}"


def _number(visit: Visit, paper: Paper) -> str:
    """The number of the record that is made next, as it stands on the paper."""
    kind = (visit.paper == paper and visit.checklist.number) or (HANDOVER if paper == "handover" else "")
    return f"{visit.id}{f'/{kind}' if kind else ''}{_suffix(visit)}"


def _suffix(visit: Visit) -> str:
    number = len(visit.records) + 1
    return f"-{number}" if number > 1 else ""


def from_plan(visit: Visit, pinned: PinnedProfile) -> dict[str, Any]:
    """Those that come from the profiles, as the visit pinned them when it began."""
    return {
        "sample": pinned.sample,
        "basis": pinned.basis,
        "giver": _giver(visit, pinned.giver),
    }


class _Facts:
    """The facts of what succeeded and counts, found by name; the later procedure's word counts.

    They are all of one token, as it was initialised last: the visit has no others in force.
    """

    def __init__(self, visit: Visit) -> None:
        self._found: list[tuple[str, Evidence]] = [
            (visit.checklist.item(item).procedure, visit.evidence[item])
            for item in visit.relevant
            if item in visit.evidence and visit.evidence[item].verdict != "fail"
        ]

    def ran(self, procedure: str) -> bool:
        return any(name == procedure and evidence.verdict == "pass" for name, evidence in self._found)

    def text(self, *names: str, of: tuple[str, ...] = ()) -> str:
        """The first of `names` that some evidence (of the procedures `of`) knows, as text."""
        for name in names:
            for procedure, evidence in reversed(self._found):
                value = evidence.facts.get(name)
                if value not in (None, "") and (not of or procedure in of):
                    return str(value)
        return ""

    def every(self, name: str) -> Iterable[Any]:
        for _, evidence in self._found:
            value = evidence.facts.get(name)
            if isinstance(value, list):
                yield from value


def words(text: Said | str) -> Words:
    """A text in both languages, as a record keeps it."""
    if isinstance(text, Words):
        return text
    if isinstance(text, str):
        return Words.same(text)
    return Words(*(text.render(language) for language in Words.__struct_fields__))


def _giver(visit: Visit, owner: Words | None) -> Party:
    technician, login = (
        (visit.signoff.technician, visit.signoff.login) if visit.signoff else (visit.who, visit.login)
    )
    parent = visit.bureau.dossier.subject.get("O", "")
    return Party(
        agency=owner or LABELS["unit"],
        person=f"{technician} ({LOGIN})" if login else technician,
        title=LABELS["technician"],
        parent=Words.same(parent) if parent else None,
    )


def _receiver(visit: Visit, paper: Paper) -> Party:
    bureau, signoff = visit.bureau, visit.signoff
    expected = bureau.officer.name if paper == "handover" else ""
    name = signoff.officer if signoff else str(visit.roles.get("officer-name") or expected)
    title = signoff.officer_title if signoff else str(visit.roles.get("officer-title") or "")
    known = bureau.officer.title if paper == "handover" else Words.same(title)
    return Party(
        agency=bureau.name,
        person=name,
        title=known if title in ("", known.vi, known.en) else Words.same(title),
        address=bureau.address,
        phone=bureau.phone,
        email=bureau.dossier.email,
        code=bureau.agency_code,
    )


def hands_over(visit: Visit) -> bool:
    """Whether the record of `visit` hands a token over, and so is signed with it."""
    return visit.finish == "handover" and bool(_devices(visit, _Facts(visit)))


CERTIFICATE = ("certificate_import", "certificate_join", "certificate_check", "pin_change")
TOKEN = ("token_setup", *CERTIFICATE)


def _devices(visit: Visit, facts: _Facts) -> tuple[HandedOverToken, ...]:
    serial = facts.text("serial", "token_serial", of=TOKEN)
    subject = facts.text("subject", of=CERTIFICATE)
    if not serial and not subject:
        return ()
    dossier = visit.bureau.dossier
    if facts.ran("pin_change"):
        pin = LABELS["pin-changed"]
    elif facts.ran("token_setup"):
        pin = LABELS["pin-set"]
    else:
        pin = LABELS["pin-unknown"]
    return (
        HandedOverToken(
            subscriber=dossier.subject.get("CN") or visit.bureau.name.vi,
            subject=subject,
            issuer=facts.text("issuer", of=CERTIFICATE),
            certificate_serial=facts.text("serial_number", of=CERTIFICATE),
            not_before=facts.text("not_before", of=CERTIFICATE),
            not_after=facts.text("not_after", of=CERTIFICATE),
            sha256=facts.text("sha256", of=CERTIFICATE),
            key=facts.text("key", of=CERTIFICATE),
            model=facts.text("model", of=TOKEN),
            manufacturer=facts.text("manufacturer", of=TOKEN),
            token_serial=serial,
            token_label=facts.text("label", "token_label", of=TOKEN),
            holder=LABELS[f"holder-{dossier.holder}"],
            email=dossier.email,
            pin=pin,
            condition=_condition(visit),
        ),
    )


def _condition(visit: Visit) -> Words | None:
    items = (item for item in visit.checklist.with_role("condition") if visit.answers.get(item.id))
    return next((KINDS[item.kind].words(item, visit.answers[item.id]) for item in items), None)


def _tests(facts: _Facts) -> Iterable[TestSignature]:
    for document in facts.every("documents"):
        if isinstance(document, dict) and "sha256" in document:
            yield TestSignature(
                name=str(document.get("name", "")),
                sha256=str(document["sha256"]),
                level=str(document.get("level", "")),
                verdict=str(document.get("verdict", "")),
            )


def _parts(visit: Visit) -> Iterable[RecordSection]:
    """The sections, in order; a repeat in one is a section of its own, and so is each one in its rows."""
    title = Words.same("")
    rows: dict[str, list[RecordRow]] = {}

    def collected() -> Iterable[RecordSection]:
        for repeat, listed in rows.items():
            yield RecordSection(_repeat_title(visit, repeat) if repeat else title, tuple(listed))
        rows.clear()

    for line in visit.lines:
        if line.depth == 0:
            yield from collected()
            title = line.item.label
        elif not line.heading and line.item.shown and _settled(visit, line.key):
            repeat = line.key.rpartition("/")[0].rpartition("/")[0]
            if rows and repeat.split("/")[0] != next(iter(rows)).split("/")[0]:
                yield from collected()
            rows.setdefault(repeat, []).append(_row(visit, line.key, line.item))
    yield from collected()


def _repeat_title(visit: Visit, repeat: str) -> Words:
    """The label of a repeat; of one in a row of another with the row's number before it."""
    label = visit.checklist.item(repeat).label
    row = repeat.rpartition("/")[0]
    if not row:
        return label
    around = row.rpartition("/")[0]
    number = visit.known.rows(around).index(row) + 1
    return Words.joined(" ", [_repeat_title(visit, around), Words.same(f"{number} ·"), label])


def _settled(visit: Visit, key: str) -> bool:
    return key in visit.answers or key in visit.evidence


def _row(visit: Visit, key: str, item: Item) -> RecordRow:
    answered = visit.answered.get(key)
    evidence = visit.evidence.get(key)
    value = visit.answers.get(key)
    typed = evidence is None and KINDS[item.kind].typed
    return RecordRow(
        item=key,
        label=visit.known.label(key),
        answer=words(evidence.summary) if evidence else visit.known.words(key),
        who=answered.who if answered else "",
        when=answered.wall if answered else "",
        outcome=evidence.verdict if evidence else "",
        notes=tuple(map(_note, evidence.findings)) if evidence else (),
        files=_files(evidence, value),
        kind=(KINDS[item.kind].type or "") if typed else "",
        value=str(value) if typed and value is not None else "",
    )


def _files(evidence: Evidence | None, value: object) -> tuple[str, ...]:
    if evidence is not None:
        return tuple(str(file["sha256"]) for file in evidence.files)
    return (str(value["sha256"]),) if isinstance(value, dict) else ()


def _note(finding: Finding) -> RecordNote:
    return RecordNote(finding.id, finding.severity, words(finding.message), finding.detail)

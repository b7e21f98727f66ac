"""Visits in a line each, kept from the last time they were read: many are listed without folding all.

What is kept is told by the hash of the last entry of a visit, so it is that of these very entries. It may be
lost at any time; while anything of the store is damaged it is not looked at.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from fieldkit import __version__
from fieldkit.access import make_private_folder
from fieldkit.checklist.model import Finish
from fieldkit.text import Words
from fieldkit.visit.model import State, UnreadableVisit, Visit


class VisitSummary(msgspec.Struct, frozen=True):
    """What a list says of a visit; the names are those of `Visit`.

    bureau, bureau_name, checklist, title: which they are and what they are called. next: the label of the
    first item that still wants something, None where none does. form: SHA-256 of the pinned checklist.
    """

    id: str
    bureau: str
    bureau_name: Words
    checklist: str
    form: str
    title: Words
    finish: Finish
    state: State
    done: int
    total: int
    started: str
    who: str
    order: str
    next: Words | None = None


class SummaryList(msgspec.Struct, frozen=True):
    """Every visit of a store, the one touched last first; and those that cannot be read."""

    visits: list[VisitSummary]
    unreadable: list[UnreadableVisit]


Kept = Mapping[str, tuple[str, VisitSummary]]
"""By the visit's id the hash of its last entry, and what it came to by then."""
_NAME = (
    f"visits-{hashlib.sha256(repr((__version__, VisitSummary.__struct_fields__)).encode()).hexdigest()[:12]}"
)


def summary_of(visit: Visit) -> VisitSummary:
    """What a list says of a visit."""
    item = visit.next_item()
    return VisitSummary(
        id=visit.id,
        bureau=visit.bureau.code,
        bureau_name=visit.bureau.name,
        checklist=visit.checklist.id,
        form=visit.checklist_sha256,
        title=visit.checklist.title,
        finish=visit.finish,
        state=visit.state,
        done=visit.done,
        total=visit.total,
        started=visit.started,
        who=visit.who,
        order=visit.order,
        next=visit.known.label(item) if item else None,
    )


def read(folder: Path) -> Kept:
    """What was kept; nothing where it is not there or is not whole."""
    try:
        data = (folder / _NAME).read_bytes()
    except OSError:
        return {}
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        return {}
    try:
        return msgspec.msgpack.decode(data[32:], type=dict[str, tuple[str, VisitSummary]])
    except msgspec.DecodeError:
        return {}


def keep(folder: Path, summaries: Kept) -> None:
    """Keep them for the next time, if they can be."""
    body = msgspec.msgpack.encode(summaries)
    with contextlib.suppress(OSError):
        make_private_folder(folder)
        beside = folder / f"{_NAME}.part"
        beside.write_bytes(hashlib.sha256(body).digest() + body)
        beside.replace(folder / _NAME)

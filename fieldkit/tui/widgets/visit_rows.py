"""The items of a visit as rows of a list: section by section, each with its state as a sign and a word."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from fieldkit.text import M, Said
from fieldkit.text_output import STATUSES
from fieldkit.tui.terminal import signs
from fieldkit.tui.widgets.list_box import ListRow

if TYPE_CHECKING:
    from fieldkit.checklist.kinds import Item
    from fieldkit.visit.model import Visit

FINISH = "@finish"
NEEDS_WORK = ("todo", "failed")


def rows(visit: Visit, drafts: Container[str], running: str, *, words: bool = True) -> list[ListRow]:
    """A row for each item in force and one for finishing; drafts, running: ids of such items.

    words: False where there is little room: "done" and "to do" are then said by their signs alone, which
    help explains.
    """
    listed: list[ListRow] = []
    for section in visit.checklist.sections:
        items = [item for item in section.items if item.id in visit.relevant]
        if items:
            listed.append(ListRow(f"@{section.id}", section.title, heading=True))
        listed += [_row(visit, item, item.id in drafts, item.id == running, words) for item in items]
    listed.append(ListRow("@end", M("Finish"), heading=True))
    word = signs.SHORT_STATES[visit.state]
    listed.append(
        ListRow(
            FINISH,
            M("Sign-off, record, export") if visit.finish == "handover" else M("Close, record, export"),
            signs.sign(visit.state),
            word,
        )
    )
    return listed


def _row(visit: Visit, item: Item, draft: bool, running: bool, words: bool) -> ListRow:
    status = visit.status(item.id)
    sign = signs.sign(status)
    word: Said | str = STATUSES[status] if words or status not in ("done", "todo") else ""
    if running:
        sign, word = signs.sign("running"), M("running")
    elif draft:
        word = M("draft")
    elif item.answered_by == "nobody":
        sign, word = "", M("to read")
    elif status == "todo" and not item.required:
        word = M("optional")
    return ListRow(item.id, item.label, sign, word)


def items_from(visit: Visit, item: str) -> list[str]:
    """The items that can be settled, from the one after `item` around to it."""
    items = [name for name in visit.relevant if visit.checklist.item(name).answered_by != "nobody"]
    start = items.index(item) + 1 if item in items else 0
    return items[start:] + items[:start]


def next_open(visit: Visit, item: str) -> str:
    """The next item after `item` that wants something, required ones first; "" if none does."""
    wanting = [name for name in items_from(visit, item) if visit.status(name) in NEEDS_WORK]
    required = [name for name in wanting if visit.checklist.item(name).required]
    return next(iter(required or wanting), "")

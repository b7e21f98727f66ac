"""The items of a visit as rows of a list: section by section, each with its state as a sign and a word."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from fieldkit.text import M, Said
from fieldkit.text_output import STATUSES
from fieldkit.tui.terminal import signs
from fieldkit.tui.widgets.list_box import ListRow

if TYPE_CHECKING:
    from fieldkit.checklist.answers import FormLine
    from fieldkit.visit.model import Visit

FINISH = "@finish"
NEEDS_WORK = ("todo", "failed")


def rows(
    visit: Visit, drafts: Container[str], running: str, *, opened: str = "", words: bool = True
) -> list[ListRow]:
    """A line for each item in force, for each row of a repeat, and one for finishing.

    drafts, running: keys of such items. opened: the row of a repeat whose items are listed below it.
    words: False where there is little room: "done" and "to do" are then said by their signs alone, which
    help explains.
    """
    listed: list[ListRow] = []
    for line in visit.shown:
        if not is_open(line.key, opened):
            continue
        if line.item.kind == "repeat":
            listed.append(_repeat(visit, line))
        elif line.heading:
            listed.append(ListRow(line.key, line.title, heading=True))
        else:
            listed.append(_row(visit, line, line.key in drafts, line.key == running, words))
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


def _row(visit: Visit, line: FormLine, draft: bool, running: bool, words: bool) -> ListRow:
    item, status = line.item, visit.status(line.key)
    sign = signs.sign(status)
    word: Said | str = STATUSES[status] if words or status not in ("done", "todo") else ""
    if running:
        sign, word = signs.sign("running"), M("running")
    elif draft:
        word = M("draft")
    elif item.answered_by == "nobody":
        sign, word = "", M("to read")
    elif status == "todo" and not visit.known.required(line.key):
        word = M("optional")
    around, label = rows_around(line.key), visit.known.label(line.key)
    return ListRow(line.key, f"{'  ' * len(around)}{label}" if around else label, sign, word)


def is_open(key: str, opened: str) -> bool:
    """Whether a line is listed: it is in no row of a repeat, or in the one that is opened."""
    around = rows_around(key)
    return not around or opened == around[-1] or opened.startswith(f"{around[-1]}/")


def rows_around(key: str) -> list[str]:
    """The keys of the rows that an item or a row is in, the outermost first."""
    parts = key.split("/")
    return ["/".join(parts[:end]) for end in range(2, len(parts), 2)]


def _repeat(visit: Visit, line: FormLine) -> ListRow:
    """The line of a repeat, or of one of its rows with the beginning of what is in it."""
    indent = "  " * len(rows_around(line.key))
    if not line.row:
        count = len(visit.known.rows(line.key))
        return ListRow(line.key, f"{indent}{line.title}", signs.plain("+"), M("{count} row(s)", count=count))
    inside = f"{line.key}/"
    broken = any(problem.item.startswith(inside) for problem in visit.problems)
    answers = [
        str(visit.known.words(key))
        for key in visit.answers
        if key.startswith(inside) and key.count("/") == inside.count("/")
    ]
    text = indent + " · ".join([f"{line.row}", *(answer for answer in answers if answer)])
    status = "todo" if broken else "done"
    return ListRow(line.key, text, signs.sign(status), "")


def items_from(visit: Visit, item: str) -> list[str]:
    """The items that can be settled, from the one after `item` around to it."""
    items = [name for name in visit.relevant if visit.checklist.item(name).answered_by != "nobody"]
    start = items.index(item) + 1 if item in items else 0
    return items[start:] + items[:start]


def next_open(visit: Visit, item: str) -> str:
    """The next item after `item` that wants something, required ones first; "" if none does."""
    wanting = [name for name in items_from(visit, item) if visit.status(name) in NEEDS_WORK]
    required = [name for name in wanting if visit.known.required(name)]
    return next(iter(required or wanting), "")

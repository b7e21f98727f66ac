"""The right side of a visit: one item, what is known of it, and what answers it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, set_cell_size
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget

from fieldkit.checklist.kinds import KINDS, Item, Kind
from fieldkit.finding import Finding
from fieldkit.text import M, Said
from fieldkit.text_output import SEVERITIES, STATUSES
from fieldkit.tui.terminal import signs
from fieldkit.tui.terminal.wrap import cut
from fieldkit.tui.widgets.list_box import ListBox, ListRow
from fieldkit.tui.widgets.path_field import PathField
from fieldkit.tui.widgets.text_field import TextField
from fieldkit.tui.widgets.text_view import Paragraph, TextView
from fieldkit.visit.model import CHANGED

if TYPE_CHECKING:
    from fieldkit.visit.model import Visit


class Editor(NamedTuple):
    """How the items of a kind are answered here.

    hint: what to do. widget: the one that takes the answer, "" for none. chosen: a line is under the cursor
    from the start; without it nobody vouches by Enter alone.
    """

    hint: Said
    widget: str = ""
    chosen: bool = True


_PATH = M("The path of a file; Tab completes it. The file is copied into the store.")
_READ = M("Read it; there is nothing to answer.")
_CALCULATED = M("It follows from other answers.")
EDITORS: dict[Kind, Editor] = {
    "text": Editor(M("Type the answer; Enter saves it."), "line"),
    "number": Editor(M("A number, for example 12 or 12,5."), "line"),
    "date": Editor(M("A date: day/month/year."), "line"),
    "file": Editor(_PATH, "path"),
    "choices": Editor(M("Space ticks, Enter saves what is ticked."), "options"),
    "yesno": Editor(M("Choose a line with the arrow keys; Enter saves it."), "options", chosen=False),
    "choice": Editor(M("Enter saves the line under the cursor."), "options"),
    "rank": Editor(M("Type all of them in your order, with blanks between; Enter saves it."), "line"),
    "acknowledge": Editor(M("Choose the line with the arrow keys; Enter saves it."), "options", chosen=False),
    "integer": Editor(M("A whole number; Enter saves it."), "line"),
    "range": Editor(M("A number of those that are offered; Enter saves it."), "line"),
    "time": Editor(M("A time: 8:30 or 14:05."), "line"),
    "datetime": Editor(M("A day and a time: 24/11/2026 8:30."), "line"),
    "place": Editor(M("Latitude and longitude in degrees: 21.0285 105.8542."), "line"),
    "barcode": Editor(M("Scan it, or type it; Enter or Tab saves it."), "line"),
    "image": Editor(_PATH, "path"),
    "audio": Editor(_PATH, "path"),
    "video": Editor(_PATH, "path"),
    "signature": Editor(_PATH, "path"),
    "calculate": Editor(_CALCULATED),
    "metadata": Editor(_CALCULATED),
    "group": Editor(_READ),
    "repeat": Editor(M("Enter adds a row; on a row it opens it, and F7 takes it out.")),
    "procedure": Editor(M("Enter runs this step. You see what it will do before it changes anything.")),
    "note": Editor(_READ),
}


WIDEST = 24  # cells of a column of a table
URGENCY = {"fail": 0, "warning": 1, "not-checked": 2, "info": 3, "pass": 4}


class ItemPane(Vertical):
    """Shows an item. `editor` is what answers it, None for procedures and notes."""

    DEFAULT_CSS = """
    ItemPane { width: 1fr; height: 1fr; padding: 0 1 0 1; }
    ItemPane #about { height: auto; max-height: 9; }
    ItemPane TextField, ItemPane ListBox { display: none; margin: 1 0 0 0; }
    ItemPane ListBox { height: auto; max-height: 9; }
    ItemPane .-shown { display: block; }
    ItemPane #lines { height: 5; }
    ItemPane #known { height: 1fr; margin: 1 0 0 0; }
    """

    def __init__(self) -> None:
        super().__init__(id="item")
        self.item = ""
        self._visit: Visit | None = None
        self._draft: str | None = None
        self._complaint: Sequence[Said] = ()
        self._findings: Sequence[Finding] | None = None

    def compose(self) -> ComposeResult:
        yield TextView(id="about")
        yield TextField(id="line")
        yield PathField(id="path")
        yield TextField(id="lines", rows=5)
        yield ListBox(id="options", paging=False, wrap=True)
        yield TextView(id="known")

    # --- what it shows

    def show(
        self, visit: Visit, item: str, draft: str | None, findings: Sequence[Finding] | None = None
    ) -> None:
        """Show `item` of `visit`, with what was typed into it and not saved, and findings as they come."""
        self._visit, self._draft = visit, draft
        self._findings = findings
        if item != self.item:
            self._complaint = ()
        self.item = item
        self._fill_editor()
        self.refresh_texts()

    def drafted(self, draft: str | None) -> None:
        """Say that what was entered is kept, or that nothing is."""
        self._draft = draft
        self._show_about()

    def complain(self, *lines: Said) -> None:
        """Say what is wrong with the answer given."""
        self._complaint = lines
        self.refresh_texts()

    def live(self, findings: Sequence[Finding]) -> None:
        """Show findings while the item's procedure runs."""
        self._findings = findings
        self._show_known()

    def refresh_texts(self) -> None:
        """Say everything again: language or state changed. What is being typed is left alone."""
        if self._visit is None or not self.item:
            return
        self._show_about()
        self._show_known()
        box = self.query_one("#options", ListBox)
        if self.editor is box:
            box.show(self._options(set(box.ticked)))

    def _show_about(self) -> None:
        visit, item = self._present, self._checklist_item
        status = visit.status(self.item)
        state: list[Said | str] = [STATUSES[status]]
        if visit.known.required(self.item):
            state.append(M("required"))
        if self._draft is not None:
            state.append(M("draft, not saved"))
        answered = visit.answered.get(self.item)
        if answered is not None:
            state.append(M("{when} by {who}", when=answered.wall[:16].replace("T", " "), who=answered.who))
        if self.item not in visit.answers and item.answered_by == "person" and visit.known.prefill(self.item):
            state.append(M("proposed: Enter confirms it"))
        text = [Paragraph(visit.known.label(self.item), "strong")]
        if item.answered_by != "nobody":
            text.append(Paragraph(" · ".join(str(part) for part in state if part), "", signs.sign(status)))
        for words in (item.hint, item.guidance):
            if words is not None:
                text.append(Paragraph(visit.known.text(self.item, words), "faint"))
        if item.media:
            text.append(Paragraph(M("With it: {files}", files=", ".join(item.media)), "faint"))
        if visit.signoff is not None:
            text.append(
                Paragraph(M("The visit is signed off; F9 can open it again, with a reason."), "faint")
            )
        else:
            text.append(Paragraph(EDITORS[item.kind].hint, "faint"))
        self.query_one("#about", TextView).show(text)

    def _show_known(self) -> None:
        visit, item = self._present, self._checklist_item
        text = [
            Paragraph(line, "strong" if n == 0 else "", signs.sign("fail") if n == 0 else "")
            for n, line in enumerate(self._complaint)
        ]
        if self._findings is not None:
            for finding in self._findings:
                text += finding_text(finding)
        else:
            text += self._known(visit, item)
        self.query_one("#known", TextView).show(text)

    def _known(self, visit: Visit, item: Item) -> list[Paragraph]:
        if item.kind == "repeat":
            return list(_table(visit, self.item))
        text: list[Paragraph] = []
        if self.item in visit.answers:
            text.append(Paragraph(M("Saved: {answer}", answer=answer_text(visit, self.item))))
        text += [
            Paragraph(problem.message, "", signs.sign("warning"))
            for problem in visit.problems
            if problem.item == self.item and visit.status(self.item) == "failed"
        ]
        if self.item in visit.outdated:
            text.append(
                Paragraph(
                    M("It was done with another token, or before the token was initialised anew."),
                    "",
                    signs.sign("warning"),
                )
            )
        for attempt in visit.attempts.get(self.item, ()):
            when = attempt.wall[:16].replace("T", " ")
            message = M("{when}: {what}", when=when, what=attempt.message)
            text.append(Paragraph(message, "", signs.sign("warning" if attempt.code == CHANGED else "info")))
        evidence = visit.evidence.get(self.item)
        if evidence is not None:
            text.append(Paragraph(evidence.summary, "strong"))
            urgent_first = sorted(evidence.findings, key=lambda finding: URGENCY[finding.severity])
            times = Counter((finding.severity, str(finding.message)) for finding in urgent_first)
            for finding in urgent_first:
                key = finding.severity, str(finding.message)
                if key in times:  # what holds of several documents is said once
                    text += finding_text(finding, times.pop(key))
        return text

    # --- what answers it

    @property
    def editor(self) -> Widget | None:
        """The widget that takes the answer."""
        if self._visit is None or not self.item or self._present.signoff is not None:
            return None
        if self._checklist_item.answered_by != "person" or self._present.known.read_only(self.item):
            return None
        name = "lines" if self._checklist_item.multiline else EDITORS[self._checklist_item.kind].widget
        return self.query_one(f"#{name}", Widget) if name else None

    @property
    def value(self) -> str | list[str] | None:
        """The answer as it stands in the editor; "" and [] are no answer."""
        editor = self.editor
        if isinstance(editor, ListBox):
            return editor.ticked if KINDS[self._checklist_item.kind].several else editor.key
        return editor.value if isinstance(editor, TextField) else None

    @property
    def draft(self) -> str | None:
        """What was entered and is not saved, as text; None if nothing is."""
        if self._visit is None or not self.item:
            return None
        editor, item = self.editor, self._checklist_item
        if isinstance(editor, ListBox) and not KINDS[item.kind].several:
            return None
        value = self.value
        entered = " ".join(value) if isinstance(value, list) else str(value)
        return None if editor is None or entered == self._saved() else entered

    def _saved(self) -> str:
        """What the editor begins with when there is no draft."""
        answer = self._present.answers.get(self.item, self._present.known.prefill(self.item))
        if isinstance(answer, list):
            return " ".join(answer)
        return answer if isinstance(answer, str) else ""

    def _fill_editor(self) -> None:
        editor = self.editor
        for widget in self.query("TextField, ListBox"):
            widget.set_class(widget is editor, "-shown")
        if editor is None:
            return
        text = self._saved() if self._draft is None else self._draft
        if isinstance(editor, ListBox):
            item = self._checklist_item
            options = self._options(set(text.split()))
            first = options[0].key if EDITORS[item.kind].chosen else None
            editor.show(options, at=text if any(row.key == text for row in options) else first)
        elif isinstance(editor, TextField) and editor.value != text:
            editor.value = text

    def _options(self, ticked: set[str]) -> list[ListRow]:
        several = KINDS[self._checklist_item.kind].several
        return [
            ListRow(choice.value, choice.label, ticked=choice.value in ticked if several else None)
            for choice in self._present.known.choices(self.item)
        ]

    @property
    def _present(self) -> Visit:
        assert self._visit is not None
        return self._visit

    @property
    def _checklist_item(self) -> Item:
        return self._present.checklist.item(self.item)


def _table(visit: Visit, key: str) -> Iterator[Paragraph]:
    """The rows of a repeat, or what is in one of them: a line each, columns one below the other."""
    known = visit.known
    repeat = key if key not in known.rows(key.rpartition("/")[0]) else key.rpartition("/")[0]
    columns = [
        item
        for item in visit.checklist.item(repeat).walk()
        if item.shown
        and not KINDS[item.kind].holds
        and len(known.repeats(item.id)) == len(known.repeats(repeat)) + 1
    ]
    if key != repeat:
        for item in columns:
            if known.asked(f"{key}/{item.id}"):
                yield Paragraph(f"{known.label(f'{key}/{item.id}')}: {known.words(f'{key}/{item.id}')}")
        return
    first = next(iter(known.rows(repeat)), "")
    cells = [[str(known.label(f"{first}/{item.id}") if first else item.label) for item in columns]]
    cells += [[str(known.words(f"{row}/{item.id}")) for item in columns] for row in known.rows(repeat)]
    widths = [min(max(map(cell_len, column)), WIDEST) for column in zip(*cells, strict=True)]
    for number, line in enumerate(cells):
        shown = "  ".join(
            set_cell_size(cut(cell, width), width) for cell, width in zip(line, widths, strict=True)
        )
        yield Paragraph(shown.rstrip(), "strong" if number == 0 else "", str(number or ""))


def answer_text(visit: Visit, key: str) -> str:
    """An answer as people read it, with the size of a file."""
    words, answer = str(visit.known.words(key)), visit.answers[key]
    if not isinstance(answer, dict):
        return words
    return f"{words} ({answer.get('size', 0):,} B)".replace(",", "\N{NARROW NO-BREAK SPACE}")


def finding_text(finding: Finding, times: int = 1) -> list[Paragraph]:
    """A finding: its sign, what was seen and the outcome in words; what would mend it; technical detail."""
    word = f"{SEVERITIES[finding.severity]}, {times}×" if times > 1 else str(SEVERITIES[finding.severity])
    text = [Paragraph(f"{finding.message} [{word}]", "", signs.sign(finding.severity))]
    if finding.hint is not None:
        text.append(Paragraph(finding.hint, "", signs.plain("→"), 2))
    if finding.detail and finding.severity not in ("pass", "info"):
        text += [Paragraph(line, "faint", "", 2) for line in finding.detail.splitlines()[:6]]
    return text

"""A visit: its items at the left, the work on one of them at the right, what is happening at the bottom."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.containers import Horizontal
from textual.message import Message as Event
from textual.widget import Widget

from fieldkit.operator import Finding, Plan, Question
from fieldkit.plain import SEVERITIES
from fieldkit.text import M, Said
from fieldkit.tui import signs
from fieldkit.tui.actions import Scope, bindings
from fieldkit.tui.dialogs import ConsentDialog, QuestionDialog
from fieldkit.tui.finishing import progress_words
from fieldkit.tui.frame import Room
from fieldkit.tui.list_box import ListBox, Row
from fieldkit.tui.operator import Found, Progressed, ScreenOperator
from fieldkit.tui.runner import Running
from fieldkit.tui.work_pane import WorkPane

if TYPE_CHECKING:
    from fieldkit.procedure.evidence import Evidence
    from fieldkit.visit.model import Visit

FINISH = "@finish"
NEEDS_WORK = ("todo", "failed")


class VisitRoom(Room[None]):
    """One visit. What is typed and not saved stays with its item as a draft, also on the disk."""

    DEFAULT_CSS = """
    VisitRoom #sides { width: 1fr; height: 1fr; }
    VisitRoom #items { width: 45%; max-width: 60; padding: 0 0 0 1; border-right: vkey $primary; }
    VisitRoom:ansi #items { border-right: vkey ansi_default; }
    """
    BINDINGS = bindings("visit", "answer", "run", "read", "room")
    AUTO_FOCUS = "#items"

    class Loaded(Event):
        """The visit as it is in the store; `at` is where the cursor goes."""

        def __init__(self, visit: Visit, at: str = "", said: Said | None = None) -> None:
            super().__init__()
            self.visit = visit
            self.at = at
            self.said = said

    class Answered(Event):
        """An answer is on the disk."""

        def __init__(self, visit: Visit, item: str) -> None:
            super().__init__()
            self.visit = visit
            self.item = item

    class Refused(Event):
        """An answer was not saved, and why."""

        def __init__(self, error: Exception) -> None:
            super().__init__()
            self.error = error

    class Ended(Event):
        """A procedure came to its end: with evidence, or with an error."""

        def __init__(self, item: str, evidence: Evidence | None, error: Exception | None) -> None:
            super().__init__()
            self.item = item
            self.evidence = evidence
            self.error = error

    def __init__(self, visit: str) -> None:
        super().__init__()
        self.visit_id = visit
        self._visit: Visit | None = None
        self._drafts: dict[str, str] = {}
        self._kept: dict[str, str] = {}
        self._busy = False
        self._procedure: Running[Evidence] | None = None
        self._running_item = ""
        self._findings: list[Finding] = []

    # --- the frame

    def heading(self) -> tuple[Said | str, Said | str]:
        visit = self._visit
        if visit is None:
            return self.visit_id, ""
        state = signs.STATES[visit.state]
        return f"{visit.bureau.name} · {visit.checklist.title}", f"{visit.done}/{visit.total}  {state}"

    def body(self) -> Iterator[Widget]:
        yield Horizontal(ListBox(id="items"), WorkPane(), id="sides")

    def filled(self) -> None:
        if self._visit is not None:
            self._items.show(self._rows(self._visit))
            self._pane.retell()

    def scopes_now(self) -> Sequence[Scope]:
        if self._procedure is not None:
            return ("run", "read")
        if self._in_editor:
            return ("answer", "read")
        return ("visit", "read", "room")

    @property
    def holding(self) -> bool:
        return super().holding or self._visit is None or self._busy

    @property
    def _items(self) -> ListBox:
        return self.query_one("#items", ListBox)

    @property
    def _pane(self) -> WorkPane:
        return self.query_one(WorkPane)

    @property
    def _in_editor(self) -> bool:
        return self.focused is not None and self.focused is self._pane.editor

    # --- loading, and where one was

    def _begin(self) -> None:
        self.status(M("Reading the visit…"))
        self._do(self._loading)
        super()._begin()

    def on_screen_resume(self) -> None:
        if self._visit is not None and self._procedure is None:
            self._do(self._reloading)

    async def _loading(self) -> Event:
        desk = self.fieldkit.desk
        visit = await desk.call(lambda: desk.visits.load(self.visit_id))
        self._kept = await desk.call(lambda: desk.drafts(visit.id))
        self._drafts = dict(self._kept)
        place = await desk.call(lambda: desk.visits.place(visit.id))
        return self.Loaded(visit, at=place if place in visit.relevant else visit.next_item())

    async def _reloading(self) -> Event:
        desk = self.fieldkit.desk
        return self.Loaded(await desk.call(lambda: desk.visits.load(self.visit_id)))

    def on_visit_room_loaded(self, event: Loaded) -> None:
        first = self._visit is None
        self._take(event.visit, event.at)
        if first:
            self.status(
                M("{done} of {total} required items settled.", done=event.visit.done, total=event.visit.total)
            )
        elif event.said is not None:
            self.status(event.said)
        self.fieldkit.release_keys()

    def _take(self, visit: Visit, at: str = "") -> None:
        self._visit = visit
        self.retitle()
        self._items.show(self._rows(visit), at=at)
        self._show_item()

    def _rows(self, visit: Visit) -> list[Row]:
        rows: list[Row] = []
        for section in visit.checklist.sections:
            items = [item for item in section.items if item.id in visit.relevant]
            if items:
                rows.append(Row(f"@{section.id}", section.title, heading=True))
            for item in items:
                status = visit.status(item.id)
                word: Said = signs.STATUSES[status]
                sign = signs.sign(status)
                if item.id == self._running_item:
                    sign, word = signs.sign("running"), M("running")
                elif item.id in self._drafts:
                    word = M("draft")
                elif item.kind == "note":
                    sign, word = "", M("to read")
                elif status == "todo" and not item.required:
                    word = M("optional")
                rows.append(Row(item.id, item.label, sign, word))
        rows.append(Row("@end", M("Finish"), heading=True))
        rows.append(
            Row(
                FINISH,
                M("Sign-off, record, export"),
                signs.sign(visit.state),
                signs.SHORT_STATES[visit.state],
            )
        )
        return rows

    # --- the item under the cursor

    def on_list_box_moved(self, event: ListBox.Moved) -> None:
        if event.box is self._items:
            self._show_item()

    def on_text_field_changed(self) -> None:
        self._keep_typed()

    def _show_item(self) -> None:
        visit, item = self._visit, self._items.key
        if visit is None or not item or item.startswith("@"):
            return
        findings = self._findings if item == self._running_item else None
        self._pane.show(visit, item, self._drafts.get(item), findings)

    def _keep_typed(self) -> None:
        """Hold on to what is in the editor and not saved."""
        pane = self._pane
        if not pane.item or self._visit is None:
            return
        draft, before = pane.draft, self._drafts.get(pane.item)
        if draft is None:
            self._drafts.pop(pane.item, None)
        else:
            self._drafts[pane.item] = draft
        if (draft is None) != (before is None):
            self._items.show(self._rows(self._visit))

    def _settle_pane(self) -> str:
        """The item under the cursor, shown at the right; keys may have been faster than messages."""
        if self._pane.item != self._items.key:
            self._show_item()
        return self._items.key

    # --- answering

    def action_work(self) -> None:
        item = self._settle_pane()
        visit = self._visit
        if visit is None or not item:
            return
        if item == FINISH:
            self.action_finish()
        elif visit.checklist.item(item).kind == "procedure":
            if visit.status(item) == "done":
                self.action_next_open()
            elif self._changeable(visit):
                self._run_procedure(item)
        elif visit.checklist.item(item).kind == "note":
            self._step_on(item)
        elif self._changeable(visit):
            self.action_to_answer()

    def action_to_answer(self) -> None:
        self._settle_pane()
        editor = self._pane.editor
        if editor is not None:
            editor.focus()

    def action_to_list(self) -> None:
        self._keep_typed()
        self._items.focus()
        self._keep_on_disk()

    def action_save(self) -> None:
        item, value = self._pane.item, self._pane.value
        if self._visit is None or not item:
            return
        if not value:
            self._pane.complain(
                M("Nothing was entered."), M("Esc goes back to the list; F7 there takes an answer back.")
            )
            return
        self._busy = True
        self.status(M("Saving…"))
        is_file = self._visit.checklist.item(item).kind == "file"
        self._do(lambda: self._saving(item, value, is_file=is_file), failed=self.Refused)

    async def _saving(self, item: str, value: Any, *, is_file: bool) -> Event:
        desk = self.fieldkit.desk

        def save() -> Visit:
            if is_file:
                visit = desk.visits.attach(self.visit_id, item, Path(str(value)).expanduser())
            else:
                visit = desk.visits.answer(self.visit_id, item, value)
            if item in self._kept:
                desk.keep_draft(self.visit_id, item, None)
                del self._kept[item]
            desk.visits.remember(self.visit_id, item)
            return visit

        return self.Answered(await desk.call(save), item)

    def on_visit_room_answered(self, event: Answered) -> None:
        self._busy = False
        self._drafts.pop(event.item, None)
        label = event.visit.checklist.item(event.item).label
        self._take(event.visit)
        self._step_on(event.item)
        self.status(M("Saved: {item}", item=str(label)))
        self.fieldkit.note(M("Saved: {item}", item=str(label)))
        self.fieldkit.release_keys()

    def on_visit_room_refused(self, event: Refused) -> None:
        from fieldkit.checklist.errors import AnswerInvalid

        self._busy = False
        error = event.error
        if isinstance(error, AnswerInvalid | OSError):
            from fieldkit.tui.faults import as_error

            found = as_error(error)
            self.status(M("Not saved."))
            self._pane.complain(*(part for part in (found.message, found.hint) if part is not None))
        else:
            self.status(M("Not saved."))
            self.fieldkit.tell(error, M("The answer was not saved"))
        self.fieldkit.release_keys()

    def action_take_back(self) -> None:
        item = self._settle_pane()
        visit = self._visit
        if visit is None or item not in visit.answers or not self._changeable(visit):
            return
        desk = self.fieldkit.desk

        async def taking_back() -> Event:
            taken = await desk.call(lambda: desk.visits.answer(self.visit_id, item, None))
            return self.Loaded(taken, at=item, said=M("The answer was taken back."))

        self._do(taking_back)

    def action_note(self) -> None:
        desk = self.fieldkit.desk

        async def noting() -> Event | None:
            text = await self.app.push_screen_wait(
                QuestionDialog(Question("note", M("A note to this visit")))
            )
            if not text:
                return None
            visit = await desk.call(lambda: desk.visits.note(self.visit_id, text))
            return self.Loaded(visit, said=M("The note was saved."))

        self._do(noting)

    # --- moving on

    def action_next_open(self) -> None:
        visit = self._visit
        if visit is None:
            return
        wanting = [item for item in self._after(self._items.key) if visit.status(item) in NEEDS_WORK]
        required = [item for item in wanting if visit.checklist.item(item).required] or wanting
        self._items.go(required[0] if required else FINISH)
        self._items.focus()
        if not required:
            self.status(M("Nothing is open any more. Enter finishes the visit."))

    def _step_on(self, item: str) -> None:
        """To the item after `item`; if a person answers it and has not, straight into its editor."""
        visit = self._visit
        keys = [row.key for row in self._items.rows if not row.heading]
        if visit is None or item not in keys:
            return
        following = keys[min(keys.index(item) + 1, len(keys) - 1)]
        self._items.go(following)
        self._show_item()
        editor = self._pane.editor if following != FINISH else None
        if editor is not None and visit.status(following) in NEEDS_WORK:
            editor.focus()
        else:
            self._items.focus()

    def _after(self, item: str) -> list[str]:
        """The visit's items from the one after `item` around to it."""
        assert self._visit is not None
        items = [name for name in self._visit.relevant if self._visit.checklist.item(name).kind != "note"]
        start = items.index(item) + 1 if item in items else 0
        return items[start:] + items[:start]

    def _changeable(self, visit: Visit) -> bool:
        if visit.signoff is None:
            return True
        self.status(
            M("Signed off by {officer}; F9 can open it again, with a reason.", officer=visit.signoff.officer)
        )
        return False

    # --- procedures

    def action_again(self) -> None:
        item = self._settle_pane()
        visit = self._visit
        if (
            visit
            and item in visit.relevant
            and visit.checklist.item(item).kind == "procedure"
            and self._changeable(visit)
        ):
            self._run_procedure(item)

    def _run_procedure(self, item: str) -> None:
        desk = self.fieldkit.desk
        operator = ScreenOperator(self.fieldkit, self)
        self._running_item, self._findings = item, []
        self._procedure = Running(lambda: desk.visits.run(self.visit_id, item, operator, desk.modules))
        self.status(M("Running: {item}. Esc stops it.", item=self._label(item)))
        self._retake()
        self.run_worker(
            self._waiting(item, self._procedure), group="procedure", exclusive=True, exit_on_error=False
        )

    async def _waiting(self, item: str, running: Running[Evidence]) -> None:
        try:
            self.post_message(self.Ended(item, await running.result(), None))
        except Exception as error:
            self.post_message(self.Ended(item, None, error))

    def on_found(self, event: Found) -> None:
        self._findings.append(event.finding)
        self.fieldkit.note(event.finding.message)
        if self._pane.item == self._running_item:
            self._pane.live(tuple(self._findings))

    def on_progressed(self, event: Progressed) -> None:
        if self._procedure is None:
            return
        self.status(progress_words(event.progress))

    def on_visit_room_ended(self, event: Ended) -> None:
        self._procedure, self._running_item = None, ""
        label = self._label(event.item)
        if event.evidence is not None:
            outcome = SEVERITIES[event.evidence.verdict]
            ended = M("{item}: {outcome}. F3 goes to the next open item.", item=label, outcome=str(outcome))
        else:
            ended = M("{item}: not finished.", item=label)
        self.fieldkit.note(ended)
        self.status(ended)
        desk = self.fieldkit.desk

        async def reading() -> Event:
            def read() -> Visit:
                desk.visits.remember(self.visit_id, event.item)
                return desk.visits.load(self.visit_id)

            return self.Loaded(await desk.call(read), said=ended)

        self._do(reading)
        if event.error is not None:
            self.fieldkit.tell(event.error, M("The step was not finished"))

    async def action_stop(self) -> None:
        self.run_worker(self._stopping(), group="stop", exclusive=True, exit_on_error=False)

    async def _stopping(self) -> bool:
        """Ask whether to stop what runs; True if it is to be stopped, or has ended meanwhile."""
        running = self._procedure
        if running is None:
            return True
        plan = Plan(
            title=M("Stop what is running?"),
            steps=(
                M(
                    "{item} is stopped at the next point where that is safe.",
                    item=self._label(self._running_item),
                ),
            ),
            keeps=M("What was saved stays. The step can be run again."),
        )
        agreed = await self.app.push_screen_wait(ConsentDialog(plan))
        if agreed and self._procedure is running:
            self.status(M("Stopping…"))
            running.stop()
        return bool(agreed) or self._procedure is None

    def _label(self, item: str) -> str:
        return str(self._visit.checklist.item(item).label) if self._visit is not None else item

    def _retake(self) -> None:
        if self._visit is not None:
            self._take(self._visit)
        self.retell_keys()

    # --- leaving

    def action_finish(self) -> None:
        from fieldkit.tui.finish_room import FinishRoom

        self._keep_typed()
        self._keep_on_disk()
        if self._visit is not None:
            self.app.push_screen(FinishRoom(self._visit))

    def action_page_down(self) -> None:
        self._pane.query_one("#known").scroll_by(5)  # type: ignore[attr-defined]

    def action_page_up(self) -> None:
        self._pane.query_one("#known").scroll_by(-5)  # type: ignore[attr-defined]

    def action_back(self) -> None:
        self._keep_typed()
        self._keep_on_disk()
        self.dismiss(None)

    async def may_leave(self) -> bool:
        if self._procedure is not None:
            self.status(
                M(
                    "{item} is running. Stop it with Esc first, or let it end.",
                    item=self._label(self._running_item),
                )
            )
            return False
        self._keep_typed()
        self._keep_on_disk()
        return True

    def _keep_on_disk(self) -> None:
        """Write drafts and place; the desk does it before anything that is asked of it later."""
        desk, visit = self.fieldkit.desk, self._visit
        if visit is None or not desk.is_open:
            return
        changed = {item: text for item, text in self._drafts.items() if self._kept.get(item) != text}
        gone = [item for item in self._kept if item not in self._drafts]
        place = self._items.key
        self._kept = dict(self._drafts)

        def keep() -> None:
            for item, text in changed.items():
                desk.keep_draft(visit.id, item, text)
            for item in gone:
                desk.keep_draft(visit.id, item, None)
            if place in visit.relevant and desk.visits.place(visit.id) != place:
                desk.visits.remember(visit.id, place)

        self.app.run_worker(desk.call(keep), group="drafts", exit_on_error=False)

    # --- work with the desk

    def _do(self, work: Callable[[], Any], failed: Callable[[Exception], Event] | None = None) -> None:
        """Run `work` in a worker; what it gives, or `failed` of what it raised, comes back as a message."""

        async def doing() -> None:
            try:
                event = await work()
            except Exception as error:
                if failed is None:
                    self.fieldkit.tell(error)
                else:
                    self.post_message(failed(error))
            else:
                if event is not None:
                    self.post_message(event)

        self.run_worker(doing(), group="desk", exit_on_error=False)

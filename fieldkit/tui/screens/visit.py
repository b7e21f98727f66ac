"""A visit: its items at the left, the work on one of them at the right, what is happening at the bottom."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual.containers import Horizontal
from textual.message import Message as Event
from textual.widget import Widget

from fieldkit.checklist.kinds import KINDS
from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding
from fieldkit.operator import Plan, Question
from fieldkit.text import M, Message, Said, Words
from fieldkit.text_output import SEVERITIES
from fieldkit.tui.actions import Scope, bindings
from fieldkit.tui.drafts import Drafts
from fieldkit.tui.screens.dialogs import ConsentDialog, QuestionDialog
from fieldkit.tui.screens.work import DECLINED, WorkScreen
from fieldkit.tui.terminal import signs
from fieldkit.tui.widgets.item_pane import EDITORS, ItemPane
from fieldkit.tui.widgets.list_box import ListBox, ListRow
from fieldkit.tui.widgets.visit_rows import FINISH, NEEDS_WORK, is_open, next_open, rows, rows_around

if TYPE_CHECKING:
    from fieldkit.procedure.evidence import Evidence
    from fieldkit.visit.model import Visit

ROOMY = 110  # columns from which a row of the list has room for its state in words


class VisitScreen(WorkScreen["Evidence"]):
    """One visit. What is typed and not saved stays with its item as a draft, also on the disk."""

    DEFAULT_CSS = """
    VisitScreen #sides { width: 1fr; height: 1fr; }
    VisitScreen #items { width: 45%; max-width: 60; padding: 0 0 0 1; border-right: vkey $primary; }
    VisitScreen:ansi #items { border-right: vkey ansi_default; }
    """
    BINDINGS = bindings("visit", "answer", "run", "read", "screen")
    AUTO_FOCUS = "#items"
    reading = "#known"

    class Loaded(Event):
        """The visit as it is in the store; `at` is where the cursor goes, `answering` into its answer."""

        def __init__(
            self, visit: Visit, at: str = "", text: Said | None = None, *, answering: bool = False
        ) -> None:
            super().__init__()
            self.answering = answering
            self.visit = visit
            self.at = at
            self.text = text

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

    def __init__(self, visit: str) -> None:
        super().__init__()
        self.visit_id = visit
        self._visit: Visit | None = None
        self._busy = False
        self._broken = False
        self._running_item = ""
        self._unsaved_note = ""
        self._opened = ""

    # --- the frame

    def heading(self) -> tuple[Said | str, Said | str]:
        visit = self._visit
        if visit is None:
            return self.visit_id, ""
        state = M("open") if visit.state == "open" else signs.SHORT_STATES[visit.state]
        return f"{visit.bureau.name} · {visit.checklist.title}", f"{visit.done}/{visit.total}  {state}"

    def body(self) -> Iterator[Widget]:
        yield Horizontal(ListBox(id="items"), ItemPane(), id="sides")

    def filled(self) -> None:
        if self._visit is not None:
            self._items.show(self._rows(self._visit))
            self._pane.refresh_texts()

    def _rows(self, visit: Visit) -> list[ListRow]:
        roomy = self.app.size.width >= ROOMY
        return rows(visit, self._drafts, self._running_item, opened=self._opened, words=roomy)

    def on_resize(self) -> None:
        super().on_resize()
        if self._visit is not None:
            self._items.show(self._rows(self._visit))

    def scopes_now(self) -> Sequence[Scope]:
        if self.working:
            return ("run", "read")
        if self._in_editor:
            return ("answer", "read")
        return ("visit", "read", "screen")

    @property
    def holding(self) -> bool:
        reading = self._visit is None and not self._broken
        return super().holding or reading or self._busy

    @functools.cached_property
    def _drafts(self) -> Drafts:
        return Drafts(self.host.desk, self.visit_id)

    @property
    def _items(self) -> ListBox:
        return self.query_one("#items", ListBox)

    @property
    def _pane(self) -> ItemPane:
        return self.query_one(ItemPane)

    @property
    def _in_editor(self) -> bool:
        return self.focused is not None and self.focused is self._pane.editor

    # --- loading, and where one was

    def _begin(self) -> None:
        self.status(M("Reading the visit…"))
        self._do(self._loading)
        super()._begin()

    def on_screen_resume(self) -> None:
        if self._visit is not None and not self.working:
            self._do(self._reloading)

    async def _loading(self) -> Event:
        desk = self.host.desk
        try:
            visit = await desk.call(lambda: desk.visits.load(self.visit_id))
        except Exception:
            self._broken = True  # Esc has to get out of here
            raise
        self.visit_id = visit.id  # it may have been called by the beginning of its id
        damage = await desk.call(self._drafts.load)
        if damage is not None:
            self.host.show_note(damage)
        place = await desk.call(lambda: desk.visits.place(visit.id))
        return self.Loaded(visit, at=place if place in visit.relevant else visit.next_item(), text=damage)

    async def _reloading(self) -> Event:
        desk = self.host.desk
        return self.Loaded(await desk.call(lambda: desk.visits.load(self.visit_id)))

    def on_visit_screen_loaded(self, event: Loaded) -> None:
        first = self._visit is None
        self._take(event.visit, event.at)
        if event.answering:
            self.action_to_answer()
        if first:
            self.host.tokens.start()
        if event.text is not None:
            self.status(event.text)
        elif first:
            self.status(
                M("{done} of {total} required items settled.", done=event.visit.done, total=event.visit.total)
            )
        self.host.release_keys()

    def _take(self, visit: Visit, at: str = "") -> None:
        self._visit = visit
        self.refresh_title()
        self._open(at)
        self._items.show(self._rows(visit), at=at)
        self._show_item()
        self.refresh_keys()

    def _open(self, key: str) -> None:
        """List what is in the row of a repeat that `key` is, or is in."""
        if not is_open(key, self._opened):
            self._opened = rows_around(key)[-1]

    def _go(self, key: str) -> None:
        """The cursor onto `key`, in whatever row of a repeat it is."""
        if self._visit is not None and not is_open(key, self._opened):
            self._open(key)
            self._items.show(self._rows(self._visit), at=key)
        self._items.go(key)

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
        findings = self.findings if item == self._running_item else None
        self._pane.show(visit, item, self._drafts.get(item), findings)

    def _keep_typed(self) -> None:
        """Hold on to what is in the editor and not saved."""
        pane = self._pane
        if not pane.item or self._visit is None:
            return
        draft = pane.draft
        if self._drafts.hold(pane.item, draft):
            pane.drafted(draft)
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
        elif visit.checklist.item(item).kind == "repeat":
            self._work_on_rows(visit, item)
        elif visit.checklist.item(item).answered_by == "procedure":
            if visit.status(item) == "done":
                self.action_next_open()
            elif self._changeable(visit):
                self._run_procedure(item)
        elif visit.checklist.item(item).answered_by == "nobody":
            self._step_on(item)
        elif self._changeable(visit):
            self.action_to_answer()

    def _work_on_rows(self, visit: Visit, key: str) -> None:
        """On a repeat, add a row; on a row, list what is in it."""
        if key in visit.known.rows(key.rpartition("/")[0]):
            self._opened = key
            self._items.show(self._rows(visit), at=key)
            self._step_on(key)
        elif visit.known.counted(key):
            self._step_on(key)
        elif self._changeable(visit):
            self._add_row(key)

    def action_add_row(self) -> None:
        """Add a row after the one under the cursor, or to the repeat that it is in or on."""
        key = self._settle_pane()
        visit = self._visit
        if visit is None or not key or key == FINISH:
            return
        on_row = key in visit.known.rows(key.rpartition("/")[0])
        row = key if on_row else next(reversed(rows_around(key)), "")
        repeat = row.rpartition("/")[0] or key
        if visit.checklist.item(repeat).kind != "repeat" or visit.known.counted(repeat):
            self.status(M("Here is no list that rows could be added to."))
        elif self._changeable(visit):
            self._add_row(repeat, after=row)

    def _add_row(self, repeat: str, after: str = "") -> None:
        desk = self.host.desk

        async def adding() -> Event:
            visit, row = await desk.call(lambda: desk.visits.add_row(self.visit_id, repeat, after))
            self._opened = row
            added = M("A row was added. F7 on its line takes it out again.")
            first = next((key for key in visit.relevant if key.startswith(f"{row}/")), row)
            return self.Loaded(visit, at=first, text=added, answering=True)

        self.status(M("Saving…"))
        self._do(adding)

    def _remove_row(self, visit: Visit, row: str) -> None:
        desk = self.host.desk
        repeat = row.rpartition("/")[0]
        inside = [key for key in visit.answers if key.startswith(f"{row}/")]
        number = visit.known.rows(repeat).index(row) + 1

        async def removing() -> Event | None:
            if inside:
                kept = M(
                    "The journal keeps the {count} answer(s) in it; they do not count.", count=len(inside)
                )
                plan = Plan(M("Take row {number} out?", number=number), (kept,))
                if not await self.app.push_screen_wait(ConsentDialog(plan)):
                    return None
            self._opened = ""
            taken = await desk.call(lambda: desk.visits.remove_row(self.visit_id, row))
            return self.Loaded(taken, at=repeat, text=M("The row was taken out."))

        self._do(removing)

    def action_to_answer(self) -> None:
        self._settle_pane()
        editor = self._pane.editor
        if editor is not None:
            self.set_focus(editor)

    def action_to_list(self) -> None:
        self._keep_typed()
        self.set_focus(self._items)
        self._keep_on_disk()

    def action_end_entry(self) -> None:
        """Tab: to the list; it also ends what a scanner types."""
        visit, item = self._visit, self._pane.item
        if visit is not None and item and visit.checklist.item(item).kind == "barcode" and self._pane.value:
            self.action_save()
        else:
            self.action_to_list()

    def action_save(self) -> None:
        item, value = self._pane.item, self._pane.value
        if self._visit is None or not item:
            return
        if not value:
            self._pane.complain(
                M("Nothing is chosen yet: the arrow keys do, then Enter saves it.")
                if not EDITORS[self._visit.checklist.item(item).kind].chosen
                else M("Nothing was entered."),
                M("Esc goes back to the list; F7 there takes an answer back."),
            )
            return
        self._busy = True
        self.status(M("Saving…"))
        is_file = KINDS[self._visit.checklist.item(item).kind].attaches
        self._do(lambda: self._saving(item, value, is_file=is_file), failed=self.Refused)

    async def _saving(self, item: str, value: object, *, is_file: bool) -> Event:
        desk = self.host.desk

        forget = self._drafts.unsaved(but=item)

        def save() -> Visit:
            if is_file:
                visit = desk.visits.attach(self.visit_id, item, Path(str(value)).expanduser())
            else:
                visit = desk.visits.answer(self.visit_id, item, value)
            with contextlib.suppress(FieldkitError):  # the answer is saved; its draft may stay
                forget()
            desk.visits.remember(self.visit_id, item)
            return visit

        return self.Answered(await desk.call(save), item)

    def on_visit_screen_answered(self, event: Answered) -> None:
        self._busy = False
        self._drafts.hold(event.item, None)
        saved = _of_item(event.visit, event.item, lambda item: M("Saved: {item}", item=item))
        self._take(event.visit)
        self._step_on(event.item)
        self.status(saved)
        self.host.show_note(saved)
        self.host.release_keys()

    def on_visit_screen_refused(self, event: Refused) -> None:
        from fieldkit.checklist.errors import AnswerInvalid

        self._busy = False
        error = event.error
        if isinstance(error, AnswerInvalid | OSError):
            from fieldkit.errors import as_error

            shown = as_error(error)
            self.status(M("Not saved."))
            self._pane.complain(*(part for part in (shown.message, shown.hint) if part is not None))
        else:
            self.status(M("Not saved."))
            self.host.show_error(error, M("The answer was not saved"))
        self.host.release_keys()

    def action_take_back(self) -> None:
        item = self._settle_pane()
        visit = self._visit
        if visit is None or item not in visit.answers or not self._changeable(visit):
            return
        if item in visit.known.rows(item.rpartition("/")[0]):
            self._remove_row(visit, item)
            return
        desk = self.host.desk

        async def taking_back() -> Event:
            taken = await desk.call(lambda: desk.visits.answer(self.visit_id, item, None))
            return self.Loaded(taken, at=item, text=M("The answer was taken back."))

        self._do(taking_back)

    def action_note(self) -> None:
        desk = self.host.desk

        async def noting() -> Event | None:
            text = await self.app.push_screen_wait(
                QuestionDialog(Question("note", M("A note to this visit"), default=self._unsaved_note))
            )
            if not text:
                return None
            self._unsaved_note = text  # there again when the note is begun again
            self.status(M("Saving…"))
            try:
                visit = await desk.call(lambda: desk.visits.note(self.visit_id, text))
            except FieldkitError:
                self.status(M("Not saved. What was typed is kept: begin the note again."))
                raise
            self._unsaved_note = ""
            return self.Loaded(visit, text=M("The note was saved."))

        self._do(noting)

    # --- moving on

    def action_next_open(self) -> None:
        visit = self._visit
        if visit is None:
            return
        item = next_open(visit, self._items.key)
        self._go(item or FINISH)
        self.set_focus(self._items)
        if not item:
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
            self.set_focus(editor)
        else:
            self.set_focus(self._items)

    def _changeable(self, visit: Visit) -> bool:
        if visit.signoff is None:
            return True
        self.status(
            M("Signed off by {officer}; F9 can open it again, with a reason.", officer=visit.signoff.by)
        )
        return False

    # --- procedures

    def action_again(self) -> None:
        item = self._settle_pane()
        visit = self._visit
        if (
            visit
            and item in visit.relevant
            and visit.checklist.item(item).answered_by == "procedure"
            and self._changeable(visit)
        ):
            self._run_procedure(item)

    def _run_procedure(self, item: str) -> None:
        desk = self.host.desk
        self._running_item = item
        self.do(
            self._label(item),
            lambda operator: desk.visits.run(self.visit_id, item, operator, desk.modules),
        )
        if self._visit is not None:
            self._take(self._visit)

    def findings_changed(self, findings: Sequence[Finding]) -> None:
        if self._pane.item == self._running_item:
            self._pane.live(tuple(findings))

    def ended(self, outcome: Evidence | None, error: FieldkitError | None) -> None:
        item, self._running_item = self._running_item, ""
        text = _of_item(self._visit, item, lambda label: M("{item}: not finished.", item=label))
        if isinstance(error, DECLINED):
            text = error.message
        if outcome is not None:
            verdict = SEVERITIES[outcome.verdict]
            text = _of_item(
                self._visit,
                item,
                lambda label: M(
                    "{item}: {outcome}. F3 goes to the next open item.", item=label, outcome=verdict
                ),
            )
        self.host.show_note(text)
        self.status(text)
        desk = self.host.desk

        async def reading() -> Event:
            def load_again() -> Visit:
                desk.visits.remember(self.visit_id, item)
                return desk.visits.load(self.visit_id)

            return self.Loaded(await desk.call(load_again), text=text)

        self._do(reading)

    def _label(self, item: str) -> str:
        return str(self._visit.checklist.item(item).label) if self._visit is not None else item

    # --- leaving

    def action_finish(self) -> None:
        from fieldkit.tui.screens.finish import FinishScreen

        self._keep_typed()
        self._keep_on_disk()
        if self._visit is not None:
            self.app.push_screen(FinishScreen(self._visit))

    def action_back(self) -> None:
        self._keep_typed()
        self._keep_on_disk()
        self.dismiss(None)

    async def keep_typed(self) -> None:
        self._keep_typed()
        await self._keeping()

    def _keep_on_disk(self) -> None:
        """Write drafts and place, without waiting for it."""
        self.app.run_worker(self._keeping(), group="drafts", exit_on_error=False)

    async def _keeping(self) -> None:
        desk, visit = self.host.desk, self._visit
        if visit is None or not desk.is_open:
            return
        write, place = self._drafts.unsaved(), self._items.key

        def save_drafts() -> None:
            write()
            if place in visit.relevant and desk.visits.place(visit.id) != place:
                desk.visits.remember(visit.id, place)

        try:
            await desk.call(save_drafts)
        except FieldkitError as error:
            self.host.show_error(error, M("What was typed and is no answer yet could not be kept"))

    # --- work with the desk

    def _do(
        self, work: Callable[[], Awaitable[Event | None]], failed: Callable[[Exception], Event] | None = None
    ) -> None:
        """Run `work` in a worker; what it gives, or `failed` of what it raised, comes back as a message."""

        async def doing() -> None:
            try:
                event = await work()
            except Exception as error:
                if failed is None:
                    self.host.show_error(error)
                else:
                    self.post_message(failed(error))
            else:
                if event is not None:
                    self.post_message(event)

        self.run_worker(doing(), group="desk", exit_on_error=False)


def _of_item(visit: Visit | None, item: str, message: Callable[[str], Message]) -> Said:
    """A message about an item, whose label is in both languages already: F2 turns all of it."""
    label = visit.checklist.item(item).label if visit is not None else Words.same(item)
    languages = Words.__struct_fields__
    return Words(*(message(label.render(language)).render(language) for language in languages))

"""Home: the visits of this store, how far each is, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.message import Message as Event
from textual.widget import Widget

from fieldkit.operator import Question
from fieldkit.text import M, Message, Said
from fieldkit.tui.actions import Scope, bindings
from fieldkit.tui.screens.frame import FieldkitScreen
from fieldkit.tui.terminal import signs
from fieldkit.tui.widgets.list_box import ListBox, ListRow
from fieldkit.tui.widgets.text_view import Paragraph, TextView

if TYPE_CHECKING:
    from fieldkit.journal.damage import Damage
    from fieldkit.profile.model import Bureau
    from fieldkit.visit.model import UnreadableVisit
    from fieldkit.visit.summary import SummaryList, VisitSummary


class HomeScreen(FieldkitScreen[None]):
    """The first screen. It is painted before the store is read; the visits come when they come."""

    DEFAULT_CSS = """
    HomeScreen #damage { height: auto; max-height: 50%; margin: 1 3 0 3; }
    HomeScreen.-whole #damage { display: none; }
    HomeScreen ListBox { height: auto; max-height: 60%; margin: 1 1 0 1; }
    HomeScreen #next { height: 1fr; margin: 1 3 0 3; }
    HomeScreen.-empty ListBox { display: none; }
    """
    BINDINGS = bindings("home")
    scopes: ClassVar[tuple[Scope, ...]] = ("home",)
    AUTO_FOCUS = "ListBox"

    class VisitsLoaded(Event):
        """The visits as they are in the store, and what of it is damaged."""

        def __init__(self, overview: SummaryList, damage: list[Damage]) -> None:
            super().__init__()
            self.overview = overview
            self.damage = damage

    def __init__(self) -> None:
        super().__init__()
        self._visits: list[VisitSummary] | None = None
        self._unreadable: list[UnreadableVisit] = []
        self._read_only: Said | None = None
        self._failed = False
        self._introduced = False
        self._damage: list[Damage] = []
        self.add_class("-empty", "-whole")

    @property
    def holding(self) -> bool:
        return super().holding or (self._visits is None and not self._failed)

    def heading(self) -> tuple[Said | str, Said | str]:
        return M("fieldkit: visits"), M("read only") if self._read_only else ""

    def body(self) -> Iterator[Widget]:
        yield TextView(id="damage")
        yield ListBox(id="visits")
        yield TextView(id="next")

    def filled(self) -> None:
        box = self.query_one("#visits", ListBox)
        box.show([*map(_row, self._visits or ()), *map(_unreadable_row, self._unreadable)])
        self.set_class(not box.rows, "-empty")
        self.set_class(not self._damage, "-whole")
        self.query_one("#damage", TextView).show(_damage_lines(self._damage))
        if box.rows and self.focused is None:
            self.set_focus(box)
        self._show_next_step()

    def _begin(self) -> None:
        super()._begin()
        self._read()

    # --- reading

    def on_screen_resume(self) -> None:
        if self._ready and self.host.desk.is_open:
            self._read()

    def action_reload(self) -> None:
        self._read()

    def _read(self) -> None:
        if not self.host.desk.is_open:
            self.status(M("Opening the store…"))
        self.run_worker(self._reading(), group="visits", exclusive=True, exit_on_error=False)

    async def _reading(self) -> None:
        desk = self.host.desk
        first = not desk.is_open
        try:
            if first:
                self._read_only = await desk.open()
            overview = await desk.call(lambda: desk.visits.summaries())
            damage = await desk.call(lambda: desk.visits.store.damage())
            self.post_message(self.VisitsLoaded(overview, [one for one in damage if not one.accepted]))
        except Exception as error:
            self._failed = True
            self.status(M("The store could not be opened. F5 tries again."))
            self._show_next_step()
            self.host.show_error(error, M("The store could not be opened"))

    def on_home_screen_visits_loaded(self, event: VisitsLoaded) -> None:
        self._visits, self._unreadable = event.overview.visits, event.overview.unreadable
        self._damage = event.damage
        self._failed = False
        self.refresh_texts()
        self.status(self._read_only or _counted(len(self._visits), len(self._unreadable)))
        visit, self.host.visit_wanted = self.host.visit_wanted, ""
        if visit:
            self._open(visit)
        elif not (self._introduced or self._read_only or self.host.desk.visits.named):
            self._introduced = True
            self.run_worker(self._ask_name(), group="name", exit_on_error=False)
        self.host.release_keys()

    async def _ask_name(self) -> None:
        """At the first start: the name that stands in records, kept for good."""
        from fieldkit.tui.screens.dialogs import QuestionDialog

        desk = self.host.desk
        title = M("Your full name, as it stands in records (Esc: later)")
        typed = await self.app.push_screen_wait(QuestionDialog(Question("who", title)))
        if not typed:
            return
        try:
            await desk.call(lambda: desk.introduce(typed))
        except Exception as error:
            self._introduced = False
            self.host.show_error(error, M("The name was not kept"))
        else:
            kept = M("Kept: {who}.", who=desk.visits.who)
            self.status(kept)
            self.host.show_note(kept)

    # --- what to do next

    def on_list_box_moved(self) -> None:
        self._show_next_step()

    def _chosen(self) -> VisitSummary | None:
        key = self.query_one("#visits", ListBox).key
        return next((visit for visit in self._visits or () if visit.id == key), None)

    def _broken(self) -> UnreadableVisit | None:
        key = self.query_one("#visits", ListBox).key
        return next((unreadable for unreadable in self._unreadable if unreadable.id == key), None)

    def _show_next_step(self) -> None:
        broken = self._broken()
        if self._failed:
            text = [
                Paragraph(
                    M("The visits cannot be shown now. F5 reads the store again; F8 says what happened.")
                )
            ]
        elif self._visits is None:
            text = [Paragraph(M("Reading the visits…"))]
        elif broken is not None:
            text = [
                Paragraph(line, "strong" if number == 0 else "")
                for number, line in enumerate(broken.error.lines())
            ]
        else:
            visit = self._chosen()
            text = _about(visit) if visit else [] if self._damage else _nothing_yet()
        self.query_one("#next", TextView).show(text)

    # --- doing it

    def action_open_visit(self) -> None:
        visit, broken = self._chosen(), self._broken()
        if visit is not None:
            self._open(visit.id)
        elif broken is not None:
            self.host.show_error(broken.error, M("The visit cannot be opened"))
        elif self._visits is not None:
            self.action_new_visit()

    def action_new_visit(self) -> None:
        if self.host.desk.is_open:
            self.run_worker(self._starting(), group="start", exclusive=True, exit_on_error=False)

    def _open(self, visit: str) -> None:
        from fieldkit.tui.screens.visit import VisitScreen

        self.app.push_screen(VisitScreen(visit))

    async def _starting(self) -> None:
        """Bureau, then checklist, then the visit itself."""
        from fieldkit.tui.screens.dialogs import PickDialog

        desk = self.host.desk
        try:
            bureaus = await desk.call(desk.bureaus)
            bureau = await self.app.push_screen_wait(
                PickDialog(
                    M("New visit: which bureau?"),
                    M("Choose the bureau. Letters jump to its name."),
                    _bureau_rows(bureaus),
                )
            )
            if bureau is None:
                return
            checklists = await desk.call(desk.checklists)
            path = await self.app.push_screen_wait(
                PickDialog(
                    M("New visit: which checklist?"),
                    M("The checklist is kept with the visit as it is now."),
                    [ListRow(str(path), title) for path, title in checklists],
                    at=next((str(path) for path, _ in checklists if path.stem == "handover"), ""),
                )
            )
            if path is None:
                return
            visit = await desk.call(lambda: desk.visits.start(bureau, Path(path)))
        except Exception as error:
            self.host.show_error(error, M("The visit was not started"))
            return
        self.host.show_note(M("Visit {visit} was started.", visit=visit.id))
        self._open(visit.id)


def _damage_lines(damage: Sequence[Damage]) -> list[Paragraph]:
    """What stays above the visits while the store is damaged, and what to do about it."""
    from fieldkit.journal.damage import advice

    return [
        Paragraph(M("The store is damaged."), "strong", signs.sign("fail")),
        *(Paragraph(one.message, indent=2) for one in damage),
        *(Paragraph(message, indent=2) for message in advice(damage)),
    ]


def _row(visit: VisitSummary) -> ListRow:
    from fieldkit.visit.model import STATES

    return ListRow(
        key=visit.id,
        text=f"{visit.bureau_name} · {visit.title}",
        sign=signs.sign(visit.state),
        word=f"{visit.done}/{visit.total}  {STATES[visit.finish][visit.state]}",
    )


def _unreadable_row(unreadable: UnreadableVisit) -> ListRow:
    return ListRow(unreadable.id, unreadable.id, signs.sign("fail"), M("cannot be read"))


def _bureau_rows(bureaus: Sequence[Bureau]) -> list[ListRow]:
    sample = M("sample")
    return [
        ListRow(bureau.code, bureau.name, word=f"{bureau.code} ({sample})" if bureau.sample else bureau.code)
        for bureau in bureaus
    ]


def _about(visit: VisitSummary) -> list[Paragraph]:
    share = signs.bar(visit.done, visit.total, 20)
    return [
        Paragraph(f"{visit.bureau_name}", "strong"),
        Paragraph(
            M("{id} · begun {date} by {who}", id=visit.id, date=visit.started[:10], who=visit.who), "faint"
        ),
        Paragraph(
            M(
                "{share} {done} of {total} required items settled",
                share=share,
                done=visit.done,
                total=visit.total,
            )
        ),
        Paragraph(""),
        Paragraph(_next_step(visit), "strong", signs.plain("→")),
    ]


def _next_step(visit: VisitSummary) -> Message:
    if visit.state == "recorded":
        return M("Finished. Enter shows it; F9 in it exports again or puts the bundle.")
    recorded = visit.finish == "record"
    if visit.state == "signed":
        if recorded:
            return M("Next: make the record of the form (Enter, then F9).")
        return M("Next: make the handover record (Enter, then F9).")
    if visit.state == "ready" or visit.next is None:
        if recorded:
            return M("Next: close the form (Enter, then F9).")
        return M("Next: the officer signs off (Enter, then F9).")
    return M("Next: {item} (Enter goes on there).", item=str(visit.next))


def _nothing_yet() -> list[Paragraph]:
    return [
        Paragraph(M("There is no visit yet."), "strong"),
        Paragraph(""),
        Paragraph(
            M("A visit is a checklist filled in at a bureau: some items you answer, some fieldkit does.")
        ),
        Paragraph(""),
        Paragraph(M("Press N (or Enter) to start one: choose the bureau, then the checklist."), "", "1."),
        Paragraph(
            M("Go through the items with Enter. Each answer is on the disk as soon as it says saved."),
            "",
            "2.",
        ),
        Paragraph(
            M("F9 finishes: sign-off or closing, record, export, bundle for head office."),
            "",
            "3.",
        ),
        Paragraph(""),
        Paragraph(M("F1 shows all keys. F2 changes the language."), "faint"),
    ]


def _counted(count: int, unreadable: int) -> Message:
    if unreadable:
        return M("{count} visit(s) in this store; {bad} cannot be read.", count=count, bad=unreadable)
    return M("{count} visit(s) in this store.", count=count) if count else M("The store is empty.")

"""The end of a visit: sign-off and handover record, export, bundle, and what still waits for a receipt."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from textual.message import Message as Event
from textual.widget import Widget

from fieldkit.operator import Finding, Question
from fieldkit.text import M, Said
from fieldkit.tui import finishing, signs
from fieldkit.tui.actions import Scope, bindings
from fieldkit.tui.dialogs import QuestionDialog
from fieldkit.tui.frame import Room
from fieldkit.tui.list_box import ListBox, Row
from fieldkit.tui.operator import Found, Progressed, ScreenOperator
from fieldkit.tui.prose import Paragraph, Prose
from fieldkit.tui.runner import Running
from fieldkit.tui.work_pane import finding_text

if TYPE_CHECKING:
    from fieldkit.visit.model import Visit

Work = Callable[[ScreenOperator], Coroutine[Any, Any, Sequence[Said]]]


class FinishRoom(Room[None]):
    """The steps that finish a visit, each with its state; Enter does the one under the cursor."""

    DEFAULT_CSS = """
    FinishRoom #steps { height: 5; margin: 1 1 0 1; }
    FinishRoom #text { height: 1fr; margin: 1 2 0 2; }
    """
    BINDINGS = bindings("finish", "run", "read", "room")
    AUTO_FOCUS = "#steps"

    class Done(Event):
        """A step came to its end: the visit after it, what to say of it, or why it failed."""

        def __init__(self, visit: Visit, told: Sequence[Said], error: Exception | None = None) -> None:
            super().__init__()
            self.visit = visit
            self.told = tuple(told)
            self.error = error

    def __init__(self, visit: Visit) -> None:
        super().__init__()
        self._visit = visit
        self._told: tuple[Said, ...] = ()
        self._findings: list[Finding] = []
        self._work: Running[Sequence[Said]] | None = None

    # --- the frame

    def heading(self) -> tuple[Said | str, Said | str]:
        return M("Finish: {bureau}", bureau=str(self._visit.bureau.name)), signs.STATES[self._visit.state]

    def body(self) -> Iterator[Widget]:
        yield ListBox(id="steps", paging=False)
        yield Prose(id="text")

    def filled(self) -> None:
        self.query_one("#steps", ListBox).show(self._rows())
        self._say()

    def scopes_now(self) -> Sequence[Scope]:
        return ("run", "read") if self._work is not None else ("finish", "read", "room")

    def on_list_box_moved(self) -> None:
        if self._work is None:
            self._told, self._findings = (), []
            self._say()

    def _rows(self) -> list[Row]:
        visit = self._visit
        made = visit.state == "recorded"
        ready = visit.state in ("ready", "signed")
        first = signs.sign("done" if made else "ready" if ready else "todo")
        word: Said = (
            M("done") if made else M("ready") if ready else M("{count} open", count=len(visit.problems))
        )
        after = M("possible now") if visit.records else M("after the record")
        return [
            Row("handover", M("Sign-off and handover record, signed with the token"), first, word),
            Row("export", M("Export the record as PDF, XLSX, CSV or JSON"), "", after),
            Row("bundle", M("Put a bundle for head office into a folder (a USB stick, a share)"), "", ""),
            Row("waiting", M("What waits for a receipt from head office"), "", ""),
            Row(
                "amend",
                M("Open the visit again, with a reason"),
                "",
                "" if visit.signoff else M("not signed off"),
            ),
        ]

    def _say(self) -> None:
        text: list[Paragraph] = [
            Paragraph(line, "strong" if n == 0 else "") for n, line in enumerate(self._told)
        ]
        for finding in self._findings:
            text += finding_text(finding)
        if not text:
            text = self._about(self.query_one("#steps", ListBox).key)
        self.query_one("#text", Prose).show(text)

    def _about(self, step: str) -> list[Paragraph]:
        visit = self._visit
        if step == "handover":
            return self._about_handover()
        about: dict[str, Said] = {
            "export": M("The file is written where you say; `fieldkit record verify` checks a record."),
            "bundle": M(
                "Everything this laptop has and the folder has not yet, encrypted to head office and signed"
                " by this device. Putting it twice does no harm."
            ),
            "waiting": M("Bundles that were put somewhere and that head office has not confirmed yet."),
            "amend": M("The sign-off is lifted; the next record names the one it replaces."),
        }
        text = [Paragraph(about.get(step, ""))]
        if step == "export":
            text += [Paragraph(record.name, "", "·") for record in visit.records]
        return text

    def _about_handover(self) -> list[Paragraph]:
        visit = self._visit
        if visit.problems and visit.signoff is None:
            text = [Paragraph(M("Before the officer can sign off, these are still open:"), "strong")]
            for problem in visit.problems:
                label = str(visit.checklist.item(problem.item).label)
                status = visit.status(problem.item)
                text.append(Paragraph(f"{label}: {problem.message}", "", signs.sign(status)))
            return text
        if visit.state == "recorded":
            signoff = visit.signoff
            officer = signoff.officer if signoff else ""
            return [
                Paragraph(M("Signed off by {officer}. The record is made.", officer=officer), "strong"),
                *(Paragraph(record.name, "", signs.sign("done")) for record in visit.records),
            ]
        return [
            Paragraph(M("Everything required is settled."), "strong"),
            Paragraph(M("The officer reads the answers, signs off, and signs the record with the token.")),
        ]

    # --- doing a step

    def action_do_step(self) -> None:
        step = self.query_one("#steps", ListBox).key
        desk, visit = self.fieldkit.desk, self._visit
        if step == "handover":
            if visit.problems and visit.signoff is None:
                self.status(
                    M("{count} item(s) are still open. Esc goes back to them.", count=len(visit.problems))
                )
                return
            self._start(
                M("Making the handover record…"), lambda person: finishing.hand_over(desk, visit.id, person)
            )
        elif step == "export":
            if not visit.records:
                self.status(M("There is no record yet; it is made by the first step."))
                return
            self._start(M("Exporting…"), lambda person: finishing.export(desk, visit.id, person))
        elif step == "bundle":
            self._start(M("Putting the bundle…"), lambda person: finishing.put_bundle(desk, person))
        elif step == "waiting":
            self._start(M("Looking what waits…"), lambda _: finishing.waiting(desk))
        elif step == "amend":
            if visit.signoff is None:
                self.status(M("The visit was not signed off, so it can be changed as it is."))
                return
            self.run_worker(self._amending(), group="desk", exit_on_error=False)

    def _start(self, text: Said, work: Work) -> None:
        operator = ScreenOperator(self.fieldkit, self)
        self._told, self._findings = (), []
        self._work = Running(lambda: work(operator))
        self.status(text)
        self.retell_keys()
        self.run_worker(self._following(self._work), group="finish", exclusive=True, exit_on_error=False)

    async def _following(self, work: Running[Sequence[Said]]) -> None:
        desk = self.fieldkit.desk
        told: tuple[Said, ...] = ()
        error: Exception | None = None
        try:
            told = tuple(await work.result())
        except Exception as raised:
            error = raised
        visit = await desk.call(lambda: desk.visits.load(self._visit.id))
        self.post_message(self.Done(visit, told, error))

    async def _amending(self) -> None:
        desk = self.fieldkit.desk
        question = Question("reason", M("Why is the visit opened again? It stands in the next record."))
        reason = await self.app.push_screen_wait(QuestionDialog(question))
        if not reason:
            return
        try:
            visit = await desk.call(lambda: desk.visits.amend(self._visit.id, reason))
        except Exception as error:
            self.fieldkit.tell(error)
        else:
            self.post_message(self.Done(visit, (M("The visit is open again."),)))

    def on_finish_room_done(self, event: Done) -> None:
        self._work = None
        self._visit = event.visit
        self._told = event.told
        self.retell()
        self.retell_keys()
        if event.error is not None:
            self.status(M("Not finished."))
            self.fieldkit.tell(event.error, M("The step was not finished"))
        else:
            self.status(event.told[0] if event.told else M("Done."))
            for line in event.told:
                self.fieldkit.note(line)

    def on_found(self, event: Found) -> None:
        self._findings.append(event.finding)
        self.fieldkit.note(event.finding.message)
        self._say()

    def on_progressed(self, event: Progressed) -> None:
        if self._work is not None:
            self.status(finishing.progress_words(event.progress))

    async def action_stop(self) -> None:
        if self._work is not None:
            self.status(M("Stopping…"))
            self._work.stop()

    # --- leaving

    def action_page_down(self) -> None:
        self.query_one("#text", Prose).scroll_by(8)

    def action_page_up(self) -> None:
        self.query_one("#text", Prose).scroll_by(-8)

    def action_back(self) -> None:
        self.dismiss(None)

    async def may_leave(self) -> bool:
        if self._work is not None:
            self.status(M("A step is running. Stop it with Esc first, or let it end."))
        return self._work is None

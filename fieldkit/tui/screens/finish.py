"""The end of a visit: sign-off and handover record, export, bundle, and what still waits for a receipt."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from textual.message import Message as Event
from textual.widget import Widget

from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding
from fieldkit.operator import Operator, Question
from fieldkit.text import M, Said
from fieldkit.tui.actions import Scope, bindings
from fieldkit.tui.screens.dialogs import QuestionDialog
from fieldkit.tui.screens.work import DECLINED, WorkScreen
from fieldkit.tui.terminal import signs
from fieldkit.tui.widgets.item_pane import answer_text, finding_text
from fieldkit.tui.widgets.list_box import ListBox, ListRow
from fieldkit.tui.widgets.text_view import Paragraph, TextView

if TYPE_CHECKING:
    from fieldkit.visit.model import Visit


class FinishScreen(WorkScreen[Sequence[Said | str]]):
    """The steps that finish a visit, each with its state; Enter does the one under the cursor."""

    DEFAULT_CSS = """
    FinishScreen #steps { height: 5; margin: 1 1 0 1; }
    FinishScreen #text { height: 1fr; margin: 1 2 0 2; }
    """
    BINDINGS = bindings("finish", "run", "read", "screen")
    AUTO_FOCUS = "#steps"

    class StepDone(Event):
        """The visit as it is after a step, and what the step tells."""

        def __init__(self, visit: Visit, texts: Sequence[Said | str]) -> None:
            super().__init__()
            self.visit = visit
            self.texts = tuple(texts)

    def __init__(self, visit: Visit) -> None:
        super().__init__()
        self._visit = visit
        self._texts: tuple[Said | str, ...] = ()

    # --- the frame

    def heading(self) -> tuple[Said | str, Said | str]:
        from fieldkit.visit.model import STATES

        return M("Finish: {bureau}", bureau=str(self._visit.bureau.name)), STATES[self._visit.finish][
            self._visit.state
        ]

    def body(self) -> Iterator[Widget]:
        yield ListBox(id="steps", paging=False)
        yield TextView(id="text")

    def filled(self) -> None:
        self.query_one("#steps", ListBox).show(self._rows())
        self._show_text()

    def scopes_now(self) -> Sequence[Scope]:
        return ("run", "read") if self.working else ("finish", "read", "screen")

    def on_list_box_moved(self) -> None:
        if not self.working:
            self._texts, self.findings = (), []
            self._show_text()

    def _rows(self) -> list[ListRow]:
        visit = self._visit
        made = visit.state == "recorded"
        ready = visit.state in ("ready", "signed")
        first = signs.sign("done" if made else "ready" if ready else "todo")
        word: Said = (
            M("done") if made else M("ready") if ready else M("{count} open", count=len(visit.problems))
        )
        after = M("possible now") if visit.records else M("after the record")
        return [
            ListRow("handover", self._first_step(), first, word),
            ListRow("export", M("Export the record as PDF, XLSX, CSV or JSON"), "", after),
            ListRow("bundle", M("Put a bundle for head office into a folder (a USB stick, a share)"), "", ""),
            ListRow("waiting", M("What waits for a receipt from head office"), "", ""),
            ListRow(
                "amend",
                M("Open the visit again, with a reason"),
                "",
                ""
                if visit.signoff
                else M("not signed off")
                if visit.finish == "handover"
                else M("not closed"),
            ),
        ]

    def _first_step(self) -> Said:
        if self._visit.finish == "record":
            return M("Close the form and make its record")
        if self._signs:
            return M("Sign-off and handover record, signed with the token")
        return M("Sign-off and record; no token is handed over")

    @property
    def _signs(self) -> bool:
        """Whether the record is signed with a token: the visit's own is handed over."""
        from fieldkit.record.build import hands_over

        return hands_over(self._visit)

    def _show_text(self) -> None:
        text: list[Paragraph] = [
            Paragraph(line, "strong" if n == 0 else "") for n, line in enumerate(self._texts)
        ]
        for finding in self.findings:
            text += finding_text(finding)
        if not text:
            text = self._about(self.query_one("#steps", ListBox).key)
        self.text_view.show(text)

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
            "amend": M("The sign-off is lifted; the next record names the one it replaces.")
            if visit.finish == "handover"
            else M("The form is open again; the next record names the one it replaces."),
        }
        text = [Paragraph(about.get(step, ""))]
        if step == "export":
            text += [Paragraph(record.name, "", "·") for record in visit.records]
        return text

    def _about_handover(self) -> list[Paragraph]:
        visit = self._visit
        if visit.problems and visit.signoff is None:
            before = M("Before the officer can sign off, these are still open:")
            if visit.finish == "record":
                before = M("Before the form can be closed, these are still open:")
            text = [Paragraph(before, "strong")]
            for problem in visit.problems:
                label = str(visit.checklist.item(problem.item).label)
                status = visit.status(problem.item)
                text.append(Paragraph(f"{label}: {problem.message}", "", signs.sign(status)))
            return text
        if visit.state == "recorded":
            signoff = visit.signoff
            by = signoff.by if signoff else ""
            message = M("Signed off by {officer}. The record is made.", officer=by)
            if visit.finish == "record":
                message = M("The form is closed. The record is made.")
            return [
                Paragraph(message, "strong"),
                *(Paragraph(record.name, "", signs.sign("done")) for record in visit.records),
                *_later(visit),
            ]
        return [
            Paragraph(M("Everything required is settled."), "strong"),
            Paragraph(self._ending()),
            *_to_read(visit),
            *_later(visit),
        ]

    def _ending(self) -> Said:
        """What the first step does, once everything is settled."""
        if self._visit.finish == "record":
            return M("The form is closed and printed as it was filled in; no token signs it.")
        if self._signs:
            return M("The officer reads the answers, signs off, and signs the record with the token.")
        return M("The officer reads the answers and signs off. The record is made without a signature.")

    # --- doing a step

    def action_do_step(self) -> None:
        step = self.query_one("#steps", ListBox).key
        visit = self._visit
        if step == "handover":
            if visit.problems and visit.signoff is None:
                self.status(
                    M("{count} item(s) are still open. Esc goes back to them.", count=len(visit.problems))
                )
                return
            title = M("Sign-off and record") if visit.finish == "handover" else M("Record")
            self.do(title, self._hand_over)
        elif step == "export":
            if not visit.records:
                self.status(M("There is no record yet; it is made by the first step."))
                return
            self.do(M("Export"), self._export)
        elif step == "bundle":
            self.do(M("Bundle"), self._push)
        elif step == "waiting":
            self.do(M("Receipts"), self._receipts)
        elif step == "amend":
            if visit.signoff is None:
                self.status(M("The visit was not signed off, so it can be changed as it is."))
                return
            self.run_worker(self._amending(), group="desk", exit_on_error=False)

    async def _hand_over(self, operator: Operator) -> Sequence[Said]:
        from fieldkit.record.handover import hand_over

        desk, visit = self.host.desk, self._visit
        made = await hand_over(desk.visits, visit.id, operator, modules=desk.modules, reviewed=visit)
        return [made.summary]

    async def _export(self, operator: Operator) -> Sequence[Said]:
        from fieldkit.record.export import export_asked

        return [(await export_asked(self.host.desk.visits, self._visit.id, operator)).message]

    async def _push(self, operator: Operator) -> Sequence[Said | str]:
        from fieldkit.sync.messages import pushed
        from fieldkit.sync.push import push_asked

        desk = self.host.desk
        return pushed(await push_asked(desk.visits.store, desk.home, operator))

    async def _receipts(self, operator: Operator) -> Sequence[Said | str]:
        from fieldkit.sync.messages import sync_status
        from fieldkit.sync.status import status

        return sync_status(await asyncio.to_thread(status, self.host.desk.visits.store))

    def findings_changed(self, findings: Sequence[Finding]) -> None:
        self._show_text()

    def ended(self, outcome: Sequence[Said | str] | None, error: FieldkitError | None) -> None:
        desk, texts = self.host.desk, tuple(outcome or ())

        async def reading() -> None:
            visit = await desk.call(lambda: desk.visits.load(self._visit.id))
            self.post_message(self.StepDone(visit, texts))

        self.status(M("Done."))
        if isinstance(error, DECLINED):
            self.status(error.message)
            self.host.show_note(error.message)
        elif error is not None:
            self.status(M("Not finished."))
        self.run_worker(reading(), group="desk", exit_on_error=False)

    async def _amending(self) -> None:
        desk = self.host.desk
        question = Question("reason", M("Why is the visit opened again? It stands in the next record."))
        reason = await self.app.push_screen_wait(QuestionDialog(question))
        if not reason:
            return
        try:
            visit = await desk.call(lambda: desk.visits.amend(self._visit.id, reason))
        except Exception as error:
            self.host.show_error(error)
        else:
            self.post_message(self.StepDone(visit, (M("The visit is open again."),)))

    def on_finish_screen_step_done(self, event: StepDone) -> None:
        self._visit = event.visit
        self._texts = event.texts
        self.refresh_texts()
        if event.texts:
            self.status(event.texts[0])
        for line in event.texts:
            self.host.show_note(line)


def _later(visit: Visit) -> Iterator[Paragraph]:
    """What came after the sign-off, and so is in no record."""
    if visit.later or visit.later_notes:
        yield Paragraph("")
        yield Paragraph(M("After the sign-off, in no record unless the visit is amended:"), "strong")
        labels = (str(visit.checklist.item(item).label) for item in visit.later)
        yield from (Paragraph(text, "", "·") for text in (*labels, *visit.later_notes))


def _to_read(visit: Visit) -> Iterator[Paragraph]:
    """What was answered and done, section by section, as the officer reads it before signing off."""
    for line in visit.shown:
        if line.heading:
            if line.depth == 0:
                yield Paragraph("")
            yield Paragraph(line.title, "strong", indent=max(line.depth - 1, 0) * 2)
        elif line.item.answered_by != "nobody" or line.key in visit.answers:
            evidence = visit.evidence.get(line.key)
            words = str(evidence.summary) if evidence else "–"
            if line.key in visit.answers:
                words = answer_text(visit, line.key)
            yield Paragraph(f"{visit.known.label(line.key)}: {words}", "", signs.sign(visit.status(line.key)))
    if visit.notes:
        yield Paragraph("")
        yield Paragraph(M("Notes, which go into the record:"), "strong")
        yield from (Paragraph(note, "", "·") for note in visit.notes)

"""A screen that has work done, a piece at a time: starts it, shows how far it is, can stop it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Generic, TypeVar, cast

from textual.message import Message as Event

from fieldkit import errors
from fieldkit.errors import FieldkitError, as_error
from fieldkit.finding import Finding
from fieldkit.operator import Plan
from fieldkit.text import M, Said
from fieldkit.tui.runner import RunningWork
from fieldkit.tui.screens.dialogs import ConsentDialog
from fieldkit.tui.screens.frame import FieldkitScreen
from fieldkit.tui.screens.operator import FindingShown, ProgressShown, ScreenOperator
from fieldkit.tui.terminal import signs

SAFE_END = 60.0  # seconds for work to undo what it began when nobody is there any more

Outcome = TypeVar("Outcome")
Work = Callable[[ScreenOperator], Coroutine[object, None, Outcome]]

DECLINED = (errors.Cancelled, errors.NotConsented)
"""Not news to the person who did it, so a line says it instead of a screen."""


class WorkScreen(FieldkitScreen[None], Generic[Outcome], inherit_bindings=True):
    """Work runs in its own thread (`RunningWork`) and asks through dialogs; one piece at a time.

    A subclass starts it with `do`, and hears of it by `findings_changed` and `ended`.
    """

    class Ended(Event):
        """The work came to its end: with an outcome, or with an error."""

        def __init__(self, outcome: object, error: Exception | None) -> None:
            super().__init__()
            self.outcome = outcome
            self.error = error

    def __init__(self) -> None:
        super().__init__()
        self._work: RunningWork[Outcome] | None = None
        self._work_label = ""
        self.findings: list[Finding] = []

    @property
    def working(self) -> bool:
        """A piece of work is under way."""
        return self._work is not None

    def do(self, label: Said | str, work: Work[Outcome]) -> None:
        """Start `work`; `label` says what it is."""
        operator = ScreenOperator(self.app, self)
        self.findings = []
        self._work_label = str(label)
        self._work = RunningWork(lambda: work(operator))
        self.status(M("Under way: {work}. Esc stops it.", work=self._work_label))
        self.refresh_keys()
        self.run_worker(self._following(self._work), group="work", exclusive=True, exit_on_error=False)

    async def _following(self, work: RunningWork[Outcome]) -> None:
        try:
            self.post_message(self.Ended(await work.result(), None))
        except Exception as error:
            self.post_message(self.Ended(None, error))

    def findings_changed(self, findings: Sequence[Finding]) -> None:
        """The work has told a finding; `findings` are all so far."""

    def ended(self, outcome: Outcome | None, error: FieldkitError | None) -> None:
        """The work has ended. An error is shown on a screen of its own unless the person said no."""

    def on_finding_shown(self, event: FindingShown) -> None:
        self.findings.append(event.finding)
        self.host.show_note(event.finding.message)
        self.findings_changed(self.findings)

    def on_progress_shown(self, event: ProgressShown) -> None:
        if self.working:
            self.status(signs.progress(event.progress))

    def on_work_screen_ended(self, event: Ended) -> None:
        self._work = None
        self.refresh_keys()
        error = None if event.error is None else as_error(event.error)
        self.ended(cast("Outcome | None", event.outcome), error)
        if event.error is not None and not isinstance(error, DECLINED):
            self.host.show_error(event.error, M("The step was not finished"))

    def action_stop(self) -> None:
        self.run_worker(self._stopping(), group="stop", exclusive=True, exit_on_error=False)

    async def _stopping(self) -> None:
        """Ask whether to stop what runs, and stop it."""
        work = self._work
        if work is None:
            return
        plan = Plan(
            title=M("Stop what is running?"),
            steps=(M("{work} is stopped at the next point where that is safe.", work=self._work_label),),
            keeps=M("What was saved stays. The step can be run again."),
        )
        if await self.app.push_screen_wait(ConsentDialog(plan)) and self._work is work:
            self.status(M("Stopping…"))
            work.stop()

    async def give_up(self) -> None:
        work = self._work
        if work is not None:
            work.stop()
            with contextlib.suppress(Exception):  # how it ended is in the journal
                await asyncio.wait_for(work.result(), SAFE_END)
        await super().give_up()

    async def may_leave(self) -> bool:
        if self.working:
            self.status(M("{work} is under way. Esc stops it.", work=self._work_label))
        return not self.working

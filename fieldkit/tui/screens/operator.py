"""The person behind the screens: `fieldkit.operator.Operator`, callable from the procedure's own thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from textual.message import Message
from textual.message_pump import MessagePump

from fieldkit import errors
from fieldkit.finding import Finding
from fieldkit.operator import Plan, Progress, Question, SecretRequest
from fieldkit.secret import Secret
from fieldkit.text import M
from fieldkit.tui.messages import DialogRequested
from fieldkit.tui.screens.dialogs import ConsentDialog, QuestionDialog, SecretDialog
from fieldkit.tui.screens.frame import FieldkitScreen

if TYPE_CHECKING:
    from fieldkit.signature.batch import StampSpec
    from fieldkit.signature.preview import StampDraft
    from fieldkit.stamp.place import Place
    from fieldkit.tui.screens.stamp import StampScreen

Answer = TypeVar("Answer")

PAUSE = 0.5  # seconds between two reports of progress: each costs bytes on the line


class ProgressShown(Message):
    """How far the work is; only the newest matters."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.progress = progress

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, ProgressShown)


class FindingShown(Message):
    """A finding, as it is made."""

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self.finding = finding


class ScreenOperator:
    """Asks by dialogs over `watcher`'s screen and tells `watcher` what is found and how far the work is."""

    def __init__(self, app: MessagePump, watcher: MessagePump) -> None:
        self._app = app
        self._watcher = watcher
        self._reported = float("-inf")

    async def consent(self, plan: Plan) -> bool:
        agreed = await self._answer_to(lambda: ConsentDialog(plan))
        return agreed is True

    async def secret(self, request: SecretRequest) -> Secret:
        return await self._required(lambda: SecretDialog(request))

    async def ask(self, question: Question) -> str:
        return await self._required(lambda: QuestionDialog(question))

    async def place_stamp(self, source: Path, stamp: StampSpec, draft: StampDraft) -> Place | None:
        """The place for a stamp that the person agreed to on a picture of the page; None with Esc."""

        def screen() -> StampScreen:
            from fieldkit.tui.screens import stamp as screens

            return screens.StampScreen(source, stamp, draft)

        return await self._answer_to(screen)

    def progress(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._reported >= PAUSE:
            self._reported = now
            self._watcher.post_message(ProgressShown(progress))

    def say(self, finding: Finding) -> None:
        self._watcher.post_message(FindingShown(finding))

    async def _answer_to(self, make: Callable[[], FieldkitScreen[Answer]]) -> Answer | None:
        answer: Future[Answer | None] = Future()
        self._app.post_message(DialogRequested(make, answer))
        return await asyncio.wrap_future(answer)

    async def _required(self, make: Callable[[], FieldkitScreen[Answer]]) -> Answer:
        answer = await self._answer_to(make)
        if answer is None:
            raise errors.Cancelled(
                M("You broke off at a question."),
                unchanged=M("The step was not finished; what it had done before the question is listed."),
                hint=M("Run the step again to go on."),
            )
        return answer

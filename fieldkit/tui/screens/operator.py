"""The person behind the screens: `fieldkit.operator.Operator`, callable from the procedure's own thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.message import Message
from textual.message_pump import MessagePump

from fieldkit import errors
from fieldkit.finding import Finding
from fieldkit.operator import Plan, Progress, Question, SecretRequest
from fieldkit.secret import Secret
from fieldkit.text import M
from fieldkit.tui.messages import DialogAsked
from fieldkit.tui.screens.dialogs import ConsentDialog, QuestionDialog, SecretDialog
from fieldkit.tui.screens.frame import FieldkitScreen

if TYPE_CHECKING:
    from fieldkit.signature.batch import StampSpec
    from fieldkit.signature.preview import StampDraft
    from fieldkit.stamp.place import Place

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
        self._told = float("-inf")

    async def consent(self, plan: Plan) -> bool:
        return bool(await self._asked(lambda: ConsentDialog(plan)))

    async def secret(self, request: SecretRequest) -> Secret:
        secret: Secret = self._given(await self._asked(lambda: SecretDialog(request)))
        return secret

    async def ask(self, question: Question) -> str:
        answer: str = self._given(await self._asked(lambda: QuestionDialog(question)))
        return answer

    async def place_stamp(self, source: Path, look: StampSpec, draft: StampDraft) -> Place | None:
        """The place for a stamp that the person agreed to on a picture of the page; None with Esc."""

        def room() -> FieldkitScreen[Any]:
            from fieldkit.tui.screens.stamp import StampScreen

            return StampScreen(source, look, draft)

        place: Place | None = await self._asked(room)
        return place

    def progress(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._told >= PAUSE:
            self._told = now
            self._watcher.post_message(ProgressShown(progress))

    def say(self, finding: Finding) -> None:
        self._watcher.post_message(FindingShown(finding))

    async def _asked(self, make: Callable[[], FieldkitScreen[Any]]) -> Any:
        answer: Future[Any] = Future()
        self._app.post_message(DialogAsked(make, answer))
        return await asyncio.wrap_future(answer)

    @staticmethod
    def _given(value: Any) -> Any:
        if value is None:
            raise errors.Cancelled(
                M("You broke off at a question."),
                unchanged=M("The step was not finished; what it had done before the question is listed."),
                hint=M("Run the step again to go on."),
            )
        return value

"""A procedure in a thread with an event loop of its own: whatever it does, the screen stays alive."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Generic, TypeVar

from fieldkit.errors import Cancelled
from fieldkit.text import M

R = TypeVar("R")


class RunningWork(Generic[R]):
    """Work under way in its own thread.

    work: makes the coroutine, in that thread. `stop` cancels it at its next await; a call into the
    system that has begun is waited for, because what it changes is not undone by looking away.
    """

    def __init__(self, work: Callable[[], Coroutine[object, None, R]]) -> None:
        self._work = work
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[R] | None = None
        self._stopped = False
        self._open = threading.Lock()  # held while the loop is closed or spoken to from another thread
        self._result: Future[R] = Future()
        threading.Thread(target=self._run, name="fieldkit-procedure", daemon=True).start()

    def stop(self) -> None:
        """Cancel it. Safe from any thread, and after its end."""
        self._stopped = True
        with self._open:
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._cancel)

    async def result(self) -> R:
        """What it gave or raised; `asyncio.CancelledError` never, a stopped one raises `WorkStopped`."""
        return await asyncio.wrap_future(self._result)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._task = self._loop.create_task(self._work())
            if self._stopped:
                self._task.cancel()
            outcome = self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            self._end()
            self._result.set_exception(WorkStopped())
        except BaseException as error:  # handed on to whoever waits for the result
            self._end()
            self._result.set_exception(error)
        else:
            self._end()
            self._result.set_result(outcome)

    def _end(self) -> None:
        """Wait for calls still running in threads, then close the loop."""
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        with self._open:
            self._loop.close()


class WorkStopped(Cancelled):
    """The person stopped it."""

    def __init__(self) -> None:
        super().__init__(
            M("Stopped by you."),
            unchanged=M("What was saved before is safe; the step itself was not finished."),
            hint=M("Run the step again to go on."),
        )

"""Procedures ask and tell from their own thread; the screens answer with typed values, and stay alive."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fieldkit import errors
from fieldkit.errors import as_error
from fieldkit.finding import Finding
from fieldkit.operator import Option, Plan, Progress, Question, SecretRequest, existing_file
from fieldkit.secret import Secret
from fieldkit.text import M, Said
from fieldkit.tui.runner import RunningWork, WorkStopped
from fieldkit.tui.screens.operator import ScreenOperator
from fieldkit.tui.screens.work import WorkScreen
from tests.tui.conftest import Person, Play

PLAN = Plan(
    title=M("Install the driver"),
    steps=(M("The package is installed."), M("The module is loaded.")),
    commands=("apt-get install --yes softhsm2",),
    keeps=M("Nothing else is touched."),
)
ERASE = Plan(title=M("Erase the token"), steps=(M("Everything on it goes."),), confirm="MAU-01")


class AskScreen(WorkScreen):
    """A screen that does what the test tells it to."""

    def ended(self, outcome: Any, error: Exception | None) -> None:
        self.status(f"ended {outcome!r}" if error is None else f"failed {type(error).__name__}")


Asking = Callable[[ScreenOperator], Awaitable[Any]]


def asked(play: Play, asking: Asking, answer: Callable[[Person], Awaitable[None]]) -> list[Any]:
    """What `asking` got while `answer` sat at the keyboard."""
    got: list[Any] = []

    async def work(operator: ScreenOperator) -> None:
        got.append(await asking(operator))

    async def story(person: Person) -> None:
        await person.see("There is no visit yet.")
        screen = AskScreen()
        await person.app.push_screen(screen)
        screen.do("the work", work)
        await answer(person)
        if got:
            await person.see("ended")

    play(story)
    return got


def test_consent_shows_the_plan_with_its_exact_commands_and_no_is_the_default(play: Play) -> None:
    async def answer(person: Person) -> None:
        await person.see(
            "Install the driver",
            "1. The package is installed.",
            "$ apt-get install --yes softhsm2",
            "Nothing else is touched.",
        )
        await person.press("enter")
        await person.see("ended")

    assert asked(play, lambda operator: operator.consent(PLAN), answer) == [False]


def test_consent_is_given_by_choosing_yes(play: Play) -> None:
    async def answer(person: Person) -> None:
        await person.see("Yes, do it")
        await person.press("down", "enter")
        await person.see("ended")

    assert asked(play, lambda operator: operator.consent(PLAN), answer) == [True]


def test_what_cannot_be_undone_wants_its_word_typed(play: Play) -> None:
    async def answer(person: Person) -> None:
        await person.see("cannot be undone", "MAU-01")
        await person.type("yes")
        await person.press("enter")
        await person.see("That is not the word MAU-01")
        await person.press("ctrl+u")
        await person.type("MAU-01")
        await person.press("enter")
        await person.see("ended")

    assert asked(play, lambda operator: operator.consent(ERASE), answer) == [True]


def test_esc_refuses(play: Play) -> None:
    async def answer(person: Person) -> None:
        await person.see("cannot be undone")
        await person.press("escape")
        await person.see("ended")

    assert asked(play, lambda operator: operator.consent(ERASE), answer) == [False]


def test_a_new_secret_is_masked_typed_twice_and_checked(play: Play) -> None:
    def check(secret: Secret) -> Said | None:
        return M("At least six digits.") if len(secret) < 6 else None

    async def answer(person: Person) -> None:
        await person.see("New PIN", "Once more")
        for first, again, complaint in (
            ("1234", "1234", "At least six digits."),
            ("123456", "123465", "The two entries differ."),
        ):
            await person.type(first)
            await person.press("enter")
            await person.type(again)
            shown = await person.see("••••")
            assert first not in shown
            await person.press("enter")
            await person.see(complaint)
        await person.type("246810")
        await person.press("tab")
        await person.type("246810")
        await person.press("enter")
        await person.see("ended")

    request = SecretRequest("new-pin", M("New PIN"), new=True, check=check)
    [secret] = asked(play, lambda operator: operator.secret(request), answer)
    assert secret == Secret("246810")


def test_breaking_off_a_secret_cancels(play: Play) -> None:
    async def answer(person: Person) -> None:
        await person.see("Your PIN")
        await person.press("escape")
        await person.see("failed Cancelled")

    assert asked(play, lambda operator: operator.secret(SecretRequest("pin", M("Your PIN"))), answer) == []


def test_a_choice_begins_at_its_default_and_gives_the_value(play: Play) -> None:
    options = (Option("a", M("First")), Option("b", M("Second")), Option("c", M("Third")))

    async def answer(person: Person) -> None:
        await person.see("Which one?", "Second")
        await person.press("down", "enter")
        await person.see("ended")

    question = Question("which", M("Which one?"), options, default="b")
    assert asked(play, lambda operator: operator.ask(question), answer) == ["c"]


def test_a_path_is_completed_with_tab(play: Play, tmp_path: Any) -> None:
    (tmp_path / "chứng thư.p12").write_bytes(b"")

    async def answer(person: Person) -> None:
        await person.see("Which file?")
        await person.paste(f"{tmp_path}/ch")
        await person.press("tab", "enter")
        await person.see("ended")

    question = Question("file", M("Which file?"), path=True)
    assert asked(play, lambda operator: operator.ask(question), answer) == [str(tmp_path / "chứng thư.p12")]


def test_what_is_typed_at_a_path_and_is_no_file_stays_on_the_screen_and_goes_nowhere(
    play: Play, tmp_path: Any
) -> None:
    """A password typed one prompt too early would otherwise become the path that an error names and keeps."""
    file = tmp_path / "mau.p12"
    file.write_bytes(b"")
    question = Question("certificate-file", M("The certificate file"), path=True, check=existing_file)

    async def answer(person: Person) -> None:
        await person.see("The certificate file")
        await person.type("mau-6890-8378")
        await person.press("enter")
        await person.see("There is no such file.")
        await person.press("ctrl+u")
        await person.type(str(file))
        await person.press("enter")
        await person.see("ended")

    assert asked(play, lambda operator: operator.ask(question), answer) == [str(file)]


def test_findings_and_progress_are_told_from_any_thread_progress_twice_a_second_at_most(play: Play) -> None:
    async def asking(operator: ScreenOperator) -> int:
        def busy() -> None:
            end = time.monotonic() + 1.2
            done = 0
            while time.monotonic() < end:
                done += 1
                operator.progress(Progress(M("Copying"), done, 10**6))
                time.sleep(0.001)
            operator.say(Finding("copied", "pass", M("It was copied.")))

        await asyncio.to_thread(busy)
        return 1

    statuses: list[str] = []

    async def answer(person: Person) -> None:
        screen = person.app.front
        assert screen is not None
        say = screen.status
        screen.status = lambda text: (statuses.append(str(text)), say(text))[1]  # type: ignore[method-assign]
        await person.see("Copying")
        await person.see("ended 1" if False else "ended")
        assert str(person.app.history[-1]) == "It was copied."

    asked(play, asking, answer)
    assert 1 <= sum("Copying" in text for text in statuses) <= 3


def test_work_that_blocks_its_thread_does_not_hold_up_the_screen(play: Play) -> None:
    async def asking(operator: ScreenOperator) -> None:
        time.sleep(1.5)  # as a library does that knows nothing of event loops

    async def answer(person: Person) -> None:
        await person.see("Under way")
        begun = time.monotonic()
        await person.press("f1")
        await person.see("what the keys do")
        assert time.monotonic() - begun < 1.0
        await person.press("escape")
        await person.see("ended")

    asked(play, asking, answer)


def test_a_stopped_procedure_says_so_and_a_call_into_the_system_is_waited_for() -> None:
    ended: list[str] = []

    async def work() -> None:
        def call() -> None:
            time.sleep(0.3)
            ended.append("call")

        await asyncio.to_thread(call)
        ended.append("after")

    async def story() -> None:
        running = RunningWork(work)
        await asyncio.sleep(0.1)
        running.stop()
        with pytest.raises(WorkStopped) as stopped:
            await running.result()
        assert ended == ["call"]
        assert isinstance(as_error(stopped.value), errors.Cancelled)

    asyncio.run(story())


def test_a_stop_that_comes_as_the_work_ends_is_no_fault() -> None:
    async def work() -> None:
        return

    for _ in range(300):
        running = RunningWork(work)
        ended = False
        while not ended:
            ended = not any(thread.name == "fieldkit-procedure" for thread in threading.enumerate())
            running.stop()


def test_a_fault_is_told_without_its_values() -> None:
    pin = "no-secret-shows"
    try:
        raise ValueError(pin)
    except ValueError as error:
        shown = as_error(error)
    assert shown.status == 5
    assert pin not in " ".join(shown.lines()) + shown.detail
    assert shown.hint is not None
    assert shown.unchanged is not None

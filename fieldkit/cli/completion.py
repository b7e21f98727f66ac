"""Completions: the script of each shell, and the names from the home that complete an argument.

They look at plan, checklists and store alone: no driver is loaded, no token asked, nothing locked or written.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Literal, get_args

import click

from fieldkit.cli.frame import PROGRAM, home_of, root
from fieldkit.errors import FieldkitError
from fieldkit.home import Home
from fieldkit.text import visible

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from fieldkit.checklist.answers import FormLine
    from fieldkit.visit.visits import Visits

Shell = Literal["bash", "zsh", "fish", "powershell"]
SHELLS: tuple[Shell, ...] = get_args(Shell)
VARIABLE = f"_{PROGRAM.upper()}_COMPLETE"
"""What a script sets when it asks for completions; click looks for it too."""
PLAIN = re.compile(r"[\w.@%+/-]+")
"""A name that every shell takes as it stands, in one word."""

Name = tuple[str, object]
"""What is completed, and what it is in words."""


def script(shell: Shell) -> str:
    """What `shell` has to read to complete the words of `fieldkit`."""
    from click.shell_completion import ShellComplete, get_completion_class

    _speak_powershell()
    kind = get_completion_class(str(shell))
    assert kind is not None
    return ShellComplete.source(kind(root(), {}, PROGRAM, VARIABLE))  # bash's own would start a bash


def _speak_powershell() -> None:
    from click.shell_completion import PowerShellComplete, add_completion_class

    class PowerShell(PowerShellComplete):
        """A backslash is part of a path there, and escapes nothing."""

        def get_completion_args(self) -> tuple[list[str], str]:
            os.environ["COMP_WORDS"] = os.environ["COMP_WORDS"].replace("\\", "/")
            return super().get_completion_args()

    add_completion_class(PowerShell)


def answer() -> int:
    """Answer the shell that asks, by what it put into the environment; return the exit status.

    Nothing is said beside the answer: it would stand in the line that somebody is typing.
    """
    from fieldkit.cli.frame import run

    _speak_powershell()
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stderr(nowhere):
        return run([])


Completer = Callable[[click.Context, click.Parameter, str], "list[CompletionItem[str]]"]


def _completer(names: Callable[[Home, click.Context], Iterable[Name]]) -> Completer:
    """Completes a parameter with names from the home; with none where it cannot be read."""

    def complete(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        from click.shell_completion import CompletionItem

        try:
            known = dict(names(home_of(context), context))
        except (FieldkitError, OSError):  # a command says what is wrong; here somebody is typing
            return []
        return [
            CompletionItem(name, help=visible(str(words)))
            for name, words in known.items()
            if PLAIN.fullmatch(name) and name.casefold().startswith(incomplete.casefold())
        ]

    return complete


@_completer
def bureaus(home: Home, context: click.Context) -> Iterator[Name]:
    from fieldkit.profile.load import load

    for bureau in load(home).plan.bureaus:
        yield bureau.code, bureau.name


@_completer
def drivers(home: Home, context: click.Context) -> Iterator[Name]:
    from fieldkit.profile.load import load

    for profile in load(home).tokens.values():
        yield profile.id, profile.title


@_completer
def checklists(home: Home, context: click.Context) -> Iterator[Name]:
    from fieldkit.checklist import load

    for path in load.files(home):
        yield path.stem, path


@_completer
def visits(home: Home, context: click.Context) -> Iterator[Name]:
    with _reading(home) as known:
        for visit in known.list():
            yield visit.id, f"{visit.bureau.name}, {visit.checklist.title}"


@_completer
def items(home: Home, context: click.Context) -> Iterator[Name]:
    """The items of the visit that was named before."""
    for line in _lines(home, context):
        if not line.heading:
            yield line.key, line.title


@_completer
def steps(home: Home, context: click.Context) -> Iterator[Name]:
    """What of the visit that was named before can be run: its sections, groups, rows and items."""
    for line in _lines(home, context):
        yield line.key.removeprefix("@"), line.title


@_completer
def tokens(home: Home, context: click.Context) -> Iterator[Name]:
    """The serial numbers of the tokens that visits were about; asking those plugged in takes a driver."""
    with _reading(home) as known:
        for visit in known.list():
            for evidence in visit.evidence.values():
                serial = evidence.facts.get("serial") or evidence.facts.get("token_serial")
                if serial:
                    yield str(serial), visit.bureau.name


def _lines(home: Home, context: click.Context) -> tuple[FormLine, ...]:
    with _reading(home) as known:
        return known.load(context.params["name"]).lines


@contextlib.contextmanager
def _reading(home: Home) -> Iterator[Visits]:
    """The visits in the store, which stays free for whoever works in it."""
    from fieldkit.journal.store import Store
    from fieldkit.visit.visits import Visits

    with Store.read(home.store) as store:
        yield Visits(store, home)


def files(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The shell's own completion of file names, for what is a file or something else."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]

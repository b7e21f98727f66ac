"""The person, as a port: what a procedure may ask of whoever sits at the machine, and tell them.

Screens, prompts and scripts implement `Operator`; procedures know nothing else of them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from fieldkit.errors import NotConsented
from fieldkit.finding import Finding
from fieldkit.secret import Secret
from fieldkit.text import M, Message, Said, Words, visible


class Plan(msgspec.Struct, frozen=True):
    """What is about to be done, shown before consent is asked.

    steps: what will happen, in order, in words. commands: what will run, each exactly as it will be
    run. keeps: what stays as it is. destructive: it cannot be undone, so the person types `confirm`.
    """

    title: Said
    steps: tuple[Said, ...] = ()
    commands: tuple[str, ...] = ()
    keeps: Said | None = None
    confirm: str = ""


class SecretRequest(msgspec.Struct, frozen=True):
    """Which secret is wanted, and for what.

    role: which option or script answer it is: "pin", "new-pin", "so-pin", "puk" or "password".
    new: it is being chosen, so it is typed twice. check: says what is wrong with a new one.
    """

    role: Literal["pin", "new-pin", "so-pin", "puk", "password"]
    title: Said
    warning: Said | None = None
    new: bool = False
    check: Callable[[Secret], Said | None] | None = None


class Option(msgspec.Struct, frozen=True):
    """One of the things to choose from."""

    value: str
    label: Said | str
    detail: str = ""


class Question(msgspec.Struct, frozen=True):
    """A choice (options given) or a line of text; `id` names it to scripts and options.

    path: it is the path of a file or folder. check: says what is wrong with a line that was typed.
    """

    id: str
    title: Said
    options: tuple[Option, ...] = ()
    default: str = ""
    path: bool = False
    check: Callable[[str], Said | None] | None = None


def existing_file(path: str) -> Said | None:
    """What is wrong with a path to be read from; what was typed is not repeated: it may be a secret."""
    return None if Path(path).expanduser().is_file() else M("There is no such file.")


async def ask_for_file(operator: Operator, id: str, title: Said) -> Path:
    """The path of a file that is there."""
    return Path(await operator.ask(Question(id=id, title=title, path=True, check=existing_file))).expanduser()


class Progress(msgspec.Struct, frozen=True):
    """How far a piece of work is: `done` of `total` (bytes, files, steps); total 0 is not known."""

    text: Said | str
    done: int = 0
    total: int = 0


class Operator(Protocol):
    """Whoever sits at the machine. Every question may raise `errors.Cancelled`."""

    async def consent(self, plan: Plan) -> bool:
        """Show `plan`; True only if the person (or `--yes`) agreed to it."""

    async def secret(self, request: SecretRequest) -> Secret:
        """Ask for a secret; the caller wipes it."""

    async def ask(self, question: Question) -> str:
        """Ask a question; one of the options' values, or the line typed (NFC)."""

    def progress(self, progress: Progress) -> None:
        """Say how far the work is; may be called from any thread, and often."""

    def say(self, finding: Finding) -> None:
        """Tell one finding as it is made; may be called from any thread."""


async def must_agree(operator: Operator, plan: Plan, refused: Said, unchanged: Said | None = None) -> None:
    """Go on only if the person agrees to `plan`.

    :raises NotConsented: they did not; `refused` says what was not done.
    """
    if not await operator.consent(plan):
        raise NotConsented(refused, unchanged=unchanged)


def said(text: Said | str) -> str:
    """`text` in the language in force, whatever kind it is; a plain text is one line."""
    return str(text) if isinstance(text, Message | Words) else visible(text)

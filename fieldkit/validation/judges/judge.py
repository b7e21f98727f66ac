"""Another program that judges signatures: what all of them are, and what is said where one has no word."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import msgspec

from fieldkit.finding import Finding, Outcome
from fieldkit.program import ProgramResult, bring, run
from fieldkit.secret import Secret
from fieldkit.text import M, Message

PATIENCE = 60.0  # seconds for one program and one document


class Case(msgspec.Struct, frozen=True):
    """A document to be judged. trust: DER or PEM, the only anchors. at: the moment to judge for.

    times: by field, the moment that a timestamp proves, which goes before `at`.
    locked: it opens with `password` alone.
    """

    path: Path
    trust: Sequence[bytes] = ()
    at: datetime | None = None
    times: Mapping[str, datetime] = {}
    password: Secret | None = None
    locked: bool = False


class Judge(ABC):
    """A program that shares no code with fieldkit. Its findings have `name` as their `judge`.

    name: as it is shown, stable. program: what it is called on disk. package: which brings it on Debian.
    version: the arguments that make it tell its version. needed: its absence leaves a signature judged once.
    after_fieldkit: it is asked once fieldkit knows the `times`. opens_locked: it never sees the password, but
    what fieldkit opened. judges_path: its word on a path, at the moment asked for, has to be fieldkit's too;
    that a signature passes then speaks of its path as well.
    """

    name: ClassVar[str]
    program: ClassVar[str]
    package: ClassVar[str]
    version: ClassVar[tuple[str, ...]] = ("--version",)
    needed: ClassVar[bool] = True
    after_fieldkit: ClassVar[bool] = False
    opens_locked: ClassVar[bool] = False
    judges_path: ClassVar[bool] = False

    def judge(self, case: Case) -> list[Finding]:
        """Its word on every signature's integrity, and on its path where it has one.

        A program that is missing, cannot be started, comes to no end, or cannot judge a kind of signature is
        "not-checked" with its reason and what would settle it.
        """
        program = shutil.which(self.program)
        if program is None:
            message = M("{program} is not on this machine.", program=self.name)
            return [self.integrity("not-checked", message, hint=bring(self.program, self.package))]
        if case.locked and not self.opens_locked:
            message = M(
                "{judge} was not asked: the document needs a password, and programs are not given any.",
                judge=self.name,
            )
            hint = M("Ask the document's author for a copy without a password.")
            return [self.integrity("not-checked", message, required=False, hint=hint)]
        return self.examine(program, case)

    @abstractmethod
    def examine(self, program: str, case: Case) -> list[Finding]:
        """Run `program`, which is here, on a document that it can open."""

    def integrity(
        self,
        outcome: Outcome,
        message: Message,
        detail: str = "",
        *,
        required: bool | None = None,
        hint: Message | None = None,
    ) -> Finding:
        """Its word on what was signed; `required` where it is needed, unless told otherwise."""
        needed = self.needed if required is None else required
        return Finding(f"{self.name}-integrity", outcome, message, detail, hint, needed, self.name)

    def path(self, outcome: Outcome, message: Message, detail: str = "") -> Finding:
        """Its word on a certificate's path to the anchors; fieldkit's own is what is required."""
        return Finding(f"{self.name}-path", outcome, message, detail, None, False, self.name)

    def run(self, *command: str) -> ProgramResult:
        """Run a program in English."""
        return run(command, timeout=PATIENCE, variables={"LC_ALL": "C"})

    def silent(self, problem: Message) -> Finding:
        """That it came to no word at all."""
        hint = M("Judge the document again; if it stays so, install {program} anew.", program=self.name)
        return self.integrity("not-checked", problem, hint=hint)


def is_integrity(finding: Finding) -> bool:
    """Whether it is its judge's word on what was signed."""
    return bool(finding.judge) and finding.id == f"{finding.judge}-integrity"


def is_path(finding: Finding) -> bool:
    """Whether it is its judge's word on a path."""
    return bool(finding.judge) and finding.id == f"{finding.judge}-path"

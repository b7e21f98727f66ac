"""The operator behind a terminal: plain prompts, for screen readers, scripts and hopeless lines.

Everything said goes to standard error; standard output belongs to the command's result.
"""

from __future__ import annotations

import asyncio
import codecs
import getpass
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from fieldkit import errors
from fieldkit.finding import Finding
from fieldkit.operator import Plan, Progress, Question, SecretRequest, localized
from fieldkit.secret import Secret
from fieldkit.text import M, nfc, visible
from fieldkit.text_output import finding_lines, plan_lines


class SecretMissing(errors.Missing, code="secret-needed"):
    """A secret is needed, and neither a file nor a person gives it."""


class SecretUnfit(errors.Misused, code="secret-unfit"):
    """A secret given by a file is not allowed as a new one, or the file is none that holds one."""


class Console:
    """Implements `fieldkit.operator.Operator` on standard input and standard error.

    yes: consent was given in advance. secret_files: role to the file that holds the secret in its
    first line. answers: question id to answer, given in advance.
    """

    def __init__(
        self, *, yes: bool, secret_files: Mapping[str, str], answers: Mapping[str, str] | None = None
    ) -> None:
        self._yes = yes
        self._files = secret_files
        self._answers = dict(answers or {})
        self._told = 0.0

    @property
    def attended(self) -> bool:
        """Somebody can answer: standard input is a terminal."""
        return sys.stdin is not None and sys.stdin.isatty()

    async def consent(self, plan: Plan) -> bool:
        lines = plan_lines(plan)
        if self._yes:
            self._print(*lines)
            return True
        if not self.attended:
            raise errors.NotConsented(
                M("Nothing was done: nobody is here to agree to it."),
                hint=M("Run it in a terminal, or add --yes to agree in advance."),
                detail="\n".join(lines),
                plan=lines,
            )
        self._print(*lines)
        if plan.confirm:
            typed = await self._line(str(M("Type {word} to agree:", word=plan.confirm)))
            return typed == plan.confirm
        typed = await self._line(str(M("Do this? [y/N]")))
        return typed.lower() in ("y", "yes", "c", "có", "co")

    async def secret(self, request: SecretRequest) -> Secret:
        path = self._files.get(request.role)
        if path is None and request.role == "puk":
            path = self._files.get("so-pin")
        if path is not None:
            secret = _first_line(path)
            complaint = request.check(secret) if request.check else None
            if complaint is not None:
                secret.wipe()
                raise SecretUnfit(complaint, unchanged=M("Nothing was changed."))
            return secret
        if not self.attended:
            raise SecretMissing(
                M("{what}: nobody is here to enter it.", what=localized(request.title)),
                unchanged=M("Nothing was changed."),
                hint=M("Run it in a terminal, or give a file with --{role}-file.", role=request.role),
            )
        if request.warning:
            self._print(localized(request.warning))
        while True:
            secret = Secret(await _in_thread(getpass.getpass, localized(request.title) + ": "))
            if not secret:
                raise errors.Cancelled(M("Nothing was entered."), unchanged=M("Nothing was changed."))
            complaint = request.check(secret) if request.check else None
            if complaint is None and request.new:
                with Secret(await _in_thread(getpass.getpass, str(M("Once more: ")))) as again:
                    complaint = None if again == secret else M("The two entries differ.")
            if complaint is None:
                return secret
            secret.wipe()
            self._print(localized(complaint))

    async def ask(self, question: Question) -> str:
        if question.id in self._answers:
            return nfc(self._answers[question.id])
        if not self.attended:
            if question.default:
                return question.default
            raise errors.Missing(
                M("{what}: nobody is here to answer.", what=localized(question.title)),
                unchanged=M("Nothing was changed."),
                hint=M("Run it in a terminal."),
            )
        for number, option in enumerate(question.options, 1):
            self._print(
                f"  {number}. {localized(option.label)}"
                + (f"  {visible(option.detail)}" if option.detail else "")
            )
        prompt = (
            localized(question.title) + (f" [{visible(question.default)}]" if question.default else "") + ":"
        )
        while True:
            typed = await self._line(prompt) or question.default
            if not question.options:
                complaint = question.check(typed) if question.check else None
                if complaint is None:
                    return typed
                self._print(localized(complaint))
                continue
            values = [option.value for option in question.options]
            if typed in values:
                return typed
            if typed.isdigit() and 0 < int(typed) <= len(values):
                return values[int(typed) - 1]
            self._print(str(M("Give the number of one of the lines above.")))

    def progress(self, progress: Progress) -> None:
        now = time.monotonic()
        finished = progress.total and progress.done >= progress.total
        if now - self._told < 0.5 and not finished:
            return
        self._told = now
        share = f" {100 * progress.done // progress.total}%" if progress.total else ""
        self._print(f"… {localized(progress.text)}{share}")

    def show_finding(self, finding: Finding) -> None:
        self._print(*finding_lines(finding))

    async def _line(self, prompt: str) -> str:
        sys.stderr.write(prompt + " ")
        sys.stderr.flush()
        line = await _in_thread(sys.stdin.readline)
        if not line:
            raise errors.Cancelled(M("The input ended."), unchanged=M("Nothing was changed."))
        return nfc(line.strip())

    def _print(self, *lines: str) -> None:
        sys.stderr.write("".join(visible(line, keep="\n") + "\n" for line in lines))
        sys.stderr.flush()


async def _in_thread(function: object, *arguments: object) -> str:
    return str(await asyncio.to_thread(function, *arguments))  # type: ignore[arg-type]


def _first_line(path: str) -> Secret:
    """The secret in the first line of `path` ("-": standard input), its line end removed."""
    try:
        if path == "-":
            line = sys.stdin.buffer.readline()
        else:
            with Path(path).open("rb") as file:
                line = file.readline()
    except OSError as error:
        raise SecretMissing(
            M("The file with the secret cannot be read: {path}.", path=path),
            unchanged=M("Nothing was changed."),
            detail=error.strerror or "",
        ) from None
    if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # it would be a wrong PIN, and count
        raise SecretUnfit(
            M("The file with the secret is not plain text in UTF-8: {path}.", path=path),
            unchanged=M("Nothing was changed."),
            hint=M("Save it as UTF-8, or enter the secret in a terminal."),
        )
    return Secret(line.removeprefix(codecs.BOM_UTF8).rstrip(b"\r\n"))

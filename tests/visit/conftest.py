"""A store of visits, checklists written on the spot, and steps that do what a test says."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from fieldkit.finding import Finding, Outcome
from fieldkit.home import Home
from fieldkit.journal.store import Store
from fieldkit.operator import Operator, Plan, Progress, Question, SecretRequest
from fieldkit.procedure.context import Context
from fieldkit.procedure.evidence import Evidence
from fieldkit.secret import Secret
from fieldkit.text import M
from fieldkit.visit.visits import Visits

BUREAU = "MAU-01"
Step = Callable[[Context, Operator], Awaitable[Evidence]]


class Silent:
    """A person who is only told things."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    async def consent(self, plan: Plan) -> bool:
        return True

    async def secret(self, request: SecretRequest) -> Secret:
        raise AssertionError(request)

    async def ask(self, question: Question) -> str:
        return question.default

    def progress(self, progress: Progress) -> None: ...

    def show_finding(self, finding: Finding) -> None:
        self.findings.append(finding)


@pytest.fixture
def visits(home: Home) -> Iterator[Visits]:
    with Store.open(home.store) as store:
        yield Visits(store, home, who="Trần Kỹ Thuật")


@pytest.fixture
def begin(visits: Visits, tmp_path: Path) -> Callable[[str], str]:
    """Start a visit with the items given as YAML; its id."""

    def start(items: str) -> str:
        path = tmp_path / "asked.yaml"
        path.write_text(
            'id: asked\nversion: "1"\ntitle: {vi: Hỏi, en: Asked}\nsections:\n'
            "  - id: only\n    title: {vi: Phần, en: Part}\n    items:\n"
            + "".join(f"      {line}\n" for line in items.strip("\n").splitlines())
        )
        return visits.start(BUREAU, path).id

    return start


def item(id: str, kind: str = "yesno", more: str = "") -> str:
    text = f"- {{id: {id}, kind: {kind}, required: true, label: {{vi: '{id}', en: '{id}'}}"
    return f"{text}, {more}}}\n" if more else f"{text}}}\n"


def step(id: str, more: str = "") -> str:
    return item(id, "procedure", f"procedure: {id}" + (f", {more}" if more else ""))


def about(serial: str, verdict: Outcome = "pass", **facts: str) -> Evidence:
    """Evidence that names a token."""
    return Evidence(verdict, M("Done."), facts={"serial": serial, **facts})


class Steps:
    """Steps under the names of real ones, each doing what it was told last."""

    def __init__(self, visits: Visits, monkeypatch: pytest.MonkeyPatch) -> None:
        self._visits = visits
        self._monkeypatch = monkeypatch
        self.person = Silent()

    def run(self, visit: str, name: str, does: Evidence | Step) -> Evidence:
        async def run(context: Context, operator: Operator) -> Evidence:
            return does if isinstance(does, Evidence) else await does(context, operator)

        module = ModuleType(f"fieldkit.procedure.{name}")
        module.__dict__["run"] = run
        self._monkeypatch.setitem(sys.modules, module.__name__, module)
        return asyncio.run(self._visits.run(visit, name, self.person))


@pytest.fixture
def steps(visits: Visits, monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(visits, monkeypatch)

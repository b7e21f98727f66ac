"""A visit at the sample bureau with real tokens, and the people in it, played by a script."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fieldkit.finding import Finding
from fieldkit.home import Home, shipped
from fieldkit.journal.store import Store
from fieldkit.operator import Plan, Progress, Question, SecretRequest
from fieldkit.procedure.evidence import Evidence, to_value
from fieldkit.sample import authority as authorities
from fieldkit.sample.authority import SampleAuthority
from fieldkit.secret import Secret
from fieldkit.token import initialisation
from fieldkit.token.agents import Agents
from fieldkit.token.errors import PinIncorrect
from fieldkit.token.model import Token
from fieldkit.visit.visits import Visits
from tests.token.conftest import (  # noqa: F401 (fixtures)
    PIN,
    SO_PIN,
    Contrary,
    agents,
    authority,
    card,
    card_agents,
    contrary,
    contrary_library,
    keys,
    objects,
    opensc,
    pin,
    reader,
    softhsm,
    softhsm_module,
    token,
)

BUREAU = "MAU-01"


class People:
    """An operator that agrees, answers and enters what it was given; remembers what it was asked and told."""

    def __init__(self, answers: dict[str, str] | None = None, **secrets: list[str]) -> None:
        self.answers = answers or {}
        self.secrets = {"pin": [PIN], "so-pin": [SO_PIN]} | {
            role.replace("_", "-"): values for role, values in secrets.items()
        }
        self.agrees = True
        self.plans: list[Plan] = []
        self.requests: list[SecretRequest] = []
        self.questions: list[Question] = []
        self.findings: list[Finding] = []
        self.told: list[Progress] = []
        self.on_finding: Callable[[Finding], None] = lambda finding: None
        self.on_progress: Callable[[Progress], None] = lambda progress: None

    async def consent(self, plan: Plan) -> bool:
        self.plans.append(plan)
        return self.agrees

    async def secret(self, request: SecretRequest) -> Secret:
        self.requests.append(request)
        left = self.secrets[request.role]
        secret = Secret(left.pop(0) if len(left) > 1 else left[0])
        complaint = request.check(secret) if request.check else None
        assert complaint is None, str(complaint)
        return secret

    async def ask(self, question: Question) -> str:
        self.questions.append(question)
        return self.answers.get(question.id, question.default)

    def progress(self, progress: Progress) -> None:
        self.told.append(progress)
        self.on_progress(progress)

    def say(self, finding: Finding) -> None:
        self.findings.append(finding)
        self.on_finding(finding)

    def asked_for(self, role: str) -> int:
        return sum(request.role == role for request in self.requests)

    def said(self) -> list[str]:
        return [finding.id for finding in self.findings]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> SampleAuthority:
    return authorities.create(tmp_path_factory.mktemp("sample") / "authority")


@pytest.fixture
def sample(made: SampleAuthority, home: Home) -> SampleAuthority:
    """The sample authority, known to the home."""
    made.install(home)
    return made


@pytest.fixture
def visits(home: Home, softhsm: str) -> Iterator[Visits]:  # noqa: F811
    with Store.open(home.store) as store:
        yield Visits(store, home, who="Trần Kỹ Thuật")


class Road:
    """A hand-over under way: answers items and runs steps."""

    def __init__(self, visits: Visits, modules: tuple[str, ...] = ()) -> None:
        self.visits = visits
        self.id = visits.start(BUREAU, "handover").id
        self.modules = modules

    def answer(self, item: str, value: str) -> None:
        self.visits.answer(self.id, item, value)

    def run(self, item: str, people: People) -> Evidence:
        """The evidence of one step, as the journal has it; no secret is in it."""
        asyncio.run(self.visits.run(self.id, item, people, self.modules))
        kept = self.visits.load(self.id).evidence[item]
        for values in people.secrets.values():
            assert not any(value in str(to_value(kept)) for value in values)
        return kept

    def relevant(self) -> frozenset[str]:
        return frozenset(self.visits.load(self.id).relevant)


@pytest.fixture
def road(visits: Visits, sample: SampleAuthority) -> Road:
    return Road(visits)


def only_through(road: Road, module: str, *, profile: str = "softhsm2", **changes: str) -> None:
    """From now on the bureau's tokens are reached through `module` alone; changes: of the profile's lines."""
    text = (shipped("profiles") / "tokens" / f"{profile}.yaml").read_text()
    head, _, rest = text.partition("modules:\n")
    rest = rest[rest.index("\ndriver:") :]
    for name, value in changes.items():
        rest = rest.replace(f"{name}: ", f"{name}: {value} # ", 1)
    folder = road.visits.home.profiles / "tokens"
    folder.mkdir(parents=True, exist_ok=True)
    text = f"{head}modules:\n  linux:\n    - {{path: {module}, known: confirmed}}{rest}"
    (folder / "softhsm2.yaml").write_text(text.replace(f"id: {profile}\n", "id: softhsm2\n"))
    road.visits = Visits(road.visits.store, road.visits.home, who="Trần Kỹ Thuật")


def prepared(module: str, logs: Path, label: str = "MAU-01") -> Token:
    """A token initialised in the empty slot of `module`."""
    with Agents([module], logs) as running:
        blank = next(listed for listed in running.tokens() if not listed.initialized)
        return initialisation.initialise(running, blank, label, pin(SO_PIN), pin())


def takes(module: str, logs: Path, serial: str, entered: str) -> bool:
    """Whether the token takes this PIN, asked in a process that knows nothing of earlier ones."""
    with Agents([module], logs) as running:
        try:
            running.session(running.find(serial), pin(entered)).close()
        except PinIncorrect:
            return False
        return True


def later(work: Callable[[], Any], seconds: float = 0.3) -> threading.Timer:
    """Do `work` in a while, as a hand that plugs something in."""
    timer = threading.Timer(seconds, work)
    timer.start()
    return timer

"""The sample visit: a sample authority, a fresh SoftHSM2 token an invented bureau, made on the spot.

It lays out a home and starts the visit; the screens go on from there, or a script plays the people's parts.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from datetime import date
from pathlib import Path

import msgspec

from fieldkit import settings
from fieldkit.access import make_private_folder
from fieldkit.errors import Refused
from fieldkit.finding import Finding
from fieldkit.home import Home
from fieldkit.operator import Operator, Plan, Progress, Question, SecretRequest, localized
from fieldkit.sample.authority import SampleAuthority
from fieldkit.secret import Secret
from fieldkit.text import M
from fieldkit.text_output import finding_lines
from fieldkit.visit.visits import Visits

BUREAU = "MAU-01"
MARK = "sample-home"  # a home with this file is the demo's own
CHECKLIST = "handover"
TECHNICIAN = "Trần Văn Mẫu"


class SampleSetup(msgspec.Struct, frozen=True):
    """What was laid out for the sample visit; `password` opens the sample's file and is kept nowhere."""

    home: Home
    authority: SampleAuthority
    certificate_file: Path
    password: str


class HomeTaken(Refused, code="demo-home-taken"):
    """The home for the sample visit is in use, and not by the demo."""


class DemoResult(msgspec.Struct, frozen=True):
    """The products of a whole sample visit."""

    visit: str
    record: Path
    signed: Path
    bundle: Path
    checks: list[dict[str, str]]


def lay_out(home: Home) -> SampleSetup:
    """Make the sample authority, the certificate file and an empty SoftHSM2 token store in `home`.

    The PKCS#12 password is new each time and only returned: it is written nowhere.
    :raises HomeTaken: there is something in `home` that is not the demo's.
    """
    from fieldkit.sample import authority

    if not _own(home):
        raise HomeTaken(
            M(
                "{home} is in use, and the sample's keys would take the place of its own.",
                home=str(home.path),
            ),
            unchanged=M("Nothing there was changed."),
            hint=M("Name a new folder for the sample visit with --home."),
        )
    make_private_folder(home.path)
    (home.path / MARK).touch()
    folder = home.path / "sample-authority"
    made = authority.load(folder) if folder.is_dir() else authority.create(folder)
    password = f"mau-{secrets.randbelow(10**4):04d}-{secrets.randbelow(10**4):04d}"
    certificate = home.path / "sample-certificate.p12"
    with Secret(password) as secret:
        made.write_pkcs12(certificate, secret)
    _fresh_token_store(home)
    made.install(home)
    if not settings.load_or_default(home).who:
        settings.save(home, msgspec.structs.replace(settings.load_or_default(home), who=TECHNICIAN))
    return SampleSetup(home, made, certificate, password)


def _own(home: Home) -> bool:
    """Whether the demo may lay out `home`: it did before, or nothing is there."""
    from fieldkit.sample import authority
    from fieldkit.sync import recipients

    there = (path for path in home.path.rglob("*") if path.is_file() and path != home.settings)
    if (home.path / MARK).is_file() or not any(there):
        return True
    # Release 0.1 left no mark: it is the demo's where every key and paper is.
    folder = home.path / "sample-authority"
    if not folder.is_dir() or any(home.profiles.rglob("*.yaml")) or any(home.checklists.rglob("*")):
        return False
    keys = {path.read_text("utf-8", "replace").strip() for path in recipients.folder(home).iterdir()}
    return keys == set(authority.load(folder).recipients())


def _fresh_token_store(home: Home) -> None:
    """Point SoftHSM2 of this process and its agents at a token store inside `home`."""
    folder = home.path / "softhsm2"
    make_private_folder(folder / "tokens")
    configuration = folder / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n",
        "utf-8",
    )
    os.environ["SOFTHSM2_CONF"] = str(configuration)


def open_visit(visits: Visits) -> str:
    """The sample visit that is still open, or a new one; its id."""
    for visit in visits.list():
        if visit.bureau.code == BUREAU and visit.state != "recorded":
            return visit.id
    return visits.start(BUREAU, CHECKLIST).id


class Script:
    """An operator that plays technician and officer: it agrees, knows its own secrets, tells what it sees.

    person: who is asked before a command runs on this machine, which is no play.
    """

    def __init__(
        self, tell: Callable[[str], None], answers: dict[str, str], password: str, person: Operator
    ) -> None:
        self._tell = tell
        self._person = person
        self._answers = answers
        pin = f"{secrets.randbelow(10**8):08d}"
        self._secrets = {
            "pin": pin,
            "new-pin": pin,
            "so-pin": f"{secrets.randbelow(10**8):08d}",
            "puk": "",
            "password": password,
        }
        self.findings: list[Finding] = []

    async def consent(self, plan: Plan) -> bool:
        if plan.commands:
            return await self._person.consent(plan)
        self._tell("? " + localized(plan.title))
        for step in plan.steps:
            self._tell("    " + localized(step))
        return True

    async def secret(self, request: SecretRequest) -> Secret:
        secret = Secret(self._secrets[request.role])
        complaint = request.check(secret) if request.check else None
        assert complaint is None, str(complaint)
        return secret

    async def ask(self, question: Question) -> str:
        answer = self._answers.pop(question.id, question.default)
        if not answer and question.options:
            answer = question.options[0].value
        return answer

    def progress(self, progress: Progress) -> None:
        pass  # every step is told by its findings

    def show_finding(self, finding: Finding) -> None:
        self.findings.append(finding)
        for line in finding_lines(finding):
            self._tell("  " + line)


async def play(
    visits: Visits, laid: SampleSetup, tell: Callable[[str], None], person: Operator
) -> DemoResult:
    """The whole visit by itself: every step, the sign-off, the signed record, the bundle on a "stick"."""
    from fieldkit.record.handover import hand_over
    from fieldkit.sync.folder import FolderCarrier
    from fieldkit.sync.push import push
    from fieldkit.visit.guide import guide

    visit = open_visit(visits)
    script = Script(tell, answers(laid, visits.load(visit).bureau.code), laid.password, person)
    for section in visits.load(visit).checklist.sections:
        tell(f"== {section.title}")
        await guide(visits, visit, script, step=section.id)
    tell("== " + localized(M("Handover record")))
    record = await hand_over(visits, visit, script)
    tell("== " + localized(M("Bundle for head office")))
    stick = laid.home.path / "stick"
    pushed = push(visits.store, FolderCarrier(stick), laid.authority.recipients())
    now = visits.load(visit)
    signed = next(file for file in now.evidence["test_signature"].files)
    signed_path = laid.home.visit(visit) / "sample-signed.pdf"
    signed_path.write_bytes(visits.store.attachment(signed["sha256"]))
    findings = [finding for evidence in now.evidence.values() for finding in evidence.findings]
    checks = [
        {"id": finding.id, "verdict": _verdict(finding), "detail": str(finding.message)}
        for finding in findings
    ]
    checks += [{"id": c.id, "verdict": c.severity, "detail": str(c.message)} for c in record.checks]
    return DemoResult(visit, record.pdf, signed_path, stick / pushed.bundle, checks)


def _verdict(finding: Finding) -> str:
    return finding.severity if finding.severity in ("fail", "not-checked") else "pass"


def answers(laid: SampleSetup, bureau: str) -> dict[str, str]:
    """What the people of the sample visit answer, by item; marked as a sample where it is a name."""
    return {
        "delivery": "file",
        "certificate-file": str(laid.certificate_file),
        "token-label": bureau,
        "training_date": date.today().isoformat(),
        "trainees": "3",
        "custody_explained": "yes",
        "pin_secret": "yes",
        "loss_explained": "yes",
        "lock_explained": "yes",
        "signing_practised": "yes",
        "exchange_practised": "n/a",
        "officer_name": "Nguyễn Thị Mẫu",
        "officer_title": "Trưởng cơ quan thường trú",
        "condition": "new",
        "accessories": "box guide",
        "remarks": "Chuyến triển khai mẫu; mọi tên người và đơn vị đều là giả định.",
    }

"""A visit at a sample bureau, ready to be signed off, and a person with a certificate to sign its record."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fieldkit.action.trust_material import TrustMaterial
from fieldkit.finding import Finding
from fieldkit.home import Home
from fieldkit.journal.entry import Draft
from fieldkit.journal.store import Store
from fieldkit.operator import Plan, Progress, Question, SecretRequest
from fieldkit.procedure.evidence import Evidence, to_value
from fieldkit.record.content import sha256
from fieldkit.secret import Secret
from fieldkit.text import M
from fieldkit.visit.visits import Visits
from tests.pki import Pki, SoftwareSigner

PIN = "24681357"


@pytest.fixture(scope="session")
def pki() -> Pki:
    return Pki()


@pytest.fixture(scope="session")
def officer(pki: Pki) -> SoftwareSigner:
    """The officer's key and certificate."""
    return pki.signer()


@pytest.fixture(scope="session")
def material(pki: Pki) -> TrustMaterial:
    return TrustMaterial(pki.anchors, (pki.issuing.public_bytes(Encoding.DER),), pki.crls())


@pytest.fixture
def visits(home: Home, pki: Pki) -> Iterator[Visits]:
    """Visits in a home that knows the sample authority."""
    place = home.profiles / "authorities" / "sample"
    place.mkdir(parents=True)
    (place / "root.pem").write_bytes(pki.root.public_bytes(Encoding.PEM))
    (place / "issuing.pem").write_bytes(pki.issuing.public_bytes(Encoding.PEM))
    for number, crl in enumerate(pki.crls()):
        (place / f"{number}.crl").write_bytes(crl)
    with Store.open(home.store) as store:
        yield Visits(store, home, who="Trần Kỹ Thuật")


@pytest.fixture
def visit(visits: Visits, officer: SoftwareSigner) -> str:
    """A visit whose items are all settled; its id."""
    return settle(visits, officer)


ANSWERS = {
    "delivery": "file",
    "trainees": "3",
    "training_date": "2026-11-02",
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
    "remarks": "=1+1 #set page(fill: red) ** \\ $x$ 中文 😀 \u202e " + "dài" * 60,
}


def settle(visits: Visits, signer: SoftwareSigner, token: str = "7b8b6f2a33c4d5e6", subject: str = "") -> str:
    """Start a visit and settle its items: answers by the person, evidence as the procedures leave it."""
    visit = visits.start("MAU-01", "handover").id
    held = x509.load_der_x509_certificate(signer.certificate)
    signed = visits.store.attach(b"%PDF-1.7 the signed sample", "sample-signed.pdf")
    warning = Finding("clock", "warning", M("The clock is {seconds} s off.", seconds=3), "ntp")
    evidence: dict[str, Evidence] = {
        "preflight": Evidence("pass", M("The machine is fit."), (warning,)),
        "driver_install": Evidence("pass", M("The driver is here.")),
        "token_setup": Evidence(
            "pass",
            M("The token is set up."),
            facts={"serial": token, "label": "MAU-01", "model": "SoftHSM v2", "manufacturer": "SoftHSM"},
        ),
        "certificate_import": Evidence(
            "pass",
            M("The certificate is on the token."),
            facts={
                "serial": token,
                "subject": subject or held.subject.rfc4514_string(),
                "issuer": held.issuer.rfc4514_string(),
                "serial_number": f"{held.serial_number:x}",
                "not_before": held.not_valid_before_utc.isoformat(),
                "not_after": held.not_valid_after_utc.isoformat(),
                "sha256": sha256(signer.certificate),
                "key": "rsa:2048",
            },
        ),
        "test_signature": Evidence(
            "pass",
            M("Documents signed: {count}.", count=1),
            facts={
                "documents": [
                    {"name": signed.name, "sha256": signed.sha256, "level": "b-b", "verdict": "pass"}
                ]
            },
            files=(msgspec.to_builtins(signed),),
        ),
        "exchange_rehearsal": Evidence("pass", M("The exchange was rehearsed.")),
    }
    visits.answer(visit, "delivery", ANSWERS["delivery"])
    for item, found in evidence.items():
        visits.store.append(
            Draft(kind="evidence", visit=visit, item=item, value=to_value(found), who=visits.who)
        )
    for item, value in ANSWERS.items():
        visits.answer(visit, item, value)
    assert visits.load(visit).state == "ready", visits.load(visit).problems
    return visit


class People:
    """Technician and officer, who agree and know the PIN."""

    def __init__(self, *, agrees: bool = True) -> None:
        self.agrees = agrees
        self.plans: list[Plan] = []
        self.findings: list[Finding] = []

    async def consent(self, plan: Plan) -> bool:
        self.plans.append(plan)
        return self.agrees

    async def secret(self, request: SecretRequest) -> Secret:
        return Secret(PIN)

    async def ask(self, question: Question) -> str:
        return question.default

    def progress(self, progress: Progress) -> None:
        pass

    def show_finding(self, finding: Finding) -> None:
        self.findings.append(finding)


@pytest.fixture
def people() -> People:
    return People()

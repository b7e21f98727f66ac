"""The exchange rehearsal as a step of a visit: with what was signed before, with and without the token."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from cryptography import x509

from fieldkit.errors import NotConsented
from fieldkit.exchange import edxml
from fieldkit.home import Home, shipped
from fieldkit.journal.entry import Draft
from fieldkit.procedure.evidence import Evidence, to_value
from fieldkit.sample import issue
from fieldkit.sample.authority import SampleAuthority
from fieldkit.secret import Secret
from fieldkit.signature import sign
from fieldkit.text import M
from fieldkit.token.agents import Agents
from fieldkit.visit.visits import Visits
from tests.pki import SoftwareSigner
from tests.procedure.conftest import BUREAU, PIN, People, prepared

CHECKLIST = """
id: rehearsal
version: "1"
title: {vi: Diễn tập, en: Rehearsal}
sections:
  - id: one
    title: {vi: Một, en: One}
    items:
      - id: test_signature
        kind: procedure
        procedure: test_signature
        label: {vi: Ký thử, en: Test signature}
      - id: exchange
        kind: procedure
        procedure: exchange_rehearsal
        label: {vi: Liên thông, en: Exchange}
"""


@pytest.fixture
def visit(visits: Visits, sample: SampleAuthority, tmp_path: Path) -> str:
    """A visit whose checklist has the rehearsal."""
    path = tmp_path / "rehearsal.yaml"
    path.write_text(CHECKLIST)
    return visits.start(BUREAU, str(path)).id


def person(sample: SampleAuthority) -> SoftwareSigner:
    """The sample person's key in memory."""
    issued = sample.person
    chain = [x509.load_der_x509_certificate(issued.chain[0])]
    key = issue.load_key(issued.key.reveal_bytes())
    return SoftwareSigner(key, x509.load_der_x509_certificate(issued.certificate), chain)


def signed(visits: Visits, visit: str, sample: SampleAuthority, letter: Path, **facts: str) -> None:
    """The evidence of a test signature, with the document that it signed."""
    out = letter.with_name("signed.pdf")
    done = sign.sign(letter, out, person(sample), overwrite=True)
    kept = visits.store.attach(out, "signed.pdf")
    document = {"name": "signed.pdf", "sha256": done.sha256, "level": "b-b", "verdict": "pass"}
    evidence = Evidence(
        "pass",
        M("Documents signed: {count}.", count=1),
        facts={"documents": [document], **facts},
        files=(msgspec.to_builtins(kept),),
    )
    visits.store.append(
        Draft(kind="evidence", visit=visit, item="test_signature", value=to_value(evidence), who=visits.who)
    )


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    from fieldkit.sample import documents

    path = tmp_path / "letter.pdf"
    documents.letter(path, signer_title="Trưởng cơ quan", signer_name="Nguyễn Thị Mẫu")
    return path


def run(visits: Visits, visit: str, people: People) -> Evidence:
    asyncio.run(visits.run(visit, "exchange", people))
    return visits.load(visit).evidence["exchange"]


def test_what_was_signed_is_exchanged_and_the_package_and_answer_are_kept(
    visits: Visits, visit: str, sample: SampleAuthority, letter: Path
) -> None:
    signed(visits, visit, sample, letter)
    people = People()
    kept = run(visits, visit, people)
    assert kept.verdict == "pass", kept.findings
    package, answer = (visits.store.attachment(file["sha256"]) for file in kept.files)
    assert edxml.read(package).header.document == kept.facts["package"]
    assert edxml.read_status(answer).code == kept.facts["answer"] == "03"
    assert "package-change-noticed" in people.said()
    assert people.asked_for("pin") == 0
    assert "Nothing leaves this machine" in str(people.plans[0].keeps)


def test_the_evidence_is_read_in_either_language(
    visits: Visits, visit: str, sample: SampleAuthority, letter: Path
) -> None:
    signed(visits, visit, sample, letter)
    kept = run(visits, visit, People())
    english = {finding.message.render("en") for finding in kept.findings}
    frozen = [
        value
        for finding in kept.findings
        for value in (finding.detail, *map(str, finding.message.params.values()))
        if value in english
    ]
    assert frozen == []


def test_without_a_signed_document_it_is_not_checked_and_says_what_to_do(visits: Visits, visit: str) -> None:
    kept = run(visits, visit, People())
    assert kept.verdict == "not-checked"
    assert "Run the test signature" in str(kept.summary)


def test_without_agreement_nothing_is_packed(
    visits: Visits, visit: str, sample: SampleAuthority, letter: Path
) -> None:
    signed(visits, visit, sample, letter)
    people = People()
    people.agrees = False
    with pytest.raises(NotConsented):
        asyncio.run(visits.run(visit, "exchange", people))
    assert not list(visits.home.path.rglob("*.edxml"))


def test_without_revocation_lists_it_is_not_settled(
    visits: Visits, visit: str, sample: SampleAuthority, letter: Path, home: Home
) -> None:
    signed(visits, visit, sample, letter)
    for path in (home.profiles / "authorities" / "sample").glob("*.crl"):
        path.unlink()
    kept = run(visits, visit, People())
    assert kept.verdict == "not-checked"
    (open_,) = [finding for finding in kept.findings if finding.id == "signature-revocation"]
    assert open_.hint is not None


def test_where_the_profile_asks_the_token_signs_the_package_after_one_pin(
    visits: Visits,
    visit: str,
    sample: SampleAuthority,
    letter: Path,
    home: Home,
    softhsm: str,
    tmp_path: Path,
) -> None:
    services = (shipped("profiles") / "services.yaml").read_text()
    (home.profiles / "services.yaml").write_text(
        services.replace("kind: axis\n", "kind: axis\n    signed: true\n")
    )
    token, signer = prepared(softhsm, tmp_path / "logs"), person(sample)
    with (
        Agents([softhsm], tmp_path / "logs") as running,
        running.session(running.find(token.serial), Secret(PIN)) as session,
    ):
        session.create_key(Secret(sample.person.key.reveal_bytes()), "01", "key")
        session.create_certificate(signer.certificate, "01", "certificate")
    signed(visits, visit, sample, letter)
    again, people = Visits(visits.store, home, who="Trần Kỹ Thuật"), People()
    asyncio.run(again.run(visit, "exchange", people, (softhsm,)))
    kept = again.load(visit).evidence["exchange"]
    assert kept.verdict == "pass", kept.findings
    assert kept.facts["signed"] is True
    assert people.asked_for("pin") == 1
    assert PIN not in str(to_value(kept))

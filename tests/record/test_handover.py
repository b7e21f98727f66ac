"""At the end of a visit the officer signs its record with the token just handed over: a real SoftHSM2."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import openpyxl
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from fieldkit.errors import NotConsented
from fieldkit.pdf.errors import OutputUnfit
from fieldkit.record.content import decode
from fieldkit.record.errors import RecordMissing, RecordNotMade, RecordNotVerified, RecordNotWritten
from fieldkit.record.export import export
from fieldkit.record.handover import hand_over
from fieldkit.record.verify import verify
from fieldkit.secret import Secret
from fieldkit.token import initialisation
from fieldkit.token.agents import Agents
from fieldkit.token.session import key_id
from fieldkit.visit.errors import VisitNotReady
from fieldkit.visit.visits import Visits
from tests.conftest import Run, softhsm_configuration
from tests.pki import Pki, SoftwareSigner
from tests.record.conftest import PIN, People, settle

MODULE = next(
    (
        path
        for path in (
            "/usr/lib/softhsm/libsofthsm2.so",
            "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        )
        if os.path.isfile(path)
    ),
    "",
)


def on_token(signer: SoftwareSigner, label: str, folder: Path) -> str:
    """Put a signer's key and certificate on a new token; its serial number."""
    public = signer.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    held = Secret(signer.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    with Agents([MODULE], folder / "logs") as agents:
        blank = next(token for token in agents.tokens() if not token.initialized)
        made = initialisation.initialise(agents, blank, label, Secret("97531864"), Secret(PIN))
        with agents.session(made, Secret(PIN)) as session:
            session.create_key(held, key_id(public), label)
            session.create_certificate(signer.certificate, key_id(public), label)
        return made.serial


@pytest.fixture
def token(tmp_path: Path, officer: SoftwareSigner, monkeypatch: pytest.MonkeyPatch) -> str:
    """A token with the officer's key and certificate on it; its serial number."""
    if not MODULE:
        pytest.skip("SoftHSM2 is not installed")
    monkeypatch.setenv("SOFTHSM2_CONF", str(softhsm_configuration(tmp_path / "softhsm2")))
    return on_token(officer, "MAU-01", tmp_path)


@pytest.fixture
def visit(visits: Visits, officer: SoftwareSigner, token: str) -> str:
    return settle(visits, officer, token)


def test_the_record_is_signed_verified_kept_and_written(
    visits: Visits, visit: str, people: People, pki: Pki, tmp_path: Path
) -> None:
    made = asyncio.run(hand_over(visits, visit, people, out=tmp_path / "out"))
    assert (made.verdict, made.signed) == ("pass", True)
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".pdf", ".json", ".xlsx", ".csv"}
    assert verify(made.pdf, trust=pki.anchors, crls=pki.crls()).verdict == "pass"
    now = visits.load(visit)
    (kept,) = now.records
    assert (now.state, kept.name, kept.signed) == ("recorded", made.name, True)
    assert visits.store.attachment(kept.pdf) == made.pdf.read_bytes()
    assert visits.store.attachment(kept.json) == made.json.read_bytes()
    content = decode(made.json.read_bytes())
    assert now.signoff is not None
    assert content.visit.signoff_head == now.signoff.head
    assert PIN not in made.json.read_text()
    assert any(finding.id == "rendering" for finding in people.findings)


def test_a_second_record_needs_an_amendment_and_names_the_first(
    visits: Visits, visit: str, people: People, tmp_path: Path
) -> None:
    first = asyncio.run(hand_over(visits, visit, people))
    with pytest.raises(RecordNotMade):
        asyncio.run(hand_over(visits, visit, people))
    visits.amend(visit, "đếm sót một người")
    visits.answer(visit, "trainees", "4")
    second = asyncio.run(hand_over(visits, visit, people))
    content = decode(second.json.read_bytes())
    assert (second.name, content.replaces) == (f"{first.name}-2", first.name)
    assert content.reason == "đếm sót một người"
    out = tmp_path / "first.json"
    export(visits, visit, "json", out, record=first.name)
    assert decode(out.read_bytes()).name == first.name


def test_without_consent_nothing_is_signed_off(visits: Visits, visit: str) -> None:
    with pytest.raises(NotConsented):
        asyncio.run(hand_over(visits, visit, People(agrees=False)))
    assert visits.load(visit).state == "ready"


def test_open_items_stop_it_before_anybody_is_asked(visits: Visits, visit: str, people: People) -> None:
    visits.answer(visit, "trainees", None)
    with pytest.raises(VisitNotReady):
        asyncio.run(hand_over(visits, visit, people))
    assert people.plans == []


def test_broken_off_at_the_pin_it_goes_on_without_a_second_sign_off(
    visits: Visits, visit: str, people: People
) -> None:
    class Leaves(People):
        async def secret(self, request: object) -> Secret:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(hand_over(visits, visit, Leaves()))
    assert visits.load(visit).state == "signed"
    made = asyncio.run(hand_over(visits, visit, people))
    assert (made.signed, people.plans) == (True, [])


def test_a_record_that_does_not_verify_is_not_kept(
    visits: Visits, officer: SoftwareSigner, token: str, people: People
) -> None:
    """The evidence names another subject than the certificate on the token has."""
    visit = settle(visits, officer, token, subject="CN=Somebody Else")
    with pytest.raises(RecordNotVerified) as caught:
        asyncio.run(hand_over(visits, visit, people))
    assert (caught.value.code, "certificate" in caught.value.detail) == ("record-not-verified", True)
    now = visits.load(visit)
    assert (now.state, now.records) == ("signed", ())


@pytest.fixture
def technician(visits: Visits, token: str, pki: Pki, tmp_path: Path) -> str:
    """Another token, with the certificate of whoever hands over; its serial number."""
    signer = pki.signer(visits.who)
    return on_token(signer, "TECH", tmp_path)


def test_the_handing_over_party_signs_by_the_command_line(
    visits: Visits,
    visit: str,
    technician: str,
    people: People,
    pki: Pki,
    fieldkit: Run,
    tmp_path: Path,
) -> None:
    made = asyncio.run(hand_over(visits, visit, people))
    pin = tmp_path / "pin"
    pin.write_text(PIN)
    pin.chmod(0o600)
    out = tmp_path / "both.pdf"
    more = ("--token", technician, "--out", out, "--pin-file", pin, "--module", MODULE, "--json", "--yes")
    ran = fieldkit("record", "sign", made.pdf, *more)
    assert (ran.status, ran.result["verdict"]) == (0, "pass"), ran.out
    (giver,) = [check for check in ran.result["checks"] if check["id"] == "giver"]
    assert visits.who in giver["detail"]
    ran = fieldkit("sign", made.pdf, *more, "--field", "Giver", "--reason", "received", "--replace")
    assert (ran.status, verify(out, trust=pki.anchors, crls=pki.crls()).verdict) == (0, "pass")


def test_exports_are_what_was_signed_and_a_draft_before(
    visits: Visits, visit: str, people: People, tmp_path: Path
) -> None:
    draft = export(visits, visit, "pdf", tmp_path / "draft.pdf")
    assert (draft.draft, draft.signed) == (True, False)
    made = asyncio.run(hand_over(visits, visit, people))
    for kind in ("pdf", "json", "xlsx", "csv"):
        done = export(visits, visit, kind, tmp_path / f"out.{kind}")  # type: ignore[arg-type]
        assert (done.draft, done.signed) == (False, True)
        assert done.path.read_bytes() == made.pdf.with_suffix(f".{kind}").read_bytes()
    with pytest.raises(OutputUnfit):
        export(visits, visit, "pdf", tmp_path / "out.pdf")
    export(visits, visit, "xlsx", tmp_path / "en.xlsx", language="en")
    assert openpyxl.load_workbook(tmp_path / "en.xlsx").sheetnames[0] == "Record"
    with pytest.raises(RecordMissing):
        export(visits, visit, "pdf", tmp_path / "x.pdf", record="nothing")


def test_a_record_whose_files_cannot_be_written_is_kept_all_the_same(
    visits: Visits, visit: str, people: People, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(RecordNotWritten) as caught:
        asyncio.run(hand_over(visits, visit, people, out=tmp_path / "file"))
    assert "record export" in str(caught.value.hint)
    assert visits.load(visit).state == "recorded"
    assert export(visits, visit, "pdf", tmp_path / "x.pdf").signed


def test_the_command_line_exports_and_verifies(
    visits: Visits, visit: str, people: People, fieldkit: Run, tmp_path: Path
) -> None:
    made = asyncio.run(hand_over(visits, visit, people))
    ran = fieldkit("record", "export", visit, "--format", "pdf", "--out", tmp_path / "x.pdf", "--json")
    assert (ran.status, ran.result["signed"]) == (0, True)
    ran = fieldkit("record", "verify", tmp_path / "x.pdf", "--json")
    assert (ran.status, ran.result["verdict"], ran.result["record"]) == (0, "pass", made.name)
    changed = bytearray(made.pdf.read_bytes())
    changed[len(changed) // 2] ^= 1
    (tmp_path / "x.pdf").write_bytes(changed)
    ran = fieldkit("record", "verify", tmp_path / "x.pdf", "--json")
    assert (ran.status, json.loads(ran.out)["ok"]) == (1, True)
    assert ran.result["verdict"] == "fail"
    ran = fieldkit("record", "verify", tmp_path / "nowhere.pdf", "--json")
    assert (ran.status, ran.error["code"]) == (4, "document-missing")

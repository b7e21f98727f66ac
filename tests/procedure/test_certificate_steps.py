"""A certificate on its three roads: from a file, requested and joined, or personalised and checked."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from pathlib import Path

import pytest

from fieldkit.certificate.errors import DossierMismatch, KeyNotFound
from fieldkit.errors import FieldkitError, NotConsented
from fieldkit.home import Home, shipped
from fieldkit.sample.authority import SampleAuthority
from fieldkit.secret import Secret
from fieldkit.text import Message
from fieldkit.token import errors, importing
from fieldkit.token.agents import Agents
from fieldkit.token.model import Token
from fieldkit.visit.visits import Visits
from tests.issuing import sign_csr
from tests.procedure.conftest import People, Road, later, only_through, prepared
from tests.token.conftest import Contrary, inserted, pin
from tests.token.piv import PivCard

PASSWORD = "Mật khẩu mẫu"
SUBJECT = {"CN": "Nguyễn Thị Mẫu (MẪU)", "OU": "Cơ quan thường trú Sông Mơ", "O": "Cơ quan MẪU", "C": "VN"}
SUBJECT_LINES = """      subject:
        CN: Nguyễn Thị Mẫu (MẪU)
        OU: Cơ quan thường trú Sông Mơ
        O: Cơ quan MẪU
        C: VN
"""


@pytest.fixture
def file(sample: SampleAuthority, tmp_path: Path) -> Path:
    path = tmp_path / "officer.p12"
    sample.write_pkcs12(path, Secret(PASSWORD))
    return path


def people(file: Path) -> People:
    return People({"certificate-file": str(file)}, password=[PASSWORD])


def on(token: Token, running: Agents) -> tuple[list[str], int]:
    """The certificates on a token, and how many private keys."""
    with running.session(running.find(token.serial), pin()) as session:
        found = [certificate.sha256 for certificate in session.certificates()]
        return found, sum(key.private for key in session.list_keys())


def test_a_file_is_put_on_the_token_and_the_evidence_says_what_it_is(
    road: Road, file: Path, sample: SampleAuthority, agents: Agents, token: Token
) -> None:
    road.answer("delivery", "file")
    played = people(file)
    kept = road.run("certificate_import", played)
    assert kept.verdict == "pass"
    assert kept.facts["serial"] == token.serial
    assert kept.facts["subject"].startswith("CN=Nguyễn Thị Mẫu")
    assert "key-proved" in [finding.id for finding in kept.findings]
    steps = [str(step) for step in played.plans[0].steps]
    assert any("can never leave the token" in step for step in steps)
    assert "There is no certificate on the token yet." in steps
    assert (played.asked_for("password"), played.asked_for("pin")) == (1, 1)
    certificates, private = on(token, agents)
    assert kept.facts["sha256"] in certificates
    assert private == 1


def test_without_agreement_nothing_is_written_and_no_pin_asked_for(
    road: Road, file: Path, agents: Agents, token: Token
) -> None:
    road.answer("delivery", "file")
    played = people(file)
    played.agrees = False
    with pytest.raises(NotConsented):
        road.run("certificate_import", played)
    assert played.asked_for("pin") == 0
    assert on(token, agents) == ([], 0)


def test_another_persons_certificate_is_refused_before_anything_is_asked(
    road: Road, sample: SampleAuthority, agents: Agents, token: Token, tmp_path: Path
) -> None:
    path = tmp_path / "agency.p12"
    sample.write_pkcs12(path, Secret(PASSWORD), agency=True)
    road.answer("delivery", "file")
    played = people(path)
    with pytest.raises(DossierMismatch):
        road.run("certificate_import", played)
    assert (played.plans, played.asked_for("pin")) == ([], 0)


def test_a_token_pulled_out_in_mid_import_is_waited_for_and_the_import_is_whole(
    road: Road, home: Home, file: Path, contrary: Contrary, tmp_path: Path
) -> None:
    token = prepared(contrary.path, tmp_path / "logs")
    only_through(road, contrary.path)
    road.answer("delivery", "file")
    played = people(file)
    pulled: list[bool] = []

    def pull(progress: object) -> None:
        if "Writing the certificate" in str(getattr(progress, "text", "")) and not pulled:
            pulled.append(True)
            contrary.behave("empty")

    played.on_progress = pull
    played.on_finding = lambda finding: later(contrary.behave) if finding.id == "token-removed" else None
    kept = road.run("certificate_import", played)
    assert kept.verdict == "pass"
    said = played.said()
    assert said.index("token-removed") < said.index("token-back")
    assert played.asked_for("pin") == 2, "the PIN is asked for again and never sent again by itself"
    with Agents([contrary.path], tmp_path / "logs") as running:
        certificates, private = on(token, running)
    assert (certificates.count(kept.facts["sha256"]), private) == (1, 1)


def test_a_key_is_made_requested_and_the_certificate_joined_when_it_comes(
    road: Road, sample: SampleAuthority, agents: Agents, token: Token, tmp_path: Path
) -> None:
    road.answer("delivery", "request")
    assert {"certificate_request", "request_state"} <= road.relevant()
    assert "certificate_join" not in road.relevant()
    asked = road.run("certificate_request", People())
    assert (asked.facts["serial"], asked.facts["key"]) == (token.serial, "rsa:2048")
    (kept,) = asked.files
    road.answer("request_state", "sent")
    assert not {"certificate_join", "test_signature"} & road.relevant()

    issued = tmp_path / "issued.cer"
    issued.write_bytes(sign_csr(sample, road.visits.store.attachment(kept["sha256"])))
    road.answer("request_state", "joined")
    assert {"certificate_join", "test_signature"} <= road.relevant()
    played = People({"issued-certificate": str(issued)})
    joined = road.run("certificate_join", played)
    assert joined.facts["key_id"] == asked.facts["key_id"]
    certificates, private = on(token, agents)
    assert joined.facts["sha256"] in certificates
    assert private == 1
    tested = road.run("test_signature", People())
    assert tested.verdict == "pass"


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        (SUBJECT_LINES, "", "dossier-incomplete"),
        (SUBJECT_LINES, SUBJECT_LINES + "      key: rsa:1024\n", "request-invalid"),
        ("email: mau01@", "email: mẫu01@", "request-invalid"),
    ],
)
def test_with_a_dossier_that_no_request_can_be_made_of_no_key_is_made(
    before: str, after: str, code: str, visits: Visits, sample: SampleAuthority, agents: Agents, token: Token
) -> None:
    plan = (shipped("profiles") / "plan" / "sample.yaml").read_text("utf-8")
    assert before in plan
    (visits.home.profiles / "plan").mkdir(parents=True)
    (visits.home.profiles / "plan" / "sample.yaml").write_text(plan.replace(before, after, 1), "utf-8")
    road = Road(Visits(visits.store, visits.home, who="Trần Kỹ Thuật"))
    road.answer("delivery", "request")
    with pytest.raises(FieldkitError) as refused:
        road.run("certificate_request", People())
    assert refused.value.as_dict()["code"] == code
    assert on(token, agents) == ([], 0)


def test_a_certificate_for_another_key_is_not_joined(
    road: Road, sample: SampleAuthority, agents: Agents, token: Token, tmp_path: Path
) -> None:
    road.answer("delivery", "request")
    road.run("certificate_request", People())
    road.answer("request_state", "joined")
    issued = tmp_path / "issued.cer"
    issued.write_bytes(sample.issue(SUBJECT, email="mau01@example.invalid").certificate)
    with pytest.raises(KeyNotFound):
        road.run("certificate_join", People({"issued-certificate": str(issued)}))
    assert on(token, agents) == ([], 1)


def test_a_request_broken_off_by_a_pulled_token_goes_on_with_the_key_it_made(
    road: Road, home: Home, contrary: Contrary, tmp_path: Path
) -> None:
    token = prepared(contrary.path, tmp_path / "logs")
    only_through(road, contrary.path)
    road.answer("delivery", "request")
    contrary.behave("fail C_SignInit 0 32", "fail C_DestroyObject 0 32")  # CKR_DEVICE_REMOVED, seen too late
    played = People()
    played.on_finding = lambda finding: contrary.behave() if finding.id == "token-removed" else None
    kept = road.run("certificate_request", played)
    assert played.asked_for("pin") == 2
    with (
        Agents([contrary.path], tmp_path / "logs") as running,
        running.session(running.find(token.serial), pin()) as session,
    ):
        private = [key.id for key in session.list_keys() if key.private]
    assert private == [kept.facts["key_id"]], "one key, not two"


def test_a_request_that_was_written_and_not_recorded_makes_no_second_key(
    road: Road, agents: Agents, token: Token
) -> None:
    road.answer("delivery", "request")
    played = People()

    def end(finding: object) -> None:
        raise RuntimeError("the program ends before the evidence is kept")

    played.on_finding = end
    with pytest.raises(RuntimeError):
        road.run("certificate_request", played)
    kept = road.run("certificate_request", People())
    with agents.session(token, pin()) as session:
        assert [key.id for key in session.list_keys() if key.private] == [kept.facts["key_id"]]


def test_a_personalised_token_is_compared_and_proved(
    road: Road, sample: SampleAuthority, agents: Agents, token: Token
) -> None:
    _personalise(agents, token, sample)
    road.answer("delivery", "personalised")
    played = People()
    kept = road.run("certificate_check", played)
    assert kept.verdict == "pass"
    outcome = {finding.id: finding.severity for finding in kept.findings}
    assert outcome["key-proved"] == outcome["path"] == "pass"
    assert outcome["token-serial"] == "not-checked", "the dossier names no serial number"
    assert kept.facts["sha256"]
    assert played.asked_for("pin") == 1
    (profile,) = [finding.message for finding in kept.findings if finding.id == "token-profile"]
    assert "confirmed: tried by this project" in profile.render("en")
    assert isinstance(profile.params["known"], Message), "read in the language of the reader"


def test_another_persons_token_fails_and_is_never_asked_for_its_pin(
    road: Road, sample: SampleAuthority, agents: Agents, token: Token
) -> None:
    _personalise(agents, token, sample, agency=True)
    road.answer("delivery", "personalised")
    played = People()
    kept = road.run("certificate_check", played)
    assert kept.verdict == "fail"
    assert played.asked_for("pin") == 0


def test_without_the_proof_of_the_key_a_delivered_token_is_not_checked(
    road: Road, sample: SampleAuthority, agents: Agents, token: Token
) -> None:
    _personalise(agents, token, sample)
    road.answer("delivery", "personalised")
    played = People()
    played.agrees = False
    with pytest.raises(NotConsented):
        road.run("certificate_check", played)
    now = road.visits.load(road.id)
    assert now.status("certificate_check") == "todo"
    assert "certificate_check" in [problem.item for problem in now.problems]
    assert [attempt.code for attempt in now.attempts["certificate_check"]] == ["not-consented"]


def test_a_token_that_wants_its_pin_changed_first_is_proved_after_that(
    road: Road, home: Home, sample: SampleAuthority, contrary: Contrary, tmp_path: Path
) -> None:
    token = prepared(contrary.path, tmp_path / "logs")
    with Agents([contrary.path], tmp_path / "logs") as running:
        _personalise(running, token, sample)
    only_through(road, contrary.path)
    road.answer("delivery", "personalised")
    contrary.behave("fail C_Login 0 a3")  # CKR_PIN_EXPIRED
    kept = road.run("certificate_check", People())
    proved = next(finding for finding in kept.findings if finding.id == "key-proved")
    assert (kept.verdict, proved.severity) == ("not-checked", "not-checked")
    contrary.behave("fail C_Login 1 a3")
    assert road.run("pin_change", People(new_pin=["864209"])).verdict == "pass"


def test_a_card_pulled_out_of_its_reader_in_mid_proof_is_waited_for(
    road: Road, home: Home, sample: SampleAuthority, card: PivCard, card_agents: Agents, opensc: str
) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    own = sample.issue(SUBJECT, key=key, email="mau01@example.invalid").certificate
    card.hold(0x9A, key, own)
    inserted(card, card_agents)
    only_through(road, opensc, profile="opensc")
    road.answer("delivery", "personalised")

    def pull(instruction: int) -> None:
        if instruction == 0x87:
            card.before = lambda later: None
            card.remove()

    card.before = pull
    wanted = hashlib.sha256(own).hexdigest()
    played = People({"certificate": wanted})
    played.on_finding = lambda finding: later(card.insert) if finding.id == "token-removed" else None
    kept = road.run("certificate_check", played)
    assert kept.verdict == "pass"
    assert played.said().count("token-removed") == played.said().count("token-back") == 1
    assert (played.asked_for("pin"), card.pin.left) == (2, 3)
    (which,) = [question for question in played.questions if question.id == "certificate"]
    assert which.options[0].value == which.default == wanted
    assert kept.facts["sha256"] == wanted


def _personalise(running: Agents, token: Token, sample: SampleAuthority, *, agency: bool = False) -> None:
    """Put a key and its certificate on a token, as the authority does before it delivers it."""
    from fieldkit.certificate.identity import Identity

    issued = sample.agency if agency else sample.person
    with running.session(running.find(token.serial), pin()) as session:
        holder = Identity(Secret(issued.key.reveal_bytes()), issued.certificate, issued.chain, "officer")
        importing.import_identity(session, holder, "officer")


def test_an_import_that_is_stopped_half_way_comes_to_its_end_and_is_recorded(
    road: Road, file: Path, agents: Agents, token: Token
) -> None:
    road.answer("delivery", "file")
    played = people(file)

    async def stopped() -> None:
        step = asyncio.ensure_future(road.visits.run(road.id, "certificate_import", played))

        def stop(progress: object) -> None:
            if "Writing the certificate" in str(getattr(progress, "text", "")):
                step.get_loop().call_soon_threadsafe(step.cancel)

        played.on_progress = stop
        await step

    asyncio.run(stopped())
    certificates, private = on(token, agents)
    assert (len(certificates), private) == (3, 1), "nothing is left half made"
    assert road.visits.load(road.id).evidence["certificate_import"].verdict == "pass"
    kept = road.run("certificate_import", people(file))
    assert kept.verdict == "pass"
    assert on(token, agents) == (certificates, private)


def test_waiting_for_a_token_can_be_broken_off(
    road: Road, file: Path, contrary: Contrary, tmp_path: Path
) -> None:
    prepared(contrary.path, tmp_path / "logs")
    only_through(road, contrary.path)
    road.answer("delivery", "file")
    played = people(file)

    async def given_up() -> None:
        step = asyncio.ensure_future(road.visits.run(road.id, "certificate_import", played))
        played.on_progress = lambda progress: (
            contrary.behave("empty") if "Writing the certificate" in str(progress.text) else None
        )
        played.on_finding = lambda finding: (
            later(lambda: step.get_loop().call_soon_threadsafe(step.cancel), 0.1)
            if finding.id == "token-removed"
            else None
        )
        with pytest.raises(asyncio.CancelledError):
            await step

    asyncio.run(given_up())
    contrary.behave()
    played.on_progress = played.on_finding = lambda told: None  # type: ignore[assignment]
    assert road.run("certificate_import", played).verdict == "pass"


def test_a_card_pulled_out_while_it_judges_the_pin_ends_the_step(
    road: Road, sample: SampleAuthority, card: PivCard, card_agents: Agents, opensc: str
) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    card.hold(0x9C, key, sample.issue(SUBJECT, key=key, email="mau01@example.invalid").certificate)
    inserted(card, card_agents)
    card_agents.close()
    only_through(road, opensc, profile="opensc")
    road.answer("delivery", "personalised")

    def pull(instruction: int) -> None:
        if instruction == 0x20 and card.attempts():  # not where it only asks for the counter
            card.before = lambda later: None
            card.remove()
            hands.append(later(card.insert))

    hands: list[threading.Timer] = []
    card.before = pull
    played = People()
    with pytest.raises((errors.TokenRemoved, errors.ModuleFault)):
        road.run("certificate_check", played)
    hands[0].join()
    assert played.asked_for("pin") == 1
    assert card.attempts() == 1


def test_a_token_that_nobody_puts_back_ends_the_step(
    road: Road, file: Path, contrary: Contrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fieldkit.procedure import context

    monkeypatch.setattr(context, "PATIENCE", 0.2)
    prepared(contrary.path, tmp_path / "logs")
    only_through(road, contrary.path)
    road.answer("delivery", "file")
    played = people(file)
    played.on_progress = lambda progress: (
        contrary.behave("empty") if "Writing the certificate" in str(progress.text) else None
    )
    with pytest.raises(errors.TokenRemoved):
        road.run("certificate_import", played)
    assert "token-removed" in played.said()

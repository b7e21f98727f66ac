"""The test signature of a visit: person, seal and both, judged, broken, shown; what was asked outside."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from fieldkit.action.try_signatures import finding_of
from fieldkit.finding import Finding
from fieldkit.home import Home
from fieldkit.procedure.evidence import verdict_of
from fieldkit.sample import authority as authorities
from fieldkit.sample.authority import SampleAuthority
from fieldkit.secret import Secret
from fieldkit.signature import permission
from fieldkit.signature.batch import StampSpec
from fieldkit.signature.preview import StampDraft
from fieldkit.stamp.place import Place
from fieldkit.text import M
from fieldkit.token.model import Token
from fieldkit.validation import validate
from fieldkit.visit.visits import Visits
from tests import papers
from tests.pki import Pki
from tests.procedure.conftest import People, Road
from tests.services import SampleServices, serving, unreachable

PASSWORD = "Mật khẩu mẫu"
JUDGES = {"fieldkit", "mutool", "openssl", "pdfsig"}


@pytest.fixture
def own_authority(tmp_path: Path, home: Home) -> SampleAuthority:
    """An authority of this test alone, which may revoke what it likes."""
    made = authorities.create(tmp_path / "authority")
    made.install(home)
    return made


@pytest.fixture
def services(own_authority: SampleAuthority) -> Iterator[SampleServices]:
    with serving(own_authority) as running:
        yield running


def reached_at(home: Home, tsa: str = "", *crls: str) -> None:
    """From now on the sample authority's profile names these services."""
    folder = home.profiles / "authorities"
    text = "id: sample\ntitle: {vi: MẪU, en: SAMPLE}\nsample: true\n"
    text += "anchors: [authorities/sample/root.pem]\nintermediates: [authorities/sample/issuing.pem]\n"
    text += f"tsa: [{{url: {tsa}}}]\n" if tsa else ""
    text += f"crl: [{', '.join(f'{{url: {url}}}' for url in crls)}]\n" if crls else ""
    (folder / "sample.yaml").write_text(text)


def imported(visits: Visits, authority: SampleAuthority, folder: Path) -> Road:
    """A visit whose token holds the officer's certificate."""
    road = Road(visits)
    file = folder / "officer.p12"
    authority.write_pkcs12(file, Secret(PASSWORD))
    road.answer("delivery", "file")
    road.run("certificate_import", People({"certificate-file": str(file)}, password=[PASSWORD]))
    return road


def severities(people: People) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for finding in people.findings:
        found.setdefault(finding.id, set()).add(finding.severity)
    return found


def test_person_seal_and_both_are_tried_with_one_pin_and_everything_is_kept(
    home: Home,
    visits: Visits,
    own_authority: SampleAuthority,
    services: SampleServices,
    token: Token,
    tmp_path: Path,
) -> None:
    reached_at(home, services.tsa, f"{services.url}/root.crl", services.crl)
    visits = Visits(visits.store, home, who="Trần Kỹ Thuật")
    road = imported(visits, own_authority, tmp_path)
    own = tmp_path / "office.pdf"
    own.write_bytes(papers.hybrid())
    visits.attach(road.id, "own_document", own)
    people = People()

    kept = road.run("test_signature", people)

    said = severities(people)
    assert kept.verdict == "pass", [finding for finding in kept.findings if finding.severity == "fail"]
    assert people.asked_for("pin") == 1
    assert [len(plan.steps) for plan in people.plans] == [2, 6]  # the rewrite first, then the test
    assert said["timestamp-authority"] == said["revocation-service"] == {"pass"}
    for judge in JUDGES:
        assert said[f"tampering-{judge}"] == {"pass"}
    documents = {
        (document["name"].split("-")[0], document["part"]): document for document in kept.facts["documents"]
    }
    assert set(documents) == {(a, b) for a in ("sample", "own") for b in ("person", "both")} | {
        ("sample", "seal")
    }
    for each in documents.values():
        assert (each["level"], each["verdict"]) == ("b-t", "pass")
        assert set(each["judges"]) == JUDGES
        assert {"sign", "token", "judge", "picture"} <= set(each["milliseconds"])
    assert {service["url"] for service in kept.facts["services"]} >= {services.crl}
    assert all(service["sha256"] for service in kept.facts["services"])
    pictures = [file for file in kept.files if file["name"].endswith(".png")]
    assert len(pictures) == 5
    assert _ink(visits.store.attachment(pictures[0]["sha256"])) == {"blue", "red"}
    signed = tmp_path / "kept.pdf"
    signed.write_bytes(visits.store.attachment(kept.files[0]["sha256"]))
    judged = validate.validate(signed, trust=own_authority.anchors, crls=own_authority.crls)
    assert [signature.field for signature in judged.signatures] == ["Person", "Agency"]
    assert "fieldkit, mutool, openssl, pdfsig agree" in kept.summary.render("en")


def test_what_cannot_be_reached_or_done_is_said_to_be_so_and_never_passes(
    home: Home, visits: Visits, own_authority: SampleAuthority, token: Token, tmp_path: Path
) -> None:
    with unreachable() as nowhere:
        reached_at(home, f"{nowhere}/tsa", f"{nowhere}/issuing.crl")
        visits = Visits(visits.store, home, who="Trần Kỹ Thuật")
        road = imported(visits, own_authority, tmp_path)
        own = tmp_path / "certified.pdf"
        own.write_bytes(papers.certified(papers.letter_on("210mm", "297mm"), Pki().signer(), 1))
        visits.attach(road.id, "own_document", own)
        people = People()

        kept = road.run("test_signature", people)

    said = severities(people)
    assert kept.verdict == "pass"
    assert (
        said["timestamp-authority"] == said["revocation-service"] == said["own-document"] == {"not-checked"}
    )
    told = {finding.id: finding for finding in people.findings}
    assert nowhere in told["timestamp-authority"].message.render("en")
    assert nowhere in told["revocation-service"].message.render("en")
    assert told["revocation-service"].hint is not None
    assert {document["level"] for document in kept.facts["documents"]} == {"b-b"}
    assert {document["name"].split("-")[0] for document in kept.facts["documents"]} == {"sample"}


def test_without_another_judge_the_test_is_not_passed_and_each_missing_one_is_named(
    visits: Visits,
    own_authority: SampleAuthority,
    token: Token,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    road = imported(visits, own_authority, tmp_path)
    bare = tmp_path / "bin"
    bare.mkdir()
    monkeypatch.setenv("PATH", str(bare))
    people = People()

    kept = road.run("test_signature", people)

    said = severities(people)
    assert kept.verdict == "not-checked"
    assert "agree" not in kept.summary.render("en")
    assert "only fieldkit judged" in kept.summary.render("en")
    assert said["tampering-fieldkit"] == {"pass"}
    for judge in JUDGES - {"fieldkit"}:
        assert said[f"tampering-{judge}"] == {"not-checked"}
    assert said["picture"] == {"pass"}, "pages are drawn without any program"
    assert [file for file in kept.files if file["name"].endswith(".png")]


def test_where_pages_can_be_shown_the_person_moves_the_stamp_before_the_pin_is_asked_for(
    visits: Visits, own_authority: SampleAuthority, token: Token, tmp_path: Path
) -> None:
    class Seeing(People):
        async def place_stamp(self, source: Path, look: StampSpec, draft: StampDraft) -> Place | None:
            assert not self.requests
            self.moved = draft.nudge(-20, 30)
            return self.moved.place

    road = imported(visits, own_authority, tmp_path)
    people = Seeing()

    kept = road.run("test_signature", people)

    signed = tmp_path / "kept.pdf"
    signed.write_bytes(visits.store.attachment(kept.files[0]["sha256"]))
    assert kept.verdict == "pass"
    assert permission.place_of(signed, "Person") == people.moved.place
    assert severities(people)["stamp"] >= {"warning"}, "it is told that the rules place it elsewhere"


def _ink(png: bytes) -> set[str]:
    """The colours of stamps on a page."""
    from PIL import Image

    found = set()
    with Image.open(BytesIO(png)) as picture:
        for _, (red, green, blue) in picture.convert("RGB").getcolors(1 << 24) or ():
            if blue > 120 and red < 80 and green < 110:
                found.add("blue")
            if red > 180 and green < 60 and blue < 70:
                found.add("red")
    return found


def test_a_judges_no_fails_the_step_although_its_silence_would_not() -> None:
    refused = Finding("pdfsig-path", "fail", M("pdfsig: the certificate is not trusted."), required=False)
    silent = Finding("pdfsig-path", "not-checked", M("pdfsig is not here."), required=False)
    beside = Finding("stamp", "fail", M("The stamp is beside its place."), required=False)
    assert verdict_of([finding_of(refused)]) == "fail"
    assert verdict_of([finding_of(silent), finding_of(beside)]) == "pass"

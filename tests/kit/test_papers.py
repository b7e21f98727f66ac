"""What head office gives along: the chosen dossiers and no others, public parts only, checked lists."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldkit.home import Home, shipped
from fieldkit.kit import build, lists, payload, targets
from fieldkit.kit.errors import ChoiceUnknown, NameUnfit, SourceDamaged
from fieldkit.profile.load import load
from fieldkit.profile.model import Profiles, RolloutPlan
from fieldkit.sample.authority import SampleAuthority, create
from fieldkit.yaml_model import read
from tests.conftest import Run
from tests.services import serving

SHIPPED = load(Home(Path("/nowhere")))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> SampleAuthority:
    return create(tmp_path_factory.mktemp("authority") / "sample")


def _with_crl(home: Home, url: str) -> Profiles:
    text = (shipped("profiles") / "authorities/sample.yaml").read_text("utf-8")
    (home.profiles / "authorities").mkdir(parents=True, exist_ok=True)
    (home.profiles / "authorities/sample.yaml").write_text(text + f"crl:\n  - {{url: '{url}'}}\n", "utf-8")
    return load(home)


@settings(max_examples=12, deadline=None)
@given(st.sets(st.sampled_from([bureau.code for bureau in SHIPPED.plan.bureaus]), min_size=1))
def test_a_plan_for_some_bureaus_reads_back_as_it_was_written_and_names_no_other(codes: set[str]) -> None:
    kept = payload.only(SHIPPED.plan, payload.bureaus(SHIPPED, sorted(codes)))
    text = payload.plan_text(kept).decode()
    assert read(text, "plan", RolloutPlan).value == kept
    assert {bureau.code for bureau in kept.bureaus} == codes
    for bureau in SHIPPED.plan.bureaus:
        if bureau.code not in codes:
            assert bureau.code not in text
            assert bureau.officer.name not in text
            assert bureau.address not in text
    for phase in kept.phases:
        for task in phase.tasks:
            before = next(t for p in SHIPPED.plan.phases for t in p.tasks if t.id == task.id)
            wanted = tuple(b for b in SHIPPED.plan.bureaus_of(before) if b.code in codes)
            assert kept.bureaus_of(task) == wanted


def test_the_plan_takes_the_place_of_the_file_it_came_from(home: Home) -> None:
    (home.profiles / "plan").mkdir(parents=True)
    text = (shipped("profiles") / "plan/sample.yaml").read_text("utf-8")
    text = text.replace("id: sample", "id: north-2026").replace("sample: true\nissued", "issued")
    (home.profiles / "plan/chosen.yaml").write_text(text, "utf-8")
    profiles = load(home)
    assert profiles.plan.id == "north-2026"
    given = {
        p.path: p.content for p in payload.gather(home, profiles, payload.bureaus(profiles, ["MAU-01"]), [])
    }
    plans = [path for path in given if path.startswith("profiles/plan/")]
    assert plans == ["profiles/plan/chosen.yaml"]
    assert [b["code"] for b in yaml.safe_load(given[plans[0]])["bureaus"]] == ["MAU-01"]


def test_nothing_but_what_profiles_name_rides_along(home: Home, authority: SampleAuthority) -> None:
    authority.install(home)
    secrets = ("authorities/sample/issuing.key", "authorities/sample/officer.p12", "notes.txt")
    for name in secrets:
        (home.profiles / name).write_bytes(b"-----BEGIN PRIVATE KEY-----")
    (home.path / "recipients/head-office.identity").write_text("AGE-SECRET-KEY-1X")
    profiles = load(home)
    paths = {paper.path for paper in payload.gather(home, profiles, payload.bureaus(profiles, []), [])}
    assert {"profiles/authorities/sample/root.pem", "profiles/authorities/sample/issuing.crl"} <= paths
    assert "recipients/head-office.age" in paths
    assert not {path for path in paths if path.endswith((".key", ".p12", ".txt", ".identity"))}


@pytest.mark.parametrize("name", ["profiles/authorities/sample/root.pem", "recipients/head-office.age"])
def test_a_private_key_in_a_public_place_stops_the_building(
    home: Home, authority: SampleAuthority, name: str
) -> None:
    authority.install(home)
    with (home.path / name).open("ab") as file:
        file.write(b"\n-----BEGIN PRIVATE KEY-----\n")
    profiles = load(home)
    with pytest.raises(SourceDamaged):
        payload.gather(home, profiles, payload.bureaus(profiles, []), [])


def test_a_sample_that_is_no_pdf_and_a_bureau_there_is_not_are_refused(home: Home, tmp_path: Path) -> None:
    profiles = load(home)
    (tmp_path / "x.pdf").write_bytes(b"PK\x03\x04")
    with pytest.raises(SourceDamaged):
        payload.gather(home, profiles, (), [tmp_path / "x.pdf"])
    with pytest.raises(ChoiceUnknown):
        payload.bureaus(profiles, ["MAU-99"])


def test_two_samples_of_one_name_are_refused_and_none_is_lost_in_silence(home: Home, tmp_path: Path) -> None:
    profiles = load(home)
    given = [tmp_path / folder / "letter.pdf" for folder in ("one", "two")]
    for path in given:
        path.parent.mkdir()
        path.write_bytes(b"%PDF-1.7 " + path.parent.name.encode())
    with pytest.raises(NameUnfit):
        payload.gather(home, profiles, (), given)
    paths = [paper.path for paper in payload.gather(home, profiles, (), given[:1])]
    assert "samples/letter.pdf" in paths


def test_the_papers_are_the_same_bytes_each_time(home: Home) -> None:
    profiles = load(home)
    chosen = payload.bureaus(profiles, ["MAU-02"])
    assert payload.gather(home, profiles, chosen, []) == payload.gather(home, profiles, chosen, [])


def test_a_list_is_fetched_and_taken_when_its_authority_signed_it(
    home: Home, authority: SampleAuthority
) -> None:
    authority.install(home)
    with serving(authority) as services:
        profiles = _with_crl(home, services.crl)
        fetched, findings = lists.fetch(profiles, ["sample"])
    assert [finding.severity for finding in findings] == ["pass"]
    assert fetched[0].content in authority.crls
    assert fetched[0].path.startswith("profiles/authorities/sample/")


def test_a_list_of_another_authority_is_not_taken(
    home: Home, authority: SampleAuthority, tmp_path: Path
) -> None:
    create(tmp_path / "stranger").install(home)
    with serving(authority) as services:
        fetched, findings = lists.fetch(_with_crl(home, services.crl), ["sample"])
    assert not fetched
    assert findings[0].severity == "fail"


@pytest.mark.parametrize("mode", ["cut", "captive", "failing"])
def test_half_a_list_or_a_login_page_is_not_taken(home: Home, authority: SampleAuthority, mode: str) -> None:
    authority.install(home)
    with serving(authority, mode) as services:  # type: ignore[arg-type]
        fetched, findings = lists.fetch(_with_crl(home, services.crl), ["sample"])
    assert not fetched
    assert findings[0].severity in ("fail", "warning")


def test_an_address_that_does_not_answer_is_said_and_the_list_at_home_goes_along(
    home: Home, authority: SampleAuthority
) -> None:
    authority.install(home)
    profiles = _with_crl(home, "http://127.0.0.1:9/issuing.crl")
    have = payload.gather(home, profiles, payload.bureaus(profiles, []), [])
    fetched, findings = lists.fetch(profiles, ["sample"], have)
    assert not fetched
    assert [finding.severity for finding in findings] == ["warning", "pass", "pass"]


def test_an_authority_without_any_list_is_said(home: Home) -> None:
    _, findings = lists.fetch(load(home), ["sample"])
    assert [(finding.id, finding.severity) for finding in findings] == [("crl", "warning")]


def test_pythons_and_platforms_there_are_not_are_refused() -> None:
    for pythons, platforms in ((["3.10"], []), (["2.7"], []), (["3.x"], []), ([], ["solaris-sparc"])):
        with pytest.raises(ChoiceUnknown):
            targets.chosen(pythons, platforms)


def test_asking_for_what_there_is_not_stops_before_anything_is_fetched(fieldkit: Run, tmp_path: Path) -> None:
    for option in (
        ("--bureau", "MAU-99"),
        ("--driver", "none"),
        ("--python", "3.9"),
        ("--platform", "amiga"),
    ):
        done = fieldkit("kit", "build", tmp_path / "kit", *option, "--yes", "--json")
        assert (done.status, done.error["code"]) == (2, "kit-choice-unknown")
    assert not (tmp_path / "kit").exists()


def test_without_consent_nothing_is_fetched_or_written(fieldkit: Run, home: Home, tmp_path: Path) -> None:
    done = fieldkit("kit", "build", tmp_path / "kit", "--driver", "softhsm2", "--bureau", "MAU-01", "--json")
    assert (done.status, done.error["code"]) == (3, "not-consented")
    assert any("MAU-01" in line for line in done.error["plan"])
    assert not (tmp_path / "kit").exists()
    assert not (home.path / "kit-cache/wheels").exists()


def test_a_sample_that_is_far_too_large_is_refused_before_it_is_read(home: Home, tmp_path: Path) -> None:
    large = tmp_path / "large.pdf"
    with large.open("wb") as file:
        file.write(b"%PDF-1.7")
        file.truncate(3 * 10**9)
    tracemalloc.start()
    try:
        with pytest.raises(SourceDamaged):
            build.prepare(tmp_path / "kit", build.KitChoice(samples=[large]), load(home), home)
        assert tracemalloc.get_traced_memory()[1] < 150 * 10**6
    finally:
        tracemalloc.stop()

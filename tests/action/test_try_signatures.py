"""What a trial at a site finds: judges that do not notice, services that know more than the kit, clocks."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from fieldkit.action.ask_services import ask_revocation, ask_timestamp
from fieldkit.action.trust_material import TrustMaterial
from fieldkit.action.try_signatures import TrialSetup, person_and_seal, seal_alone
from fieldkit.profile.rules import RuleSet
from fieldkit.sample.authority import SampleAuthority, create
from fieldkit.yaml_model import load
from tests import papers
from tests.conftest import REPOSITORY
from tests.issuing import revoke
from tests.pki import Pki, SoftwareSigner
from tests.services import Mode, serving, unreachable


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> SampleAuthority:
    return create(tmp_path_factory.mktemp("trial") / "authority")


@pytest.fixture
def setup(pki: Pki) -> TrialSetup:
    rules = load(REPOSITORY / "profiles" / "rules" / "nd30-2020.yaml", RuleSet)
    assert isinstance(rules, RuleSet)
    return TrialSetup(TrustMaterial(pki.anchors, crls=tuple(pki.crls())), rules, papers.NAME, papers.TITLE)


def test_a_judge_that_does_not_notice_the_changed_copy_is_found_out_although_the_others_notice(
    setup: TrialSetup,
    rsa_signer: SoftwareSigner,
    letter: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blind = tmp_path / "bin" / "mutool"
    blind.parent.mkdir()
    blind.write_text("#!/bin/sh\necho 'The document is unchanged since signing.'\n")
    blind.chmod(0o755)
    monkeypatch.setenv("PATH", f"{blind.parent}{os.pathsep}{os.environ['PATH']}")
    assert shutil.which("mutool") == str(blind)

    tried = seal_alone(letter, tmp_path, rsa_signer, setup)

    said = {check.id: check.severity for check in tried.checks}
    assert said["tampering-mutool"] == "fail"
    assert said["tampering-pdfsig"] == said["tampering-openssl"] == said["tampering-fieldkit"] == "pass"
    assert tried.verdict == "fail"
    assert said["agreement"] == "pass", "on the good one they agree: only the changed copy tells"


def test_a_certificate_that_the_authority_has_revoked_fails_although_the_kit_does_not_know(
    authority: SampleAuthority,
) -> None:
    issued = authority.issue()
    material = TrustMaterial(authority.anchors, (authority.issuing,), authority.crls)
    with serving(authority) as services:
        lists = (f"{services.url}/root.crl", services.crl)
        before = ask_revocation(issued.certificate, issued.chain, material, lists)
        revoke(authority, issued.certificate)
        after = ask_revocation(issued.certificate, issued.chain, material, lists)

    assert [check.severity for check in before.findings] == ["pass"]
    assert [check.severity for check in after.findings] == ["fail"]
    assert all(answer.sha256 and answer.outcome == "ok" for answer in after.requests)


def test_the_responder_that_the_certificate_names_is_asked_before_any_list(
    authority: SampleAuthority,
) -> None:
    with serving(authority) as services:
        issued = authority.issue(services=services.url)
        material = TrustMaterial(authority.anchors, (authority.issuing,))
        status = ask_revocation(issued.certificate, issued.chain, material, (f"{services.url}/root.crl",))
    assert any(answer.url.endswith("/ocsp") for answer in status.requests)
    assert "/root.crl" not in services.asked


@pytest.mark.parametrize("mode", ["captive", "failing"])
def test_a_page_that_asks_for_a_login_is_no_answer(mode: Mode, authority: SampleAuthority) -> None:
    with serving(authority, mode) as services:
        issued = authority.issue()
        material = TrustMaterial(authority.anchors, (authority.issuing,))
        status = ask_revocation(issued.certificate, issued.chain, material, (services.crl,))
        time = ask_timestamp((services.tsa,))
    for outside, name in ((status, "revocation-service"), (time, "timestamp-authority")):
        (check,) = outside.findings
        assert (check.id, check.severity) == (name, "not-checked")
        assert check.hint is not None
    assert time.tsa == ""


def test_the_second_timestamp_authority_is_asked_where_the_first_is_silent(
    authority: SampleAuthority,
) -> None:
    with unreachable() as nowhere, serving(authority) as services:
        answer = ask_timestamp((f"{nowhere}/tsa", services.tsa))
        assert answer.tsa == services.tsa
    assert [check.severity for check in answer.findings] == ["pass"]


def test_a_clock_that_is_off_is_told_by_the_timestamp(authority: SampleAuthority) -> None:
    with serving(authority) as services:
        services.clock = timedelta(hours=-7)
        answer = ask_timestamp((services.tsa,))
    said = {check.id: check for check in answer.findings}
    assert said["timestamp-authority"].severity == "pass"
    assert said["clock"].severity == "fail"
    assert abs(int(said["clock"].detail) + 7 * 3600) < 60


def test_a_timestamp_that_no_longer_comes_does_not_end_the_trial(
    setup: TrialSetup, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    with unreachable() as nowhere:
        (both, person) = person_and_seal(letter, tmp_path, rsa_signer, setup, f"{nowhere}/tsa")
    for tried in (both, person):
        assert tried.signed.level == "b-b"
        assert {check.id: check.severity for check in tried.checks}["timestamp-authority"] == "not-checked"

"""What a trial at a site finds: judges that do not notice, services that know more than the kit, clocks."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from fieldkit.profile.rules import RuleSet
from fieldkit.sample.authority import SampleAuthority, create
from fieldkit.signature import trial
from fieldkit.signature.trial import TrialSetup
from fieldkit.yaml_model import load
from tests import papers
from tests.conftest import REPOSITORY
from tests.pki import Pki, SoftwareSigner
from tests.services import Mode, serving, unreachable
from tests.signature.test_levels import Held


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> SampleAuthority:
    return create(tmp_path_factory.mktemp("trial") / "authority")


@pytest.fixture
def bench(pki: Pki, rsa_signer: SoftwareSigner) -> TrialSetup:
    rules = load(REPOSITORY / "profiles" / "rules" / "nd30-2020.yaml", RuleSet)
    assert isinstance(rules, RuleSet)
    return TrialSetup(rsa_signer, pki.anchors, (), pki.crls(), rules, papers.NAME, papers.TITLE)


def test_a_judge_that_does_not_notice_the_changed_copy_is_found_out_although_the_others_notice(
    bench: TrialSetup, letter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = tmp_path / "bin" / "mutool"
    blind.parent.mkdir()
    blind.write_text("#!/bin/sh\necho 'The document is unchanged since signing.'\n")
    blind.chmod(0o755)
    monkeypatch.setenv("PATH", f"{blind.parent}{os.pathsep}{os.environ['PATH']}")
    assert shutil.which("mutool") == str(blind)

    tried = trial.seal_alone(letter, tmp_path, bench)

    said = {check.id: check.severity for check in tried.checks}
    assert said["tampering-mutool"] == "fail"
    assert said["tampering-pdfsig"] == said["tampering-openssl"] == said["tampering-fieldkit"] == "pass"
    assert tried.verdict == "fail"
    assert said["agreement"] == "pass", "on the good one they agree: only the changed copy tells"


def test_a_certificate_that_the_authority_has_revoked_fails_although_the_kit_does_not_know(
    authority: SampleAuthority,
) -> None:
    issued = authority.issue()
    kit = authority.crls
    with serving(authority) as services:
        lists = (f"{services.url}/root.crl", services.crl)
        bench = TrialSetup(Held(issued), authority.anchors, (authority.issuing,), kit)
        before = trial.revocation(bench, lists)
        authority.revoke(issued.certificate)
        after = trial.revocation(bench, lists)

    assert [check.severity for check in before.checks] == ["pass"]
    assert [check.severity for check in after.checks] == ["fail"]
    assert all(each.sha256 and each.outcome == "ok" for each in after.asked)


def test_the_responder_that_the_certificate_names_is_asked_before_any_list(
    authority: SampleAuthority,
) -> None:
    with serving(authority) as services:
        bench = TrialSetup(
            Held(authority.issue(services=services.url)), authority.anchors, (authority.issuing,)
        )
        found = trial.revocation(bench, (f"{services.url}/root.crl",))
    assert any(each.url.endswith("/ocsp") for each in found.asked)
    assert "/root.crl" not in services.asked


@pytest.mark.parametrize("mode", ["captive", "failing"])
def test_a_page_that_asks_for_a_login_is_no_answer(mode: Mode, authority: SampleAuthority) -> None:
    with serving(authority, mode) as services:
        bench = TrialSetup(Held(authority.issue()), authority.anchors, (authority.issuing,))
        status = trial.revocation(bench, (services.crl,))
        time = trial.timestamp((services.tsa,), bench)
    for outside, name in ((status, "revocation-service"), (time, "timestamp-authority")):
        (check,) = outside.checks
        assert (check.id, check.severity) == (name, "not-checked")
        assert check.hint is not None
    assert time.tsa == ""


def test_the_second_timestamp_authority_is_asked_where_the_first_is_silent(
    bench: TrialSetup, authority: SampleAuthority
) -> None:
    with unreachable() as nowhere, serving(authority) as services:
        found = trial.timestamp((f"{nowhere}/tsa", services.tsa), bench)
        assert found.tsa == services.tsa
    assert [check.severity for check in found.checks] == ["pass"]


def test_a_clock_that_is_off_is_told_by_the_timestamp(bench: TrialSetup, authority: SampleAuthority) -> None:
    with serving(authority) as services:
        services.clock = timedelta(hours=-7)
        found = trial.timestamp((services.tsa,), bench)
    said = {check.id: check for check in found.checks}
    assert said["timestamp-authority"].severity == "pass"
    assert said["clock"].severity == "fail"
    assert abs(int(said["clock"].detail) + 7 * 3600) < 60


def test_a_timestamp_that_no_longer_comes_does_not_end_the_trial(
    bench: TrialSetup, letter: Path, tmp_path: Path
) -> None:
    import msgspec

    with unreachable() as nowhere:
        gone = msgspec.structs.replace(bench, tsa=f"{nowhere}/tsa")
        (both, person) = trial.person_and_seal(letter, tmp_path, gone)
    for tried in (both, person):
        assert tried.signed.level == "b-b"
        assert {check.id: check.severity for check in tried.checks}["timestamp-authority"] == "not-checked"

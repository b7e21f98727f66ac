"""A certificate is judged by dates, usage, key, path and revocation; what was not checked is never good."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from fieldkit.certificate import check, inspect
from fieldkit.certificate.check import Verdict
from fieldkit.sample import authority
from fieldkit.sample.authority import IssuedCertificate, SampleAuthority
from tests.certificate.conftest import NOW
from tests.issuing import expired, not_yet_valid, revoked


def judged(
    sample: SampleAuthority,
    certificate: bytes,
    *,
    chain: Sequence[bytes] | None = None,
    anchors: Sequence[bytes] | None = None,
    crls: Sequence[bytes] | None = None,
    at: datetime = NOW,
) -> Verdict:
    return check.check(
        certificate,
        sample.chain if chain is None else chain,
        sample.anchors if anchors is None else anchors,
        at,
        crls=sample.crls if crls is None else crls,
    )


def outcome(found: Verdict, id: str) -> str:
    return next(each.severity for each in found.checks if each.id == id)


def failed(found: Verdict) -> set[str]:
    return {each.id for each in found.checks if each.severity == "fail"}


def test_a_good_certificate_passes_in_everything(sample: SampleAuthority, person: IssuedCertificate) -> None:
    found = judged(sample, person.certificate)
    assert found.verdict == "pass"
    assert {each.id for each in found.checks} == {"dates", "usage", "key", "path", "revocation"}


@pytest.mark.parametrize("kind", ["ec:p256", "ec:p384"])
def test_elliptic_keys_pass_too(sample: SampleAuthority, kind: str) -> None:
    assert judged(sample, sample.issue(key=kind).certificate).verdict == "pass"


def test_authorities_pass_as_authorities(sample: SampleAuthority) -> None:
    for der in sample.chain:
        assert judged(sample, der).verdict == "pass"


def test_without_an_anchor_nothing_is_settled(sample: SampleAuthority, person: IssuedCertificate) -> None:
    found = judged(sample, person.certificate, anchors=())
    assert found.verdict == "indeterminate"
    assert outcome(found, "path") == outcome(found, "revocation") == "not-checked"


def test_without_revocation_lists_it_is_not_checked_and_not_good(
    sample: SampleAuthority, person: IssuedCertificate
) -> None:
    found = judged(sample, person.certificate, crls=())
    assert found.verdict == "indeterminate"
    assert outcome(found, "revocation") == "not-checked"


def test_one_list_of_two_is_not_enough(sample: SampleAuthority, person: IssuedCertificate) -> None:
    for one in sample.crls:
        assert outcome(judged(sample, person.certificate, crls=(one,)), "revocation") == "not-checked"


def test_lists_of_another_authority_of_the_same_name_do_not_count(
    sample: SampleAuthority, other: SampleAuthority, person: IssuedCertificate
) -> None:
    assert outcome(judged(sample, person.certificate, crls=other.crls), "revocation") == "not-checked"


def test_a_list_out_of_date_settles_nothing(person: IssuedCertificate, tmp_path: object) -> None:
    from pathlib import Path

    assert isinstance(tmp_path, Path)
    old = authority.create(tmp_path / "old", key="ec:p256")
    days = timedelta(days=60), timedelta(days=30)
    for file in ("root", "issuing"):
        old.renew_crl(this_update=NOW - days[0], next_update=NOW - days[1], file=file)
    found = judged(old, old.person.certificate)
    assert (found.verdict, outcome(found, "revocation")) == ("indeterminate", "not-checked")


def test_a_revoked_certificate_fails(sample: SampleAuthority) -> None:
    found = judged(sample, revoked(sample, key="ec:p256").certificate)
    assert (found.verdict, failed(found)) == ("fail", {"revocation"})


def test_a_link_that_is_missing_and_a_stranger_fail(
    sample: SampleAuthority, other: SampleAuthority, person: IssuedCertificate
) -> None:
    assert failed(judged(sample, person.certificate, chain=())) == {"path"}
    assert failed(judged(sample, other.person.certificate)) == {"path"}
    assert failed(judged(sample, other.person.certificate, chain=other.chain)) == {"path"}
    assert failed(judged(sample, other.root)) == {"path"}


def test_what_a_person_issued_is_no_path(sample: SampleAuthority, person: IssuedCertificate) -> None:
    from cryptography import x509

    from fieldkit.certificate import name
    from fieldkit.sample import issue

    key = issue.generate("ec:p256")
    held = issue.load_key(person.key.reveal_bytes())
    signer = issue.Issuer(x509.load_der_x509_certificate(person.certificate), held)
    wish = issue.CertificateWish(
        subject=name.build({"CN": "Kẻ mạo danh (MẪU)"}),
        not_before=NOW - timedelta(days=1),
        not_after=NOW + timedelta(days=1),
    )
    forged = issue.certificate(wish, key.public_key(), signer)
    assert failed(judged(sample, forged, chain=(person.certificate, *sample.chain))) == {"path"}


def test_a_certificate_changed_by_one_bit_in_its_signature_fails(
    sample: SampleAuthority, person: IssuedCertificate
) -> None:
    changed = bytearray(person.certificate)
    changed[-1] ^= 1
    assert failed(judged(sample, bytes(changed))) == {"path"}


def test_dates_fail_by_themselves_and_the_path_is_judged_all_the_same(sample: SampleAuthority) -> None:
    for issued in (expired(sample, key="ec:p256"), not_yet_valid(sample, key="ec:p256")):
        found = judged(sample, issued.certificate)
        assert failed(found) == {"dates"}
        assert outcome(found, "path") == "pass"


def test_an_authority_that_expired_above_is_a_fault_of_the_path(sample: SampleAuthority) -> None:
    long = sample.issue(key="ec:p256", not_after=NOW + timedelta(days=20 * 365))
    found = judged(sample, long.certificate, at=NOW + timedelta(days=11 * 365))
    assert failed(found) == {"path"}


def test_the_usage_of_a_certificate_for_encryption_fails(sample: SampleAuthority) -> None:
    issued = sample.issue(key="ec:p256", usage=["key_encipherment"])
    assert failed(judged(sample, issued.certificate)) == {"usage"}


def test_a_short_key_fails(sample: SampleAuthority) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    short = rsa.generate_private_key(65537, 1024)
    assert "key" in failed(judged(sample, sample.issue(key=short).certificate))


def test_it_is_judged_inside_a_running_event_loop_too(
    sample: SampleAuthority, person: IssuedCertificate
) -> None:
    async def inside() -> Verdict:
        return judged(sample, person.certificate)

    assert asyncio.run(inside()).verdict == "pass"


def test_a_description_has_what_the_command_line_promises(
    sample: SampleAuthority, person: IssuedCertificate
) -> None:
    shown = inspect.describe(
        person.certificate, at=NOW, anchors=sample.anchors, chain=sample.chain, crls=sample.crls
    )
    assert shown.subject == "CN=Nguyễn Thị Mẫu (MẪU),OU=Cơ quan thường trú Sông Mơ,O=Cơ quan MẪU,C=VN"
    assert shown.key == "rsa:2048"
    assert shown.key_usage == ("digitalSignature", "nonRepudiation")
    assert int(shown.serial_number, 16) > 0
    assert len(bytes.fromhex(shown.sha256)) == 32
    assert shown.not_after.endswith("Z")
    assert shown.verdict == "pass"
    assert "sample" in {finding.id for finding in shown.findings}


def test_what_expires_soon_is_said(sample: SampleAuthority) -> None:
    issued = sample.issue(key="ec:p256", not_after=NOW + timedelta(days=20))
    found = inspect.describe(issued.certificate, at=NOW)
    assert "expires-soon" in {each.id for each in found.findings}

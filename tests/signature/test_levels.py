"""Timestamps and long-term levels, with a timestamp authority on loopback and the authority's own lists."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_der_private_key

from fieldkit.certificate.errors import CertificateRevoked
from fieldkit.pdf.errors import RevocationMissing, TimestampFailed
from fieldkit.sample import authority as authorities
from fieldkit.sample.authority import IssuedCertificate, SampleAuthority
from fieldkit.signature import sign
from fieldkit.signature.sign import Level
from fieldkit.validation import quorum, validate
from fieldkit.validation.judgement import Policy
from tests.issuing import revoked
from tests.pki import DAY, NOW, Pki, SoftwareSigner, TimestampAuthority
from tests.services import Mode, serving


@pytest.fixture(scope="module")
def authority(pki: Pki) -> TimestampAuthority:
    return TimestampAuthority(pki)


@pytest.fixture
def tsa(authority: TimestampAuthority) -> Iterator[str]:
    authority.wrong = False
    with authority.serving() as url:
        yield url


@pytest.mark.parametrize("level", ["b-t", "b-lt", "b-lta"])
def test_each_level_is_reached_and_recognised(
    level: Level, pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path, tsa: str
) -> None:
    out = tmp_path / "signed.pdf"
    sign.sign(
        letter, out, rsa_signer, level=level, tsa=tsa, anchors=pki.anchors, crls=pki.crls(), network=False
    )

    given = pki.crls() if level == "b-t" else ()
    judged = quorum.judge(out, pki.anchors, given, policy=Policy(timestamp=True))

    assert judged.signatures[0].level == level
    assert judged.verdict == "pass", judged
    assert len(judged.signatures) == (2 if level == "b-lta" else 1)


def test_a_timestamp_keeps_a_signature_good_after_its_certificate_has_expired(
    pki: Pki, letter: Path, tmp_path: Path, tsa: str
) -> None:
    short = pki.signer(end=NOW + DAY)
    stamped, plain = tmp_path / "stamped.pdf", tmp_path / "plain.pdf"
    given = {"anchors": pki.anchors, "crls": pki.crls()}
    sign.sign(letter, stamped, short, level="b-lt", tsa=tsa, network=False, **given)
    sign.sign(letter, plain, short, **given)

    later = NOW + 5 * DAY

    assert validate.validate(stamped, trust=pki.anchors, at=later).verdict == "pass"
    assert validate.validate(plain, trust=pki.anchors, crls=pki.crls(), at=later).verdict == "fail"


def test_a_revoked_signer_is_not_valid_even_offline(pki: Pki, letter: Path, tmp_path: Path) -> None:
    signer, out = pki.signer(), tmp_path / "signed.pdf"
    sign.sign(letter, out, signer)
    judged = validate.validate(out, trust=pki.anchors, crls=pki.crls(signer))
    assert judged.verdict == "fail"
    assert {check.id: check.severity for check in judged.signatures[0].checks}["revocation"] == "fail"


def test_an_authority_that_does_not_answer_leaves_no_file(
    rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path, authority: TimestampAuthority, tsa: str
) -> None:
    out = tmp_path / "signed.pdf"
    authority.wrong = True
    for address in (tsa, "http://127.0.0.1:1/", "ftp://127.0.0.1/", "http://[", "file:///etc/passwd"):
        with pytest.raises(TimestampFailed):
            sign.sign(letter, out, rsa_signer, level="b-t", tsa=address)
    with pytest.raises(TimestampFailed):
        sign.sign(letter, out, rsa_signer, level="b-t")
    assert not out.exists()


def test_long_term_levels_say_that_revocation_data_is_missing(
    pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path, tsa: str
) -> None:
    with pytest.raises(RevocationMissing):
        sign.sign(
            letter, tmp_path / "o.pdf", rsa_signer, level="b-lt", tsa=tsa, anchors=pki.anchors, network=False
        )


class Held(SoftwareSigner):
    """A signer with a certificate that the sample authority issued."""

    def __init__(self, issued: IssuedCertificate) -> None:
        self.key = load_der_private_key(issued.key.reveal_bytes(), None)
        self.certificate, self.chain = issued.certificate, issued.chain[:1]
        self.asked = []


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleAuthority:
    return authorities.create(tmp_path_factory.mktemp("levels") / "authority")


@pytest.mark.parametrize("kind", ["rsa:3072", "ec:p256"])
@pytest.mark.parametrize("level", ["b-lt", "b-lta"])
def test_long_term_data_is_fetched_from_the_services_that_the_certificate_names(
    kind: str, level: Level, sample: SampleAuthority, letter: Path, tmp_path: Path
) -> None:
    out = tmp_path / "signed.pdf"
    with serving(sample) as services:
        signer = Held(sample.issue(key=kind, services=services.url))
        # the timestamp authority's certificate names no service: for it the lists of the kit are needed
        sign.sign(
            letter, out, signer, level=level, tsa=services.tsa, anchors=sample.anchors, crls=sample.crls
        )

    judged = quorum.judge(out, sample.anchors, policy=Policy(timestamp=True))

    assert {"/tsa", "/ocsp"} <= set(services.asked)
    assert judged.signatures[0].level == level
    assert judged.verdict == "pass", judged


def test_a_certificate_that_its_services_call_revoked_is_refused_before_the_key_is_used(
    sample: SampleAuthority, letter: Path, tmp_path: Path
) -> None:
    with serving(sample) as services:
        signer = Held(revoked(sample, services=services.url))
        with pytest.raises(CertificateRevoked) as caught:
            sign.sign(
                letter,
                tmp_path / "out.pdf",
                signer,
                level="b-lt",
                tsa=services.tsa,
                anchors=sample.anchors,
                crls=sample.crls[:1],
            )
    assert caught.value.status == 3
    assert signer.asked == []
    assert not (tmp_path / "out.pdf").exists()


@pytest.mark.parametrize("mode", ["captive", "failing"])
def test_services_that_answer_nonsense_leave_no_file_and_are_told_apart(
    mode: Mode, sample: SampleAuthority, letter: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.pdf"
    with serving(sample, mode) as services:
        signer = Held(sample.issue(services=services.url))
        with pytest.raises(TimestampFailed):
            sign.sign(letter, out, signer, level="b-t", tsa=services.tsa)
        with pytest.raises((RevocationMissing, TimestampFailed)):
            sign.sign(letter, out, signer, level="b-lt", tsa=services.tsa, anchors=sample.anchors)
    assert not out.exists()


def test_a_timestamp_authority_that_is_too_slow_is_given_up(sample: SampleAuthority) -> None:
    from fieldkit.signature.signer import HttpTimeStamper

    with serving(sample, "slow", delay=3) as services, pytest.raises(TimestampFailed):
        asyncio.run(HttpTimeStamper(services.tsa, timeout=0.2).async_timestamp(bytes(32), "sha256"))

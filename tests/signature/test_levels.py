"""Timestamps and long-term levels, with a timestamp authority on loopback and the authority's own lists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldkit.signature import errors, quorum, sign, validate
from fieldkit.signature.judgement import Policy
from fieldkit.signature.sign import Level
from tests.signature.pki import DAY, NOW, Pki, SoftwareSigner, TimestampAuthority


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
    assert {check.id: check.verdict for check in judged.signatures[0].checks}["revocation"] == "fail"


def test_an_authority_that_does_not_answer_leaves_no_file(
    rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path, authority: TimestampAuthority, tsa: str
) -> None:
    out = tmp_path / "signed.pdf"
    authority.wrong = True
    for address in (tsa, "http://127.0.0.1:1/", "ftp://127.0.0.1/", "http://[", "file:///etc/passwd"):
        with pytest.raises(errors.TimestampFailed):
            sign.sign(letter, out, rsa_signer, level="b-t", tsa=address)
    with pytest.raises(errors.TimestampFailed):
        sign.sign(letter, out, rsa_signer, level="b-t")
    assert not out.exists()


def test_long_term_levels_say_that_revocation_data_is_missing(
    pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path, tsa: str
) -> None:
    with pytest.raises(errors.RevocationMissing):
        sign.sign(
            letter, tmp_path / "o.pdf", rsa_signer, level="b-lt", tsa=tsa, anchors=pki.anchors, network=False
        )

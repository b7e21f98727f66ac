"""Signing: what the token is asked, what is written, and what is refused before any key is used."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from fieldkit.certificate.errors import (
    CertificateExpired,
    CertificateNotYetValid,
    CertificateRevoked,
    CertificateUsage,
)
from fieldkit.errors import Cancelled
from fieldkit.pdf.errors import DocumentUnfit, FieldUnfit, OutputUnfit, SigningFailed
from fieldkit.signature import batch, sign, tamper
from fieldkit.validation import quorum, validate
from fieldkit.validation.judgement import Policy
from tests.pki import DAY, NOW, Pki, SoftwareSigner, only_encipherment


@pytest.mark.parametrize(("kind", "mechanism"), [("rsa", "SHA256_RSA_PKCS"), ("ec", "ECDSA_SHA256")])
def test_a_letter_is_signed_with_one_use_of_the_key(
    kind: str, mechanism: str, pki: Pki, letter: Path, tmp_path: Path
) -> None:
    signer = pki.signer(kind=kind)
    out = tmp_path / "signed.pdf"

    made = sign.sign(letter, out, signer, anchors=pki.anchors, crls=pki.crls())

    assert signer.asked == [mechanism]
    assert made.field == "Signature1"
    assert made.sha256 == hashlib.sha256(out.read_bytes()).hexdigest()
    assert {check.id: check.severity for check in made.checks}["certificate-revocation"] == "pass"
    assert out.read_bytes().startswith(letter.read_bytes())


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_all_judges_accept_the_signed_letter_and_refuse_its_changed_copy(
    kind: str, pki: Pki, letter: Path, tmp_path: Path
) -> None:
    out, broken = tmp_path / "signed.pdf", tmp_path / "changed.pdf"
    sign.sign(letter, out, pki.signer(kind=kind))

    good = quorum.judge(out, pki.anchors, pki.crls())
    tamper.flip(out, broken)
    bad = quorum.judge(broken, pki.anchors, pki.crls())

    assert good.verdict == "pass", good
    said = {check.id: check.severity for check in good.checks}
    assert said["pdfsig-integrity"] == said["pdfsig-path"] == said["openssl-integrity"] == "pass", good.checks
    assert said["mutool-integrity"] == "pass", good.checks
    assert said["agreement"] == "pass"
    assert bad.verdict == "fail"
    said = {check.id: check.severity for check in bad.checks}
    assert said["pdfsig-integrity"] == said["openssl-integrity"] == "fail", bad.checks
    assert said["agreement"] == "pass"


def test_without_revocation_data_the_verdict_is_indeterminate_unless_the_policy_does_without(
    pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    out = tmp_path / "signed.pdf"
    sign.sign(letter, out, rsa_signer)

    strict = validate.validate(out, trust=pki.anchors)
    lenient = validate.validate(out, trust=pki.anchors, policy=Policy(revocation=False))

    assert strict.verdict == "indeterminate"
    assert lenient.verdict == "pass"


def test_an_unfit_certificate_is_refused_before_its_key_is_used(
    pki: Pki, letter: Path, tmp_path: Path
) -> None:
    out = tmp_path / "signed.pdf"
    unfit = {
        CertificateExpired: pki.signer(start=NOW - 30 * DAY, end=NOW - DAY),
        CertificateNotYetValid: pki.signer(start=NOW + DAY, end=NOW + 30 * DAY),
        CertificateUsage: pki.signer(usage=only_encipherment()),
        CertificateRevoked: (revoked := pki.signer()),
    }
    for error, signer in unfit.items():
        with pytest.raises(error) as caught:
            sign.sign(letter, out, signer, anchors=pki.anchors, crls=pki.crls(revoked))
        assert caught.value.status == 3
        assert signer.asked == []
    assert os.listdir(tmp_path) == ["letter.pdf"]


def test_a_person_may_insist_on_an_expired_certificate_but_not_on_a_revoked_one(
    pki: Pki, letter: Path, tmp_path: Path
) -> None:
    expired, revoked = pki.signer(start=NOW - 30 * DAY, end=NOW - DAY), pki.signer()

    made = sign.sign(letter, tmp_path / "a.pdf", expired, insist=True)

    assert {check.id: check.severity for check in made.checks}["certificate-dates"] == "fail"
    with pytest.raises(CertificateRevoked):
        sign.sign(
            letter, tmp_path / "b.pdf", revoked, insist=True, anchors=pki.anchors, crls=pki.crls(revoked)
        )


def test_a_file_that_is_there_is_kept_unless_replacing_it_was_agreed(
    rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    before = letter.read_bytes()
    with pytest.raises(OutputUnfit):
        sign.sign(letter, letter, rsa_signer)
    assert letter.read_bytes() == before

    sign.sign(letter, letter, rsa_signer, overwrite=True)

    assert letter.read_bytes() != before
    assert os.listdir(tmp_path) == ["letter.pdf"]


def test_a_token_that_fails_leaves_nothing_behind(pki: Pki, letter: Path, tmp_path: Path) -> None:
    class Pulled(SoftwareSigner):
        def sign(self, data: bytes, mechanism: str) -> bytes:
            raise SigningFailed("pulled")  # type: ignore[arg-type]

    good = pki.signer()
    pulled = Pulled(good.key, pki.issuing, ())
    pulled.certificate, pulled.chain = good.certificate, good.chain
    with pytest.raises(SigningFailed, match="pulled"):
        sign.sign(letter, tmp_path / "out.pdf", pulled)
    assert os.listdir(tmp_path) == ["letter.pdf"]


def test_a_seal_follows_the_person_in_the_field_that_was_made_for_it(
    pki: Pki, rsa_signer: SoftwareSigner, ec_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    person, sealed = tmp_path / "person.pdf", tmp_path / "sealed.pdf"
    sign.sign(letter, person, rsa_signer, field="Person", reserve=[sign.Reserved("Agency")])
    sign.sign(person, sealed, ec_signer, field="Agency")

    judged = quorum.judge(sealed, pki.anchors, pki.crls())

    assert judged.verdict == "pass", judged
    assert [each.field for each in judged.signatures] == ["Person", "Agency"]
    with pytest.raises(FieldUnfit):
        sign.sign(sealed, tmp_path / "again.pdf", rsa_signer, field="Agency")


def test_a_large_document_goes_from_file_to_file(
    pki: Pki, rsa_signer: SoftwareSigner, letter_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign, "IN_MEMORY", 100)
    source, out = tmp_path / "in.pdf", tmp_path / "out.pdf"
    source.write_bytes(letter_bytes)
    sign.sign(source, out, rsa_signer)
    assert validate.validate(out, trust=pki.anchors, crls=pki.crls()).verdict == "pass"


def test_what_was_insisted_on_is_read_in_either_language(pki: Pki, letter: Path, tmp_path: Path) -> None:
    expired = pki.signer(start=NOW - 30 * DAY, end=NOW - DAY)
    made = sign.sign(letter, tmp_path / "a.pdf", expired, insist=True)
    (dates,) = [check for check in made.checks if check.id == "certificate-dates"]
    english, vietnamese = dates.message.render("en"), dates.message.render("vi")
    assert "expired" in english
    assert "expired" not in vietnamese
    assert "insisted" not in vietnamese


def test_only_what_the_rules_name_may_be_insisted_on(pki: Pki, letter: Path, tmp_path: Path) -> None:
    expired, wrong = pki.signer(start=NOW - 30 * DAY, end=NOW - DAY), pki.signer(usage=only_encipherment())
    sign.sign(letter, tmp_path / "a.pdf", expired, insist=("certificate-expired",))
    with pytest.raises(CertificateUsage):
        sign.sign(letter, tmp_path / "b.pdf", wrong, insist=("certificate-expired",))


def test_lists_without_an_anchor_are_not_called_missing(pki: Pki, letter: Path, tmp_path: Path) -> None:
    signer = pki.signer()
    no_anchor = sign.sign(letter, tmp_path / "a.pdf", signer, crls=pki.crls())
    no_list = sign.sign(letter, tmp_path / "b.pdf", signer, anchors=pki.anchors)
    said = [
        {check.id: check for check in made.checks}["certificate-revocation"] for made in (no_anchor, no_list)
    ]
    assert [check.severity for check in said] == ["not-checked", "not-checked"]
    assert "trust anchor" in str(said[0].message)
    assert "no revocation list was given" in str(said[1].message)


def test_one_that_fails_stops_no_other_and_what_fails_for_all_ends_the_run(
    pki: Pki, letter: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.pdf").touch()
    jobs = [
        batch.SigningJob(source, tmp_path / f"{number}.pdf")
        for number, source in enumerate((letter, tmp_path / "empty.pdf", letter))
    ]

    done = batch.sign_each(jobs, pki.signer())
    ended = batch.sign_each(
        [batch.SigningJob(letter, tmp_path / f"x{number}.pdf") for number in range(3)],
        pki.signer(start=NOW - 30 * DAY, end=NOW - DAY),
    )

    assert [each.signed is not None for each in done] == [True, False, True]
    assert isinstance(done[1].error, DocumentUnfit)
    assert all(isinstance(each.error, CertificateExpired) for each in ended)
    assert not list(tmp_path.glob("x*"))


def test_a_run_is_stopped_between_two_documents(pki: Pki, letter: Path, tmp_path: Path) -> None:
    jobs = [batch.SigningJob(letter, tmp_path / f"{number}.pdf") for number in range(5)]
    signer = pki.signer()

    done = batch.sign_each(jobs, signer, stopped=lambda: len(signer.asked) == 2)

    assert [each.signed is not None for each in done] == [True, True, False, False, False]
    assert all(isinstance(each.error, Cancelled) for each in done[2:])
    assert len(signer.asked) == 2

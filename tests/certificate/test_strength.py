"""What is too weak for a signature, or issued for something else, is refused by one rule everywhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from fieldkit.certificate import check, contents, errors, identity
from fieldkit.errors import FieldkitError
from fieldkit.signature import sign
from fieldkit.signature.sign import may_sign
from fieldkit.validation import validate
from fieldkit.validation.judgement import Judgement, Policy
from fieldkit.validation.trust import trust
from tests.pki import Pki, SoftwareSigner
from tests.validation.forgery import signed

DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
MICROSOFT = x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.12")
OWN = x509.ObjectIdentifier("1.3.6.1.4.1.99999.1")
WEAK: dict[str, Callable[[], object]] = {
    "rsa:1024": lambda: rsa.generate_private_key(65537, 1024),
    "ec:secp192r1": lambda: ec.generate_private_key(ec.SECP192R1()),
    "ec:secp224r1": lambda: ec.generate_private_key(ec.SECP224R1()),
    "dsa:2048": lambda: dsa.generate_private_key(2048),
}


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


@pytest.fixture(scope="module")
def letter() -> bytes:
    import typst

    made = typst.compile(b"SAMPLE")
    assert isinstance(made, bytes)
    return made


def outcomes(found: Judgement) -> dict[str, str]:
    return {each.id: each.severity for each in found.signatures[0].checks}


def over_sha1(pki: Pki, certificate: bytes) -> bytes:
    """The certificate as an authority of 2010 signed it; `cryptography` no longer does."""
    from asn1crypto.x509 import Certificate

    old = Certificate.load(certificate)
    for part in (old["tbs_certificate"]["signature"], old["signature_algorithm"]):
        part["algorithm"] = "sha1_rsa"
    to_sign = old["tbs_certificate"].dump(force=True)
    old["signature_value"] = pki.issuing_key.sign(to_sign, padding.PKCS1v15(), hashes.SHA1())
    return bytes(old.dump(force=True))


def verified(pki: Pki, data: bytes, path: Path, policy: Policy = Policy()) -> Judgement:  # noqa: B008
    path.write_bytes(data)
    return validate.validate(path, trust=pki.anchors, crls=pki.crls(), policy=policy)


def imported(signer: SoftwareSigner, purposes: tuple[str, ...] = ()) -> None:
    held = contents.Contents("pem", (contents.private_key(signer.key),), (signer.certificate,))
    identity.identity(held, at=datetime.now(UTC), purposes=purposes)


@pytest.mark.parametrize("kind", sorted(WEAK))
def test_a_weak_key_is_refused_by_check_import_sign_and_verify(
    kind: str, pki: Pki, letter: bytes, tmp_path: Path
) -> None:
    signer = pki.signer(key=WEAK[kind]())
    judged = check.check(signer.certificate, signer.chain, pki.anchors, datetime.now(UTC), crls=pki.crls())
    assert [each.id for each in judged.checks if each.severity == "fail"] == ["key"]
    for refuse in (
        lambda: imported(signer),
        lambda: may_sign(signer.certificate, trust(pki.anchors), insist=True),
    ):
        with pytest.raises(errors.KeyUnsupported):
            refuse()
    if kind.startswith("dsa"):
        return
    found = verified(pki, signed(letter, signer), tmp_path / "signed.pdf")
    assert (found.verdict, outcomes(found)["algorithm"]) == ("fail", "fail")
    (said,) = [each for each in found.signatures[0].checks if each.id == "algorithm"]
    assert kind in str(said.message)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.BrainpoolP256R1()])
def test_a_strong_curve_is_not_called_weak(
    curve: ec.EllipticCurve, pki: Pki, letter: bytes, tmp_path: Path
) -> None:
    signer = pki.signer(key=ec.generate_private_key(curve))
    found = verified(pki, signed(letter, signer), tmp_path / "signed.pdf")
    assert outcomes(found)["algorithm"] == "pass"
    may_sign(signer.certificate, trust(pki.anchors))


def test_an_authority_with_a_weak_key_carries_no_path(letter: bytes, tmp_path: Path) -> None:
    weak = Pki("WEAK", issuing=ec.generate_private_key(ec.SECP192R1()))
    signer = weak.signer()
    found = verified(weak, signed(letter, signer), tmp_path / "signed.pdf")
    assert (found.verdict, outcomes(found)["path"]) == ("fail", "fail")
    judged = check.check(signer.certificate, signer.chain, weak.anchors, datetime.now(UTC))
    assert {each.id: each.severity for each in judged.checks}["path"] == "fail"


def test_a_certificate_that_was_signed_over_sha1_is_refused_by_all(
    pki: Pki, letter: bytes, tmp_path: Path
) -> None:
    signer = pki.signer()
    signer.certificate = over_sha1(pki, signer.certificate)
    judged = check.check(signer.certificate, signer.chain, (), datetime.now(UTC))
    assert {each.id: each.severity for each in judged.checks}["key"] == "fail"
    for refuse in (lambda: imported(signer), lambda: may_sign(signer.certificate, trust(pki.anchors))):
        with pytest.raises(errors.KeyUnsupported):
            refuse()
    found = verified(pki, signed(letter, signer), tmp_path / "signed.pdf")
    assert (found.verdict, outcomes(found)["algorithm"]) == ("fail", "fail")


@pytest.mark.parametrize(
    ("purposes", "allowed", "good"),
    [
        ((), (), True),
        ((ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.CLIENT_AUTH), (), True),
        ((DOCUMENT_SIGNING,), (), True),
        ((MICROSOFT,), (), True),
        ((ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,), (), True),
        ((ExtendedKeyUsageOID.SERVER_AUTH,), (), False),
        ((ExtendedKeyUsageOID.OCSP_SIGNING,), (), False),
        ((ExtendedKeyUsageOID.TIME_STAMPING,), (), False),
        ((OWN,), (), False),
        ((OWN,), (OWN.dotted_string,), True),
    ],
)
def test_a_certificate_for_something_else_is_refused_by_all_and_one_that_its_profile_allows_by_none(
    purposes: tuple[x509.ObjectIdentifier, ...],
    allowed: tuple[str, ...],
    good: bool,
    pki: Pki,
    letter: bytes,
    tmp_path: Path,
) -> None:
    signer = pki.signer(purposes=purposes)
    judged = check.check(
        signer.certificate, signer.chain, pki.anchors, datetime.now(UTC), crls=pki.crls(), purposes=allowed
    )
    found = verified(pki, signed(letter, signer), tmp_path / "signed.pdf", Policy(purposes=allowed))
    assert {each.id: each.severity for each in judged.checks}["usage"] == ("pass" if good else "fail")
    assert (found.verdict, outcomes(found)["usage"]) == (("pass", "pass") if good else ("fail", "fail"))
    for use in (
        lambda: imported(signer, allowed),
        lambda: may_sign(signer.certificate, trust(pki.anchors), purposes=allowed),
        lambda: _write_and_sign(letter, signer, allowed, tmp_path),
    ):
        if good:
            use()
            continue
        with pytest.raises(FieldkitError) as caught:
            use()
        assert caught.value.code == "certificate-usage"


def _write_and_sign(letter: bytes, signer: SoftwareSigner, allowed: tuple[str, ...], folder: Path) -> None:
    source = folder / "letter.pdf"
    source.write_bytes(letter)
    sign.sign(source, folder / "by-fieldkit.pdf", signer, purposes=allowed)


def test_a_name_with_signs_that_mean_nothing_yet_is_judged_like_any_other(pki: Pki) -> None:
    signer = pki.signer("SAMPLE \u0378")
    judged = check.check(signer.certificate, signer.chain, pki.anchors, datetime.now(UTC), crls=pki.crls())
    assert {part.id: part.severity for part in judged.checks}["key"] == "pass"

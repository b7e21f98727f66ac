"""The sample authority stands up to programs that are not fieldkit, and says what it is."""

from __future__ import annotations

import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from fieldkit.certificate.files import pem
from fieldkit.home import Home
from fieldkit.sample import authority
from fieldkit.sample.authority import SampleAuthority, SampleExists, SampleMissing
from fieldkit.secret import Secret
from tests.issuing import expired, not_yet_valid, revoked, sign_csr


def openssl(*arguments: str | Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["openssl", *map(str, arguments)], input=given, capture_output=True)


def verified(sample: SampleAuthority, certificate: bytes, folder: Path, *more: str | Path) -> bytes:
    path = folder / "leaf.pem"
    path.write_bytes(pem(certificate))
    done = openssl("verify", "-CAfile", sample.root_path, "-untrusted", sample.issuing_path, *more, path)
    return done.stdout + done.stderr


@pytest.mark.parametrize("who", ["person", "agency"])
def test_openssl_finds_the_path_to_the_root(sample: SampleAuthority, who: str, tmp_path: Path) -> None:
    assert b"OK" in verified(sample, getattr(sample, who).certificate, tmp_path, "-x509_strict")


def test_every_subject_says_that_it_is_a_sample(sample: SampleAuthority) -> None:
    held = [sample.person.certificate, sample.agency.certificate, sample.root, sample.issuing]
    held += [sample.signer(file).certificate.public_bytes(Encoding.DER) for file in ("tsa", "ocsp")]
    for der in held:
        assert "MẪU" in x509.load_der_x509_certificate(der).subject.rfc4514_string()


def test_secrets_are_for_their_owner_only(sample: SampleAuthority) -> None:
    secret = [".key", ".p12", ".password", ".identity"]
    found = [path for path in sample.folder.iterdir() if path.suffix in secret]
    assert len(found) == 4 + 2 + 2 + 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}


def test_openssl_opens_the_pkcs12_with_the_password_beside_it(sample: SampleAuthority) -> None:
    person = sample.person
    done = openssl("pkcs12", "-in", person.pkcs12, "-passin", f"file:{person.password}", "-nodes")
    assert done.stdout.count(b"BEGIN CERTIFICATE") == 3
    assert done.stdout.count(b"BEGIN PRIVATE KEY") == 1


def test_passwords_differ_each_time(sample: SampleAuthority, own: SampleAuthority) -> None:
    assert sample.person.secret() != own.person.secret()
    assert len(own.person.secret()) >= 16


def test_it_is_found_again_and_is_the_same(sample: SampleAuthority) -> None:
    again = authority.load(sample.folder)
    assert again.person.certificate == sample.person.certificate
    assert again.anchors == sample.anchors


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(SampleExists):
        authority.create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_one_that_is_not_complete_is_said_to_be_missing(own: SampleAuthority) -> None:
    (own.folder / "issuing.key").unlink()
    with pytest.raises(SampleMissing) as raised:
        authority.load(own.folder)
    assert "issuing.key" in raised.value.detail


def test_what_a_home_gets_holds_nothing_secret(sample: SampleAuthority, home: Home) -> None:
    sample.install(home)
    there = sorted(str(path.relative_to(home.path)) for path in home.path.rglob("*") if path.is_file())
    assert there == [
        "profiles/authorities/sample/issuing.crl",
        "profiles/authorities/sample/issuing.pem",
        "profiles/authorities/sample/root.crl",
        "profiles/authorities/sample/root.pem",
        "recipients/escrow.age",
        "recipients/head-office.age",
    ]


def test_the_profile_finds_the_anchors_that_were_installed(sample: SampleAuthority, home: Home) -> None:
    from fieldkit.profile.load import load

    sample.install(home)
    assert [path.name for path in load(home).anchors("sample")] == ["root.pem"]
    assert [path.name for path in load(home).intermediates("sample")] == ["issuing.pem"]


def test_what_is_encrypted_to_the_recipients_opens_with_either_identity(sample: SampleAuthority) -> None:
    import pyrage

    to = [pyrage.x25519.Recipient.from_str(key) for key in sample.recipients()]
    sealed = pyrage.encrypt(b"chuyen trien khai", to)
    for who in ("head-office", "escrow"):
        text = sample.identity_path(who).read_text().strip()
        assert pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(text)]) == b"chuyen trien khai"


def test_a_file_is_written_under_the_password_given(sample: SampleAuthority, tmp_path: Path) -> None:
    path = tmp_path / "person.p12"
    sample.write_pkcs12(path, Secret("mật khẩu của tôi"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    done = openssl("pkcs12", "-in", path, "-passin", "stdin", "-nokeys", given="mật khẩu của tôi\n".encode())
    assert done.returncode == 0


@pytest.mark.parametrize("kind", ["rsa:2048", "ec:p256", "ec:p384"])
def test_a_certificate_is_issued_for_the_kind_of_key_asked(own: SampleAuthority, kind: str) -> None:
    from fieldkit.certificate.usage import kind_of

    assert kind_of(x509.load_der_x509_certificate(own.issue(key=kind).certificate)) == kind


def test_openssl_refuses_what_has_expired_or_not_begun(own: SampleAuthority, tmp_path: Path) -> None:
    assert b"expired" in verified(own, expired(own, key="ec:p256").certificate, tmp_path)
    assert b"not yet valid" in verified(own, not_yet_valid(own, key="ec:p256").certificate, tmp_path)


def test_openssl_sees_in_the_renewed_list_what_was_revoked(own: SampleAuthority, tmp_path: Path) -> None:
    good, bad = own.issue(key="ec:p256"), revoked(own, key="ec:p256")
    lists = tmp_path / "lists.pem"
    done = [openssl("crl", "-in", path, "-inform", "DER").stdout for path in own.crl_paths]
    lists.write_bytes(b"".join(done))
    more = ("-crl_check_all", "-CRLfile", lists)
    assert b"OK" in verified(own, good.certificate, tmp_path, *more)
    assert b"revoked" in verified(own, bad.certificate, tmp_path, *more)


def test_a_list_keeps_what_was_revoked_before_and_counts_up(own: SampleAuthority) -> None:
    first = revoked(own, key="ec:p256")
    revoked(own, key="ec:p256")
    listed = x509.load_der_x509_crl(own.crls[1])
    serial = x509.load_der_x509_certificate(first.certificate).serial_number
    assert listed.get_revoked_certificate_by_serial_number(serial) is not None
    assert len(listed) == 2
    assert listed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 3


def test_a_request_is_answered_with_its_own_names_and_key(own: SampleAuthority, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Trần Thị Thử (MẪU)")])
    names = x509.SubjectAlternativeName([x509.RFC822Name("mau@example.invalid")])
    asked = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(names, False)
    answered = sign_csr(own, asked.sign(key, SHA256()).public_bytes(Encoding.PEM))
    held = x509.load_der_x509_certificate(answered)
    assert held.subject == subject
    assert held.public_key() == key.public_key()
    assert held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value == names
    assert b"OK" in verified(own, answered, tmp_path)


def test_it_can_be_made_for_another_day(tmp_path: Path) -> None:
    then = datetime(2019, 7, 1, tzinfo=UTC)
    made = authority.create(tmp_path / "then", now=then, key="ec:p256")
    held = x509.load_der_x509_certificate(made.person.certificate)
    assert held.not_valid_before_utc == then - timedelta(days=1)
    assert x509.load_der_x509_crl(made.crls[0]).next_update_utc == then + timedelta(days=365)

"""A key and its certificate find each other by the public key, and are refused with the reason otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from fieldkit.certificate import errors, files, identity
from fieldkit.certificate.contents import Contents, PrivateKey
from fieldkit.certificate.identity import Identity
from fieldkit.errors import FieldkitError
from fieldkit.sample.authority import IssuedCertificate, SampleAuthority
from fieldkit.sample.issue import generate
from fieldkit.text import M, Message
from tests.certificate.conftest import NOW
from tests.issuing import expired, not_yet_valid


def contents(issued: IssuedCertificate) -> Contents:
    return files.read(issued.pkcs12.read_bytes(), issued.secret())


def of(issued: IssuedCertificate, at: datetime | None = NOW, pick: str = "") -> Identity:
    return identity.identity(contents(issued), at=at, pick=pick)


def key_of(issued: IssuedCertificate) -> PrivateKey:
    return contents(issued).keys[0]


def refused(error: type[FieldkitError], given: Contents, pick: str = "") -> FieldkitError:
    with pytest.raises(error) as raised:
        identity.identity(given, at=NOW, pick=pick)
    assert raised.value.unchanged
    assert raised.value.hint
    return raised.value


def test_a_file_with_everything_is_an_identity(person: IssuedCertificate) -> None:
    found = of(person)
    assert (found.key, found.certificate, found.chain) == (person.key, person.certificate, person.chain)
    assert found.name == "Nguyễn Thị Mẫu (MẪU)"
    assert "…" in repr(found.key)


def test_the_chain_is_put_in_order_and_strangers_left_out(
    person: IssuedCertificate, agency: IssuedCertificate, sample: SampleAuthority
) -> None:
    mixed = Contents(
        "pem", (key_of(person),), (sample.root, agency.certificate, sample.issuing, person.certificate)
    )
    found = identity.identity(mixed, at=NOW)
    assert found.certificate == person.certificate
    assert found.chain == (sample.issuing, sample.root)


def test_an_authority_of_the_same_name_is_not_in_the_chain(
    person: IssuedCertificate, sample: SampleAuthority, other: SampleAuthority
) -> None:
    mixed = Contents("pem", (key_of(person),), (person.certificate, other.issuing, sample.issuing))
    assert identity.identity(mixed, at=NOW).chain == (sample.issuing,)


def test_key_and_certificate_from_two_files_are_joined(person: IssuedCertificate) -> None:
    both = Contents("certificate", certificates=(person.certificate,)) + Contents("key", (key_of(person),))
    assert identity.identity(both, at=NOW).key == person.key


def test_a_key_alone_and_a_certificate_alone_are_said_so(person: IssuedCertificate) -> None:
    alone = refused(errors.KeyWithoutCertificate, Contents("key", (key_of(person),)))
    assert (alone.code, alone.status) == ("key-without-certificate", 4)
    bare = refused(errors.CertificateWithoutKey, Contents("certificate", certificates=(person.certificate,)))
    assert (bare.code, bare.status) == ("certificate-without-key", 4)


def test_a_foreign_certificate_is_refused(person: IssuedCertificate, agency: IssuedCertificate) -> None:
    mixed = Contents("pem", (key_of(person),), (agency.certificate,))
    error = refused(errors.KeyMismatch, mixed)
    assert (error.code, error.status) == ("key-mismatch", 3)


def test_expired_and_not_yet_valid_are_refused_with_the_day(sample: SampleAuthority) -> None:
    error = refused(errors.CertificateExpired, contents(expired(sample, key="ec:p256")))
    assert (error.code, error.status) == ("certificate-expired", 3)
    assert str(datetime.now(UTC).year) in str(error)
    future = refused(errors.CertificateNotYetValid, contents(not_yet_valid(sample, key="ec:p256")))
    assert (future.code, future.status) == ("certificate-not-yet-valid", 3)


def test_dates_are_judged_at_the_moment_given(sample: SampleAuthority) -> None:
    issued = expired(sample, key="ec:p256")
    assert of(issued, NOW - timedelta(days=30)).certificate == issued.certificate
    assert of(issued, None).certificate == issued.certificate


@pytest.mark.parametrize("usage", [["key_encipherment"], ["key_agreement"], ["data_encipherment"]])
def test_a_certificate_for_something_else_is_refused(sample: SampleAuthority, usage: list[str]) -> None:
    error = refused(errors.CertificateUsage, contents(sample.issue(key="ec:p256", usage=usage)))  # type: ignore[arg-type]
    assert (error.code, error.status) == ("certificate-usage", 3)


@pytest.mark.parametrize("usage", [["digital_signature"], ["content_commitment"]])
def test_either_kind_of_signature_will_do(sample: SampleAuthority, usage: list[str]) -> None:
    assert of(sample.issue(key="ec:p256", usage=usage))  # type: ignore[arg-type]


def test_an_authority_does_not_sign_documents(sample: SampleAuthority) -> None:
    issued = sample.issue(key="ec:p256", authority=True, usage=["digital_signature", "key_cert_sign"])
    refused(errors.CertificateUsage, contents(issued))


def test_of_several_certificates_for_one_key_the_one_in_force_is_taken(sample: SampleAuthority) -> None:
    key = generate("ec:p256")
    old, new = expired(sample, key=key), sample.issue(key=key)
    both = contents(old) + contents(new)
    assert identity.identity(both, at=NOW).certificate == new.certificate


def test_of_several_keys_one_has_to_be_named(person: IssuedCertificate, agency: IssuedCertificate) -> None:
    both = contents(person) + contents(agency)
    error = refused(errors.CertificateAmbiguous, both)
    assert (error.code, error.status) == ("certificate-ambiguous", 2)
    assert len(error.data["candidates"]) == 2
    by_name = identity.identity(contents(person) + contents(agency), pick="cơ quan thường trú sông mơ (mẫu)")
    assert by_name.certificate == agency.certificate
    for candidate in error.data["candidates"]:
        for pick in (candidate["sha256"], candidate["serial_number"].upper()):
            assert (
                identity.identity(contents(person) + contents(agency), pick=pick).name == candidate["subject"]
            )


def test_the_keys_that_were_not_meant_are_wiped(person: IssuedCertificate, agency: IssuedCertificate) -> None:
    both = contents(person) + contents(agency)
    found = identity.identity(both, pick="Nguyễn Thị Mẫu (MẪU)")
    assert found.key
    assert [bool(key.pkcs8) for key in both.keys] == [True, False]


def test_a_certificate_alone_is_joined_to_a_key_elsewhere(
    person: IssuedCertificate, sample: SampleAuthority
) -> None:
    found = identity.joined(Contents("pem", certificates=(sample.issuing, person.certificate)), at=NOW)
    assert (found.certificate, found.chain, bool(found.key)) == (person.certificate, (sample.issuing,), False)


def test_the_certificate_a_file_is_about_is_found_without_a_key(
    person: IssuedCertificate, agency: IssuedCertificate, sample: SampleAuthority
) -> None:
    assert identity.leaf(Contents("pem", certificates=(sample.root, sample.issuing))) == sample.issuing
    assert (
        identity.leaf(Contents("pem", certificates=(sample.root, person.certificate))) == person.certificate
    )
    with pytest.raises(errors.CertificateAmbiguous):
        identity.leaf(Contents("pem", certificates=(agency.certificate, person.certificate)))


def test_a_name_that_no_certificate_in_the_file_has_is_said_to_be_none(person: IssuedCertificate) -> None:
    whole = contents(person)
    bare = Contents("certificate", certificates=(person.certificate,))
    for look in (
        lambda: identity.leaf(whole, "Nobody"),
        lambda: identity.leaf(bare, "Nobody"),
        lambda: identity.joined(bare, at=NOW, pick="Nobody"),
        lambda: identity.identity(bare, at=NOW, pick="Nobody"),
    ):
        with pytest.raises(errors.NotInFile) as raised:
            look()
        assert "Nobody" in str(raised.value)
        assert raised.value.code == "certificate-not-in-file"
    assert "with a key" in str(refused(errors.KeyWithoutCertificate, whole, "Nobody"))


def test_a_day_is_a_day_and_has_its_hour_only_where_that_decides() -> None:
    moment = datetime(2026, 11, 24, 10, 30).astimezone()
    assert identity.day(moment, moment - timedelta(days=40)) == "2026-11-24"
    assert identity.day(moment, moment + timedelta(minutes=5)) == "2026-11-24 10:30"
    said = M("It expired on {day}.", day=identity.day(moment))
    assert said.render("en") == "It expired on 2026-11-24."
    assert "24/11/2026" in said.render("vi")


def test_why_a_file_cannot_be_used_is_read_in_the_language_of_the_reader() -> None:
    with pytest.raises(FieldkitError) as raised:
        files.read(b"\x30\x82nonsense", None, name="mẫu.p12")
    message = raised.value.message
    assert isinstance(message, Message)
    assert all(isinstance(each, str | Message) for each in message.params.values())
    kept = msgspec.json.decode(msgspec.json.encode(message), type=Message)
    assert kept.render("vi") == message.render("vi") != message.render("en")

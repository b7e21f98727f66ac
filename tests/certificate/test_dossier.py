"""A certificate is compared with its dossier as people mean names and numbers, and differences are told."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime
from typing import Any

import pytest
from cryptography import x509

from fieldkit.certificate.dossier import alike, compare
from fieldkit.home import Home
from fieldkit.profile.model import Dossier
from fieldkit.sample.authority import IssuedCertificate, SampleAuthority


def compared(issued: IssuedCertificate, **dossier: Any) -> dict[str, str]:
    held = x509.load_der_x509_certificate(issued.certificate)
    return {each.id: each.severity for each in compare(held, Dossier(**dossier))}


def test_the_sample_person_is_as_the_sample_plan_asks(person: IssuedCertificate, home: Home) -> None:
    from fieldkit.profile.load import load

    bureau = next(each for each in load(home).plan.bureaus if each.code == "MAU-01")
    found = compare(x509.load_der_x509_certificate(person.certificate), bureau.dossier)
    assert {each.severity for each in found} == {"pass"}
    assert len(found) == 5


def test_what_the_dossier_does_not_say_is_not_compared(person: IssuedCertificate) -> None:
    assert compared(person) == {}
    assert compared(person, subject={"CN": " "}, email="", certificate_serial="", not_after=None) == {}


@pytest.mark.parametrize(
    "written", ["NGUYỄN THỊ MẪU (MẪU)", "Nguyễn  Thị Mẫu (mẫu)", "nguyễn thị mẫu (MẪU) "]
)
def test_names_are_the_same_in_any_case_and_spacing(person: IssuedCertificate, written: str) -> None:
    assert compared(person, subject={"CN": written}) == {"dossier-subject-cn": "pass"}
    decomposed = unicodedata.normalize("NFD", written)
    assert compared(person, subject={"CN": decomposed}) == {"dossier-subject-cn": "pass"}


@pytest.mark.parametrize(
    ("one", "another"), [("Hoà", "Hòa"), ("Thuý Hoà", "Thúy Hòa"), ("QUẢNG HOÀ", "Quảng Hòa"), ("Huỷ", "Hủy")]
)
def test_a_tone_may_stand_in_either_place(one: str, another: str) -> None:
    assert alike(one, another)


@pytest.mark.parametrize(
    ("one", "another"),
    [("Hoa", "Hòa"), ("Hoà", "Hoá"), ("Lan Ánh", "Lán Anh"), ("Mậu", "Mẫu"), ("Đạt", "Dạt")],
)
def test_another_tone_or_letter_is_another_name(one: str, another: str) -> None:
    assert not alike(one, another)


def test_every_difference_fails_and_says_both(person: IssuedCertificate) -> None:
    held = x509.load_der_x509_certificate(person.certificate)
    (found,) = compare(held, Dossier(subject={"O": "Cơ quan khác"}))
    assert (found.id, found.severity) == ("dossier-subject-o", "fail")
    assert "Cơ quan khác" in str(found.message)
    assert "Cơ quan MẪU" in str(found.message)
    (absent,) = compare(held, Dossier(subject={"L": "Hà Nội"}))
    assert absent.severity == "fail"


def test_serial_numbers_are_the_same_however_they_are_written(person: IssuedCertificate) -> None:
    number = x509.load_der_x509_certificate(person.certificate).serial_number
    plain = f"{number:x}"
    pairs = ":".join(f"{number:040X}"[at : at + 2] for at in range(0, 40, 2))
    for written in (
        plain,
        plain.upper(),
        pairs,
        pairs.replace(":", " "),
        f"0x{plain}",
        f"00{plain}",
        str(number),
    ):
        assert compared(person, certificate_serial=written) == {"dossier-serial": "pass"}, written
    for written in (f"{number + 1:x}", "không có", "1"):
        assert compared(person, certificate_serial=written) == {"dossier-serial": "fail"}, written


def test_last_day_issuer_mail_and_key_are_compared(person: IssuedCertificate) -> None:
    end = x509.load_der_x509_certificate(person.certificate).not_valid_after_utc
    good = compared(
        person,
        issuer="CA cấp phát MẪU (SAMPLE)",
        email="MAU01@example.invalid",
        key="rsa:2048",
        not_after=end.astimezone().date(),
    )
    assert set(good.values()) == {"pass"}
    assert len(good) == 4
    bad = compared(
        person,
        issuer="CA khác",
        email="ai@example.invalid",
        key="ec:p256",
        not_after=date(2001, 1, 1),
    )
    assert set(bad.values()) == {"fail"}
    assert len(bad) == 4


def test_a_day_is_right_here_or_in_universal_time(sample: SampleAuthority) -> None:
    issued = sample.issue(key="ec:p256", not_after=datetime(2027, 5, 1, 20, 0, tzinfo=UTC))
    assert compared(issued, not_after=date(2027, 5, 1)) == {"dossier-not-after": "pass"}

"""Subjects are written and read as RFC 4514 says, Vietnamese letters and all, and cannot steer a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from fieldkit.certificate import name
from fieldkit.certificate.errors import SubjectInvalid

VALUES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=40)


@given(cn=VALUES, o=VALUES, ou=VALUES)
def test_what_is_written_is_read_again(cn: str, o: str, ou: str) -> None:
    made = name.build({"CN": cn, "O": o, "OU": ou, "C": "VN"})
    assert name.parse(name.text(made)) == made


def test_a_vietnamese_name_has_as_many_letters_as_any_other() -> None:
    agency = "Cơ quan thường trú Thông tấn xã Việt Nam tại thành phố Cần Thơ".ljust(64, "ơ")
    made = name.build({"CN": agency, "C": "VN"})
    assert len(agency.encode()) > 64
    assert name.parse(name.text(made)) == made
    with pytest.raises(SubjectInvalid) as caught:
        name.parse(f"CN={agency}ơ,C=VN")
    assert "64" in caught.value.detail


def test_attributes_come_in_the_order_of_certificates() -> None:
    made = name.build({"CN": "Nguyễn Thị Mẫu", "C": "VN", "OU": "Phòng", "O": "Cơ quan"})
    assert [each.rfc4514_attribute_name for each in made] == ["C", "O", "OU", "CN"]
    assert name.text(made) == "CN=Nguyễn Thị Mẫu,OU=Phòng,O=Cơ quan,C=VN"


@pytest.mark.parametrize(
    "written",
    [
        "CN=Mẫu,O=Cơ quan,C=VN",
        "cn=Mẫu, o=Cơ quan, c=VN",
        " CN = Mẫu , O = Cơ quan , C = VN",
        "2.5.4.3=Mẫu,O=Cơ quan,C=VN",
        unicodedata.normalize("NFD", "CN=Mẫu,O=Cơ quan,C=VN"),
    ],
)
def test_people_write_spaces_cases_and_numbers(written: str) -> None:
    found = name.attributes(name.parse(written))
    assert {key: value[0].strip() for key, value in found.items()} == {"CN": "Mẫu", "O": "Cơ quan", "C": "VN"}


def test_a_comma_in_a_value_stays_in_it() -> None:
    made = name.build({"O": "Cơ quan A, B", "CN": 'X "Y" + Z=1'})
    assert name.attributes(name.parse(name.text(made))) == {"O": ("Cơ quan A, B",), "CN": ('X "Y" + Z=1',)}


@pytest.mark.parametrize(
    "written", ["", "  ", "Nguyễn Thị Mẫu", "CN=", "XX=1", "CN=a,,O=b", "C=VNM", "CN=" + "x" * 65]
)
def test_what_is_no_subject_is_refused(written: str) -> None:
    with pytest.raises(SubjectInvalid):
        name.parse(written)


def test_control_and_direction_characters_are_shown_and_not_obeyed() -> None:
    nasty = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a\x1b[2Jb\u202ec\n")])
    assert name.text(nasty) == "CN=a\\1B[2Jb\\E2\\80\\AEc\\0A"
    assert "\x1b" not in name.attributes(nasty)["CN"][0]

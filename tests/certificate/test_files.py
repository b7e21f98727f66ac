"""Every kind of certificate file, as the programs of the trade write it, is read by what is in it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import unicodedata
from pathlib import Path

import pytest
from asn1crypto import core
from asn1crypto import pkcs12 as structure
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from fieldkit.certificate import asn1, errors, files, identity
from fieldkit.certificate import pkcs12 as pkcs12_room
from fieldkit.certificate.contents import Contents
from fieldkit.certificate.files import pem
from fieldkit.sample.authority import IssuedCertificate, SampleAuthority
from fieldkit.secret import Secret
from tests.certificate.conftest import PASSWORD, Write, openssl
from tests.conftest import Run


def opened(data: bytes, password: str | None = PASSWORD) -> Contents:
    return files.read_contents(data, None if password is None else Secret(password), name="given")


def holds(found: Contents, person: IssuedCertificate, chain: int = 2) -> bool:
    """Whether it is the person's key and certificate, with the chain."""
    return (
        [key.pkcs8 for key in found.keys] == [person.key]
        and found.certificates[0] == person.certificate
        and len(found.certificates) == 1 + chain
    )


PKCS12 = {
    "AES-256": (),
    "3DES and RC2 as Windows XP": ("-legacy",),
    "3DES throughout": ("-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"),
    "RC2-128 throughout": ("-legacy", "-keypbe", "PBE-SHA1-RC2-128", "-certpbe", "PBE-SHA1-RC2-128"),
    "no integrity check": ("-nomac",),
    "SHA-512": ("-macalg", "sha512"),
}


@pytest.mark.parametrize("options", PKCS12.values(), ids=PKCS12)
def test_pkcs12_opens_whatever_its_encryption(
    pkcs12: Write, person: IssuedCertificate, options: tuple[str, ...]
) -> None:
    assert holds(opened(pkcs12(*options)), person)


@pytest.mark.parametrize("options", PKCS12.values(), ids=PKCS12)
def test_a_wrong_password_is_called_one(pkcs12: Write, options: tuple[str, ...]) -> None:
    with pytest.raises(errors.PasswordIncorrect) as raised:
        opened(pkcs12(*options), "sai rồi")
    assert raised.value.code == "password-incorrect"
    assert raised.value.status == 1
    assert "sai rồi" not in " ".join(raised.value.lines()) + raised.value.detail


def test_no_password_where_one_is_needed_is_missing(pkcs12: Write) -> None:
    with pytest.raises(errors.PasswordNeeded) as raised:
        opened(pkcs12(), None)
    assert (raised.value.code, raised.value.status) == ("password-needed", 4)


@pytest.mark.parametrize("options", [(), ("-legacy",), ("-keypbe", "NONE", "-certpbe", "NONE", "-nomac")])
def test_an_empty_password_is_found_without_asking(
    pkcs12: Write, person: IssuedCertificate, options: tuple[str, ...]
) -> None:
    data = pkcs12(*options, password="")
    assert not files.wants_password(data)
    assert holds(opened(data, None), person)


def test_the_password_is_asked_for_once_and_only_if_it_is_needed(
    pkcs12: Write, clear: dict[str, Path]
) -> None:
    asked = []

    def ask() -> Secret:
        asked.append(True)
        return Secret(PASSWORD)

    files.read_contents(clear["all"].read_bytes(), ask)
    assert not asked
    files.read_contents(pkcs12(), ask)
    assert len(asked) == 1


@pytest.mark.parametrize("stored", ["NFC", "NFD", "windows", "bytes as letters"])
@pytest.mark.parametrize("typed", ["NFC", "NFD"])
def test_vietnamese_passwords_open_however_they_were_typed(
    pkcs12: Write, person: IssuedCertificate, stored: str, typed: str
) -> None:
    composed = "Đường về quê: ế ọ ữ"
    forms = {
        "NFC": composed,
        "NFD": unicodedata.normalize("NFD", composed),
        "windows": "Đường về quê: ê\u0301 o\u0323 ư\u0303".replace("ờ", "ơ\u0300").replace("ề", "ê\u0300"),
        "bytes as letters": composed.encode().decode("latin-1"),
    }
    assert holds(opened(pkcs12(password=forms[stored]), forms[typed]), person)


def test_ber_opens_as_der_does(pkcs12: Write, person: IssuedCertificate) -> None:
    loose = _loose(pkcs12())
    assert b"\x30\x80" in loose[:2]
    assert holds(opened(loose), person)


def test_pbmac1_opens_and_still_refuses_a_wrong_password(pkcs12: Write, person: IssuedCertificate) -> None:
    modern = _pbmac1(pkcs12(), PASSWORD)
    assert holds(opened(modern), person)
    with pytest.raises((errors.PasswordIncorrect, errors.FileUnreadable)):
        opened(modern, "sai")


def test_several_keys_in_one_file_are_all_found(person: IssuedCertificate, agency: IssuedCertificate) -> None:
    data = _two_keys(person, agency)
    found = opened(data)
    assert {key.pkcs8.reveal_bytes() for key in found.keys} == {
        person.key.reveal_bytes(),
        agency.key.reveal_bytes(),
    }
    assert {person.certificate, agency.certificate} <= set(found.certificates)


def test_certificates_without_a_key_and_a_key_without_certificates(pkcs12: Write) -> None:
    only = opened(pkcs12("-nokeys"))
    assert (len(only.keys), len(only.certificates)) == (0, 3)
    bare = opened(pkcs12("-nocerts"))
    assert (len(bare.keys), len(bare.certificates)) == (1, 0)


def test_a_friendly_name_is_kept_and_cannot_steer_a_terminal(pkcs12: Write) -> None:
    found = opened(pkcs12("-name", "Chứng thư \x1b[31m mẫu"))
    assert found.names[0] == "Chứng thư \\1B[31m mẫu"


def test_pem_is_read_in_any_order_with_text_around_it(
    clear: dict[str, Path], person: IssuedCertificate
) -> None:
    chain, key, certificate = (clear[name].read_bytes() for name in ("chain", "key", "certificate"))
    mixed = (
        "Kính gửi anh/chị,\n\n".encode() + chain + b"\r\nBag Attributes\n" + key + b"\n---\n" + certificate
    )
    found = opened(mixed, None)
    assert [each.pkcs8 for each in found.keys] == [person.key]
    assert set(found.certificates) == {person.certificate, *person.chain}


@pytest.mark.parametrize(
    "dressed",
    [
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.decode().encode("utf-16"),
        lambda text: text.replace(b"\n", b"\n  "),
        lambda text: b"".join(text.split(b"-----")[2].split()),
    ],
    ids=["CRLF", "UTF-8 with a mark", "UTF-16", "indented", "bare base64"],
)
def test_a_certificate_survives_mail_and_editors(person: IssuedCertificate, dressed: object) -> None:
    assert callable(dressed)
    assert opened(dressed(pem(person.certificate)), None).certificates == (person.certificate,)


def test_der_is_a_certificate_whatever_it_is_called(person: IssuedCertificate) -> None:
    found = files.read_contents(person.certificate, None, name="holiday.jpg")
    assert (found.kind, found.certificates) == ("certificate", (person.certificate,))


def test_openssl_trusted_certificates_lose_their_tail(person: IssuedCertificate) -> None:
    trusted = openssl("x509", "-trustout", "-addtrust", "emailProtection", given=pem(person.certificate))
    assert b"TRUSTED" in trusted
    assert opened(trusted, None).certificates == (person.certificate,)


@pytest.mark.parametrize("encoding", [Encoding.DER, Encoding.PEM], ids=["DER", "PEM"])
def test_pkcs7_gives_its_certificates(person: IssuedCertificate, encoding: Encoding) -> None:
    held = [x509.load_der_x509_certificate(der) for der in (person.certificate, *person.chain)]
    found = opened(pkcs7.serialize_certificates(held, encoding), None)
    assert set(found.certificates) == {person.certificate, *person.chain}


def test_pkcs7_in_ber_too(person: IssuedCertificate) -> None:
    held = [x509.load_der_x509_certificate(person.certificate)]
    assert opened(_loose(pkcs7.serialize_certificates(held, Encoding.DER)), None).certificates


KEYS = {
    "PKCS#8 with AES": ("pkcs8", "-topk8", "-v2", "aes256"),
    "PKCS#8 with 3DES": ("pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES"),
    "PKCS#8 with scrypt": ("pkcs8", "-topk8", "-scrypt"),
    "PKCS#8 in DER": ("pkcs8", "-topk8", "-v2", "aes256", "-outform", "DER"),
    "old PEM encryption": ("rsa", "-aes128", "-traditional"),
}


@pytest.mark.parametrize("options", KEYS.values(), ids=KEYS)
def test_encrypted_keys_open_with_their_password_only(
    clear: dict[str, Path], person: IssuedCertificate, tmp_path: Path, options: tuple[str, ...]
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("Khóa bí mật\n")
    locked = openssl(*options, "-in", clear["key"], "-passout", f"file:{secret}")
    assert files.wants_password(locked)
    assert [key.pkcs8 for key in opened(locked, "Khóa bí mật").keys] == [person.key]
    with pytest.raises(errors.PasswordIncorrect):
        opened(locked, "khóa bí mật")
    with pytest.raises(errors.PasswordNeeded):
        opened(locked, None)


@pytest.mark.parametrize(
    "form", [("-traditional",), ("-traditional", "-outform", "DER"), ("-outform", "DER")]
)
def test_plain_keys_need_no_password(
    clear: dict[str, Path], person: IssuedCertificate, form: tuple[str, ...]
) -> None:
    data = openssl("rsa", "-in", clear["key"], *form)
    assert not files.wants_password(data)
    assert [key.pkcs8 for key in opened(data, None).keys] == [person.key]


def test_an_elliptic_key_is_named_by_its_curve(sample: SampleAuthority) -> None:
    issued = sample.issue(key="ec:p384")
    found = files.read_contents(issued.pkcs12.read_bytes(), issued.secret())
    assert [key.kind for key in found.keys] == ["ec:p384"]


def test_requests_and_revocation_lists_are_recognised(
    clear: dict[str, Path], sample: SampleAuthority
) -> None:
    asked = openssl("req", "-new", "-key", clear["key"], "-subj", "/CN=SAMPLE")
    assert len(opened(asked, None).requests) == 1
    found = opened(sample.crls[1], None)
    assert (found.kind, found.revocation_lists) == ("revocation-list", (sample.crls[1],))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "Nothing in it"),
        (b"hello", "Nothing in it"),
        (b"%PDF-1.7\n%%EOF", "PDF"),
        (b"PK\x03\x04rest", "ZIP"),
        (b"\xfe\xed\xfe\xed\0\0\0\2", "Java"),
        (b"MZ\x90\0", "program"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB", "cut off"),
        (b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----", "damaged"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "Nothing in it"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", "SSH"),
        (b"\x30\x82\xff\xff\x02", "cut off"),
        (base64.b64encode(bytes(300)), "Nothing in it"),
    ],
)
def test_what_is_no_certificate_file_is_said_to_be_what_it_is(data: bytes, says: str) -> None:
    with pytest.raises(errors.FileUnreadable) as raised:
        opened(data, None)
    assert says in str(raised.value)
    assert (raised.value.code, raised.value.status) == ("certificate-file-unreadable", 2)


def test_something_behind_the_end_is_not_passed_over(person: IssuedCertificate) -> None:
    assert opened(person.certificate + b"\r\n\0", None).certificates
    with pytest.raises(errors.FileUnreadable):
        opened(person.certificate + b"more", None)


def test_a_file_that_would_take_minutes_to_open_is_refused(pkcs12: Write) -> None:
    data = pkcs12("-iter", "2048")
    slow = data.replace(b"\x02\x02\x08\x00", b"\x02\x02\x7f\xff")  # stays cheap: only the check is tried
    assert asn1.work(slow).rounds == 3 * 0x7FFF
    evil = _with_rounds(data, 2**31 - 1)
    with pytest.raises(errors.FileUnreadable):
        opened(evil)


def test_the_work_of_a_file_is_seen_in_every_encoding_that_a_parser_takes(pkcs12: Write) -> None:
    version, safe, check = asn1.first(_with_rounds(pkcs12(), 100_000_000)).children()
    digest, salt, rounds = (_der(each.tag, each.content) for each in check.children())
    whole = asn1.first(salt).content
    outside = [_der(each.tag, each.content) for each in (version, safe)]
    forms = {
        "in pieces": _der(0x24, _der(0x04, whole[:3]), _der(0x04, whole[3:])),
        "in pieces of pieces": _der(0x24, _der(0x24, _der(0x04, whole))),
        "of open length": b"\x24\x80" + _der(0x04, whole) + b"\0\0",
    }
    for name, form in forms.items():
        with pytest.raises(errors.FileUnreadable, match="more work"):
            opened(_der(0x30, *outside, _der(0x30, digest, form, rounds)))
        inner = _der(0x30, form, rounds)
        hidden = _der(0x30, _der(0xA0, _der(0x24, _der(0x04, inner[:5]), _der(0x04, inner[5:]))))
        assert asn1.work(hidden).rounds == 100_000_000, name


def test_what_another_parser_may_read_and_this_one_cannot_is_refused(pkcs12: Write) -> None:
    """A tag of two bytes beside the salt: nothing of it is counted, so nothing of it is opened."""
    version, safe, check = asn1.first(_with_rounds(pkcs12(), 100_000_000)).children()
    odd = _der(0x30, check.content, b"\x1f\x21\x00")
    with pytest.raises(errors.FileUnreadable):
        opened(_der(0x30, *(_der(each.tag, each.content) for each in (version, safe)), odd))
    with pytest.raises(asn1.MalformedAsn1):
        asn1.work(_der(0x30, _der(0xA0, _der(0x04, _der(0x30, b"\x1f\x21\x00")))))
    assert asn1.work(_der(0x30, _der(0x04, b"0\x1f\x21\x00"))) == asn1.DerivationCost()


def test_the_rounds_of_many_keys_are_one_sum(person: IssuedCertificate) -> None:
    one = _der(0x30, _der(0x04, bytes(8)), bytes(core.Integer(9_000_000).dump()))
    with pytest.raises(errors.FileUnreadable, match="more work"):
        pkcs12_room.bearable(_der(0x30, one, one), "two.p12")


@pytest.mark.parametrize(
    ("cost", "block", "parallel", "good"),
    [
        (2**14, 8, 1, True),
        (2**17, 8, 1, True),
        (2**21, 8, 1, False),
        (2**10, 2**20, 1, False),
        (2**14, 8, 999, False),
    ],
)
def test_a_key_that_would_take_all_memory_is_refused(
    cost: int, block: int, parallel: int, good: bool, person: IssuedCertificate
) -> None:
    numbers = b"".join(bytes(core.Integer(each).dump()) for each in (cost, block, parallel))
    scrypt = _der(
        0x30,
        bytes(core.ObjectIdentifier("1.3.6.1.4.1.11591.4.11").dump()),
        _der(0x30, _der(0x04, b"saltsalt"), numbers),
    )
    cipher = _der(0x30, bytes(core.ObjectIdentifier("2.16.840.1.101.3.4.1.42").dump()), _der(0x04, bytes(16)))
    algorithm = _der(
        0x30, bytes(core.ObjectIdentifier("1.2.840.113549.1.5.13").dump()), _der(0x30, scrypt, cipher)
    )
    data = _der(0x30, algorithm, _der(0x04, bytes(64)))
    expected = errors.PasswordNeeded if good else errors.FileUnreadable
    with pytest.raises(expected):
        opened(data, None)


def test_a_key_on_a_curve_that_is_given_by_numbers_is_no_work_and_is_called_by_its_kind(
    tmp_path: Path,
) -> None:
    key = openssl("ecparam", "-name", "prime256v1", "-param_enc", "explicit", "-genkey", "-noout")
    (tmp_path / "key.pem").write_bytes(key)
    certificate = openssl(
        "req",
        "-new",
        "-x509",
        "-key",
        tmp_path / "key.pem",
        "-subj",
        "/CN=x",
        "-addext",
        "basicConstraints=CA:FALSE",
    )
    with pytest.raises(errors.KeyUnsupported) as raised:
        identity.identity(opened(key + certificate, None))
    assert "ec:explicit" in str(raised.value)


def test_a_file_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large.p12"
    with path.open("wb") as file:
        file.truncate(files.LARGEST + 1)
    with pytest.raises(errors.FileUnreadable):
        files.load(path)


def test_a_file_that_is_not_there_or_not_a_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(errors.FileNotThere) as raised:
        files.load(tmp_path / "none.p12")
    assert (raised.value.code, raised.value.status) == ("file-not-found", 4)
    with pytest.raises(errors.FileNotThere):
        files.load(Path("a\0b"))
    os.mkfifo(tmp_path / "pipe")
    for odd in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(errors.FileUnreadable):
            files.load(odd)


def test_keys_are_wiped_when_that_is_asked(pkcs12: Write) -> None:
    found = opened(pkcs12())
    found.wipe()
    assert not found.keys[0].pkcs8


def test_openssl_reads_what_the_library_could_not(pkcs12: Write, person: IssuedCertificate) -> None:
    from fieldkit.certificate import openssl as program

    text = program.pkcs12(pkcs12("-legacy"), PASSWORD.encode())
    assert text is not None
    assert holds(opened(text, None), person)
    assert program.pkcs12(pkcs12("-legacy"), b"sai") is None


def test_what_only_openssl_reads_is_told_where_it_is_not_here(
    fieldkit: Run, pkcs12: Write, tmp_path: Path
) -> None:
    """Distributions build the library without the old ciphers; it calls them a wrong password."""
    (tmp_path / "old.p12").write_bytes(pkcs12("-legacy"))
    (tmp_path / "new.p12").write_bytes(pkcs12())
    (tmp_path / "good").write_text(f"{PASSWORD}\n")
    (tmp_path / "bad").write_text("sai rồi\n")
    built = {"CRYPTOGRAPHY_OPENSSL_NO_LEGACY": "1"}

    def inspected(file: str, password: str, **more: str) -> tuple[int, str]:
        line = ("certificate", "inspect", tmp_path / file, "--password-file", tmp_path / password, "--json")
        ran = fieldkit(*line, **built, **more)
        return ran.status, "" if ran.status == 0 else ran.error["code"]

    nowhere = {"PATH": str(tmp_path)}
    assert inspected("old.p12", "good") == (0, "")
    assert inspected("old.p12", "bad") == (1, "password-incorrect")
    assert inspected("old.p12", "good", **nowhere) == (4, "openssl-missing")
    assert inspected("new.p12", "bad", **nowhere) == (1, "password-incorrect")


def _der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def _loose(data: bytes) -> bytes:
    """`data` in BER: lengths left open, octet strings in pieces."""
    made = b""
    for element in asn1.elements(data):
        if element.constructed:
            made += bytes((element.tag, 0x80)) + _loose(element.content) + b"\0\0"
        elif element.tag == asn1.OCTET_STRING and len(element.content) > 200:
            pieces = [element.content[at : at + 100] for at in range(0, len(element.content), 100)]
            made += b"\x24\x80" + b"".join(_der(0x04, piece) for piece in pieces) + b"\0\0"
        else:
            made += _der(element.tag, element.content)
    return made


def _pbmac1(data: bytes, password: str) -> bytes:
    """`data` with the integrity check of RFC 9579 in place of its own."""
    held = structure.Pfx.load(data)
    salt, rounds = os.urandom(16), 2048
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds, 32)
    mac = hmac.new(key, held["auth_safe"]["content"].native, "sha256").digest()

    def oid(text: str) -> bytes:
        return bytes(core.ObjectIdentifier(text).dump())

    sha256 = _der(0x30, oid("1.2.840.113549.2.9"), b"\x05\x00")
    numbers = core.Integer(rounds).dump(), core.Integer(32).dump()
    derivation = _der(0x30, oid("1.2.840.113549.1.5.12"), _der(0x30, _der(0x04, salt), *numbers, sha256))
    algorithm = _der(0x30, oid("1.2.840.113549.1.5.14"), _der(0x30, derivation, sha256))
    check = _der(0x30, _der(0x30, algorithm, _der(0x04, mac)), _der(0x04, b"NOT USED"), b"\x02\x01\x01")
    return _der(0x30, b"\x02\x01\x03", held["auth_safe"].dump(), check)


def _two_keys(first: IssuedCertificate, second: IssuedCertificate) -> bytes:
    """A file with two keys and their certificates, without integrity check, keys encrypted with AES."""
    data, key_bag, cert_bag = (
        "1.2.840.113549.1.7.1",
        "1.2.840.113549.1.12.10.1.2",
        "1.2.840.113549.1.12.10.1.3",
    )

    def oid(text: str) -> bytes:
        return bytes(core.ObjectIdentifier(text).dump())

    def locked(issued: IssuedCertificate) -> bytes:
        return openssl(
            *("pkcs8", "-topk8", "-v2", "aes256", "-inform", "DER", "-outform", "DER"),
            *("-passout", f"pass:{PASSWORD}"),
            given=issued.key.reveal_bytes(),
        )

    def holding(issued: IssuedCertificate) -> bytes:
        held = _der(0x30, oid("1.2.840.113549.1.9.22.1"), _der(0xA0, _der(0x04, issued.certificate)))
        return _der(0x30, oid(cert_bag), _der(0xA0, held))

    bags = [_der(0x30, oid(key_bag), _der(0xA0, locked(each))) for each in (first, second)]
    bags += [holding(each) for each in (first, second)]
    safe = _der(0x30, _der(0x30, oid(data), _der(0xA0, _der(0x04, _der(0x30, *bags)))))
    return _der(0x30, b"\x02\x01\x03", _der(0x30, oid(data), _der(0xA0, _der(0x04, safe))))


def _with_rounds(data: bytes, rounds: int) -> bytes:
    """`data` asking for so many rounds in its integrity check."""
    version, safe, check = (_der(each.tag, each.content) for each in asn1.first(data).children())
    digest, salt, _ = (_der(each.tag, each.content) for each in asn1.first(check).children())
    return _der(0x30, version, safe, _der(0x30, digest, salt, bytes(core.Integer(rounds).dump())))


def test_a_wrong_password_is_called_wrong_also_when_the_padding_happens_to_fit(
    clear: dict[str, Path],
) -> None:
    """One wrong password in 256 decrypts to something; that is no damage and no unknown algorithm."""
    locked = openssl(
        *("pkcs8", "-topk8", "-v2", "aes256", "-iter", "1", "-outform", "DER"),
        *("-in", clear["key"], "-passout", "pass:right"),
    )
    for number in range(2000):
        with pytest.raises(errors.PasswordIncorrect):
            opened(locked, f"wrong {number}")

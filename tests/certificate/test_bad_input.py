"""Whatever the bytes are, random, cut off or changed, the answer is contents or an error of this room."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldkit.certificate import asn1, files, identity, inspect, name
from fieldkit.certificate.errors import SubjectInvalid
from fieldkit.certificate.files import pem
from fieldkit.errors import FieldkitError
from fieldkit.sample.authority import IssuedCertificate, SampleAuthority
from fieldkit.secret import Secret
from tests.certificate.conftest import NOW, PASSWORD, Write, openssl
from tests.conftest import Run

relaxed = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="session")
def every_kind(
    pkcs12: Write,
    clear: dict[str, Path],
    person: IssuedCertificate,
    sample: SampleAuthority,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, bytes]:
    """A good file of every kind."""
    secret = tmp_path_factory.mktemp("secret") / "secret"
    secret.write_text(PASSWORD + "\n")
    locked = (
        "pkcs8",
        "-topk8",
        "-v2",
        "aes256",
        "-iter",
        "16",
        "-in",
        clear["key"],
        "-passout",
        f"file:{secret}",
    )
    return {
        "pkcs12": pkcs12("-iter", "16"),
        "old pkcs12": pkcs12("-legacy", "-iter", "16"),
        "open pkcs12": pkcs12("-keypbe", "NONE", "-certpbe", "NONE", "-nomac", password=""),
        "pem": clear["all"].read_bytes(),
        "certificate": person.certificate,
        "key": openssl("pkey", "-in", clear["key"], "-outform", "DER"),
        "locked key": openssl(*locked, "-outform", "DER"),
        "locked pem": openssl(*locked),
        "pkcs7": openssl("crl2pkcs7", "-nocrl", "-certfile", clear["all"], "-outform", "DER"),
        "request": openssl("req", "-new", "-key", clear["key"], "-subj", "/CN=SAMPLE", "-outform", "DER"),
        "list": sample.crls[1],
    }


KINDS = (
    "pkcs12", "old pkcs12", "open pkcs12", "pem", "certificate", "key", "locked key", "locked pem", "pkcs7",
    "request", "list",
)  # fmt: skip


def survives(data: bytes, sample: SampleAuthority) -> None:
    """Read it, describe it, make an identity of it: contents, or an error with a code and words."""
    error = None
    try:
        files.wants_password(data)
        found = files.read_contents(data, Secret(PASSWORD), name="given")
        inspect.describe_all(found, at=NOW, anchors=sample.anchors, crls=sample.crls)
        identity.identity(found, at=NOW)
    except FieldkitError as raised:
        error = raised
    if error is not None:
        assert error.status in (1, 2, 3, 4)
        assert error.lines()
        assert PASSWORD not in " ".join(error.lines()) + error.detail


@relaxed
@given(data=st.binary(max_size=600))
def test_random_bytes(sample: SampleAuthority, data: bytes) -> None:
    survives(data, sample)


@relaxed
@given(data=st.binary(max_size=300))
def test_random_bytes_that_begin_like_asn1(sample: SampleAuthority, data: bytes) -> None:
    survives(b"\x30\x82" + len(data).to_bytes(2, "big") + data, sample)


@relaxed
@given(text=st.text(max_size=400))
def test_random_text_between_begin_and_end(sample: SampleAuthority, text: str) -> None:
    for label in ("CERTIFICATE", "ENCRYPTED PRIVATE KEY", "PKCS7", "X509 CRL"):
        survives(
            f"-----BEGIN {label}-----\n{text}\n-----END {label}-----\n".encode("utf-8", "replace"), sample
        )


@pytest.mark.parametrize("kind", KINDS)
def test_cut_off_anywhere(every_kind: dict[str, bytes], sample: SampleAuthority, kind: str) -> None:
    data = every_kind[kind]
    for end in range(0, len(data), max(1, len(data) // 40)):
        survives(data[:end], sample)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_changed_in_places(
    every_kind: dict[str, bytes], sample: SampleAuthority, kind: str, draw: st.DataObject
) -> None:
    data = bytearray(every_kind[kind])
    for _ in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    survives(bytes(data), sample)


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_changed_in_many_places(
    every_kind: dict[str, bytes], sample: SampleAuthority, kind: str, draw: st.DataObject
) -> None:
    data = bytearray(every_kind[kind])
    for _ in range(draw.draw(st.integers(1, 12))):
        at = draw.draw(st.integers(0, len(data) - 1))
        change: Callable[[], None] = draw.draw(
            st.sampled_from(
                [
                    lambda at=at: data.__setitem__(at, draw.draw(st.integers(0, 255))),
                    lambda at=at: data.insert(at, draw.draw(st.integers(0, 255))),
                    lambda at=at: data.__delitem__(at) if len(data) > 1 else None,
                ]
            )
        )
        change()
        if at >= len(data):
            break
    survives(bytes(data), sample)


@relaxed
@given(data=st.binary(max_size=200))
def test_asn1_is_read_or_refused(data: bytes) -> None:
    for read in (asn1.first, asn1.definite, asn1.work, lambda given: list(asn1.elements(given))):
        try:
            read(data)
        except asn1.MalformedAsn1:
            pass
    assert asn1.kind(data)


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(asn1.MalformedAsn1):
        asn1.definite(b"\x30\x80" * 5000)
    with pytest.raises(asn1.MalformedAsn1):
        asn1.first(b"\x30\x80" * 5000)
    assert asn1.kind(b"\x30\x80" * 5000) == "unknown"


@relaxed
@given(text=st.text(max_size=80))
def test_any_text_is_a_subject_or_refused(text: str) -> None:
    with contextlib.suppress(SubjectInvalid):
        assert name.text(name.parse(text))


def test_a_certificate_with_odd_content_is_described_all_the_same(person: IssuedCertificate) -> None:
    odd = pem(person.certificate) + b"\n-----BEGIN SOMETHING ELSE-----\nAAAA\n-----END SOMETHING ELSE-----\n"
    found = files.read_contents(odd, None)
    assert found.ignored == ("SOMETHING ELSE",)


@pytest.mark.parametrize(
    "inside", ["3000", "30063004a0003000", "3015300b06092a864886f70d010701a006040430023000"]
)
def test_a_pkcs12_with_parts_that_lack_theirs_is_refused_in_words(inside: str) -> None:
    def tagged(tag: int, content: bytes) -> bytes:
        return bytes([tag, len(content)]) + content

    data = bytes.fromhex("06092a864886f70d010701")
    safe = tagged(0x30, bytes.fromhex(inside))
    wrapped = tagged(0x30, data + tagged(0xA0, tagged(0x04, safe)))
    with pytest.raises(FieldkitError):
        files.read_contents(tagged(0x30, b"\x02\x01\x03" + wrapped), None, name="damaged.p12")


def test_a_certificate_of_a_year_that_is_none_is_called_damaged(
    fieldkit: Run, person: IssuedCertificate, tmp_path: Path
) -> None:
    start = person.certificate.index(b"\x17\x0d")  # the first UTCTime is the day that it begins on
    moment = b"\x18\x0f00000101000000Z"
    other = person.certificate[:start] + moment + person.certificate[start + 15 :]
    grown = bytearray(other)
    inner = grown.index(b"\x30\x82", 4)
    for at in (0, inner):
        grown[at + 2 : at + 4] = (int.from_bytes(grown[at + 2 : at + 4], "big") + 2).to_bytes(2, "big")
    validity = start - 2
    grown[validity + 1] += 2
    (tmp_path / "year0.der").write_bytes(grown)
    for verb in ("inspect", "check"):
        ran = fieldkit("certificate", verb, tmp_path / "year0.der", "--json")
        assert ran.error["code"] == "certificate-file-unreadable", ran.out

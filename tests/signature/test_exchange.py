"""The exchange rehearsal: what goes in comes out verified, and nothing dangerous comes in."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from fieldkit.errors import FieldkitError
from fieldkit.signature import edxml, errors, exchange, safe_xml, sign
from fieldkit.signature.edxml import Header, Organ
from tests.conftest import Run
from tests.signature.pki import Pki, SoftwareSigner

HEADER = Header(
    sender=Organ("000.MAU.01", "Cơ quan MẪU một"),
    receiver=Organ("000.MAU.02", "Cơ quan MẪU hai"),
    number="07",
    notation="BB-MẪU <&>",
    place="Hà Nội",
    date="2026-11-24",
    subject='Về việc "ký thử" & gửi',
    document="",
)


@pytest.fixture
def signed(rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path) -> Path:
    out = tmp_path / "văn bản.pdf"
    sign.sign(letter, out, rsa_signer)
    return out


def test_a_rehearsal_gives_the_same_bytes_back_and_an_answer(pki: Pki, signed: Path, tmp_path: Path) -> None:
    packed, opened = exchange.rehearse(
        [signed], tmp_path / "axis", HEADER, trust=pki.anchors, crls=pki.crls()
    )
    assert opened.verdict == "pass", opened.checks
    assert opened.header.subject == HEADER.subject
    assert opened.header.notation == HEADER.notation
    assert Path(opened.files[0]).read_bytes() == signed.read_bytes()
    answer = safe_xml.parse(Path(opened.status).read_bytes())
    assert (answer.value("StatusCode"), answer.value("ResponseFor")) == ("03", packed.document)


def test_what_was_changed_on_the_way_is_refused_and_not_kept(pki: Pki, signed: Path, tmp_path: Path) -> None:
    packed = exchange.pack([signed], tmp_path / "p.edxml", HEADER)
    data = Path(packed.out).read_bytes()
    good = base64.b64encode(signed.read_bytes())
    hurt = bytearray(signed.read_bytes())
    hurt[500] ^= 1
    changed = tmp_path / "changed.edxml"
    changed.write_bytes(data.replace(good, base64.b64encode(hurt)))

    opened = exchange.open_package(changed, tmp_path / "in", trust=pki.anchors, crls=pki.crls())

    assert opened.verdict == "fail"
    assert opened.files == ()
    assert safe_xml.parse(Path(opened.status).read_bytes()).value("StatusCode") == "02"
    assert {check.id for check in opened.checks if check.verdict == "fail"} == {"digest", "signatures"}


def test_a_package_for_another_agency_is_refused(pki: Pki, signed: Path, tmp_path: Path) -> None:
    packed = exchange.pack([signed], tmp_path / "p.edxml", HEADER)
    opened = exchange.open_package(
        Path(packed.out), tmp_path / "in", trust=pki.anchors, crls=pki.crls(), receiver="000.MAU.99"
    )
    assert opened.verdict == "fail"


def test_a_name_cannot_lead_out_of_the_folder(pki: Pki, signed: Path, tmp_path: Path) -> None:
    message = edxml.Envelope(
        HEADER, (edxml.Attached("../../outside.pdf", signed.read_bytes()), edxml.Attached("/etc/x", b"%PDF-"))
    )
    package, folder = tmp_path / "p.edxml", tmp_path / "a" / "b" / "in"
    package.write_bytes(edxml.write(message))
    exchange.open_package(package, folder, trust=pki.anchors)
    assert not list(tmp_path.rglob("outside.pdf"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<edXML/>",
        b"\x00" * 100,
        b"<a>" * 100_000,
        b"<edXML>" + b"<a/>" * 50_000 + b"</edXML>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:1/">%p;]><x/>',
        b'<?xml version="1.0" encoding="utf-99"?><x/>',
    ],
)
def test_dangerous_or_broken_xml_is_refused_in_words(data: bytes, tmp_path: Path) -> None:
    package = tmp_path / "p.edxml"
    package.write_bytes(data)
    with pytest.raises(FieldkitError) as caught:
        exchange.open_package(package, tmp_path / "in", trust=())
    assert isinstance(caught.value, errors.PackageUnfit | errors.DocumentUnfit)
    assert not (tmp_path / "in").exists()


def test_the_command_rehearses(fieldkit: Run, pki: Pki, signed: Path, tmp_path: Path) -> None:
    arguments: list[str | Path] = ["--trust", tmp_path / "root.der"]
    (tmp_path / "root.der").write_bytes(pki.anchors[0])
    for number, data in enumerate(pki.crls()):
        (tmp_path / f"{number}.crl").write_bytes(data)
        arguments += ["--crl", tmp_path / f"{number}.crl"]
    ran = fieldkit("exchange", "rehearse", signed, "--folder", tmp_path / "axis", "--json", *arguments)
    assert ran.status == 0, ran.out + ran.err
    assert ran.result["verdict"] == "pass"

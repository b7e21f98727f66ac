"""The exchange rehearsal: what goes in comes out verified, and nothing dangerous comes in."""

from __future__ import annotations

import base64
import functools
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldkit.errors import FieldkitError
from fieldkit.exchange import edxml, packages, safe_xml, xml_signature
from fieldkit.exchange.edxml import MessageHeader, Organ
from fieldkit.exchange.errors import PackageUnfit
from fieldkit.pdf.errors import DocumentUnfit
from fieldkit.profile.model import Dossier
from fieldkit.signature import sign
from fieldkit.validation.judgement import Policy
from fieldkit.validation.validate import validate
from tests.conftest import Run
from tests.pki import Pki, SoftwareSigner
from tests.validation import forgery

HEADER = MessageHeader(
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
    done = packages.rehearse([signed], tmp_path / "axis", HEADER, trust=pki.anchors, crls=pki.crls())
    packed, opened = done.packed, done.opened
    assert done.verdict == "pass", done.checks
    assert opened.header.subject == HEADER.subject
    assert opened.header.notation == HEADER.notation
    assert Path(opened.files[0]).read_bytes() == signed.read_bytes()
    answer = edxml.read_status(Path(opened.status).read_bytes())
    assert (answer.code, answer.about) == ("03", packed.document)
    assert (answer.sender, answer.receiver) == (HEADER.receiver, HEADER.sender.code)
    assert sorted(path.name for path in Path(opened.status).parent.iterdir()) == sorted(
        [Path(opened.status).name, Path(opened.files[0]).name]
    )


def test_a_document_that_shows_something_else_than_what_was_signed_is_refused(
    pki: Pki, signed: Path, tmp_path: Path
) -> None:
    signed.write_bytes(forgery.with_empty_field(signed.read_bytes()))
    packed = packages.pack([signed], tmp_path / "p.edxml", HEADER)
    opened = packages.open_package(Path(packed.out), tmp_path / "in", trust=pki.anchors, crls=pki.crls())
    assert (opened.verdict, opened.files) == ("fail", ())
    failed = {check.id for check in opened.checks if check.severity == "fail"}
    assert {"signature-pdfium-appearance", "signature-coverage"} <= failed


def test_that_the_pages_were_not_drawn_on_request_is_said(
    fieldkit: Run, pki: Pki, signed: Path, tmp_path: Path
) -> None:
    package = packages.pack([signed], tmp_path / "p.edxml", HEADER).out
    line = ["exchange", "open", package, "--accept-unsigned", *_known(pki, tmp_path), "--json"]
    for option, words in (("--no-appearance", ["not-checked"]), ("", [])):
        ran = fieldkit(*line, "--out", tmp_path / f"in{option}", *filter(None, (option,)))
        checks = {check["id"]: check["verdict"] for check in json.loads(ran.out)["result"]["checks"]}
        assert [verdict for check, verdict in checks.items() if check == "signature-appearance"] == words
        assert checks["signatures"] == "pass"


def test_what_was_changed_on_the_way_is_refused_and_not_kept(pki: Pki, signed: Path, tmp_path: Path) -> None:
    packed = packages.pack([signed], tmp_path / "p.edxml", HEADER)
    data = Path(packed.out).read_bytes()
    good = base64.b64encode(signed.read_bytes())
    hurt = bytearray(signed.read_bytes())
    hurt[500] ^= 1
    changed = tmp_path / "changed.edxml"
    changed.write_bytes(data.replace(good, base64.b64encode(hurt)))

    opened = packages.open_package(changed, tmp_path / "in", trust=pki.anchors, crls=pki.crls())

    assert opened.verdict == "fail"
    assert opened.files == ()
    answer = edxml.read_status(Path(opened.status).read_bytes())
    assert answer.code == "02"
    assert answer.reason, "the sender is told why"
    failed = {check.id for check in opened.checks if check.severity == "fail"}
    assert {"digest", "signatures", "signature-integrity", "signature-pdfsig-integrity"} <= failed


def test_a_package_for_another_agency_is_refused(pki: Pki, signed: Path, tmp_path: Path) -> None:
    packed = packages.pack([signed], tmp_path / "p.edxml", HEADER)
    opened = packages.open_package(
        Path(packed.out), tmp_path / "in", trust=pki.anchors, crls=pki.crls(), receiver="000.MAU.99"
    )
    assert opened.verdict == "fail"


def test_a_name_cannot_lead_out_of_the_folder(pki: Pki, signed: Path, tmp_path: Path) -> None:
    message = edxml.Envelope(
        HEADER, (edxml.Attached("../../outside.pdf", signed.read_bytes()), edxml.Attached("/etc/x", b"%PDF-"))
    )
    package, folder = tmp_path / "p.edxml", tmp_path / "a" / "b" / "in"
    package.write_bytes(edxml.write(message))
    packages.open_package(package, folder, trust=pki.anchors)
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
        packages.open_package(package, tmp_path / "in", trust=())
    assert isinstance(caught.value, PackageUnfit | DocumentUnfit)
    assert not (tmp_path / "in").exists()


def test_the_command_rehearses(fieldkit: Run, pki: Pki, signed: Path, tmp_path: Path) -> None:
    arguments = _known(pki, tmp_path)
    ran = fieldkit("exchange", "rehearse", signed, "--folder", tmp_path / "axis", "--json", *arguments)
    assert ran.status == 0, ran.out + ran.err
    assert ran.result["verdict"] == "pass"
    assert json.loads(Path(ran.result["evidence"]).read_bytes()) == ran.result


@pytest.fixture(params=["rsa", "ec"])
def sealing(
    request: pytest.FixtureRequest, rsa_signer: SoftwareSigner, ec_signer: SoftwareSigner
) -> SoftwareSigner:
    """The key that signs a package: RSA, then on a curve."""
    return rsa_signer if request.param == "rsa" else ec_signer


def test_a_package_signed_by_the_token_passes_and_xmlsec_agrees(
    pki: Pki, sealing: SoftwareSigner, signed: Path, tmp_path: Path
) -> None:
    done = packages.rehearse(
        [signed], tmp_path / "axis", HEADER, trust=pki.anchors, crls=pki.crls(), signer=sealing
    )
    assert done.verdict == "pass", done.checks
    assert done.packed.signed
    found = {check.id: check.severity for check in done.checks}
    assert {found[f"package-{each}"] for each in ("signature", "path", "dates", "usage", "revocation")} == {
        "pass"
    }
    root = tmp_path / "root.pem"
    root.write_bytes(pki.root.public_bytes(Encoding.PEM))
    if shutil.which("xmlsec1") is None:
        pytest.fail("xmlsec1 is needed: sudo apt-get install xmlsec1")
    line = ["xmlsec1", "--verify", "--enabled-key-data", "x509", "--trusted-pem", root, done.packed.out]
    ran = subprocess.run(line, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def _sealed(signed: Path, sealing: SoftwareSigner, folder: Path) -> bytes:
    return Path(packages.pack([signed], folder / "p.edxml", HEADER, signer=sealing).out).read_bytes()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"000.MAU.01", b"000.MAU.07"),
        (b"<edXML:CodeNumber>07<", b"<edXML:CodeNumber>08<"),
        (b"</AttachmentEncoded>", b"<Attachment/></AttachmentEncoded>"),
        (b"exc-c14n#", b"exc-c14n#WithComments"),
        (b'URI=""', b'URI="#x"'),
        (b"rsa-sha256", b"rsa-sha1"),
        (b"enveloped-signature", b"enveloped-signaturE"),
        (b"<ds:Signature ", b"<ds:Signature/><ds:Signature "),
        (b"</ds:SignatureValue>", b"</ds:SignatureValue><ds:SignatureValue/>"),
        (b"<ds:X509Certificate>M", b"<ds:X509Certificate>N"),
    ],
)
def test_a_signed_package_that_was_changed_is_refused(
    before: bytes, after: bytes, pki: Pki, rsa_signer: SoftwareSigner, signed: Path, tmp_path: Path
) -> None:
    data = _sealed(signed, rsa_signer, tmp_path)
    assert before in data
    changed = tmp_path / "changed.edxml"
    changed.write_bytes(data.replace(before, after))
    try:
        opened = packages.open_package(
            changed, tmp_path / "in", trust=pki.anchors, crls=pki.crls(), signature=True
        )
    except PackageUnfit:
        return
    assert opened.verdict == "fail"
    assert opened.files == ()


def test_a_package_that_has_to_be_signed_and_is_not_is_refused(
    pki: Pki, signed: Path, tmp_path: Path
) -> None:
    packed = packages.pack([signed], tmp_path / "p.edxml", HEADER)
    plain, asked, open_ = (
        packages.open_package(
            Path(packed.out), tmp_path / str(need), trust=pki.anchors, crls=pki.crls(), signature=need
        )
        for need in (False, True, None)
    )
    assert (plain.verdict, asked.verdict, open_.verdict) == ("pass", "fail", "indeterminate")


def test_a_package_whose_signature_was_removed_does_not_pass_unless_unsigned_ones_are_accepted(
    fieldkit: Run, pki: Pki, rsa_signer: SoftwareSigner, signed: Path, tmp_path: Path
) -> None:
    data = _sealed(signed, rsa_signer, tmp_path)
    start, end = data.index(b"<ds:Signature "), data.index(b"</ds:Signature>") + len(b"</ds:Signature>")
    package = tmp_path / "bare.edxml"
    package.write_bytes(data[:start] + data[end:])
    options = _known(pki, tmp_path)
    ran = {
        option: fieldkit(
            "exchange",
            "open",
            package,
            "--out",
            tmp_path / f"in{option}",
            "--json",
            *options,
            *option.split(),
        )
        for option in ("", "--accept-unsigned", "--require-signature")
    }
    assert [(each.status, each.result["verdict"]) for each in ran.values()] == [
        (1, "indeterminate"),
        (0, "pass"),
        (1, "fail"),
    ]
    assert "not signed" in ran[""].out


def _known(pki: Pki, folder: Path) -> list[str | Path]:
    """The options that name the anchor and the revocation lists."""
    (folder / "root.der").write_bytes(pki.anchors[0])
    options: list[str | Path] = ["--trust", folder / "root.der"]
    for number, data in enumerate(pki.crls()):
        (folder / f"{number}.crl").write_bytes(data)
        options += ["--crl", folder / f"{number}.crl"]
    return options


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"</ds:Signature>", b"<ds:Object><edXML>x</edXML></ds:Object></ds:Signature>"),
        (b"</ds:KeyInfo>", b"<edXML:Subject>x</edXML:Subject></ds:KeyInfo>"),
        (b"</ds:KeyInfo>", b"</ds:KeyInfo><ds:Object/>"),
        (b"</ds:X509Data>", b"<x xmlns=''/></ds:X509Data>"),
    ],
)
def test_nothing_hides_in_a_signature_where_nothing_is_signed(
    before: bytes, after: bytes, pki: Pki, rsa_signer: SoftwareSigner, signed: Path, tmp_path: Path
) -> None:
    data = _sealed(signed, rsa_signer, tmp_path)
    changed = tmp_path / "changed.edxml"
    changed.write_bytes(data.replace(before, after, 1))
    opened = packages.open_package(changed, tmp_path / "in", trust=pki.anchors, crls=pki.crls())
    found = {check.id: check.severity for check in opened.checks}
    assert (opened.verdict, found["package-signature"], opened.files) == ("fail", "fail", ())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"</edXML:edXMLEnvelope>", b"</edXML:edXMLEnvelope>{envelope}"),
        (b"</AttachmentEncoded>", b"</AttachmentEncoded>{attachments}"),
        (b"<edXML:edXMLHeader>", b"<edXML:edXMLHeader>{head}"),
        (
            b"</edXML:From>",
            b"</edXML:From><edXML:From><edXML:OrganId>000.MAU.66</edXML:OrganId></edXML:From>",
        ),
        (b"</edXML:Code>", b"</edXML:Code><edXML:Code/>"),
        (b"<AttachmentEncoded>", b"<More>{attachment}</More><AttachmentEncoded>"),
        (b"</Attachment>", b"<AttachmentName>other.pdf</AttachmentName></Attachment>"),
        (b"</Attachment>", b"<ContentTransferEncoded>AAAA</ContentTransferEncoded></Attachment>"),
        (b"<Attachment>", b'<Attachment ContentId="cid:7">'),
        (b"07<", b"0<!-- -->7<"),
    ],
)
def test_what_is_there_twice_is_refused_since_readers_choose_differently(
    before: bytes, after: bytes, pki: Pki, rsa_signer: SoftwareSigner, signed: Path, tmp_path: Path
) -> None:
    plain = Path(packages.pack([signed], tmp_path / "plain.edxml", HEADER).out).read_bytes()
    for name in ("edXML:edXMLEnvelope", "AttachmentEncoded", "edXML:MessageHeader", "Attachment"):
        start = next(re.finditer(rf"<{name}[ >]".encode(), plain)).start()
        end = plain.index(f"</{name}>".encode()) + len(name) + 3
        place = {"edXML:edXMLEnvelope": b"{envelope}", "AttachmentEncoded": b"{attachments}"}
        place |= {"edXML:MessageHeader": b"{head}", "Attachment": b"{attachment}"}
        after = after.replace(place[name], plain[start:end])
    # signed as it is by somebody with a certificate: that it is signed does not make it unambiguous
    sealed = xml_signature.sign(plain.replace(before, after, 1), rsa_signer)
    package = tmp_path / "twice.edxml"
    package.write_bytes(sealed)
    opened = packages.open_package(package, tmp_path / "in", trust=pki.anchors, crls=pki.crls())
    found = {check.id: check.severity for check in opened.checks}
    assert (opened.verdict, found["package"], opened.files) == ("fail", "fail", ())


def test_two_attachments_of_one_name_are_refused(pki: Pki, signed: Path, tmp_path: Path) -> None:
    held = edxml.Attached("a.pdf", signed.read_bytes())
    package = tmp_path / "p.edxml"
    package.write_bytes(edxml.write(edxml.Envelope(HEADER, (held, held))))
    opened = packages.open_package(package, tmp_path / "in", trust=pki.anchors, crls=pki.crls())
    assert "twice the same" in next(each.detail for each in opened.checks if each.id == "package")


def test_a_package_for_several_agencies_is_opened_by_each(pki: Pki, signed: Path, tmp_path: Path) -> None:
    data = Path(packages.pack([signed], tmp_path / "p.edxml", HEADER).out).read_bytes()
    second = b"</edXML:To><edXML:To><edXML:OrganId>000.MAU.03</edXML:OrganId></edXML:To>"
    package = tmp_path / "several.edxml"
    package.write_bytes(data.replace(b"</edXML:To>", second))
    verdicts = [
        packages.open_package(
            package, tmp_path / code, trust=pki.anchors, crls=pki.crls(), receiver=code, signature=False
        ).verdict
        for code in ("000.MAU.02", "000.MAU.03", "000.MAU.04")
    ]
    assert verdicts == ["pass", "pass", "fail"]


@pytest.mark.parametrize(
    ("subject", "asked", "outcome"),
    [
        ({}, {}, "not-checked"),
        ({"OU": "Phòng MẪU"}, {"O": "SAMPLE / MẪU", "OU": "Phòng MẪU"}, "pass"),
        ({"OU": "Phòng khác"}, {"O": "SAMPLE / MẪU", "OU": "Phòng MẪU"}, "fail"),
        ({}, {"OU": "Phòng MẪU"}, "fail"),
        ({"OU": "000.MAU.01"}, {}, "pass"),
        ({}, {"CN": "Trần Văn Khác"}, "not-checked"),
    ],
)
def test_whoever_signed_a_package_is_compared_with_the_agency_that_it_is_from(
    subject: dict[str, str], asked: dict[str, str], outcome: str, pki: Pki, signed: Path, tmp_path: Path
) -> None:
    signer = pki.signer(more=[(NameOID.ORGANIZATIONAL_UNIT_NAME, value) for value in subject.values()])
    senders = {HEADER.sender.code: [Dossier(subject=asked)]} if asked else {}
    packed = packages.pack([signed], tmp_path / "p.edxml", HEADER, signer=signer)
    opened = packages.open_package(
        Path(packed.out), tmp_path / "in", trust=pki.anchors, crls=pki.crls(), senders=senders
    )
    found = {check.id: check.severity for check in opened.checks}
    assert found["package-sender"] == outcome
    assert opened.verdict == ("fail" if outcome == "fail" else "pass")


def test_the_documents_in_a_package_are_judged_by_every_judge_that_is_here(
    pki: Pki, signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = packages.pack([signed], tmp_path / "p.edxml", HEADER)
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "pdfsig").write_text(
        "#!/bin/sh\necho 'Signature #1:'\necho '  - Signature Validation: Digest Mismatch.'\n"
    )
    (folder / "pdfsig").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    opened = packages.open_package(
        Path(packed.out), tmp_path / "in", trust=pki.anchors, crls=pki.crls(), signature=False
    )
    assert opened.verdict == "fail"
    assert "signature-agreement" in {check.id for check in opened.checks}


def test_a_package_signed_under_another_root_is_refused(pki: Pki, signed: Path, tmp_path: Path) -> None:
    stranger = Pki("ANOTHER").signer()
    packed = packages.pack([signed], tmp_path / "p.edxml", HEADER, signer=stranger)
    opened = packages.open_package(Path(packed.out), tmp_path / "in", trust=pki.anchors, crls=pki.crls())
    found = {check.id: check.severity for check in opened.checks}
    assert (opened.verdict, found["package-path"]) == ("fail", "fail")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<edXML:Subject>", b"<edXML:Subject>x</edXML:Subject><edXML:Subject>"),
        (b"2026-11-24</", b"24 thang 11</"),
        (b"QCVN_102_2016", b"QCVN_102_2017"),
        (b"<ContentId>cid:1<", b"<ContentId>cid:2<"),
        (b"<edXML:TraceHeaderList", b"<edXML:TraceList"),
    ],
)
def test_a_package_that_is_not_built_as_it_has_to_be_is_refused(
    before: bytes, after: bytes, pki: Pki, signed: Path, tmp_path: Path
) -> None:
    data = Path(packages.pack([signed], tmp_path / "p.edxml", HEADER).out).read_bytes()
    assert before in data
    wrong = tmp_path / "wrong.edxml"
    made = data.replace(before, after)
    if b"TraceList" in after:
        made = made.replace(b"</edXML:TraceHeaderList", b"</edXML:TraceList")
    wrong.write_bytes(made)
    opened = packages.open_package(wrong, tmp_path / "in", trust=pki.anchors, crls=pki.crls())
    found = {check.id: check.severity for check in opened.checks}
    assert (opened.verdict, found["package"]) == ("fail", "fail")


def test_a_message_from_another_program_is_read(pki: Pki, signed: Path) -> None:
    content = base64.b64encode(signed.read_bytes()).decode()
    data = f"""<?xml version="1.0" encoding="utf-8"?>
    <edXML xmlns="{edxml.NAMESPACE}">
      <e:edXMLEnvelope xmlns:e="{edxml.NAMESPACE}"><e:edXMLHeader>
        <e:MessageHeader>
          <e:From><e:OrganId>000.MAU.05</e:OrganId><e:OrganName>MẪU</e:OrganName></e:From>
          <e:To><e:OrganId>000.MAU.02</e:OrganId></e:To>
          <e:Code><e:CodeNumber>5</e:CodeNumber><e:CodeNotation>CV-MẪU</e:CodeNotation></e:Code>
          <e:PromulgationInfo><e:PromulgationDate>2026/11/24</e:PromulgationDate></e:PromulgationInfo>
          <e:Subject>Mẫu</e:Subject><e:DocumentId>000.MAU.05,2026,5/CV-MẪU</e:DocumentId>
        </e:MessageHeader>
        <e:TraceHeaderList id="1" version="1.0"><e:TraceHeader><e:OrganId>000.MAU.05</e:OrganId>
        </e:TraceHeader></e:TraceHeaderList></e:edXMLHeader>
        <e:edXMLBody><e:edXMLManifest><e:Reference xmlns:x="{edxml.XLINK}" x:href="cid:a7">
          <e:AttachmentName>a.pdf</e:AttachmentName></e:Reference></e:edXMLManifest></e:edXMLBody>
      </e:edXMLEnvelope>
      <AttachmentEncoded><Attachment><ContentId>a7</ContentId><AttachmentName>a.pdf</AttachmentName>
        <ContentTransferEncoded>{content}</ContentTransferEncoded></Attachment></AttachmentEncoded>
    </edXML>"""
    message = edxml.read_envelope(data.encode())
    assert message.faults == ()
    assert message.attachments[0].content == signed.read_bytes()
    assert message.header.notation == "CV-MẪU"


def test_what_failed_is_kept_untranslated_and_read_in_either_language(
    pki: Pki, letter: Path, tmp_path: Path
) -> None:
    packed = packages.pack([letter], tmp_path / "p.edxml", HEADER)
    opened = packages.open_package(Path(packed.out), tmp_path / "in", trust=pki.anchors)
    failed = [check for check in opened.checks if check.severity == "fail"]
    assert failed
    for check in failed:
        assert str(check.message.render("en")) not in check.detail
        assert not any(str(value) == check.message.render("en") for value in check.message.params.values())


def test_an_answer_that_is_none_is_refused_in_words() -> None:
    for data in (b"", b"<edXML/>", b"<!DOCTYPE x []><x/>"):
        with pytest.raises(PackageUnfit):
            edxml.read_status(data)


def test_a_package_beyond_the_limit_is_not_even_parsed(
    pki: Pki, signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = packages.pack([signed], tmp_path / "p.edxml", HEADER)
    monkeypatch.setattr(safe_xml, "LARGEST", 10_000)
    with pytest.raises(PackageUnfit, match="too large"):
        packages.open_package(Path(packed.out), tmp_path / "in", trust=pki.anchors)


def test_the_signature_of_a_package_is_never_looked_for_in_dangerous_xml() -> None:
    for data in (b'<!DOCTYPE x [<!ENTITY a "a">]><x>&a;</x>', b"<a>" * 500 + b"</a>" * 500):
        with pytest.raises(PackageUnfit):
            xml_signature.verify(data, trust=(), policy=Policy(), required=False)


def test_bytes_changed_in_a_signed_package_never_pass_for_something_else(
    pki: Pki, ec_signer: SoftwareSigner, signed: Path, tmp_path: Path
) -> None:
    data = _sealed(signed, ec_signer, tmp_path)
    original, path = edxml.read_envelope(data), tmp_path / "hurt.edxml"
    alone = functools.partial(validate, trust=pki.anchors, crls=pki.crls())
    # most of a package is one long base64 text; what matters is mostly elsewhere
    start, end = data.index(b"<ContentTransferEncoded>"), data.index(b"</ContentTransferEncoded>")
    places = st.one_of(st.integers(0, start), st.integers(end, len(data) - 1), st.integers(0, len(data) - 1))

    @settings(max_examples=120, deadline=None, database=None, derandomize=True)
    @given(st.dictionaries(places, st.integers(1, 255), min_size=1, max_size=3))
    def flips(changes: dict[int, int]) -> None:
        made = bytearray(data)
        for at, by in changes.items():
            made[at] ^= by
        path.write_bytes(made)
        with tempfile.TemporaryDirectory() as folder:
            try:
                opened = packages.open_package(
                    path, Path(folder), trust=pki.anchors, crls=pki.crls(), signature=True, judge=alone
                )
            except FieldkitError:
                return
            if opened.verdict == "pass":
                again = edxml.read_envelope(bytes(made))
                assert (again.header, again.attachments) == (original.header, original.attachments)

    flips()

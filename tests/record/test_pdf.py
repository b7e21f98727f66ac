"""A record's PDF is taken apart: its attachments, what stands over its pages, its signatures, their bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from fieldkit.action.trust_material import TrustMaterial
from fieldkit.pdf.errors import DocumentUnfit
from fieldkit.record import pdf
from fieldkit.record.content import LARGEST, RecordContent, encode
from fieldkit.record.errors import RecordUnreadable
from fieldkit.record.handover import sign_record
from fieldkit.record.pdf import RecordField
from fieldkit.record.render import ATTACHMENT, Rendered, render
from fieldkit.record.signing import sign_for
from tests.pki import Pki, SoftwareSigner
from tests.record import forging
from tests.record.sample import handing_over


@pytest.fixture(scope="module")
def content(officer: SoftwareSigner) -> RecordContent:
    return handing_over(officer.certificate)


@pytest.fixture(scope="module")
def rendered(content: RecordContent) -> Rendered:
    return render(content)


@pytest.fixture(scope="module")
def signed(
    content: RecordContent,
    rendered: Rendered,
    officer: SoftwareSigner,
    material: TrustMaterial,
    tmp_path_factory: pytest.TempPathFactory,
) -> bytes:
    folder = tmp_path_factory.mktemp("signed")
    return sign_record(content, rendered, officer, folder, material).read_bytes()


def test_paper_and_signatures_are_told_apart(
    content: RecordContent,
    rendered: Rendered,
    signed: bytes,
    officer: SoftwareSigner,
    pki: Pki,
    tmp_path: Path,
) -> None:
    first, second = tmp_path / "first.pdf", tmp_path / "second.pdf"
    first.write_bytes(signed)
    giver = pki.signer("Somebody Else")
    sign_for("giver", content, rendered.places, first, second, giver)
    record = pdf.read(second.read_bytes(), "record.pdf")
    assert record.attached == ((ATTACHMENT, encode(content)),)
    assert record.loose == ""
    assert [(each.field, each.start, each.end, each.certificate) for each in record.revisions] == [
        ("Receiver", len(rendered.pdf), len(signed), officer.certificate),
        ("Giver", len(signed), second.stat().st_size, giver.certificate),
    ]
    expected = [
        RecordField(name, rendered.places[party].page, tuple(map(float, rendered.places[party].box)))
        for party, name in (("receiver", "Receiver"), ("giver", "Giver"))
    ]
    assert sorted(record.fields, key=lambda field: field.name) == expected[::-1]


def test_a_letter_has_nothing_of_a_record() -> None:
    import typst

    assert pdf.read(typst.compile(b"A letter"), "letter.pdf") == pdf.RecordPdf((), (), (), "")


def test_what_stands_over_a_page_has_a_name_only_as_a_signature_field(rendered: Rendered) -> None:
    def widget(**members: str) -> forging.Change:
        def change(writer: IncrementalPdfFileWriter) -> None:
            annotation = generic.DictionaryObject(
                {generic.NameObject(f"/{key}"): generic.NameObject(value) for key, value in members.items()}
            )
            annotation[generic.NameObject("/Rect")] = generic.ArrayObject(
                map(generic.NumberObject, (1, 2, 3, 4))
            )
            page = writer.find_page_for_modification(0)[0].get_object()
            page[generic.NameObject("/Annots")] = generic.ArrayObject([writer.add_object(annotation)])
            writer.update_container(page)

        return change

    for name, members in (
        ("/N", {"Subtype": "/Widget", "FT": "/Sig", "T": "/N"}),
        ("", {"Subtype": "/Widget", "FT": "/Sig"}),
        ("", {"Subtype": "/Widget", "FT": "/Tx", "T": "/N"}),
        ("", {"Subtype": "/Stamp", "FT": "/Sig", "T": "/N"}),
        ("", {"Subtype": "/Widget", "T": "/N"}),
    ):
        record = pdf.read(forging.appended(rendered.pdf, widget(**members)), "record.pdf")
        assert record.fields == (RecordField(name, 0, (1, 2, 3, 4)),), members


def _attaching(change: Callable[[IncrementalPdfFileWriter, Any], None]) -> forging.Change:
    """Changes the tree that names the attachments."""

    def changing(writer: IncrementalPdfFileWriter) -> None:
        names = writer.root["/Names"]
        change(writer, names)
        writer.update_root()

    return changing


def nested(levels: int) -> forging.Change:
    """The attachments' names so many levels further down."""

    def change(writer: IncrementalPdfFileWriter, names: Any) -> None:
        for _ in range(levels):
            kids = generic.ArrayObject([writer.add_object(names["/EmbeddedFiles"])])
            names[generic.NameObject("/EmbeddedFiles")] = generic.DictionaryObject(
                {generic.NameObject("/Kids"): kids}
            )

    return _attaching(change)


def test_attachments_are_read_wherever_the_tree_names_them(rendered: Rendered) -> None:
    record = pdf.read(forging.appended(rendered.pdf, forging.second_attachment), "record.pdf")
    assert record.attached == ((ATTACHMENT, rendered.json), ("other.json", b"{}"))
    assert pdf.read(forging.appended(rendered.pdf, nested(16)), "record.pdf").attached == record.attached[:1]
    with pytest.raises(RecordUnreadable) as refused:
        pdf.read(forging.appended(rendered.pdf, nested(17)), "record.pdf")
    assert "list of attached files" in refused.value.message.render("en")


def test_a_list_of_attachments_with_a_name_and_no_file_is_damaged(rendered: Rendered) -> None:
    def change(_: IncrementalPdfFileWriter, names: Any) -> None:
        names["/EmbeddedFiles"]["/Names"].append(generic.pdf_string("alone"))

    with pytest.raises(DocumentUnfit):
        pdf.read(forging.appended(rendered.pdf, _attaching(change)), "record.pdf")


def test_an_attachment_is_no_larger_than_a_records_data(rendered: Rendered) -> None:
    def sized(size: int) -> forging.Change:
        def change(writer: IncrementalPdfFileWriter, names: Any) -> None:
            spec = names["/EmbeddedFiles"]["/Names"][1]
            stream = generic.StreamObject(stream_data=b"x" * size)
            spec["/EF"][generic.NameObject("/F")] = writer.add_object(stream)
            writer.update_container(spec)

        return _attaching(change)

    record = pdf.read(forging.appended(rendered.pdf, sized(LARGEST)), "record.pdf")
    assert record.attached == ((ATTACHMENT, b"x" * LARGEST),)
    with pytest.raises(RecordUnreadable) as refused:
        pdf.read(forging.appended(rendered.pdf, sized(LARGEST + 1)), "record.pdf")
    assert "too large" in refused.value.message.render("en")


def test_what_follows_the_last_signature_is_said(rendered: Rendered, signed: bytes) -> None:
    assert pdf.read(rendered.pdf, "record.pdf").loose == ""
    assert pdf.read(signed + b"% more\n", "record.pdf").loose == "Receiver: end"
    revised = forging.appended(signed, forging.title)
    assert revised.endswith(b"%%EOF\n")
    assert pdf.read(revised, "record.pdf").loose == ""
    for after in (b"", b"\n% more\n"):
        assert pdf.read(revised[:-1] + after, "record.pdf").loose == "end"


def _moved(signed: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The file with another moment at its signature, in as many bytes."""
    start = signed.rindex(b"/M (D\\072") + 9
    end = signed.index(b")", start)
    moment = change(signed[start:end])
    return signed[:start] + (moment + b")").ljust(end - start + 1) + signed[end + 1 :]


def test_a_signature_says_when_and_where_it_was_made(signed: bytes) -> None:
    turn = pdf.read(_moved(signed, lambda moment: b"2000" + moment[4:]), "record.pdf")
    assert [revision.at.year for revision in turn.revisions] == [2000]
    for change in (
        lambda moment: b"1999" + moment[4:],
        lambda moment: moment[:14],  # of which zone?
    ):
        with pytest.raises(RecordUnreadable) as refused:
            pdf.read(_moved(signed, change), "record.pdf")
        assert "when it was made" in refused.value.message.render("en")


def _held(signed: bytes) -> tuple[int, int, bytes]:
    """Where a signature's own bytes are, and what they say."""
    start = signed.rindex(b"/Contents <") + 11
    end = signed.index(b">", start)
    return start, end, bytes.fromhex(signed[start:end].decode())


def _holding(signed: bytes, held: bytes) -> bytes:
    start, end, before = _held(signed)
    assert len(held) == len(before)
    return signed[:start] + held.hex().upper().encode() + signed[end:]


def test_a_signatures_bytes_are_written_in_one_way(signed: bytes) -> None:
    start, end, held = _held(signed)
    lower = signed[:start] + held.hex().encode() + signed[end:]
    filled = _holding(signed, held[:-1] + b"\1")
    for data in (lower, filled):
        assert pdf.read(data, "record.pdf").loose == "Receiver: hex"


def test_what_no_check_reads_in_a_signature_is_as_it_has_to_be(signed: bytes) -> None:
    _, _, held = _held(signed)
    info = cms.ContentInfo.load(held)
    data = info["content"]
    (signer,) = data["signer_infos"]
    one, two = (attribute.dump() for attribute in list(signer["signed_attrs"])[:2])
    sha256, sha512 = bytes.fromhex("608648016503040201"), bytes.fromhex("608648016503040203")
    version = data["version"].dump()
    changes = [
        (one + two, two + one),
        (version, version[:-1] + b"\4"),
        (data["digest_algorithms"].dump(), data["digest_algorithms"].dump().replace(sha256, sha512)),
        (bytes.fromhex("2a864886f70d010701"), bytes.fromhex("2a864886f70d010705")),
        (
            signer["digest_algorithm"].dump() + b"\xa0",
            signer["digest_algorithm"].dump().replace(sha256, sha512) + b"\xa0",
        ),
        (signer.dump()[:7], signer.dump()[:6] + b"\3"),
    ]
    for before, after in changes:
        assert before in held
        assert (
            pdf.read(_holding(signed, held.replace(before, after, 1)), "record.pdf").loose == "Receiver: cms"
        )


@pytest.mark.parametrize("part", ["subject", "issuer", "key"])
def test_a_certificate_that_cannot_be_read_in_every_part_is_refused(
    signed: bytes, officer: SoftwareSigner, part: str
) -> None:
    _, _, held = _held(signed)
    certificate = cms.Certificate.load(officer.certificate)
    body = certificate["tbs_certificate"]
    if part == "key":
        before = bytes.fromhex("2a864886f70d010101")
        after = bytes.fromhex("2a864886f70d01017f")
    else:
        before = body[part].dump()
        after = before[:-1] + b"\xff"
    changed = officer.certificate.replace(before, after, 1)
    assert changed != officer.certificate
    held = held.replace(before, after) if part == "issuer" else held.replace(officer.certificate, changed)
    with pytest.raises((DocumentUnfit, RecordUnreadable)):
        pdf.read(_holding(signed, held), "record.pdf")

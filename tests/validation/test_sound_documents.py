"""Documents that the standard allows and careful parsers stumble over are signed, again too, and judged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name

from fieldkit.signature import preflight, sign
from fieldkit.validation import quorum, validate
from tests import papers
from tests.pki import Pki, SoftwareSigner
from tests.validation import forgery, revision


def broken_xmp(writer: Any, page: Any, nowhere: Any) -> None:
    held = generic.StreamObject(stream_data=b"<?xpacket begin='' <x:xmpmeta")
    held[pdf_name("/Type")], held[pdf_name("/Subtype")] = pdf_name("/Metadata"), pdf_name("/XML")
    writer.root["/Metadata"] = writer.add_object(held)


def form(writer: Any, page: Any, nowhere: Any) -> None:
    entries = {pdf_name("/Fields"): generic.ArrayObject(), pdf_name("/DR"): nowhere}
    writer.root["/AcroForm"] = generic.DictionaryObject(entries)


def annotation(writer: Any, page: Any, nowhere: Any) -> None:
    page["/Annots"] = generic.ArrayObject([nowhere])


def font(writer: Any, page: Any, nowhere: Any) -> None:
    page["/Resources"] = generic.DictionaryObject({pdf_name("/Font"): nowhere})


def annotations(writer: Any, page: Any, nowhere: Any) -> None:
    page["/Annots"] = nowhere


def field(writer: Any, page: Any, nowhere: Any) -> None:
    writer.root["/AcroForm"] = generic.DictionaryObject({pdf_name("/Fields"): generic.ArrayObject([nowhere])})


def at_root(name: str) -> Callable[[Any, Any, Any], None]:
    def put(writer: Any, page: Any, nowhere: Any) -> None:
        writer.root[name] = nowhere

    return put


@pytest.mark.parametrize(
    "odd",
    [
        broken_xmp,
        form,
        annotation,
        font,
        annotations,
        field,
        *map(at_root, ("/Outlines", "/AcroForm", "/Metadata", "/Names", "/Perms")),
    ],
)
def test_a_reference_to_what_is_nowhere_means_null_and_hinders_no_signature(
    odd: Callable[[Any, Any, Any], None], pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    def change(writer: Any) -> None:
        reference, _ = writer.find_page_for_modification(0)
        odd(writer, reference.get_object(), generic.IndirectObject(999, 0, writer))
        writer.mark_update(reference)
        writer.update_root()

    letter.write_bytes(forgery.later(letter.read_bytes(), change))
    once, twice = tmp_path / "once.pdf", tmp_path / "twice.pdf"
    assert preflight.preflight(letter).verdict == "ready"
    sign.sign(letter, once, rsa_signer)
    sign.sign(once, twice, rsa_signer)
    judged = quorum.judge(twice, pki.anchors, pki.crls())
    assert judged.verdict == "pass", judged
    assert [each.verdict for each in judged.signatures] == ["pass", "pass"]


@pytest.mark.parametrize("nothing", [b"/Info null", b"/Info 998 0 R"])
def test_information_that_is_nothing_hinders_no_signature(
    nothing: bytes, pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    letter.write_bytes(revision.appended(letter.read_bytes(), {997: b"<<>>"}, trailer=nothing, known=999))
    signed = tmp_path / "signed.pdf"
    assert preflight.preflight(letter).verdict == "ready"
    sign.sign(letter, signed, rsa_signer)
    assert quorum.judge(signed, pki.anchors, pki.crls()).verdict == "pass"


def test_what_was_nowhere_and_is_brought_in_later_is_a_change(
    pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    def before(writer: Any) -> None:
        reference, _ = writer.find_page_for_modification(0)
        annotation(writer, reference.get_object(), generic.IndirectObject(999, 0, writer))
        writer.mark_update(reference)

    letter.write_bytes(forgery.later(letter.read_bytes(), before))
    signed = tmp_path / "signed.pdf"
    sign.sign(letter, signed, rsa_signer)
    data = signed.read_bytes()
    start = len(data) + 1
    size = int(data.rpartition(b"/Size ")[2].split()[0].split(b"/")[0])
    root = data.rpartition(b"/Root ")[2].split(b" R")[0]
    table = int(data.rpartition(b"startxref")[2].split()[0])
    brought = (
        b"\n999 0 obj\n<</Type/Annot/Subtype/FreeText/Rect[0 0 500 700]/Contents(x)/DA(/F 9 Tf)>>\nendobj\n"
    )
    at = len(data) + len(brought)
    brought += b"xref\n0 0\n999 1\n%010d 00000 n \ntrailer\n" % start
    brought += b"<</Size %d/Root %s R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (
        max(size, 1000),
        root,
        table,
        at,
    )
    signed.write_bytes(data + brought)
    judged = validate.validate(signed, trust=pki.anchors, crls=pki.crls())
    assert {each.id: each.severity for each in judged.signatures[0].checks}["coverage"] == "fail"


def test_a_hybrid_document_that_is_signed_already_can_be_signed_further_and_an_unsigned_one_is_rewritten(
    pki: Pki, rsa_signer: SoftwareSigner, tmp_path: Path
) -> None:
    plain, signed, further = (tmp_path / f"{name}.pdf" for name in ("plain", "signed", "further"))
    plain.write_bytes(papers.hybrid())
    assert preflight.preflight(plain).verdict == "rewrite"
    signed.write_bytes(forgery.signed(papers.hybrid(), rsa_signer, strict=False))
    assert preflight.preflight(signed).verdict == "ready"
    sign.sign(signed, further, rsa_signer)
    judged = quorum.judge(further, pki.anchors, pki.crls())
    assert [each.verdict for each in judged.signatures] == ["pass", "pass"], judged

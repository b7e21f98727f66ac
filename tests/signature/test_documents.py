"""Every build of document that offices meet: signed, stamped where people see it, earlier signatures kept."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader

from fieldkit.errors import FieldkitError
from fieldkit.pdf.errors import DocumentLocked, FieldUnfit
from fieldkit.profile.rules import RuleSet
from fieldkit.secret import Secret
from fieldkit.signature import batch, permission, sign
from fieldkit.signature.preflight import preflight, rewrite
from fieldkit.stamp import place
from fieldkit.validation import quorum, validate
from fieldkit.yaml_model import load
from tests import papers
from tests.conftest import REPOSITORY
from tests.pki import Pki, SoftwareSigner

A4 = ("210mm", "297mm")
AT = datetime(2026, 11, 24, 3, 3, 19, tzinfo=UTC)
SHOWN_TIME = "2026-11-24T10:03:19+07:00"


@pytest.fixture(scope="session")
def rules() -> RuleSet:
    found = load(REPOSITORY / "profiles" / "rules" / "nd30-2020.yaml", RuleSet)
    assert isinstance(found, RuleSet)
    return found


@pytest.fixture(scope="session")
def plain() -> bytes:
    """An A4 page with title and name."""
    return papers.letter_on(*A4)


BUILDS: dict[str, Callable[[Path, bytes], bytes]] = {
    "turned by 90": lambda _, __: papers.letter_on(*A4, turn=90),
    "turned by 180": lambda _, __: papers.letter_on(*A4, turn=180),
    "turned by 270": lambda _, __: papers.letter_on(*A4, turn=270),
    "cropped": lambda _, plain: papers.with_page(plain, CropBox=[150, 20, 580, 500]),
    "turned and cropped": lambda _, __: papers.with_page(
        papers.letter_on(*A4, turn=90), CropBox=[300, 50, 820, 580]
    ),
    "with its corner elsewhere": lambda _, plain: papers.with_page(plain, MediaBox=[-50, -60, 595, 842]),
    "in larger units": lambda _, plain: papers.with_page(plain, UserUnit=2),
    "five metres wide": lambda _, __: papers.letter_on("5000mm", "5000mm", "200pt", "100mm"),
    "linearised": lambda folder, plain: papers.built(folder, plain, "--linearize"),
    "with object streams": lambda folder, plain: papers.built(folder, plain, "--object-streams=generate"),
}


@pytest.mark.parametrize("build", BUILDS)
def test_the_stamp_stands_upright_between_title_and_name_as_people_see_the_page(
    build: str, plain: bytes, rules: RuleSet, pki: Pki, rsa_signer: SoftwareSigner, tmp_path: Path
) -> None:
    source, out, marked = tmp_path / "in.pdf", tmp_path / "out.pdf", tmp_path / "marked.pdf"
    source.write_bytes(BUILDS[build](tmp_path, plain))
    person, attachment = rules.stamp("person"), rules.stamp("attachment")
    assert person is not None
    assert attachment is not None
    look = batch.StampSpec(person, name=papers.NAME, title=papers.TITLE)
    text = batch.StampSpec(attachment, number="07/PL", at=AT)

    assert preflight(source).verdict == "ready"
    signed = batch.sign_one(batch.SigningJob(source, out), rsa_signer, stamp_spec=look)
    batch.sign_one(batch.SigningJob(source, marked), rsa_signer, stamp_spec=text)

    assert not [check for check in signed.checks if check.id == "stamp-place"]
    judged = quorum.judge(out, pki.anchors, pki.crls())
    assert judged.verdict == "pass", judged
    (page,) = place.pages(source)
    words = {word.text: word for word in page.words}
    spot, found = look.spot(source)
    left, top, right, bottom = page.sheet.seen(spot.box)
    name = words["Mẫu"], words["Nguyễn"]
    assert found
    assert abs((left + right) / 2 - (name[0].right + name[1].left) / 2) < 3
    assert words["TRƯỞNG"].bottom - 2 < top < bottom < name[0].top + 2
    (page,) = place.pages(marked)
    shown = next(word for word in page.words if word.text == SHOWN_TIME)
    assert shown.right - shown.left > 4 * (shown.bottom - shown.top)  # a line that reads from left to right
    assert shown.left > page.width / 2 or page.width < 450
    assert shown.top < page.height / 2


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "2.0"])
def test_every_version_of_pdf_is_signed_so_that_all_judges_agree(
    version: str, plain: bytes, pki: Pki, rsa_signer: SoftwareSigner, tmp_path: Path
) -> None:
    source, out = tmp_path / "in.pdf", tmp_path / "out.pdf"
    source.write_bytes(
        papers.built(tmp_path, plain, "--object-streams=disable", f"--force-version={version}")
    )
    assert source.read_bytes().startswith(f"%PDF-{version}".encode())

    sign.sign(source, out, rsa_signer)

    judged = quorum.judge(out, pki.anchors, pki.crls())
    assert judged.verdict == "pass", judged
    assert subprocess.run(["qpdf", "--check", out], capture_output=True).returncode == 0


@pytest.mark.parametrize("size", [("12mm", "9mm"), ("3pt", "3pt")])
def test_a_page_smaller_than_the_stamp_is_signed_with_the_stamp_cut_to_it(
    size: tuple[str, str], rules: RuleSet, pki: Pki, rsa_signer: SoftwareSigner, tmp_path: Path
) -> None:
    source, out = tmp_path / "in.pdf", tmp_path / "out.pdf"
    source.write_bytes(papers.letter_on(*size, "1pt", "1pt"))
    rule = rules.stamp("agency")
    assert rule is not None

    batch.sign_one(
        batch.SigningJob(source, out), rsa_signer, stamp_spec=batch.StampSpec(rule, name=papers.NAME)
    )

    assert validate.validate(out, trust=pki.anchors, crls=pki.crls()).verdict == "pass"


def test_a_hybrid_document_is_refused_as_it_is_and_signed_after_the_rewrite_that_was_agreed(
    pki: Pki, rsa_signer: SoftwareSigner, tmp_path: Path
) -> None:
    source, out = tmp_path / "office.pdf", tmp_path / "out.pdf"
    source.write_bytes(papers.hybrid())
    before = source.read_bytes()

    looked = preflight(source)
    with pytest.raises(DocumentLocked, match="hybrid"):
        sign.sign(source, out, rsa_signer)
    signed = batch.sign_one(batch.SigningJob(source, out, rewrite=True), rsa_signer)

    assert looked.verdict == "rewrite"
    assert isinstance(looked.problem, DocumentLocked)
    assert signed.checks[0].id == "rewritten"
    assert source.read_bytes() == before
    assert quorum.judge(out, pki.anchors, pki.crls()).verdict == "pass"


def test_no_rewrite_is_offered_that_would_not_help(tmp_path: Path) -> None:
    source = tmp_path / "empty.pdf"
    source.write_bytes(b"%PDF-1.4\n%%EOF\n")
    assert preflight(source).verdict == "no"


def test_a_document_that_would_lose_the_signature_in_silence_is_found_out_before_the_pin(
    plain: bytes, rsa_signer: SoftwareSigner, tmp_path: Path
) -> None:
    source, out = tmp_path / "size.pdf", tmp_path / "out.pdf"
    flat = papers.built(tmp_path, plain, "--object-streams=disable")
    at = flat.rindex(b"/Size ") + 6
    source.write_bytes(flat[:at] + b"3".ljust(flat.index(b" ", at) - at) + flat[flat.index(b" ", at) :])

    looked = preflight(source)
    try:
        sign.sign(source, out, rsa_signer)
    except FieldkitError:
        assert not out.exists()
        assert looked.verdict != "ready"
    else:
        assert looked.verdict == "ready"


@pytest.mark.parametrize("permission", [2, 3])
def test_a_certified_document_takes_a_signature_in_a_field_it_has_and_no_new_field(
    permission: int, plain: bytes, pki: Pki, ec_signer: SoftwareSigner, tmp_path: Path
) -> None:
    source, out = tmp_path / "certified.pdf", tmp_path / "out.pdf"
    prepared = papers.fields(plain, "Author", "Approval", box=(100, 400, 250, 460))
    source.write_bytes(papers.certified(prepared, pki.signer(), permission))

    looked = preflight(source)
    refused = preflight(source, field="Another")
    with pytest.raises(DocumentLocked):
        sign.sign(source, out, ec_signer, field="Another")
    with pytest.raises(DocumentLocked):
        sign.sign(source, out, ec_signer, reserve=[sign.Reserved("Agency")])
    assert ec_signer.asked == [] or not out.exists()
    signed = sign.sign(source, out, ec_signer)

    assert (looked.verdict, looked.field) == ("ready", "Approval"), looked
    assert refused.verdict == "no"
    assert signed.field == "Approval"
    assert "earlier-signatures" in [check.id for check in signed.checks]
    judged = quorum.judge(out, pki.anchors, pki.crls())
    assert judged.verdict == "pass", judged
    assert [each.verdict for each in judged.signatures] == ["pass", "pass"]


@pytest.mark.parametrize(("permission", "fields"), [(1, ("Author", "Approval")), (2, ("Author",))])
def test_a_certified_document_that_allows_nothing_more_is_told_before_any_key_is_used(
    permission: int,
    fields: tuple[str, ...],
    plain: bytes,
    pki: Pki,
    tmp_path: Path,
) -> None:
    source, signer = tmp_path / "certified.pdf", pki.signer()
    source.write_bytes(papers.certified(papers.fields(plain, *fields), pki.signer(), permission))

    looked = preflight(source)
    with pytest.raises(DocumentLocked) as caught:
        sign.sign(source, tmp_path / "out.pdf", signer)

    assert looked.verdict == "no"
    assert isinstance(looked.problem, DocumentLocked)
    assert caught.value.status == 3
    assert signer.asked == []
    with pytest.raises(DocumentLocked):
        rewrite(source, tmp_path / "rewritten.pdf")


def test_a_signed_document_is_signed_again_and_the_first_signature_holds(
    plain: bytes, pki: Pki, rsa_signer: SoftwareSigner, ec_signer: SoftwareSigner, tmp_path: Path
) -> None:
    source, once, twice = tmp_path / "in.pdf", tmp_path / "once.pdf", tmp_path / "twice.pdf"
    source.write_bytes(plain)
    sign.sign(source, once, rsa_signer)

    signed = sign.sign(once, twice, ec_signer)

    assert signed.field == "Signature2"
    assert twice.read_bytes().startswith(once.read_bytes())
    judged = quorum.judge(twice, pki.anchors, pki.crls())
    assert [each.verdict for each in judged.signatures] == ["pass", "pass"]


def test_a_signature_that_locked_its_document_is_not_broken_by_another(
    plain: bytes, pki: Pki, rsa_signer: SoftwareSigner, tmp_path: Path
) -> None:
    """The lock of a field forbids what the certification above did not speak of."""
    from io import BytesIO

    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign.fields import (
        FieldMDPAction,
        FieldMDPSpec,
        SigFieldSpec,
        append_signature_field,
    )
    from pyhanko.sign.signers import PdfSignatureMetadata, sign_pdf

    from fieldkit.signature.signer import TokenSigner

    writer = IncrementalPdfFileWriter(BytesIO(papers.fields(plain, "Second")))
    lock = FieldMDPSpec(FieldMDPAction.INCLUDE, fields=["Second"])
    append_signature_field(writer, SigFieldSpec("First", field_mdp_spec=lock))
    meta = PdfSignatureMetadata(field_name="First", md_algorithm="sha256", signer_key_usage=set())
    source, out = tmp_path / "locked.pdf", tmp_path / "out.pdf"
    source.write_bytes(sign_pdf(writer, meta, TokenSigner(pki.signer())).getvalue())

    with pytest.raises(DocumentLocked, match="First"):
        sign.sign(source, out, rsa_signer, field="Second")

    assert not out.exists()


def test_a_stamp_fills_the_field_that_is_there_and_a_field_without_a_place_takes_none(
    plain: bytes, rules: RuleSet, rsa_signer: SoftwareSigner, tmp_path: Path
) -> None:
    rule = rules.stamp("attachment")
    assert rule is not None
    visible, hidden, out = tmp_path / "visible.pdf", tmp_path / "hidden.pdf", tmp_path / "out.pdf"
    visible.write_bytes(papers.fields(plain, "Box", box=(60, 300, 300, 360)))
    hidden.write_bytes(papers.fields(plain, "Box"))
    look = batch.StampSpec(rule, number="07/PL", at=AT)

    batch.sign_one(batch.SigningJob(visible, out), rsa_signer, stamp_spec=look, field="Box")
    with pytest.raises(FieldUnfit, match="no place"):
        batch.sign_one(
            batch.SigningJob(hidden, tmp_path / "none.pdf"), rsa_signer, stamp_spec=look, field="Box"
        )

    (page,) = place.pages(out)
    shown = next(word for word in page.words if word.text == SHOWN_TIME)
    assert 60 <= shown.left < shown.right <= 301
    assert 300 <= page.height - shown.bottom < page.height - shown.top <= 361
    assert not (tmp_path / "none.pdf").exists()


@pytest.mark.parametrize("bits", [["40"], ["128", "--use-aes=y"], ["256"]])
def test_an_encrypted_document_is_stamped_by_its_text_and_signed_with_its_password(
    bits: list[str], plain: bytes, rules: RuleSet, pki: Pki, rsa_signer: SoftwareSigner, tmp_path: Path
) -> None:
    source, locked, out = tmp_path / "in.pdf", tmp_path / "locked.pdf", tmp_path / "out.pdf"
    source.write_bytes(plain)
    weak = ["--allow-weak-crypto"] if bits != ["256"] else []
    subprocess.run(["qpdf", *weak, "--encrypt", "mat-khau", "owner", *bits, "--", source, locked], check=True)
    rule = rules.stamp("person")
    assert rule is not None
    password = Secret("mat-khau")
    look = batch.StampSpec(rule, name=papers.NAME, title=papers.TITLE)

    assert preflight(locked).problem is not None
    assert preflight(locked, password=password).verdict == "ready"
    signed = batch.sign_one(batch.SigningJob(locked, out), rsa_signer, stamp_spec=look, password=password)

    assert "stamp-place" not in [check.id for check in signed.checks]
    assert look.spot(locked, password) == look.spot(source)
    judged = validate.validate(out, trust=pki.anchors, crls=pki.crls(), password=password)
    assert judged.verdict == "pass"


def test_a_person_then_a_seal_beside_it_on_every_page_that_is_turned(
    rules: RuleSet, pki: Pki, rsa_signer: SoftwareSigner, ec_signer: SoftwareSigner, tmp_path: Path
) -> None:
    source, person, sealed = tmp_path / "in.pdf", tmp_path / "person.pdf", tmp_path / "sealed.pdf"
    source.write_bytes(papers.letter_on(*A4, turn=270))
    first, second = rules.stamp("person"), rules.stamp("agency")
    assert first is not None
    assert second is not None

    one = batch.sign_one(
        batch.SigningJob(source, person),
        rsa_signer,
        stamp_spec=batch.StampSpec(first, name=papers.NAME, title=papers.TITLE, seal=second),
    )
    two = batch.sign_one(batch.SigningJob(person, sealed), ec_signer, stamp_spec=batch.StampSpec(second))

    assert (one.field, two.field) == ("Person", "Agency")
    judged = quorum.judge(sealed, pki.anchors, pki.crls())
    assert judged.verdict == "pass", judged
    sheet = place.pages(sealed)[0].sheet
    spots = {each.name: each.place for each in _fields(sealed)}
    assert spots["Person"] is not None
    assert spots["Agency"] is not None
    left, _, right, _ = sheet.seen(spots["Person"].box)
    seal_left, seal_top, seal_right, seal_bottom = sheet.seen(spots["Agency"].box)
    assert abs((seal_right - left) / (right - left) - 0.33) < 0.03
    assert abs(seal_right - seal_left - sheet.units(36)) <= 1
    assert abs(seal_bottom - seal_top - sheet.units(36)) <= 1


def _fields(path: Path) -> tuple[permission.SignatureField, ...]:
    with path.open("rb") as file:
        return permission.standing(PdfFileReader(file), path.name).fields

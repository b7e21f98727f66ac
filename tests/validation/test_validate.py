"""Each claim on a signature: good ones pass, bad ones are found out, open ones say what would settle them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import msgspec
import pytest
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter

from fieldkit.errors import FieldkitError
from fieldkit.profile.rules import RuleSet, StampRule
from fieldkit.signature import sign
from fieldkit.signature.sign import Reserved
from fieldkit.stamp import place, placement
from fieldkit.stamp.place import Place
from fieldkit.stamp.stamp import draw
from fieldkit.text import Words
from fieldkit.validation import quorum
from fieldkit.validation.judgement import Judgement, Policy, shape
from fieldkit.validation.validate import validate
from tests import papers
from tests.pki import DAY, NOW, Pki, SoftwareSigner, only_encipherment
from tests.validation import forgery, revision

Change = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def signed_bytes(rsa_signer: SoftwareSigner, letter_bytes: bytes) -> bytes:
    """A letter with a form field, signed."""
    return forgery.signed(forgery.with_text_field(letter_bytes), rsa_signer)


def put(folder: Path, data: bytes, name: str = "judged.pdf") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def words(found: Judgement, number: int = 0) -> dict[str, str]:
    """Check to verdict of one signature."""
    return {check.id: check.severity for check in found.signatures[number].checks}


def test_a_good_signature_passes_every_required_claim(pki: Pki, signed_bytes: bytes, tmp_path: Path) -> None:
    found = validate(put(tmp_path, signed_bytes), trust=pki.anchors, crls=pki.crls())
    assert found.verdict == "pass"
    expected = ["integrity", "coverage", "attributes", "algorithm", "dates", "usage", "path", "revocation"]
    assert words(found) == dict.fromkeys(expected, "pass") | {"timestamp": "not-checked"}


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (forgery.written_over, "coverage"),
        (forgery.replaced, "coverage"),
        (forgery.swapped, "coverage"),
        (forgery.hidden, "coverage"),
        (forgery.annotated, "coverage"),
        (forgery.without_byte_range, "structure"),
        (lambda data: forgery.with_byte_range(data, "0 10 20 30"), "integrity"),
        (lambda data: forgery.with_byte_range(data, "0 0 0 0"), "integrity"),
        (lambda data: forgery.with_byte_range(data, "0 -1 9 -9"), "integrity"),
        (lambda data: forgery.with_byte_range(data, "0 9 99999999 9"), "integrity"),
        (lambda data: forgery.with_contents(data, ""), "structure"),
        (lambda data: forgery.with_contents(data, "30800000"), "structure"),
    ],
    ids=lambda given: getattr(given, "__name__", given),
)
def test_published_attacks_are_found_out(
    change: Change, check: str, pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    path = put(tmp_path, change(signed_bytes))
    found = validate(path, trust=pki.anchors, crls=pki.crls())
    assert found.verdict == "fail"
    assert words(found).get(check) == "fail" or words(found) == {"structure": "fail"}, words(found)
    assert quorum.judge(path, pki.anchors, pki.crls()).verdict == "fail"


def test_a_signature_wrapped_around_something_else_is_refused(
    pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    path = put(tmp_path, forgery.wrapped(signed_bytes))
    try:
        verdict = validate(path, trust=pki.anchors, crls=pki.crls()).verdict
    except FieldkitError as error:
        verdict = error.code
    assert verdict in ("fail", "document-unfit")


def test_a_form_filled_in_later_is_not_what_was_signed_and_that_is_said(
    pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    path = put(tmp_path, forgery.filled(signed_bytes, "07/11"))
    found = validate(path, trust=pki.anchors, crls=pki.crls())
    (coverage,) = [each for each in found.signatures[0].checks if each.id == "coverage"]
    assert (found.verdict, coverage.severity, coverage.detail) == ("fail", "fail", "Note")
    assert "Form entries were changed" in str(coverage.message)


@pytest.mark.parametrize("permission", [MDPPerm.NO_CHANGES, MDPPerm.FILL_FORMS])
def test_a_certificate_that_allows_entries_does_not_stand_for_them(
    permission: MDPPerm,
    pki: Pki,
    rsa_signer: SoftwareSigner,
    letter_bytes: bytes,
    tmp_path: Path,
) -> None:
    certified = forgery.signed(forgery.with_text_field(letter_bytes), rsa_signer, certify=permission)
    untouched = validate(put(tmp_path, certified), trust=pki.anchors, crls=pki.crls())
    filled = validate(put(tmp_path, forgery.filled(certified, "x")), trust=pki.anchors, crls=pki.crls())
    overwritten = validate(put(tmp_path, forgery.written_over(certified)), trust=pki.anchors, crls=pki.crls())
    assert (untouched.verdict, filled.verdict, overwritten.verdict) == ("pass", "fail", "fail")


def test_two_signatures_are_judged_each_by_itself(
    pki: Pki, rsa_signer: SoftwareSigner, ec_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    first, both = tmp_path / "first.pdf", tmp_path / "both.pdf"
    sign.sign(letter, first, rsa_signer, field="Person", reserve=(Reserved("Seal"),))
    sign.sign(first, both, ec_signer, field="Seal")

    good = quorum.judge(both, pki.anchors, pki.crls())
    one_revoked = validate(both, trust=pki.anchors, crls=pki.crls(ec_signer))

    assert (good.verdict, len(good.signatures)) == ("pass", 2)
    assert [each.verdict for each in one_revoked.signatures] == ["pass", "fail"]
    assert one_revoked.verdict == "fail"


def test_one_unreadable_signature_takes_nothing_from_the_other_and_is_not_passed_over(
    pki: Pki, rsa_signer: SoftwareSigner, ec_signer: SoftwareSigner, letter_bytes: bytes, tmp_path: Path
) -> None:
    once = forgery.signed(letter_bytes, rsa_signer, subfilter=SigSeedSubFilter.ADOBE_PKCS7_DETACHED)
    foreign = once.replace(b"/adbe.pkcs7.detached", b"/adbe.pkcs7.sha1    ")
    twice = forgery.signed(foreign, ec_signer, field="Second")
    found = validate(put(tmp_path, twice), trust=pki.anchors, crls=pki.crls())
    assert {each.field: each.verdict for each in found.signatures} == {
        "Signature1": "indeterminate",
        "Second": "pass",
    }
    assert found.verdict == "indeterminate"


def test_what_followed_is_told_as_further_signatures_or_as_validation_data(
    pki: Pki, rsa_signer: SoftwareSigner, ec_signer: SoftwareSigner, signed_bytes: bytes, tmp_path: Path
) -> None:
    size = int(revision.read(signed_bytes).trailer["/Size"])
    for data, detail, fragment in (
        (signed_bytes, "entire_file", "covers the whole file"),
        (forgery.signed(signed_bytes, ec_signer, field="B"), "entire_revision", "only further signatures"),
        (revision.appended(signed_bytes, {size: b"<<>>"}), "entire_revision", "only validation data"),
    ):
        (signature, *_) = validate(put(tmp_path, data), trust=pki.anchors, crls=pki.crls()).signatures
        checks = {check.id: check for check in signature.checks}
        assert (checks["coverage"].severity, checks["coverage"].detail) == ("pass", detail)
        assert fragment in checks["coverage"].message.render("en")
        names = checks["attributes"].detail.split(", ")
        assert names == sorted(names)
        assert {"content_type", "message_digest", "signing_certificate_v2"} <= set(names)


def test_a_signature_under_another_root_or_without_a_path_is_not_valid(
    pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    alone = SoftwareSigner(rsa_signer.key, _loaded(rsa_signer), ())
    without, foreign = tmp_path / "without.pdf", tmp_path / "foreign.pdf"
    sign.sign(letter, without, alone)
    sign.sign(letter, foreign, rsa_signer)

    no_path = validate(without, trust=pki.anchors, crls=pki.crls())
    other_root = validate(foreign, trust=Pki("ANOTHER").anchors, crls=pki.crls())
    no_anchor = validate(foreign, trust=(), crls=pki.crls())

    assert words(no_path)["path"] == "fail"
    assert (other_root.verdict, words(other_root)["path"]) == ("fail", "fail")
    assert (no_anchor.verdict, words(no_anchor)["path"]) == ("indeterminate", "not-checked")


def test_sha1_is_no_longer_safe(
    pki: Pki, rsa_signer: SoftwareSigner, letter_bytes: bytes, tmp_path: Path
) -> None:
    data = forgery.signed(letter_bytes, rsa_signer, by=forgery.Sha1(rsa_signer), digest="sha1")
    found = validate(put(tmp_path, data), trust=pki.anchors, crls=pki.crls())
    assert (found.verdict, words(found)["algorithm"], words(found)["integrity"]) == ("fail", "fail", "pass")


@pytest.mark.parametrize(
    ("name", "verdict"),
    [("signing_certificate_v2", "fail"), ("message_digest", "fail"), ("content_type", "fail")],
)
def test_a_signed_attribute_that_is_missing_is_found(
    name: str, verdict: str, pki: Pki, rsa_signer: SoftwareSigner, letter_bytes: bytes, tmp_path: Path
) -> None:
    data = forgery.signed(letter_bytes, rsa_signer, by=forgery.Without(rsa_signer, {name}))
    assert validate(put(tmp_path, data), trust=pki.anchors, crls=pki.crls()).verdict == verdict


def test_an_older_signature_without_its_certificate_named_is_judged_all_the_same(
    pki: Pki, rsa_signer: SoftwareSigner, letter_bytes: bytes, tmp_path: Path
) -> None:
    data = forgery.signed(
        letter_bytes,
        rsa_signer,
        by=forgery.Without(rsa_signer, {"signing_certificate_v2"}),
        subfilter=SigSeedSubFilter.ADOBE_PKCS7_DETACHED,
    )
    found = validate(put(tmp_path, data), trust=pki.anchors, crls=pki.crls())
    assert (found.verdict, found.signatures[0].level) == ("pass", "cms")
    assert words(found)["attributes"] == "not-checked"


def test_dates_and_usage_count(pki: Pki, letter: Path, tmp_path: Path) -> None:
    early = pki.signer(start=NOW + DAY, end=NOW + 9 * DAY)
    late = pki.signer(start=NOW - 9 * DAY, end=NOW - DAY)
    unfit = pki.signer(usage=only_encipherment())
    for signer, check in ((early, "dates"), (late, "dates"), (unfit, "usage")):
        out = tmp_path / "out.pdf"
        sign.sign(letter, out, signer, insist=True, overwrite=True)
        found = validate(out, trust=pki.anchors, crls=pki.crls())
        assert (found.verdict, words(found)[check]) == ("fail", "fail")
        (said,) = [each for each in found.signatures[0].checks if each.id == check]
        assert "was not yet" not in str(said.message), "judged now, it is said in the present"


def test_a_revocation_list_that_ended_settles_nothing_and_says_so(
    pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.pdf"
    sign.sign(letter, out, rsa_signer)
    long_after = NOW + 60 * DAY
    found = validate(out, trust=pki.anchors, crls=pki.crls(), at=long_after)
    (check,) = [each for each in found.signatures[0].checks if each.id == "revocation"]
    assert (found.verdict, check.severity) == ("indeterminate", "not-checked")
    assert "out of date" in str(check.message)
    assert "newest" in str(check.hint)


def test_what_is_not_checked_says_what_would_settle_it(
    pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.pdf"
    sign.sign(letter, out, rsa_signer)
    found = validate(out, trust=(), policy=Policy(timestamp=True))
    open_ = [each for each in found.signatures[0].checks if each.severity == "not-checked"]
    assert {each.id for each in open_} == {"path", "revocation", "timestamp"}
    assert all(each.hint for each in open_)
    assert all(each["hint"] for each in shape(found)["checks"] if each["verdict"] == "not-checked")


def test_rubbish_in_the_security_store_does_not_take_the_verdict_away(
    pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    from pyhanko.pdf_utils import generic
    from pyhanko.pdf_utils.generic import pdf_name

    def change(writer: forgery.IncrementalPdfFileWriter) -> None:
        rubbish = writer.add_object(generic.StreamObject(stream_data=b"not a certificate"))
        writer.root[pdf_name("/DSS")] = writer.add_object(
            generic.DictionaryObject({pdf_name("/Certs"): generic.ArrayObject([rubbish])})
        )
        writer.update_root()

    found = validate(put(tmp_path, forgery.later(signed_bytes, change)), trust=pki.anchors, crls=pki.crls())
    assert [each.id for each in found.checks] == ["stored"]
    assert words(found)["integrity"] == "pass"


RULES = RuleSet(
    id="mau",
    title=Words("Mẫu", "Sample"),
    basis=Words("Mẫu", "Sample"),
    valid_from=(NOW - 900 * DAY).date(),
    stamps=(
        StampRule("person", "handwritten", "between-title-and-name", "blue"),
        StampRule("agency", "seal", "left-of-signature", "red", overlap=33, size_mm=36),
    ),
)


def spots(letter: Path) -> tuple[Place, Place]:
    """Where the rules want the person's stamp and the seal."""
    pages = place.pages(letter)
    person, named = placement.for_rule(
        RULES.stamps[0], pages, name="Nguyễn Thị Mẫu", title="TRƯỞNG CƠ QUAN THƯỜNG TRÚ"
    )
    assert named
    return person, placement.for_rule(RULES.stamps[1], pages, person=person)[0]


def moved(spot: Place, across: int, up: int = 0) -> Place:
    left, bottom, right, top = spot.box
    return msgspec.structs.replace(spot, box=(left + across, bottom + up, right + across, top + up))


@pytest.mark.parametrize(
    ("across", "up", "verdict"), [(0, 0, "pass"), (-150, 0, "fail"), (0, -90, "fail"), (0, 60, "pass")]
)
def test_a_persons_stamp_is_compared_with_the_rules_of_its_day(
    across: int, up: int, verdict: str, pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    out, (spot, _) = tmp_path / "out.pdf", spots(letter)
    there = moved(spot, across, up)
    sign.sign(letter, out, rsa_signer, stamp=draw(RULES.stamps[0], there, name="Nguyễn Thị Mẫu"))
    found = validate(out, trust=pki.anchors, crls=pki.crls(), rules=(RULES,))
    assert words(found)["stamp"] == verdict, found.signatures[0].checks
    assert found.verdict == "pass", "a stamp's place does not make a signature invalid"


@pytest.mark.parametrize(
    ("across", "smaller", "verdict"), [(0, 0, "pass"), (-60, 0, "fail"), (60, 0, "fail"), (0, 12, "fail")]
)
def test_a_seal_is_compared_with_its_size_and_the_persons_stamp(
    across: int,
    smaller: int,
    verdict: str,
    pki: Pki,
    rsa_signer: SoftwareSigner,
    ec_signer: SoftwareSigner,
    letter: Path,
    tmp_path: Path,
) -> None:
    first, both = tmp_path / "first.pdf", tmp_path / "both.pdf"
    person, seal = spots(letter)
    left, bottom, right, top = moved(seal, across).box
    seal = msgspec.structs.replace(seal, box=(left + smaller, bottom + smaller, right, top))
    sign.sign(
        letter,
        first,
        rsa_signer,
        stamp=draw(RULES.stamps[0], person, name="Nguyễn Thị Mẫu"),
        reserve=(Reserved("Seal", seal),),
    )
    sign.sign(first, both, ec_signer, field="Seal", stamp=draw(RULES.stamps[0], seal, name="Mẫu"))
    found = validate(both, trust=pki.anchors, crls=pki.crls(), rules=(RULES,))
    assert words(found, 1)["stamp"] == verdict, found.signatures[1].checks
    assert words(found, 0)["stamp"] == "pass"


def test_a_signature_that_shows_nothing_and_a_day_without_rules_are_said(
    pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    path = put(tmp_path, signed_bytes)
    future = msgspec.structs.replace(RULES, valid_from=(NOW + 9 * DAY).date())
    for rules in (RULES, future):
        found = validate(path, trust=pki.anchors, crls=pki.crls(), rules=(rules,))
        assert words(found)["stamp"] == "not-checked"


def test_a_document_that_changes_while_it_is_read_is_told(
    pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    from fieldkit.pdf import document
    from fieldkit.pdf.errors import DocumentChanged

    path = put(tmp_path, signed_bytes)

    def read_and_change() -> None:
        with document.opened(path) as file:
            file.read()
            path.write_bytes(signed_bytes + b"%")

    with pytest.raises(DocumentChanged):
        read_and_change()


def test_a_signature_made_on_a_clock_that_is_ahead_is_told(
    pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    found = validate(
        put(tmp_path, signed_bytes), trust=pki.anchors, crls=pki.crls(), at=NOW - timedelta(hours=1)
    )
    assert words(found)["clock"] == "fail"


def _loaded(signer: SoftwareSigner) -> object:
    from cryptography import x509

    return x509.load_der_x509_certificate(signer.certificate)


def test_a_wrong_password_is_told_and_the_right_one_is_used_by_all_who_may_have_it(
    pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    import subprocess

    from fieldkit.secret import Secret

    locked, out = tmp_path / "locked.pdf", tmp_path / "out.pdf"
    subprocess.run(["qpdf", "--encrypt", "mat-khau", "chu", "256", "--", letter, locked], check=True)
    sign.sign(locked, out, rsa_signer, password=Secret("mat-khau"))
    for wrong in (None, Secret("sai")):
        with pytest.raises(FieldkitError) as caught:
            quorum.judge(out, pki.anchors, pki.crls(), password=wrong)
        assert caught.value.code == "document-encrypted"

    found = quorum.judge(out, pki.anchors, pki.crls(), password=Secret("mat-khau"))

    others = {check.id: check.severity for check in found.checks}
    assert found.verdict == "pass"
    assert others["openssl-integrity"] == "pass"
    assert (others["pdfsig-integrity"], others["mutool-integrity"]) == ("not-checked", "not-checked")


@pytest.mark.parametrize(
    ("options", "attributes"),
    [
        ((), "not-checked"),
        (("-cades",), "pass"),
        (("-noattr",), "not-checked"),
        (("-keyopt", "rsa_padding_mode:pss"), "not-checked"),
    ],
)
def test_a_signature_made_by_other_software_is_judged_alike(
    options: tuple[str, ...],
    attributes: str,
    pki: Pki,
    rsa_signer: SoftwareSigner,
    letter_bytes: bytes,
    tmp_path: Path,
) -> None:
    path = put(tmp_path, forgery.by_openssl(letter_bytes, rsa_signer, tmp_path, *options))
    found = quorum.judge(path, pki.anchors, pki.crls())
    assert (found.verdict, found.signatures[0].level) == ("pass", "cms"), found
    assert words(found)["attributes"] == attributes
    hurt = bytearray(path.read_bytes())
    hurt[700] ^= 1
    assert validate(put(tmp_path, bytes(hurt), "hurt.pdf"), trust=pki.anchors).verdict == "fail"


def test_a_signed_hybrid_document_is_judged_and_its_two_tables_are_told(
    pki: Pki, rsa_signer: SoftwareSigner, tmp_path: Path
) -> None:
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import signers

    from fieldkit.signature.signer import TokenSigner

    writer = IncrementalPdfFileWriter(BytesIO(papers.hybrid()), strict=False)
    meta = signers.PdfSignatureMetadata(field_name="S", signer_key_usage=set(), md_algorithm="sha256")
    made = signers.sign_pdf(writer, meta, TokenSigner(rsa_signer), bytes_reserved=20000)
    found = validate(put(tmp_path, made.getvalue()), trust=pki.anchors, crls=pki.crls())
    assert found.verdict == "pass", found
    assert [each.id for each in found.checks] == ["hybrid"]


@pytest.mark.parametrize(
    ("change", "fragment", "detail"),
    [
        (forgery.written_over, "was changed after this signature", "SuspiciousModification: "),
        (
            lambda data: revision.appended(data, {300: b"<<>>"}, unlisted={301: b"[]"}),
            "every viewer",
            "the table and the objects differ: [301]",
        ),
    ],
)
def test_what_was_added_is_told_by_what_is_wrong_with_it(
    change: Change, fragment: str, detail: str, pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    judged = validate(put(tmp_path, change(signed_bytes)), trust=pki.anchors, crls=pki.crls())
    (check,) = [check for check in judged.signatures[0].checks if check.id == "coverage"]
    assert (check.severity, check.required) == ("fail", True)
    assert fragment in str(check.message)
    assert check.detail.startswith(detail)


def test_a_document_that_was_certified_to_stay_takes_no_further_field(
    pki: Pki, rsa_signer: SoftwareSigner, letter_bytes: bytes, tmp_path: Path
) -> None:
    certified = forgery.signed(letter_bytes, rsa_signer, certify=MDPPerm.NO_CHANGES)
    later = forgery.with_empty_field(certified, (50, 50, 50, 90), b"")
    judged = validate(put(tmp_path, later), trust=pki.anchors, crls=pki.crls())
    (check,) = [check for check in judged.signatures[0].checks if check.id == "coverage"]
    assert (check.severity, check.detail) == ("fail", "entire_revision")
    assert "was changed after this signature" in str(check.message)


@pytest.mark.parametrize(
    ("tail", "detail"),
    [(b"\0\t\r\n\f ", ""), (b"\v", "no table"), (b"XX", "no table")],
)
def test_what_stands_behind_the_last_table_is_told_unless_it_is_blank(
    tail: bytes, detail: str, pki: Pki, rsa_signer: SoftwareSigner, signed_bytes: bytes, tmp_path: Path
) -> None:
    twice = forgery.signed(signed_bytes, rsa_signer, field="Second")
    judged = validate(put(tmp_path, twice + tail), trust=pki.anchors, crls=pki.crls())
    (check,) = [check for check in judged.signatures[0].checks if check.id == "coverage"]
    assert (check.severity, check.detail) == ("fail" if detail else "pass", "entire_revision")
    assert detail in str(check.message)


@pytest.mark.parametrize(
    ("tail", "verdict"),
    [
        (b"\r\n \n", "pass"),
        (b"1 0 obj\n<</Type/Catalog/Pages 90 0 R>>\nendobj\n", "fail"),
        (b"1 0 obj\n<</Type/Catalog/Pages 90 0 R>>\nendobj\n%%EOF\n", "fail"),
    ],
)
def test_what_is_hidden_after_the_end_is_found(
    tail: bytes, verdict: str, pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    path = put(tmp_path, signed_bytes + tail)
    try:
        found = validate(path, trust=pki.anchors, crls=pki.crls()).verdict
    except FieldkitError:
        found = "fail"
    assert found == verdict

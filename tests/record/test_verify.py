"""A signed record verifies; whatever is changed in it, on it or around it is refused."""

from __future__ import annotations

import random
from datetime import datetime
from io import BytesIO
from pathlib import Path

import msgspec
import pytest

from fieldkit.action.trust_material import TrustMaterial
from fieldkit.pdf.errors import DocumentMissing
from fieldkit.record.build import build
from fieldkit.record.content import RecordContent, encode, sha256
from fieldkit.record.countersign import countersign, options, ready
from fieldkit.record.errors import RecordNotMade, RecordNotVerified, WrongCertificate
from fieldkit.record.handover import sign_record
from fieldkit.record.render import Rendered, render
from fieldkit.record.signing import sign_for
from fieldkit.record.verify import VerifiedRecord, verify
from fieldkit.signature.sign import sign
from fieldkit.validation.judgement import Policy
from fieldkit.visit.visits import Visits
from tests.pki import Pki, SoftwareSigner
from tests.record import forging
from tests.record.conftest import ANSWERS
from tests.record.sample import handing_over, sample, sealed


@pytest.fixture(scope="session")
def content(officer: SoftwareSigner) -> RecordContent:
    """A short record that hands over the officer's certificate."""
    return handing_over(officer.certificate)


@pytest.fixture(scope="session")
def rendered(content: RecordContent) -> Rendered:
    return render(content)


@pytest.fixture(scope="session")
def signed(
    content: RecordContent,
    rendered: Rendered,
    officer: SoftwareSigner,
    material: TrustMaterial,
    tmp_path_factory: pytest.TempPathFactory,
) -> bytes:
    """The record, signed by the officer."""
    folder = tmp_path_factory.mktemp("signed")
    return sign_record(content, rendered, officer, folder, material).read_bytes()


class Judge:
    """Verifies bytes as a file."""

    def __init__(self, folder: Path, material: TrustMaterial) -> None:
        self._path = folder / "record.pdf"
        self._material = material

    def __call__(self, data: bytes, **more: object) -> VerifiedRecord:
        self._path.write_bytes(data)
        return verify(self._path, trust=self._material.anchors, crls=self._material.crls, **more)  # type: ignore[arg-type]

    def failed(self, data: bytes) -> set[str]:
        judged = self(data)
        assert judged.verdict == "fail"
        return {check.id for check in judged.checks if check.severity == "fail" and check.required}


@pytest.fixture
def judge(tmp_path: Path, material: TrustMaterial) -> Judge:
    return Judge(tmp_path, material)


def test_a_signed_record_verifies(judge: Judge, signed: bytes, content: RecordContent) -> None:
    judged = judge(signed)
    assert judged.verdict == "pass", judged.checks
    assert judged.content == content
    outcomes = {check.id: check.severity for check in judged.checks}
    for id in (
        "attachment",
        "rendering",
        "places",
        "additions",
        "form",
        "receiver",
        "certificate",
        "journal-head",
        "content",
        "integrity",
    ):
        assert outcomes[id] == "pass"
    assert (outcomes["giver"], outcomes["device"]) == ("not-checked", "not-checked")


def test_each_check_of_a_record_says_what_it_rests_on(
    judge: Judge, signed: bytes, content: RecordContent
) -> None:
    judged = judge(signed)
    details = {check.id: check.detail for check in judged.checks}
    device = content.journal.device
    assert judged.sha256 == sha256(signed)
    assert details["attachment"] == sha256(encode(content))
    assert details["rendering"] == f"fieldkit 0.1.0, Typst {content.renderer.typst}"
    assert details["receiver"] == "CN=Nguyễn Thị Mẫu,O=SAMPLE / MẪU,C=VN"
    assert details["certificate"] == content.devices[0].sha256
    assert (details["journal-head"], details["content"]) == (f"{device}:57", device)
    assert details["device"] == content.journal.key
    looked = next(check for check in judged.checks if check.id == "appearance")
    assert (looked.severity, looked.judge) == ("pass", "appearance")


def test_the_first_revision_is_the_rendering_byte_for_byte(signed: bytes, rendered: Rendered) -> None:
    assert signed.startswith(rendered.pdf)


def test_changed_bytes_anywhere_are_refused(judge: Judge, signed: bytes, rendered: Rendered) -> None:
    random.seed(20261124)
    after = [random.randrange(len(rendered.pdf), len(signed)) for _ in range(6)]
    before = [random.randrange(len(rendered.pdf)) for _ in range(3)]
    for at in (*before, *after):
        changed = bytearray(signed)
        changed[at] ^= 1 << random.randrange(8)
        assert judge(bytes(changed)).verdict == "fail", at


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_changes_all_over_the_signatures_own_bytes_are_refused(judge: Judge, signed: bytes) -> None:
    """The bytes that a signature cannot cover: every third of them, to another digit and to another case."""
    start = signed.rindex(b"/Contents <") + 10
    for at in range(start, signed.index(b"00" * 64, start), 3):
        for bit in (0, 5):
            changed = bytearray(signed)
            changed[at] ^= 1 << bit
            assert judge(bytes(changed)).verdict == "fail", (at, bit)


def test_the_signatures_own_bytes_are_accounted_for(judge: Judge, signed: bytes) -> None:
    """A signature does not cover itself: other digits' case, filling and unread values would go unseen."""
    start = signed.rindex(b"/Contents <") + 11
    end = signed.index(b">", start)
    letter = next(at for at in range(start, end) if signed[at : at + 1] in b"ABCDEF")
    for at, byte in ((letter, signed[letter] | 0x20), (end - 1, ord("1")), (start + 61, ord("4"))):
        changed = bytearray(signed)
        assert changed[at] != byte
        changed[at] = byte
        assert judge.failed(bytes(changed))


def test_anything_after_the_end_is_refused(judge: Judge, signed: bytes) -> None:
    judged = judge(signed + b"\n% a line more\n")
    failed = {check.id: check.detail for check in judged.checks if check.severity == "fail"}
    assert judged.verdict == "fail"
    assert (failed["additions"], failed["form"]) == (f"byte {len(signed)}", "Receiver: end")


def test_a_signature_that_does_not_say_when_it_was_made_is_refused_in_words(
    judge: Judge, signed: bytes
) -> None:
    start = signed.rindex(b"/M (D\\072")
    unsaid = signed[:start] + b"/X" + signed[start + 2 :]
    ancient = signed[: start + 9] + b"0001" + signed[start + 13 :]
    for data in (unsaid, ancient):
        assert len(data) == len(signed)
        assert judge.failed(data) == {"readable"}


def test_a_cut_off_record_is_refused(judge: Judge, signed: bytes) -> None:
    for keep in (-1, -500, len(signed) // 2):
        assert judge(signed[:keep]).verdict == "fail"


def test_data_and_paper_that_differ_are_found_although_the_officer_signed_both(
    judge: Judge, content: RecordContent, officer: SoftwareSigner, material: TrustMaterial, tmp_path: Path
) -> None:
    """Somebody has the officer sign a paper that carries the data of another."""
    import fieldkit.record.render as module

    other = sealed(msgspec.structs.replace(content, place="another place"))
    honest = module.encode
    try:
        module.encode = lambda _: encode(content)  # type: ignore[assignment]
        rendered = render(other)
    finally:
        module.encode = honest
    assert rendered.json == encode(content)
    signed = sign_record(content, rendered, officer, tmp_path, material).read_bytes()
    assert judge.failed(signed) == {"rendering"}


def test_a_signature_drawn_over_the_text_is_found(
    judge: Judge,
    content: RecordContent,
    rendered: Rendered,
    officer: SoftwareSigner,
    material: TrustMaterial,
    tmp_path: Path,
) -> None:
    from fieldkit.stamp.place import Place

    moved = {**rendered.places, "receiver": Place(0, (50, 50, 550, 800))}
    signed = sign_record(
        content, msgspec.structs.replace(rendered, places=moved), officer, tmp_path, material
    ).read_bytes()
    assert judge.failed(signed) == {"places", "additions"}


@pytest.fixture(scope="session")
def technician(pki: Pki) -> SoftwareSigner:
    """The key and certificate of the person who hands over."""
    return pki.signer("Nguyễn Thị Mẫu")


def given(
    signed: bytes, content: RecordContent, rendered: Rendered, signer: SoftwareSigner, folder: Path
) -> bytes:
    """The record, signed by `signer` for the giving party as well."""
    first, second = folder / "first.pdf", folder / "second.pdf"
    first.write_bytes(signed)
    sign_for("giver", content, rendered.places, first, second, signer)
    return second.read_bytes()


def test_the_giving_party_may_sign_afterwards_and_is_named(
    judge: Judge,
    signed: bytes,
    content: RecordContent,
    rendered: Rendered,
    technician: SoftwareSigner,
    tmp_path: Path,
) -> None:
    judged = judge(given(signed, content, rendered, technician, tmp_path))
    assert judged.verdict == "pass", judged.checks
    assert [each.field for each in judged.judgement.signatures] == ["Receiver", "Giver"]
    checks = {check.id: check for check in judged.checks}
    assert (checks["giver"].severity, "CN=Nguyễn Thị Mẫu" in str(checks["giver"].message)) == ("pass", True)
    assert checks["giver"].detail == sha256(technician.certificate)
    assert checks["pdfium-appearance"].severity == "pass"


def test_the_receivers_certificate_does_not_sign_for_the_giver(
    judge: Judge,
    signed: bytes,
    content: RecordContent,
    rendered: Rendered,
    officer: SoftwareSigner,
    tmp_path: Path,
) -> None:
    assert judge.failed(given(signed, content, rendered, officer, tmp_path)) == {"giver"}


def test_somebody_else_who_signs_for_the_giver_is_named_and_leaves_the_verdict_open(
    judge: Judge, signed: bytes, content: RecordContent, rendered: Rendered, pki: Pki, tmp_path: Path
) -> None:
    judged = judge(given(signed, content, rendered, pki.signer("Somebody Else"), tmp_path))
    assert judged.verdict == "indeterminate"
    (giver,) = [check for check in judged.checks if check.id == "giver"]
    assert "CN=Somebody Else" in str(giver.message)
    assert (giver.severity, giver.detail) == ("not-checked", content.giver.person)


def test_the_giving_party_signs_only_what_holds_and_what_is_theirs(
    signed: bytes,
    rendered: Rendered,
    officer: SoftwareSigner,
    technician: SoftwareSigner,
    material: TrustMaterial,
    tmp_path: Path,
) -> None:
    record, changed, plain = (tmp_path / f"{name}.pdf" for name in ("record", "changed", "plain"))
    record.write_bytes(signed)
    changed.write_bytes(signed + b"more")
    plain.write_bytes(rendered.pdf)
    with pytest.raises(WrongCertificate):
        ready(record, officer.certificate, material)
    for path in (changed, plain):
        with pytest.raises(RecordNotVerified):
            ready(path, technician.certificate, material)
    out = tmp_path / "both.pdf"
    judged = countersign(ready(record, technician.certificate, material), out, technician, material)
    assert judged.verdict == "pass"
    with pytest.raises(RecordNotMade):
        ready(out, technician.certificate, material)
    with pytest.raises(RecordNotMade):
        options([record, out], "Giver", technician.certificate, material)
    assert options([plain], "Signature", technician.certificate, material) == {}


def test_a_text_of_ones_own_in_the_givers_place_is_refused(
    judge: Judge, signed: bytes, technician: SoftwareSigner, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.pdf", tmp_path / "second.pdf"
    first.write_bytes(signed)
    sign(first, second, technician, field="Giver")
    assert judge.failed(second.read_bytes()) == {"additions"}


def test_a_signature_in_a_third_field_is_refused(
    judge: Judge, signed: bytes, technician: SoftwareSigner, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.pdf", tmp_path / "second.pdf"
    first.write_bytes(signed)
    sign(first, second, technician, field="Witness")
    judged = judge(second.read_bytes())
    failed = {check.id: check.detail for check in judged.checks if check.severity == "fail"}
    assert {id: failed[id] for id in ("places", "additions", "signatures")} == {
        "places": "Witness",
        "additions": "Witness",
        "signatures": "Witness",
    }
    looked = next(check for check in judged.checks if check.id == "appearance")
    assert (looked.severity, looked.required, looked.judge) == ("not-checked", False, "appearance")


def test_another_certificate_than_the_one_handed_over_does_not_sign(
    content: RecordContent, rendered: Rendered, pki: Pki, material: TrustMaterial, tmp_path: Path
) -> None:
    with pytest.raises(WrongCertificate):
        sign_record(content, rendered, pki.signer("Somebody Else"), tmp_path, material)
    assert list(tmp_path.glob("*")) == []


def test_a_record_signed_by_somebody_else_is_refused(
    judge: Judge, rendered: Rendered, pki: Pki, material: TrustMaterial, tmp_path: Path
) -> None:
    plain, out = tmp_path / "plain.pdf", tmp_path / "out.pdf"
    plain.write_bytes(rendered.pdf)
    sign(plain, out, pki.signer("Somebody Else"), field="Receiver")
    assert "certificate" in judge.failed(out.read_bytes())


def test_an_unsigned_record_is_refused(judge: Judge, rendered: Rendered) -> None:
    assert "receiver" in judge.failed(rendered.pdf)


def test_a_record_that_hands_over_nothing_and_is_not_signed_stays_undecided(judge: Judge) -> None:
    judged = judge(render(sample("A", "b")).pdf)
    assert judged.verdict == "indeterminate"
    checks = {check.id: check for check in judged.checks}
    assert (checks["receiver"].severity, checks["receiver"].required) == ("not-checked", True)
    assert (checks["giver"].severity, checks["giver"].required) == ("not-checked", False)
    assert not {"integrity", "certificate", "appearance"} & set(checks)


def test_a_signed_letter_is_no_record(judge: Judge, officer: SoftwareSigner, tmp_path: Path) -> None:
    import typst

    plain, out = tmp_path / "letter.pdf", tmp_path / "letter-signed.pdf"
    plain.write_bytes(typst.compile(b"A letter"))
    sign(plain, out, officer)
    assert judge.failed(out.read_bytes()) == {"attachment"}


def test_a_record_whose_words_nobody_can_read_stays_undecided(
    judge: Judge,
    content: RecordContent,
    officer: SoftwareSigner,
    material: TrustMaterial,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    renderer = msgspec.structs.replace(content.renderer, typst="0.14.0")
    older = sealed(msgspec.structs.replace(content, renderer=renderer))
    rendered = render(older)
    rewritten = msgspec.structs.replace(rendered, pdf=_rewritten(rendered.pdf))
    signed = sign_record(older, rewritten, officer, tmp_path, material).read_bytes()
    monkeypatch.setenv("PATH", str(tmp_path))
    judged = judge(signed)
    outcomes = {check.id: check.severity for check in judged.checks}
    assert (outcomes["text"], judged.verdict) == ("not-checked", "indeterminate")


def test_a_file_attached_beside_the_data_is_named(judge: Judge, signed: bytes) -> None:
    judged = judge(forging.appended(signed, forging.second_attachment))
    attachment = next(check for check in judged.checks if check.id == "attachment")
    assert (attachment.severity, attachment.detail) == ("fail", "fieldkit-record.json, other.json")


def test_a_record_of_another_release_is_compared_by_its_words_and_stays_undecided(
    judge: Judge, content: RecordContent, officer: SoftwareSigner, material: TrustMaterial, tmp_path: Path
) -> None:
    """It says of itself that another Typst made it, and its bytes differ: a picture may stand on it."""
    old = msgspec.structs.replace(content.renderer, typst="0.14.0")
    older = sealed(msgspec.structs.replace(content, renderer=old))
    rendered = render(older)
    pdf = _rewritten(rendered.pdf)
    signed = sign_record(older, msgspec.structs.replace(rendered, pdf=pdf), officer, tmp_path, material)
    judged = judge(signed.read_bytes())
    outcomes = {check.id: check.severity for check in judged.checks}
    assert (outcomes["rendering"], outcomes["text"]) == ("not-checked", "pass")
    assert {check.id: check.detail for check in judged.checks}["rendering"] == "fieldkit 0.1.0, Typst 0.14.0"
    assert judged.verdict == "indeterminate"
    for place in ("elsewhere", "ghi chú ghi thêm"):  # a word is missing, a word is added
        lying = msgspec.structs.replace(older, place=place)
        pdf = _rewritten(render(lying).pdf, encode(older))
        signed = sign_record(older, msgspec.structs.replace(rendered, pdf=pdf), officer, tmp_path, material)
        assert "text" in judge.failed(signed.read_bytes())


def _rewritten(pdf: bytes, attachment: bytes | None = None) -> bytes:
    """The same document written by another writer, with other data attached if wanted."""
    from pyhanko.pdf_utils import generic
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.pdf_utils.writer import copy_into_new_writer

    writer = copy_into_new_writer(PdfFileReader(BytesIO(pdf)))
    if attachment is not None:
        names = writer.root["/Names"]["/EmbeddedFiles"]["/Names"]
        spec = names[1]
        spec["/EF"]["/F"] = writer.add_object(generic.StreamObject(stream_data=attachment))
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def test_unknown_revocation_leaves_the_verdict_open_unless_one_does_without(
    signed: bytes, material: TrustMaterial, tmp_path: Path
) -> None:
    path = tmp_path / "record.pdf"
    path.write_bytes(signed)
    assert verify(path, trust=material.anchors).verdict == "indeterminate"
    assert verify(path, trust=material.anchors, policy=Policy(revocation=False)).verdict == "pass"
    assert verify(path, trust=Pki().anchors, crls=material.crls).verdict == "fail"


def test_the_journal_it_was_made_from_is_recognised(
    visits: Visits, visit: str, officer: SoftwareSigner, material: TrustMaterial, tmp_path: Path
) -> None:
    now = visits.sign_off(visit, ANSWERS["officer_name"], ANSWERS["officer_title"])
    content = build(now, visits.store, visits.profiles, made=datetime.now().astimezone())
    signed = sign_record(content, render(content), officer, tmp_path, material)
    judged = verify(signed, trust=material.anchors, crls=material.crls, store=visits.store)
    assert judged.verdict == "pass", judged.checks
    assert {check.id: check.severity for check in judged.checks}["journal"] == "pass"


GOLDEN = Path(__file__).parent / "golden"
LONG_AGO = datetime.fromisoformat("2026-11-28T12:00:00+00:00")


def test_a_record_of_the_first_form_is_read_and_told_apart() -> None:
    """It was signed, and nothing on it is wrong; but its device signed its journal's head alone."""
    folder = GOLDEN / "1"
    crls = [path.read_bytes() for path in sorted(folder.glob("*.crl"))]
    judged = verify(folder / "record.pdf", trust=[(folder / "root.der").read_bytes()], crls=crls, at=LONG_AGO)
    open_checks = {check.id for check in judged.checks if check.required and check.severity != "pass"}
    assert (open_checks, judged.verdict) == ({"content"}, "indeterminate"), judged.checks
    assert judged.content is not None
    assert judged.content.schema == "fieldkit.record/1"
    assert judged.content.receiver.person == "Nguyễn Thị Mẫu"


def test_a_record_that_says_otherwise_of_the_certificate_than_it_is_is_refused(
    judge: Judge, content: RecordContent, officer: SoftwareSigner, material: TrustMaterial, tmp_path: Path
) -> None:
    (device,) = content.devices
    for member, value in (
        ("subject", "CN=Somebody Else"),
        ("issuer", "CN=Some Authority"),
        ("certificate_serial", "5a"),
        ("not_before", "2020-01-01T00:00:00+00:00"),
        ("not_after", ""),
    ):
        other = msgspec.structs.replace(device, **{member: value})
        told = sealed(msgspec.structs.replace(content, devices=(other,)))
        signed = sign_record(told, render(told), officer, tmp_path, material).read_bytes()
        judged = judge(signed)
        (failed,) = [check for check in judged.checks if check.severity == "fail"]
        held = {
            "subject": f"subject: {device.subject}",
            "issuer": f"issuer: {device.issuer}",
            "certificate_serial": f"serial number: {device.certificate_serial}",
            "not_before": f"from: {datetime.fromisoformat(device.not_before)}",
            "not_after": f"until: {datetime.fromisoformat(device.not_after)}",
        }
        assert (failed.id, failed.detail) == ("certificate", held[member])


def test_a_record_that_hands_over_nothing_is_nobodys_to_sign(
    judge: Judge, officer: SoftwareSigner, material: TrustMaterial, tmp_path: Path
) -> None:
    content = sample("A", "b")
    signed = sign_record(content, render(content), officer, tmp_path, material).read_bytes()
    judged = judge(signed)
    assert judged.verdict == "indeterminate"
    checks = {check.id: check for check in judged.checks}
    assert (checks["certificate"].severity, checks["certificate"].required) == ("not-checked", True)
    assert checks["certificate"].detail == checks["receiver"].detail != ""


def test_data_that_cannot_be_read_or_laid_out_is_refused(
    judge: Judge, content: RecordContent, rendered: Rendered
) -> None:
    unread = judge(_rewritten(rendered.pdf, b"{}"))
    attachment = unread.checks[0]
    assert (attachment.id, attachment.severity) == ("attachment", "fail")
    assert attachment.detail
    assert (unread.verdict, unread.content) == ("fail", None)
    odd = sealed(msgspec.structs.replace(content, made="yesterday"))
    judged = judge(_rewritten(rendered.pdf, encode(odd)))
    failed = {check.id: check.detail for check in judged.checks if check.severity == "fail"}
    assert failed["rendering"]
    assert "places" not in failed


def test_what_people_wrote_may_hold_the_marks_of_a_pdf(
    judge: Judge, content: RecordContent, officer: SoftwareSigner, material: TrustMaterial, tmp_path: Path
) -> None:
    odd = sealed(msgspec.structs.replace(content, notes=("%%EOF\nstartxref\n0\n%%EOF\n1 0 obj", "endstream")))
    signed = sign_record(odd, render(odd), officer, tmp_path, material).read_bytes()
    assert judge(signed).verdict == "pass"


def test_a_token_without_a_certificate_signs_no_record(
    content: RecordContent,
    rendered: Rendered,
    officer: SoftwareSigner,
    material: TrustMaterial,
    tmp_path: Path,
) -> None:
    (device,) = content.devices
    nothing = msgspec.structs.replace(content, devices=(msgspec.structs.replace(device, sha256=""),))
    with pytest.raises(WrongCertificate):
        sign_record(nothing, rendered, officer, tmp_path, material)
    assert list(tmp_path.glob("*")) == []


def test_a_signed_draft_is_no_record(
    judge: Judge, content: RecordContent, officer: SoftwareSigner, material: TrustMaterial, tmp_path: Path
) -> None:
    draft = sealed(msgspec.structs.replace(content, draft=True))
    signed = sign_record(draft, render(draft), officer, tmp_path, material).read_bytes()
    assert judge.failed(signed) == {"draft"}


def test_an_elliptic_key_signs_a_record_that_verifies(
    judge: Judge, pki: Pki, material: TrustMaterial, tmp_path: Path
) -> None:
    officer = pki.signer(kind="ec")
    content = handing_over(officer.certificate)
    signed = sign_record(content, render(content), officer, tmp_path, material).read_bytes()
    assert judge(signed).verdict == "pass"


def test_what_is_no_pdf_is_said_so(judge: Judge, tmp_path: Path) -> None:
    for data in (b"", b"hello", b"%PDF-1.7\n", b"\0" * 5000):
        judged = judge(data)
        assert judged.verdict == "fail"
        assert [check.id for check in judged.checks] == ["readable"]
        assert bool(judged.checks[0].detail) == bool(data)
        assert "record.pdf" in str(judged.checks[0].message)
        assert (judged.sha256, judged.content) == (sha256(data), None)
    with pytest.raises(DocumentMissing):
        verify(tmp_path / "nowhere.pdf", trust=())

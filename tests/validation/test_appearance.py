"""What a document shows is what its signatures cover: three engines draw it before and after, and compare."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name

from fieldkit.pdf import engines
from fieldkit.secret import Secret
from fieldkit.signature import sign
from fieldkit.validation import appearance, quorum
from fieldkit.validation.judgement import Judgement, shape
from tests import papers
from tests.pki import Pki, SoftwareSigner
from tests.validation import forgery, revision

ENGINES = ("pdfium-appearance", "poppler-appearance", "mupdf-appearance")


@pytest.fixture(scope="module")
def signed_bytes(rsa_signer: SoftwareSigner, letter_bytes: bytes) -> bytes:
    return forgery.signed(letter_bytes, rsa_signer)


def put(folder: Path, data: bytes) -> Path:
    path = folder / "judged.pdf"
    path.write_bytes(data)
    return path


def words(judged: Judgement) -> dict[str, str]:
    """Check to verdict, of the judge that looks."""
    return {check.id: check.severity for check in judged.checks if check.judge == "appearance"}


@pytest.mark.parametrize("rect", [(500, 700, 20, 20), (20, 20, 500, 20.4), (20, 700, 500, 20)])
def test_an_empty_field_that_shows_a_picture_over_the_page_is_seen_by_every_engine_that_shows_it(
    rect: tuple[float, ...], pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    path = put(tmp_path, forgery.with_empty_field(signed_bytes, rect))
    judged = quorum.judge(path, pki.anchors, pki.crls())
    assert judged.verdict == "fail"
    assert "fail" in words(judged).values()
    (coverage,) = [check for check in judged.signatures[0].checks if check.id == "coverage"]
    assert coverage.severity == judged.signatures[0].verdict == "fail"


def test_where_nothing_follows_the_signature_nothing_is_drawn(
    pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    judged = quorum.judge(put(tmp_path, signed_bytes), pki.anchors, pki.crls())
    assert (judged.verdict, words(judged)) == ("pass", {"appearance": "pass"})


def test_that_there_will_be_something_to_draw_is_seen_at_a_glance(
    rsa_signer: SoftwareSigner, signed_bytes: bytes
) -> None:
    twice = forgery.signed(signed_bytes, rsa_signer, field="Second")
    assert [appearance.expected(BytesIO(data)) for data in (signed_bytes, twice)] == [False, True]
    read = BytesIO(twice)
    read.seek(0, os.SEEK_END)
    assert appearance.expected(read)


def test_where_nothing_is_signed_or_only_blanks_follow_nothing_is_drawn(
    signed_bytes: bytes, letter: Path, tmp_path: Path
) -> None:
    nothing = appearance.compare(put(tmp_path, signed_bytes))
    assert [(check.id, check.severity) for check in nothing.checks] == [("appearance", "pass")]
    assert appearance.compare(letter) == nothing
    assert appearance.compare(put(tmp_path, signed_bytes + b"\0\t\n\f\r ")) == nothing
    drawn = appearance.compare(put(tmp_path, revision.appended(signed_bytes + b" " * 500, {900: b"<<>>"})))
    assert len(drawn.checks) == len(ENGINES)


@pytest.mark.parametrize(
    "numbers", [b"/ByteRangX [0 1 2 3]", b"/ByteRange /None", b"/ByteRange [/A /B]", b"/ByteRange [[] []]"]
)
def test_a_signature_without_a_range_takes_no_other_out_of_sight(
    numbers: bytes, rsa_signer: SoftwareSigner, signed_bytes: bytes, tmp_path: Path
) -> None:
    twice = forgery.signed(signed_bytes, rsa_signer, field="Second")
    start, end = len(signed_bytes), twice.index(b"/ByteRange", len(signed_bytes))
    length = twice.index(b"]", end) + 1 - end
    bad = twice[:end] + numbers.ljust(length) + twice[end + length :]
    compared = appearance.compare(put(tmp_path, bad))
    assert start < end
    assert {check.id: check.severity for check in compared.checks} == dict.fromkeys(ENGINES, "pass")


def test_a_document_that_is_read_with_patience_is_drawn(
    rsa_signer: SoftwareSigner, ec_signer: SoftwareSigner, tmp_path: Path
) -> None:
    """A page that refers to what is nowhere is one that does not say."""

    def turned(writer: Any) -> None:
        page_ref, _ = writer.find_page_for_modification(0)
        page_ref.get_object()[pdf_name("/Rotate")] = generic.IndirectObject(900, 0, writer)
        writer.mark_update(page_ref)

    paper = forgery.later(papers.built(tmp_path, papers.hybrid(), "--object-streams=disable"), turned)
    twice = forgery.signed(
        forgery.signed(paper, rsa_signer, strict=False), ec_signer, field="Second", strict=False
    )
    compared = appearance.compare(put(tmp_path, twice))
    assert {check.id: check.severity for check in compared.checks} == dict.fromkeys(ENGINES, "pass")


def test_each_check_names_its_judge(pki: Pki, signed_bytes: bytes, tmp_path: Path) -> None:
    judged = quorum.judge(put(tmp_path, signed_bytes), pki.anchors, pki.crls())
    judges = {check["id"]: check["judge"] for check in shape(judged)["checks"]}
    assert judges["integrity"] == judges["agreement"] == "fieldkit"
    assert [judges[f"{name}-integrity"] for name in ("pdfsig", "openssl", "mutool")] == [
        "pdfsig",
        "openssl",
        "mutool",
    ]
    assert judges["appearance"] == "appearance"


def test_leaving_it_out_is_said_and_is_a_persons_choice(
    pki: Pki, signed_bytes: bytes, tmp_path: Path
) -> None:
    judged = quorum.judge(put(tmp_path, signed_bytes), pki.anchors, pki.crls(), draw=False)
    (check,) = [check for check in judged.checks if check.id == "appearance"]
    assert (check.severity, check.required, judged.verdict) == ("not-checked", False, "pass")
    assert "left out on request" in str(check.message)
    assert appearance.left_out().checks == (check,)
    assert check.judge == "appearance"


RECT = (100.0, 300.0, 260.0, 380.0)


INK = b"1 0 0 RG 3 w 5 5 150 70 re S 10 40 m 150 40 l S"


@pytest.fixture(scope="module")
def words_bytes() -> bytes:
    """A page full of words, so that every field lies over some."""
    import typst

    made = typst.compile(b'#set page(paper: "a4", margin: 10mm)\n#lorem(900)')
    assert isinstance(made, bytes)
    return made


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_further_signature_shows_inside_its_own_field_however_the_page_lies(
    turn: int, pki: Pki, rsa_signer: SoftwareSigner, tmp_path: Path
) -> None:
    paper = papers.letter_on("210mm", "297mm", turn=turn)
    shifted = papers.with_page(paper, CropBox=[40, 50, 500, 580], UserUnit=2)
    once = forgery.signed(shifted, rsa_signer)
    both = papers.stamped(once, rsa_signer, "Second", INK, (100, 300, 260, 380))
    judged = quorum.judge(put(tmp_path, both), pki.anchors, pki.crls())
    assert words(judged) == dict.fromkeys(ENGINES, "pass")
    assert judged.verdict == "pass", judged


def test_a_seal_over_a_third_of_a_signature_in_a_field_that_was_there_passes(
    pki: Pki, rsa_signer: SoftwareSigner, ec_signer: SoftwareSigner, letter_bytes: bytes, tmp_path: Path
) -> None:
    prepared = papers.fields(letter_bytes, "Seal", box=(60, 600, 160, 700))
    person = papers.stamped(prepared, rsa_signer, "Person", INK, (120, 620, 280, 700))
    both = papers.stamped(person, ec_signer, "Seal", papers.OPAQUE)
    judged = quorum.judge(put(tmp_path, both), pki.anchors, pki.crls())
    assert (judged.verdict, words(judged)) == ("pass", dict.fromkeys(ENGINES, "pass"))


AMOUNT = b"BT /F1 8 Tf 60 600 Td (Tong: 1 121 000 dong) Tj ET 0.6 g BT /F1 8 Tf 60 570 Td (Thue: 121) Tj ET"


@pytest.fixture(scope="module")
def paid(rsa_signer: SoftwareSigner, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A signed page that names amounts in small print, one of them in grey."""
    plain = papers.built(tmp_path_factory.mktemp("paid"), papers.hybrid(), "--object-streams=disable")
    return forgery.signed(forgery.later(plain, _drawn(AMOUNT)), rsa_signer, field="First")


@pytest.mark.parametrize(
    ("content", "rect"),
    [
        (b"1 g 40 0 4 10 re f", (58, 596, 160, 610)),
        (b"1 g 40 0 4 10 re f 0 g 42 4 1 6 re f", (58, 596, 160, 610)),
        (b"0 G 0.4 w 40 6 m 43 3 l S", (58, 596, 160, 610)),
        (b"0 G 0.5 w 2 4 m 6 4 l S", (140, 596, 170, 610)),
        (b"1 g 24 0 5 10 re f", (58, 566, 160, 580)),
        (b"1 g 0 0 600 600 re f", (20, 300, 580, 800)),
    ],
    ids=["covered", "another", "a stroke", "right after", "grey", "half the page"],
)
def test_a_new_field_that_meets_what_was_signed_has_to_be_looked_at(
    content: bytes,
    rect: tuple[float, ...],
    pki: Pki,
    paid: bytes,
    ec_signer: SoftwareSigner,
    tmp_path: Path,
) -> None:
    judged = quorum.judge(
        put(tmp_path, papers.stamped(paid, ec_signer, "Second", content, rect)), pki.anchors, pki.crls()
    )
    assert words(judged) == dict.fromkeys(ENGINES, "not-checked")
    assert judged.verdict == "indeterminate"


def test_a_new_field_may_show_anything_where_nothing_stands(
    pki: Pki, paid: bytes, ec_signer: SoftwareSigner, tmp_path: Path
) -> None:
    both = papers.stamped(paid, ec_signer, "Second", papers.OPAQUE, (58, 460, 218, 560))
    judged = quorum.judge(put(tmp_path, both), pki.anchors, pki.crls())
    assert (judged.verdict, words(judged)) == ("pass", dict.fromkeys(ENGINES, "pass"))


@pytest.mark.parametrize(("left", "outcome"), [(75, "pass"), (110, "not-checked")])
def test_a_new_seal_may_lie_over_a_part_of_a_signature_and_not_over_most_of_it(
    left: int,
    outcome: str,
    paid: bytes,
    rsa_signer: SoftwareSigner,
    ec_signer: SoftwareSigner,
    tmp_path: Path,
) -> None:
    person = papers.stamped(paid, rsa_signer, "Person", INK, (120, 420, 280, 500))
    both = papers.stamped(person, ec_signer, "Seal", papers.OPAQUE, (left, 410, left + 100, 510))
    compared = appearance.compare(put(tmp_path, both))
    assert {check.severity for check in compared.checks} == {outcome}


def test_a_field_as_large_as_a_paragraph_is_no_signature_to_be_sealed(
    rsa_signer: SoftwareSigner, ec_signer: SoftwareSigner, words_bytes: bytes, tmp_path: Path
) -> None:
    person = papers.stamped(words_bytes, rsa_signer, "Person", INK, (30, 500, 560, 620))
    both = papers.stamped(person, ec_signer, "Seal", papers.OPAQUE, (100, 520, 160, 580))
    compared = appearance.compare(put(tmp_path, both))
    assert {check.severity for check in compared.checks} == {"not-checked"}


def test_a_field_that_another_revision_made_ready_is_new_to_whoever_signed_before(
    paid: bytes, rsa_signer: SoftwareSigner, ec_signer: SoftwareSigner, tmp_path: Path
) -> None:
    ready = forgery.signed(papers.fields(paid, "Third", box=(58, 596, 160, 610)), ec_signer, field="Second")
    compared = appearance.compare(put(tmp_path, papers.stamped(ready, ec_signer, "Third", papers.OPAQUE)))
    assert {"First", "Second"} <= compared.covered
    assert "pass" not in {check.severity for check in compared.checks}


def test_a_field_that_was_there_may_hide_no_more_than_a_quarter_of_the_page(
    pki: Pki, rsa_signer: SoftwareSigner, ec_signer: SoftwareSigner, words_bytes: bytes, tmp_path: Path
) -> None:
    for box, outcome in (((20, 600, 500, 800), "pass"), ((20, 300, 580, 800), "not-checked")):
        prepared = papers.fields(words_bytes, "Second", box=box)
        both = papers.stamped(forgery.signed(prepared, rsa_signer), ec_signer, "Second", papers.OPAQUE)
        compared = appearance.compare(put(tmp_path, both))
        assert {check.severity for check in compared.checks} == {outcome}


def test_only_the_signatures_before_the_change_are_concerned(
    pki: Pki, rsa_signer: SoftwareSigner, ec_signer: SoftwareSigner, letter_bytes: bytes, tmp_path: Path
) -> None:
    changed = forgery.written_over(forgery.signed(letter_bytes, rsa_signer, field="First"))
    compared = appearance.compare(put(tmp_path, forgery.signed(changed, ec_signer, field="Second")))
    assert compared.changed == {"First"}
    assert {check.severity for check in compared.checks} == {"fail"}


def test_a_signature_that_was_there_before_is_not_drawn_again(
    rsa_signer: SoftwareSigner, ec_signer: SoftwareSigner, letter_bytes: bytes, tmp_path: Path
) -> None:
    once = papers.stamped(letter_bytes, rsa_signer, "First", INK, RECT)
    reader = revision.read(once)
    shown = reader.root["/AcroForm"]["/Fields"][0]["/AP"].raw_get("/N").reference.idnum
    other = revision.stream(b"0 0 999 999 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 160 80]")
    again = forgery.signed(revision.appended(once, {shown: other}), ec_signer, field="Second")
    compared = appearance.compare(put(tmp_path, again))
    assert compared.changed == {"First"}


def test_pages_that_are_gone_added_or_of_another_size_are_seen(
    rsa_signer: SoftwareSigner, tmp_path: Path
) -> None:
    import typst

    two = typst.compile(b"#set page(width: 200pt, height: 200pt)\nOne #pagebreak() Two")
    assert isinstance(two, bytes)
    signed = forgery.signed(two, rsa_signer)
    reader = revision.read(signed)
    tree, number = reader.root["/Pages"], reader.root.raw_get("/Pages").reference.idnum
    first = tree["/Kids"].raw_get(0).reference.idnum
    one = b"<</Type/Pages/Count 1/Kids[%d 0 R]>>" % first
    second = tree["/Kids"].raw_get(1).reference.idnum
    three = b"<</Type/Pages/Count 3/Kids[%d 0 R %d 0 R %d 0 R]>>" % (first, second, first)
    page = reader.root["/Pages"]["/Kids"][0]
    wide = revision.written(page).replace(b"200", b"300")
    for objects, detail in (
        ({number: one}, "page 2: missing"),
        ({number: three}, "page 3: added"),
        ({first: wide}, "page 1: size"),
    ):
        compared = appearance.compare(put(tmp_path, revision.appended(signed, objects)))
        outcomes = [(check.severity, check.detail) for check in compared.checks]
        assert outcomes == [("fail", f"Signature1: {detail}")] * 3


def test_colours_of_one_brightness_are_told_apart(rsa_signer: SoftwareSigner, tmp_path: Path) -> None:
    data = papers.built(tmp_path, papers.hybrid(), "--object-streams=disable")
    signed = forgery.signed(forgery.later(data, _drawn(b"0.3 g 0 0 300 300 re f")), rsa_signer)
    green = forgery.later(signed, _drawn(b"0 0.51 0 rg 50 50 200 200 re f"))
    compared = appearance.compare(put(tmp_path, green))
    assert {check.severity for check in compared.checks} == {"fail"}


def _drawn(content: bytes) -> Callable[[Any], None]:
    def change(writer: Any) -> None:
        writer.add_stream_to_page(0, writer.add_object(generic.StreamObject(stream_data=content)))

    return change


def engine(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, script: str) -> None:
    """A program called `name` that comes first in the search path."""
    path = folder / name
    path.write_text(script)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def followed(rsa_signer: SoftwareSigner, signed_bytes: bytes, tmp_path: Path) -> Path:
    """A signed document that something invisible follows."""
    size = int(revision.read(signed_bytes).trailer["/Size"])
    return put(tmp_path, revision.appended(signed_bytes, {size: b"<<>>"}))


def test_an_engine_that_is_not_here_is_named_and_takes_nothing_from_the_verdict(
    pki: Pki, followed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    judged = quorum.judge(followed, pki.anchors, pki.crls())
    assert words(judged) == {
        "pdfium-appearance": "pass",
        "poppler-appearance": "not-checked",
        "mupdf-appearance": "not-checked",
    }
    hints = {check.id: str(check.hint) for check in judged.checks}
    assert "poppler-utils" in hints["poppler-appearance"]
    assert "mupdf-tools" in hints["mupdf-appearance"]
    assert judged.verdict == "pass"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("#!/bin/sh\nexec sleep 60\n", "came to no end within 2 seconds"),
        ("#!/bin/sh\nkill -SEGV $$\n", "ended before its time"),
        ("#!/bin/sh\nexit 1\n", "cannot draw the document"),
        ("#!/no/such/interpreter\n", "could not be started"),
        ("#!/bin/sh\nprintf 'P6\\n9999 9999\\n255\\n'\n", "too large to be compared"),
        ("#!/bin/sh\nprintf 'P6\\n9 9\\n255\\nshort'\n", "ended before its time"),
        ("#!/bin/sh\nprintf 'P6\\nnine\\n255\\n'\n", "ended before its time"),
        ("#!/bin/sh\nprintf 'P6\\n1 1\\n255\\nabcP6\\n1 1\\n255\\nabc'\n", "Only 2 of 1 pages were drawn"),
    ],
)
def test_an_engine_that_fails_is_named_with_the_reason_and_the_others_have_their_word(
    script: str, reason: str, pki: Pki, followed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "sleep" in script:
        monkeypatch.setattr(engines, "PATIENCE", 2.0)
    (tmp_path / "bin").mkdir()
    engine(tmp_path / "bin", monkeypatch, "mutool", script)
    compared = appearance.compare(followed)
    (check,) = [check for check in compared.checks if check.id == "mupdf-appearance"]
    assert (check.severity, check.required) == ("not-checked", False)
    assert reason in str(check.message)
    assert check.hint is not None
    assert compared.changed == frozenset()
    others = {each.severity for each in compared.checks if each is not check}
    assert others == {"pass"} or "sleep" in script


def test_an_engine_that_draws_what_was_signed_and_not_what_is_there_now_sees_a_difference(
    pki: Pki, followed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    script = "#!/bin/sh\ncase \"$*\" in *judged.pdf) exit 1;; esac\nprintf 'P6\\n1 1\\n255\\nabc'\n"
    engine(tmp_path / "bin", monkeypatch, "pdftoppm", script)
    judged = quorum.judge(followed, pki.anchors, pki.crls())
    assert words(judged)["poppler-appearance"] == "fail"
    assert judged.verdict == "fail"
    details = {check.id: check.detail for check in judged.checks}
    assert details["poppler-appearance"].startswith("Signature1: pdftoppm ")


def test_where_no_engine_looked_the_document_is_not_settled(
    pki: Pki, followed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    engines.end_all()
    judged = quorum.judge(followed, pki.anchors, pki.crls())
    assert words(judged) == dict.fromkeys((*ENGINES, "appearance"), "not-checked")
    assert judged.verdict == "indeterminate"


def test_a_document_with_a_password_is_drawn_by_the_engine_that_takes_it_over_a_pipe(
    pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    locked, out = tmp_path / "locked.pdf", tmp_path / "judged.pdf"
    locked.write_bytes(
        papers.built(tmp_path, letter.read_bytes(), "--encrypt", "mat-khau", "owner", "256", "--")
    )
    password = Secret("mat-khau")
    sign.sign(locked, out, rsa_signer, field="First", password=password)
    again = tmp_path / "again.pdf"
    sign.sign(out, again, rsa_signer, field="Second", password=password)
    judged = quorum.judge(again, pki.anchors, pki.crls(), password=password)
    assert words(judged) == {
        "pdfium-appearance": "pass",
        "poppler-appearance": "not-checked",
        "mupdf-appearance": "not-checked",
    }
    assert judged.verdict == "pass", judged


def test_a_document_that_opens_without_its_password_is_drawn_by_every_engine(
    pki: Pki, rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    locked, out, again = (tmp_path / name for name in ("locked.pdf", "judged.pdf", "again.pdf"))
    locked.write_bytes(papers.built(tmp_path, letter.read_bytes(), "--encrypt", "", "owner", "256", "--"))
    password = Secret("owner")
    sign.sign(locked, out, rsa_signer, field="First", password=password)
    sign.sign(out, again, rsa_signer, field="Second", password=password)
    compared = appearance.compare(again, password=password)
    assert {check.id: check.severity for check in compared.checks} == dict.fromkeys(ENGINES, "pass")


def test_a_page_of_any_size_is_drawn_in_bounds(rsa_signer: SoftwareSigner, tmp_path: Path) -> None:
    for box in ([0, 0, 200_000, 100_000], [0, 0, 3, 3], [-5, -5, 14_400, 14_400]):
        signed = forgery.signed(papers.with_page(papers.hybrid(), MediaBox=box), rsa_signer)
        size = int(revision.read(signed).trailer["/Size"])
        compared = appearance.compare(put(tmp_path, revision.appended(signed, {size: b"<<>>"})))
        outcomes = {check.id: check.severity for check in compared.checks}
        assert outcomes["pdfium-appearance"] == "pass", compared
        assert "fail" not in outcomes.values()
